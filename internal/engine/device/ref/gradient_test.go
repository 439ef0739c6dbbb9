package ref

import (
	"math"
	"math/rand/v2"
	"testing"

	"adit/internal/engine/device"
)

// A gradientCase is an operation from vectors to vectors, and its way back.
type gradientCase struct {
	name     string
	in       []int // lengths of what it reads
	adds     bool  // the way back adds to gradients; else it sets them
	forward  func(in []buf) []buf
	backward func(grads, in, dout []buf)
}

var d = New()

// TestGradients compares each way back with the differences that small steps
// forward make: of Σ out*dout, where dout is any.
func TestGradients(t *testing.T) {
	for _, c := range gradientCases() {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			var in []buf
			for _, n := range c.in {
				in = append(in, coarse(r, n))
			}
			var dout []buf
			for _, out := range c.forward(in) {
				dout = append(dout, coarse(r, len(out)))
			}
			loss := func() float64 {
				s := 0.0
				for i, out := range c.forward(in) {
					s += dot(out, dout[i])
				}
				return s
			}
			var want [][]float64
			for _, x := range in {
				w := make([]float64, len(x))
				for i := range x {
					w[i] = slope(loss, &x[i])
				}
				want = append(want, w)
			}
			var grads []buf
			for _, n := range c.in {
				g := make(buf, n)
				for i := range g {
					g[i] = 2
				}
				grads = append(grads, g)
			}
			c.backward(grads, in, dout)
			for n, w := range want {
				most := 0.0
				for _, v := range w {
					most = math.Max(most, math.Abs(v))
				}
				for i, v := range w {
					if c.adds {
						v += 2
					}
					if g := float64(grads[n][i]); !(math.Abs(g-v) <= 1e-4*most) {
						t.Errorf("gradient %d, element %d of %d = %v, want %v", n, i, len(w), g, v)
					}
				}
			}
		})
	}
}

// slope is how f changes with x, by four steps of which the first three orders
// cancel each other out.
func slope(f func() float64, x *float32) float64 {
	const step = 1.0 / 16
	at := func(steps float32) float64 {
		old := *x
		defer func() { *x = old }()
		*x += steps * step
		return f()
	}
	return (8*(at(1)-at(-1)) - (at(2) - at(-2))) / (12 * step)
}

// coarse returns n numbers around 0 to which a step adds exactly.
func coarse(r *rand.Rand, n int) buf {
	x := make(buf, n)
	for i := range x {
		x[i] = float32(math.Round(r.NormFloat64()*1024) / 1024)
	}
	return x
}

