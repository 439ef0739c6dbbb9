package wirebench

import (
	"context"
	"errors"
	"fmt"
	"math"

	"adit/internal/subnet"
)

// A Point is how far a method had come after a round. Bytes are those of one miner,
// the mean of all, since the beginning.
type Point struct {
	Method     string  `json:"method"`
	Seed       int     `json:"seed"`
	Miners     int     `json:"miners"`
	Inner      int     `json:"inner_steps"` // of a round
	Parameters int64   `json:"parameters"`
	Rate       float64 `json:"outer_rate,omitempty"`
	Momentum   float64 `json:"outer_momentum,omitempty"`
	Decay      float64 `json:"feedback_decay,omitempty"`
	Again      float64 `json:"aggregator_decay,omitempty"`
	Ahead      float64 `json:"ahead,omitempty"`
	Tables     float64 `json:"ahead_tables,omitempty"`

	Round int     `json:"round"`
	Loss  float64 `json:"loss"` // nats a token, on text that no miner sees
	Last  bool    `json:"last,omitempty"`
	Up    int64   `json:"bytes_up"`
	Down  int64   `json:"bytes_down"`
	// Payload is Up and Down without what frames the numbers: the names, shapes and
	// alignment of a .pt file, which weigh little in a large model.
	Payload int64 `json:"bytes_payload"`
	// Bits is how many bits the messages had for each number in a tensor of two
	// dimensions, all that stands before it counted; 0 where there are no such messages.
	Bits float64 `json:"bits_per_parameter,omitempty"`
}

// Sent is what went up and what came down.
func (p Point) Sent() int64 { return p.Up + p.Down }

// A cost is what one miner sent and received.
type cost struct{ up, down, payload int64 }

// A method is one way of learning together.
type method interface {
	// round takes a round's steps and merges.
	round(ctx context.Context) (cost, error)
	// show lets the first miner have what all have come to, to be evaluated.
	show() error
	// bits is as in [Point].
	bits() float64
}

// Evaluations are on this many held-out sequences, and on all there are at the end.
const someSequences = 128

// Run trains, and tells of each round that was evaluated. The text that a model of
// src learns from is domain 0 of its own.
func Run(ctx context.Context, src Source, o Options, tell func(Point)) (err error) {
	if err := o.Validate(); err != nil {
		return err
	}
	f, err := newFleet(src, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	m, err := newMethod(f, o)
	if err != nil {
		return err
	}
	p := Point{Method: o.Method, Seed: o.Seed, Miners: o.Miners, Inner: o.Inner, Parameters: f.numbers()}
	switch o.Method {
	case "adit":
		p.Again = o.Again
		fallthrough
	case "sparse":
		p.Decay, p.Ahead, p.Tables = o.Decay, o.Ahead, o.AheadTables
		fallthrough
	case "dense":
		p.Rate, p.Momentum = o.Rate, o.Momentum
	}
	for p.Round = 0; ; p.Round++ {
		if p.Last = p.Round == o.Rounds; p.Last || p.Round%o.Every == 0 {
			s := subnet.Sample{Seed: "held out", Sequences: someSequences}
			if p.Last {
				s = subnet.Sample{}
			}
			if err := m.show(); err != nil {
				return err
			}
			loss, err := f.miners[0].model.Loss(ctx, s)
			if err != nil {
				return fmt.Errorf("evaluate: %w", err)
			}
			if p.Loss = loss.Mean; math.IsNaN(p.Loss) || math.IsInf(p.Loss, 0) {
				return fmt.Errorf("%s of seed %d: the loss is %v after %d rounds", o.Method, o.Seed, p.Loss, p.Round)
			}
			tell(p)
		}
		if p.Last {
			return nil
		}
		c, err := m.round(ctx)
		if err != nil {
			return fmt.Errorf("%s, round %d: %w", o.Method, p.Round+1, err)
		}
		p.Up, p.Down, p.Payload = p.Up+c.up, p.Down+c.down, p.Payload+c.payload
		p.Bits = m.bits()
	}
}

func newMethod(f *fleet, o Options) (method, error) {
	switch o.Method {
	case "slices", "r2":
		return newGossip(f, o)
	case "dense":
		return newGradients(f, o, &dense{fleet: f})
	case "sparse":
		m, err := newSparse(f, o)
		if err != nil {
			return nil, err
		}
		return newGradients(f, o, m)
	default:
		m, err := newCompact(f, o)
		if err != nil {
			return nil, err
		}
		return newGradients(f, o, m)
	}
}
