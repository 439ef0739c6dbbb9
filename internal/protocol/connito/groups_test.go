package connito

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// weights makes a row: pairs of uid and hundredths.
func weights(pairs ...int) (row []subnet.Weight) {
	for i := 0; i < len(pairs); i += 2 {
		row = append(row, subnet.Weight{UID: subnet.UID(pairs[i]), Value: float64(pairs[i+1]) / 100})
	}
	return row
}

func TestCount(t *testing.T) {
	validators := []subnet.Neuron{
		{UID: 1, Weights: weights(10, 50, 11, 25, 12, 15, 13, 5)},
		{UID: 2, Weights: weights(11, 50, 1, 30, 13, 10)}, // its weight on validator 1 does not count
		{UID: 3},
	}
	var got []float64
	for _, o := range count(validators, 3) {
		got = append(got, float64(o.uid), o.sum, o.most, float64(o.validators))
	}
	want := []float64{11, 0.75, 0.5, 2, 10, 0.5, 0.5, 1, 12, 0.15, 0.15, 1, 13, 0.1, 0.1, 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestGroups builds a round of two validators and 40 miners, of whom the first
// 16 have weights, the heavier the lower their uid; uid 103 has no checkpoint.
func TestGroups(t *testing.T) {
	var row []subnet.Weight
	for i := range 5 {
		row = append(row, weights(100+i, 10-2*i)...) // 104 is at 2 %, too little for A
	}
	other := weights(105, 2, 106, 1, 107, 1, 108, 1, 109, 1)
	v := roundView{
		Me: "V1", Judges: []Judge{{"V1", 0}, {"V2", 0}},
		Validators:    []subnet.Neuron{{UID: 1, Hotkey: "V1", Weights: row}, {UID: 2, Hotkey: "V2", Weights: other}},
		LastEvaluated: map[subnet.UID]subnet.Block{},
	}
	for i := range 60 {
		if i != 3 {
			v.Candidates = append(v.Candidates, Candidate{UID: subnet.UID(100 + i), Hotkey: miners("M%03d", 100+i, 100+i)[0]})
			v.LastEvaluated[subnet.UID(100+i)] = subnet.Block(1000 - i)
		}
	}
	g := G3.group(v, rand.New(rand.NewPCG(1, 2)))
	if diff := cmp.Diff([]subnet.UID{100, 101, 102}, g.A); diff != "" {
		t.Errorf("A: %s", diff)
	}
	if diff := cmp.Diff([]subnet.UID{103, 104, 105, 106, 107, 108, 109}, g.B); diff != "" {
		t.Errorf("B: %s", diff)
	}
	if len(g.C) != 17 {
		t.Errorf("C has %d miners, want 17", len(g.C))
	}
	// Together the two validators evaluate each of A and B that has a checkpoint.
	v.Me = "V2"
	h := G3.group(v, rand.New(rand.NewPCG(1, 2)))
	both := slices.Sorted(slices.Values(slices.Concat(g.Foreground, h.Foreground)))
	if diff := cmp.Diff([]subnet.UID{100, 101, 102, 104, 105, 106, 107, 108, 109}, both); diff != "" {
		t.Errorf("foreground: %s", diff)
	}
	if g := G4.group(v, rand.New(rand.NewPCG(1, 2))); len(g.Foreground) != 0 || len(g.Background) != len(v.Candidates) || g.Background[0] != 100 {
		t.Errorf("g4 has %d in the foreground and %d behind, want none and all", len(g.Foreground), len(g.Background))
	}
	for _, g := range []groups{g, h} {
		seen := make(map[subnet.UID]bool)
		for _, uid := range slices.Concat(g.Foreground, g.Background) {
			if seen[uid] {
				t.Errorf("uid %d is evaluated twice", uid)
			}
			seen[uid] = true
		}
		if len(seen) != len(v.Candidates) || seen[103] {
			t.Errorf("%d miners are evaluated, want %d without 103", len(seen), len(v.Candidates))
		}
		// First what is left of A and B, then C, then who waits longest.
		high := 9 - len(g.Foreground)
		if rest := g.Background[high+17:]; !slices.IsSorted(inverse(rest)) {
			t.Errorf("the others come as %v, want the one who waits longest first", rest)
		}
		if diff := cmp.Diff(g.C, g.Background[high:high+17]); diff != "" {
			t.Errorf("C: %s", diff)
		}
	}
}

// inverse turns uids round, so that who has the highest, and waits longest, is
// the first.
func inverse(list []subnet.UID) []int {
	var out []int
	for _, uid := range list {
		out = append(out, -int(uid))
	}
	return out
}

func TestGroupsFull(t *testing.T) {
	var v roundView
	for i := range 6 {
		var row []subnet.Weight
		for j := range 5 {
			row = append(row, weights(100+5*i+j, 20)...)
		}
		v.Validators = append(v.Validators, subnet.Neuron{UID: subnet.UID(i), Weights: row})
	}
	g := G3.group(v, rand.New(rand.NewPCG(1, 2)))
	if len(g.A) != 13 || len(g.B) != 0 {
		t.Errorf("A has %d and B %d, want 13 and 0", len(g.A), len(g.B))
	}
}

func TestLegacyGroups(t *testing.T) {
	v := roundView{Me: "V1", Judges: []Judge{{"V1", 0}, {"V2", 0}}, Average: map[subnet.UID]float64{7: 3, 8: 2, 9: 1}, LastEvaluated: map[subnet.UID]subnet.Block{5: 1}}
	for i := range 12 {
		v.Candidates = append(v.Candidates, Candidate{UID: subnet.UID(i), Hotkey: miners("M%02d", i, i)[0], Incentive: float64(20 - i)})
	}
	g := G2.group(v, rand.New(rand.NewPCG(1, 2)))
	if len(g.Foreground) != 5 || len(g.Foreground)+len(g.Background) != 12 || g.A != nil {
		t.Fatalf("groups %+v", g)
	}
	best := slices.DeleteFunc([]subnet.UID{7, 8, 9}, func(u subnet.UID) bool { return slices.Contains(g.Foreground, u) })
	if diff := cmp.Diff(best, g.Background[:len(best)]); diff != "" {
		t.Errorf("the best averages come first: %s", diff)
	}
	// The same generator, the same order; another, some other.
	same := G2.group(v, rand.New(rand.NewPCG(1, 2)))
	if diff := cmp.Diff(g.Background, same.Background); diff != "" {
		t.Error(diff)
	}
	differs := false
	for seed := range uint64(20) {
		differs = differs || !slices.Equal(g.Background, G2.group(v, rand.New(rand.NewPCG(seed, 9))).Background)
	}
	if !differs {
		t.Error("those who wait equally long always come in the same order")
	}
}

func TestCohort(t *testing.T) {
	g := groups{A: []subnet.UID{1}, B: []subnet.UID{2}, C: []subnet.UID{3}, Foreground: []subnet.UID{1}}
	c := cohortOf(cohort{Epoch: 6, HighestCycle: 99}, 4, 8081340, 50, g)
	text := string(c.encode())
	const want = `{"schema_version":1,"cohort_epoch":7,"expert_group":"4","weight_group_1":[],"weight_group_2":[],"validation_group_a":[1],` +
		`"validation_group_b":[2],"validation_group_c":[3],"foreground_uids":[1],"last_election_round_id":8081340,"highest_seen_cycle_index":99}`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
	back, err := parseCohort([]byte(text), 4)
	if err != nil || actor.JSON(back) != want {
		t.Errorf("%s, %v", actor.JSON(back), err)
	}
	for _, tt := range []struct {
		uid    subnet.UID
		groupC bool
		want   bool
	}{{1, false, true}, {2, false, true}, {3, false, false}, {3, true, true}, {4, true, false}} {
		if got := back.has(Pool{GroupC: tt.groupC}, tt.uid); got != tt.want {
			t.Errorf("has(%d), with C %v: %v", tt.uid, tt.groupC, got)
		}
	}
	if !(*cohort)(nil).has(Pool{}, 9) {
		t.Error("without groups everybody is in a pool's groups")
	}
	for name, bad := range map[string]string{
		"another group": text, "no JSON": "{", "schema": `{"schema_version":2,"expert_group":"5"}`, "uid": `{"schema_version":1,"expert_group":"5","foreground_uids":[-1]}`,
	} {
		if _, err := parseCohort([]byte(bad), 5); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := parseCohort(make([]byte, maxCohort+1), 5); err == nil {
		t.Error("a megabyte was taken")
	}
}

func FuzzParseCohort(f *testing.F) {
	f.Add(cohort{Schema: 1, ExpertGroup: "0", A: []subnet.UID{1, 2}}.encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parseCohort(data, 0); err == nil {
			if back, err := parseCohort(c.encode(), 0); err != nil || string(back.encode()) != string(c.encode()) {
				t.Errorf("%s does not come back: %v", c.encode(), err)
			}
		}
	})
}

func TestRoles(t *testing.T) {
	listed := []subnet.Hotkey{"v"}
	seed := []Commit{{Seed: ptr(uint64(0))}}
	for _, tt := range []struct {
		name    string
		rules   Rules
		neuron  subnet.Neuron
		commits []Commit
		at      subnet.Block
		want    bool
	}{
		{"listed", G3, subnet.Neuron{Hotkey: "v", LastUpdate: 1000}, nil, 1448, true},
		{"weights too old", G3, subnet.Neuron{Hotkey: "v", LastUpdate: 1000}, nil, 1449, false},
		{"weights of the future", G3, subnet.Neuron{Hotkey: "v", LastUpdate: 1000}, nil, 900, true},
		{"not listed", G3, subnet.Neuron{Hotkey: "m", LastUpdate: 1000}, seed, 1001, false},
		{"g0 by the seed", G0, subnet.Neuron{Hotkey: "m"}, seed, 9999, true},
		{"g0 without", G0, subnet.Neuron{Hotkey: "v"}, []Commit{{Hash: "h"}}, 9999, false},
	} {
		if got := tt.rules.isValidator(tt.neuron, tt.commits, listed, tt.at); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	list := []baseline{
		{subnet.Neuron{UID: 1, Stake: 5}, Commit{Hash: "a"}}, {subnet.Neuron{UID: 2, Stake: 3}, Commit{Hash: "b"}}, {subnet.Neuron{UID: 3, Stake: 3}, Commit{Hash: "b"}},
	}
	if got := majority(list); len(got) != 2 || got[0].neuron.UID != 2 {
		t.Errorf("majority %+v, want uids 2 and 3", got)
	}
	if got := majority(nil); len(got) != 0 {
		t.Errorf("majority of nobody %+v", got)
	}
}
