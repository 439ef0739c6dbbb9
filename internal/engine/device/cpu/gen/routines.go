package main

// Register 0, and 1 for a second, hold sums over the loop; the others what one
// step needs. The assembler has the result last, and before it the operands from
// right to left: VSUBPS x, y, z is z = y - x.
var routines = []routine{
	{
		name: "add", doc: "computes dst += src.", vectors: []string{"dst", "src"},
		body: func(l *loop) {
			l.load("dst", 2)
			l.load("src", 3)
			l.do("VADDPS", 3, 2, 2)
			l.store(2, "dst")
		},
	},
	{
		name: "addScaled", doc: "computes dst += a*src.", vectors: []string{"dst", "src"}, scalars: []string{"a"},
		body: func(l *loop) {
			l.load("dst", 2)
			l.load("src", 3)
			l.do("VFMADD231PS", "a", 3, 2)
			l.store(2, "dst")
		},
	},
	{
		name: "scaled", doc: "computes dst = a*src.", vectors: []string{"dst", "src"}, scalars: []string{"a"},
		body: func(l *loop) {
			l.load("src", 2)
			l.do("VMULPS", "a", 2, 2)
			l.store(2, "dst")
		},
	},
	{
		name: "dot", doc: "returns Σ x*y.", vectors: []string{"x", "y"}, result: "float32",
		before: func(l *loop) { l.zero(0) },
		body: func(l *loop) {
			l.load("x", 2)
			l.load("y", 3)
			l.do("VFMADD231PS", 3, 2, 0)
		},
		after: func(l *loop) { l.fold("VADDPS") },
	},
	{
		name: "dot3", doc: "returns Σ x*y*z.", vectors: []string{"x", "y", "z"}, result: "float32",
		before: func(l *loop) { l.zero(0) },
		body: func(l *loop) {
			l.load("x", 2)
			l.load("y", 3)
			l.load("z", 4)
			l.do("VMULPS", 3, 2, 2)
			l.do("VFMADD231PS", 4, 2, 0)
		},
		after: func(l *loop) { l.fold("VADDPS") },
	},
	{
		name: "sumSquares", doc: "returns Σ x², summed in 64 bits.", vectors: []string{"x"}, result: "float64",
		before: func(l *loop) { l.zero(0); l.zero(1) },
		body: func(l *loop) {
			l.load("x", 2)
			if l.width == 16 {
				l.op("VEXTRACTF64X4 $1, Z2, Y3")
				l.op("VCVTPS2PD Y2, Z2")
				l.op("VCVTPS2PD Y3, Z3")
			} else {
				l.op("VEXTRACTF128 $1, Y2, X3")
				l.op("VCVTPS2PD X2, Y2")
				l.op("VCVTPS2PD X3, Y3")
			}
			l.do("VFMADD231PD", 2, 2, 0)
			l.do("VFMADD231PD", 3, 3, 1)
		},
		after: func(l *loop) {
			l.do("VADDPD", 1, 0, 0)
			l.fold("VADDPD")
		},
	},
	{
		name: "timesZero", doc: "returns Σ x*0.", vectors: []string{"x"}, result: "float32",
		before: func(l *loop) { l.zero(0); l.zero(1) },
		body: func(l *loop) {
			l.load("x", 2)
			l.do("VFMADD231PS", 1, 2, 0)
		},
		after: func(l *loop) { l.fold("VADDPS") },
	},
	{
		name: "max", doc: "returns the greatest number of x.", vectors: []string{"x"}, result: "float32",
		before: func(l *loop) { l.constant("infinity", 0) },
		body: func(l *loop) {
			l.load("x", 2)
			l.fill(2, 0)
			l.do("VMAXPS", 0, 2, 0)
		},
		after: func(l *loop) { l.fold("VMAXPS") },
	},
	{
		name: "expSum", doc: "sets dst = exp(src*scale + shift) and returns its sum.",
		vectors: []string{"dst", "src"}, scalars: []string{"scale", "shift"}, result: "float32",
		before: func(l *loop) { l.zero(0); l.zero(1) },
		body: func(l *loop) {
			l.load("src", 2)
			l.do("VFMADD213PS", "shift", "scale", 2)
			l.exp(2, 3)
			l.fill(2, 1)
			l.store(2, "dst")
			l.do("VADDPS", 2, 0, 0)
		},
		after: func(l *loop) { l.fold("VADDPS") },
	},
	{
		name: "softmaxGrad", doc: "sets ds = p*(ds-mean)*scale.", vectors: []string{"ds", "p"}, scalars: []string{"mean", "scale"},
		body: func(l *loop) {
			l.load("ds", 2)
			l.load("p", 3)
			l.do("VSUBPS", "mean", 2, 2)
			l.do("VMULPS", 3, 2, 2)
			l.do("VMULPS", "scale", 2, 2)
			l.store(2, "ds")
		},
	},
	{
		name: "norm", doc: "sets y = x*w*s.", vectors: []string{"y", "x", "w"}, scalars: []string{"s"},
		body: func(l *loop) {
			l.load("x", 2)
			l.load("w", 3)
			l.do("VMULPS", "s", 2, 2)
			l.do("VMULPS", 3, 2, 2)
			l.store(2, "y")
		},
	},
	{
		name: "normGrad", doc: "computes dx += dy*w*s - x*c.", vectors: []string{"dx", "dy", "x", "w"}, scalars: []string{"s", "c"},
		body: func(l *loop) {
			l.load("dy", 2)
			l.load("w", 3)
			l.load("x", 4)
			l.load("dx", 5)
			l.do("VMULPS", 3, 2, 2)
			l.do("VMULPS", "s", 2, 2)
			l.do("VFNMADD231PS", "c", 4, 2)
			l.do("VADDPS", 5, 2, 2)
			l.store(2, "dx")
		},
	},
	{
		name: "weightGrad", doc: "computes dw += dy*x*s.", vectors: []string{"dw", "dy", "x"}, scalars: []string{"s"},
		body: func(l *loop) {
			l.load("dw", 2)
			l.load("dy", 3)
			l.load("x", 4)
			l.do("VMULPS", "s", 3, 3)
			l.do("VFMADD231PS", 4, 3, 2)
			l.store(2, "dw")
		},
	},
	{
		name: "silu", doc: "sets h = g*sigmoid(g)*u.", vectors: []string{"h", "g", "u"},
		body: func(l *loop) {
			l.load("g", 2)
			l.sigmoid()
			l.load("u", 4)
			l.do("VMULPS", 2, 5, 5)
			l.do("VMULPS", 4, 5, 5)
			l.store(5, "h")
		},
	},
	{
		name: "siluGrad", doc: "sets dg and du to the gradients of silu.", vectors: []string{"dg", "du", "dh", "g", "u"},
		body: func(l *loop) {
			l.load("g", 2)
			l.sigmoid()
			l.load("u", 3)
			l.load("dh", 4)
			l.do("VMULPS", 5, 4, 4)      // dh*s
			l.do("VMULPS", 2, 4, 6)      // dh*s*g
			l.do("VSUBPS", 5, 8, 7)      // 1-s
			l.do("VFMADD213PS", 8, 2, 7) // 1 + g*(1-s)
			l.do("VMULPS", 3, 4, 4)
			l.do("VMULPS", 7, 4, 4)
			l.store(4, "dg")
			l.store(6, "du")
		},
	},
	{
		name: "rope", doc: "turns the pairs of x and y.", vectors: []string{"x", "y", "cos", "sin"}, scalars: []string{"sign"},
		body: func(l *loop) {
			l.load("x", 2)
			l.load("y", 3)
			l.load("cos", 4)
			l.load("sin", 5)
			l.do("VMULPS", "sign", 5, 5)
			l.do("VMULPS", 4, 2, 6)
			l.do("VFNMADD231PS", 5, 3, 6) // x*cos - y*sin
			l.do("VMULPS", 4, 3, 7)
			l.do("VFMADD231PS", 5, 2, 7) // y*cos + x*sin
			l.store(6, "x")
			l.store(7, "y")
		},
	},
	{
		name: "adamW", doc: "is one step of AdamW.", vectors: []string{"p", "g", "m", "v"},
		fields: []string{"gradScale", "beta1", "oneLess1", "beta2", "oneLess2", "rate", "root", "eps", "decay"},
		body: func(l *loop) {
			l.load("g", 1)
			l.do("VMULPS", "gradScale", 1, 1)
			l.load("m", 2)
			l.do("VMULPS", "beta1", 2, 2)
			l.do("VFMADD231PS", "oneLess1", 1, 2)
			l.store(2, "m")
			l.do("VMULPS", 1, 1, 1)
			l.do("VMULPS", "oneLess2", 1, 1)
			l.load("v", 3)
			l.do("VFMADD231PS", "beta2", 3, 1)
			l.store(1, "v")
			l.op("VSQRTPS %s, %s", l.r(1), l.r(1))
			l.do("VFMADD213PS", "eps", "root", 1)
			l.do("VMULPS", "rate", 2, 2)
			l.do("VDIVPS", 1, 2, 2)
			l.load("p", 3)
			l.do("VFMADD231PS", "decay", 3, 2)
			l.do("VSUBPS", 2, 3, 3)
			l.store(3, "p")
		},
	},
}

// sigmoid sets register 5 to that of register 2, and register 8 to 1.
func (l *loop) sigmoid() {
	l.zero(5)
	l.do("VSUBPS", 2, 5, 5)
	l.exp(5, 6)
	l.constant("one", 8)
	l.do("VADDPS", 8, 5, 5)
	l.do("VDIVPS", 5, 8, 5)
}
