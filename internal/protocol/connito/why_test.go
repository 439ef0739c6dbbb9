package connito

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// sound is a claim that nothing is wrong with, in cycle 10.
func sound(r Rules) claim {
	c := Commit{Group: ptr(0), Hash: strings.Repeat("ab", 24), Version: ptr(r.Schedule.Version(9)), Repo: "o/r", Revision: "1234567"}
	return claim{
		First: []Commit{{Signed: strings.Repeat("A", 86)}}, Second: []Commit{c}, FirstAt: 5325, SecondAt: 5335,
		Signed: func(hash string, first []Commit) bool { return hash == c.Hash },
		Copied: func(string) bool { return false },
	}
}

// TestAdmit checks the gates of section 3.6, each by what it says.
func TestAdmit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rules  Rules
		spoil  func(*claim)
		gate   string
		reason string
		status EvalStatus
	}{
		{"sound", G3, func(*claim) {}, "", "", EvalOK},
		{"nothing", G3, func(c *claim) { c.Second = nil }, gateSecond, "no second commitment in its window", EvalNoCommit},
		{"late", G3, func(c *claim) { c.Second = c.First }, gateSecond, "no second commitment in its window", EvalNoCommit},
		{"short hash", G3, func(c *claim) { c.Second[0].Hash = "ab" }, gateComplete, "second commitment incomplete: no hash", EvalNoCommit},
		{"no version", G3, func(c *claim) { c.Second[0].Version = nil }, gateComplete, "second commitment incomplete: no version", EvalNoCommit},
		{"no group", G3, func(c *claim) { c.Second[0].Group = nil }, gateComplete, "second commitment incomplete: no expert group", EvalNoCommit},
		{"upload failed", G3, func(c *claim) { c.Second[0].Repo = "" }, gateComplete, "second commitment incomplete: no repository or revision", EvalNoCommit},
		{"which HTTP makes good", G2, func(c *claim) { c.Second[0].Repo = "" }, "", "", EvalOK},
		{"and where there was no Hub", G2Early, func(c *claim) { c.Second[0].Repo = "" }, "", "", EvalOK},
		{"version 0 of a new miner", G3, func(c *claim) { c.Second[0].Version = ptr(uint64(0)) }, gateVersion, "started from baseline 0, which is too old or not yet made", EvalNoCommit},
		{"version to come", G3, func(c *claim) { *c.Second[0].Version = G3.Schedule.Version(10) + 1 }, gateVersion, "started from baseline 5321, which is too old or not yet made", EvalNoCommit},
		{"the oldest that counts", G3, func(c *claim) { *c.Second[0].Version = G3.Schedule.Version(7) }, "", "", EvalOK},
		{"any version in g0", G0, func(c *claim) { *c.Second[0].Version = 1; c.First = nil }, "", "", EvalOK},
		{"missed the first", G3, func(c *claim) { c.First = c.Second }, gateFirst, "no first commitment in its window", EvalNoCommit},
		{"signed something else", G3, func(c *claim) { c.Signed = func(string, []Commit) bool { return false } }, gateSignature, "first commitment is no signature over the hash of the second", EvalSignatureInvalid},
		{"signed by another before", G3, func(c *claim) { c.Copied = func(hash string) bool { return hash == c.Second[0].Hash } }, gateSignature, "another miner signed the same hash earlier", EvalSignatureInvalid},
	} {
		c := sound(tt.rules)
		tt.spoil(&c)
		commit, why := tt.rules.admit(c, 10)
		g, bad := why.failed()
		if bad != (tt.gate != "") || g.Name != tt.gate || g.Reason != tt.reason || why.Status() != tt.status {
			t.Errorf("%s: %+v, status %v, want gate %q %q", tt.name, g, why.Status(), tt.gate, tt.reason)
		}
		if err := why.err(); (err != nil) != bad || bad && err.Error() != tt.reason {
			t.Errorf("%s: error %v", tt.name, err)
		}
		if len(c.Second) > 0 && commit.Hash != c.Second[0].Hash {
			t.Errorf("%s: commit %+v", tt.name, commit)
		}
	}
	_, why := G3.admit(sound(G3), 10)
	const want = `[{"gate":"second commitment","passed":true,"facts":[{"name":"window","value":"5331 to 5340"},{"name":"included","value":"5335"}]},`
	if got := actor.JSON(why); !strings.HasPrefix(got, want) {
		t.Errorf("why = %s", got)
	}
}

