package connito

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"adit/internal/subnet"
)

// A server is a validator's checkpoint server: miners get baselines from it and
// leave submissions with it, at the address that the validator has on chain. What
// it decides on is in doorman.go and blockzero.go; here bytes are moved.
type server struct {
	*neuron
	lax    Laxity
	token  string
	slots  chan struct{} // a place for each submission that is received at a time
	routes map[string]route

	mu      sync.Mutex
	turns   map[subnet.Hotkey]chan struct{} // of miners that are submitting
	members membership
	cycle   uint64
	cached  *roster // of cycle
	sums    map[string]string
	board   board
	linger  int // connections that are read to their end
	// fetching begins to fetch what a miner told the address of; nil when the
	// server is not running.
	fetching func(docsSubmit, doorway)
}

// A route is what may be asked of one path.
type route struct {
	method string
	answer func(http.ResponseWriter, *http.Request) *refusal
}

// newServer returns the server of a validator, with the endpoints of its
// generation.
func newServer(n *neuron) (*server, error) {
	lax, err := n.rules.parseLaxity(n.cfg.Chain.ServerLax)
	if err != nil {
		return nil, err
	}
	s := &server{
		neuron: n, lax: lax, token: n.token(), slots: make(chan struct{}, n.cfg.Ckpt.SubmissionConcurrency),
		turns: make(map[subnet.Hotkey]chan struct{}), sums: make(map[string]string), routes: make(map[string]route),
	}
	if slices.Contains(n.rules.Transports, HTTPTransport) {
		s.routes["/"] = route{http.MethodGet, s.root}
		s.routes["/ping"] = route{http.MethodGet, s.ping}
		s.routes["/status"] = route{http.MethodGet, s.status}
		s.routes["/get-checkpoint"] = route{http.MethodGet, s.getCheckpoint}
		s.routes["/submit-checkpoint"] = route{http.MethodPost, s.submitCheckpoint}
	}
	if n.merges() {
		s.routes["/merge/head"] = route{http.MethodGet, s.mergeHead}
		s.routes["/merge/part"] = route{http.MethodGet, s.mergePart}
		s.routes["/merge/list"] = route{http.MethodGet, s.mergeList}
		s.routes["/merge/momentum"] = route{http.MethodGet, s.mergeMomentum}
	}
	if slices.Contains(n.rules.Transports, DocsTransport) {
		s.routes["/health"] = route{http.MethodGet, s.health}
		s.routes["/model/partial"] = route{http.MethodGet, s.modelPartial}
		s.routes["/model/full"] = route{http.MethodGet, s.modelFull}
		s.routes["/submit"] = route{http.MethodPost, s.submitAddress}
	}
	return s, nil
}

// The environment variables with the token that a server asks for, in upstream's
// code and in BlockZero's documents.
const (
	tokenVariable     = "AUTH_TOKEN"
	docsTokenVariable = "BZ_AUTH_TOKEN"
)

// token returns what a server wants to see, and a client shows; "" for none.
func (n *neuron) token() string {
	if n.Secret == nil {
		return ""
	}
	if slices.Contains(n.rules.Transports, DocsTransport) {
		return n.Secret(docsTokenVariable)
	}
	return n.Secret(tokenVariable)
}

