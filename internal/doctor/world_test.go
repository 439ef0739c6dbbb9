package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"adit/internal/config"
	"adit/internal/data"
	"adit/internal/engine/model"
	"adit/internal/ledger"
	"adit/internal/local/chainnode"
	"adit/internal/local/hub"
	"adit/internal/protocol/connito"
	"adit/internal/safetensors"
	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tensor"
	"adit/internal/wallet"
)

func TestMain(m *testing.M) {
	// Settings name the variable that holds the token: a case has its own.
	for name, token := range map[string]string{"TOKEN_GOOD": "token-miner", "TOKEN_WRONG": "token-of-nobody", "TOKEN_READ": "token-read", "TOKEN_FINE": "token-fine"} {
		os.Setenv(name, token)
	}
	for _, name := range []string{"HF_TOKEN", "HF_ENDPOINT", "BT_WALLET_PASSWORD", "BT_WALLET_PASSWORD_FILE", "BT_WALLET_PATH"} {
		os.Unsetenv(name)
	}
	goleak.VerifyTestMain(m)
}

// A world is all that a neuron needs: a chain with a subnet, a hub, the owner's
// service, wallets, a model and text. Nobody trains in it.
type world struct {
	t        *testing.T
	dir      string
	chainURL string
	hub      *httptest.Server
	owner    *httptest.Server
	rules    connito.Rules
	client   *subtensor.Client

	mu    sync.Mutex
	phase map[string]string // what the owner's service answers, by path; "" is 500
	fine  string            // what the hub says of TOKEN_FINE
}

// rules are those of the local network with the owner's phase table.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), rules: connito.Local, phase: make(map[string]string)}
	w.startChain()
	w.startHub()
	w.startOwner()
	w.makeModel()
	w.makeWallets()
	return w
}

func (w *world) check(err error) { w.t.Helper(); check(w.t, err) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) path(parts ...string) string {
	return filepath.Join(append([]string{w.dir}, parts...)...)
}

func (w *world) startChain() {
	genesis := ledger.DevGenesis()
	genesis.Spec.Tempo = 10
	node, err := chainnode.Open(chainnode.Options{Dir: w.path("chain"), BlockTime: 100 * time.Millisecond, Genesis: genesis})
	w.check(err)
	l, err := chainnode.Listen(0)
	w.check(err)
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { _ = node.Serve(ctx, l) })
	group.Go(func() { _ = node.Run(ctx) })
	w.chainURL = "ws://" + l.Addr().String()
	w.t.Cleanup(func() {
		if w.client != nil {
			w.client.Close()
		}
		cancel()
		group.Wait()
		node.Close()
	})
}

func (w *world) startHub() {
	h, err := hub.Open(w.path("hub"), hub.Options{Tokens: map[string]string{"token-miner": "miner", "token-read": "miner"}})
	w.check(err)
	w.hub = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		auth := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if role := map[string]string{"token-read": "read", "token-fine": "fineGrained"}[auth]; role != "" && r.URL.Path == "/api/whoami-v2" {
			w.mu.Lock()
			defer w.mu.Unlock()
			fmt.Fprintf(rw, `{"name":"miner","orgs":[{"name":"guild"}],"auth":{"accessToken":{"role":%q,"fineGrained":{"scoped":[{"entity":{"name":"miner"},"permissions":[%s]}]}}}}`, role, w.fine)
			return
		}
		h.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(w.hub.Close)
}

func (w *world) startOwner() {
	w.owner = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		body, ok := w.phase[r.URL.Path]
		if r.URL.Path == "/get_phase" && !ok {
			body, ok = w.phaseNow(), true
		}
		if !ok {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		fmt.Fprint(rw, body)
	}))
	w.t.Cleanup(w.owner.Close)
	w.phase["/"] = w.table(0)
}

// table is the answer of the owner's service to /, with so many more blocks of
// Train than the rules have.
func (w *world) table(more uint64) string {
	var phases []map[string]any
	for p, n := range w.rules.Schedule {
		length := uint64(n)
		if connito.Phase(p) == connito.Train {
			length += more
		}
		phases = append(phases, map[string]any{"index": p, "name": connito.Phase(p).String(), "length": length})
	}
	b, err := json.Marshal(map[string]any{"cycle_length": uint64(w.rules.Schedule.Cycle()) + more, "phases": phases})
	w.check(err)
	return string(b)
}

