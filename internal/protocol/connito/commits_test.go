package connito

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"adit/internal/checkpoint"
	"adit/internal/tensor"
	"adit/internal/torchfile"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

func ptr[T any](v T) *T { return &v }

// TestCommitsOfGenerations checks the text of each generation's commitments.
func TestCommitsOfGenerations(t *testing.T) {
	hash := strings.Repeat("ab", 24)
	sig := make([]byte, 64)
	sig64 := strings.Repeat("A", 86)
	miner := Commit{Group: ptr(0), Hash: hash, Version: ptr(uint64(8081470)), Repo: "user/co", Revision: "abcdef123456"}
	for _, tt := range []struct{ name, got, want string }{
		{"g0 miner", G0.minerCommit(Commit{Block: ptr(uint64(7)), Group: ptr(1), Hash: hash, Version: ptr(uint64(3)), Inner: ptr(40)}), `{"b": 7, "e": 1, "h": "` + hash + `", "v": 3, "i": 40}`},
		{"g0 miner without all", G0.minerCommit(Commit{Group: ptr(1), Hash: hash}), `{"b": null, "e": 1, "h": "` + hash + `", "v": null, "i": null}`},
		{"g0 validator", G0.validatorCommit(Commit{Hash: hash, Version: ptr(uint64(3)), Group: ptr(1), Seed: ptr(uint64(65535))}), `{"h": "` + hash + `", "v": 3, "e": 1, "s": 65535}`},
		{"g1 miner", G1.minerCommit(Commit{Group: ptr(1), Hash: hash, Version: ptr(uint64(3))}), `{"e":1,"h":"` + hash + `","v":3}`},
		{"g2-472 first", G2Early.signedCommit(sig), `{"m": "` + sig64 + `"}`},
		{"g2-472 miner", G2Early.minerCommit(miner), `{"b": null, "e": 0, "m": null, "h": "` + hash + `", "v": 8081470, "i": null}`},
		{"g2-472 validator", G2Early.validatorCommit(Commit{Hash: hash, Version: ptr(uint64(5)), Group: ptr(0), Seed: ptr(uint64(0))}), `{"h": "` + hash + `", "v": 5, "e": 0, "s": 0}`},
		{"g3 first", G3.signedCommit(sig), `{"m":"` + sig64 + `"}`},
		{"g3 miner", G3.minerCommit(miner), `{"e":0,"h":"` + hash + `","v":8081470,"r":"user/co","rv":"abcdef1"}`},
		{"g3 miner whose upload failed", G3.minerCommit(Commit{Group: ptr(0), Hash: hash, Version: ptr(uint64(1)), Repo: "user/co"}), `{"e":0,"h":"` + hash + `","v":1}`},
		{"g3 validator at start", G3.validatorCommit(Commit{Version: ptr(uint64(0)), Group: ptr(0)}), `{"v":0,"e":0}`},
		{"g3 validator", G3.validatorCommit(Commit{Hash: hash, Version: ptr(uint64(8081470)), Group: ptr(0), Repo: "org/co", Revision: "1a2b3c4"}), `{"h":"` + hash + `","v":8081470,"e":0,"r":"org/co","rv":"1a2b3c4"}`},
		{"g4 validator at MinerCommit1", G4.validatorCommit(Commit{Hash: hash, Version: ptr(uint64(8081470)), Group: ptr(4), Seed: ptr(uint64(12345))}), `{"h":"` + hash + `","v":8081470,"e":4,"s":12345}`},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, tt.got, tt.want)
		}
		if list := parseCommits([]string{tt.got}); len(list) != 1 {
			t.Errorf("%s: does not parse: %s", tt.name, tt.got)
		}
	}
	// The length that the validator's commitment of five seed digits has.
	if got := G4.validatorCommit(Commit{Hash: hash, Version: ptr(uint64(8081470)), Group: ptr(0), Seed: ptr(uint64(12345))}); len(got) != 84 {
		t.Errorf("%d bytes, want 84: %s", len(got), got)
	}
}

