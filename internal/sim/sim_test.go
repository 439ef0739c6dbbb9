package sim

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// simulate runs a network for some cycles and returns it.
func simulate(t *testing.T, o Options, cycles int) *Network {
	t.Helper()
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	time.Sleep(time.Duration(cycles) * time.Duration(o.Rules.Schedule.Cycle()) * o.BlockTime)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return n
}

// reasons returns why a neuron was scored as it was, round by round, by the
// first validator.
func reasons(n *Network, who subnet.Hotkey) (list []string, points float64) {
	for _, e := range n.Neurons[0].Log() {
		if e.Kind != "score" {
			continue
		}
		var hotkey, reason string
		var score float64
		for _, a := range e.Attrs {
			switch a.Key {
			case "hotkey":
				hotkey = a.Value.String()
			case "reason":
				reason = a.Value.String()
			case "score":
				score = a.Value.Float64()
			}
		}
		if hotkey == string(who) {
			list = append(list, reason)
			points += score
		}
	}
	return list, points
}

// wants is what a validator must say of each kind of cheat.
var wants = map[string]string{
	"copy":     "equals a submission that was committed earlier",
	"late":     "no first commitment",
	"mismatch": "hash mismatch",
	"nan":      "NaN or Inf",
	"random":   "no better than the baseline",
	"silent":   "no second commitment",
}

// TestCheats runs honest miners beside one cheat of each kind, with a hundred
// seeds: honest miners earn, cheats do not and are told why, baselines get
// better, and nothing is lost.
func TestCheats(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const cycles = 4 // the first without miners
				n := simulate(t, Options{Rules: connito.Local, Seed: seed, Groups: 2, Miners: 2, Validators: 1, Cheats: connito.Cheats, BlockTime: 12 * time.Second}, cycles)
				meta, err := n.Neurons[0].chain.Metagraph(t.Context(), subnet.Latest)
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range n.Neurons {
					on, ok := meta.ByHotkey(v.Hotkey)
					why, points := reasons(n, v.Hotkey)
					switch {
					case !ok:
						t.Errorf("%s is not registered", v.Name)
					case v.Role == "validate":
						if on.Dividends == 0 {
							t.Errorf("%s has no dividends", v.Name)
						}
					case v.Cheat != "":
						if points != 0 || on.Incentive != 0 {
							t.Errorf("%s: %v points, incentive %v, want none (%q)", v.Name, points, on.Incentive, why)
						}
						if got := strings.Join(why, "; "); !strings.Contains(got, wants[v.Cheat]) {
							t.Errorf("%s: reasons %q, want one with %q", v.Name, got, wants[v.Cheat])
						}
					default:
						if points == 0 || on.Incentive == 0 {
							t.Errorf("%s: %v points, incentive %v, want some (%q)", v.Name, points, on.Incentive, why)
						}
						if got := v.Count("commit2"); got != cycles-1 {
							t.Errorf("%s committed %d times, want %d", v.Name, got, cycles-1)
						}
						if v.Count("lost") > 0 {
							t.Errorf("%s lost rounds: %v", v.Name, said(v, "lost"))
						}
					}
				}
				for g := range 2 {
					falls(t, n, g)
				}
			})
		})
	}
}

// falls checks that a group's baseline got better in each cycle.
func falls(t *testing.T, n *Network, group int) {
	t.Helper()
	var losses []float64
	for _, e := range n.Neurons[0].Log() {
		if e.Kind != "baseline" {
			continue
		}
		var g int64
		var loss float64
		for _, a := range e.Attrs {
			switch a.Key {
			case "group":
				g = a.Value.Int64()
			case "loss":
				loss = a.Value.Float64()
			}
		}
		if int(g) == group {
			losses = append(losses, loss)
		}
	}
	for i := 1; i < len(losses); i++ {
		if losses[i] >= losses[i-1] {
			t.Errorf("group %d: losses %v do not fall", group, losses)
			return
		}
	}
	if len(losses) < 3 {
		t.Errorf("group %d: losses %v, want more cycles", group, losses)
	}
}

// said returns a neuron's events of a kind, as text.
func said(v *Neuron, kind string) (list []string) {
	for _, e := range v.Log() {
		if e.Kind == kind {
			list = append(list, e.Text+" "+fmt.Sprint(e.Attrs))
		}
	}
	return list
}

// TestSpeed says how many cycles of a network with one validator and eight
// miners are simulated in a second of wall time, with a network for each core.
func TestSpeed(t *testing.T) {
	const cycles = 100
	began := time.Now()
	networks := runtime.GOMAXPROCS(0)
	t.Run("networks", func(t *testing.T) {
		for seed := range networks {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					simulate(t, Options{Rules: connito.Local, Seed: uint64(seed), Groups: 2, Miners: 4, Validators: 1, BlockTime: 12 * time.Second}, cycles)
				})
			})
		}
	})
	t.Logf("%.0f cycles a second", float64(networks*cycles)/time.Since(began).Seconds())
}

// TestMain lets garbage wait: a simulation makes much of it and lives shortly.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}
