package model

import (
	"slices"

	"adit/internal/engine/device"
)

// A value is a matrix that a pass computes, and its gradient on the way back.
type value struct {
	device.Mat
	needs bool       // something trained lies below it, so that it has a gradient
	grad  device.Mat // what has arrived of it; its Buf is nil before anything has
	own   *block     // its memory, and that of grad, unless they are another's
	mem   *block

	whole  *value // whose columns these are, or nil
	column int
}

// A pass is one run of a model over B sequences of T tokens, N = B*T rows. It
// computes forward at once and notes how to come back: the operations in this
// file and its neighbours are written once, each with its gradient, and an
// architecture only says which follow one another.
//
// On the way back a value's gradient is complete when its own step is run, for
// all that reads a value comes after it. What no trained parameter lies below
// has no gradient and notes nothing.
type pass struct {
	m     *Model
	dev   device.Device
	b, t  int
	past  int    // tokens that came before, in generation
	cache *cache // of these, or nil

	record bool // whether the way back is noted
	steps  []func()
	scope  []*block // in use
	scale  float32  // of the loss of one token
}

// take returns a matrix of any values.
func (p *pass) take(rows, cols int) device.Mat {
	b := p.m.mem.float(rows * cols)
	p.scope = append(p.scope, b)
	return device.M(b.buf.Slice(0, rows*cols), rows, cols)
}

// floats returns a vector of any values.
func (p *pass) floats(n int) device.Buf { return p.take(1, n).Buf }

// ints returns a vector of any whole numbers.
func (p *pass) ints(n int) device.Ints {
	b := p.m.mem.int(n)
	p.scope = append(p.scope, b)
	return b.ints.Slice(0, n)
}

// value returns one of any elements.
func (p *pass) value(rows, cols int, needs bool) *value {
	v := &value{Mat: p.take(rows, cols), needs: needs && p.record}
	v.own = p.scope[len(p.scope)-1]
	return v
}

// back notes f, which turns the gradient of y into those of what y came from.
func (p *pass) back(y *value, f func()) {
	if y.needs {
		p.steps = append(p.steps, f)
	}
}

// walk takes the noted steps back until n are left.
func (p *pass) walk(n int) {
	for len(p.steps) > n {
		last := len(p.steps) - 1
		f := p.steps[last]
		p.steps[last] = nil
		p.steps = p.steps[:last]
		f()
	}
}

// gradient returns the memory of x's gradient, and whether it holds part of it
// already, to which the rest must be added. The columns of a value between them
// must be all of it.
func (p *pass) gradient(x *value) (g device.Mat, acc bool) {
	if x.grad.Buf != nil {
		return x.grad, true
	}
	if x.whole != nil {
		if x.whole.grad.Buf == nil {
			p.gradient(x.whole)
		}
		x.grad = columns(x.whole.grad, x.column, x.column+x.Cols)
		return x.grad, false
	}
	x.grad = p.take(x.Rows, x.Cols)
	x.mem = p.scope[len(p.scope)-1]
	return x.grad, false
}

// sum is gradient for operations that only add.
func (p *pass) sum(x *value) device.Mat {
	g, acc := p.gradient(x)
	if !acc {
		if x.whole != nil {
			panic("model: adding to the gradient of columns")
		}
		p.dev.Zero(g.Buf)
	}
	return g
}

// release gives back the memory taken since the scope had n blocks, but keep.
func (p *pass) release(n int, keep *block) {
	kept := p.scope[:n]
	for _, b := range p.scope[n:] {
		if b == keep {
			kept = append(kept, b)
		} else {
			p.m.mem.give(b)
		}
	}
	clear(p.scope[len(kept):])
	p.scope = kept
}

// drop gives back one block.
func (p *pass) drop(b *block) {
	if i := slices.Index(p.scope, b); i >= 0 {
		p.m.mem.give(b)
		p.scope = slices.Delete(p.scope, i, i+1)
	}
}

// layer runs f on x, which nothing else reads. If nothing is walked back through
// it, its values and x are forgotten as soon as it is over; if something is, when
// it has been walked back through. A model that recomputes forgets them in
// between too, and computes them again.
func (p *pass) layer(x *value, trained bool, f func(x *value) *value) *value {
	switch {
	case !p.record || !x.needs && !trained:
		y := p.forget(x, f)
		p.drop(x.own)
		return y
	case !p.m.recompute:
		return p.remember(x, f)
	}
	y := p.forget(x, f)
	y.needs = true
	p.back(y, func() {
		n := len(p.steps)
		again := p.remember(x, f)
		again.grad, again.mem = y.grad, y.mem
		p.walk(n)
	})
	return y
}

// forget runs f without noting anything and keeps nothing but its result.
func (p *pass) forget(x *value, f func(x *value) *value) *value {
	n, record := len(p.scope), p.record
	p.record = false
	y := f(x)
	p.record = record
	p.release(n, y.own)
	return y
}

// remember runs f, and gives its memory back when it has been walked back
// through. The gradient of x stays.
func (p *pass) remember(x *value, f func(x *value) *value) *value {
	n, first := len(p.scope), len(p.steps)
	p.steps = append(p.steps, nil)
	y := f(x)
	taken := slices.Clone(p.scope[n:])
	clear(p.scope[n:])
	p.scope = p.scope[:n]
	p.steps[first] = func() {
		for _, b := range taken {
			p.m.mem.give(b)
		}
		p.release(n, x.mem)
	}
	return y
}
