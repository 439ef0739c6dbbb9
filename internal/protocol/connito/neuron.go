package connito

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"adit/internal/checkpoint"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// A neuron is what the roles have in common: the services, the settings and the
// generation of the network.
type neuron struct {
	actor.Actor
	cfg   *Config
	rules Rules
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
	if env.Chain != nil { // what only explains may have none
		env.Chain = actor.Sober(env.Chain, env.Emit)
	}
	n := &neuron{Actor: actor.New(env), cfg: cfg, rules: rules}
	if rules.has(DocsTransport) {
		n.Emit = (&documenter{neuron: n, emit: env.Emit}).Emit
	}
	return n, nil
}

// now returns where the head stands in its cycle, and the head.
func (n *neuron) now(ctx context.Context) (Position, subnet.Block, error) {
	head, err := n.Chain.Head(ctx)
	if err != nil {
		return Position{}, 0, fmt.Errorf("read head: %w", err)
	}
	return n.rules.Schedule.At(head), head, nil
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
		n.Note("fetch", "fetched and checked", slog.Duration("fetch_time", time.Since(began)), slog.String("path", name))
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