func TestCommitAliases(t *testing.T) {
	long := `{"signed_model_hash":"S","expert_group":2,"model_hash":"H","global_ver":3,"miner_seed":4,"hf_repo_id":"o/r","hf_revision":"1234567","block":5,"inner_opt":6}`
	short := `{ "m" : "S", "e":2, "h":"H", "v":3, "s":4, "r":"o/r", "rv":"1234567", "b":5, "i":6, "unknown": [] }`
	a, b := parseCommits([]string{long}), parseCommits([]string{short})
	if len(a) != 1 || len(b) != 1 || actor.JSON(a[0]) != actor.JSON(b[0]) {
		t.Errorf("long %s, short %s", actor.JSON(a), actor.JSON(b))
	}
	if got := parseCommits([]string{`{"h":"short","model_hash":"long"}`}); got[0].Hash != "short" {
		t.Errorf("hash = %q, want the one under the short name", got[0].Hash)
	}
}

func TestCheckRepo(t *testing.T) {
	for _, tt := range []struct {
		rules  Rules
		length int
		height uint64
		want   bool
	}{
		{G3, 32, 9_999_999, true},
		{G3, 33, 9_999_999, false},
		{G3, 32, 10_000_000, false},
		{G3, 31, 10_000_000, true},
		{G3, 32, 5, true}, // never more than the rules' own limit
		{G3, 33, 5, false},
		{G2Early, 100, 10_000_000, true},
	} {
		if err := tt.rules.checkRepo(strings.Repeat("r", tt.length), subnet.Block(tt.height)); (err == nil) != tt.want {
			t.Errorf("%s: repository of %d at %d: %v, want ok = %v", tt.rules.Name, tt.length, tt.height, err, tt.want)
		}
	}
	// Upstream's validator checks with a hash of 64 characters and version 0.
	c := Commit{Hash: strings.Repeat("0", 64), Version: ptr(uint64(0)), Group: ptr(0), Repo: strings.Repeat("r", G3.RepoMaxValidator), Revision: "0000000"}
	if got := len(G3.validatorCommit(c)); got != G3.CommitMax {
		t.Errorf("a validator's repository of %d makes %d bytes, want %d", G3.RepoMaxValidator, got, G3.CommitMax)
	}
}

// bytesFile is a subnet.File in memory.
type bytesFile struct{ *bytes.Reader }

func (bytesFile) Name() string { return "bytes" }
func (bytesFile) Close() error { return nil }

// TestHashOrder checks that G0 hashes in the order of the file.
func TestHashOrder(t *testing.T) {
	d := tensor.Dict{
		"b": {DType: tensor.F16, Shape: []int{1}, Data: []byte{1, 2}},
		"a": {DType: tensor.F16, Shape: []int{1}, Data: []byte{3, 4}},
	}
	hash := func(r Rules, order ...string) string {
		var top torchfile.Dict
		for _, key := range order {
			top.Items = append(top.Items, torchfile.Item{Key: key, Value: d[key]})
		}
		var b bytes.Buffer
		if err := torchfile.Encode(&b, &top); err != nil {
			t.Fatal(err)
		}
		x, err := checkpoint.Open(bytesFile{bytes.NewReader(b.Bytes())}, int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.digest(x, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Hash
	}
	if hash(G0, "b", "a") == Hash(d) || hash(G0, "a", "b") != Hash(d) || hash(G3, "b", "a") != Hash(d) {
		t.Error("the order of the file counts in G0 and in no other generation")
	}
	if got, want := hash(G0), "ab3b5331a7135ed50d0f182d026e60abdb3646fd51bcf8a3"; got != want {
		t.Errorf("hash of nothing = %s, want %s", got, want)
	}
}

func TestEncodings(t *testing.T) {
	sig := make([]byte, 64)
	for i := range sig {
		sig[i] = byte(i * 7)
	}
	for e, n := range map[Encoding]int{Base64URL: 86, Hex: 128} {
		s := e.encode(sig)
		back, err := e.decode(s)
		if err != nil || string(back) != string(sig) || len(s) != n {
			t.Errorf("encoding %d: %d characters, %v", e, len(s), err)
		}
		if _, err := e.decode(s[:n-2]); err == nil {
			t.Errorf("encoding %d: a short signature was taken", e)
		}
	}
	if _, err := Base64URL.decode(Base64URL.encode(sig) + "=="); err != nil {
		t.Errorf("padding: %v", err)
	}
	if _, err := Hex.decode("0x" + hex.EncodeToString(sig)); err != nil {
		t.Errorf("0x: %v", err)
	}
}
