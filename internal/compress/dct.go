package compress

import "math"

// A Cosine transforms chunks of one size by the orthonormal discrete cosine
// transform (DCT-II) along both sides, and back. Networks of the DeMo kind
// choose what to keep among its coefficients. The zero Cosine does nothing.
//
// As the transform is linear and keeps lengths, coefficients can be added,
// clipped by norm and averaged like elements, and be transformed back once.
type Cosine struct {
	rows, cols []float32 // basis matrices, (H, H) and (W, W): [k*n+i]
	h, w       int
	tmp        []float32 // (H, W)
}

// NewCosine returns the transform for the chunks of g. It is for one goroutine
// at a time.
func NewCosine(g Grid) *Cosine {
	return &Cosine{rows: basis(g.H), cols: basis(g.W), h: g.H, w: g.W, tmp: make([]float32, g.Size())}
}

// basis returns the (n, n) matrix of the DCT-II: √(2/n)·cos(π(i+½)k/n), its
// first row over √2.
func basis(n int) []float32 {
	m := make([]float32, n*n)
	for k := range n {
		s := math.Sqrt(2 / float64(n))
		if k == 0 {
			s = math.Sqrt(1 / float64(n))
		}
		for i := range n {
			m[k*n+i] = float32(s * math.Cos(math.Pi*(float64(i)+0.5)*float64(k)/float64(n)))
		}
	}
	return m
}

// Forward replaces a chunk (H, W) by its coefficients: R·x·Cᵀ.
func (c *Cosine) Forward(x []float32) {
	for i := range c.h {
		for k := range c.w {
			c.tmp[i*c.w+k] = dot(x[i*c.w:(i+1)*c.w], c.cols[k*c.w:(k+1)*c.w])
		}
	}
	clear(x)
	for k := range c.h {
		for i := range c.h {
			addScaled(x[k*c.w:(k+1)*c.w], c.tmp[i*c.w:(i+1)*c.w], c.rows[k*c.h+i])
		}
	}
}

// Inverse replaces coefficients (H, W) by their chunk: Rᵀ·x·C.
func (c *Cosine) Inverse(x []float32) {
	clear(c.tmp)
	for k := range c.h {
		for i := range c.h {
			addScaled(c.tmp[i*c.w:(i+1)*c.w], x[k*c.w:(k+1)*c.w], c.rows[k*c.h+i])
		}
	}
	clear(x)
	for i := range c.h {
		for k := range c.w {
			addScaled(x[i*c.w:(i+1)*c.w], c.cols[k*c.w:(k+1)*c.w], c.tmp[i*c.w+k])
		}
	}
}

func dot(x, y []float32) float32 {
	var s float32
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

func addScaled(dst, x []float32, a float32) {
	for i, v := range x {
		dst[i] += a * v
	}
}