// during runs a role with the server beside it, at the neuron's address. Neither
// goes on without the other, if miners need it; where models go through the Hub,
// only other validators do, and only for the merge.
func (s *server) during(ctx context.Context, run func(context.Context) error) error {
	at, err := s.cfg.axon()
	if err != nil {
		return err
	}
	if !at.IsValid() && !s.rules.direct() {
		return run(ctx) // whoever it merges with has to do without it
	}
	if !at.IsValid() {
		return subnet.WithHint(errors.New("a validator that nobody can reach takes no submissions"), "say under chain.ip and chain.port where others reach it")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var fetches sync.WaitGroup
	fetch := func(sub docsSubmit, d doorway) {
		fetches.Go(func() {
			if err := s.fetchSubmitted(ctx, sub, d); err != nil && ctx.Err() == nil {
				s.Warn("lost", "a submission could not be fetched", err, slog.String("hotkey", string(sub.Hotkey)), slog.String("url", sub.URL))
				s.forgetAddress(sub.Hotkey, d.Head)
			}
		})
	}
	s.onAddress(fetch)
	if slices.Contains(s.rules.Transports, DocsTransport) {
		fetches.Go(func() { s.goOn(ctx, fetch) })
	}
	served := make(chan error, 1)
	go func() {
		err := s.Serve(ctx, at, s)
		if err != nil && !s.rules.direct() { // only others miss it
			s.Warn("absent", "others cannot reach this validator, and merge without it", err)
			err = nil
		} else {
			cancel()
		}
		served <- err
	}()
	err = run(ctx)
	cancel()
	err = errors.Join(err, <-served)
	s.onAddress(nil)
	fetches.Wait()
	return err
}

func (s *server) onAddress(fetch func(docsSubmit, doorway)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetching = fetch
}

// ServeHTTP implements [http.Handler].
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(formSeconds * time.Second))
	to, ok := s.routes[r.URL.Path]
	bad := checkBearer(s.token, r.Header.Get("Authorization"))
	switch {
	case bad != nil:
	case !ok:
		bad = &refusal{http.StatusNotFound, "Not Found"}
	case r.Method != to.method:
		w.Header().Set("Allow", to.method)
		bad = &refusal{http.StatusMethodNotAllowed, "Method Not Allowed"}
	default:
		bad = to.answer(w, r)
	}
	if bad != nil {
		s.Note("request", "refused a request", slog.String("path", r.URL.Path), slog.Int("status", bad.Status), slog.String("reason", bad.Detail))
		s.refuse(w, r, bad)
	}
}

const (
	// formSeconds is for how long a request's fields may be on their way.
	formSeconds = 30
	// maxLinger is how many refused clients are listened to at a time.
	maxLinger = 8
	minLinger = 64 << 20 // bytes that are read of them at least
)

// refuse answers, and then reads what the client is still sending: one that sends
// a whole model before it reads would find the connection broken instead of an
// answer.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, bad *refusal) {
	control := http.NewResponseController(w)
	control.EnableFullDuplex() // or it would read first
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Connection", "close")
	w.WriteHeader(bad.Status)
	w.Write(bad.body())
	control.Flush()
	s.mu.Lock()
	room := s.linger < maxLinger
	if room {
		s.linger++
	}
	s.mu.Unlock()
	if !room {
		return
	}
	defer func() { s.mu.Lock(); s.linger--; s.mu.Unlock() }()
	if r.Method == http.MethodPost && r.Header.Get("Expect") == "" {
		control.SetReadDeadline(time.Now().Add(uploadSeconds * time.Second))
		io.Copy(io.Discard, io.LimitReader(r.Body, max(s.cfg.Ckpt.MaxSubmissionBytes, minLinger)))
	}
}

// tell answers with JSON.
func tell(w http.ResponseWriter, v any) *refusal {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
	return nil
}

func (s *server) root(w http.ResponseWriter, _ *http.Request) *refusal {
	return tell(w, serverRootOf(s.Me, s.token))
}

func (s *server) ping(w http.ResponseWriter, _ *http.Request) *refusal {
	return tell(w, map[string]string{"status": "ok"})
}

func (s *server) status(w http.ResponseWriter, _ *http.Request) *refusal { return tell(w, nil) }

// A membership is who is registered, as it was at a block.
type membership struct {
	meta *subnet.Metagraph
	at   subnet.Block
}

// memberBlocks is for how long a membership is believed.
const memberBlocks = 25

// textNoChain is ours: upstream has no answer to its node's failures.
const textNoChain = "The chain cannot be read at the moment"

