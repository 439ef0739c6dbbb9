package sim

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// scoresOf returns the points of each uid by round, from the file that a validator
// keeps them in.
func scoresOf(t *testing.T, v *Neuron) map[string]map[uint64]float64 {
	t.Helper()
	f, err := v.Memory.Open("score_aggregator.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data := make([]byte, f.Size())
	if _, err := f.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	var file struct {
		Miners map[string]struct {
			Points [][3]any `json:"points"`
		} `json:"miners"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]map[uint64]float64)
	for uid, m := range file.Miners {
		all[uid] = make(map[uint64]float64)
		for _, p := range m.Points {
			round := uint64(p[2].(float64))
			if _, twice := all[uid][round]; twice {
				t.Errorf("uid %s has two points of round %d", uid, round)
			}
			all[uid][round] = p[1].(float64)
		}
	}
	return all
}

// TestValidatorRestarts ends a validator at each block of a cycle, one after another,
// and starts it again a block later: it scores whom it would have scored, once, and
// commits as often.
func TestValidatorRestarts(t *testing.T) {
	for _, name := range []string{"local", "g0/120", "g2/120", "g3/120", "g4/120"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules, err := connito.RulesByName(name)
			if err != nil {
				t.Fatal(err)
			}
			const cycles = 6
			var want map[string]map[uint64]float64
			var often int
			synctest.Test(t, func(t *testing.T) { want, often = restarted(t, rules, cycles, 0) })
			// One restart in every cycle but the first, each at another of its blocks.
			for at := subnet.Block(1); at < rules.Schedule.Cycle(); at += 17 {
				synctest.Test(t, func(t *testing.T) {
					got, commits := restarted(t, rules, cycles, at)
					if !sameScores(want, got) {
						t.Errorf("restarted at block %d of each cycle it has the scores\n%v, want\n%v", at, got, want)
					}
					if commits != often {
						t.Errorf("restarted at block %d it committed %d times, want %d", at, commits, often)
					}
				})
			}
		})
	}
}

// restarted runs a network whose validator is ended at a block of each cycle from the
// second on, unless at is 0, and returns its scores and how
// often it committed to something.
func restarted(t *testing.T, rules connito.Rules, cycles int, at subnet.Block) (map[string]map[uint64]float64, int) {
	n, err := New(Options{Rules: rules, Groups: 1, Miners: 3, Validators: 1, BlockTime: 12 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	v := n.Neurons[0]
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() {
		done <- errors.Join(runAll(ctx, n, n.Neurons[1:])...)
	}()
	go func() {
		var err error
		for cycle := uint64(1); err == nil && ctx.Err() == nil; cycle++ {
			life, end := context.WithCancel(ctx)
			over := make(chan error, 1)
			go func() { over <- n.RunNeuron(life, v) }()
			if at > 0 {
				_ = v.chain.Wait(ctx, rules.Schedule.Start(cycle, connito.Distribute)+at)
			} else {
				<-ctx.Done()
			}
			end()
			err = <-over
			_ = v.chain.Wait(ctx, rules.Schedule.Start(cycle, connito.Distribute)+at+1)
		}
		done <- err
	}()
	time.Sleep(time.Duration(cycles) * time.Duration(rules.Schedule.Cycle()) * 12 * time.Second)
	cancel()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, text := range said(v, "lost") {
		t.Errorf("restarted at %d: %s", at, text)
	}
	committed := make(map[subnet.Block]bool)
	for _, version := range n.Chain.commitments {
		for _, c := range version.state {
			if c.Hotkey == v.Hotkey {
				committed[c.Block] = true
			}
		}
	}
	return scoresOf(t, v), len(committed)
}

// sameScores says whether the same miners have points of the same rounds. How many is
// another matter: who trains a step less may have another rank.
func sameScores(a, b map[string]map[uint64]float64) bool {
	return maps.EqualFunc(a, b, func(x, y map[uint64]float64) bool {
		return maps.EqualFunc(x, y, func(p, q float64) bool { return p > 0 == (q > 0) })
	})
}

// runAll runs neurons from the second cycle on.
func runAll(ctx context.Context, n *Network, neurons []*Neuron) []error {
	errs := make([]error, len(neurons))
	var all sync.WaitGroup
	for i, v := range neurons {
		all.Go(func() {
			if v.chain.Wait(ctx, n.opts.Rules.Schedule.Start(1, connito.Distribute)) == nil {
				errs[i] = n.RunNeuron(ctx, v)
			}
		})
	}
	all.Wait()
	return errs
}
