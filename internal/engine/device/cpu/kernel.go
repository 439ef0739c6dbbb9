package cpu

// A kernel is a set of routines for one kind of processor. Vectors given to one
// routine have the length of the first, and may be the same but not overlap
// otherwise. A NaN among the inputs makes what depends on it NaN.
type kernel struct {
	name string

	// mr and nr are the rows and columns of the largest tile of a product.
	mr, nr int
	// tile multiplies h rows by one panel, for h of 1 to mr at tile[h-1]. See
	// [tile].
	tile []tile
	// panel copies n rows of nr elements, stride apart, to one after another.
	panel func(dst, src []float32, n, stride int)
	// transpose sets dst[j*to+i] = src[i*from+j] for i < rows, j < cols.
	transpose func(dst, src []float32, rows, cols, to, from int)
	// peak multiplies and adds n times in a row on as many registers as it
	// takes to keep the processor busy, which is flops operations each.
	peak  func(n int)
	flops int

	add        func(dst, src []float32)            // dst += src
	addScaled  func(dst, src []float32, a float32) // dst += a*src
	scaled     func(dst, src []float32, a float32) // dst = a*src
	dot        func(x, y []float32) float32        // Σ x*y
	dot3       func(x, y, z []float32) float32     // Σ x*y*z
	sumSquares func(x []float32) float64           // Σ x², in 64 bits
	timesZero  func(x []float32) float32           // Σ x*0: 0 or NaN
	max        func(x []float32) float32           // of numbers; NaN may or may not count

	// expSum sets dst = exp(src*scale + shift) and returns its sum.
	expSum func(dst, src []float32, scale, shift float32) float32
	// softmaxGrad sets ds = p*(ds-mean)*scale.
	softmaxGrad func(ds, p []float32, mean, scale float32)

	norm       func(y, x, w []float32, s float32)         // y = x*w*s
	normGrad   func(dx, dy, x, w []float32, s, c float32) // dx += dy*w*s - x*c
	weightGrad func(dw, dy, x []float32, s float32)       // dw += dy*x*s

	sum        func(x []float32) float64                       // Σ x, in 64 bits
	spread     func(x []float32, mean float32) float64         // Σ (x-mean)², in 64 bits
	center     func(y, x []float32, mean, s float32)           // y = (x-mean)*s
	mulAdd     func(y, w, b []float32)                         // y = y*w + b
	centerGrad func(dx, dy, h, w []float32, s, c1, c2 float32) // dx += (dy*w - c1 - h*c2)*s

	gelu     func(h, x []float32) // by the approximation with tanh
	geluGrad func(dx, dh, x []float32)

	silu     func(h, g, u []float32)          // h = g*sigmoid(g)*u
	siluGrad func(dg, du, dh, g, u []float32) // dg may be g, and du u

	// rope turns the pairs (x[j], y[j]) by angles, or by their opposites if
	// sign is -1.
	rope func(x, y, cos, sin []float32, sign float32)
	// ropePairs turns the pairs (x[2j], x[2j+1]) by angles whose cosine and sine
	// stand twice each: cos[2j] is cos[2j+1].
	ropePairs func(x, cos, sin []float32, sign float32)
	adamW     func(p, g, m, v []float32, a *adam)
	nesterov  func(p, g, v []float32, lr, momentum float32)
}

// A tile computes c = a·b, or c += a·b if acc is 1, where a is (h, k), b a panel
// (k, nr) and c the first n <= nr columns of (h, nr). Element (i, p) of a is at
// i*ars + p*acs, so that a matrix can be read as it lies, transposed, or packed.
// Row p of b is at p*bs and whole, whatever n; row i of c is at i*cs.
//
// Each element of c is one chain of multiplications and additions in the order
// of p, which is then stored or added. It does not depend on the tile.
type tile func(k int, a *float32, ars, acs int, b *float32, bs int, c *float32, cs, n, acc int)

// transposeBy transposes four rows and multiples of width columns at a time with
// four, and what is left element by element.
func transposeBy(width int, four func(dst, src *float32, n, to, from int)) func(dst, src []float32, rows, cols, to, from int) {
	return func(dst, src []float32, rows, cols, to, from int) {
		i, whole := 0, cols/width*width
		for ; i+4 <= rows && whole > 0; i += 4 {
			four(&dst[i], &src[i*from], whole/width, to, from)
			for r := i; r < i+4; r++ {
				for j := whole; j < cols; j++ {
					dst[j*to+r] = src[r*from+j]
				}
			}
		}
		portableTranspose(dst[i:], src[min(i*from, len(src)):], rows-i, cols, to, from)
	}
}