// phaseNow is the answer to /get_phase.
func (w *world) phaseNow() string {
	head, err := w.client.Head(context.Background())
	if err != nil {
		return ""
	}
	pos := w.rules.Schedule.At(head)
	return phaseAt(w.rules, head, pos.Cycle)
}

func phaseAt(r connito.Rules, head subnet.Block, cycle uint64) string {
	pos := r.Schedule.At(head)
	b, _ := json.Marshal(map[string]any{"block": head, "cycle_length": r.Schedule.Cycle(), "cycle_index": cycle, "phase_name": pos.Phase.String(),
		"phase_start_block": pos.Start, "phase_end_block": pos.End})
	return string(b)
}

// makeModel writes a small model of noughts, and text for two groups.
func (w *world) makeModel() {
	var sources []data.Source
	for _, path := range []string{".", "../config"} {
		s, err := data.Files(path)
		w.check(err)
		sources = append(sources, s)
	}
	corpus, err := data.Prepare(w.t.Context(), w.path("text"), sources, data.Options{Vocab: 300, MaxBytes: 1 << 17, HeldOutBytes: 1 << 14}, func(data.Progress) {})
	w.check(err)
	c := model.Small(corpus.VocabSize(), 2)
	w.writeModel(w.t, "model", c, c)
}

func (w *world) writeModel(t *testing.T, name string, c, held model.Config) {
	check(t, os.MkdirAll(w.path(name), 0o755))
	text, err := json.Marshal(c)
	check(t, err)
	check(t, os.WriteFile(w.path(name, "config.json"), text, 0o644))
	d := make(tensor.Dict)
	for _, p := range held.Params() {
		d[p.Name] = tensor.FromFloats(tensor.F32, p.Shape, make([]float32, p.Hi-p.Lo))
	}
	f, err := os.Create(w.path(name, "model.safetensors"))
	check(t, err)
	check(t, safetensors.Write(f, d, nil))
	check(t, f.Close())
}

// writeShards makes a model in two files, of which so many are written.
func (w *world) writeShards(t *testing.T, name string, written int) {
	c := model.Small(300, 2)
	w.writeModel(t, name, c, c)
	check(t, os.Remove(w.path(name, "model.safetensors")))
	shards, in := [2]tensor.Dict{{}, {}}, make(map[string]string)
	for i, p := range c.Params() {
		shards[i%2][p.Name] = tensor.FromFloats(tensor.F32, p.Shape, make([]float32, p.Hi-p.Lo))
		in[p.Name] = fmt.Sprintf("%d.safetensors", i%2+1)
	}
	index, err := safetensors.EncodeIndex(1, in)
	check(t, err)
	check(t, os.WriteFile(w.path(name, "model.safetensors.index.json"), index, 0o644))
	for i, d := range shards[:written] {
		f, err := os.Create(w.path(name, fmt.Sprintf("%d.safetensors", i+1)))
		check(t, err)
		check(t, safetensors.Write(f, d, nil))
		check(t, f.Close())
	}
}

