package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"adit/internal/subnet"
)

// A WandBStream sends a run's rows to the service while it goes on: once a
// GraphQL mutation that begins the run, then every few seconds what has come, to
// the run's file_stream. It holds nobody up. If the service refuses the run, or is
// away for too long, the stream says so once and takes no more rows.
type WandBStream struct {
	run  WandBRun
	base string
	key  string
	say  func(subnet.Event)

	client *http.Client

	summary map[string]string // the newest value of each key
	sent    int               // rows that the service has

	mu      sync.Mutex
	pending []Row
	err     error // why it ended, if it did

	cancel context.CancelFunc
	finish chan struct{} // closed when no more rows come
	done   chan struct{}
}

const (
	// publicWandB is the service's address.
	publicWandB = "https://api.wandb.ai"
	// maxPending is how many rows wait for a service that is away, and
	// maxBatch how many are sent at once.
	maxPending = 20_000
	maxBatch   = 2000
	// W&B's own client sends every other second at first, and slower later.
	soonAfter, laterAfter = 2 * time.Second, 15 * time.Second
	firstMinute           = time.Minute
	// maxPause is the longest time between two attempts.
	maxPause = 5 * time.Minute
	// requestTime bounds a request, and farewell what is left to do at the end.
	requestTime = 30 * time.Second
	farewell    = 10 * time.Second
	// maxAnswer bounds the service's answers, in bytes.
	maxAnswer = 1 << 20
)

// StartWandBStream begins to send a run to the service at base; "" is the public
// one.
func StartWandBStream(run WandBRun, base, key string, say func(subnet.Event)) *WandBStream {
	return startWandBStream(run, base, key, say, &http.Client{Timeout: requestTime})
}

func startWandBStream(run WandBRun, base, key string, say func(subnet.Event), client *http.Client) *WandBStream {
	if base == "" {
		base = publicWandB
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &WandBStream{
		run: run, base: strings.TrimRight(base, "/"), key: key, say: say, client: client,
		summary: make(map[string]string), cancel: cancel, finish: make(chan struct{}), done: make(chan struct{}),
	}
	go s.send(ctx)
	return s
}

// Send queues a row. It does not block.
func (s *WandBStream) Send(r Row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.pending = append(s.pending, r)
	}
}

// Close sends what is left and ends the run, or returns why the service does not
// have all rows.
func (s *WandBStream) Close() error {
	close(s.finish)
	timer := time.AfterFunc(farewell, s.cancel)
	defer timer.Stop()
	<-s.done
	s.cancel()
	return s.err
}

// send runs until the stream ends.
func (s *WandBStream) send(ctx context.Context) {
	defer close(s.done)
	var endpoint string
	begun, warned := time.Now(), false
	for pause, last := time.Duration(0), false; ; {
		if last { // a few attempts more, until the farewell is over
			pause = min(pause, soonAfter)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		} else if last = s.wait(pause); last {
			pause = 0
		}
		var err error
		if endpoint == "" {
			endpoint, err = s.begin(ctx)
		}
		if err == nil {
			err = s.post(ctx, endpoint, last)
		}
		switch {
		case err == nil && last:
			return
		case err == nil:
			pause = laterAfter
			if time.Since(begun) < firstMinute {
				pause = soonAfter
			}
			warned = false
			continue
		case last && ctx.Err() != nil || errors.Is(err, errRefused) || s.tooMany():
			s.end(err, !last)
			return
		}
		pause = min(maxPause, max(soonAfter, 2*pause))
		if !warned {
			warned = true
			s.say(subnet.Event{Level: slog.LevelWarn, Kind: "wandb", Text: "W&B is out of reach, trying again", Attrs: []slog.Attr{slog.String("error", err.Error())}})
		}
	}
}

// wait returns after a pause, with false, or when the last row has come.
func (s *WandBStream) wait(pause time.Duration) (last bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false
	case <-s.finish:
		return true
	}
}

func (s *WandBStream) tooMany() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) > maxPending
}

// end takes no more rows, and says so if the run goes on.
func (s *WandBStream) end(err error, loud bool) {
	s.mu.Lock()
	s.err, s.pending = err, nil
	s.mu.Unlock()
	if loud {
		s.say(subnet.Event{Level: slog.LevelWarn, Kind: "wandb", Text: "W&B gets no more of this run, its file has all", Attrs: []slog.Attr{slog.String("error", err.Error())}})
	}
}

// errRefused is an answer that will not be another one next time.
var errRefused = errors.New("refused")

const upsertBucket = `mutation UpsertBucket($name: String, $project: String, $entity: String, $displayName: String, $config: JSONString, $tags: [String!]) {
  upsertBucket(input: {name: $name, modelName: $project, entityName: $entity, displayName: $displayName, config: $config, tags: $tags}) {
    bucket { name project { name entity { name } } }
  }
}`

