package connito

import (
	"encoding/base64"
	"strings"
	"testing"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// TestHash checks the vectors of section 14 of the sheet, made with Python's
// hashlib.
func TestHash(t *testing.T) {
	d := tensor.Dict{
		"model.layers.1.mlp.experts.22.gate_up_proj": {DType: tensor.F16, Shape: []int{4}, Data: []byte{0, 0x3c, 0, 0xc0, 0, 0x38, 0, 0}},
		"model.layers.1.mlp.experts.22.down_proj":    {DType: tensor.F16, Shape: []int{2}, Data: []byte{0, 0x42, 0, 0xb4}},
	}
	if got, want := Hash(d), "53dd82027df804525a8d7b5cbc858b2796f4749c029d8380"; got != want {
		t.Errorf("Hash = %s, want %s", got, want)
	}
	if got, want := Hash(nil), "ab3b5331a7135ed50d0f182d026e60abdb3646fd51bcf8a3"; got != want {
		t.Errorf("Hash of nothing = %s, want %s", got, want)
	}
}

// TestCommitLengths checks the sizes that the chain's 128 bytes were planned for.
func TestCommitLengths(t *testing.T) {
	hash := strings.Repeat("a", 48)
	if got := G3.signedCommit(make([]byte, 64)); len(got) != 94 {
		t.Errorf("first commitment has %d bytes, want 94: %s", len(got), got)
	}
	for repo, want := range map[int]int{4: 100, 11: 107, 32: 128} {
		if got := G3.minerCommit2(0, hash, 8081470, strings.Repeat("r", repo), "0123456789ab"); len(got) != want {
			t.Errorf("second commitment with a repository of %d has %d bytes, want %d: %s", repo, len(got), want, got)
		}
	}
	if got, want := G3.minerCommit2(0, hash, 8081470, "user/co", "abcdef1234"), `{"e":0,"h":"`+hash+`","v":8081470,"r":"user/co","rv":"abcdef1"}`; got != want {
		t.Errorf("miner's commitment = %s, want %s", got, want)
	}
	if got, want := G3.validatorCommit2(0, hash, 8081470, "org/co", "1a2b3c4"), `{"h":"`+hash+`","v":8081470,"e":0,"r":"org/co","rv":"1a2b3c4"}`; got != want {
		t.Errorf("validator's commitment = %s, want %s", got, want)
	}
	if err := G3.checkBudget(G3.minerCommit2(0, hash, 10_000_000, strings.Repeat("r", 32), "0123456")); err == nil {
		t.Error("a commitment of 129 bytes was not refused")
	}
}

func TestParseCommits(t *testing.T) {
	hash := strings.Repeat("b", 48)
	two := packCommits([]string{G3.validatorCommit2(0, hash, 5, "v/co", "1234567"), G3.validatorCommit2(1, hash, 5, "v/co", "1234567")})
	many := packCommits([]string{`{"e":0}`, `{"e":1}`, `{"e":2}`, `{"e":3}`})
	for _, tt := range []struct {
		name   string
		fields []string
		want   int
	}{
		{"one a field", two, 2},
		{"more than fields", many, 4},
		{"python's spacing and nulls", []string{`{"b": null, "e": 0, "m": null, "h": "` + hash + `", "v": 3, "i": 1}`}, 1},
		{"nothing", nil, 0},
		{"no JSON", []string{"hello"}, 0},
		{"JSON of another kind", []string{`[1,2]`, `"x"`, `{"e":"zero"}`}, 0},
		{"garbage after a commit", []string{`{"e":1} garbage`}, 1},
	} {
		if got := len(parseCommits(tt.fields)); got != tt.want {
			t.Errorf("%s: %d commits, want %d", tt.name, got, tt.want)
		}
	}
	if c := parseCommits(two)[1]; c.complete() != "" || *c.Group != 1 || *c.Version != 5 || c.Revision != "1234567" {
		t.Errorf("second commit = %+v", c)
	}
}

func FuzzParseCommits(f *testing.F) {
	f.Add(`{"m":"` + base64.RawURLEncoding.EncodeToString(make([]byte, 64)) + `"}`)
	f.Add(`{"e":0,"h":"00","v":1,"r":"a/b","rv":"1234567"}`)
	f.Fuzz(func(t *testing.T, field string) {
		for _, c := range parseCommits([]string{field}) { // must not panic, whatever neurons write
			c.complete()
			if sig, err := c.signature(); err == nil && len(sig) != 64 {
				t.Errorf("signature of %d bytes", len(sig))
			}
		}
	})
}

func FuzzParsePlace(f *testing.F) {
	f.Add("globalver_12_inneropt_3")
	f.Add("uid_1_hotkey_5abc_globalver_7")
	f.Fuzz(func(t *testing.T, name string) { parsePlace(name) })
}

func TestParsePlace(t *testing.T) {
	for _, tt := range []struct {
		name string
		want place
		ok   bool
	}{
		{ownName(45, 7), place{ownName(45, 7), 45, 7}, true},
		{baselineName(3, "5abc", 9), place{baselineName(3, "5abc", 9), 9, 0}, true},
		{".tmp_globalver_3", place{}, false},
		{"config.yaml", place{}, false},
		{"globalver_x", place{}, false},
	} {
		if got, ok := parsePlace(tt.name); got != tt.want || ok != tt.ok {
			t.Errorf("parsePlace(%q) = %+v, %v, want %+v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func TestCombinedSeed(t *testing.T) {
	for n, want := range []string{
		1: "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
		2: "f1534392279bddbf9d43dde8701cb5be14b82f76ec6607bf8d6ad557f60f304e",
		3: "2ac9a6746aca543af8dff39894cfe8173afba21eb01c6fae33d52947222855ef",
	} {
		seeds := make(map[subnet.Hotkey]uint64)
		for i := range n {
			seeds[subnet.Hotkey(rune('a'+i))] = 0
		}
		if got := combinedSeed(seeds); n > 0 && got != want {
			t.Errorf("seed of %d validators = %s, want %s", n, got, want)
		}
	}
	if got, want := combinedSeed(map[subnet.Hotkey]uint64{"a": 11, "b": 22, "c": 33}), "e0bc60c82713f64ef8a57c0c40d02ce24fd0141d5cc3086259c19b1e62a62bea"; got != want {
		t.Errorf("seed of 11, 22, 33 = %s, want %s", got, want)
	}
}

func TestCheckShard(t *testing.T) {
	a := Assignment{1: {{0, 5}, {1, 9}}}
	good := func() tensor.Dict {
		d := make(tensor.Dict)
		for _, e := range []string{"5", "9"} {
			for _, k := range []string{"gate_up_proj", "down_proj"} {
				d["model.layers.1.mlp.experts."+e+"."+k] = tensor.FromFloats(tensor.F32, []int{2}, []float32{1, 2})
			}
		}
		return d
	}
	const one = "model.layers.1.mlp.experts.5.down_proj"
	for _, tt := range []struct {
		name  string
		spoil func(tensor.Dict)
		want  string
	}{
		{"complete", func(tensor.Dict) {}, ""},
		{"missing", func(d tensor.Dict) { delete(d, one) }, "incomplete expert set: 3 of 4"},
		{"foreign expert", func(d tensor.Dict) { d["model.layers.1.mlp.experts.0.down_proj"] = d[one] }, "no expert's of this group"},
		{"foreign layer", func(d tensor.Dict) { d["model.layers.2.mlp.experts.5.down_proj"] = d[one] }, "no expert's of this group"},
		{"backbone", func(d tensor.Dict) { d["lm_head.weight"] = d[one] }, "no expert's of this group"},
		{"not a number", func(d tensor.Dict) { d[one].Data[3], d[one].Data[2] = 0x7f, 0xc0 }, "NaN or Inf"},
		{"nothing", func(d tensor.Dict) { clear(d) }, "no tensors"},
	} {
		d := good()
		tt.spoil(d)
		err := checkShard(d, a, true)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: checkShard = %v, want %q", tt.name, err, tt.want)
		}
	}
	d := good()
	delete(d, one)
	if err := checkShard(d, a, false); err != nil {
		t.Errorf("without exact keys: %v", err)
	}
}
