package telemetry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// A wandbServer is as much of the service as a run needs. It goes by what
// W&B's client sends (wandb/sdk/internal/file_stream.py).
type wandbServer struct {
	t        *testing.T
	down     func(request int) int // status to answer with; 0 is as usual, -1 no answer
	requests int
	history  []string
	summary  string
	tail     string // of the history of a run that is resumed
	begun    []string
	ended    bool
	beats    int
}

func (s *wandbServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.requests++
	if s.down != nil {
		switch code := s.down(s.requests); code {
		case 0:
		case -1:
			return nil, errors.New("connection refused")
		default:
			w := httptest.NewRecorder()
			w.WriteHeader(code)
			return w.Result(), nil
		}
	}
	w := httptest.NewRecorder()
	s.answer(w, r)
	return w.Result(), nil
}

func (s *wandbServer) answer(w http.ResponseWriter, r *http.Request) {
	if user, key, ok := r.BasicAuth(); !ok || user != "api" || key != "secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	switch r.URL.Path {
	case "/graphql":
		var q struct {
			Query     string
			Variables map[string]any
		}
		if strings.Contains(string(body), "RunResumeStatus") && s.tail != "" {
			b, err := json.Marshal(map[string]any{"historyLineCount": len(s.history), "historyTail": s.tail, "summaryMetrics": `{"loss":2,"best":3}`})
			if err != nil {
				s.t.Error(err)
			}
			fmt.Fprintf(w, `{"data":{"model":{"bucket":%s}}}`, b)
			return
		}
		if err := json.Unmarshal(body, &q); err != nil || !strings.Contains(q.Query, "upsertBucket") {
			s.t.Errorf("query %s, %v", body, err)
		}
		s.begun = append(s.begun, fmt.Sprint(q.Variables["name"], q.Variables["project"], q.Variables["displayName"], q.Variables["tags"], q.Variables["config"]))
		fmt.Fprint(w, `{"data":{"upsertBucket":{"bucket":{"id":"Yj","name":"4xk2m7qa","project":{"name":"subnet-expert-test-moe","entity":{"name":"me"}}}}}}`)
	case "/files/me/subnet-expert-test-moe/4xk2m7qa/file_stream":
		var p struct {
			Files map[string]struct {
				Offset  int
				Content []string
			}
			Complete *bool
			Exitcode *int
		}
		if err := json.Unmarshal(body, &p); err != nil {
			s.t.Errorf("%s: %v", body, err)
		}
		if h, ok := p.Files["wandb-history.jsonl"]; ok {
			if h.Offset > len(s.history) {
				s.t.Errorf("rows at %d where there are %d", h.Offset, len(s.history))
			}
			s.history = append(s.history[:h.Offset], h.Content...)
			s.summary = p.Files["wandb-summary.json"].Content[0]
		} else if p.Complete == nil || *p.Complete != (p.Exitcode != nil) {
			s.t.Errorf("nothing is told by %s", body)
		}
		if p.Complete != nil && *p.Complete {
			s.ended = *p.Exitcode == 0
		} else if p.Files == nil {
			s.beats++
		}
		fmt.Fprint(w, "{}")
	default:
		s.t.Errorf("request for %s", r.URL.Path)
	}
}

// stream plays a run that has a row every second, and returns what was said
// while it did.
func stream(t *testing.T, server *wandbServer, key string, rows int) (said []string, err error) {
	t.Helper()
	server.t = t
	run := wandbRun()
	run.Start = time.Now()
	s := startWandBStream(run, "http://wandb.test/", key, func(e subnet.Event) {
		if e.Level < slog.LevelWarn {
			t.Errorf("said %v", e)
		}
		said = append(said, e.Text)
	}, &http.Client{Transport: server})
	for i := range rows {
		time.Sleep(time.Second)
		s.Send(Row{At: time.Now(), Number: i, Cells: []Cell{{Name: "loss", Value: slog.Float64Value(float64(i))}}})
	}
	err = s.Close()
	return said, err
}

func wantHistory(n int) []string {
	var lines []string
	for i := range n {
		at := time.Date(2000, 1, 1, 0, 0, i+1, 0, time.UTC) // as in every bubble
		lines = append(lines, fmt.Sprintf(`{"loss":%d,"_step":%d,"_timestamp":%d,"_runtime":%d}`, i, i, at.Unix(), i+1))
	}
	return lines
}

