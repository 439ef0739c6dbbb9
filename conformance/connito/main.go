// Command connito is the Go side of the conformance test run.sh: a validator with
// its checkpoint server, or a miner's model-io, each on a chain that the test
// moves.
//
//	connito validate DIR RULES    serves until killed; prints JSON, a line for each event
//	connito model-io DIR RULES HOST:PORT    lives one cycle with the validator at that address
package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"adit/internal/checkpoint"
	"adit/internal/journal"
	"adit/internal/keys"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "connito:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "validate":
		return validate(args[1], args[2])
	case len(args) == 4 && args[0] == "model-io":
		return modelIO(args[1], args[2], args[3])
	}
	return errors.New("usage: connito validate DIR RULES | model-io DIR RULES HOST:PORT")
}

// A player is a neuron with a key.
type player struct {
	*keys.Pair
	seed [32]byte
}

func newPlayer(n byte) (player, error) {
	seed := [32]byte{n, 7}
	pair, err := keys.FromSeed(seed)
	return player{pair, seed}, err
}

func (p player) Hotkey() subnet.Hotkey { return subnet.Hotkey(p.Address()) }
func (p player) Sign(_ context.Context, msg []byte) ([]byte, error) {
	return p.Pair.Sign(msg)
}

// A scene is the chain, its two neurons and the model.
type scene struct {
	rules            connito.Rules
	chain            *chain
	validator, miner player
	group            connito.Group
	version          uint64 // of the baseline
	base, best       []byte // shards
}

func newScene(name string) (*scene, error) {
	s := &scene{group: connito.Group{ID: 0, Assignment: connito.Assignment{1: {{0, 22}, {1, 17}}}}}
	var err error
	if s.rules, err = connito.GenerationByName(name); err != nil {
		return nil, err
	}
	if s.validator, err = newPlayer(1); err == nil {
		s.miner, err = newPlayer(2)
	}
	if err != nil {
		return nil, err
	}
	s.chain = &chain{moved: make(chan struct{}), meta: subnet.Metagraph{Neurons: []subnet.Neuron{
		{UID: 0, Hotkey: s.validator.Hotkey(), Permit: true, Stake: 1000}, {UID: 1, Hotkey: s.miner.Hotkey(), Incentive: 0.5},
	}}}
	s.version = s.rules.Schedule.Version(0)
	if s.base, err = s.shard(0); err == nil {
		s.best, err = s.shard(0.5)
	}
	return s, err
}

// shard returns a file of about half a megabyte, so that it comes in many parts.
func (s *scene) shard(shift float32) ([]byte, error) {
	d := make(tensor.Dict)
	for _, pair := range s.group.Assignment[1] {
		for _, part := range []string{"gate_up_proj", "down_proj"} {
			vals := make([]float32, 256*256)
			for i := range vals {
				vals[i] = float32(i%100)/8 + shift
			}
			d[fmt.Sprintf("model.layers.1.mlp.experts.%d.%s", pair[1], part)] = tensor.FromFloats(tensor.F16, []int{256, 256}, vals)
		}
	}
	var b bytes.Buffer
	err := checkpoint.Write(&b, subnet.Torch, d)
	return b.Bytes(), err
}

func hashOf(file []byte) (string, error) {
	d, err := checkpoint.Read(memFile{bytes.NewReader(file)}, 1<<30)
	return connito.Hash(d), err
}

type memFile struct{ *bytes.Reader }

func (memFile) Name() string { return "shard" }
func (memFile) Close() error { return nil }

// env returns what a role may touch.
func (s *scene) env(dir string, who player, cfg *connito.Config) (subnet.Env, error) {
	files, err := journal.OpenDir(dir)
	if err != nil {
		return subnet.Env{}, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "journal"), 0o755); err != nil {
		return subnet.Env{}, err
	}
	memory, err := journal.OpenJournal(filepath.Join(dir, "journal"))
	if err != nil {
		return subnet.Env{}, err
	}
	cfg.Task.Groups = []connito.Group{s.group}
	cfg.Ckpt.Format = string(s.rules.Formats[0])
	cfg.Cycle.OwnerURL = ""
	cfg.Cycle.ValidatorWhitelist = []string{string(s.validator.Hotkey())}
	cfg.HF.CheckpointRepo = ""
	return subnet.Env{
		NetUID: 1, Config: cfg, Signer: who, Chain: chainOf{s.chain, who.Hotkey()}, Engine: engine{s}, Dir: files, Journal: memory,
		Open: func(url string) (subnet.Store, error) { return nil, fmt.Errorf("there is no hub for %s", url) },
		HTTP: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		Serve: func(ctx context.Context, at netip.AddrPort, h http.Handler) error {
			server := &http.Server{Addr: at.String(), Handler: h}
			context.AfterFunc(ctx, func() { server.Close() })
			if err := server.ListenAndServe(); ctx.Err() == nil {
				return err
			}
			return nil
		},
		Secret: os.Getenv,
		Verify: func(who subnet.Hotkey, msg, sig []byte) bool {
			pub, err := keys.ParseAddress(string(who))
			return err == nil && keys.VerifyWrapped(pub, msg, sig)
		},
		Emit: emit,
	}, nil
}

var out sync.Mutex

// emit prints an event as a line of JSON.
func emit(e subnet.Event) {
	attrs := make(map[string]string)
	for _, a := range e.Attrs {
		attrs[a.Key] = a.Value.String()
	}
	line, err := json.Marshal(map[string]any{"kind": e.Kind, "text": e.Text, "level": e.Level.String(), "attrs": attrs})
	if err != nil {
		panic(err) // unreachable: strings encode
	}
	out.Lock()
	defer out.Unlock()
	fmt.Printf("%s\n", line)
}