// metagraph returns a metagraph that is not much older than the head.
func (s *server) metagraph(ctx context.Context, head subnet.Block) (*subnet.Metagraph, *refusal) {
	s.mu.Lock()
	m := s.members
	s.mu.Unlock()
	if m.meta != nil && head < m.at+memberBlocks && head >= m.at {
		return m.meta, nil
	}
	meta, err := s.Chain.Metagraph(ctx, subnet.Latest)
	if err != nil {
		return nil, &refusal{http.StatusServiceUnavailable, textNoChain}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = membership{meta, head}
	return meta, nil
}

// rosterOf returns the roster of a cycle, which is read once.
func (s *server) rosterOf(ctx context.Context, cycle uint64) (*roster, error) {
	s.mu.Lock()
	t, of := s.cached, s.cycle
	s.mu.Unlock()
	if t != nil && of == cycle {
		return t, nil
	}
	t, err := s.roster(ctx, cycle)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cached, s.cycle = t, cycle
	return t, nil
}

// doorway returns what every decision needs.
func (s *server) doorway(ctx context.Context) (doorway, *refusal) {
	d := doorway{Me: s.Me, Lax: s.lax, Verify: s.Verify}
	head, err := s.Chain.Head(ctx)
	if err != nil {
		return d, &refusal{http.StatusServiceUnavailable, textNoChain}
	}
	meta, bad := s.metagraph(ctx, head)
	if bad != nil {
		return d, bad
	}
	d.Head = head
	d.Registered = func(who subnet.Hotkey) bool { _, ok := meta.ByHotkey(who); return ok }
	return d, nil
}

// newestCheckpoint adds what there is to download.
func (s *server) newestCheckpoint(d *doorway) (place, *refusal) {
	list, err := s.places("")
	if err != nil {
		return place{}, &refusal{http.StatusInternalServerError, textNoMessage}
	}
	if len(list) == 0 {
		return place{}, nil
	}
	d.Checkpoint = true
	d.HasFile = func(name string) bool {
		f, err := s.Dir.Open(list[0].name + "/" + name)
		if err == nil {
			f.Close()
		}
		return err == nil
	}
	return list[0], nil
}

// getCheckpoint is GET /get-checkpoint. The request's fields come as a form in the
// body, which Go does not read by itself, or in the query.
func (s *server) getCheckpoint(w http.ResponseWriter, r *http.Request) *refusal {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil {
		return &refusal{http.StatusBadRequest, textBadBody}
	}
	req, err := parseDownload(string(body), r.URL.Query())
	if err != nil {
		return &refusal{http.StatusUnprocessableEntity, err.Error()}
	}
	d, bad := s.doorway(r.Context())
	if bad != nil {
		return bad
	}
	newest, bad := s.newestCheckpoint(&d)
	if bad != nil {
		return bad
	}
	name, bad := s.rules.checkDownload(req, d)
	if bad != nil {
		return bad
	}
	return s.send(w, r, newest.name+"/"+name, fmt.Sprintf("step%d", newest.version), slog.String("hotkey", string(req.Origin)))
}

// send answers with a file, or the part of it that the request names.
func (s *server) send(w http.ResponseWriter, r *http.Request, name, as string, about slog.Attr) *refusal {
	f, err := s.Dir.Open(name)
	if err != nil { // it was pruned this instant
		return &refusal{http.StatusNotFound, textNotFound + ": " + name}
	}
	defer f.Close()
	var changed time.Time
	if on, ok := f.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := on.Stat(); err == nil {
			changed = info.ModTime()
		}
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", as))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	s.Note("download", "sending checkpoint", slog.String("path", name), slog.String("range", r.Header.Get("Range")), about)
	http.ServeContent(&rangeWriter{ResponseWriter: w}, r, "", changed, &paced{io.NewSectionReader(f, 0, f.Size()), http.NewResponseController(w)})
	return nil
}

// A paced file gives the client time for each of its parts, and not for the whole.
type paced struct {
	io.ReadSeeker
	control *http.ResponseController
}

func (p *paced) Read(b []byte) (int, error) {
	p.control.SetWriteDeadline(time.Now().Add(downloadSeconds * time.Second))
	return p.ReadSeeker.Read(b)
}

// A rangeWriter tells what is wrong with a range in the words of all other errors.
type rangeWriter struct {
	http.ResponseWriter
	told bool
}

func (w *rangeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *rangeWriter) WriteHeader(status int) {
	if status != http.StatusRequestedRangeNotSatisfiable {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Del("X-Content-Type-Options")
	w.ResponseWriter.WriteHeader(status)
	w.ResponseWriter.Write((&refusal{status, "Requested Range Not Satisfiable"}).body())
	w.told = true
}

func (w *rangeWriter) Write(b []byte) (int, error) {
	if w.told {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}
