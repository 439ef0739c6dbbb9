package wirebench

import (
	"bytes"
	"context"
	"errors"

	"adit/internal/protocol/templar"
)

// gossip is the slices: after every step a miner shows what its model has at one
// place in a hundred, and takes the mean of what all have there. Their models are
// never the same.
//
// A window begins with the states of all at its places and ends with the deltas of
// all at those of the window before, as [templar] tells it. It has one step.
type gossip struct {
	*fleet
	rules  templar.Rules
	inner  int
	window templar.Window

	states, deltas [][]templar.SliceValues // that were uploaded, of each miner
	places, past   templar.Indices         // of the states, and of the deltas
}

func newGossip(f *fleet, o Options) (*gossip, error) {
	rules, err := templar.RulesByName(o.Method)
	return &gossip{fleet: f, rules: rules, inner: o.Inner}, err
}

func (*gossip) bits() float64 { return 0 }

// show does nothing: the first miner's model is as good as any.
func (*gossip) show() error { return nil }

func (g *gossip) round(ctx context.Context) (cost, error) {
	var all cost
	for range g.inner {
		c, err := g.step(ctx)
		if err != nil {
			return all, err
		}
		all.up, all.down, all.payload = all.up+c.up, all.down+c.down, all.payload+c.payload
	}
	return all, nil
}

// step is one window of every miner.
func (g *gossip) step(ctx context.Context) (cost, error) {
	places, err := templar.DrawIndices(g.window, g.params, int(g.rules.Slice.Compression))
	if err != nil {
		return cost{}, err
	}
	if err := g.put(g.places, g.states); err != nil {
		return cost{}, err
	}
	if err := g.train(ctx, 1); err != nil {
		return cost{}, err
	}
	deltas, spent, err := g.take(places)
	if err != nil {
		return cost{}, err
	}
	if err := g.put(g.past, g.deltas); err != nil {
		return cost{}, err
	}
	g.deltas, g.past = deltas, places
	g.window++
	if g.places, err = templar.DrawIndices(g.window, g.params, int(g.rules.Slice.Compression)); err != nil {
		return cost{}, err
	}
	states, more, err := g.take(g.places)
	if err != nil {
		return cost{}, err
	}
	g.states = states
	n := int64(len(g.miners))
	up := spent + more
	numbers := int64(g.past.Len()+g.places.Len()) * 4
	return cost{up, (n - 1) * up, n * numbers}, nil
}

// take uploads what each miner has at the places: it returns what the others read,
// and how long a file is, the mean of all.
func (g *gossip) take(x templar.Indices) (slices [][]templar.SliceValues, size int64, err error) {
	for i := range g.miners {
		at := g.memory(i)
		own, err := x.Take(at.of)
		if err = errors.Join(err, at.err); err != nil {
			return nil, 0, err
		}
		f := templar.SliceFile{Values: own}
		if g.rules.Version != "" {
			f.GlobalStep, f.HasStep = int64(g.window), true
		}
		var b bytes.Buffer
		if err := templar.EncodeSlice(&b, f); err != nil {
			return nil, 0, err
		}
		got, err := templar.DecodeSlice(bytes.NewReader(b.Bytes()), int64(b.Len()), x.MaxBytes())
		if err != nil {
			return nil, 0, err
		}
		slices = append(slices, got.Values)
		size += int64(b.Len())
	}
	return slices, size / int64(len(g.miners)), nil
}

// put overwrites the places of every miner's model with the mean.
func (g *gossip) put(x templar.Indices, slices [][]templar.SliceValues) error {
	if len(slices) == 0 {
		return nil
	}
	m := templar.NewSliceMerge(x, g.rules.EqualNorms)
	for _, s := range slices {
		if err := m.Add(s); err != nil {
			return err
		}
	}
	for i := range g.miners {
		at := g.memory(i)
		at.write = true
		err := m.Apply(at.of)
		at.flush()
		if err = errors.Join(err, at.err); err != nil {
			return err
		}
	}
	return nil
}

// A memory hands out one parameter of a miner's model after the other.
type memory struct {
	*fleet
	miner  int
	write  bool // back what was done to it
	name   string
	values []float32
	err    error
}

func (f *fleet) memory(miner int) *memory { return &memory{fleet: f, miner: miner} }

func (m *memory) of(name string) []float32 {
	m.flush()
	if m.err != nil {
		return nil
	}
	m.name, m.values = name, make([]float32, m.sizes[name])
	m.err = m.miners[m.miner].model.Read(name, m.values)
	return m.values
}

func (m *memory) flush() {
	if m.write && m.err == nil && m.name != "" {
		m.err = m.miners[m.miner].model.Write(m.name, m.values)
	}
	m.name = ""
}
