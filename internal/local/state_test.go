package local

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
	"adit/internal/telemetry"
)

// began is when the events of these tests begin.
var began = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// network returns the state of a network with a validator and two miners, whose
// first cycle is 3.
func newState(t *testing.T) *state {
	s := &state{file: filepath.Join(t.TempDir(), "history.json")}
	s.snap = Snapshot{FirstCycle: 3, Groups: []Group{{ID: 0}, {ID: 1}}, Neurons: []Neuron{
		{Name: "validator-0", Role: "validate", UID: 1, Hotkey: "5V"},
		{Name: "miner-0-0", Role: "mine", UID: 2, Hotkey: "5A"},
		{Name: "miner-1-0", Role: "mine", UID: 3, Hotkey: "5B", Group: 1},
	}}
	return s
}

// tell hands an event to the state as it comes from a process: as JSON.
func tell(t *testing.T, s *state, name string, at time.Time, e subnet.Event) {
	t.Helper()
	var line writer
	telemetry.NewJSONWriter(&line).Write(at, e)
	at, e, err := telemetry.ParseJSONLine(line)
	if err != nil {
		t.Fatal(err)
	}
	s.event(name, at, e)
}

type writer []byte

func (w *writer) Write(b []byte) (int, error) { *w = append(*w, b...); return len(b), nil }

func TestStateTraining(t *testing.T) {
	t.Parallel()
	s := newState(t)
	for i := range 21 {
		tell(t, s, "miner-0-0", began.Add(time.Duration(i)*500*time.Millisecond), subnet.Event{Kind: "step", Text: "batch loss", Attrs: []slog.Attr{
			slog.Int("inner_opt_step", i+1), slog.Float64("loss", 5-float64(i)/10), slog.Int("tokens", 1024)}})
	}
	n := s.snapshot().Neurons[1]
	if n.Step != 21 || n.Loss != 3 || n.Doing != "training" || math.Abs(n.TokensPerSecond-2048) > 1e-9 {
		t.Errorf("step %d, loss %v, %v tokens/s, %q", n.Step, n.Loss, n.TokensPerSecond, n.Doing)
	}
	tell(t, s, "miner-0-0", began.Add(time.Minute), subnet.Event{Kind: "saved", Text: "Checkpoint saved"})
	if n := s.snapshot().Neurons[1]; n.Doing != "Checkpoint saved" {
		t.Errorf("after that it is %q", n.Doing)
	}
	tell(t, s, "somebody", began, subnet.Event{Kind: "step"}) // who is not in the network
	if len(s.snapshot().Notices) != 0 {
		t.Errorf("notices: %v", s.snapshot().Notices)
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	m := new(meter)
	if v := m.add(began, 100); v != 0 {
		t.Errorf("one step has the speed %v", v)
	}
	if v := m.add(began, 100); v != 0 {
		t.Errorf("two steps at once have the speed %v", v)
	}
	if v := m.add(began.Add(-time.Second), 100); v != 0 {
		t.Errorf("a clock that went back: %v", v)
	}
	m = new(meter)
	m.add(began, 100)
	m.add(began.Add(2*time.Second), 100)
	// After a pause, the latest two count.
	if v := m.add(began.Add(time.Minute), 580); math.Abs(v-10) > 1e-9 {
		t.Errorf("580 tokens in 58 seconds are %v a second", v)
	}
	for i := range 1000 {
		m.add(began.Add(time.Minute+time.Duration(i)*time.Millisecond), 1)
	}
	for i := range 1000 {
		m.add(began.Add(2*time.Minute+time.Duration(i)*time.Second), 7)
	}
	if v := m.add(began.Add(2*time.Minute+1000*time.Second), 7); math.Abs(v-7) > 1e-9 || len(m.at) > 7 {
		t.Errorf("7 tokens a second are %v, of %d steps", v, len(m.at))
	}
}

func TestStateScores(t *testing.T) {
	t.Parallel()
	s := newState(t)
	score := func(cycle uint64, hotkey string, loss, points float64, reason string) {
		tell(t, s, "validator-0", began, subnet.Event{Kind: "score", Text: "scored", Attrs: []slog.Attr{
			slog.Uint64("cycle", cycle), slog.String("hotkey", hotkey), slog.Float64("loss", loss), slog.Float64("baseline", 6),
			slog.Float64("score", points), slog.String("reason", reason)}})
	}
	score(2, "5A", 0, 0, "no second commitment") // there were no miners yet
	if n := s.snapshot().Neurons[1]; n.Scored {
		t.Errorf("scored before the first cycle: %+v", n)
	}
	score(3, "5A", 5, 2.25, "best of its group")
	score(3, "5X", 1, 9, "of another network")
	tell(t, s, "validator-0", began, subnet.Event{Kind: "weights", Text: "weights set",
		Attrs: []slog.Attr{slog.Any("weights", []subnet.Weight{{UID: 2, Value: 0.75}, {UID: 9, Value: 0.25}})}})
	tell(t, s, "validator-1", began, subnet.Event{Kind: "weights", Attrs: []slog.Attr{slog.Any("weights", []subnet.Weight{{UID: 2, Value: 0.1}})}})
	tell(t, s, "validator-0", began, subnet.Event{Kind: "weights", Attrs: []slog.Attr{slog.String("weights", "what?")}})
	got := s.snapshot().Neurons
	want := newState(t).snap.Neurons
	want[1].Scored, want[1].ValLoss, want[1].Baseline, want[1].Score, want[1].Reason = true, 5, 6, 2.25, "best of its group"
	want[1].Weight = 0.75
	want[0].Doing = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("neurons (-want +got):\n%s", diff)
	}
}