// TestInspect checks the gates of section 5.8, in order.
func TestInspect(t *testing.T) {
	a := Assignment{1: {{0, 5}}}
	const up, down = "model.layers.1.mlp.experts.5.gate_up_proj", "model.layers.1.mlp.experts.5.down_proj"
	ones := func(v ...float32) tensor.Tensor { return tensor.FromFloats(tensor.F32, []int{len(v)}, v) }
	for _, tt := range []struct {
		name  string
		rules Rules
		d     tensor.Dict
		gate  string
	}{
		{"good", G4, tensor.Dict{up: ones(1), down: ones(2)}, ""},
		{"missing", G4, tensor.Dict{up: ones(1)}, gateKeys},
		{"missing, which g3 lets pass", G3, tensor.Dict{up: ones(1)}, ""},
		{"foreign", G3, tensor.Dict{up: ones(1), "lm_head.weight": ones(1)}, gateKeys},
		{"empty", G3, tensor.Dict{}, gateKeys},
		{"NaN", G3, tensor.Dict{up: ones(float32(math.NaN()))}, gateFinite},
	} {
		why := tt.rules.inspect(contentsOf(tt.d, tt.d.Keys()), Commit{Hash: Hash(tt.d)}, a)
		if g, _ := why.failed(); g.Name != tt.gate {
			t.Errorf("%s: stopped at %q (%s), want %q", tt.name, g.Name, g.Reason, tt.gate)
		}
	}
	d := tensor.Dict{up: ones(1), down: ones(2)}
	why := G4.inspect(contentsOf(d, d.Keys()), Commit{Hash: strings.Repeat("0", 48)}, a)
	if g, _ := why.failed(); g.Name != gateHash || why.Status() != EvalHashMismatch || len(why) != 1 || !strings.HasPrefix(g.Reason, "hash mismatch: file has ") {
		t.Errorf("another hash: %+v", why)
	}
	// What is said of a file that passed is what the gates are.
	full := G4.inspect(contentsOf(d, d.Keys()), Commit{Hash: Hash(d)}, a)
	for i, g := range inspected(Commit{Hash: Hash(d)}) {
		if g.Name != full[i].Name || g.Passed != full[i].Passed {
			t.Errorf("gate %d: %+v, want %+v", i, g, full[i])
		}
	}
}

// TestWhyOfScores checks that the gates say what the scoring did.
func TestWhyOfScores(t *testing.T) {
	entries := []Entry{
		{UID: 1, Loss: 3}, {UID: 2, Loss: 3}, {UID: 3, Loss: 3.5}, {UID: 4, Loss: 4}, {UID: 5, Loss: 1, Refused: "hash mismatch", Why: Why{{Name: gateHash}}}, {UID: 6, Loss: math.NaN()},
	}
	G3.rank(4, entries)
	for i, want := range []string{gateRank, gateRank, "", gateLoss, gateHash, gateLoss} {
		e := entries[i]
		g, bad := e.Why.failed()
		if g.Name != want || bad != (e.Points == 0) || bad && g.Reason != e.Reason && e.Refused == "" {
			t.Errorf("uid %d: %v points, stopped at %q (%s), want %q", e.UID, e.Points, g.Name, g.Reason, want)
		}
	}
	if got := entries[2].Why[0].Facts; !cmp.Equal(got, []Fact{{"baseline", "4"}, {"loss", "3.5"}, {"delta", "0.5"}, {"score", fmt.Sprint(math.Pow(0.5, 1.2))}}) {
		t.Errorf("facts %v", got)
	}
	s := make(Scores)
	for _, e := range entries {
		s.add(G3.roundID(0), "", e)
	}
	_, weights := G3.weighWhy(s, []int{0}, G3.roundID(0), nil)
	var names []string
	for _, g := range explain(entries[2], weights) {
		names = append(names, fmt.Sprint(g.Name, " ", g.Passed))
	}
	if diff := cmp.Diff([]string{"loss true", "rank true", "pool 1 false", "pool 2 false", "weights false"}, names); diff != "" {
		t.Error(diff)
	}
	if !measured(subnet.Loss{Mean: 3}).Passed || measured(subnet.Loss{Mean: 3, Bad: 1}).Passed {
		t.Error("a sequence that is not finite spoils all, and nothing else does")
	}
}

func TestRawDelta(t *testing.T) {
	entries := []Entry{{UID: 1, Loss: 3}, {UID: 2, Loss: 3}, {UID: 3, Loss: 3.75}, {UID: 4, Loss: 5}}
	G2Early.rank(4, entries)
	for i, want := range []float64{1, 1, 0.25, 0} {
		if entries[i].Points != want {
			t.Errorf("uid %d: %v points, want %v", entries[i].UID, entries[i].Points, want)
		}
	}
	G2.rank(4, entries[2:])
	if entries[2].Points != 3 {
		t.Errorf("g2 pays the best %v, want 3", entries[2].Points)
	}
}

