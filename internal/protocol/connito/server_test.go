package connito

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"adit/internal/checkpoint"
	"adit/internal/journal"
	"adit/internal/keys"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// A stage is a chain that stands still, with a validator, miners and their keys.
type stage struct {
	mu          sync.Mutex
	head        subnet.Block
	near        subnet.Block // blocks that come as soon as somebody waits for them
	down        bool
	meta        subnet.Metagraph
	commitments []subnet.Commitment
	keys        map[subnet.Hotkey]ed25519.PrivateKey
}

var errDown = errors.New("the node is down")

func (s *stage) Head(context.Context) (subnet.Block, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return 0, errDown
	}
	return s.head, nil
}

// height returns the head, and jump makes it another.
func (s *stage) height() subnet.Block {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head
}

func (s *stage) jump(head subnet.Block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head = head
}

// Wait lets time pass: it brings the block about, if it is near.
func (s *stage) Wait(ctx context.Context, b subnet.Block) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b > s.head+s.near { // or nobody waits for it here
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
		return ctx.Err()
	}
	s.head = max(s.head, b)
	return ctx.Err()
}

func (s *stage) Hash(context.Context, subnet.Block) (string, error) {
	return "0x" + strings.Repeat("0", 64), nil
}

func (s *stage) Time(context.Context, subnet.Block) (time.Time, error) { return time.Time{}, errDown }

func (s *stage) Metagraph(context.Context, subnet.Block) (*subnet.Metagraph, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errDown
	}
	return &s.meta, nil
}

func (s *stage) Commitments(context.Context, subnet.Block) ([]subnet.Commitment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errDown
	}
	return s.commitments, nil
}

func (s *stage) Commit(context.Context, ...string) (subnet.Block, error) { return 0, errDown }
func (s *stage) SetWeights(context.Context, []subnet.Weight) (subnet.Block, error) {
	return 0, errDown
}
func (s *stage) ServeAxon(context.Context, netip.AddrPort) error { return errDown }

// actor adds a neuron with a key of its own.
func (s *stage) actor(name string, permit bool) subnet.Hotkey {
	seed := sha256.Sum256([]byte(name))
	private := ed25519.NewKeyFromSeed(seed[:])
	who := subnet.Hotkey(keys.Address([32]byte(private.Public().(ed25519.PublicKey))))
	if s.keys == nil {
		s.keys = make(map[subnet.Hotkey]ed25519.PrivateKey)
	}
	s.keys[who] = private
	s.meta.Neurons = append(s.meta.Neurons, subnet.Neuron{UID: subnet.UID(len(s.meta.Neurons)), Hotkey: who, Permit: permit})
	return who
}

func (s *stage) verify(who subnet.Hotkey, msg, sig []byte) bool {
	private, ok := s.keys[who]
	return ok && ed25519.Verify(private.Public().(ed25519.PublicKey), msg, sig)
}

type actorKey struct {
	who     subnet.Hotkey
	private ed25519.PrivateKey
}

func (k actorKey) Hotkey() subnet.Hotkey { return k.who }
func (k actorKey) Sign(_ context.Context, msg []byte) ([]byte, error) {
	return ed25519.Sign(k.private, msg), nil
}

// neuron returns a neuron of the stage, in a directory of its own.
func (s *stage) neuron(t testing.TB, rules Rules, who subnet.Hotkey, groups ...Group) *neuron {
	t.Helper()
	cfg := NewConfig().(*Config)
	cfg.Ckpt.Format = string(rules.Formats[0])
	cfg.Task.Groups = groups
	cfg.Chain.IP = "127.0.0.1"
	mem := journal.NewMem()
	return &neuron{
		Actor: actor.Actor{Me: who, Env: subnet.Env{
			Chain: s, Dir: mem, Journal: mem, Signer: actorKey{who, s.keys[who]}, Verify: s.verify,
			HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, Emit: func(subnet.Event) {},
			Secret: func(string) string { return "" },
		}},
		cfg: cfg, rules: rules,
	}
}

// A scene is a validator's server and a miner that has committed to a shard, in
// the Submission phase.
type scene struct {
	*stage
	validator, miner *neuron
	group            Group
	server           *server
	at               netip.AddrPort
	shard            []byte
	sub              submission
	cycle            uint64
}

