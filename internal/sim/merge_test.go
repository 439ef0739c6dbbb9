package sim

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// published returns the hashes of the baselines that a validator committed to, by
// version, of one expert group.
func published(t *testing.T, n *Network, who subnet.Hotkey, cycles int) []string {
	t.Helper()
	var list []string
	for cycle := range uint64(cycles) {
		all, err := n.Neurons[0].chain.Commitments(t.Context(), n.opts.Rules.Schedule.End(cycle, connito.ValidatorCommit2))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.Hotkey == who {
				list = append(list, hashOf(c.Fields[0]))
			}
		}
	}
	return list
}

// TestMerge lets three validators merge: each evaluates other miners, and all come
// to the same baseline, bit for bit.
func TestMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const cycles = 6 // miners get weights, and are in the foreground, from the fourth on
		n := simulate(t, Options{Rules: mergeRules, Groups: 1, Miners: 6, Validators: 3, BlockTime: 12 * time.Second}, cycles)
		first := published(t, n, n.Neurons[0].Hotkey, cycles)
		for _, v := range n.Neurons[:3] {
			got := published(t, n, v.Hotkey, cycles)
			for i := range min(len(got), len(first)) {
				if got[i] != first[i] {
					t.Errorf("%s, cycle %d: %s, want %s", v.Name, i, got[i], first[i])
				}
			}
			if len(got) < cycles-1 {
				t.Errorf("%s published %d baselines, want %d", v.Name, len(got), cycles)
			}
			if v.Count("averaged") < cycles-3 || v.Count("absent") > 0 {
				t.Errorf("%s averaged %d times: %q", v.Name, v.Count("averaged"), said(v, "absent"))
			}
		}
		if first[2] == first[3] || first[3] == first[4] {
			t.Errorf("nothing was merged: %q", first)
		}
	})
}

// TestMergeVanish takes one of three validators away in the middle of a merge, for
// a cycle and a half: the others go on together, and it comes back to them.
func TestMergeVanish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const cycles = 7
		s := mergeRules.Schedule
		n, err := New(Options{Rules: mergeRules, Groups: 1, Miners: 6, Validators: 3, BlockTime: 12 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		run := func(ctx context.Context, v *Neuron) chan error {
			done := make(chan error, 1)
			go func() {
				if v.Role != "validate" && v.chain.Wait(ctx, s.Start(1, connito.Distribute)) != nil {
					done <- nil
					return
				}
				done <- n.RunNeuron(ctx, v)
			}()
			return done
		}
		var running []chan error
		for _, v := range n.Neurons {
			if v != n.Neurons[2] {
				running = append(running, run(ctx, v))
			}
		}
		here, leave := context.WithCancel(ctx)
		away := run(here, n.Neurons[2])
		if err := n.Neurons[0].chain.Wait(ctx, s.Start(3, connito.Merge)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // parts are on their way
		leave()
		if err := <-away; err != nil {
			t.Error(err)
		}
		if err := n.Neurons[0].chain.Wait(ctx, s.Start(4, connito.Validate)); err != nil {
			t.Fatal(err)
		}
		running = append(running, run(ctx, n.Neurons[2]))
		if err := n.Neurons[0].chain.Wait(ctx, s.Start(cycles, connito.Distribute)+1); err != nil {
			t.Fatal(err)
		}
		cancel()
		for _, done := range running {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		a, b, c := published(t, n, n.Neurons[0].Hotkey, cycles), published(t, n, n.Neurons[1].Hotkey, cycles), published(t, n, n.Neurons[2].Hotkey, cycles)
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Errorf("cycle %d: the two that stayed have %s and %s", i, a[i], b[i])
			}
		}
		if last := cycles - 1; len(a) != cycles || len(c) == 0 || a[last] != c[len(c)-1] {
			t.Errorf("the one that came back has %q, the others %q", c, a)
		}
		if a[2] == a[3] || a[3] == a[4] {
			t.Errorf("nothing was merged without it: %q", a)
		}
	})
}

// mergeRules are those of a generation that assigns each miner to one validator,
// and merges what comes of it.
var mergeRules = connito.G3