func TestWandBStream(t *testing.T) {
	for _, tt := range []struct {
		name string
		down func(request int) int
		rows int
		said string
	}{
		{"well", nil, 100, "[]"},
		{"no rows", nil, 0, "[]"},
		{"away at first", func(n int) int { return []int{0, -1}[min(1, 5/n)] }, 100, "[W&B is out of reach, trying again]"},
		{"too many requests", func(n int) int { return []int{429, 0}[n%2] }, 60, "[W&B is out of reach, trying again]"},
		{"away twice", func(n int) int {
			if n == 4 || n == 7 {
				return 502
			}
			return 0
		}, 100, "[W&B is out of reach, trying again W&B is out of reach, trying again]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &wandbServer{down: tt.down}
				said, err := stream(t, server, "secret", tt.rows)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(wantHistory(tt.rows), server.history); diff != "" {
					t.Error(diff)
				}
				if len(server.begun) != 1 || server.begun[0] != `4xk2m7qasubnet-expert-test-moe[partial] rank0-foundation[foundation]{"opt":{"value":{"lr":0.00001}},"rules":{"value":"g3"}}` {
					t.Errorf("begun as %q", server.begun)
				}
				if !server.ended || tt.rows > 0 && !strings.Contains(server.summary, fmt.Sprintf(`"loss":%d`, tt.rows-1)) {
					t.Errorf("ended %v, summary %s", server.ended, server.summary)
				}
				if server.requests > 10+tt.rows/2 {
					t.Errorf("%d requests for %d rows", server.requests, tt.rows)
				}
				if got := fmt.Sprint(said); tt.name != "too many requests" && got != tt.said {
					t.Errorf("said %s, want %s", got, tt.said)
				}
			})
		})
	}
}

// A run without rows for a while shows that it lives.
func TestWandBHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &wandbServer{t: t}
		s := startWandBStream(wandbRun(), "http://wandb.test", "secret", func(subnet.Event) {}, &http.Client{Transport: server})
		time.Sleep(10 * time.Minute)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if server.beats < 40 || server.beats > 80 {
			t.Errorf("%d signs of life in ten minutes", server.beats)
		}
	})
}

// What the service will never take is said once, and does not keep rows.
func TestWandBRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		key  string
		down func(int) int
		rows int
		want string
	}{
		{"wrong key", "other", nil, 100, "401"},
		{"forbidden", "secret", func(int) int { return 403 }, 100, "403"},
		{"run deleted", "secret", func(n int) int { return []int{0, 410}[min(1, n/5)] }, 100, "410"},
		{"away for days", "secret", func(int) int { return -1 }, maxPending + 2000, "connection refused"},
		{"away at the end", "secret", func(n int) int { return []int{0, -1}[min(1, n/5)] }, 9, "connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said, err := stream(t, &wandbServer{down: tt.down}, tt.key, tt.rows)
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), tt.key) {
					t.Errorf("error %v", err)
				}
				if len(said) > 2 || len(said) > 0 && tt.rows > 9 && !strings.Contains(said[len(said)-1], "no more of this run") {
					t.Errorf("said %q", said)
				}
			})
		})
	}
}

// A service that does not answer holds up neither rows nor the end.
func TestWandBHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		s := startWandBStream(wandbRun(), "http://wandb.test", "secret", func(subnet.Event) {}, &http.Client{Transport: hang, Timeout: requestTime})
		start := time.Now()
		for range 1000 {
			s.Send(Row{At: start})
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("sending took %v", took)
		}
		if err := s.Close(); err == nil || time.Since(start) > farewell+time.Second {
			t.Errorf("the end took %v, %v", time.Since(start), err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestWandBResumes goes on behind the rows that a run has at the service.
func TestWandBResumes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &wandbServer{t: t, history: []string{"a", "b", "c"}, tail: `["{\"_step\":5}","{\"loss\":2,\"_step\":7}"]`}
		run := wandbRun()
		run.Resume, run.Start = run.ID, time.Now()
		s := startWandBStream(run, "http://wandb.test", "secret", func(e subnet.Event) { t.Errorf("said %v", e) }, &http.Client{Transport: server})
		s.Send(Row{At: time.Now(), Cells: []Cell{{Name: "loss", Value: slog.Float64Value(1)}}})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if len(server.history) != 4 || !strings.Contains(server.history[3], `"loss":1,"_step":8,`) {
			t.Errorf("rows are %q", server.history)
		}
		if !strings.Contains(server.summary, `"loss":1`) || !strings.Contains(server.summary, `"best":3`) {
			t.Errorf("the summary is %s, want what it had too", server.summary)
		}
	})
}

func TestLastStep(t *testing.T) {
	t.Parallel()
	for tail, want := range map[string]int{"": -1, "[]": -1, `["{"]`: -1, `["{}"]`: 0, `["{\"_step\":-1}"]`: -1, `["{\"_step\":1e300}"]`: -1, `["{\"_step\":3}","{\"_step\":4}"]`: 4} {
		if got := lastStep(tail); got != want {
			t.Errorf("lastStep(%s) = %d, want %d", tail, got, want)
		}
	}
}
