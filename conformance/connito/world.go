package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"adit/internal/checkpoint"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

func base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// A chain stands still until it is moved. What is committed goes into the next
// block.
type chain struct {
	mu      sync.Mutex
	head    subnet.Block
	moved   chan struct{} // closed at each move
	meta    subnet.Metagraph
	commits []subnet.Commitment
}

func (c *chain) move(to subnet.Block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head = max(c.head, to)
	close(c.moved)
	c.moved = make(chan struct{})
}

func (c *chain) add(commit subnet.Commitment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits = append(c.commits, commit)
}

// A chainOf is the chain as a neuron sees it.
type chainOf struct {
	*chain
	who subnet.Hotkey
}

func (c chainOf) Head(context.Context) (subnet.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head, nil
}

func (c chainOf) Wait(ctx context.Context, b subnet.Block) error {
	for {
		c.mu.Lock()
		head, moved := c.head, c.moved
		c.mu.Unlock()
		if head >= b {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c chainOf) Hash(context.Context, subnet.Block) (string, error) {
	return "0x" + strings.Repeat("1", 64), nil
}

func (c chainOf) Time(context.Context, subnet.Block) (time.Time, error) { return time.Time{}, nil }

func (c chainOf) Metagraph(_ context.Context, at subnet.Block) (*subnet.Metagraph, error) {
	m := c.meta
	m.Block = at
	return &m, nil
}

// Commitments returns what each slot holds after a block.
func (c chainOf) Commitments(_ context.Context, at subnet.Block) ([]subnet.Commitment, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var slots []subnet.Commitment
	for _, n := range c.meta.Neurons {
		var last subnet.Commitment
		for _, commit := range c.commits {
			if commit.Hotkey == n.Hotkey && commit.Block <= at && commit.Block >= last.Block {
				last = commit
			}
		}
		if last.Fields != nil {
			slots = append(slots, last)
		}
	}
	return slots, nil
}

func (c chainOf) Commit(_ context.Context, fields ...string) (subnet.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.head + 1
	c.commits = append(c.commits, subnet.Commitment{Hotkey: c.who, Block: at, Fields: slices.Clone(fields)})
	return at, nil
}

func (c chainOf) SetWeights(context.Context, []subnet.Weight) (subnet.Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head + 1, nil
}

func (c chainOf) ServeAxon(context.Context, netip.AddrPort) error { return nil }

// An engine measures nothing: a model that was loaded has a lower loss than the one
// it was laid over. What the models compute is no matter of the wire.
type engine struct{ *scene }

func (e engine) Open(context.Context, ...subnet.File) (subnet.Model, error) {
	return &model{scene: e.scene, loss: 3}, nil
}

func (e engine) Encode(string) ([]int32, error) { return nil, errors.ErrUnsupported }

type model struct {
	subnet.Model // what is not called
	*scene
	loss float64
}

func (m *model) Load(f subnet.File) error {
	d, err := checkpoint.Read(f, 1<<30)
	if err != nil {
		return err
	}
	var first []float32
	for _, key := range d.Keys()[:1] {
		if first, err = d[key].Floats(nil); err != nil {
			return err
		}
	}
	m.loss = 3 - float64(first[0])
	return nil
}

func (m *model) Save(w io.Writer, format subnet.Format, keep func(string) bool) error {
	d, err := checkpoint.Read(memFile{bytes.NewReader(m.base)}, 1<<30)
	if err != nil {
		return err
	}
	kept := make(tensor.Dict)
	for key, t := range d {
		if keep(key) {
			kept[key] = t
		}
	}
	return checkpoint.Write(w, format, kept)
}

func (m *model) Route(subnet.Experts)                              {}
func (m *model) Train(subnet.TrainOptions) (subnet.Trainer, error) { return nil, io.EOF }
func (m *model) Close() error                                      { return nil }

func (m *model) Loss(context.Context, subnet.Sample) (subnet.Loss, error) {
	return subnet.Loss{Mean: m.loss, Tokens: 1, Sequences: []float64{m.loss}}, nil
}
