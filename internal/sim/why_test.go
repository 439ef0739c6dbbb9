package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// why returns an explanation of what a neuron's directory tells.
func why(t *testing.T, n *Network, v *Neuron, round, who string) subnet.Explanation {
	t.Helper()
	x, err := connito.Protocol.Explain(t.Context(), n.Env(v), subnet.ExplainOptions{Round: round, Who: who})
	if err != nil {
		t.Fatalf("%s, round %q of %q: %v", v.Name, round, who, err)
	}
	return x
}

func stop(x subnet.Explanation) subnet.Gate {
	i := slices.IndexFunc(x.Gates, func(g subnet.Gate) bool { return g.Outcome == subnet.Stopped })
	if i < 0 {
		return subnet.Gate{}
	}
	return x.Gates[i]
}

func gateOf(x subnet.Explanation, name string) subnet.Gate {
	i := slices.IndexFunc(x.Gates, func(g subnet.Gate) bool { return g.Name == name })
	if i < 0 {
		return subnet.Gate{}
	}
	return x.Gates[i]
}

// names lists what is in a neuron's directory.
func names(t *testing.T, v *Neuron) []string {
	t.Helper()
	var all []string
	for _, dir := range []string{"", "validator_checkpoint"} {
		list, err := v.Memory.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, list...)
	}
	return all
}

// saidOf returns what the first validator said of a neuron in a cycle.
func saidOf(n *Network, who subnet.Hotkey, cycle uint64) (reason string, points, loss float64) {
	for _, e := range n.Neurons[0].Log() {
		said := make(map[string]any)
		for _, a := range e.Attrs {
			said[a.Key] = a.Value.Any()
		}
		if e.Kind == "score" && said["hotkey"] == string(who) && said["cycle"] == cycle {
			return said["reason"].(string), said["score"].(float64), said["loss"].(float64)
		}
	}
	return "nothing", 0, 0
}

// gates are those that stop each kind of cheat.
var gates = map[string]string{
	"copy": "rank", "late": "first commitment", "mismatch": "hash", "nan": "finite", "random": "loss", "silent": "second commitment",
}

// TestWhy asks of every neuron's directory what came of its submission, and holds
// the answer to what the validator said.
func TestWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := Options{Rules: connito.Local, Groups: 1, Miners: 2, Validators: 1, Cheats: connito.Cheats, BlockTime: 12 * time.Second, Seed: 5}
		const cycles = 4
		n := simulate(t, o, cycles)
		round := fmt.Sprint(cycles - 1)
		for _, v := range n.Neurons[1:] {
			before := names(t, v)
			x := why(t, n, v, round, "")
			got := stop(x)
			said, points, loss := saidOf(n, v.Hotkey, cycles-1)
			want := gates[v.Cheat]
			switch {
			case want != got.Name && !(v.Cheat == "" && got.Name == "weights" && points == 0):
				t.Errorf("%s: %+v stopped it, want %q; the validator said %q\n%+v", v.Name, got, want, said, x.Gates)
			case want != "" && got.Text != said:
				t.Errorf("%s: stopped for %q, and the validator said %q", v.Name, got.Text, said)
			}
			if v.Cheat == "" && !strings.Contains(fmt.Sprint(gateOf(x, "loss").Facts), fmt.Sprint(loss)) {
				t.Errorf("%s: loss %+v, and the validator measured %v", v.Name, gateOf(x, "loss"), loss)
			}
			// Whoever it is asked of, the answer is the same.
			if other := why(t, n, n.Neurons[1], round, fmt.Sprint(*x.UID)); stop(other).Name != got.Name {
				t.Errorf("%s: another's directory says %+v, its own %+v", v.Name, stop(other), got)
			}
			// The validator has a record of its own, and knows the places.
			if y := why(t, n, n.Neurons[0], round, string(v.Hotkey)); !strings.Contains(y.Text, "as this validator recorded it in rounds/") {
				t.Errorf("the validator's directory has no record of the round: %+v", y)
			} else if g := gateOf(y, "points"); g.Text != said || (g.Outcome == subnet.Passed) != (points > 0) {
				t.Errorf("%s: recorded %+v, and the validator said %q, %v", v.Name, g, said, points)
			} else if want != "" && stop(y).Name != want {
				t.Errorf("%s: recorded as stopped by %+v, want %s\n%+v", v.Name, stop(y), want, y.Gates)
			}
			if after := names(t, v); !slices.Equal(before, after) {
				t.Errorf("%s: the directory held %v, and now %v", v.Name, before, after)
			}
		}
	})
}

// TestWhyNext asks before the fact.
func TestWhyNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := Options{Rules: connito.Local, Groups: 1, Miners: 1, Validators: 1, BlockTime: 12 * time.Second, Seed: 5}
		n, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		miner := n.Neurons[1]
		_, err = connito.Protocol.Explain(t.Context(), n.Env(miner), subnet.ExplainOptions{})
		if err == nil || !strings.Contains(err.Error(), "no round is over yet") {
			t.Errorf("before any round: %v", err)
		}
		if x := why(t, n, miner, "next", ""); stop(x).Name != "checkpoint" {
			t.Errorf("without a checkpoint: %+v", x.Gates)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		// The end of the second cycle's Train phase.
		s := o.Rules.Schedule
		time.Sleep(time.Duration(s.Start(1, connito.MinerCommit1)) * o.BlockTime)
		x := why(t, n, miner, "next", "")
		if x.Round != 1 || stop(x).Name != "" || gateOf(x, "loss").Outcome != subnet.Passed || gateOf(x, "rank").Outcome != subnet.Unknown {
			t.Errorf("in MinerCommit1: %+v", x)
		}
		if g := gateOf(x, "second commitment"); g.Outcome != subnet.Passed || !strings.Contains(fmt.Sprint(g.Facts), `"r":"miner-0-0/co"`) {
			t.Errorf("what would be committed: %+v", g)
		}
		if y := why(t, n, miner, "1", ""); y.Text != x.Text {
			t.Errorf("round 1 by its number is %q, and next is %q", y.Text, x.Text)
		}
		for _, bad := range []struct{ round, who, want string }{
			{"9", "", "has not begun"}, {"soon", "", "is no round"}, {"next", string(n.Neurons[0].Hotkey), "is a validator"}, {"next", "77", "had no uid 77"},
		} {
			if _, err := connito.Protocol.Explain(ctx, n.Env(miner), subnet.ExplainOptions{Round: bad.round, Who: bad.who}); err == nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("round %q of %q: %v, want %s", bad.round, bad.who, err, bad.want)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