// begin makes the run known and returns where its rows go.
func (s *WandBStream) begin(ctx context.Context) (endpoint string, err error) {
	type setting struct {
		Value any `json:"value"`
	}
	config := make(map[string]setting)
	for key, value := range s.run.Config {
		config[key] = setting{value}
	}
	text, err := json.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("%w: settings: %w", errRefused, err)
	}
	variables := map[string]any{"name": s.run.ID, "project": s.run.Project, "displayName": s.run.Name, "config": string(text), "tags": s.run.Tags}
	if s.run.Entity != "" {
		variables["entity"] = s.run.Entity
	}
	var answer struct {
		Data struct {
			UpsertBucket *struct {
				Bucket struct {
					Name    string
					Project struct {
						Name   string
						Entity struct{ Name string }
					}
				}
			}
		}
		Errors []struct{ Message string }
	}
	if err := s.request(ctx, s.base+"/graphql", map[string]any{"query": upsertBucket, "variables": variables}, &answer); err != nil {
		return "", fmt.Errorf("begin W&B run: %w", err)
	}
	if len(answer.Errors) > 0 {
		return "", fmt.Errorf("begin W&B run: %w: %s", errRefused, visible(answer.Errors[0].Message))
	}
	up := answer.Data.UpsertBucket
	if up == nil || up.Bucket.Project.Entity.Name == "" {
		return "", fmt.Errorf("begin W&B run: %w: the answer names no account", errRefused)
	}
	b := up.Bucket
	if s.run.Resume != "" {
		if err := s.resume(ctx, b.Project.Entity.Name, b.Project.Name); err != nil {
			return "", fmt.Errorf("resume W&B run %s: %w", s.run.ID, err)
		}
	}
	return fmt.Sprintf("%s/files/%s/%s/%s/file_stream", s.base,
		url.PathEscape(b.Project.Entity.Name), url.PathEscape(b.Project.Name), url.PathEscape(b.Name)), nil
}

const runResumeStatus = `query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    bucket(name: $name, missingOk: true) { historyLineCount historyTail summaryMetrics }
  }
}`

// resume asks how far the run has come: rows go behind those that are there, and
// have later steps.
func (s *WandBStream) resume(ctx context.Context, entity, project string) error {
	var answer struct {
		Data struct {
			Model *struct {
				Bucket *struct {
					HistoryLineCount int
					HistoryTail      string // a list, in JSON, of rows in JSON
					SummaryMetrics   string // in JSON
				}
			}
		}
		Errors []struct{ Message string }
	}
	variables := map[string]any{"project": project, "entity": entity, "name": s.run.ID}
	if err := s.request(ctx, s.base+"/graphql", map[string]any{"query": runResumeStatus, "variables": variables}, &answer); err != nil {
		return err
	}
	if len(answer.Errors) > 0 {
		return fmt.Errorf("%w: %s", errRefused, visible(answer.Errors[0].Message))
	}
	if answer.Data.Model == nil || answer.Data.Model.Bucket == nil {
		return fmt.Errorf("%w: the service does not know it", errRefused)
	}
	b := answer.Data.Model.Bucket
	if b.HistoryLineCount < 0 {
		return fmt.Errorf("%w: it is said to have %d rows", errRefused, b.HistoryLineCount)
	}
	s.sent = b.HistoryLineCount
	s.run.First = max(s.run.First, b.HistoryLineCount, lastStep(b.HistoryTail)+1)
	var summary map[string]json.RawMessage
	if json.Unmarshal([]byte(b.SummaryMetrics), &summary) == nil {
		for key, v := range summary {
			s.summary[key] = string(v)
		}
	}
	return nil
}

// lastStep returns the step of the last row of a tail, or -1.
func lastStep(tail string) int {
	var rows []string
	var row struct {
		Step float64 `json:"_step"`
	}
	const most = 1 << 40 // steps of a run
	if json.Unmarshal([]byte(tail), &rows) != nil || len(rows) == 0 || json.Unmarshal([]byte(rows[len(rows)-1]), &row) != nil || !(row.Step >= 0 && row.Step < most) {
		return -1
	}
	return int(row.Step)
}

// A streamFile is a part of a file at the service: lines from a line on.
type streamFile struct {
	Offset  int      `json:"offset"`
	Content []string `json:"content"`
}

// post sends what is pending, or only a sign of life if there is nothing. The
// last one ends the run.
func (s *WandBStream) post(ctx context.Context, endpoint string, last bool) error {
	for {
		s.mu.Lock()
		batch := s.pending[:min(len(s.pending), maxBatch)]
		s.mu.Unlock()
		var lines []string
		for _, r := range batch {
			items := wandbItems(s.run, r)
			lines = append(lines, wandbObject(items))
			for _, item := range items {
				s.summary[item.key] = item.json
			}
		}
		body := map[string]any{"dropped": 0}
		if len(batch) > 0 {
			// Rows go to their place in the file: sent twice, because an answer
			// was lost, they are there once.
			body["files"] = map[string]streamFile{
				"wandb-history.jsonl": {s.sent, lines},
				"wandb-summary.json":  {0, []string{summaryObject(s.summary)}},
			}
		} else if last {
			body["complete"], body["exitcode"] = true, 0
		} else {
			body["complete"], body["failed"] = false, false
		}
		if err := s.request(ctx, endpoint, body, nil); err != nil {
			return fmt.Errorf("send rows to W&B: %w", err)
		}
		if len(batch) == 0 {
			return nil
		}
		s.sent += len(batch)
		s.mu.Lock()
		s.pending = s.pending[len(batch):]
		left := len(s.pending)
		s.mu.Unlock()
		if left == 0 && !last {
			return nil
		}
	}
}

func summaryObject(values map[string]string) string {
	raw := make(map[string]json.RawMessage, len(values))
	for key, v := range values {
		raw[key] = json.RawMessage(v)
	}
	b, err := json.Marshal(raw)
	if err != nil { // unreachable: each value is JSON
		return "{}"
	}
	return string(b)
}

// request posts body as JSON and reads the answer into answer, unless that is
// nil. An error is errRefused unless it may pass.
func (s *WandBStream) request(ctx context.Context, to string, body, answer any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(body); err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, &b)
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	req.SetBasicAuth("api", s.key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "adit")
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	switch code := resp.StatusCode; {
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return fmt.Errorf("%s answers %s", req.URL.Host, resp.Status)
	case code < 200 || code > 299:
		return fmt.Errorf("%w: %s answers %s", errRefused, req.URL.Host, resp.Status)
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("%w: answer of %s: %w", errRefused, req.URL.Host, err)
	}
	return nil
}