// makeWallets makes a miner and a validator of a subnet of Alice's, and stranger,
// who is none of its neurons.
func (w *world) makeWallets() {
	ctx := w.t.Context()
	var err error
	w.client, err = subtensor.Dial(ctx, subtensor.Options{Endpoints: []string{w.chainURL}})
	w.check(err)
	wallets := make(map[string]*wallet.Signer)
	hot := make(map[string]subtensor.Account)
	for name, uri := range map[string]string{"owner": "//Alice", "miner": "//Bob", "validator": "//Charlie", "stranger": "//Stranger"} {
		k, err := wallet.At(w.path("wallets"), name, "default")
		w.check(err)
		_, err = k.CreateColdkey(uri)
		w.check(err)
		_, err = k.CreateHotkey(uri + "/hot")
		w.check(err)
		wallets[name], err = k.Coldkey()
		w.check(err)
		defer wallets[name].Close()
		key, err := k.HotkeyFiles().PublicKey()
		w.check(err)
		hot[name] = key.Public()
		if name == "validator" {
			w.phase["/get_validator_whitelist"] = fmt.Sprintf("[%q]", key.Address())
		}
	}
	const n = subnet.NetUID(1)
	root := func(name string, args scale.Args) subtensor.Call {
		return subtensor.Root(subtensor.Call{Pallet: "AdminUtils", Name: name, Args: args})
	}
	do := func(name string, calls ...subtensor.Call) {
		_, err := w.client.Do(ctx, wallets[name], subtensor.BatchAll(calls...), subtensor.SubmitOptions{})
		w.check(err)
	}
	do("owner", root("sudo_set_network_rate_limit", scale.Args{"rate_limit": 0}), root("sudo_set_start_call_delay", scale.Args{"delay": 0}),
		root("sudo_set_admin_freeze_window", scale.Args{"window": 0}), subtensor.RegisterNetwork(hot["owner"]), subtensor.StartCall(n),
		root("sudo_set_network_registration_allowed", scale.Args{"netuid": n, "registration_allowed": true}),
		root("sudo_set_weights_set_rate_limit", scale.Args{"netuid": n, "weights_set_rate_limit": 90}),
		root("sudo_set_commit_reveal_weights_enabled", scale.Args{"netuid": n, "enabled": false}))
	do("miner", subtensor.BurnedRegister(n, hot["miner"]))
	do("validator", subtensor.BurnedRegister(n, hot["validator"]), subtensor.AddStake(hot["validator"], n, 1e12))
	for permit := false; !permit; { // at the next epoch
		head, err := w.client.Head(ctx)
		w.check(err)
		w.check(w.client.Wait(ctx, head+1))
		meta, err := w.client.Subnet(n, nil).Metagraph(ctx, subnet.Latest)
		w.check(err)
		permit = slices.ContainsFunc(meta.Neurons, func(v subnet.Neuron) bool { return v.Permit })
	}
}

// write makes a run's directory with its settings, changed as a case wants.
func (w *world) write(t *testing.T, name, role string, change func(*connito.Config)) string {
	c := connito.Defaults(connito.Local.Name, map[string]string{"miner": connito.RoleMiner, "validator": connito.RoleValidator}[role])
	c.Chain.NetUID, c.Chain.Endpoints, c.Chain.WalletPath, c.Chain.ColdkeyName = 1, []string{w.chainURL}, w.path("wallets"), role
	c.Chain.IP, c.Chain.Port = "127.0.0.1", freePort(t)
	c.Cycle.OwnerURL = w.owner.URL
	c.Model.ModelPath, c.Task.Data, c.Task.SequenceLength = w.path("model"), w.path("text"), 32
	for g := range 2 {
		if role == "miner" && g > 0 {
			break
		}
		a := make(connito.Assignment)
		for l := range 4 {
			a[l] = [][2]int{{0, 8 * g}, {1, 8*g + 1}}
		}
		c.Task.Groups = append(c.Task.Groups, connito.Group{ID: g, Assignment: a})
	}
	c.HF.Endpoint, c.HF.CheckpointRepo, c.HF.TokenEnvVar = w.hub.URL, "miner/co", "TOKEN_GOOD"
	if change != nil {
		change(c)
	}
	dir := w.path("runs", name)
	check(t, os.MkdirAll(dir, 0o755))
	check(t, config.Replace(filepath.Join(dir, "config.yaml"), c, "of a test"))
	return dir
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	defer s.Close()
	var port uint16
	if _, err := fmt.Sscanf(s.Listener.Addr().String(), "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	return port
}

// doctor looks, and returns what was found by name.
func (w *world) doctor(t *testing.T, dir string) (Report, map[string]Result) {
	t.Helper()
	r, err := Run(t.Context(), Options{Protocol: connito.Protocol, Path: dir, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]Result)
	for _, x := range r.Results {
		if found[x.Name].Name != "" {
			t.Errorf("there are two checks of the name %q", x.Name)
		}
		found[x.Name] = x
	}
	return r, found
}
