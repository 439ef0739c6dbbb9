package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// caught is what a validator must say of a cheat, where it differs from wants: by
// the rules of generations in which equal submissions all lose, in which models go
// to a validator alone, or in which there is one commitment.
func caught(rules connito.Rules, cheat string) string {
	http := rules.Serves() && !slices.Contains(rules.Transports, connito.HubTransport)
	switch {
	case cheat == "copy" && !rules.EarliestKeeps:
		return "equals another submission"
	case http && (cheat == "mismatch" || cheat == "nan"), !rules.TwoCommits() && cheat == "silent":
		return "nothing was submitted" // it was, and the server refused it
	case !rules.TwoCommits() && cheat == "late":
		return "no second commitment"
	}
	return wants[cheat]
}

// TestGenerations plays every generation, as long as its own cycles are or as short
// as on one machine, with one validator and with two: honest miners earn, the
// baseline gets better, and cheats are caught as the rules have it.
func TestGenerations(t *testing.T) {
	for _, g := range connito.Generations {
		for _, validators := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s/%d", g.Name, validators), func(t *testing.T) {
				t.Parallel()
				rules, err := connito.RulesByName(g.Name + "/120")
				if err != nil {
					t.Fatal(err)
				}
				synctest.Test(t, func(t *testing.T) { playGeneration(t, rules, validators) })
			})
		}
		t.Run(g.Name+"/whole", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := simulate(t, Options{Rules: g, Groups: 1, Miners: 3, Validators: 1, BlockTime: 12 * time.Second}, 6)
				earns(t, n, 3)
				improves(t, n)
			})
		})
	}
}

func playGeneration(t *testing.T, rules connito.Rules, validators int) {
	const cycles = 7 // the first without miners
	cheats := slices.DeleteFunc(slices.Clone(connito.Cheats), func(c string) bool {
		return c == "copy" && !slices.Contains(rules.Transports, connito.HubTransport) // there is nothing to copy from
	})
	n := simulate(t, Options{Rules: rules, Groups: 1, Miners: 3, Validators: validators, Cheats: cheats, BlockTime: 12 * time.Second}, cycles)
	for _, v := range n.Neurons {
		switch {
		case v.Role == "validate":
			if v.Count("weights") == 0 {
				t.Errorf("%s has set no weights: %v", v.Name, said(v, "weights"))
			}
			for _, kind := range []string{"lost", "resync", "heartbeat"} {
				if kind == "resync" && validators > 1 {
					continue
				}
				for _, text := range said(v, kind) {
					if !strings.Contains(text, "a submission could not be fetched") { // a cheat's, where a miner says where its model is
						t.Errorf("%s: %s", v.Name, text)
					}
				}
			}
		case v.Cheat != "":
			var why []string
			for _, judge := range n.Neurons[:validators] {
				why = append(why, verdicts(judge, v.Hotkey)...)
				if points := earned(judge, v.Hotkey); points != 0 {
					t.Errorf("%s earned %v points (%q)", v.Name, points, why)
				}
			}
			if want := caught(rules, v.Cheat); !strings.Contains(strings.Join(why, "; "), want) {
				t.Errorf("%s: reasons %q, want one with %q; lost %v", v.Name, why, want, said(v, "lost"))
			}
		default:
			act := "commit2"
			if !rules.TwoCommits() {
				act = "commit1"
			}
			if got := v.Count(act); got != cycles-1 || v.Count("lost") > 0 {
				t.Errorf("%s committed %d times, want %d; lost %v", v.Name, got, cycles-1, said(v, "lost"))
			}
		}
	}
	// A copy takes away the reward of whom it copies, where all equals lose.
	paid := 3
	if slices.Contains(cheats, "copy") && !rules.EarliestKeeps {
		paid = 1
	}
	earns(t, n, paid)
	improves(t, n)
}

// verdicts returns why a validator scored a neuron as it did, round by round.
func verdicts(judge *Neuron, who subnet.Hotkey) (list []string) {
	for _, e := range judge.Log() {
		if e.Kind != "score" {
			continue
		}
		var hotkey, reason string
		for _, a := range e.Attrs {
			switch a.Key {
			case "hotkey":
				hotkey = a.Value.String()
			case "reason":
				reason = a.Value.String()
			}
		}
		if hotkey == string(who) {
			list = append(list, reason)
		}
	}
	return list
}

// earns checks that at least so many honest miners have points, and, of a network
// with one validator, incentive.
func earns(t *testing.T, n *Network, want int) {
	t.Helper()
	meta, err := n.Neurons[0].chain.Metagraph(t.Context(), subnet.Latest)
	if err != nil {
		t.Fatal(err)
	}
	var points, incentive int
	for _, v := range n.Neurons {
		if v.Role == "validate" || v.Cheat != "" {
			if on, _ := meta.ByHotkey(v.Hotkey); v.Cheat != "" && on.Incentive > 0 {
				t.Errorf("%s has incentive %v", v.Name, on.Incentive)
			}
			continue
		}
		sum := 0.0
		for _, judge := range n.Neurons[:n.opts.Validators] {
			sum += earned(judge, v.Hotkey)
		}
		if sum > 0 {
			points++
		}
		if on, _ := meta.ByHotkey(v.Hotkey); on.Incentive > 0 {
			incentive++
		}
	}
	if points < want || n.opts.Validators == 1 && incentive < want {
		t.Errorf("%d honest miners have points and %d incentive, want %d", points, incentive, want)
	}
}

// improves checks that the last baseline is better than the first.
func improves(t *testing.T, n *Network) {
	t.Helper()
	var losses []float64
	for _, e := range n.Neurons[0].Log() {
		for _, a := range e.Attrs {
			if e.Kind == "baseline" && a.Key == "loss" {
				losses = append(losses, a.Value.Float64())
			}
		}
	}
	if len(losses) < 3 || !(losses[len(losses)-1] < losses[0]) {
		t.Errorf("losses of the baselines: %v", losses)
	}
}