func TestStateNotices(t *testing.T) {
	t.Parallel()
	s := newState(t)
	for i := range keepNotices + 10 {
		tell(t, s, "hub", began, subnet.Event{Level: slog.LevelWarn, Kind: "lost", Text: fmt.Sprint("trouble ", i), Attrs: []slog.Attr{slog.String("error", "why")}})
	}
	tell(t, s, "hub", began, subnet.Event{Kind: "fine", Text: "no trouble"})
	got := s.snapshot().Notices
	if len(got) != keepNotices || got[0].Text != "trouble 10: why" || got[keepNotices-1] != (Notice{began, "hub", "WARN", fmt.Sprintf("trouble %d: why", keepNotices+9)}) {
		t.Errorf("%d notices, from %v to %v", len(got), got[0], got[len(got)-1])
	}
}

func TestStateHistory(t *testing.T) {
	t.Parallel()
	s := newState(t)
	baseline := func(group int, cycle uint64, loss float64) {
		tell(t, s, "validator-0", began, subnet.Event{Kind: "baseline", Text: "new baseline",
			Attrs: []slog.Attr{slog.Int("group", group), slog.Uint64("cycle", cycle), slog.Float64("loss", loss)}})
	}
	baseline(0, 2, 7)
	baseline(1, 2, 6)
	baseline(0, 3, 5.5)
	baseline(0, 3, 5.25) // once more, after a restart
	baseline(0, 2, 9)    // what was never forgotten is not told anew
	baseline(5, 3, 1)    // of no group of ours
	s.update(func(snap *Snapshot) { snap.Groups[1].Bigram = 4; s.keep() })

	want := []Group{
		{ID: 0, Losses: []GroupLoss{{0, 2, 9}, {0, 3, 5.25}}},
		{ID: 1, Bigram: 4, Losses: []GroupLoss{{1, 2, 6}}},
	}
	later := &state{file: s.file}
	if err := later.recall(); err != nil {
		t.Fatal(err)
	}
	later.snap.FirstCycle = 3
	for _, s := range []*state{s, later} {
		snap := s.snapshot()
		if diff := cmp.Diff(want, snap.Groups); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]GroupLoss{{0, 2, 9}, {1, 2, 6}}, snap.Genesis); diff != "" {
			t.Errorf("genesis (-want +got):\n%s", diff)
		}
		snap.Groups[0].Losses[0].Loss = 0 // its own copy
		if s.snapshot().Groups[0].Losses[0].Loss == 0 {
			t.Error("a snapshot shares its losses")
		}
	}

	if err := (&state{file: filepath.Join(t.TempDir(), "none")}).recall(); err != nil {
		t.Errorf("recall of nothing: %v", err)
	}
	if err := os.WriteFile(s.file, []byte("[{]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.recall(); err == nil || subnet.Hint(err) == "" {
		t.Errorf("recall of a broken file: %v", err)
	}
}

