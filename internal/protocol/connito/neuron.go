package connito

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"adit/internal/checkpoint"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// A neuron is what the roles have in common: the services, the settings and the
// generation of the network.
type neuron struct {
	subnet.Env
	cfg   *Config
	rules Rules
	me    subnet.Hotkey
}

func newNeuron(env subnet.Env) (*neuron, error) {
	cfg, ok := env.Config.(*Config)
	if !ok {
		return nil, fmt.Errorf("settings are of type %T, want those of connito", env.Config)
	}
	rules, err := cfg.ruleset()
	if err != nil {
		return nil, err
	}
	n := &neuron{Env: env, cfg: cfg, rules: rules, me: env.Signer.Hotkey()}
	if rules.has(DocsTransport) {
		n.Emit = (&documenter{neuron: n, emit: env.Emit}).Emit
	}
	return n, nil
}

// say emits an event for people and programs.
func (n *neuron) say(kind, text string, attrs ...slog.Attr) {
	n.Emit(subnet.Event{Kind: kind, Text: text, Attrs: attrs})
}

// note emits an event for programs, such as those that show metrics: people see
// it only if they ask for every detail.
func (n *neuron) note(kind, text string, attrs ...slog.Attr) {
	n.Emit(subnet.Event{Level: slog.LevelDebug, Kind: kind, Text: text, Attrs: attrs})
}

// warn emits an event about something that went wrong and is survived.
func (n *neuron) warn(kind, text string, err error, attrs ...slog.Attr) {
	n.Emit(subnet.Event{Level: slog.LevelWarn, Kind: kind, Text: text, Attrs: append(attrs, slog.String("error", err.Error()))})
}

// now returns where the head stands in its cycle, and the head.
func (n *neuron) now(ctx context.Context) (Position, subnet.Block, error) {
	head, err := n.Chain.Head(ctx)
	if err != nil {
		return Position{}, 0, fmt.Errorf("read head: %w", err)
	}
	return n.rules.Schedule.At(head), head, nil
}

// nextBlock waits until there is a block after the head.
func (n *neuron) nextBlock(ctx context.Context) error {
	head, err := n.Chain.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	return n.Chain.Wait(ctx, head+1)
}

// until returns a context that ends when block b is produced.
func until(ctx context.Context, chain subnet.Chain, b subnet.Block) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		_ = chain.Wait(ctx, b) // either way the time is up
	}()
	return ctx, func() { cancel(); <-done }
}

// errWindow is why a commitment was not sent, or came too late to count.
var errWindow = errors.New("its window has passed")

// commitOnce puts a commitment on chain in its window, once: what the journal
// holds under key is what is sent, and what is on chain already is not sent
// again. It tries until the window ends.
func (n *neuron) commitOnce(ctx context.Context, key string, from, to subnet.Block, fields []string) error {
	standing, err := n.Journal.Intend(key, toJSON(fields))
	if err != nil {
		return fmt.Errorf("journal %s: %w", key, err)
	}
	if err := json.Unmarshal([]byte(standing), &fields); err != nil {
		return fmt.Errorf("journal %s: %w", key, err)
	}
	if _, done := n.Journal.Result(key); done {
		return nil
	}
	if err := n.Chain.Wait(ctx, from-1); err != nil {
		return err
	}
	// What goes into block to is known when that block is there.
	window, cancel := until(ctx, n.Chain, to+1)
	defer cancel()
	for {
		block, err := n.committed(window, fields)
		if err == nil && block == 0 {
			block, err = n.commitBefore(window, to, fields)
		}
		if err != nil && ctx.Err() == nil && window.Err() != nil {
			// The answer may have been lost, and not the commitment.
			if found, lookErr := n.committed(ctx, fields); lookErr == nil && found > 0 {
				block, err = found, nil
			}
		}
		switch {
		case err == nil && block <= to:
			return n.Journal.Done(key, fmt.Sprint(block))
		case err == nil:
			return fmt.Errorf("included in block %d: %w at %d", block, errWindow, to)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errWindow):
			return err
		case window.Err() != nil:
			return fmt.Errorf("%w at %d: %w", errWindow, to, err)
		}
		n.warn("retry", "commit did not go through, trying again", err)
		if err := n.nextBlock(window); err != nil {
			return fmt.Errorf("%w at %d: %w", errWindow, to, err)
		}
	}
}

// commitBefore sends a commitment, unless the next block is already too late.
func (n *neuron) commitBefore(ctx context.Context, to subnet.Block, fields []string) (subnet.Block, error) {
	head, err := n.Chain.Head(ctx)
	if err == nil && head >= to {
		err = fmt.Errorf("%w at %d", errWindow, to)
	}
	if err != nil {
		return 0, err
	}
	return n.Chain.Commit(ctx, fields...)
}

