package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"

	"adit/internal/exchange"
	"adit/internal/journal"
	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/telemetry"
	"adit/internal/wallet"
)

// Options say which neuron to run.
type Options struct {
	Protocol subnet.Protocol
	Role     string
	Path     string   // the run's directory, or its config.yaml; "" for the defaults
	Root     string   // of the runs whose path is not given; "" to look for it
	Set      []string // settings that replace the file's, as key=value
	Events   *telemetry.Bus
	// MetricsPort is where Prometheus finds the metrics; 0 leaves it to the
	// environment whether they are served, at the role's customary port.
	MetricsPort uint16
}

// Run plays a role until ctx is done.
func Run(ctx context.Context, o Options) error {
	role, ok := o.Protocol.Role(o.Role)
	if !ok {
		return fmt.Errorf("protocol %s has no role %q", o.Protocol.Name, o.Role)
	}
	s, err := ReadSettings(o, role.Name)
	s.tell(o.Events.Emit)
	if err != nil {
		return err
	}
	dir, cfg := s.Dir, s.Config
	services := cfg.Services()

	run, err := journal.OpenDir(dir)
	if err != nil {
		return err
	}
	release, err := journal.Lock(dir, role.Parts...)
	if err != nil {
		return err
	}
	defer release()
	memory, err := openJournal(dir, role)
	if err != nil {
		return err
	}
	defer memory.Close()
	events, err := journal.OpenEvents(dir, role.Name)
	if err != nil {
		return err
	}
	defer events.Close()
	record := telemetry.NewJSONWriter(events)
	stop := o.Events.Subscribe(eventQueue, keepInfo(record.Write))
	defer stop()
	endReports := report(o, dir, cfg)
	defer endReports()

	keys, err := wallet.At(services.Wallet, services.Coldkey, services.Hotkey)
	if err != nil {
		return err
	}
	key, err := keys.Hotkey()
	if err != nil {
		return err
	}
	if placed, ok := cfg.(subnet.Placed); ok {
		release, err := journal.LockRun(journal.StateDir(), string(key.Hotkey()), placed.RunName(), dir, role.Parts...)
		if err != nil {
			return err
		}
		defer release()
	}
	if err := settle(ctx, cfg, role.Name); err != nil {
		return err
	}
	client, err := subtensor.Dial(ctx, subtensor.Options{Endpoints: services.Endpoints})
	if err != nil {
		return err
	}
	defer client.Close()
	chain := observed{client.Subnet(services.NetUID, key), o.Events.Emit}
	if services.Axon.IsValid() {
		if err := serveAxon(ctx, chain, key.Hotkey(), services.Axon); err != nil {
			return fmt.Errorf("serve axon: %w", err)
		}
	}
	engine := &lazyEngine{services: services, ranks: ranksOf(services, o.Events.Emit)}
	defer engine.Close()

	env := subnet.Env{
		NetUID: services.NetUID, Config: cfg, Signer: key, Chain: chain, Engine: engine, Dir: run, Journal: memory,
		Open: func(url string) (subnet.Store, error) {
			return exchange.Open(url, exchange.Options{HubEndpoint: services.Hub, Token: os.Getenv(services.HubToken)})
		},
		Bucket: Buckets(),
		HTTP:   newClient(),
		Serve:  serve,
		Secret: os.Getenv,
		Verify: verify,
		Emit:   o.Events.Emit,
	}
	if clock, ok := cfg.(subnet.Clock); ok {
		watching, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); watch(watching, chain, clock, o.Events.Emit) }()
		defer func() { stop(); <-done }()
	}
	return supervise(ctx, role, env)
}

// serveAxon puts the address on chain, if it is not there.
func serveAxon(ctx context.Context, chain subnet.Chain, me subnet.Hotkey, addr netip.AddrPort) error {
	meta, err := chain.Metagraph(ctx, subnet.Latest)
	if err != nil {
		return err
	}
	if n, ok := meta.ByHotkey(me); ok && n.Axon == addr {
		return nil
	}
	return chain.ServeAxon(ctx, addr)
}

// eventQueue is how many events may wait for the disk.
const eventQueue = 1024

// openJournal opens the journal of a role: that of its last part, so that a role
// of several parts goes on where the parts by themselves left off.
func openJournal(dir string, role subnet.Role) (*journal.File, error) {
	path := filepath.Join(dir, "journal", role.Parts[len(role.Parts)-1])
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	return journal.OpenJournal(path)
}

// supervise runs the role. Here, and nowhere else, a panic becomes an error: it
// is a bug of ours, and whatever restarts the process restarts the role.
func supervise(ctx context.Context, role subnet.Role, env subnet.Env) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("role %s: panic: %v\n%s", role.Name, p, debug.Stack())
		}
	}()
	if err := role.Run(ctx, env); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", role.Name, err)
	}
	return nil
}

func verify(who subnet.Hotkey, msg, sig []byte) bool {
	pub, err := keys.ParseAddress(string(who))
	return err == nil && keys.VerifyWrapped(pub, msg, sig)
}
