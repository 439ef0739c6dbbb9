package wirebench

import (
	"bytes"
	"fmt"
	"math"

	"adit/internal/compress"
	"adit/internal/protocol/templar"
)

// signature is the length of one: a message comes with its sender's, over its root,
// and a claim with the aggregator's.
const signature = 64

// compact is our generation: a miner uploads a message, and downloads one aggregate of
// all messages with the claim that it can be held to.
type compact struct {
	*fleet
	schema   *compress.Schema
	encoders [][]*compress.Feedback
	state    *compress.State
	before   compress.Hash
	decay    uint32 // of 65536

	spent, covered int64 // bytes and numbers of matrices
}

func newCompact(f *fleet, o Options) (*compact, error) {
	rules, err := templar.RulesByName("adit")
	if err != nil {
		return nil, err
	}
	tensors := make([]compress.Tensor, len(f.params))
	for i, p := range f.params {
		tensors[i] = compress.Tensor{Name: p.Name, Shape: p.Shape}
	}
	c := &compact{fleet: f, decay: uint32(math.Round(o.Again * (1 << 16)))}
	if c.schema, err = compress.NewSchema(tensors, o.Keep, compress.UsualGroup); err != nil {
		return nil, err
	}
	c.state = compress.NewState(c.schema)
	c.before = c.state.Tree().Root()
	c.encoders, err = encoders(f, rules, o)
	return c, err
}

func (c *compact) unsaid(miner int) []*compress.Feedback { return c.encoders[miner] }

func (c *compact) bits() float64 { return 8 * float64(c.spent) / float64(max(c.covered, 1)) }

// send writes a message and reads it again.
func (c *compact) send(kept []*compress.Kept, count bool) (*compress.Message, int64, error) {
	var b bytes.Buffer
	w, err := compress.NewWriter(&b, c.schema)
	if err != nil {
		return nil, 0, err
	}
	if count {
		c.spent += w.Len()
	}
	for p, k := range kept {
		before := w.Len()
		if err := w.Add(k); err != nil {
			return nil, 0, err
		}
		if count && len(c.params[p].Shape) == 2 {
			c.spent, c.covered = c.spent+w.Len()-before, c.covered+int64(c.params[p].Len())
		}
	}
	if _, err := w.Close(); err != nil {
		return nil, 0, err
	}
	n := int64(b.Len())
	m, err := compress.ReadMessage(&b, c.schema)
	return m, n, err
}

func (c *compact) merge(merged [][]float32, deltas [][][]float32) (cost, error) {
	var sent int64
	claim := compress.Claim{Schema: c.schema.Hash(), Decay: c.decay, Before: c.before}
	messages := make([]*compress.Message, len(deltas))
	kept := make([]*compress.Kept, len(c.params))
	for i, delta := range deltas {
		for p, d := range delta {
			k, err := c.encoders[i][p].Encode(d)
			if err != nil {
				return cost{}, fmt.Errorf("%s: %w", c.params[p].Name, err)
			}
			kept[p] = k
		}
		m, n, err := c.send(kept, true)
		if err != nil {
			return cost{}, err
		}
		messages[i] = m
		sent += n + signature
		claim.Inputs = append(claim.Inputs, m.Tree.Root())
	}
	said, after, err := compress.Aggregate(c.state, c.decay, messages)
	if err != nil {
		return cost{}, err
	}
	result, down, err := c.send(said, false)
	if err != nil {
		return cost{}, err
	}
	c.state, c.before = after, after.Tree().Root()
	claim.After, claim.Result = c.before, result.Tree.Root()
	down += int64(len(claim.Append(nil))) + signature
	for p := range merged {
		if err := result.Parts[p].Decode(merged[p]); err != nil {
			return cost{}, fmt.Errorf("%s: %w", c.params[p].Name, err)
		}
	}
	up := sent / int64(len(deltas))
	return cost{up, down, up + down}, nil
}