// begin makes a scene.
func begin(t testing.TB, rules Rules) *scene {
	t.Helper()
	sc := &scene{stage: &stage{near: 6}, group: Group{ID: 0, Assignment: Assignment{1: {{0, 22}}}}, cycle: 1}
	v, m := sc.actor("validator", true), sc.actor("miner", false)
	sc.validator, sc.miner = sc.neuron(t, rules, v, sc.group), sc.neuron(t, rules, m, sc.group)

	vals := make([]float32, 5000)
	for i := range vals {
		vals[i] = float32(i)
	}
	d := tensor.Dict{
		"model.layers.1.mlp.experts.22.down_proj":    tensor.FromFloats(tensor.F16, []int{50, 100}, vals),
		"model.layers.1.mlp.experts.22.gate_up_proj": tensor.FromFloats(tensor.F16, []int{100, 50}, vals),
	}
	var file bytes.Buffer
	if err := checkpoint.Write(&file, rules.Formats[0], d); err != nil {
		t.Fatal(err)
	}
	sc.shard = file.Bytes()
	sc.sub = submission{Path: "globalver_5_inneropt_3/" + shardFile(0, rules.Formats[0]), Hash: Hash(d), Version: rules.Schedule.Version(0)}
	put(t, sc.miner.Dir, sc.sub.Path, sc.shard)
	put(t, sc.validator.Dir, fmt.Sprintf("globalver_%d/%s", sc.sub.Version, shardFile(0, rules.Formats[0])), sc.shard)

	sig, err := sc.miner.Signer.Sign(t.Context(), []byte(sc.sub.Hash))
	if err != nil {
		t.Fatal(err)
	}
	s := rules.Schedule
	one, _ := s.commit1Window(sc.cycle, MinerCommit1)
	both := append(parseCommits([]string{rules.minerCommit2(0, sc.sub.Hash, sc.sub.Version, "", "")}), Commit{})[0]
	both.Signed = Base64URL.encode(sig) // what is read at two blocks stands in one here
	sc.commitments = []subnet.Commitment{
		{Hotkey: v, Block: one - 1, Fields: []string{rules.validatorCommit(Commit{Hash: sc.sub.Hash, Group: &sc.group.ID, Version: &sc.sub.Version, Seed: new(uint64)})}},
		{Hotkey: m, Block: one, Fields: []string{actor.JSON(both)}},
	}
	sc.jump(s.Start(sc.cycle, Submission) + 1)
	return sc
}

// open starts the server.
func (sc *scene) open(t testing.TB) *scene {
	t.Helper()
	var err error
	if sc.server, err = newServer(sc.validator); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(sc.server)
	t.Cleanup(web.Close)
	sc.at = netip.MustParseAddrPort(strings.TrimPrefix(web.URL, "http://"))
	sc.meta.Neurons[0].Axon = sc.at
	return sc
}

