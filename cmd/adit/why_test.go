//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"adit/internal/doctor"
	"adit/internal/local"
	"adit/internal/subnet"
)

// TestDoctorAndWhy asks of a network that runs whether its neurons are well, and
// what came of a round of theirs, cheats included.
func TestDoctorAndWhy(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole network, in real time")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "net")
	n := up(t, dir, small(calm, "--cheats", "random,copy")...)
	// The first round in which the cheats had something to submit, and of which
	// weights were made.
	scored, at := n.await("a score of the random cheat", 0, func(e event) bool {
		return e.kind == "score" && e.attrs["group"].Int64() == 0 && e.attrs["reason"].String() == "no better than the baseline"
	})
	cycle := scored.number("cycle")
	n.await("its end", at, func(e event) bool { return e.kind == "baseline" && e.number("cycle") == cycle })
	running := n.status("the next cycle", func(s local.Snapshot) bool { return s.Block >= (cycle+1)*96 })

	var plan struct {
		Neurons []struct{ Name, Role, Hotkey string }
	}
	text, err := os.ReadFile(filepath.Join(dir, "network.json"))
	if err == nil {
		err = json.Unmarshal(text, &plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	ask := func(name, command string, args ...string) (string, int) {
		t.Helper()
		i := slices.IndexFunc(running.Neurons, func(n local.Neuron) bool { return n.Name == name })
		cmd := program(t, append([]string{command, "--path", running.Neurons[i].Dir, "--json"}, args...)...)
		cmd.Env = append(cmd.Env, "HF_TOKEN=that of the real hub")
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Logf("%s of %s: %v: %s", command, name, err, errs.String())
		}
		return string(out), cmd.ProcessState.ExitCode()
	}

	for _, name := range []string{"miner-0-0", "validator-0"} {
		out, status := ask(name, "doctor")
		var r doctor.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("doctor of %s: %v", name, err)
		}
		for _, x := range r.Results {
			if x.State == subnet.Bad {
				t.Errorf("doctor of %s: %s: %s", name, x.Name, x.Text)
			}
		}
		if status != 0 || len(r.Results) < 50 || r.Good < 40 {
			t.Errorf("doctor of %s: status %d, %d checks, %d in order", name, status, len(r.Results), r.Good)
		}
	}

	round := fmt.Sprint(cycle)
	for _, m := range plan.Neurons {
		if m.Role == "validate" {
			continue
		}
		said, _ := n.await("a score of "+m.Name, 0, func(e event) bool {
			return e.kind == "score" && e.number("cycle") == cycle && e.attrs["hotkey"].String() == m.Hotkey
		})
		reason := said.attrs["reason"].String()
		for _, from := range []string{m.Name, "validator-0"} {
			out, status := ask(from, "why", round, "--hotkey", m.Hotkey)
			var x subnet.Explanation
			if err := json.Unmarshal([]byte(out), &x); err != nil || status != 0 {
				t.Fatalf("why of %s, asked of %s: status %d, %v", m.Name, from, status, err)
			}
			i := slices.IndexFunc(x.Gates, func(g subnet.Gate) bool { return g.Outcome == subnet.Stopped })
			switch paid := said.attrs["score"].String() != "0"; {
			case paid && i >= 0 && x.Gates[i].Name != "weights":
				t.Errorf("%s was paid as %q, and by %s stopped at %+v", m.Name, reason, from, x.Gates[i])
			case !paid && (i < 0 || x.Gates[i].Text != reason):
				t.Errorf("%s was told %q, and by %s:\n%s", m.Name, reason, from, out)
			}
			if m.Hotkey == scored.attrs["hotkey"].String() && (i < 0 || x.Gates[i].Name != "loss") {
				t.Errorf("why of %s, asked of %s: %s", m.Name, from, out)
			}
		}
	}
	// Before the fact, in the words for people.
	cmd := program(t, "why", "next", "--path", running.Neurons[slices.IndexFunc(running.Neurons, func(n local.Neuron) bool { return n.Name == "miner-0-0" })].Dir,
		"--set", fmt.Sprintf("chain.endpoints=[%q]", running.ChainURL), "--set", "hf.endpoint="+running.HubURL)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "what would come of") || !strings.Contains(string(out), "ok   checkpoint") {
		t.Errorf("why next: %v\n%s", err, out)
	}
}
