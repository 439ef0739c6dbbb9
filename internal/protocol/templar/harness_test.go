package templar

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"adit/internal/exchange"
	"adit/internal/journal"
	"adit/internal/keys"
	"adit/internal/protocol/actor"
	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

const blockTime = 12 * time.Second

// A world is a chain, buckets and a data set's server, in virtual time.
type world struct {
	t       *testing.T
	buckets exchange.MemBuckets
	began   time.Time
	hparams string

	mu          sync.Mutex
	neurons     []subnet.Neuron
	commitments map[subnet.Hotkey]subnet.Commitment
	weights     map[subnet.Hotkey][]subnet.Weight
	serverDown  bool
}

func newWorld(t *testing.T) *world {
	return &world{t: t, began: time.Now(), commitments: make(map[subnet.Hotkey]subnet.Commitment), weights: make(map[subnet.Hotkey][]subnet.Weight)}
}

// hotkey returns the address of the i-th neuron.
func hotkey(i int) subnet.Hotkey {
	return subnet.Hotkey(keys.Address([32]byte{byte(i + 1)}))
}

// An actor is one neuron of the world.
type testNeuron struct {
	*world
	hotkey subnet.Hotkey
	cfg    *Config
	mem    *journal.Mem
	engine *toyEngine
	secret map[string]string

	mu     sync.Mutex
	events []subnet.Event
}

// add registers a neuron of a generation.
func (w *world) add(rules string) *testNeuron {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := len(w.neurons)
	n := &testNeuron{world: w, hotkey: hotkey(i), cfg: Defaults(rules), mem: journal.NewMem(), engine: &toyEngine{}}
	n.cfg.Remote = true
	n.cfg.DataSet.BOS, n.cfg.DataSet.EOS = "256", "257"
	n.cfg.ActualBatchSize = 50
	n.cfg.numbers = []byte(w.hparams)
	account := fmt.Sprintf("%032x", i+1)
	if r, err := RulesByName(rules); err == nil && r.Commitment == BucketKeys {
		n.secret = map[string]string{
			"R2_GRADIENTS_ACCOUNT_ID": account, "R2_GRADIENTS_BUCKET_NAME": account,
			"R2_GRADIENTS_READ_ACCESS_KEY_ID": account, "R2_GRADIENTS_READ_SECRET_ACCESS_KEY": account + account,
			"R2_GRADIENTS_WRITE_ACCESS_KEY_ID": "w" + account[1:], "R2_GRADIENTS_WRITE_SECRET_ACCESS_KEY": "w" + account[1:] + account,
		}
	} else {
		n.cfg.Bucket = fmt.Sprintf("bucket-%d", i)
		n.secret = map[string]string{EnvAWSKey: "key", EnvAWSSecret: "secret"}
	}
	w.neurons = append(w.neurons, subnet.Neuron{UID: subnet.UID(i), Hotkey: n.hotkey, Stake: uint64(1000 - i)})
	return n
}

func (n *testNeuron) env() subnet.Env {
	return subnet.Env{
		NetUID: 3, Config: n.cfg, Signer: testSigner(n.hotkey), Chain: &testChain{n.world, n.hotkey},
		Engine: n.engine, Dir: n.mem, Journal: n.mem,
		Bucket: func(a subnet.BucketAddress) (subnet.Bucket, error) { return n.buckets.Open(a), nil },
		HTTP:   &http.Client{Transport: n.world},
		Secret: func(name string) string { return n.secret[name] },
		Verify: verified,
		Emit: func(e subnet.Event) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.events = append(n.events, e)
		},
	}
}

// play runs a role until the function that it returns is called, which says how long
// it took to end.
func (n *testNeuron) play(role func(context.Context, subnet.Env) error) (stop func() time.Duration) {
	ctx, cancel := context.WithCancel(n.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := role(ctx, n.env()); err != nil {
			n.t.Errorf("uid of %s: %v", n.hotkey, err)
		}
	}()
	return func() time.Duration {
		began := time.Now()
		cancel()
		<-done
		return time.Since(began)
	}
}

// all returns the events of a kind.
func (n *testNeuron) all(kind string) (list []subnet.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		if e.Kind == kind {
			list = append(list, e)
		}
	}
	return list
}

func (n *testNeuron) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var b strings.Builder
	for _, e := range n.events {
		fmt.Fprintf(&b, "%s %s: %s %v\n", e.Level, e.Kind, e.Text, e.Attrs)
	}
	return b.String()
}

func attr(e subnet.Event, name string) string {
	for _, a := range e.Attrs {
		if a.Key == name {
			return a.Value.String()
		}
	}
	return ""
}

// values returns a copy of a parameter.
func (n *testNeuron) values(name string) []float32 {
	n.engine.mu.Lock()
	defer n.engine.mu.Unlock()
	n.engine.model.mu.Lock()
	defer n.engine.model.mu.Unlock()
	return slices.Clone(n.engine.model.values[name])
}

