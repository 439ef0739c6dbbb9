package sim

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// TestDirect lets models travel over HTTP alone: baselines from validators to
// miners, and submissions back, each to the validator that it is assigned to.
func TestDirect(t *testing.T) {
	for _, validators := range []int{1, 2} {
		t.Run(fmt.Sprint(validators), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const cycles = 4 // the first without miners
				n := simulate(t, Options{Rules: connito.G2Early, Groups: 1, Miners: 3, Validators: validators, BlockTime: 12 * time.Second}, cycles)
				taken := 0
				for _, v := range n.Neurons {
					if v.Role == "validate" {
						taken += v.Count("received")
						for _, text := range said(v, "refused") {
							t.Errorf("%s: %s", v.Name, text)
						}
						continue
					}
					if got := v.Count("commit2"); got != cycles-1 || v.Count("lost") > 0 {
						t.Errorf("%s committed %d times, want %d; lost %v", v.Name, got, cycles-1, said(v, "lost"))
					}
					if got := len(said(v, "submitted")); got != 2*(cycles-1) { // each says two things
						t.Errorf("%s submitted: %v", v.Name, said(v, "submitted"))
					}
				}
				if want := 3 * (cycles - 1); taken != want {
					t.Errorf("validators took %d submissions, want %d", taken, want)
				}
				for _, v := range n.Neurons {
					if v.Role == "validate" {
						continue
					}
					// The weights of two validators for disjoint miners have no
					// majority behind them; each still scores its own.
					points := 0.0
					for _, judge := range n.Neurons[:validators] {
						points += earned(judge, v.Hotkey)
					}
					if points == 0 {
						t.Errorf("%s earned nothing", v.Name)
					}
				}
			})
		})
	}
}

// earned returns the points that a validator gave a miner.
func earned(judge *Neuron, who subnet.Hotkey) (points float64) {
	for _, e := range judge.Log() {
		var hotkey string
		var score float64
		for _, a := range e.Attrs {
			switch a.Key {
			case "hotkey":
				hotkey = a.Value.String()
			case "score":
				score = a.Value.Float64()
			}
		}
		if e.Kind == "score" && hotkey == string(who) {
			points += score
		}
	}
	return points
}
