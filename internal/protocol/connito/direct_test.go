package connito

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"adit/internal/journal"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// answering serves what script says, an answer after the other, the last one for
// good.
func answering(t testing.TB, script ...http.HandlerFunc) netip.AddrPort {
	t.Helper()
	asked := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := script[min(asked, len(script)-1)]
		asked++
		answer(w, r)
	}))
	t.Cleanup(web.Close)
	return netip.MustParseAddrPort(strings.TrimPrefix(web.URL, "http://"))
}

// TestPull is the miner's side of a download: it goes on where it was cut off,
// begins anew where it cannot, and ends where there is no hope.
func TestPull(t *testing.T) {
	t.Parallel()
	sc := begin(t, G2)
	data := bytes.Repeat([]byte("checkpoint"), 1000)
	whole := func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
	cut := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:4000])
		panic(http.ErrAbortHandler)
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", code) }
	}
	for _, tt := range []struct {
		name   string
		before int // bytes of an earlier download
		script []http.HandlerFunc
		limit  int64
		err    string
		left   int
	}{
		{"at once", 0, []http.HandlerFunc{whole}, 1 << 20, "", len(data)},
		{"on from before", 10, []http.HandlerFunc{whole}, 1 << 20, "", len(data)},
		{"all there", len(data), []http.HandlerFunc{whole}, 1 << 20, "", len(data)},
		{"cut", 0, []http.HandlerFunc{cut, whole}, 1 << 20, "", len(data)},
		{"cut for good", 0, []http.HandlerFunc{cut, status(500)}, 1 << 20, "temporary", 0},
		{"no ranges", 10, []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { w.Write(data) }}, 1 << 20, "", len(data)},
		{"another range", 10, []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 5-9/10000")
			w.WriteHeader(206)
		}, whole}, 1 << 20, "", len(data)},
		{"busy", 0, []http.HandlerFunc{status(503), status(503), whole}, 1 << 20, "", len(data)},
		{"busy for good", 0, []http.HandlerFunc{status(503)}, 1 << 20, "temporary", 0},
		{"forbidden", 0, []http.HandlerFunc{status(403), whole}, 1 << 20, "refused", 0},
		{"no token", 0, []http.HandlerFunc{status(401), whole}, 1 << 20, "refused", 0},
		{"too large", 0, []http.HandlerFunc{whole}, 100, "100 may come", 0},
		{"too large, without a length", 0, []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.Write(data)
		}}, 100, "more than the 100", 101},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := answering(t, tt.script...)
			draft, err := journal.NewMem().Create("f")
			if err == nil {
				_, err = draft.Write(data[:tt.before])
			}
			if err != nil {
				t.Fatal(err)
			}
			err = sc.miner.pull(t.Context(), draft, tt.limit, func(ctx context.Context) (*http.Request, error) {
				return sc.miner.askCheckpoint(ctx, at, sc.validator.Me, "0")
			})
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			if got := draft.Size(); got != int64(tt.left) {
				t.Errorf("%d bytes are left, want %d", got, tt.left)
			}
			if got, _ := io.ReadAll(io.NewSectionReader(draft, 0, draft.Size())); err == nil && !bytes.Equal(got, data) {
				t.Error("other bytes came")
			}
		})
	}
	sc.miner.HTTP = &http.Client{Transport: down{}}
	draft, err := journal.NewMem().Create("f")
	if err != nil {
		t.Fatal(err)
	}
	if err := sc.miner.pull(t.Context(), draft, 1, func(ctx context.Context) (*http.Request, error) {
		return sc.miner.askCheckpoint(ctx, netip.MustParseAddrPort("10.0.0.1:1"), sc.validator.Me, "0")
	}); !errors.Is(err, subnet.ErrTemporary) {
		t.Errorf("nobody there: %v", err)
	}
}

type down struct{}

func (down) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

// TestFetchDirect downloads a baseline and checks it.
func TestFetchDirect(t *testing.T) {
	t.Parallel()
	sc := begin(t, G2Early).open(t)
	b := baseline{neuron: sc.meta.Neurons[0], Commit: Commit{Hash: sc.sub.Hash, Group: &sc.group.ID, Version: &sc.sub.Version}}
	name, err := sc.miner.fetchBaseline(t.Context(), sc.group, b)
	if err != nil || name != fmt.Sprintf("validator_checkpoint/uid_0_hotkey_%s_globalver_%d/model_expgroup_0.pt", sc.validator.Me, sc.sub.Version) {
		t.Fatalf("got %q, %v", name, err)
	}
	b.Hash = strings.Repeat("0", 48)
	b.Version = new(uint64)
	if _, err := sc.miner.fetchBaseline(t.Context(), sc.group, b); err == nil || !strings.Contains(err.Error(), "hash mismatch") {
		t.Errorf("another model: %v", err)
	}
	b.neuron.Axon = netip.AddrPort{}
	b.Version = new(uint64(9))
	if _, err := sc.miner.fetchBaseline(t.Context(), sc.group, b); err == nil || !strings.Contains(err.Error(), "serves no address") {
		t.Errorf("no address: %v", err)
	}
}

