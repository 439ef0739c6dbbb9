package wirebench

import (
	"context"
	"encoding/binary"
	"math"

	"adit/internal/compress"
	"adit/internal/protocol/templar"
)

// A wire merges what the miners' parameters have moved by: of each miner, each
// parameter. It sets merged and says what that cost one miner. unsaid is what encodes
// a miner's differences, if there is such a thing.
type wire interface {
	merge(merged [][]float32, deltas [][][]float32) (cost, error)
	unsaid(miner int) []*compress.Feedback
	bits() float64
}

// gradients is every method in which all miners have the same model after a round:
// θ less the rate times the merge of what each has learned.
type gradients struct {
	*fleet
	wire
	o        Options
	theta    [][]float32
	deltas   [][][]float32
	merged   [][]float32
	momentum [][]float32
	now      [][]float32
}

func newGradients(f *fleet, o Options, w wire) (*gradients, error) {
	g := &gradients{fleet: f, wire: w, o: o, theta: f.tensors(), merged: f.tensors(), momentum: f.tensors(), now: f.tensors()}
	for range f.miners {
		g.deltas = append(g.deltas, f.tensors())
	}
	return g, f.read(0, g.theta)
}

func (g *gradients) round(ctx context.Context) (cost, error) {
	for i, begin := range g.deltas {
		if err := g.begin(i, begin); err != nil {
			return cost{}, err
		}
	}
	if err := g.train(ctx, g.o.Inner); err != nil {
		return cost{}, err
	}
	for i, delta := range g.deltas {
		if err := g.read(i, g.now); err != nil {
			return cost{}, err
		}
		for p, d := range delta {
			for j := range d {
				d[j] -= g.now[p][j]
			}
		}
	}
	c, err := g.merge(g.merged, g.deltas)
	if err != nil {
		return cost{}, err
	}
	g.outer()
	return c, nil
}

// begin sets x to the model that a miner begins a round with, and its model to that.
func (g *gradients) begin(miner int, x [][]float32) error {
	encoders := g.unsaid(miner)
	for i, p := range g.params {
		share := templar.Rules{Ahead: g.o.Ahead, AheadTables: g.o.AheadTables}.AheadOf(p.Name)
		if encoders == nil || share == 0 {
			copy(x[i], g.theta[i])
			continue
		}
		if err := encoders[i].Unsaid(x[i]); err != nil {
			return err
		}
		templar.GoAhead(x[i], g.theta[i], share)
	}
	return g.write(miner, x)
}

// show gives the first miner the model that all have, to be evaluated.
func (g *gradients) show() error { return g.write(0, g.theta) }

// outer takes the outer step, as SGD of PyTorch does with nesterov=True.
func (g *gradients) outer() {
	rate, mu := float32(g.o.Rate), float32(g.o.Momentum)
	for p, merged := range g.merged {
		theta, momentum := g.theta[p], g.momentum[p]
		for j, d := range merged {
			if mu > 0 {
				momentum[j] = mu*momentum[j] + d
				d += mu * momentum[j]
			}
			theta[j] -= rate * d
		}
	}
}

// dense sends every difference as it is, and gets the mean of all: of all the ways
// to do that the one with the fewest bytes, one model up and one down.
type dense struct {
	*fleet
	message []byte
}

func (*dense) bits() float64 { return 0 }

func (*dense) unsaid(int) []*compress.Feedback { return nil }

func (d *dense) merge(merged [][]float32, deltas [][][]float32) (cost, error) {
	for p := range merged {
		clear(merged[p])
	}
	share := 1 / float32(len(deltas))
	var sent int64
	for _, delta := range deltas {
		d.message = d.message[:0]
		for _, x := range delta {
			for _, v := range x {
				d.message = binary.LittleEndian.AppendUint32(d.message, math.Float32bits(v))
			}
		}
		sent += int64(len(d.message))
		at := 0
		for p := range merged {
			for j := range merged[p] {
				merged[p][j] += share * math.Float32frombits(binary.LittleEndian.Uint32(d.message[at:]))
				at += 4
			}
		}
	}
	up := sent / int64(len(deltas))
	return cost{up, up, 2 * up}, nil
}
