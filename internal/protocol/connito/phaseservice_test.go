package connito

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// TestPhaseInfo checks the vector of the sheet's section 14.
func TestPhaseInfo(t *testing.T) {
	const want = `{"block":8081340,"cycle_length":500,"cycle_index":16162,"cycle_block_index":340,"phase_name":"Submission","phase_index":4,` +
		`"phase_start_block":8081340,"phase_end_block":8081419,"blocks_into_phase":0,"blocks_remaining_in_phase":79}`
	if diff := cmp.Diff(want, actor.JSON(G3.phaseInfo(8081340))); diff != "" {
		t.Error(diff)
	}
	if got := G0.phaseInfo(45 + 15); got.PhaseName != "Submission" || got.PhaseIndex != 3 || got.BlocksInto != 0 {
		t.Errorf("G0: %+v", got)
	}
	if got := G0.phaseInfo(45 + 14); got.PhaseName != "Commit" || got.PhaseIndex != 2 || got.BlocksRemaining != 0 {
		t.Errorf("G0: %+v", got)
	}
	for _, r := range Generations {
		for _, b := range []int{0, 1, 44, 95, 499, 8081470} {
			info := r.phaseInfo(subnet.Block(b))
			back, err := parsePhaseInfo([]byte(actor.JSON(info)))
			if err != nil || back != info || r.disagreement(back) != "" {
				t.Errorf("%s at %d: %+v, %v, %q", r.Name, b, back, err, r.disagreement(back))
			}
		}
	}
	if G3.disagreement(G4.phaseInfo(1000)) == "" || G3.disagreement(phaseInfo{Block: 1, CycleLength: 500, CycleIndex: 1}) == "" ||
		G3.disagreement(phaseInfo{Block: 1, CycleLength: 500, PhaseName: "Train"}) == "" {
		t.Error("a service that contradicts the rules was not noticed")
	}
}

// TestPhaseSpans checks the two maps of the service, with the quirk: within a
// phase the previous one is the present one, but not at its first block.
func TestPhaseSpans(t *testing.T) {
	spans := func(list phaseSpans) string {
		b, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, tt := range []struct{ name, got, want string }{
		{
			"until, at the first block of Submission", spans(G3.blocksUntilNext(840)),
			`{"Distribute":[1000,1019,160],"Train":[1020,1319,180],"MinerCommit1":[1320,1329,480],"MinerCommit2":[1330,1339,490],"Submission":[840,919,0],` +
				`"Validate":[920,929,80],"Merge":[930,979,90],"ValidatorCommit1":[980,989,140],"ValidatorCommit2":[990,999,150]}`,
		},
		{
			"previous, at the first block of Submission", spans(G3.previousPhases(840)),
			`{"Distribute":[500,519],"Train":[520,819],"MinerCommit1":[820,829],"MinerCommit2":[830,839],"Submission":[340,419],` +
				`"Validate":[420,429],"Merge":[430,479],"ValidatorCommit1":[480,489],"ValidatorCommit2":[490,499]}`,
		},
		{
			"previous, a block later", spans(G3.previousPhases(841)[4:5]),
			`{"Submission":[840,919]}`,
		},
		{
			"previous, before the first cycle was over", spans(G3.previousPhases(5)[:2]),
			`{"Distribute":[0,19],"Train":[-480,-181]}`,
		},
		{
			"g0 until", spans(G0.blocksUntilNext(60)),
			`{"Distribute":30,"Train":32,"Commit":42,"Submission":0,"Validate":10,"Merge":20}`,
		},
		{
			"g0 previous is over", spans(G0.previousPhases(61)),
			`{"Distribute":[45,46],"Train":[47,56],"Commit":[57,59],"Submission":[15,24],"Validate":[25,34],"Merge":[35,44]}`,
		},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestServiceRoot(t *testing.T) {
	for _, r := range Generations {
		got, err := r.parseRoot([]byte(actor.JSON(r.serviceRoot())))
		if err != nil || got.Schedule != r.Schedule {
			t.Errorf("%s: %v, %v, want %v", r.Name, got.Schedule, err, r.Schedule)
		}
	}
	// The live table replaces the one that an older client was built with.
	moved, err := G3.parseRoot([]byte(actor.JSON(G4.serviceRoot())))
	if err != nil || moved.Schedule != G4.Schedule || moved.Name != "g3" || moved.Seed != G3.Seed {
		t.Errorf("G3 with the table of G4: %v, %v", moved.Schedule, err)
	}
	if !strings.Contains(actor.JSON(G3.serviceRoot()), `{"message":"Phase service is running","cycle_length":500,"phases":[{"index":0,"name":"Distribute","length":20},`) {
		t.Errorf("root = %s", actor.JSON(G3.serviceRoot()))
	}
	for name, bad := range map[string]string{
		"no JSON":           "nope",
		"no phases":         `{}`,
		"another table":     actor.JSON(G0.serviceRoot()),
		"twice":             strings.Replace(actor.JSON(G3.serviceRoot()), `"Train"`, `"Distribute"`, 1),
		"unknown":           strings.Replace(actor.JSON(G3.serviceRoot()), `"Train"`, `"Sleep"`, 1),
		"no length":         strings.Replace(actor.JSON(G3.serviceRoot()), `"length":300`, `"length":0`, 1),
		"negative":          strings.Replace(actor.JSON(G3.serviceRoot()), `"length":300`, `"length":-1`, 1),
		"sum":               strings.Replace(actor.JSON(G3.serviceRoot()), `"length":300`, `"length":301`, 1),
		"too long":          strings.Replace(actor.JSON(G3.serviceRoot()), `"length":300`, `"length":9999999999`, 1),
		"more than is read": strings.Repeat(" ", maxService) + actor.JSON(G3.serviceRoot()),
	} {
		if _, err := G3.parseRoot([]byte(bad)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzParseRoot(f *testing.F) {
	for _, r := range Generations {
		f.Add([]byte(actor.JSON(r.serviceRoot())))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := G3.parseRoot(data)
		if err == nil && r.Schedule.At(8081340).Cycle != uint64(8081340/r.Schedule.Cycle()) {
			t.Errorf("schedule %v", r.Schedule)
		}
	})
}

func FuzzParsePhaseInfo(f *testing.F) {
	f.Add([]byte(actor.JSON(G3.phaseInfo(8081340))))
	f.Add([]byte(`{"block":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := parsePhaseInfo(data); err == nil {
			G3.disagreement(p)
		}
	})
}
