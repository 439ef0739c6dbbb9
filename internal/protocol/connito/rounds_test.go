package connito

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/journal"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// TestRoundFile writes a round and reads it again, without losing anything.
func TestRoundFile(t *testing.T) {
	t.Parallel()
	loss, group, version := 3.25, 0, uint64(820)
	want := &round{
		Schema: roundSchema, ID: G3.roundID(1), Cycle: 1, Rules: "g3", FrozenAt: 840, Closed: true, Weights: []subnet.Weight{{UID: 3, Value: 1}},
		Groups: []*groupRound{{
			Group: 0, Seed: "5feceb66", Base: "globalver_320/model_expgroup_0.pt", Baseline: &loss, A: []subnet.UID{3}, Foreground: []subnet.UID{3}, Elsewhere: 2, Excluded: true,
			Miners: []*minerRound{{UID: 3, Hotkey: "5F", Committed: 825, Commit: Commit{Hash: "ab", Group: &group, Version: &version, Repo: "a/co", Revision: "1234567"},
				State: stateScored, File: "miner_submission/x", Loss: 3.125, Points: 2.25, Reason: "best of its group",
				Why: Why{{Name: gateLoss, Passed: true, Facts: []Fact{fact("loss", math.Inf(1))}}}, Weights: Why{{Name: gateWeight, Reason: "no weight"}}}},
		}, {Group: -1, Miners: []*minerRound{}}},
	}
	got, err := G3.parseRound([]byte(actor.JSON(want)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	for name, bad := range map[string]func(*round){
		"another schema":     func(r *round) { r.Schema = 2 },
		"another generation": func(r *round) { r.Rules = "g4" },
		"another round":      func(r *round) { r.ID++ },
		"no group":           func(r *round) { r.Groups[1] = nil },
		"no miner":           func(r *round) { r.Groups[1].Miners = []*minerRound{nil} },
	} {
		r, err := G3.parseRound([]byte(actor.JSON(want)))
		if err != nil {
			t.Fatal(err)
		}
		bad(r)
		if _, err := G3.parseRound([]byte(actor.JSON(r))); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

func FuzzParseRound(f *testing.F) {
	f.Add([]byte(`{"schema_version":1,"round_id":340,"cycle":0,"rules":"g3","groups":[{"expert_group":0,"miners":[{"uid":1,"state":"pending"}]}]}`))
	f.Add([]byte(`{"schema_version":1,"round_id":340,"rules":"g3","groups":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := G3.parseRound(data)
		if err != nil {
			return
		}
		for _, g := range r.Groups {
			g.keepers(nil)
			g.expire()
			G3.rank(1, g.entries(func(*minerRound) bool { return true }))
			for _, m := range g.Miners {
				G3.roundLeavesPoint(g, m)
			}
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}

// TestExpire checks what becomes of those who were not evaluated, by whose fault it
// was and whom they were assigned to.
func TestExpire(t *testing.T) {
	t.Parallel()
	passed := Why{{Name: gateSecond, Passed: true}}
	hub := Commit{Repo: "a/co", Revision: "1234567"}
	for _, tt := range []struct {
		name               string
		rules              Rules
		commit             Commit
		foreground, listed bool
		unmeasured         string
		reason             string
		status             EvalStatus
		point              bool
	}{
		{"too late, assigned", G2, hub, true, true, "", "not evaluated before the round was scored", EvalDeadline, true},
		{"too late, in the background", G2, hub, false, true, "", "not evaluated before the round was scored", EvalDeadline, false},
		{"too late, of a fair generation", G3, hub, true, true, "", "not evaluated before the round was scored", EvalDeadline, false},
		{"nothing sent", G0, Commit{}, true, true, "", "nothing was submitted", EvalDownloadFailed, true},
		{"another validator's", G0, Commit{}, false, false, "", assignedElsewhere, EvalDeadline, false},
		{"no baseline", G4, hub, false, true, "its loss is not finite", "the baseline could not be evaluated: its loss is not finite", EvalDeadline, false},
	} {
		m := &minerRound{UID: 7, Commit: tt.commit, State: statePending, Why: slices.Clone(passed)}
		g := &groupRound{Miners: []*minerRound{m}, Unmeasured: tt.unmeasured}
		if tt.foreground {
			g.Foreground = []subnet.UID{7}
		} else if tt.listed {
			g.Background = []subnet.UID{7}
		}
		g.expire()
		e := m.entry(0)
		if e.Refused != tt.reason || m.State != stateFailed || m.Why.Status() != tt.status {
			t.Errorf("%s: %q, %s, %v", tt.name, e.Refused, m.State, m.Why.Status())
		}
		if got := tt.rules.roundLeavesPoint(g, m); got != tt.point {
			t.Errorf("%s: leaves a point: %v", tt.name, got)
		}
	}
	// What a miner did wrong counts wherever it is, and a repository that cannot be
	// reached, where that is its fault.
	for _, tt := range []struct {
		rules Rules
		gate  string
		point bool
	}{{G3, gateHash, true}, {G0, gateSecond, true}, {G3, gateDownload, false}, {G4, gateDownload, true}, {G3, gateTimeout, false}} {
		m := &minerRound{UID: 7, State: statePending}
		m.settle(Why{{Name: tt.gate, Reason: "so"}}, 0)
		if got := tt.rules.roundLeavesPoint(&groupRound{}, m); got != tt.point {
			t.Errorf("%s, %s: leaves a point: %v", tt.rules.Name, tt.gate, got)
		}
	}
}

func TestKeepers(t *testing.T) {
	t.Parallel()
	g := &groupRound{}
	for uid := range subnet.UID(9) {
		g.Miners = append(g.Miners, &minerRound{UID: uid, State: stateScored, File: "x", Loss: float64(uid)})
	}
	g.Miners[0].State = stateRefused
	g.Miners[1].File = ""
	got := slices.Sorted(maps.Keys(g.keepers(map[subnet.UID]float64{8: 3, 7: 2, 0: 9})))
	if want := []subnet.UID{2, 3, 4, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("keeps %v, want %v", got, want) // the third by average is among the best by loss
	}
}

// TestScaled checks every generation's cycle on one machine.
func TestScaled(t *testing.T) {
	t.Parallel()
	for _, r := range Generations {
		for _, cycle := range []subnet.Block{shortestCycle, 120, 200, 5000} {
			s := r.Scaled(cycle)
			if cycle >= 120 && s.Schedule.Cycle() != cycle {
				t.Errorf("%s: a cycle of %d blocks", s.Name, s.Schedule.Cycle())
			}
			for p := range phases {
				if (s.Schedule[p] > 0) != (r.Schedule[p] > 0) || s.Schedule[p] > 0 && s.Schedule[p] < shortestPhase {
					t.Errorf("%s: %v of %d blocks", s.Name, p, s.Schedule[p])
				}
			}
			if s.WeightsLead > s.Schedule[Train] || r.WeightsAge > 0 && s.WeightsAge == 0 {
				t.Errorf("%s: weights %d blocks before, and old after %d", s.Name, s.WeightsLead, s.WeightsAge)
			}
			if cycle < shortestCycle {
				continue
			}
			if named, err := RulesByName(s.Name); err != nil || named.Schedule != s.Schedule || named.Name != s.Name {
				t.Errorf("%s is not what its name says: %v", s.Name, err)
			}
		}
	}
	for _, name := range []string{"g9", "g3/", "g3/x", "g3/0120", "g3/12", "g3/999999999", "g3/120/120", ""} {
		if _, err := RulesByName(name); err == nil {
			t.Errorf("there are rules %q", name)
		}
	}
}

func TestForegroundEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rules Rules
		want  subnet.Block
	}{
		{G3, 500 + 419},      // of Submission
		{G2, 480 + 409},      // of Validate: models come over HTTP all Submission long
		{G0, 45 + 34},        // too
		{G1, 45 + 44 + 5/2},  // which has no phase after it
		{Local, 96 + 80},     // of Validate
		{G2Early, 472 + 405}, // of Validate
	} {
		if got := tt.rules.foregroundEnd(1); got != tt.want {
			t.Errorf("%s: the foreground ends with block %d, want %d", tt.rules.Name, got, tt.want)
		}
	}
}

func TestElsewhere(t *testing.T) {
	t.Parallel()
	list := []Candidate{{UID: 1}, {UID: 2}, {UID: 3}}
	two := []Judge{{Hotkey: "a"}, {Hotkey: "b"}}
	for _, tt := range []struct {
		name  string
		rules Rules
		view  roundView
		made  groups
		want  int
	}{
		{"alone", G2, roundView{Judges: two[:1], Candidates: list}, groups{Foreground: []subnet.UID{1}}, 0},
		{"by assignment", G2, roundView{Judges: two, Candidates: list}, groups{Foreground: []subnet.UID{1}}, 2},
		{"by groups", G3, roundView{Judges: two, Candidates: list}, groups{A: []subnet.UID{1}, B: []subnet.UID{3}, Foreground: []subnet.UID{1}}, 1},
		{"all by each", Local, roundView{Judges: two, Candidates: list}, groups{Foreground: []subnet.UID{1, 2, 3}}, 0},
		{"nothing merged", G4, roundView{Judges: two, Candidates: list}, groups{A: []subnet.UID{1, 2}}, 0},
	} {
		if got := tt.rules.elsewhere(tt.view, tt.made); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestArchive checks what is kept of rounds, in the words of each generation.
func TestArchive(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rules Rules
		want  []string // after two rounds of five miners, with room for three
	}{
		{G3, []string{"hotkey_h1_block_201_rank_best_loss_1.0000.pt", "hotkey_h2_block_102_rank_p25_loss_2.0000.pt", "hotkey_h2_block_202_rank_p25_loss_2.0000.pt"}},
		{G4, []string{"cycle_1", "cycle_2"}},
	} {
		dir := journal.NewMem()
		var cfg Config
		cfg.Ckpt.ArchiveSubmissions, cfg.Ckpt.MinerSubmissionArchiveMaxFiles = true, 3
		v := &validator{neuron: &neuron{Actor: actor.Actor{Env: subnet.Env{Dir: dir, Emit: func(subnet.Event) {}}}, cfg: &cfg, rules: tt.rules}, scores: make(Scores)}
		for cycle := range uint64(2) {
			r := &round{Cycle: cycle + 1, ID: tt.rules.roundID(cycle + 1), Groups: []*groupRound{{}}}
			for i := range 5 {
				m := &minerRound{UID: subnet.UID(i + 1), Hotkey: subnet.Hotkey(fmt.Sprintf("h%d", i+1)), Committed: subnet.Block(100*(cycle+1)) + subnet.Block(i+1),
					State: stateScored, Loss: float64(i + 1), Points: float64(3 - i)}
				m.File = fmt.Sprintf("%s/hotkey_%s_block_%d.pt", submissionDir, m.Hotkey, m.Committed)
				if err := v.Write(m.File, func(w io.Writer) error { _, err := io.WriteString(w, m.File); return err }); err != nil {
					t.Fatal(err)
				}
				r.Groups[0].Miners = append(r.Groups[0].Miners, m)
			}
			if err := v.archive(r); err != nil {
				t.Fatal(err)
			}
			if err := v.forget(r); err != nil {
				t.Fatal(err)
			}
		}
		got, err := dir.List(archiveDir)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: archive %q, want %q (%v)", tt.rules.Name, got, tt.want, err)
		}
		if left, _ := dir.List(submissionDir); len(left) > 0 {
			t.Errorf("%s: left %q", tt.rules.Name, left)
		}
		if tt.rules.Baseline == PretrainedBaseline {
			var m manifest
			if err := v.ReadJSON(archiveDir+"/cycle_2/manifest.json", &m); err != nil || len(m.Ranks) != 3 || m.Ranks[0].UID != 1 || m.Ranks[2].Points != 1 {
				t.Errorf("manifest %+v, %v", m, err)
			}
		}
	}
}