func gradientCases() []gradientCase {
	const n, width = 3, 4
	m := func(b buf) device.Mat { return device.M(b, len(b)/width, width) }
	wide := func(b buf) device.Mat { return device.M(b, n, len(b)/n) }
	slot, offsets := ints{4, 0, 2, 1, 5, 3}, ints{0, 2, 2, 3}
	cases := []gradientCase{
		{"grouped", []int{n * width, 3 * 2 * width}, true, func(in []buf) []buf {
			c := make(buf, n*2)
			d.Grouped(wide(c), m(in[0]), offsets, in[1], true, false)
			return []buf{c}
		}, func(grads, in, dout []buf) {
			d.Grouped(m(grads[0]), wide(dout[0]), offsets, in[1], false, true)
			d.GroupedGrad(grads[1], wide(dout[0]), m(in[0]), offsets, true)
		}},
		{"embed", []int{5 * width}, true, func(in []buf) []buf {
			x := make(buf, n*width)
			d.Embed(m(x), m(in[0]), ints{3, 0, 3})
			return []buf{x}
		}, func(grads, _, dout []buf) { d.EmbedGrad(m(grads[0]), m(dout[0]), ints{3, 0, 3}) }},
		{"bias", []int{width}, true, func(in []buf) []buf {
			x := make(buf, n*width)
			d.AddBias(m(x), in[0])
			return []buf{x}
		}, func(grads, _, dout []buf) { d.BiasGrad(grads[0], m(dout[0])) }},
		{"rmsnorm", []int{n * width, width}, true, func(in []buf) []buf {
			y, rstd := make(buf, n*width), make(buf, n)
			d.RMSNorm(m(y), m(in[0]), in[1], rstd, 0.1)
			return []buf{y}
		}, func(grads, in, dout []buf) {
			y, rstd := make(buf, n*width), make(buf, n)
			d.RMSNorm(m(y), m(in[0]), in[1], rstd, 0.1)
			d.RMSNormGrad(m(grads[0]), grads[1], m(dout[0]), m(in[0]), in[1], rstd)
		}},
		{"rmsnorm of parts", []int{n * 2 * width, width}, true, func(in []buf) []buf {
			y, rstd := make(buf, n*2*width), make(buf, 2*n)
			d.RMSNorm(wide(y), wide(in[0]), in[1], rstd, 0.1)
			return []buf{y}
		}, func(grads, in, dout []buf) {
			y, rstd := make(buf, n*2*width), make(buf, 2*n)
			d.RMSNorm(wide(y), wide(in[0]), in[1], rstd, 0.1)
			d.RMSNormGrad(wide(grads[0]), grads[1], wide(dout[0]), wide(in[0]), in[1], rstd)
		}},
		{"layernorm", []int{n * width, width, width}, true, func(in []buf) []buf {
			y, mean, rstd := make(buf, n*width), make(buf, n), make(buf, n)
			d.LayerNorm(m(y), m(in[0]), in[1], in[2], mean, rstd, 0.1)
			return []buf{y}
		}, func(grads, in, dout []buf) {
			y, mean, rstd := make(buf, n*width), make(buf, n), make(buf, n)
			d.LayerNorm(m(y), m(in[0]), in[1], in[2], mean, rstd, 0.1)
			d.LayerNormGrad(m(grads[0]), grads[1], grads[2], m(dout[0]), m(in[0]), in[1], mean, rstd)
		}},
		{"swiglu", []int{n * 2 * width}, false, func(in []buf) []buf {
			h := make(buf, n*width)
			d.SwiGLU(m(h), wide(in[0]))
			return []buf{h}
		}, func(grads, in, dout []buf) { d.SwiGLUGrad(wide(grads[0]), m(dout[0]), wide(in[0])) }},
		{"gelu", []int{n * width}, false, func(in []buf) []buf {
			h := make(buf, n*width)
			d.Gelu(m(h), m(in[0]))
			return []buf{h}
		}, func(grads, in, dout []buf) { d.GeluGrad(m(grads[0]), m(dout[0]), m(in[0])) }},
		{"scatter", []int{n * width}, true, func(in []buf) []buf {
			xs := make(buf, 2*n*width)
			d.Scatter(m(xs), m(in[0]), slot, 2)
			return []buf{xs}
		}, func(grads, _, dout []buf) { d.ScatterGrad(m(grads[0]), m(dout[0]), slot, 2) }},
		{"combine", []int{2 * n * width, 2 * n}, false, func(in []buf) []buf {
			y := make(buf, n*width)
			d.Combine(m(y), m(in[0]), slot, in[1], 2)
			return []buf{y}
		}, func(grads, in, dout []buf) {
			d.CombineGrad(m(grads[0]), grads[1], m(dout[0]), m(in[0]), slot, in[1], 2)
		}},
		{"cross entropy", []int{n * width}, false, func(in []buf) []buf {
			loss, sum := make(buf, n), make(buf, 1)
			d.CrossEntropy(loss, m(in[0]), ints{2, -1, 0}, 0)
			for _, l := range loss {
				sum[0] += l
			}
			return []buf{sum}
		}, func(grads, in, dout []buf) {
			copy(grads[0], in[0])
			d.CrossEntropy(make(buf, n), m(grads[0]), ints{2, -1, 0}, dout[0][0])
		}},
	}
	for _, a := range []device.Attention{
		{B: 2, T: 5, H: 1, KV: 1, Dim: 3, DimV: 2, Scale: 0.5},
		{B: 1, T: 6, H: 4, KV: 2, Window: 3, Dim: 2, DimV: 2, Scale: 0.7},
	} {
		cases = append(cases, attentionCase(a))
	}
	for _, pairs := range []bool{false, true} {
		cases = append(cases, ropeCase(device.Rotation{T: 3, Heads: 2, Stride: 7, First: 2, Dim: 4, Pairs: pairs}))
	}
	// What a copy repeats, the way back adds up.
	one, many := device.Heads{N: 3, First: 1, Width: 2}, device.Heads{N: 3, First: 2, Stride: 4, Width: 2}
	cases = append(cases, gradientCase{"copied heads", []int{2 * 5}, true, func(in []buf) []buf {
		x := make(buf, 2*12)
		d.CopyHeads(device.M(x, 2, 12), many, device.M(in[0], 2, 5), one, false)
		return []buf{x}
	}, func(grads, _, dout []buf) {
		d.CopyHeads(device.M(grads[0], 2, 5), one, device.M(dout[0], 2, 12), many, true)
	}})
	return append(cases, routingCases()...)
}

