package templar

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

func testRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func TestChoosePeers(t *testing.T) {
	r := sparseRules()
	r.Sparse.GatherPeerCount, r.Sparse.ReservePeerCount, r.Sparse.MinimumPeers = 3, 2, 2
	list := []Candidate{
		{UID: 1, Active: true, Incentive: 0.1, Weight: 0.5},
		{UID: 2, Active: true, Incentive: 0.3},
		{UID: 3, Active: false, Incentive: 0.9, Weight: 0.9},
		{UID: 4, Active: true, Weight: 0.4, Naughty: true},
		{UID: 5, Active: true, Weight: 0.3},
		{UID: 6, Active: true, Weight: 0.2},
		{UID: 7, Active: true},
		{UID: 8, Active: true},
	}
	first, err := r.ChoosePeers(list, true, 9, 10, testRand())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first.Peers[:2], []subnet.UID{2, 1}) || len(first.Peers) != 3 || len(first.Reserve) != 2 || !first.Initial || first.Sync != 9 || first.FirstIn != 10 {
		t.Errorf("%+v", first)
	}
	again, _ := r.ChoosePeers(list, true, 9, 10, testRand())
	if d := cmp.Diff(first, again); d != "" {
		t.Errorf("another list of the same: %s", d)
	}
	later, err := r.ChoosePeers(list, false, 9, 10, testRand())
	want := PeerList{Peers: []subnet.UID{1, 5, 6}, Reserve: []subnet.UID{2, 7}, Sync: 9, FirstIn: 10}
	if d := cmp.Diff(want, later); d != "" || err != nil {
		t.Error(d, err)
	}
	if _, err := r.ChoosePeers(list[:1], false, 9, 10, testRand()); !errors.Is(err, ErrTooFewPeers) {
		t.Error(err)
	}
	if now, rest := later.StandIns(1); !slices.Equal(now, []subnet.UID{2}) || !slices.Equal(rest, []subnet.UID{7}) {
		t.Error(now, rest)
	}
	if now, rest := later.StandIns(9); len(now) != 2 || len(rest) != 0 {
		t.Error(now, rest)
	}
	if got := GatherOrder([]subnet.UID{9, 2, 5}); !slices.Equal(got, []subnet.UID{2, 5, 9}) {
		t.Error(got)
	}
}

func TestPeerPlan(t *testing.T) {
	list := func(from Window) PeerList { return PeerList{Peers: []subnet.UID{subnet.UID(from)}, FirstIn: from} }
	p := PeerPlan{Now: list(10)}
	p.Learn(list(12))
	p.Learn(list(9))
	for w, want := range map[Window]Window{11: 10} {
		if got := p.At(w).FirstIn; got != want {
			t.Errorf("in window %d the list of %d", w, got)
		}
	}
	p.Learn(list(14))
	p.Learn(list(13))
	if got := p.At(13).FirstIn; got != 10 {
		t.Errorf("in window 13 the list of %d", got)
	}
	if got := p.At(14).FirstIn; got != 14 || p.HasNext {
		t.Errorf("in window 14 the list of %d", got)
	}
}

func TestChooseEvaluated(t *testing.T) {
	r := sparseRules()
	r.Sparse.UIDsPerWindow, r.Sparse.NumEvaluationBins = 3, 2
	var list []EvalCandidate
	for i := range 7 {
		list = append(list, EvalCandidate{UID: subnet.UID(i), Skill: float64(i), Waiting: 1})
	}
	low, high := false, false
	rng := testRand()
	for range 50 {
		got := r.ChooseEvaluated(list, rng)
		if len(got) != 3 || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != 3 {
			t.Fatalf("%v", got)
		}
		// The four of the most skill are one bin, the others the other one.
		switch {
		case got[2] <= 2:
			low = true
		case got[0] >= 3:
			high = true
		default:
			t.Fatalf("%v are of two bins", got)
		}
	}
	if !low || !high {
		t.Error("one bin was never looked at")
	}
	// With few there is one bin, and who has waited is looked at the more often.
	list = list[:4]
	list[0].Waiting = 50
	seen := 0
	for range 100 {
		if slices.Contains(r.ChooseEvaluated(list, rng), 0) {
			seen++
		}
	}
	if seen < 95 {
		t.Errorf("who has waited long was looked at %d times of 100", seen)
	}
	if got := r.ChooseEvaluated(nil, rng); got != nil {
		t.Error(got)
	}
}

func TestWho(t *testing.T) {
	if uid, ok := Leader(map[subnet.UID]float64{3: 5, 1: 7, 2: 7, 4: 0}); !ok || uid != 1 {
		t.Error(uid, ok)
	}
	if uid, ok := Leader(map[subnet.UID]float64{3: 0}); ok {
		t.Error(uid)
	}
	s := &Standing{Banned: true, BannedUntil: 10}
	if MayBeEvaluated(s, 9, true, 0) || !MayBeEvaluated(s, 10, true, 20_000) || MayBeEvaluated(s, 10, true, 20_001) || MayBeEvaluated(s, 10, false, 0) {
		t.Error("others are evaluated")
	}
}
