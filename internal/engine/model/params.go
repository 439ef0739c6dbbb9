package model

import (
	"slices"

	"adit/internal/engine/device"
)

// A Param is one named tensor of a model. Its elements are Lo to Hi of the
// buffer that holds all parameters.
type Param struct {
	Name  string
	Shape []int
	Kind  Kind
	// Out marks the projections into the residual stream, which start smaller.
	Out    bool
	Lo, Hi int

	use   use
	layer int // whose it is, from 0, if it is a layer's
}

// Decays reports whether the parameter is one of those that weight decay is
// for: matrices.
func (p Param) Decays() bool { return p.Kind == Matrix }

// A Kind is what a parameter is to its model.
type Kind uint8

// The kinds.
const (
	Matrix Kind = iota // multiplied with; starts with random numbers
	Norm               // of a norm; starts at one
	Bias               // added; starts at nought
)

// use is how a token meets a parameter.
type use uint8

const (
	multiplied use = iota // by all of it
	lookedUp              // by one row
	chosen                // by all of it, if its expert is chosen
)

// A weight is a matrix (out, in), or several under one another that are
// multiplied at once: query, key and value; gate and up; the experts of a layer.
// Each of its parameters is a block of rows.
type weight struct {
	device.Mat
	transposed  bool    // it is (in, out), as GPT-2's are
	bias        *weight // (out, 1); may be nil
	first, last int     // its parameters: params[first:last]
	grads       []run
}

// A run is a block of neighbouring rows that are trained, with their gradient.
type run struct {
	lo, hi int
	grad   device.Buf
	unset  bool // the gradient holds nothing yet, not even noughts: see ClearGradient
}

// touch reports whether the gradient must be added to, and not set.
func (r *run) touch() (acc bool) {
	acc = !r.unset
	r.unset = false
	return acc
}

// settle clears the gradient if it holds nothing.
func (r *run) settle(dev device.Device) {
	if !r.touch() {
		dev.Zero(r.grad)
	}
}

// out returns how many outputs w has.
func (w *weight) out() int {
	if w.transposed {
		return w.Cols
	}
	return w.Rows
}

// trained reports whether any of w, or of its bias, is.
func (w *weight) trained() bool {
	return len(w.grads) > 0 || w.bias != nil && len(w.bias.grads) > 0
}

// grad returns the gradient of a weight that is one parameter, to be added to,
// or nil if it is frozen.
func (w *weight) grad(dev device.Device) device.Buf {
	if len(w.grads) == 0 {
		return nil
	}
	w.grads[0].settle(dev)
	return w.grads[0].grad
}

// multiply sets y (N, out) to x·wᵀ + b, or adds that to it.
func (w *weight) multiply(dev device.Device, y, x device.Mat, acc bool) {
	dev.Gemm(y, x, false, w.Mat, !w.transposed, acc)
	if w.bias != nil {
		dev.AddBias(y, w.bias.Buf)
	}
}

// addGrad adds to the gradients of w's trained rows what the outputs' gradient
// dy (N, out) and the inputs x (N, in) give.
func (w *weight) addGrad(dev device.Device, dy, x device.Mat) {
	for i := range w.grads {
		r := &w.grads[i]
		to, acc := device.M(r.grad, r.hi-r.lo, w.Cols), r.touch()
		if w.transposed {
			dev.Gemm(to, columns(x, r.lo, r.hi), true, dy, false, acc) // (in, out)
		} else {
			dev.Gemm(to, columns(dy, r.lo, r.hi), true, x, false, acc) // (out, in)
		}
	}
	if w.bias != nil {
		for i := range w.bias.grads {
			r := &w.bias.grads[i]
			r.settle(dev)
			dev.BiasGrad(r.grad, columns(dy, r.lo, r.hi))
		}
	}
}

// columns returns columns lo to hi of m.
func columns(m device.Mat, lo, hi int) device.Mat {
	if lo == 0 && hi == m.Cols {
		return m
	}
	return device.Mat{Buf: m.Buf.Slice(lo, (m.Rows-1)*m.Stride+hi), Rows: m.Rows, Cols: hi - lo, Stride: m.Stride}
}

// rows returns rows lo to hi of a matrix without gaps.
func rows(m device.Mat, lo, hi int) device.Mat {
	return device.M(m.Buf.Slice(lo*m.Cols, hi*m.Cols), hi-lo, m.Cols)
}

// A builder lays parameters out one after another in buf, or only counts them
// if buf is nil.
type builder struct {
	buf      device.Buf
	off      int
	params   []Param
	weights  []*weight
	mixtures map[int]*mixture // by layer
	layers   [][]*weight      // the weights of each
}

// weight takes parameters of cols columns that lie under one another.
func (b *builder) weight(cols int, parts ...Param) *weight {
	w := &weight{first: len(b.params)}
	lo := b.off
	for _, p := range parts {
		size := 1
		for _, n := range p.Shape {
			size *= n
		}
		p.Lo, p.Hi, p.layer = b.off, b.off+size, len(b.layers)
		b.off = p.Hi
		b.params = append(b.params, p)
	}
	w.last = len(b.params)
	w.Mat = device.Mat{Rows: (b.off - lo) / cols, Cols: cols, Stride: cols}
	if b.buf != nil {
		w.Buf = b.buf.Slice(lo, b.off)
	}
	b.weights = append(b.weights, w)
	return w
}

// matrix takes a matrix of any kind but a norm's.
func (b *builder) matrix(name string, rows, cols int) *weight {
	return b.weight(cols, Param{Name: name, Shape: []int{rows, cols}})
}

// out takes a projection into the residual stream.
func (b *builder) out(name string, rows, cols int) *weight {
	return b.weight(cols, Param{Name: name, Shape: []int{rows, cols}, Out: true})
}

// norm takes the weight of a norm.
func (b *builder) norm(name string, width int) *weight {
	return b.weight(width, Param{Name: name, Shape: []int{width}, Kind: Norm})
}

// biased gives w a bias made of these vectors, one after another.
func (b *builder) biased(w *weight, parts ...Param) *weight {
	for i := range parts {
		parts[i].Kind = Bias
	}
	w.bias = b.weight(1, parts...)
	return w
}

// vector describes a vector.
func vector(name string, n int) Param { return Param{Name: name, Shape: []int{n}} }

// matrixOf describes a matrix.
func matrixOf(name string, rows, cols int) Param { return Param{Name: name, Shape: []int{rows, cols}} }

// own takes a layer, and notes which weights are its own.
func (b *builder) own(take func() layer) layer {
	n := len(b.weights)
	ly := take()
	b.layers = append(b.layers, slices.Clone(b.weights[n:]))
	return ly
}

// embedding takes the table of tokens.
func (b *builder) embedding(name string, c Config) *weight {
	return b.weight(c.HiddenSize, Param{Name: name, Shape: []int{c.VocabSize, c.HiddenSize}, use: lookedUp})
}

// head takes the matrix that makes logits, unless it is the embedding.
func (b *builder) head(name string, c Config, embed *weight) *weight {
	if c.TieWordEmbeddings {
		return embed
	}
	return b.matrix(name, c.VocabSize, c.HiddenSize)
}

// Params returns the parameters that a model of this shape has, in the order
// in which they are stored.
func (c Config) Params() []Param {
	var b builder
	b.model(c)
	return b.params
}