func put(t testing.TB, dir subnet.Dir, name string, data []byte) {
	t.Helper()
	d, err := dir.Create(name)
	if err == nil {
		_, err = d.Write(data)
	}
	if err == nil {
		err = d.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (sc *scene) ask(t testing.TB, r *http.Request) (int, http.Header, string) {
	t.Helper()
	answer, err := sc.miner.HTTP.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

func (sc *scene) get(t testing.TB, path string, body url.Values, headers ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+sc.at.String()+path, strings.NewReader(body.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return sc.ask(t, r)
}

// fields returns the form of a good download.
func (sc *scene) fields(t testing.TB) url.Values {
	t.Helper()
	r, err := sc.miner.askCheckpoint(t.Context(), sc.at, sc.validator.Me, "0")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatal(err)
	}
	return form
}

func TestServerSmallAnswers(t *testing.T) {
	t.Parallel()
	sc := begin(t, G2).open(t)
	for _, tt := range []struct {
		path   string
		status int
		want   string
	}{
		{"/", 200, actor.JSON(serverRootOf(sc.validator.Me, ""))},
		{"/ping", 200, `{"status":"ok"}`},
		{"/status", 200, "null"},
		{"/submit-checkpoint", 405, `{"detail":"Method Not Allowed"}`},
		{"/nothing", 404, `{"detail":"Not Found"}`},
		{"/submit", 404, `{"detail":"Not Found"}`},
		{"/get-checkpoint", 422, ""},
	} {
		status, head, text := sc.get(t, tt.path, nil)
		if status != tt.status || tt.want != "" && strings.TrimSpace(text) != tt.want || head.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s (%s), want %d %s", tt.path, status, text, head.Get("Content-Type"), tt.status, tt.want)
		}
	}
}

func TestServerToken(t *testing.T) {
	t.Parallel()
	sc := begin(t, G2)
	sc.validator.Secret = func(name string) string { return map[string]string{"AUTH_TOKEN": "open sesame"}[name] }
	sc.open(t)
	for header, want := range map[string]int{"": 401, "Basic x": 401, "Bearer x": 403, "Bearer open sesame": 200} {
		for _, path := range []string{"/", "/ping"} {
			if status, _, text := sc.get(t, path, nil, "Authorization", header); status != want {
				t.Errorf("%s with %q: %d %s, want %d", path, header, status, text, want)
			}
		}
	}
	sc.miner.Secret = sc.validator.Secret
	if answer, _, err := sc.miner.submitUntil(t.Context(), sc.cycle, sc.at, sc.validator.Me, sc.sub); err != nil {
		t.Errorf("the client shows the token: %v, %v", answer, err)
	}
}

func TestGetCheckpoint(t *testing.T) {
	t.Parallel()
	sc := begin(t, G2).open(t)
	form := sc.fields(t)
	status, head, text := sc.get(t, "/get-checkpoint", form)
	if status != 200 || text != string(sc.shard) {
		t.Fatalf("%d, %d bytes, want all %d", status, len(text), len(sc.shard))
	}
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
		"Content-Length": fmt.Sprint(len(sc.shard)), "Content-Disposition": fmt.Sprintf(`attachment; filename="step%d"`, sc.sub.Version),
	} {
		if got := head.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if status, _, text := sc.get(t, "/get-checkpoint?"+form.Encode(), nil); status != 200 || len(text) != len(sc.shard) {
		t.Errorf("as a query: %d, %d bytes", status, len(text))
	}
	status, head, text = sc.get(t, "/get-checkpoint", form, "Range", "bytes=100-")
	if status != 206 || text != string(sc.shard[100:]) || head.Get("Content-Range") != fmt.Sprintf("bytes 100-%d/%d", len(sc.shard)-1, len(sc.shard)) {
		t.Errorf("range: %d, %d bytes, %s", status, len(text), head.Get("Content-Range"))
	}
	if status, _, text := sc.get(t, "/get-checkpoint", form, "Range", fmt.Sprintf("bytes=%d-", len(sc.shard))); status != 416 || text != `{"detail":"Requested Range Not Satisfiable"}` {
		t.Errorf("beyond the end: %d %s", status, text)
	}
	for _, tt := range []struct {
		name   string
		change func(url.Values)
		status int
		text   string
	}{
		{"signature", func(v url.Values) { v.Set("signature", strings.Repeat("A", 86)) }, 403, textBadSignature},
		{"unsigned block", func(v url.Values) { v.Set("origin_block", "1") }, 403, textBadSignature},
		{"shared", func(v url.Values) { v.Set("expert_group_id", "shared") }, 404, textNotFound + ": model_shared.pt"},
		{"whole", func(v url.Values) { v.Del("expert_group_id") }, 404, textNotFound + ": model.pt"},
		{"no number", func(v url.Values) { v.Set("expert_group_id", "../x") }, 422, ""},
		{"long", func(v url.Values) { v.Set("signature", strings.Repeat("A", maxForm)) }, 422, ""},
	} {
		form := sc.fields(t)
		tt.change(form)
		if status, _, text := sc.get(t, "/get-checkpoint", form); status != tt.status || tt.text != "" && text != fmt.Sprintf(`{"detail":%q}`, tt.text) {
			t.Errorf("%s: %d %s, want %d %s", tt.name, status, text, tt.status, tt.text)
		}
	}
	sc.stage.mu.Lock()
	sc.down = true
	sc.stage.mu.Unlock()
	if status, _, _ := sc.get(t, "/get-checkpoint", form); status != 503 {
		t.Errorf("without a chain: %d, want 503", status)
	}
}

// form makes the multipart body of a submission, as upstream's client does.
func (sc *scene) form(t testing.TB, req submitRequest, data []byte) (string, []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range req.form(sc.miner.rules) {
		if err := w.WriteField(f[0], f[1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", req.File)
	if err == nil {
		_, err = part.Write(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	return w.FormDataContentType(), b.Bytes()
}

// request returns a good submission.
func (sc *scene) request(t testing.TB, hash string) submitRequest {
	t.Helper()
	req, msg, err := sc.miner.rules.sealed(sc.validator.Me, sc.miner.Me, sc.height(), hash, "model_expgroup_0.pt")
	if err != nil {
		t.Fatal(err)
	}
	sig, err := sc.miner.Signer.Sign(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	req.Signature = sc.miner.rules.Signatures.encode(sig)
	return req
}

func (sc *scene) submit(t testing.TB, req submitRequest, data []byte) (int, string) {
	t.Helper()
	kind, body := sc.form(t, req, data)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+sc.at.String()+"/submit-checkpoint", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	status, _, text := sc.ask(t, r)
	return status, strings.TrimSpace(text)
}

func TestSubmitCheckpoint(t *testing.T) {
	t.Parallel()
	sc := begin(t, G2).open(t)
	nobody := func(*submitRequest) {}
	sum := sha256.Sum256(sc.shard)
	want := actor.JSON(stored{"ok", fmt.Sprintf("miner_submission/hotkey_%s_block_%d.pt", sc.miner.Me, sc.height()), int64(len(sc.shard)), hex.EncodeToString(sum[:])})
	wrong := bytes.Clone(sc.shard)
	wrong[len(wrong)/2] ^= 1
	for _, tt := range []struct {
		name   string
		data   []byte
		change func(*submitRequest)
		status int
		text   string
	}{
		{"other bytes", wrong, nobody, 400, textFailedChecks},
		{"no checkpoint", []byte("no checkpoint"), nobody, 400, textFailedChecks},
		{"nothing", nil, nobody, 400, textFailedChecks},
		{"cut", sc.shard[:len(sc.shard)-3], nobody, 400, textFailedChecks},
		{"signature", sc.shard, func(r *submitRequest) { r.Signature = strings.Repeat("A", 86) }, 400, textFailedChecks},
		{"another's name", sc.shard, func(r *submitRequest) { r.Origin = sc.validator.Me }, 403, ""},
		{"extension", sc.shard, func(r *submitRequest) { r.File = "a.exe" }, 400, textExtension + ": .exe"},
		{"name", sc.shard, func(r *submitRequest) { r.File = "a b.pt" }, 400, textUnsafeName},
		{"no block", sc.shard, func(r *submitRequest) { r.OriginBlock = 0 }, 400, ""},
		{"no signature", sc.shard, func(r *submitRequest) { r.Signature = "" }, 422, ""},
		{"good", sc.shard, nobody, 200, want},
		{"twice", sc.shard, nobody, 409, fmt.Sprintf("%s (miner=%s, block=%d)", textTwice, sc.miner.Me, sc.height())},
	} {
		req := sc.request(t, sc.sub.Hash)
		tt.change(&req)
		wanted := tt.text
		if tt.status != 200 && wanted != "" {
			wanted = fmt.Sprintf(`{"detail":%q}`, tt.text)
		}
		if status, text := sc.submit(t, req, tt.data); status != tt.status || wanted != "" && text != wanted {
			t.Errorf("%s: %d %s, want %d %s", tt.name, status, text, tt.status, wanted)
		}
		names, err := sc.validator.Dir.List(submissionDir)
		if kept := tt.status == 200 || tt.status == 409; err != nil || (len(names) == 1) != kept {
			t.Errorf("%s: %v are kept, %v", tt.name, names, err)
		}
	}
	name, ok := sc.validator.postedFile(sc.cycle, sc.miner.Me)
	if !ok || !strings.Contains(want, name) {
		t.Errorf("the evaluation finds %q, %v", name, ok)
	}
	if got, err := sc.validator.obtain(t.Context(), sc.cycle, sc.group, sc.miner.Me, 1, Commit{}); err != nil || got != name {
		t.Errorf("the evaluation gets %q, %v", got, err)
	}
}

func TestSubmitLimits(t *testing.T) {
	t.Parallel()
	sc := begin(t, G2)
	sc.validator.cfg.Ckpt.MaxSubmissionBytes = int64(len(sc.shard)) - 1
	sc.open(t)
	text := fmt.Sprintf(`{"detail":"Submission too large: limit %d bytes"}`, len(sc.shard)-1)
	if status, got := sc.submit(t, sc.request(t, sc.sub.Hash), sc.shard); status != 413 || got != text {
		t.Errorf("a byte too much: %d %s", status, got)
	}
	if status, got := sc.submit(t, sc.request(t, sc.sub.Hash), make([]byte, 10<<20)); status != 413 || got != text {
		t.Errorf("megabytes too much: %d %s", status, got)
	}
	// A form without an end.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+sc.at.String()+"/submit-checkpoint", strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	if status, _, got := sc.ask(t, r); status != 400 || got != `{"detail":"There was an error parsing the body"}` {
		t.Errorf("no end: %d %s", status, got)
	}
	sc.jump(0)
	if status, got := sc.submit(t, sc.request(t, sc.sub.Hash), sc.shard); status != 409 || !strings.Contains(got, textWrongPhase) {
		t.Errorf("in another phase: %d %s", status, got)
	}
	sc.stage.mu.Lock()
	sc.down = true
	sc.stage.mu.Unlock()
	if status, got := sc.submit(t, sc.request(t, sc.sub.Hash), sc.shard); status != 409 || got != `{"detail":"Could not get phase from api."}` {
		t.Errorf("without a chain: %d %s", status, got)
	}
}

// TestSubmitsAtOnce lets a miner submit several times at once: one is taken.
func TestSubmitsAtOnce(t *testing.T) {
	t.Parallel()
	sc := begin(t, G2).open(t)
	answers := make(chan int)
	const times = 5
	for range times {
		req := sc.request(t, sc.sub.Hash)
		go func() {
			status, _ := sc.submit(t, req, sc.shard)
			answers <- status
		}()
	}
	got := make(map[int]int)
	for range times {
		got[<-answers]++
	}
	if got[200] != 1 || got[409] != times-1 {
		t.Errorf("answers %v, want one 200 and %d 409", got, times-1)
	}
}

// TestOldServer is the laxity of the first generation.
func TestOldServer(t *testing.T) {
	t.Parallel()
	sc := begin(t, G0)
	sc.validator.cfg.Chain.ServerLax = []string{"upstream"}
	sc.open(t)
	sc.jump(3) // in no phase for it
	form := sc.fields(t)
	form.Set("signature", "x")
	if status, _, _ := sc.get(t, "/get-checkpoint", form); status != 200 {
		t.Errorf("lax download: %d", status)
	}
	req := sc.request(t, sc.sub.Hash)
	req.Signature = "x"
	for range 2 {
		if status, text := sc.submit(t, req, sc.shard); status != 200 {
			t.Errorf("lax submission: %d %s", status, text)
		}
	}
	if status, text := sc.submit(t, req, []byte("PK\x03\x04 no checkpoint")); status != 400 {
		t.Errorf("not so lax: %d %s", status, text)
	}
}

func FuzzReadForm(f *testing.F) {
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"target_hotkey_ss58\"\r\n\r\n5a\r\n--b\r\nContent-Disposition: form-data; name=\"origin_hotkey_ss58\"\r\n\r\n5b\r\n--b\r\nContent-Disposition: form-data; name=\"origin_block\"\r\n\r\n7\r\n--b\r\nContent-Disposition: form-data; name=\"signature\"\r\n\r\ns\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pt\"\r\n\r\nPK\r\n--b--\r\n"))
	f.Add([]byte("--b--"))
	f.Fuzz(func(t *testing.T, body []byte) {
		req, file, bad := readForm(multipart.NewReader(bytes.NewReader(body), "b"))
		switch {
		case bad == nil && (file == nil || req.File == "" || req.Target == "" || req.Signature == ""):
			t.Errorf("took %+v", req)
		case bad != nil && (bad.Status < 400 || bad.Status > 499 || !json.Valid(bad.body())):
			t.Errorf("refused with %v", bad)
		case bad == nil:
			if n, _ := io.Copy(io.Discard, file); n > int64(len(body)) {
				t.Errorf("a file of %d bytes in %d", n, len(body))
			}
		}
	})
}
