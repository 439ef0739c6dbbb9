package connito

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// shown is the name under which Prometheus sees a metric.
func shown(m subnet.Metric) []string {
	switch m.Kind {
	case subnet.Counter:
		return []string{m.Name + "_total"}
	case subnet.Histogram:
		return []string{m.Name + "_bucket", m.Name + "_sum", m.Name + "_count"}
	}
	return []string{m.Name}
}

// TestDashboard holds the dashboard to names that there are, with labels that
// there are.
func TestDashboard(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../docs/grafana-connito.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	labels := make(map[string][]string) // of each name
	for _, m := range metrics {
		for _, name := range shown(m) {
			labels[name] = []string{"instance"} // which Prometheus adds
			for _, l := range m.Labels {
				labels[name] = append(labels[name], l.Name)
			}
		}
	}
	words := regexp.MustCompile(`\b(?:chain|connito|miner|moe|subnet|system|validator)_[a-z0-9_]+`)
	legend := regexp.MustCompile(`\{\{(\w+)\}\}`)
	found := 0
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			names := words.FindAllString(target.Expr, -1)
			if len(names) != 1 {
				t.Errorf("%s: %q names %v", p.Title, target.Expr, names)
				continue
			}
			found++
			has, ok := labels[names[0]]
			if !ok {
				t.Errorf("%s: there is no %s", p.Title, names[0])
			}
			for _, l := range legend.FindAllStringSubmatch(target.LegendFormat, -1) {
				if ok && !slices.Contains(has, l[1]) {
					t.Errorf("%s: %s has no label %s", p.Title, names[0], l[1])
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("found %d metrics in the dashboard", found)
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	var done tally
	get := func(attrs []slog.Attr, key string) any {
		for _, a := range attrs {
			if a.Key == key {
				return a.Value.Any()
			}
		}
		return nil
	}
	opts := subnet.TrainOptions{Batch: 8, Accumulate: 2, Domain: 3}
	done.add(subnet.Step{Number: 1, Loss: 9, Tokens: 1000}, opts, 58, time.Hour)
	attrs := done.add(subnet.Step{Number: 2, Loss: 2, Tokens: 3600, LR: 1e-3, GradNorm: 1.5}, opts, 58, time.Hour)
	for key, want := range map[string]any{
		"step": int64(2), "inner_opt_step": int64(2), "global_opt_step": uint64(58), "lr": 1e-3, "total_samples": int64(32), "total_tokens": int64(4600),
		"inner_step_time_hours": 1.0, "total_training_time_hours": 2.0, "tokens_per_second": 1.0, "loss": 2.0, "perplexity": math.E * math.E,
		"gradient_accumulation_steps": int64(2), "grad_norm": 1.5, "expert_group": "3",
	} {
		if x, ok := want.(float64); ok && key == "perplexity" {
			if got, _ := get(attrs, key).(float64); math.Abs(got-x) > 1e-12 {
				t.Errorf("%s = %v, want %v", key, got, x)
			}
		} else if got := get(attrs, key); got != want {
			t.Errorf("%s = %v, want %v", key, got, want)
		}
	}
	if got := get(done.add(subnet.Step{}, opts, 58, 0), "tokens_per_second"); got != nil {
		t.Errorf("in no time there are %v tokens a second", got)
	}
}

func TestRoundAttrs(t *testing.T) {
	t.Parallel()
	entries := []Entry{{Points: 2.25}, {Points: 0.25}, {Refused: "hash mismatch"}}
	got := make(map[string]float64)
	for _, a := range roundAttrs(250, 2, Group{ID: 1}, 3.5, entries) {
		switch a.Value.Kind() {
		case slog.KindInt64:
			got[a.Key] = float64(a.Value.Int64())
		case slog.KindFloat64:
			got[a.Key] = a.Value.Float64()
		}
	}
	// The mean of 2.25, 0.25 and 0 is 2.5/3, that of their squares 5.125/3.
	if std := math.Sqrt(5.125/3 - 2.5*2.5/9); got["scored"] != 2 || got["failed"] != 1 || got["baseline"] != 3.5 || math.Abs(got["score_std"]-std) > 1e-12 {
		t.Errorf("got %v", got)
	}
	if attrs := roundAttrs(250, 2, Group{}, 3.5, nil); slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == "score_std" }) {
		t.Error("nobody's scores have a spread")
	}
}

func TestWeightOf(t *testing.T) {
	t.Parallel()
	meta := &subnet.Metagraph{Neurons: []subnet.Neuron{
		{UID: 0, Permit: true, Stake: 300, Weights: []subnet.Weight{{UID: 2, Value: 0.5}, {UID: 3, Value: 0.5}}},
		{UID: 1, Permit: true, Stake: 100, Weights: []subnet.Weight{{UID: 3, Value: 1}}},
		{UID: 2, Stake: 5000, Weights: []subnet.Weight{{UID: 2, Value: 1}}}, // may not set weights
		{UID: 3, Permit: true, Stake: 1e9},                                  // has set none
	}}
	for uid, want := range map[subnet.UID]float64{2: 0.375, 3: 0.625, 7: 0} {
		if got := weightOf(meta, uid); got != want {
			t.Errorf("uid %d has %v, want %v", uid, got, want)
		}
	}
	if got := weightOf(&subnet.Metagraph{}, 0); got != 0 {
		t.Errorf("in an empty network it has %v", got)
	}
}

// A memory is a journal.
type memory struct {
	subnet.Journal
	results map[string]string
}

func (m memory) Result(key string) (string, bool) {
	r, ok := m.results[key]
	return r, ok
}

// A quietChain has nobody registered and no next block.
type quietChain struct{ subnet.Chain }

func (quietChain) Wait(ctx context.Context, _ subnet.Block) error {
	<-ctx.Done()
	return ctx.Err()
}

func (quietChain) Metagraph(context.Context, subnet.Block) (*subnet.Metagraph, error) {
	return &subnet.Metagraph{}, nil
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	const chosen, done = "cycle/7/submission", "cycle/7/MinerCommit1/commit2"
	for _, tt := range []struct {
		keys []string
		err  error
		want string
	}{
		{nil, nil, "missed"}, // entered too late
		{nil, actor.ErrWindow, "missed"},
		{[]string{chosen}, actor.ErrWindow, "missed"},
		{[]string{chosen}, context.DeadlineExceeded, "rejected"}, // the hub refused it, or the like
		{[]string{chosen, done}, nil, "accepted"},
		{[]string{chosen, done}, actor.ErrWindow, "accepted"}, // what came after does not matter
	} {
		results := make(map[string]string)
		for _, key := range tt.keys {
			results[key] = "x"
		}
		n := &neuron{Actor: actor.Actor{Env: subnet.Env{Journal: memory{results: results}, Chain: quietChain{}}}, rules: Local}
		attrs := n.outcome(t.Context(), 7, tt.err)
		if got := attrs[1]; got.Key != "submission_status" || got.Value.String() != tt.want {
			t.Errorf("%v, %v: %v, want %s", tt.keys, tt.err, got, tt.want)
		}
	}
}
