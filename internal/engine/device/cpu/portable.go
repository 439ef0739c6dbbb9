package cpu

import (
	"math"
	"unsafe"
)

// portable returns the routines in plain Go.
func portable() *kernel {
	return &kernel{
		name: "portable",
		mr:   2, nr: 4, tile: []tile{portableTile1, portableTile2},
		panel: portablePanel, transpose: portableTranspose,
		peak: portablePeak, flops: 2 * portableChains,
		add: portableAdd, addScaled: portableAddScaled, scaled: portableScaled,
		dot: portableDot, dot3: portableDot3, sumSquares: portableSumSquares,
		timesZero: portableTimesZero, max: portableMax,
		expSum: portableExpSum, softmaxGrad: portableSoftmaxGrad,
		norm: portableNorm, normGrad: portableNormGrad, weightGrad: portableWeightGrad,
		sum: portableSum, spread: portableSpread, center: portableCenter,
		mulAdd: portableMulAdd, centerGrad: portableCenterGrad,
		gelu: portableGelu, geluGrad: portableGeluGrad,
		silu: portableSilu, siluGrad: portableSiluGrad,
		rope: portableRope, ropePairs: portableRopePairs,
		adamW: portableAdamW, nesterov: portableNesterov,
	}
}

func portableTile1(k int, a *float32, _, acs int, b *float32, bs int, c *float32, _, n, acc int) {
	as := unsafe.Slice(a, (k-1)*acs+1)
	bm := unsafe.Slice(b, (k-1)*bs+4)
	var s [4]float32
	for p := range k {
		x, y := as[p*acs], bm[p*bs:][:4]
		s[0] += x * y[0]
		s[1] += x * y[1]
		s[2] += x * y[2]
		s[3] += x * y[3]
	}
	portableStore(unsafe.Slice(c, n), s, acc)
}

func portableTile2(k int, a *float32, ars, acs int, b *float32, bs int, c *float32, cs, n, acc int) {
	as := unsafe.Slice(a, ars+(k-1)*acs+1)
	bm := unsafe.Slice(b, (k-1)*bs+4)
	var s0, s1, s2, s3, t0, t1, t2, t3 float32
	for p := range k {
		x, z, y := as[p*acs], as[ars+p*acs], bm[p*bs:][:4]
		s0 += x * y[0]
		s1 += x * y[1]
		s2 += x * y[2]
		s3 += x * y[3]
		t0 += z * y[0]
		t1 += z * y[1]
		t2 += z * y[2]
		t3 += z * y[3]
	}
	cm := unsafe.Slice(c, cs+n)
	portableStore(cm[:n], [4]float32{s0, s1, s2, s3}, acc)
	portableStore(cm[cs:], [4]float32{t0, t1, t2, t3}, acc)
}

func portableStore(c []float32, s [4]float32, acc int) {
	for j := range c {
		if acc != 0 {
			c[j] += s[j]
		} else {
			c[j] = s[j]
		}
	}
}

func portablePanel(dst, src []float32, n, stride int) {
	for i := range n {
		copy(dst[i*4:][:4], src[i*stride:])
	}
}

func portableTranspose(dst, src []float32, rows, cols, to, from int) {
	for i := range rows {
		for j, v := range src[i*from:][:cols] {
			dst[j*to+i] = v
		}
	}
}

func portableAdd(dst, src []float32) {
	for i, s := range src[:len(dst)] {
		dst[i] += s
	}
}

func portableAddScaled(dst, src []float32, a float32) {
	for i, s := range src[:len(dst)] {
		dst[i] += a * s
	}
}

func portableScaled(dst, src []float32, a float32) {
	for i, s := range src[:len(dst)] {
		dst[i] = a * s
	}
}

func portableDot(x, y []float32) float32 {
	var s [4]float32
	y = y[:len(x)]
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s[0] += x[i] * y[i]
		s[1] += x[i+1] * y[i+1]
		s[2] += x[i+2] * y[i+2]
		s[3] += x[i+3] * y[i+3]
	}
	for ; i < len(x); i++ {
		s[0] += x[i] * y[i]
	}
	return (s[0] + s[2]) + (s[1] + s[3])
}

func portableDot3(x, y, z []float32) float32 {
	var s [2]float32
	for i, v := range x {
		s[i&1] += v * y[i] * z[i]
	}
	return s[0] + s[1]
}

func portableSumSquares(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return s
}

func portableTimesZero(x []float32) float32 {
	s := float32(0)
	for _, v := range x {
		s += v * 0
	}
	return s
}

func portableMax(x []float32) float32 {
	top := float32(math.Inf(-1))
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	return top
}