// TestSubmitJob submits once, whatever happens in between.
func TestSubmitJob(t *testing.T) {
	t.Parallel()
	sc := begin(t, G2Early).open(t)
	key := fmt.Sprintf("cycle/%d/submission", sc.cycle)
	if _, err := sc.miner.Journal.Intend(key, actor.JSON(sc.sub)); err != nil {
		t.Fatal(err)
	}
	if err := sc.miner.submitJob(t.Context(), sc.cycle); err != nil {
		t.Errorf("without a submission: %v", err)
	}
	if err := sc.miner.Journal.Done(key, sc.sub.Hash); err != nil {
		t.Fatal(err)
	}
	// The way to the validator is bad: an answer is lost, as by a kill.
	good := sc.miner.HTTP
	sc.miner.HTTP = &http.Client{Transport: losing{good.Transport}}
	if err := sc.miner.submitJob(t.Context(), sc.cycle); err == nil {
		t.Fatal("a lost answer went unnoticed")
	}
	sc.miner.HTTP = good
	sc.jump(sc.miner.rules.Schedule.Start(sc.cycle, Submission) + 2)
	for range 2 {
		if err := sc.miner.submitJob(t.Context(), sc.cycle); err != nil {
			t.Error(err)
		}
	}
	if _, ok := sc.validator.postedFile(sc.cycle, sc.miner.Me); !ok {
		t.Error("the validator does not have it")
	}
	if got, ok := sc.miner.Journal.Result(fmt.Sprintf("cycle/%d/submit", sc.cycle)); !ok || !strings.Contains(got, textTwice) {
		t.Errorf("the journal says %q", got)
	}
}

// losing loses every answer.
type losing struct{ http.RoundTripper }

func (l losing) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	return nil, errors.New("connection reset")
}

// TestSubmitRetries goes through the statuses after which a client tries again.
func TestSubmitRetries(t *testing.T) {
	t.Parallel()
	early := fmt.Sprintf(`{"detail":"%s (current_phase=MinerCommit2, block=1, phase_range=0-1)"}`, textWrongPhase)
	for _, tt := range []struct {
		statuses []int
		texts    []string
		tries    int
		ok       bool
	}{
		{[]int{200}, []string{"not JSON"}, 1, true},
		{[]int{500, 503, 408, 200}, []string{"", "", "", ""}, 4, true},
		{[]int{500}, []string{""}, 13, false}, // every five blocks until the phase ends
		{[]int{400}, []string{""}, 1, false},
		{[]int{401}, []string{""}, 1, false},
		{[]int{403}, []string{""}, 1, false},
		{[]int{404}, []string{""}, 1, false},
		{[]int{405}, []string{""}, 1, false},
		{[]int{409}, []string{""}, 1, false},
		{[]int{422}, []string{""}, 1, false},
		{[]int{413, 200}, []string{"", ""}, 2, true},
		{[]int{409, 200}, []string{early, ""}, 2, true},
		{[]int{409}, []string{textTwice}, 1, true},
	} {
		sc := begin(t, G2)
		tries := 0
		at := answering(t, func(w http.ResponseWriter, r *http.Request) {
			i := min(tries, len(tt.statuses)-1)
			tries++
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(tt.statuses[i])
			io.WriteString(w, tt.texts[i])
		})
		end := sc.miner.rules.Schedule.End(sc.cycle, Submission)
		_, _, err := sc.miner.submitUntil(t.Context(), sc.cycle, at, sc.validator.Me, sc.sub)
		if (err == nil) != tt.ok || tries != tt.tries {
			t.Errorf("%v: %d tries, %v, want %d", tt.statuses, tries, err, tt.tries)
		}
		if head, _ := sc.Head(t.Context()); head > end {
			t.Errorf("%v: the last try was at block %d, and the phase ends with %d", tt.statuses, head, end)
		}
	}
}