func attentionCase(a device.Attention) gradientCase {
	n := a.B * a.T
	mats := func(b []buf) (q, k, v device.Mat) {
		return device.M(b[0], n, a.H*a.Dim), device.M(b[1], n, a.KV*a.Dim), device.M(b[2], n, a.KV*a.DimV)
	}
	attend := func(in []buf) (o, lse buf) {
		q, k, v := mats(in)
		o, lse = make(buf, n*a.H*a.DimV), make(buf, n*a.H)
		d.Attend(device.M(o, n, a.H*a.DimV), lse, q, k, v, a)
		return o, lse
	}
	return gradientCase{"attention", []int{n * a.H * a.Dim, n * a.KV * a.Dim, n * a.KV * a.DimV}, false, func(in []buf) []buf {
		o, _ := attend(in)
		return []buf{o}
	}, func(grads, in, dout []buf) {
		o, lse := attend(in)
		q, k, v := mats(in)
		dq, dk, dv := mats(grads)
		d.AttendGrad(dq, dk, dv, device.M(dout[0], n, a.H*a.DimV), device.M(o, n, a.H*a.DimV), lse, q, k, v, a)
	}}
}

// ropeCase turns the gradient where it lies, as models do.
func ropeCase(r device.Rotation) gradientCase {
	const rows, cols = 6, 15
	cos, sin := make(buf, r.T*r.Dim/2), make(buf, r.T*r.Dim/2)
	for i := range cos {
		s, c := math.Sincos(float64(i))
		cos[i], sin[i] = float32(c), float32(s)
	}
	return gradientCase{"rope", []int{rows * cols}, false, func(in []buf) []buf {
		x := append(buf(nil), in[0]...)
		d.Rope(device.M(x, rows, cols), cos, sin, r)
		return []buf{x}
	}, func(grads, _, dout []buf) {
		copy(grads[0], dout[0])
		back := r
		back.Inverse = true
		d.Rope(device.M(grads[0], rows, cols), cos, sin, back)
	}}
}

func routingCases() []gradientCase {
	const n, experts = 4, 6
	m := func(b buf) device.Mat { return device.M(b, n, experts) }
	route := func(in buf, far float32, r device.Routing) (probs buf, chosen ints, weight buf) {
		probs, chosen, weight = make(buf, n*experts), make(ints, n*r.K), make(buf, n*r.K)
		x := make(buf, len(in))
		for i, v := range in {
			x[i] = v/4 + float32(i*5%experts)/2 // too far apart for a step to change the choice
			if i%experts == 3 {
				x[i] += far
			}
		}
		d.TopK(m(probs), chosen, weight, m(x), ints{1, 1, 1, 0, 1, 1}, r)
		return probs, chosen, weight
	}
	var cases []gradientCase
	for _, c := range []struct {
		name string
		far  float32 // by how much an expert is ahead that is not allowed
		r    device.Routing
	}{
		{"top k", 0, device.Routing{K: 2, Scale: 3}},
		{"top k, normal", 0, device.Routing{K: 3, Scale: 0.5, Normal: true}},
		{"top k of groups", 0, device.Routing{K: 2, Scale: 1, Groups: 3, TopGroups: 1}},
		{"top k, next to nothing", 80, device.Routing{K: 2, Scale: 1, Normal: true}},
	} {
		cases = append(cases, gradientCase{c.name, []int{n * experts}, false, func(in []buf) []buf {
			_, _, weight := route(in[0], c.far, c.r)
			return []buf{weight}
		}, func(grads, in, dout []buf) {
			probs, chosen, _ := route(in[0], c.far, c.r)
			d.TopKGrad(m(grads[0]), m(probs), chosen, dout[0], c.r)
			d.Scale(grads[0], 1.0/4)
		}})
	}
	return append(cases, gradientCase{"balance", []int{n * experts}, false, func(in []buf) []buf {
		r := device.Routing{K: 2, Scale: 1}
		probs, chosen, _ := route(in[0], 0, r)
		loss := make(buf, 1)
		d.Balance(loss, device.Mat{}, m(probs), chosen, r.K, n, 0)
		return []buf{loss}
	}, func(grads, in, dout []buf) {
		r := device.Routing{K: 2, Scale: 1}
		probs, chosen, _ := route(in[0], 0, r)
		d.Zero(grads[0])
		d.Balance(make(buf, 1), m(grads[0]), m(probs), chosen, r.K, n, dout[0][0])
		d.Scale(grads[0], 1.0/4)
	}})
}
