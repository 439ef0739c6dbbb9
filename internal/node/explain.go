package node

import (
	"context"
	"errors"
	"fmt"
	"os"

	"adit/internal/exchange"
	"adit/internal/journal"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/wallet"
)

// Explain tells what became of a neuron's work in a round. The neuron may be
// running: nothing of its directory is changed, nothing is sent to the chain, and
// no password is asked for.
func Explain(ctx context.Context, o Options, what subnet.ExplainOptions) (subnet.Explanation, error) {
	if o.Protocol.Explain == nil {
		return subnet.Explanation{}, fmt.Errorf("protocol %s does not tell what becomes of a round", o.Protocol.Name)
	}
	settings, err := ReadSettings(o, "")
	if err != nil {
		return subnet.Explanation{}, err
	}
	services := settings.Config.Services()
	me, err := watched(services)
	if err != nil {
		return subnet.Explanation{}, err
	}
	run, err := openScratch(settings.Dir)
	if err != nil {
		return subnet.Explanation{}, err
	}
	defer run.Close()
	client, err := subtensor.Dial(ctx, subtensor.Options{Endpoints: services.Endpoints})
	if err != nil {
		return subnet.Explanation{}, err
	}
	defer client.Close()
	engine := &lazyEngine{services: services}
	defer engine.Close()
	return o.Protocol.Explain(ctx, subnet.Env{
		NetUID: services.NetUID, Config: settings.Config, Signer: me, Chain: client.Subnet(services.NetUID, nil), Engine: engine, Dir: run,
		Open: func(url string) (subnet.Store, error) {
			return exchange.Open(url, exchange.Options{HubEndpoint: services.Hub, Token: os.Getenv(services.HubToken)})
		},
		Bucket: Buckets(), HTTP: newClient(), Secret: os.Getenv, Verify: verify,
		Emit: func(subnet.Event) {},
	}, what)
}

// A watcher is a hotkey of which the public half is enough.
type watcher struct{ hotkey subnet.Hotkey }

var errWatcher = errors.New("nothing is signed here")

func (w watcher) Hotkey() subnet.Hotkey { return w.hotkey }

func (w watcher) Sign(context.Context, []byte) ([]byte, error) { return nil, errWatcher }

func watched(s subnet.Services) (subnet.Signer, error) {
	w, err := wallet.At(s.Wallet, s.Coldkey, s.Hotkey)
	if err != nil {
		return nil, err
	}
	key, err := w.HotkeyFiles().PublicKey()
	if err != nil {
		return nil, err
	}
	return watcher{subnet.Hotkey(key.Address())}, nil
}

// A scratch is a run's directory to read, with another one for what is written:
// files of that go before.
type scratch struct {
	run  *journal.Dir
	temp *journal.Dir
}

var _ subnet.Dir = (*scratch)(nil)

// openScratch makes the second directory within the first, where there is as much
// room as a checkpoint needs.
func openScratch(dir string) (*scratch, error) {
	run, err := journal.Look(dir)
	if err != nil {
		return nil, err
	}
	if err := run.CheckLayout(); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	path, err := os.MkdirTemp(dir, ".adit_why_")
	if err != nil {
		return nil, fmt.Errorf("make room for downloads: %w", err)
	}
	temp, err := journal.OpenDir(path)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return &scratch{run, temp}, nil
}

// Close removes what was written.
func (s *scratch) Close() error { return os.RemoveAll(s.temp.Path()) }

func (s *scratch) Open(name string) (subnet.File, error) {
	f, err := s.temp.Open(name)
	if errors.Is(err, subnet.ErrNotFound) {
		f, err = s.run.Open(name)
	}
	return f, err
}

func (s *scratch) Create(name string) (subnet.Draft, error) { return s.temp.Create(name) }
func (s *scratch) Resume(name string) (subnet.Draft, error) { return s.temp.Resume(name) }
func (s *scratch) List(dir string) ([]string, error)        { return s.run.List(dir) }
func (s *scratch) Rename(from, to string) error             { return s.temp.Rename(from, to) }
func (s *scratch) Link(from, to string) error               { return s.temp.Link(from, to) }
func (s *scratch) Remove(name string) error                 { return s.temp.Remove(name) }