// TestDocs goes through BlockZero's documented interface.
func TestDocs(t *testing.T) {
	t.Parallel()
	sc := begin(t, G1)
	sc.near = 0
	sc.validator.Secret = func(name string) string { return map[string]string{"BZ_AUTH_TOKEN": "t"}[name] }
	sc.miner.Secret = sc.validator.Secret
	sc.open(t)
	auth := []string{"Authorization", "Bearer t"}
	if status, _, _ := sc.get(t, "/health", nil); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	want := actor.JSON(docsHealth{"ok", true, sc.height(), "Submit"})
	if status, _, text := sc.get(t, "/health", nil, auth...); status != 200 || strings.TrimSpace(text) != want {
		t.Errorf("health %d %s, want %s", status, text, want)
	}
	mine := append(auth, "X-Hotkey", string(sc.miner.Me), "X-Expert-Group", "0")
	status, head, text := sc.get(t, "/model/partial", nil, mine...)
	if status != 200 || text != string(sc.shard) || !strings.Contains(head.Get("X-Model-Metadata"), `"expert_group":0,"block_number":`) {
		t.Errorf("partial: %d, %d bytes, %s", status, len(text), head.Get("X-Model-Metadata"))
	}
	for _, tt := range []struct {
		path    string
		headers []string
		status  int
	}{
		{"/model/partial", append(auth, "X-Hotkey", string(sc.miner.Me)), 422},
		{"/model/partial", append(auth, "X-Hotkey", "5x", "X-Expert-Group", "0"), 401},
		{"/model/partial", append(auth, "X-Hotkey", string(sc.miner.Me), "X-Expert-Group", "7"), 404},
		{"/model/full", mine, 403},
		{"/model/full", append(auth, "X-Hotkey", string(sc.validator.Me)), 404},
	} {
		if status, _, text := sc.get(t, tt.path, nil, tt.headers...); status != tt.status {
			t.Errorf("%s %v: %d %s, want %d", tt.path, tt.headers, status, text, tt.status)
		}
	}

	b := baseline{neuron: sc.meta.Neurons[0], Commit: Commit{Hash: sc.sub.Hash, Group: &sc.group.ID, Version: &sc.sub.Version}}
	if _, err := sc.miner.fetchBaseline(t.Context(), sc.group, b); err != nil {
		t.Errorf("download: %v", err)
	}

	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(sc.shard))
	}))
	defer files.Close()
	fetched := make(chan error, 1)
	sc.server.onAddress(func(sub docsSubmit, d doorway) { fetched <- sc.server.fetchSubmitted(t.Context(), sub, d) })
	block := uint64(sc.height())
	sub := docsSubmit{Hotkey: sc.miner.Me, Group: &sc.group.ID, URL: files.URL + "/checkpoint_1_2_group0.pt", Block: &block}
	sig, err := sc.miner.Signer.Sign(t.Context(), docsMessage(sub))
	if err != nil {
		t.Fatal(err)
	}
	sub.Signature = Base64URL.encode(sig)
	spoiled := sub
	spoiled.URL += "x.pt"
	if answer, err := sc.miner.postAddress(t.Context(), sc.at, spoiled); err != nil || answer.Status != 403 {
		t.Errorf("another address: %+v, %v", answer, err)
	}
	answer, err := sc.miner.postAddress(t.Context(), sc.at, sub)
	eta := sc.validator.rules.Schedule.End(sc.cycle, Submission) + 1 - sc.height()
	if err != nil || answer.Status != 200 || strings.TrimSpace(answer.Text) != actor.JSON(docsAccepted{"accepted", eta}) {
		t.Fatalf("submission: %+v, %v", answer, err)
	}
	if err := <-fetched; err != nil {
		t.Error(err)
	}
	if _, ok := sc.validator.postedFile(sc.cycle, sc.miner.Me); !ok {
		t.Error("the model did not come")
	}
}

func TestCheckAddress(t *testing.T) {
	for _, tt := range []struct {
		own, address string
		want         bool
	}{
		{"8.8.8.8", "http://1.1.1.1/x.pt", true},
		{"8.8.8.8", "https://models.example.org/x.pt", true},
		{"8.8.8.8", "hf://alice/co/x.pt", true},
		{"8.8.8.8", "http://127.0.0.1/x.pt", false},
		{"8.8.8.8", "http://169.254.169.254/latest", false},
		{"8.8.8.8", "http://10.1.2.3/x.pt", false},
		{"8.8.8.8", "http://[::1]:8000/x.pt", false},
		{"8.8.8.8", "http://localhost/x.pt", false},
		{"8.8.8.8", "http://router/x.pt", false},
		{"127.0.0.1", "http://127.0.0.1/x.pt", true},
		{"10.0.0.1", "http://10.1.2.3/x.pt", true},
	} {
		sc := begin(t, G1)
		sc.validator.cfg.Chain.IP = tt.own
		s, err := newServer(sc.validator)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.checkAddress(tt.address) == nil; got != tt.want {
			t.Errorf("%s from %s: %v, want %v", tt.address, tt.own, got, tt.want)
		}
	}
}