func put(dir, name string, data []byte) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// validate is the validator. The test moves the chain through a port of its own.
func validate(dir, rules string) error {
	s, err := newScene(rules)
	if err != nil {
		return err
	}
	cfg := connito.Defaults(rules, connito.RoleValidator)
	cfg.Chain.IP, cfg.Chain.Port = "127.0.0.1", freePort()
	if limit := os.Getenv("MAX_SUBMISSION_BYTES"); limit != "" {
		if cfg.Ckpt.MaxSubmissionBytes, err = strconv.ParseInt(limit, 10, 64); err != nil {
			return err
		}
	}
	env, err := s.env(dir, s.validator, cfg)
	if err != nil {
		return err
	}
	baseHash, err := hashOf(s.base)
	if err != nil {
		return err
	}
	bestHash, err := hashOf(s.best)
	if err != nil {
		return err
	}
	if err := errors.Join(put(dir, fmt.Sprintf("globalver_%d/model_expgroup_0.pt", s.version), s.base), put(dir, "best.pt", s.best)); err != nil {
		return err
	}
	s.chain.add(subnet.Commitment{Hotkey: s.validator.Hotkey(), Block: 1, Fields: []string{fmt.Sprintf(`{"h":"%s","v":%d,"e":0,"s":11}`, baseHash, s.version)}})
	s.chain.move(s.rules.Schedule.Start(1, connito.Train))

	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /head/{block}", func(w http.ResponseWriter, r *http.Request) {
		block, err := strconv.ParseUint(r.PathValue("block"), 10, 63)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.chain.move(subnet.Block(block))
	})
	mux.HandleFunc("POST /commit/{hotkey}/{block}", func(w http.ResponseWriter, r *http.Request) {
		block, err := strconv.ParseUint(r.PathValue("block"), 10, 63)
		text, readErr := io.ReadAll(r.Body)
		if err := errors.Join(err, readErr); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.chain.add(subnet.Commitment{Hotkey: subnet.Hotkey(r.PathValue("hotkey")), Block: subnet.Block(block), Fields: []string{string(text)}})
	})
	go http.Serve(control, mux)

	starts := make(map[string]subnet.Block)
	for p := connito.Distribute; p <= connito.ValidatorCommit2; p++ {
		starts[p.String()] = s.rules.Schedule.Start(1, p)
	}
	hello, err := json.Marshal(map[string]any{
		"kind": "hello", "url": fmt.Sprintf("http://127.0.0.1:%d", cfg.Chain.Port), "control": "http://" + control.Addr().String(),
		"validator": s.validator.Hotkey(), "validator_key": key(s.validator), "miner": s.miner.Hotkey(), "miner_seed": hex.EncodeToString(s.miner.seed[:]),
		"version": s.version, "hash": bestHash, "starts": starts,
	})
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", hello)
	role, _ := connito.Protocol.Role("validate")
	return role.Run(context.Background(), env)
}

func key(p player) string {
	public := p.Public()
	return hex.EncodeToString(public[:])
}

func freePort() uint16 {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err) // there is no network on this machine
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

// modelIO is the miner, in a cycle in which all that it needs is there: a baseline
// with the validator, and a checkpoint of its own.
func modelIO(dir, rules, address string) error {
	s, err := newScene(rules)
	if err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	s.chain.meta.Neurons[0].Axon = at
	cfg := connito.Defaults(rules, connito.RoleMiner)
	env, err := s.env(dir, s.miner, cfg)
	if err != nil {
		return err
	}
	hash, err := hashOf(s.base)
	if err != nil {
		return err
	}
	own := fmt.Sprintf("globalver_%d_inneropt_9/", s.version)
	if err := errors.Join(put(dir, "base.pt", s.base), put(dir, own+"model_expgroup_0.pt", s.best),
		put(dir, own+"global_state.json", fmt.Appendf(nil, `{"cycle":1,"global_ver":%d,"inner_opt":9,"loss":2.5}`, s.version))); err != nil {
		return err
	}
	sig, err := s.validator.Pair.Sign([]byte(hash))
	if err != nil {
		return err
	}
	sched := s.rules.Schedule
	s.chain.add(subnet.Commitment{Hotkey: s.validator.Hotkey(), Block: sched.Start(0, connito.ValidatorCommit1), Fields: []string{fmt.Sprintf(`{"m":"%s"}`, base64URL(sig))}})
	s.chain.add(subnet.Commitment{Hotkey: s.validator.Hotkey(), Block: sched.End(0, connito.ValidatorCommit2), Fields: []string{fmt.Sprintf(`{"h":"%s","v":%d,"e":0,"s":11}`, hash, s.version)}})
	s.chain.move(sched.Start(1, connito.Distribute))

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer cancel()
		end := sched.Start(2, connito.Distribute)
		for b := sched.Start(1, connito.Distribute); b < end; b++ {
			pause := time.Millisecond
			switch sched.At(b).Phase {
			case connito.Distribute, connito.MinerCommit1, connito.MinerCommit2, connito.Submission:
				pause = 150 * time.Millisecond
			}
			time.Sleep(pause)
			s.chain.move(b + 1)
		}
	}()
	role, _ := connito.Protocol.Role("model-io")
	if err := role.Run(ctx, env); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	emit(subnet.Event{Kind: "end", Text: "the cycle is over", Attrs: []slog.Attr{slog.String("hash", hash)}})
	return nil
}
