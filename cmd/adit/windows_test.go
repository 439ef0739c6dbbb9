//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"adit/internal/local"
	"adit/internal/subnet"
)

// TestUpWindows takes a network of windows of each generation through its first
// minute: it learns, weights are set, the miner that joins late finds its way in, and
// the one that breaks a rule gets less than the best of the others. Ctrl-C ends all of
// it, and the next start goes on from there.
func TestUpWindows(t *testing.T) {
	for i, rules := range []string{"slices", "r2", "sparse", "adit"} {
		t.Run(rules, func(t *testing.T) {
			if os.Getenv("ADIT_WINDOWS") == "" && (testing.Short() || i > 0) {
				t.Skip("a whole network, in real time: conformance/windows/run.sh runs it")
			}
			dir := filepath.Join(t.TempDir(), "net")
			args := []string{"--protocol", "templar", "--rules", rules, "--data", "../../internal/ledger", "--block-time", calm}
			n := up(t, dir, args...)
			genesis, at := n.await("the genesis model's loss", 0, func(e event) bool { return e.from == "up" && e.kind == "baseline" })
			n.await("weights", at, func(e event) bool { return e.from == "validator-0" && e.kind == "weights-set" })
			n.await("a window of who joins late", at, func(e event) bool { return e.from == "miner-2" && e.kind == "finished" })
			_, learned := n.await("learning", at, func(e event) bool {
				return e.from == "up" && e.kind == "baseline" && e.attrs["loss"].Float64() < genesis.attrs["loss"].Float64()-0.1
			})
			first := n.status("scores", func(s local.Snapshot) bool {
				best, cheat := scores(s)
				return best > 0 && cheat < best
			})
			if first.Protocol != "templar" || len(first.Neurons) != 5 || first.S3URL == "" || first.HubURL != "" {
				t.Errorf("a network of %s with %d neurons, store %q, hub %q", first.Protocol, len(first.Neurons), first.S3URL, first.HubURL)
			}
			explained(t, n, learned, first)
			interrupt(t, n, first)

			n = up(t, dir, args...)
			n.await("resumption", 0, func(e event) bool { return e.from == "miner-0" && e.kind == "resume" })
			again := n.status("the same network", func(s local.Snapshot) bool { return allStarted(s, len(first.Procs)) && s.Block > first.Block })
			if again.FirstCycle != first.FirstCycle || len(again.Groups[0].Losses) < len(first.Groups[0].Losses) {
				t.Errorf("it goes on with the first window %d and %d losses; want %d, and %d or more",
					again.FirstCycle, len(again.Groups[0].Losses), first.FirstCycle, len(first.Groups[0].Losses))
			}
			interrupt(t, n, again)
		})
	}
}

// explained asks the validator of a network why a miner has the score it was given.
func explained(t *testing.T, n *process, from int, s local.Snapshot) {
	t.Helper()
	said, _ := n.await("a score", from, func(e event) bool {
		if e.from != "validator-0" || e.kind != "score" {
			return false
		}
		_, slice := e.attrs["score"]
		return slice || e.attrs["own_before"].Float64() > 0 // evaluated
	})
	i := slices.IndexFunc(s.Neurons, func(m local.Neuron) bool { return m.Name == "validator-0" })
	out, err := program(t, "why", fmt.Sprint(said.number("window")), "--path", s.Neurons[i].Dir, "--hotkey", said.attrs["hotkey"].String(), "--json").Output()
	var x subnet.Explanation
	if err == nil {
		err = json.Unmarshal(out, &x)
	}
	if err != nil {
		t.Errorf("why: %v", err)
	}
	if !slices.ContainsFunc(x.Gates, func(g subnet.Gate) bool { return g.Name == "score" && g.Text == said.attrs["reason"].String() }) {
		t.Errorf("it was said %q, and why tells:\n%s", said.attrs["reason"].String(), out)
	}
}

// scores returns the best score of an honest miner, and the best of those that cheat.
func scores(s local.Snapshot) (honest, cheat float64) {
	for _, n := range s.Neurons {
		if n.Cheat != "" {
			cheat = max(cheat, n.Score)
		} else {
			honest = max(honest, n.Score)
		}
	}
	return honest, cheat
}