func portableExpSum(dst, src []float32, scale, shift float32) float32 {
	s := float32(0)
	for i, v := range src[:len(dst)] {
		e := float32(math.Exp(float64(v*scale + shift)))
		dst[i] = e
		s += e
	}
	return s
}

func portableSoftmaxGrad(ds, p []float32, mean, scale float32) {
	for i, q := range p[:len(ds)] {
		ds[i] = q * (ds[i] - mean) * scale
	}
}

func portableNorm(y, x, w []float32, s float32) {
	for i := range y {
		y[i] = x[i] * w[i] * s
	}
}

func portableNormGrad(dx, dy, x, w []float32, s, c float32) {
	for i := range dx {
		dx[i] += dy[i]*w[i]*s - x[i]*c
	}
}

func portableWeightGrad(dw, dy, x []float32, s float32) {
	for i := range dw {
		dw[i] += dy[i] * x[i] * s
	}
}

func portableSum(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v)
	}
	return s
}

func portableSpread(x []float32, mean float32) float64 {
	s := 0.0
	for _, v := range x {
		d := float64(v - mean)
		s += d * d
	}
	return s
}

func portableCenter(y, x []float32, mean, s float32) {
	for i := range y {
		y[i] = (x[i] - mean) * s
	}
}

func portableMulAdd(y, w, b []float32) {
	for i := range y {
		y[i] = y[i]*w[i] + b[i]
	}
}

func portableCenterGrad(dx, dy, h, w []float32, s, c1, c2 float32) {
	for i := range dx {
		dx[i] += (dy[i]*w[i] - c1 - h[i]*c2) * s
	}
}

// The constants of the approximation of GELU: x*sigmoid(geluTwice*(x +
// geluCube*x³)).
const (
	geluTwice = 1.5957691216057308 // 2*sqrt(2/π)
	geluCube  = 0.044715
)

func portableGelu(h, x []float32) {
	for i, v := range x[:len(h)] {
		h[i] = v * sigmoid(geluTwice*(v+geluCube*v*v*v))
	}
}

func portableGeluGrad(dx, dh, x []float32) {
	for i, v := range x[:len(dx)] {
		s := sigmoid(geluTwice * (v + geluCube*v*v*v))
		dx[i] = dh[i] * (s + v*s*(1-s)*geluTwice*(1+3*geluCube*v*v))
	}
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(float64(-x)))) }

func portableSilu(h, g, u []float32) {
	for i, v := range g[:len(h)] {
		h[i] = v * sigmoid(v) * u[i]
	}
}

func portableSiluGrad(dg, du, dh, g, u []float32) {
	for i := range dg {
		v, w, d := g[i], u[i], dh[i]
		s := sigmoid(v)
		dg[i] = d * w * s * (1 + v*(1-s))
		du[i] = d * v * s
	}
}

func portableRope(x, y, cos, sin []float32, sign float32) {
	for j := range x {
		a, b, s := x[j], y[j], sin[j]*sign
		x[j] = a*cos[j] - b*s
		y[j] = b*cos[j] + a*s
	}
}

func portableRopePairs(x, cos, sin []float32, sign float32) {
	for j := 0; j+1 < len(x); j += 2 {
		a, b, s := x[j], x[j+1], sin[j]*sign
		x[j] = a*cos[j] - b*s
		x[j+1] = b*cos[j] + a*s
	}
}

func portableNesterov(p, g, v []float32, lr, momentum float32) {
	for i := range p {
		v[i] = momentum*v[i] + g[i]
		p[i] -= lr * (g[i] + momentum*v[i])
	}
}

func portableAdamW(p, g, m, v []float32, a *adam) {
	for i := range p {
		grad := g[i] * a.gradScale
		m1 := a.beta1*m[i] + a.oneLess1*grad
		v1 := a.beta2*v[i] + a.oneLess2*grad*grad
		step := a.rate * m1 / (float32(math.Sqrt(float64(v1)))*a.root + a.eps)
		p[i] -= step + a.decay*p[i]
		m[i], v[i] = m1, v1
	}
}

const portableChains = 8

func portablePeak(n int) {
	s := [portableChains]float32{0, 1, 2, 3, 4, 5, 6, 7}
	s0, s1, s2, s3, s4, s5, s6, s7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
	x, y := float32(0.999), float32(0.001)
	for range n {
		s0 = s0*x + y
		s1 = s1*x + y
		s2 = s2*x + y
		s3 = s3*x + y
		s4 = s4*x + y
		s5 = s5*x + y
		s6 = s6*x + y
		s7 = s7*x + y
	}
	portableSink(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7)
}

// portableSink keeps the compiler from leaving out what nobody reads.
//
//go:noinline
func portableSink(float32) {}
