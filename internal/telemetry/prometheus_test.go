package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// scrape returns what is shown, without what is customary of each process.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/any/path", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var ours []string
	for line := range strings.Lines(w.Body.String()) {
		if name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "); !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			ours = append(ours, line)
		}
	}
	return strings.Join(ours, "")
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	uid := []subnet.Label{{Name: "miner_uid", Attr: "uid"}}
	m, err := NewMetrics([]subnet.Metric{
		{Name: "block", Help: "Newest block", Event: "block", Attr: "block"},
		{Name: "loss", Help: "Loss", Event: "step", Attr: "loss"},
		{Name: "never", Help: "Not set", Event: "never", Attr: "x"},
		{Name: "active", Help: "At work", Event: "begin", Attr: "active"},
		{Name: "active", Help: "At work", Event: "end", Attr: "active"},
		{Name: "score", Help: "Score", Event: "score", Attr: "score", Labels: uid},
		{Name: "round", Help: "Round", Event: "score", Attr: "score", Labels: []subnet.Label{{Name: "round_id", Attr: "cycle"}}, Keep: 2},
		{Name: "failures", Help: "Failures", Kind: subnet.Counter, Event: "failed"},
		{Name: "errors", Help: "Errors", Kind: subnet.Counter, Labels: []subnet.Label{{Name: "component", Attr: "kind"}, {Name: "kind", Attr: "level"}}},
		{Name: "tokens", Help: "Tokens", Kind: subnet.Counter, Event: "step", Attr: "tokens"},
		{Name: "latency_seconds", Help: "Latency", Kind: subnet.Histogram, Buckets: []float64{0.1, 1}, Event: "commit", Attr: "took"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const before = `# HELP failures_total Failures
# TYPE failures_total counter
failures_total 0
# HELP latency_seconds Latency
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.1"} 0
latency_seconds_bucket{le="1"} 0
latency_seconds_bucket{le="+Inf"} 0
latency_seconds_sum 0
latency_seconds_count 0
# HELP tokens_total Tokens
# TYPE tokens_total counter
tokens_total 0
`
	if diff := cmp.Diff(before, scrape(t, m)); diff != "" {
		t.Errorf("before anything happened:\n%s", diff)
	}
	for _, e := range []subnet.Event{
		{Kind: "block", Block: 7000},
		{Kind: "step", Attrs: []slog.Attr{slog.Float64("loss", math.NaN()), slog.Int("tokens", 512)}},
		{Kind: "step", Attrs: []slog.Attr{slog.Float64("tokens", math.NaN())}},
		{Kind: "step", Attrs: []slog.Attr{slog.Int("tokens", -3), slog.String("loss", "low")}},
		{Kind: "step", Attrs: []slog.Attr{slog.Int("tokens", 512)}},
		{Kind: "begin", Attrs: []slog.Attr{slog.Bool("active", true)}},
		{Kind: "end", Attrs: []slog.Attr{slog.Int("active", 0)}},
		{Kind: "score", Attrs: []slog.Attr{slog.Int("uid", 3), slog.Int("cycle", 1), slog.Float64("score", 2.25)}},
		{Kind: "score", Attrs: []slog.Attr{slog.Int("uid", 4), slog.Int("cycle", 2), slog.Float64("score", 1)}},
		{Kind: "score", Attrs: []slog.Attr{slog.Int("uid", 3), slog.Int("cycle", 3), slog.Float64("score", math.Inf(1))}},
		{Kind: "score", Attrs: []slog.Attr{slog.Float64("score", 5)}}, // whose?
		{Kind: "failed", Level: slog.LevelWarn},
		{Kind: "failed", Level: slog.LevelWarn},
		{Level: slog.LevelError, Text: "of no kind"},
		{Kind: "lo\xffst\"\n", Level: slog.LevelError},
		{Kind: "commit", Attrs: []slog.Attr{slog.Duration("took", 100*time.Millisecond)}},
		{Kind: "commit", Attrs: []slog.Attr{slog.Duration("took", 500*time.Millisecond)}},
		{Kind: "commit", Attrs: []slog.Attr{slog.Duration("took", 2*time.Second)}},
		{Kind: "commit"},
	} {
		m.Read(at, e)
	}
	const after = `# HELP active At work
# TYPE active gauge
active 0
# HELP block Newest block
# TYPE block gauge
block 7000
# HELP errors_total Errors
# TYPE errors_total counter
errors_total{component="",kind="error"} 1
errors_total{component="failed",kind="warning"} 2
errors_total{component="lo�st\"\n",kind="error"} 1
# HELP failures_total Failures
# TYPE failures_total counter
failures_total 2
# HELP latency_seconds Latency
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.1"} 1
latency_seconds_bucket{le="1"} 2
latency_seconds_bucket{le="+Inf"} 3
latency_seconds_sum 2.6
latency_seconds_count 3
# HELP loss Loss
# TYPE loss gauge
loss NaN
# HELP round Round
# TYPE round gauge
round{round_id="2"} 1
round{round_id="3"} +Inf
# HELP score Score
# TYPE score gauge
score{miner_uid="3"} +Inf
score{miner_uid="4"} 1
# HELP tokens_total Tokens
# TYPE tokens_total counter
tokens_total 1024
`
	if diff := cmp.Diff(after, scrape(t, m)); diff != "" {
		t.Error(diff)
	}
}

func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	m, err := NewMetrics([]subnet.Metric{{Name: "score", Event: "score", Attr: "score", Labels: []subnet.Label{{Name: "who", Attr: "who"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxSeries + 10 {
		m.Read(at, subnet.Event{Kind: "score", Attrs: []slog.Attr{slog.String("who", fmt.Sprint(i)), slog.Int("score", i)}})
	}
	m.Read(at, subnet.Event{Kind: "score", Attrs: []slog.Attr{slog.String("who", strings.Repeat("é", 10_000)), slog.Int("score", 1)}})
	got := scrape(t, m)
	if n := strings.Count(got, "score{"); n != maxSeries || len(got) > 60*maxSeries || strings.Contains(got, `"10"`) || !strings.Contains(got, `"11"`) {
		t.Errorf("%d series in %d bytes", n, len(got))
	}
}

func TestMetricsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for _, tt := range [][]subnet.Metric{
		{{Name: "a", Help: "x"}, {Name: "a", Help: "y"}},
		{{Name: "a"}, {Name: "a", Kind: subnet.Counter}},
		{{Name: "a"}, {Name: "a", Labels: []subnet.Label{{Name: "b"}}}},
		{{Name: "a", Labels: []subnet.Label{{Name: "b"}, {Name: "b"}}}},
		{{Name: ""}},
	} {
		if _, err := NewMetrics(tt); err == nil {
			t.Errorf("%v were taken", tt)
		}
	}
}

func TestServeMetrics(t *testing.T) {
	t.Parallel()
	m, err := NewMetrics([]subnet.Metric{{Name: "block", Event: "block", Attr: "block"}})
	if err != nil {
		t.Fatal(err)
	}
	m.Read(at, subnet.Event{Kind: "block", Block: 5})
	s, err := ServeMetrics("127.0.0.1:0", m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ServeMetrics(s.Addr().String(), m); err == nil || subnet.Hint(err) == "" {
		t.Errorf("the port was taken twice: %v", err)
	}
	client := &http.Client{}
	for _, path := range []string{"/metrics", "/", "/anything"} {
		resp, err := client.Get("http://" + s.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), "\nblock 5\n") || !strings.Contains(string(body), "\ngo_goroutines ") {
			t.Errorf("%s answers %s, %v", path, body, err)
		}
	}
	client.CloseIdleConnections()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