// slice returns an object of a neuron's bucket, or nil.
func (n *testNeuron) slice(kind Kind, w Window) []SliceValues {
	n.t.Helper()
	r, err := n.cfg.ruleset()
	if err != nil {
		n.t.Fatal(err)
	}
	k, err := n.cfg.keys(r, func(name string) string { return n.secret[name] })
	if err != nil {
		n.t.Fatal(err)
	}
	draft, err := journal.NewMem().Create("x")
	if err != nil {
		n.t.Fatal(err)
	}
	key := Name{Kind: kind, Window: w, Hotkey: n.hotkey, Version: r.Version}.String()
	if err := n.buckets.Open(n.cfg.placed(r.Address(k, true))).Get(n.t.Context(), subnet.Object{Key: key}, draft, 1<<20); err != nil {
		return nil
	}
	f, err := DecodeSlice(draft, draft.Size(), 1<<20)
	if err != nil {
		n.t.Fatal(err)
	}
	return f.Values
}

// RoundTrip is the data set's server.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	down := w.serverDown
	w.mu.Unlock()
	rec := httptest.NewRecorder()
	switch {
	case down:
		rec.WriteHeader(http.StatusBadGateway)
	case r.URL.Path == "/size":
		io.WriteString(rec, `{"size":{"splits":[{"config":"a","split":"train","num_rows":1000},{"config":"b","split":"train","num_rows":2000}]}}`)
	default:
		type row struct {
			Row struct {
				Text string `json:"text"`
			} `json:"row"`
		}
		var answer struct {
			Rows []row `json:"rows"`
		}
		for i := range 100 {
			var one row
			one.Row.Text = fmt.Sprintf("%s %s %d", r.URL.Query().Get("config"), r.URL.Query().Get("offset"), i)
			answer.Rows = append(answer.Rows, one)
		}
		if err := json.NewEncoder(rec).Encode(answer); err != nil {
			return nil, err
		}
	}
	return rec.Result(), nil
}

type testSigner subnet.Hotkey

func (s testSigner) Hotkey() subnet.Hotkey { return subnet.Hotkey(s) }
func (s testSigner) Sign(_ context.Context, payload []byte) ([]byte, error) {
	sum := sha512.Sum512(append([]byte(s), payload...))
	return sum[:], nil
}

// verified reports whether a signature is one of testSigner's.
func verified(who subnet.Hotkey, msg, sig []byte) bool {
	sum := sha512.Sum512(append([]byte(who), msg...))
	return bytes.Equal(sum[:], sig)
}

type testChain struct {
	*world
	me subnet.Hotkey
}

func (c *testChain) head() subnet.Block { return subnet.Block(1000 + time.Since(c.began)/blockTime) }

func (c *testChain) Head(ctx context.Context) (subnet.Block, error) { return c.head(), ctx.Err() }

func (c *testChain) Wait(ctx context.Context, b subnet.Block) error {
	if b <= c.head() {
		return ctx.Err()
	}
	return actor.Pause(ctx, time.Until(c.began.Add(time.Duration(b-1000)*blockTime)))
}

func (c *testChain) Hash(context.Context, subnet.Block) (string, error) {
	return "0x" + strings.Repeat("0", 64), nil
}

func (c *testChain) Time(_ context.Context, b subnet.Block) (time.Time, error) {
	return c.began.Add(time.Duration(b-1000) * blockTime), nil
}

func (c *testChain) Metagraph(context.Context, subnet.Block) (*subnet.Metagraph, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &subnet.Metagraph{NetUID: 3, Block: c.head(), Neurons: slices.Clone(c.neurons)}, nil
}

func (c *testChain) Commitments(context.Context, subnet.Block) (list []subnet.Commitment, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.commitments {
		list = append(list, v)
	}
	return list, nil
}

func (c *testChain) Commit(_ context.Context, fields ...string) (subnet.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commitments[c.me] = subnet.Commitment{Hotkey: c.me, Block: c.head() + 1, Fields: fields}
	return c.head() + 1, nil
}

func (c *testChain) SetWeights(_ context.Context, weights []subnet.Weight) (subnet.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.weights[c.me] = weights
	return c.head() + 1, nil
}

func (c *testChain) ServeAxon(context.Context, netip.AddrPort) error { return nil }

// A toyEngine has a model whose loss is how far its numbers are from one that every
// text has in common, and a little of its own.
type toyEngine struct {
	mu    sync.Mutex
	model *toyModel // that was opened last
}

var toyParams = []subnet.Param{{Name: "a.weight", Shape: []int{40, 50}}, {Name: "b.weight", Shape: []int{300}}}

func (*toyEngine) Encode(text string) ([]int32, error) {
	out := make([]int32, len(text))
	for i := range len(text) {
		out[i] = int32(text[i])
	}
	return out, nil
}

func (e *toyEngine) Open(_ context.Context, files ...subnet.File) (subnet.Model, error) {
	m := &toyModel{values: make(map[string][]float32)}
	for _, p := range toyParams {
		m.values[p.Name] = make([]float32, p.Len())
		for i := range m.values[p.Name] {
			m.values[p.Name][i] = 0.1
		}
	}
	for _, f := range files {
		if err := m.Load(f); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.model = m
	return m, nil
}

type toyModel struct {
	mu     sync.Mutex // tests look at it meanwhile
	values map[string][]float32
}

func (m *toyModel) Load(f subnet.File) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, _, err := safetensors.Read(f, f.Size(), 1<<20)
	if err != nil {
		return err
	}
	for name, t := range d {
		if m.values[name], err = t.Floats(nil); err != nil {
			return err
		}
	}
	return nil
}