func TestReached(t *testing.T) {
	t.Parallel()
	both := []Group{{ID: 0, Losses: []GroupLoss{{0, 4, 3}}}, {ID: 1, Losses: []GroupLoss{{1, 4, 3}}}}
	one := []Group{both[0], {ID: 1, Losses: []GroupLoss{{1, 3, 4}}}}
	for _, tt := range []struct {
		name   string
		goal   int
		cycles int
		phase  string
		groups []Group
		want   bool
	}{
		{"no goal", 0, 9, "Train", both, false},
		{"too early", 2, 1, "Train", both, false},
		{"all told", 2, 2, "Distribute", both, true},
		{"one is still to tell", 2, 2, "Distribute", one, false},
		{"one has not told", 2, 2, "Train", one, true},
		{"nothing told", 2, 2, "Distribute", []Group{{}}, false},
	} {
		s := Snapshot{FirstCycle: 3, Goal: tt.goal, Cycles: tt.cycles, Phase: tt.phase, Groups: tt.groups}
		if got := s.reached(); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestStateWindow takes in what neurons that live in windows report.
func TestStateWindow(t *testing.T) {
	t.Parallel()
	s := newState(t)
	const figures = slog.LevelDebug
	tell(t, s, "miner-0-0", began, subnet.Event{Level: figures, Kind: "metrics", Attrs: []slog.Attr{
		slog.Uint64("window", 4), slog.Int64("global_step", 12), slog.Float64("loss", 4.5), slog.Float64("tokens_per_second", 8000)}})
	tell(t, s, "miner-1-0", began, subnet.Event{Level: figures, Kind: "metrics", Attrs: []slog.Attr{slog.Float64("loss", 4.5)}}) // of no window
	tell(t, s, "validator-0", began, subnet.Event{Kind: "score", Attrs: []slog.Attr{                                             // of slices
		slog.String("hotkey", "5A"), slog.Uint64("window", 4), slog.Float64("score", 9), slog.Float64("average", 3), slog.Float64("before", 5), slog.Float64("after", 4), slog.String("reason", "why")}})
	tell(t, s, "validator-0", began, subnet.Event{Kind: "score", Attrs: []slog.Attr{ // of pseudo-gradients
		slog.String("hotkey", "5B"), slog.Uint64("window", 4), slog.Float64("gradient_score", 9), slog.Float64("final_score", 2), slog.Float64("random_before", 5), slog.Float64("random_after", 4.25), slog.String("reason", "so")}})
	tell(t, s, "validator-0", began, subnet.Event{Kind: "score", Attrs: []slog.Attr{slog.String("hotkey", "5A"), slog.Uint64("window", 2), slog.Float64("score", 1)}}) // before the first
	weight := func(uid int, value float64) {
		tell(t, s, "validator-0", began, subnet.Event{Level: figures, Kind: "weight", Attrs: []slog.Attr{slog.Int("uid", uid), slog.Float64("weight", value)}})
	}
	weight(3, 1)
	tell(t, s, "validator-0", began, subnet.Event{Kind: "weights-set", Text: "Set weights."})
	weight(2, 0.75)
	refused := func(by string) {
		tell(t, s, by, began, subnet.Event{Kind: "refused", Attrs: []slog.Attr{slog.Int("uid", 3), slog.String("hotkey", "5B"), slog.String("reason", "not finite, says "+by)}})
	}
	refused("validator-0")
	refused("miner-0-0") // which tells of it too, and does not judge

	want := newState(t).snap.Neurons
	want[1].Step, want[1].Loss, want[1].TokensPerSecond = 12, 4.5, 8000
	want[1].Scored, want[1].ValLoss, want[1].Baseline, want[1].Score, want[1].Reason, want[1].Weight = true, 4, 5, 3, "why", 0.75
	want[2].Scored, want[2].ValLoss, want[2].Baseline, want[2].Score, want[2].Reason = true, 4.25, 5, 2, "not finite, says validator-0"
	if diff := cmp.Diff(want, s.snapshot().Neurons); diff != "" {
		t.Errorf("neurons (-want +got):\n%s", diff)
	}
}