func TestValLoss(t *testing.T) {
	for _, tt := range []struct {
		losses, aux []float64
		want        float64
	}{
		{[]float64{2, 4}, nil, 3},
		{[]float64{2, 4}, []float64{0.5, 0.5}, 2.5},
		{[]float64{2, math.NaN()}, nil, math.Inf(1)},
		{[]float64{2, math.Inf(-1)}, nil, math.Inf(1)},
		{nil, nil, math.Inf(1)},
	} {
		if got := valLoss(tt.losses, tt.aux); got != tt.want {
			t.Errorf("valLoss(%v, %v) = %v, want %v", tt.losses, tt.aux, got, tt.want)
		}
	}
}

func TestTopMiners(t *testing.T) {
	entries := []Entry{{UID: 1, Points: 0.1, Loss: 2}, {UID: 2, Points: 0.15, Loss: 1}, {UID: 3, Points: 0}, {UID: 4, Points: 0.1, Loss: 1.5}, {UID: 5, Points: math.NaN()}}
	var got []subnet.UID
	for _, e := range topMiners(entries, 3) {
		got = append(got, e.UID)
	}
	if diff := cmp.Diff([]subnet.UID{2, 4, 1}, got); diff != "" {
		t.Error(diff)
	}
	if len(topMiners(entries, 9)) != 3 || len(topMiners(nil, 1)) != 0 {
		t.Error("who was paid nothing is merged")
	}
}

// TestStatus checks the numbers of section 12 and who is blamed for them.
func TestStatus(t *testing.T) {
	names := "ok non_finite_loss statedict_parse_failed signature_invalid hash_mismatch expert_group_or_nan no_chain_commit download_failed oom timeout deadline_exceeded rpc_error"
	for i, want := range strings.Fields(names) {
		if got := EvalStatus(i).String(); got != want {
			t.Errorf("status %d is %s, want %s", i, got, want)
		}
	}
	if EvalUnknown != 99 || EvalUnknown.String() != "unknown" || EvalStatus(50).String() != "unknown" {
		t.Error("99 is unknown, and so is what has no name")
	}
	for gate, want := range map[string]EvalStatus{
		gateDownload: EvalDownloadFailed, gateParse: EvalParseFailed, gateKeys: EvalGroupOrNaN, gateMeasured: EvalNonFiniteLoss,
		gateLoss: EvalOK, gateMemory: EvalOutOfMemory, gateTimeout: EvalTimeout, gateDeadline: EvalDeadline, gateChain: EvalRPCError, "else": EvalUnknown,
	} {
		if got := (Why{{Name: "before", Passed: true}, {Name: gate}}).Status(); got != want {
			t.Errorf("%s: %v, want %v", gate, got, want)
		}
	}
	for _, tt := range []struct {
		rules  Rules
		status EvalStatus
		want   bool
	}{
		{G3, EvalOK, true}, {G3, EvalHashMismatch, true}, {G3, EvalNoCommit, true}, {G3, EvalDownloadFailed, false}, {G3, EvalTimeout, false},
		{G4, EvalDownloadFailed, true}, {G4, EvalOutOfMemory, false}, {G2, EvalTimeout, true}, {Local, EvalDownloadFailed, true},
	} {
		if got := tt.rules.leavesPoint(tt.status); got != tt.want {
			t.Errorf("%s: %v leaves a point: %v", tt.rules.Name, tt.status, got)
		}
	}
}

func TestStopped(t *testing.T) {
	cause := errors.New("EOF")
	err := fmt.Errorf("fetch: %w", stopped(gateParse, cause))
	if !errors.Is(err, cause) || whyNot(err).Status() != EvalParseFailed || whyNot(errors.New("404")).Status() != EvalDownloadFailed {
		t.Errorf("%v: %v", err, whyNot(err))
	}
}

func TestBaselineLoss(t *testing.T) {
	for _, tt := range []struct {
		rules Rules
		loss  float64
		want  float64
		ok    bool
	}{{G3, 4, 4, true}, {G3, math.NaN(), 100, true}, {G4, math.NaN(), 0, false}, {Local, math.Inf(1), 0, false}} {
		if got, ok := tt.rules.baselineLoss(tt.loss); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %v: %v, %v", tt.rules.Name, tt.loss, got, ok)
		}
	}
}
