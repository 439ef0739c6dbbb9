package connito

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// TestH256 checks a vector of section 14.
func TestH256(t *testing.T) {
	h := h256("cap_bonus", "0", "x")
	if got, want := hex.EncodeToString(h[:]), "6aa09f77d89f4487da87a73f39a23a6f28eb19edaf54cbe250bbf9d1fa4ae32d"; got != want {
		t.Errorf("h256 = %s, want %s", got, want)
	}
}

// TestZeroSeeds checks the seeds of section 14 for validators who commit none.
func TestZeroSeeds(t *testing.T) {
	for n, want := range []string{
		0: "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9", // of "0"
		1: "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
		2: "f1534392279bddbf9d43dde8701cb5be14b82f76ec6607bf8d6ad557f60f304e",
		3: "2ac9a6746aca543af8dff39894cfe8173afba21eb01c6fae33d52947222855ef",
		4: "9af15b336e6a9619928537df30b2e6a2376569fcf9d7e773eccede65606529a0",
		5: "e7042ac7d09c7bc41c8cfa5749e41858f6980643bc0db1a83cc793d3e24d3f77",
		6: "91b4d142823f7d20c5f08df69122de43f35f057a988d9619f6d3138485c9a203",
		7: "20fdf64da3cd2c78ec3c033d2ac628bacf701711fa99435ee37bef0304800dc5",
	} {
		seeds := make(map[subnet.Hotkey]uint64)
		for i := range n {
			seeds[subnet.Hotkey(fmt.Sprint(i))] = 0
		}
		if got := combinedSeed(seeds); got != want {
			t.Errorf("%d validators: %s, want %s", n, got, want)
		}
	}
	if got, want := blockSeed("0x"+strings.Repeat("ab", 32)), "6836abfe460e9eeb5bf774d98fcddb837cbcb0a7da20cdeb5e7388a1fb0b0606"; got != want {
		t.Errorf("blockSeed = %s, want %s", got, want)
	}
}

func miners(format string, from, to int) (list []subnet.Hotkey) {
	for i := from; i <= to; i++ {
		list = append(list, subnet.Hotkey(fmt.Sprintf(format, i)))
	}
	return list
}

