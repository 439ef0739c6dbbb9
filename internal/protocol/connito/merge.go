package connito

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// An Outer is the outer optimizer: SGD with Nesterov momentum on a group's
// tensors, whose gradient is the way from the miners' tensors to the global
// ones. Velocity is its state, by tensor.
type Outer struct {
	LR, Momentum float64
	Velocity     map[string][]float32
}

// A Gradient holds values for each tensor of a group, by name. A pseudo-gradient
// is the global tensor less the miner's: a step against it goes to the miner.
type Gradient map[string][]float32

// step returns the group's tensors after one outer step towards the miners'
// shards, which count equally. A tensor that a shard lacks stays where it is in
// that shard's eyes. A shard that would bring a value that is not finite is an
// error: it should have been refused when it came.
func (o *Outer) step(global tensor.Dict, shards []tensor.Dict) (tensor.Dict, error) {
	if len(shards) == 0 {
		return global, nil
	}
	grad := make(Gradient, len(global))
	for _, s := range shards {
		if err := grad.add(global, s, len(shards)); err != nil {
			return nil, err
		}
	}
	return o.apply(global, grad)
}

// apply returns the group's tensors after one step against a gradient g: with
// v = momentum*v + g, it is global - lr*(g + momentum*v). A tensor that the
// gradient lacks has a gradient of nought.
func (o *Outer) apply(global tensor.Dict, grad Gradient) (tensor.Dict, error) {
	if o.Velocity == nil {
		o.Velocity = make(map[string][]float32)
	}
	next := make(tensor.Dict, len(global))
	for _, key := range global.Keys() {
		t := global[key]
		base, err := t.Floats(nil)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", key, err)
		}
		g := grad[key]
		if g == nil {
			g = make([]float32, len(base))
		} else if len(g) != len(base) {
			return nil, fmt.Errorf("tensor %q: gradient of %d values, want %d", key, len(g), len(base))
		}
		v := o.Velocity[key]
		if len(v) != len(base) {
			v = make([]float32, len(base))
			o.Velocity[key] = v
		}
		lr, mu := float32(o.LR), float32(o.Momentum)
		for i, d := range g {
			// The conversions keep processors from fusing what others round.
			v[i] = float32(mu*v[i]) + d
			base[i] -= float32(lr * (d + float32(mu*v[i])))
			if math.IsNaN(float64(base[i])) || math.IsInf(float64(base[i]), 0) {
				return nil, fmt.Errorf("tensor %q would not be finite", key)
			}
		}
		next[key] = tensor.FromFloats(t.DType, t.Shape, base)
	}
	return next, nil
}

// add adds a k-th of the pseudo-gradient of a shard. After an error, part of it
// has been added.
func (g Gradient) add(global, shard tensor.Dict, k int) error {
	for _, key := range global.Keys() {
		base, err := global[key].Floats(nil)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", key, err)
		}
		if g[key] == nil {
			g[key] = make([]float32, len(base))
		}
		t, ok := shard[key]
		if !ok {
			continue
		}
		vals, err := t.Floats(nil)
		if err == nil && len(vals) != len(base) {
			err = fmt.Errorf("%d values, want %d", len(vals), len(base))
		}
		if err != nil {
			return fmt.Errorf("tensor %q: %w", key, err)
		}
		for i, v := range vals {
			g[key][i] += (base[i] - v) / float32(k)
		}
	}
	return nil
}

// finite says whether all values are finite.
func (g Gradient) finite() bool {
	for _, vals := range g {
		for _, v := range vals {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return false
			}
		}
	}
	return true
}

// pseudoGradient returns what a validator's best submissions say together, with
// the guards of the reference implementation: a tensor whose difference is not
// finite is left out, and a miner after whom the sum is not finite makes an end
// of all that was added before it and counts for nothing itself. The uids of
// those who are in it are returned; if there is none, the validator takes no part
// in the merge.
func pseudoGradient(global tensor.Dict, miners []Shard) (Gradient, []subnet.UID, error) {
	sum := make(Gradient)
	var in []subnet.UID
	for _, m := range miners {
		one := make(Gradient)
		if err := one.add(global, m.Tensors, len(miners)); err != nil {
			return nil, nil, fmt.Errorf("uid %d: %w", m.UID, err)
		}
		for key, vals := range one {
			if !(Gradient{key: vals}).finite() {
				delete(one, key)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(one)) {
			if sum[key] == nil {
				sum[key] = make([]float32, len(one[key]))
			}
			for i, v := range one[key] {
				sum[key][i] += v
			}
		}
		if !sum.finite() {
			clear(sum)
			in = nil
			continue
		}
		if len(one) > 0 {
			in = append(in, m.UID)
		}
	}
	return sum, in, nil
}

// A Shard is what a miner submitted.
type Shard struct {
	UID     subnet.UID
	Tensors tensor.Dict
}

// A Part is one validator's pseudo-gradient in the merge.
type Part struct {
	Hotkey subnet.Hotkey
	Stake  uint64
	Grad   Gradient
}

// averageParts returns the mean of validators' pseudo-gradients, weighed by
// their stake or equally, and the hotkeys whose parts are in it. It is the same to
// the bit whatever order they came in. A part is left out that is not finite, has
// a tensor of another size than the sizes say, or comes from one who sent two. A
// tensor that a part lacks counts as nought, since its sender saw no difference.
func averageParts(parts []Part, sizes map[string]int, byStake bool) (Gradient, []subnet.Hotkey) {
	sent := make(map[subnet.Hotkey]int)
	for _, p := range parts {
		sent[p.Hotkey]++
	}
	parts = slices.DeleteFunc(slices.Clone(parts), func(p Part) bool {
		return sent[p.Hotkey] > 1 || !p.Grad.finite() || !p.Grad.fits(sizes) || byStake && p.Stake == 0
	})
	slices.SortFunc(parts, func(a, b Part) int { return cmp.Compare(a.Hotkey, b.Hotkey) })

	var in []subnet.Hotkey
	var total float64
	weights := make([]float64, len(parts))
	for i, p := range parts {
		in = append(in, p.Hotkey)
		weights[i] = 1
		if byStake {
			weights[i] = float64(p.Stake)
		}
		total += weights[i]
	}
	mean := make(Gradient, len(sizes))
	if len(parts) == 0 {
		return mean, nil
	}
	for i := range weights {
		weights[i] /= total
	}
	rows := make([][]float32, len(parts))
	for key, size := range sizes {
		for i, p := range parts {
			rows[i] = p.Grad[key]
		}
		mean[key] = meanTensor(rows, weights, size)
	}
	return mean, in
}

// meanTensor returns the sum of rows, each times its weight, in their order. A row
// may be nil.
func meanTensor(rows [][]float32, weights []float64, size int) []float32 {
	sum := make([]float64, size)
	for i, row := range rows {
		w := weights[i]
		for j, v := range row {
			sum[j] += float64(w * float64(v)) // not fused: see apply
		}
	}
	mean := make([]float32, size)
	for j, v := range sum {
		mean[j] = float32(v)
	}
	return mean
}

// fits says whether a gradient has no tensors but those of these sizes.
func (g Gradient) fits(sizes map[string]int) bool {
	for key, vals := range g {
		if size, ok := sizes[key]; !ok || size != len(vals) {
			return false
		}
	}
	return true
}

// sizes returns how many values each tensor has.
func sizes(d tensor.Dict) map[string]int {
	n := make(map[string]int, len(d))
	for key, t := range d {
		n[key] = t.Numel()
	}
	return n
}
