package sim

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// absence runs a network of which one validator is off from one block to another.
func absence(t *testing.T, o Options, cycles int, who int, from, to subnet.Block) *Network {
	t.Helper()
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, o.Validators+1)
	for i, v := range n.Neurons[:o.Validators] {
		go func() {
			life, end := context.WithCancel(ctx)
			defer end()
			over := make(chan error, 1)
			go func() { over <- n.RunNeuron(life, v) }()
			if i == who && v.chain.Wait(ctx, from) == nil {
				end()
				if err := <-over; err != nil {
					t.Error(err)
				}
				if v.chain.Wait(ctx, to) == nil {
					go func() { over <- n.RunNeuron(ctx, v) }()
				}
			}
			done <- <-over
		}()
	}
	go func() {
		for _, err := range runAll(ctx, n, n.Neurons[o.Validators:]) {
			if err != nil {
				t.Error(err)
			}
		}
		done <- nil
	}()
	time.Sleep(time.Duration(cycles) * time.Duration(o.Rules.Schedule.Cycle()) * o.BlockTime)
	cancel()
	for range o.Validators + 1 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return n
}

// TestResync lets a validator miss a merge: it takes over what the others have made,
// and is of one mind with them from then on.
func TestResync(t *testing.T) {
	rules, err := connito.RulesByName("g2/120")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		const cycles, missed = 6, 2
		s := rules.Schedule
		n := absence(t, Options{Rules: rules, Groups: 1, Miners: 4, Validators: 2, BlockTime: 12 * time.Second},
			cycles, 1, s.Start(missed, connito.Submission), s.Start(missed+1, connito.Distribute)+1)
		one, two := n.Neurons[0], n.Neurons[1]
		if two.Count("resync") != 1 || one.Count("resync") != 0 {
			t.Errorf("resynced %d and %d times: %v, %v", one.Count("resync"), two.Count("resync"), said(one, "resync"), said(two, "resync"))
		}
		for cycle := uint64(missed + 1); cycle < cycles; cycle++ {
			at := s.End(cycle, connito.ValidatorCommit2)
			if a, b := hashAt(t, n, one, at), hashAt(t, n, two, at); a == "" || a != b {
				t.Errorf("cycle %d: baselines %q and %q", cycle, a, b)
			}
		}
		earns(t, n, 4)
		improves(t, n)
	})
}

// hashAt returns the hash that a neuron's commitment held after a block.
func hashAt(t *testing.T, n *Network, v *Neuron, at subnet.Block) string {
	t.Helper()
	all, err := v.chain.Commitments(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Hotkey == v.Hotkey {
			return hashOf(c.Fields[0])
		}
	}
	return ""
}

// TestFallback lets a validator miss a round: it sets its old weights again before
// they are too old, and scores nobody for what it did not see.
func TestFallback(t *testing.T) {
	rules, err := connito.RulesByName("g3/120")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		const cycles, missed = 8, 5
		s := rules.Schedule
		n := absence(t, Options{Rules: rules, Groups: 1, Miners: 3, Validators: 1, BlockTime: 12 * time.Second},
			cycles, 0, s.Start(missed, connito.MinerCommit1), s.Start(missed+1, connito.Distribute)+1)
		v := n.Neurons[0]
		if got := v.Count("fallback"); got != 1 {
			t.Errorf("fell back %d times: %v", got, said(v, "fallback"))
		}
		id := uint64(s.Start(missed, connito.Submission))
		for uid, points := range scoresOf(t, v) {
			if _, ok := points[id]; ok {
				t.Errorf("uid %s has points of the round that was missed", uid)
			}
			if len(points) < cycles-3 {
				t.Errorf("uid %s has points of %d rounds", uid, len(points))
			}
		}
		meta, err := v.chain.Metagraph(t.Context(), s.Start(missed+1, connito.Submission))
		if err != nil {
			t.Fatal(err)
		}
		me, _ := meta.ByHotkey(v.Hotkey)
		if due := s.Start(missed+1, connito.MinerCommit1) - rules.WeightsLead; me.LastUpdate < due || len(me.Weights) == 0 {
			t.Errorf("last weights %v at block %d, want some from %d on", me.Weights, me.LastUpdate, due)
		}
	})
}