// TestAssign checks the vectors of section 14, and two larger ones made by a
// straight transcription of section 8.2 into Python.
func TestAssign(t *testing.T) {
	three := []Judge{{"V1", 11}, {"V2", 22}, {"V3", 33}}
	five := []Judge{{"V0", 0}, {"V1", 2000}, {"V2", 1000}, {"V3", 1}, {"V4", 2001}}
	for _, tt := range []struct {
		name   string
		judges []Judge
		miners []subnet.Hotkey
		limit  int
		want   string
	}{
		{"three", three, miners("M%d", 1, 7), 0, "V1:M7,M1 V2:M5,M2 V3:M3,M4,M6"},
		{"a limit that does not bind", three, miners("M%d", 1, 7), 3, "V1:M7,M1 V2:M5,M2 V3:M3,M4,M6"},
		{"overflow", three, miners("M%d", 1, 7), 2, "V1:M7,M1 V2:M5,M2 V3:M3,M4,M6"},
		{"all equal", []Judge{{"V1", 0}, {"V2", 0}, {"V3", 0}}, miners("M%d", 1, 4), 0, "V1:M3,M1 V2:M2 V3:M4"},
		{"all equal, another order", []Judge{{"V3", 0}, {"V2", 0}, {"V1", 0}}, miners("M%d", 1, 4), 0, "V3:M3,M1 V2:M2 V1:M4"},
		{
			"five with a limit", five, miners("5Miner%02d", 0, 22), 3,
			"V0:5Miner06,5Miner11,5Miner20,5Miner04 V1:5Miner09,5Miner00,5Miner15,5Miner02,5Miner05 V2:5Miner01,5Miner13,5Miner18 " +
				"V3:5Miner22,5Miner07,5Miner19,5Miner16,5Miner12 V4:5Miner17,5Miner10,5Miner03,5Miner14,5Miner08,5Miner21",
		},
		{
			"five without", five, miners("5Miner%02d", 0, 22), 0,
			"V0:5Miner06,5Miner11,5Miner15,5Miner02 V1:5Miner00,5Miner18,5Miner14,5Miner08,5Miner12 V2:5Miner01,5Miner13,5Miner16,5Miner04 " +
				"V3:5Miner22,5Miner07,5Miner19,5Miner20,5Miner09 V4:5Miner17,5Miner10,5Miner03,5Miner21,5Miner05",
		},
		{"nobody", three, nil, 0, "V1: V2: V3:"},
		{"no validator", nil, miners("M%d", 1, 2), 0, ""},
	} {
		result := assign(tt.judges, tt.miners, tt.limit)
		var got []string
		for _, j := range tt.judges {
			var list []string
			for _, m := range result[j.Hotkey] {
				list = append(list, string(m))
			}
			got = append(got, string(j.Hotkey)+":"+strings.Join(list, ","))
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		// The miners' order does not matter, as all their hashes differ.
		back := slices.Clone(tt.miners)
		slices.Reverse(back)
		if diff := cmp.Diff(result, assign(tt.judges, back, tt.limit)); diff != "" {
			t.Errorf("%s, the other way round: %s", tt.name, diff)
		}
	}
}

func TestAssignment(t *testing.T) {
	judges := []Judge{{"V1", 0}, {"V2", 0}}
	var candidates []Candidate
	for i, h := range miners("M%02d", 1, 25) {
		candidates = append(candidates, Candidate{UID: subnet.UID(i), Hotkey: h, Incentive: float64(i % 5)})
	}
	all := func(r Rules) (list []subnet.Hotkey) {
		for _, m := range r.assignment(judges, candidates) {
			list = append(list, m...)
		}
		slices.Sort(list)
		return list
	}
	// Ten of 25: the five with incentive 4, and of those with 3 the first five.
	if diff := cmp.Diff([]subnet.Hotkey{"M04", "M05", "M09", "M10", "M14", "M15", "M19", "M20", "M24", "M25"}, all(G3)); diff != "" {
		t.Error(diff)
	}
	if got := len(all(G2Early)); got != 25 {
		t.Errorf("g2-472 assigns %d miners, want all 25", got)
	}
	result := G3.assignment(judges, candidates)
	who, ok := assignedTo(result, "M25")
	if !ok || !slices.Contains(result[who], "M25") {
		t.Errorf("M25 is with %q, %v", who, ok)
	}
	if _, ok := assignedTo(result, "M01"); ok {
		t.Error("M01 is assigned, and has no incentive")
	}
}

// TestSelection checks the filter of section 7.4.
func TestSelection(t *testing.T) {
	most := selection(0.1)
	if got, want := hex.EncodeToString(most[:]), "1999999999999a"+strings.Repeat("0", 50); got != want {
		t.Errorf("threshold %s, want %s", got, want)
	}
	seed := combinedSeed(map[subnet.Hotkey]uint64{"a": 0})
	h := h256("dataset_selection", "0", seed)
	if got, want := hex.EncodeToString(h[:]), "e675d5648261ff7878a497686543589d7539357254315201308776f7d31bf713"; got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
	var kept []int
	for i := range 120 {
		if G3.Eval.selects(uint64(i), seed) {
			kept = append(kept, i)
		}
	}
	if diff := cmp.Diff([]int{17, 26, 31, 44, 51, 64, 72, 77, 79, 80, 82, 104}, kept); diff != "" {
		t.Error(diff)
	}
	if !G3.Eval.selects(0, "") || !(Eval{Fraction: 1}).selects(0, seed) || (Eval{Fraction: 0}).selects(0, seed) {
		t.Error("without a seed, or with the whole, all are selected; with nothing, none")
	}
	full := selection(1)
	if full[0] != 0xff || full[31] != 0xff {
		t.Errorf("selection(1) = %x", full)
	}
	if got := streamSeed(seed); got != 1609362278 {
		t.Errorf("streamSeed = %d", got)
	}
	if streamSeed("") != 42 || streamSeed("not hexadecimal") != 42 {
		t.Error("without a seed it is 42")
	}
}

func TestTokenWindow(t *testing.T) {
	if got := G4.Eval.tokenWindow(strings.Repeat("Grüße", 10), 17); got != 10 {
		t.Errorf("window %d, want 10", got)
	}
	long := strings.Repeat("ü", 40*1024)
	if G4.Eval.tokenWindow(long, 1000) != G4.Eval.tokenWindow(long+"more", 1000) {
		t.Error("what is beyond the prefix counts")
	}
	if G4.Eval.tokenWindow("x", 1) != 0 || G4.Eval.tokenWindow("x", 0) != 0 {
		t.Error("a short text begins at its beginning")
	}
}

func TestNewSeed(t *testing.T) {
	rng, most := rand.New(rand.NewPCG(1, 1)), uint64(0)
	for range 1000 {
		most = max(most, newSeed(rng))
	}
	if most > 65535 || most < 60000 {
		t.Errorf("the highest of a thousand seeds is %d, want 16 bits", most)
	}
}
