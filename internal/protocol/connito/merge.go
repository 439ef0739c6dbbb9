package connito

import (
	"fmt"
	"math"

	"adit/internal/tensor"
)

// An Outer is the outer optimizer: SGD with Nesterov momentum on a group's
// tensors, whose gradient is the way from the miners' tensors to the global
// ones. Velocity is its state, by tensor.
type Outer struct {
	LR, Momentum float64
	Velocity     map[string][]float32
}

// step returns the group's tensors after one outer step towards the miners'
// shards, which count equally. A tensor that a shard lacks stays where it is in
// that shard's eyes.
//
// With g = mean(global - miner): v = momentum*v + g, then
// global - lr*(g + momentum*v). A shard that would bring a value that is not
// finite is an error: it should have been refused when it came.
func (o *Outer) step(global tensor.Dict, shards []tensor.Dict) (tensor.Dict, error) {
	if len(shards) == 0 {
		return global, nil
	}
	if o.Velocity == nil {
		o.Velocity = make(map[string][]float32)
	}
	next := make(tensor.Dict, len(global))
	for _, key := range global.Keys() {
		g := global[key]
		base, err := g.Floats(nil)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", key, err)
		}
		grad := make([]float32, len(base))
		for _, s := range shards {
			t, ok := s[key]
			if !ok {
				continue
			}
			vals, err := t.Floats(nil)
			if err == nil && len(vals) != len(base) {
				err = fmt.Errorf("%d values, want %d", len(vals), len(base))
			}
			if err != nil {
				return nil, fmt.Errorf("tensor %q: %w", key, err)
			}
			for i, v := range vals {
				grad[i] += (base[i] - v) / float32(len(shards))
			}
		}
		v := o.Velocity[key]
		if len(v) != len(base) {
			v = make([]float32, len(base))
			o.Velocity[key] = v
		}
		lr, mu := float32(o.LR), float32(o.Momentum)
		for i, d := range grad {
			v[i] = mu*v[i] + d
			base[i] -= lr * (d + mu*v[i])
			if math.IsNaN(float64(base[i])) || math.IsInf(float64(base[i]), 0) {
				return nil, fmt.Errorf("tensor %q would not be finite", key)
			}
		}
		next[key] = tensor.FromFloats(g.DType, g.Shape, base)
	}
	return next, nil
}