func (m *toyModel) Save(w io.Writer, _ subnet.Format, keep func(string) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := make(tensor.Dict)
	for _, p := range toyParams {
		if keep(p.Name) {
			d[p.Name] = tensor.FromFloats(tensor.F32, p.Shape, m.values[p.Name])
		}
	}
	return safetensors.Write(w, d, nil)
}

func (m *toyModel) Params() []subnet.Param { return toyParams }

func (m *toyModel) Read(name string, dst []float32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if copy(dst, m.values[name]) != len(m.values[name]) {
		return fmt.Errorf("read %s: %d values", name, len(dst))
	}
	return nil
}

func (m *toyModel) Write(name string, src []float32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if copy(m.values[name], src) != len(src) {
		return fmt.Errorf("write %s: %d values", name, len(src))
	}
	return nil
}

func (m *toyModel) Route(subnet.Experts) {}
func (m *toyModel) Close() error         { return nil }

func (m *toyModel) Loss(_ context.Context, s subnet.Sample) (subnet.Loss, error) {
	mean := m.loss(s.Given, nil)
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return subnet.Loss{Mean: math.Inf(1), Bad: 1}, nil
	}
	return subnet.Loss{Mean: mean, Tokens: 1}, nil
}

// loss is the mean squared distance from what the text wants, which is near 1.
func (m *toyModel) loss(batch []subnet.Sequence, back func(name string, i int, g float32)) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := fnv.New64a()
	for _, s := range batch {
		_ = binary.Write(h, binary.LittleEndian, s.Tokens)
	}
	phase := float64(h.Sum64() % 1000)
	sum, n := 0.0, 0.0
	for _, p := range toyParams {
		for i, v := range m.values[p.Name] {
			d := float64(v) - 1 - 0.2*math.Sin(phase+float64(i))
			sum += d * d
			n++
			if back != nil {
				back(p.Name, i, float32(d))
			}
		}
	}
	return sum / n
}

func (m *toyModel) Train(o subnet.TrainOptions) (subnet.Trainer, error) {
	t := &toyTrainer{model: m, opts: o, gradient: make(map[string][]float32)}
	t.Clear()
	return t, nil
}

type toyTrainer struct {
	model    *toyModel
	opts     subnet.TrainOptions
	steps    int64
	tokens   int
	gradient map[string][]float32
}

func (t *toyTrainer) Step(ctx context.Context) (subnet.Step, error) {
	t.Clear()
	n, loss := max(t.opts.Accumulate, 1), 0.0
	for range n {
		s, err := t.Accumulate(ctx)
		if err != nil {
			return s, err
		}
		loss += s.Loss / float64(n)
	}
	s, err := t.Apply(ctx, 1/float64(n))
	s.Loss = loss
	return s, err
}

func (t *toyTrainer) Accumulate(ctx context.Context) (subnet.Step, error) {
	batch, err := t.opts.Feed(ctx)
	if err != nil {
		return subnet.Step{}, err
	}
	if err := actor.Pause(ctx, 2*time.Second); err != nil {
		return subnet.Step{}, err
	}
	tokens := 0
	for _, s := range batch {
		for _, to := range s.Targets {
			if to >= 0 {
				tokens++
			}
		}
	}
	t.tokens += tokens
	loss := t.model.loss(batch, func(name string, i int, g float32) { t.gradient[name][i] += g })
	return subnet.Step{Loss: loss, Tokens: tokens}, nil
}

func (t *toyTrainer) Apply(_ context.Context, share float64) (subnet.Step, error) {
	t.model.mu.Lock()
	defer t.model.mu.Unlock()
	t.steps++
	lr := t.opts.Rate(int(t.steps))
	for name, g := range t.gradient {
		for i := range g {
			t.model.values[name][i] -= float32(float64(g[i]) * share * lr)
		}
	}
	s := subnet.Step{Number: int(t.steps), LR: lr, Tokens: t.tokens}
	t.Clear()
	return s, nil
}

func (t *toyTrainer) Clear() {
	for _, p := range toyParams {
		t.gradient[p.Name] = make([]float32, p.Len())
	}
	t.tokens = 0
}

func (t *toyTrainer) Read(what subnet.Kept, name string, dst []float32) error {
	if what == subnet.Gradient {
		copy(dst, t.gradient[name])
	}
	return nil
}

func (t *toyTrainer) Write(subnet.Kept, string, []float32) error { return nil }

func (t *toyTrainer) Save(w io.Writer) error { return binary.Write(w, binary.LittleEndian, t.steps) }

func (t *toyTrainer) Resume(f subnet.File) error {
	b := make([]byte, 8)
	if _, err := f.ReadAt(b, 0); err != nil && err != io.EOF {
		return err
	}
	return binary.Read(bytes.NewReader(b), binary.LittleEndian, &t.steps)
}
