package connito

import (
	"strings"
	"testing"

	"adit/internal/subnet"
)

// TestPhaseTable checks the table of the sheet's section 2.1.
func TestPhaseTable(t *testing.T) {
	for _, tt := range []struct {
		rules Rules
		want  [9]uint64
		cycle subnet.Block
	}{
		{G0, [9]uint64{2, 10, 3, 0, 10, 10, 10, 0, 0}, 45},
		{G1, [9]uint64{5, 30, 5, 0, 5, 0, 0, 0, 0}, 45},
		{G2Early, [9]uint64{20, 300, 8, 8, 20, 50, 50, 8, 8}, 472},
		{G2, [9]uint64{20, 300, 10, 10, 60, 10, 50, 10, 10}, 480},
		{G3, [9]uint64{20, 300, 10, 10, 80, 10, 50, 10, 10}, 500},
		{G4, [9]uint64{20, 340, 11, 11, 60, 10, 50, 11, 11}, 524},
		{Local, [9]uint64{6, 52, 5, 5, 8, 5, 5, 5, 5}, 96},
		// Another page of the documents has nine phases in as many blocks.
		{G3.WithSchedule(Schedule{5, 20, 3, 3, 3, 3, 3, 3, 2}), [9]uint64{5, 20, 3, 3, 3, 3, 3, 3, 2}, 45},
	} {
		want, err := NewSchedule(tt.want)
		if err != nil {
			t.Fatal(err)
		}
		if tt.rules.Schedule != want || want.Cycle() != tt.cycle {
			t.Errorf("%s: schedule %v of %d, want %v of %d", tt.rules.Name, tt.rules.Schedule, want.Cycle(), tt.want, tt.cycle)
		}
	}
}

// TestGenerations checks what must be so in every generation, and that a
// schedule's positions agree with its starts, block by block.
func TestGenerations(t *testing.T) {
	names := make(map[string]bool)
	for _, r := range Generations {
		if r.Name == "" || names[r.Name] {
			t.Errorf("name %q is not its own", r.Name)
		}
		names[r.Name] = true
		var share float64
		for _, p := range r.Pools {
			share += p.Share
		}
		if share < 0.999 || share > 1.001 {
			t.Errorf("%s: the pools share %v", r.Name, share)
		}
		if len(r.RankPoints) > len(ordinals) {
			t.Errorf("%s: %d ranks have no words", r.Name, len(r.RankPoints))
		}
		if len(r.Transports) == 0 || len(r.Formats) == 0 || r.ScoreWindow == 0 || r.DeltaPower == 0 || len(r.Eval.Sources) == 0 {
			t.Errorf("%s: incomplete: %+v", r.Name, r)
		}
		for b := range 3 * r.Schedule.Cycle() {
			p := r.Schedule.At(b)
			if b < p.Start || b > p.End || p.Start != r.Schedule.Start(p.Cycle, p.Phase) || r.Schedule[p.Phase] == 0 {
				t.Fatalf("%s: At(%d) = %+v", r.Name, b, p)
			}
			if name := r.PhaseNames[p.Phase]; name == "" {
				t.Fatalf("%s: phase %v has no name", r.Name, p.Phase)
			}
		}
		for p := range phases {
			if (r.Schedule[p] > 0) != (r.PhaseNames[p] != "") {
				t.Errorf("%s: phase %v of %d blocks is named %q", r.Name, p, r.Schedule[p], r.PhaseNames[p])
			}
		}
	}
	for _, r := range allRules {
		if got, err := RulesByName(r.Name); err != nil || got.Name != r.Name {
			t.Errorf("RulesByName(%q) = %v, %v", r.Name, got.Name, err)
		}
	}
	if _, err := RulesByName("g9"); err == nil || !strings.Contains(err.Error(), "local") {
		t.Errorf("RulesByName of an unknown name: %v, want the known ones", err)
	}
}

// TestDifferences checks the numbers that the sheet gives a single generation.
func TestDifferences(t *testing.T) {
	for _, tt := range []struct {
		what      string
		got, want any
	}{
		{"g0 sorts no keys", G0.InsertionOrder, true},
		{"g0 signs in hexadecimal", G0.Signatures, Hex},
		{"g0 commits once", G0.TwoCommits(), false},
		{"g1 commits once", G1.TwoCommits(), false},
		{"g2 commits twice", G2.TwoCommits(), true},
		{"g2-472 has no budget", G2Early.checkBudget(strings.Repeat("x", 1000)), error(nil)},
		{"g2-472 uses HTTP", G2Early.Transports[0], HTTPTransport},
		{"g2 uses the Hub first", G2.Transports[0], HubTransport},
		{"and then HTTP", G2.Transports[1], HTTPTransport},
		{"g3 uses the Hub alone", len(G3.Transports), 1},
		{"g4 writes safetensors", G4.Formats[0], subnet.Safetensors},
		{"g4 seeds by block", G4.Seed, SeedFromBlock},
		{"g3 seeds by commits", G3.Seed, SeedFromCommits},
		{"g4 burns a part of the fallback", G4.BurnFallback, 0.05},
		{"g4 sets weights later", G4.WeightsLead, subnet.Block(5)},
		{"g3 sets weights earlier", G3.WeightsLead, subnet.Block(15)},
		{"g4 reads short texts", G4.Eval.Sequence, 1024},
		{"g3 reads long ones", G3.Eval.Sequence, 4096},
		{"g4 measures against the pretrained model", G4.Baseline, PretrainedBaseline},
		{"g2-472 takes ten miners", G2Early.MinersPerValidator, 10},
		{"g3 takes five", G3.MinersPerValidator, 5},
		{"g1's word for Submission", G1.PhaseName(Submission), "Submit"},
		{"the word without one", Rules{}.PhaseName(Merge), "Merge"},
		{"transports have names", HubTransport.String() + HTTPTransport.String() + DocsTransport.String(), "hubhttpdocs"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, tt.got, tt.want)
		}
	}
}

func TestNewScheduleRefuses(t *testing.T) {
	good := [9]uint64{20, 300, 10, 10, 80, 10, 50, 10, 10}
	for _, p := range []Phase{Distribute, Train, MinerCommit1, Submission} {
		bad := good
		bad[p] = 0
		if _, err := NewSchedule(bad); err == nil {
			t.Errorf("a schedule without %v was taken", p)
		}
	}
	bad := good
	bad[Merge] = 1 << 40
	if _, err := NewSchedule(bad); err == nil {
		t.Error("a phase of a trillion blocks was taken")
	}
}