// committed returns the block in which the hotkey committed to exactly these
// fields, or 0.
func (n *neuron) committed(ctx context.Context, fields []string) (subnet.Block, error) {
	all, err := n.Chain.Commitments(ctx, subnet.Latest)
	if err != nil {
		return 0, fmt.Errorf("read commitments: %w", err)
	}
	for _, c := range all {
		if c.Hotkey == n.me && toJSON(c.Fields) == toJSON(fields) {
			return c.Block, nil
		}
	}
	return 0, nil
}

// fetch downloads a shard of another neuron into the directory and checks it:
// the hash it was committed with, and what a shard may hold. Only then does the
// file appear, as dir/model_expgroup_<g>.<format>; its name is returned. A file
// that is there already was checked when it came.
func (n *neuron) fetch(ctx context.Context, dir string, g Group, c Commit) (string, error) {
	store, err := n.Open("hf://" + c.Repo)
	if err != nil {
		return "", err
	}
	own := subnet.Format(n.cfg.Ckpt.Format)
	for _, f := range []subnet.Format{own, other(own)} {
		name := dir + "/" + shardFile(g.ID, f)
		err := n.receive(ctx, name, g, c, func(draft subnet.Draft) error {
			return store.Get(ctx, c.Revision, shardFile(g.ID, f), draft, n.cfg.Ckpt.MaxBytes)
		})
		if f == own && errors.Is(err, subnet.ErrNotFound) {
			continue
		}
		return name, err
	}
	panic("unreachable: the last format returns")
}

// receive makes a file of the directory from what get downloads of it, if it is
// what was committed to. A file that is there already was checked when it came.
func (n *neuron) receive(ctx context.Context, name string, g Group, c Commit, get func(subnet.Draft) error) error {
	if file, err := n.Dir.Open(name); err == nil {
		return file.Close()
	}
	began := time.Now()
	draft, err := n.Dir.Resume(name)
	if err != nil {
		return err
	}
	watched := watch(draft)
	err = get(watched)
	if err == nil {
		err = n.acceptDraft(ctx, watched, name, g, c)
	}
	if err == nil {
		n.note("fetch", "fetched and checked", slog.Duration("fetch_time", time.Since(began)), slog.String("path", name))
		return draft.Commit()
	}
	if !errors.Is(err, subnet.ErrTemporary) && ctx.Err() == nil {
		err = errors.Join(err, draft.Truncate(0)) // wrong bytes are no beginning
	}
	return errors.Join(err, draft.Close())
}

func other(f subnet.Format) subnet.Format {
	if f == subnet.Torch {
		return subnet.Safetensors
	}
	return subnet.Torch
}

// accept refuses a file that is not what was committed to.
func (n *neuron) accept(ctx context.Context, f subnet.File, g Group, c Commit) error {
	got, err := n.digest(ctx, f)
	if err != nil {
		return stopped(gateParse, err)
	}
	return n.rules.inspect(got, c, g.Assignment).err()
}

// digest reads a shard, once, and returns what its verdict depends on.
func (n *neuron) digest(ctx context.Context, f subnet.File) (Contents, error) {
	x, err := checkpoint.Open(f, n.cfg.Ckpt.MaxBytes)
	if err != nil {
		return Contents{}, err
	}
	return n.rules.digest(x, ctx.Err)
}

// A draftFile reads a draft as the file it will be.
type draftFile struct {
	subnet.Draft
	name string
}

func (d draftFile) Name() string { return d.name }
func (d draftFile) Close() error { return nil } // the draft lives on

// write makes a file of the neuron's directory.
func (n *neuron) write(name string, write func(io.Writer) error) error {
	draft, err := n.Dir.Create(name)
	if err != nil {
		return err
	}
	defer draft.Close()
	if err := write(draft); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return draft.Commit()
}

// readJSON fills v from a file of at most a few megabytes.
func (n *neuron) readJSON(name string, v any) error {
	data, err := n.read(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// read returns a file of at most a few megabytes.
func (n *neuron) read(name string) ([]byte, error) {
	f, err := n.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const limit = 16 << 20
	data, err := io.ReadAll(io.NewSectionReader(f, 0, min(f.Size(), limit)))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

func (n *neuron) writeJSON(name string, v any) error {
	return n.write(name, func(w io.Writer) error {
		_, err := io.WriteString(w, toJSON(v))
		return err
	})
}

// tensors reads a shard of the neuron's own directory.
func (n *neuron) tensors(name string) (tensor.Dict, error) {
	f, err := n.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return checkpoint.Read(f, n.cfg.Ckpt.MaxBytes)
}

// load lays a shard of the directory over the model.
func (n *neuron) load(m subnet.Model, name string) error {
	f, err := n.Dir.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return m.Load(f)
}

// toJSON is for values that always encode.
func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
