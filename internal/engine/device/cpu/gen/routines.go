package main

// Register 0, and 1 for a second, hold what lasts over the loop; the others what
// one step needs.
var routines = []routine{
	{
		name: "add", doc: "computes dst += src.", vectors: []string{"dst", "src"},
		body: func(l loop) {
			l.load(2, "dst")
			l.load(3, "src")
			l.do(add, 2, 2, 3)
			l.store("dst", 2)
		},
	},
	{
		name: "addScaled", doc: "computes dst += a*src.", vectors: []string{"dst", "src"}, scalars: []string{"a"},
		body: func(l loop) {
			l.load(2, "dst")
			l.load(3, "src")
			l.do(addMul, 2, 3, "a")
			l.store("dst", 2)
		},
	},
	{
		name: "scaled", doc: "computes dst = a*src.", vectors: []string{"dst", "src"}, scalars: []string{"a"},
		body: func(l loop) {
			l.load(2, "src")
			l.do(mul, 2, 2, "a")
			l.store("dst", 2)
		},
	},
	{
		name: "dot", doc: "returns Σ x*y.", vectors: []string{"x", "y"}, result: "float32",
		before: func(l loop) { l.zero(0) },
		body: func(l loop) {
			l.load(2, "x")
			l.load(3, "y")
			l.do(addMul, 0, 2, 3)
		},
		after: func(l loop) { l.fold(add) },
	},
	{
		name: "dot3", doc: "returns Σ x*y*z.", vectors: []string{"x", "y", "z"}, result: "float32",
		before: func(l loop) { l.zero(0) },
		body: func(l loop) {
			l.load(2, "x")
			l.load(3, "y")
			l.load(4, "z")
			l.do(mul, 2, 2, 3)
			l.do(addMul, 0, 2, 4)
		},
		after: func(l loop) { l.fold(add) },
	},
	{
		name: "sum", doc: "returns Σ x, summed in 64 bits.", vectors: []string{"x"}, result: "float64",
		before: func(l loop) { l.zero(0); l.zero(1) },
		body: func(l loop) {
			l.load(2, "x")
			l.widen(2)
			l.do(add64, 0, 0, 2)
			l.do(add64, 1, 1, 3)
		},
		after: fold64,
	},
	{
		name: "sumSquares", doc: "returns Σ x², summed in 64 bits.", vectors: []string{"x"}, result: "float64",
		before: func(l loop) { l.zero(0); l.zero(1) },
		body: func(l loop) {
			l.load(2, "x")
			l.widen(2)
			l.do(addMul64, 0, 2, 2)
			l.do(addMul64, 1, 3, 3)
		},
		after: fold64,
	},
	{
		name: "spread", doc: "returns Σ (x-mean)², summed in 64 bits.", vectors: []string{"x"}, scalars: []string{"mean"}, result: "float64",
		before: func(l loop) { l.zero(0); l.zero(1); l.zero(4) },
		body: func(l loop) {
			l.load(2, "x")
			l.do(sub, 2, 2, "mean")
			l.fill(2, 4)
			l.widen(2)
			l.do(addMul64, 0, 2, 2)
			l.do(addMul64, 1, 3, 3)
		},
		after: fold64,
	},
	{
		name: "timesZero", doc: "returns Σ x*0.", vectors: []string{"x"}, result: "float32",
		before: func(l loop) { l.zero(0); l.zero(1) },
		body: func(l loop) {
			l.load(2, "x")
			l.do(addMul, 0, 2, 1)
		},
		after: func(l loop) { l.fold(add) },
	},
	{
		name: "max", doc: "returns the greatest number of x.", vectors: []string{"x"}, result: "float32",
		before: func(l loop) { l.constant(0, "infinity") },
		body: func(l loop) {
			l.load(2, "x")
			l.fill(2, 0)
			l.do(most, 0, 2, 0)
		},
		after: func(l loop) { l.fold(most) },
	},
	{
		name: "expSum", doc: "sets dst = exp(src*scale + shift) and returns its sum.",
		vectors: []string{"dst", "src"}, scalars: []string{"scale", "shift"}, result: "float32",
		before: func(l loop) { l.zero(0); l.zero(1) },
		body: func(l loop) {
			l.load(2, "src")
			l.do(mulPlus, 2, "scale", "shift")
			l.exp(2, 3)
			l.fill(2, 1)
			l.store("dst", 2)
			l.do(add, 0, 0, 2)
		},
		after: func(l loop) { l.fold(add) },
	},
	{
		name: "softmaxGrad", doc: "sets ds = p*(ds-mean)*scale.", vectors: []string{"ds", "p"}, scalars: []string{"mean", "scale"},
		body: func(l loop) {
			l.load(2, "ds")
			l.load(3, "p")
			l.do(sub, 2, 2, "mean")
			l.do(mul, 2, 2, 3)
			l.do(mul, 2, 2, "scale")
			l.store("ds", 2)
		},
	},
	{
		name: "norm", doc: "sets y = x*w*s.", vectors: []string{"y", "x", "w"}, scalars: []string{"s"},
		body: func(l loop) {
			l.load(2, "x")
			l.load(3, "w")
			l.do(mul, 2, 2, "s")
			l.do(mul, 2, 2, 3)
			l.store("y", 2)
		},
	},
	{
		name: "normGrad", doc: "computes dx += dy*w*s - x*c.", vectors: []string{"dx", "dy", "x", "w"}, scalars: []string{"s", "c"},
		body: func(l loop) {
			l.load(2, "dy")
			l.load(3, "w")
			l.load(4, "x")
			l.load(5, "dx")
			l.do(mul, 2, 2, 3)
			l.do(mul, 2, 2, "s")
			l.do(subMul, 2, 4, "c")
			l.do(add, 2, 2, 5)
			l.store("dx", 2)
		},
	},
	{
		name: "weightGrad", doc: "computes dw += dy*x*s.", vectors: []string{"dw", "dy", "x"}, scalars: []string{"s"},
		body: func(l loop) {
			l.load(2, "dw")
			l.load(3, "dy")
			l.load(4, "x")
			l.do(mul, 3, 3, "s")
			l.do(addMul, 2, 3, 4)
			l.store("dw", 2)
		},
	},
	{
		name: "center", doc: "sets y = (x-mean)*s.", vectors: []string{"y", "x"}, scalars: []string{"mean", "s"},
		body: func(l loop) {
			l.load(2, "x")
			l.do(sub, 2, 2, "mean")
			l.do(mul, 2, 2, "s")
			l.store("y", 2)
		},
	},
	{
		name: "mulAdd", doc: "sets y = y*w + b.", vectors: []string{"y", "w", "b"},
		body: func(l loop) {
			l.load(2, "y")
			l.load(3, "w")
			l.load(4, "b")
			l.do(addMul, 4, 2, 3)
			l.store("y", 4)
		},
	},
	{
		name: "centerGrad", doc: "computes dx += (dy*w - c1 - h*c2)*s.",
		vectors: []string{"dx", "dy", "h", "w"}, scalars: []string{"s", "c1", "c2"},
		body: func(l loop) {
			l.load(2, "dy")
			l.load(3, "w")
			l.load(4, "h")
			l.load(5, "dx")
			l.do(mul, 2, 2, 3)
			l.do(sub, 2, 2, "c1")
			l.do(subMul, 2, 4, "c2")
			l.do(addMul, 5, 2, "s")
			l.store("dx", 5)
		},
	},
	{
		name: "gelu", doc: "sets h = x*sigmoid(x*(gelu1 + gelu3*x²)).", vectors: []string{"h", "x"},
		body: func(l loop) {
			l.load(2, "x")
			geluSigmoid(l)
			l.do(mul, 5, 5, 2)
			l.store("h", 5)
		},
	},
	{
		name: "geluGrad", doc: "sets dx to the gradient of gelu.", vectors: []string{"dx", "dh", "x"},
		body: func(l loop) {
			l.load(2, "x")
			geluSigmoid(l)
			l.constant(4, "gelu1")
			l.do(addMul, 4, 3, constant("gelu9"))
			l.load(3, "dh")
			l.do(sub, 7, 8, 5) // 1-s
			l.do(mul, 6, 5, 2)
			l.do(mul, 6, 6, 7)    // x*s*(1-s)
			l.do(addMul, 5, 6, 4) // times the slope of what s is of, and plus s
			l.do(mul, 5, 5, 3)
			l.store("dx", 5)
		},
	},
	{
		name: "silu", doc: "sets h = g*sigmoid(g)*u.", vectors: []string{"h", "g", "u"},
		body: func(l loop) {
			l.load(2, "g")
			sigmoid(l, 2)
			l.load(4, "u")
			l.do(mul, 5, 5, 2)
			l.do(mul, 5, 5, 4)
			l.store("h", 5)
		},
	},
	{
		name: "siluGrad", doc: "sets dg and du to the gradients of silu.", vectors: []string{"dg", "du", "dh", "g", "u"},
		body: func(l loop) {
			l.load(2, "g")
			sigmoid(l, 2)
			l.load(3, "u")
			l.load(4, "dh")
			l.do(mul, 4, 4, 5)     // dh*s
			l.do(mul, 6, 4, 2)     // dh*s*g
			l.do(sub, 7, 8, 5)     // 1-s
			l.do(mulPlus, 7, 2, 8) // 1 + g*(1-s)
			l.do(mul, 4, 4, 3)
			l.do(mul, 4, 4, 7)
			l.store("dg", 4)
			l.store("du", 6)
		},
	},
	{
		name: "rope", doc: "turns the pairs of x and y.", vectors: []string{"x", "y", "cos", "sin"}, scalars: []string{"sign"},
		body: func(l loop) {
			l.load(2, "x")
			l.load(3, "y")
			l.load(4, "cos")
			l.load(5, "sin")
			l.do(mul, 5, 5, "sign")
			l.do(mul, 6, 2, 4)
			l.do(subMul, 6, 3, 5) // x*cos - y*sin
			l.do(mul, 7, 3, 4)
			l.do(addMul, 7, 2, 5) // y*cos + x*sin
			l.store("x", 6)
			l.store("y", 7)
		},
	},
	{
		name: "ropePairs", doc: "turns the pairs within x.", vectors: []string{"x", "cos", "sin"}, scalars: []string{"sign"}, pairs: true,
		before: func(l loop) {
			l.alternating(1)
			l.do(mul, 1, 1, "sign")
		},
		body: func(l loop) {
			l.load(2, "x")
			l.load(3, "cos")
			l.load(4, "sin")
			l.swap(5, 2)
			l.do(mul, 2, 2, 3)
			l.do(mul, 4, 4, 1)
			l.do(addMul, 2, 5, 4)
			l.store("x", 2)
		},
	},
	{
		name: "adamW", doc: "is one step of AdamW.", vectors: []string{"p", "g", "m", "v"},
		fields: []string{"gradScale", "beta1", "oneLess1", "beta2", "oneLess2", "rate", "root", "eps", "decay"},
		body: func(l loop) {
			l.load(1, "g")
			l.do(mul, 1, 1, "gradScale")
			l.load(2, "m")
			l.do(mul, 2, 2, "beta1")
			l.do(addMul, 2, 1, "oneLess1")
			l.store("m", 2)
			l.do(mul, 1, 1, 1)
			l.do(mul, 1, 1, "oneLess2")
			l.load(3, "v")
			l.do(addMul, 1, 3, "beta2")
			l.store("v", 1)
			l.sqrt(1, 1)
			l.do(mulPlus, 1, "root", "eps")
			l.do(mul, 2, 2, "rate")
			l.do(div, 2, 2, 1)
			l.load(3, "p")
			l.do(addMul, 2, 3, "decay")
			l.do(sub, 3, 3, 2)
			l.store("p", 3)
		},
	},
	{
		name: "nesterov", doc: "is one step of SGD with Nesterov's momentum.", vectors: []string{"p", "g", "v"}, scalars: []string{"lr", "momentum"},
		body: func(l loop) {
			l.load(2, "g")
			l.load(3, "v")
			l.do(mulPlus, 3, "momentum", 2)
			l.store("v", 3)
			l.do(addMul, 2, 3, "momentum")
			l.load(4, "p")
			l.do(subMul, 4, 2, "lr")
			l.store("p", 4)
		},
	},
}

// fold64 adds up what registers 0 and 1 hold in 64 bits.
func fold64(l loop) {
	l.do(add64, 0, 0, 1)
	l.fold(add64)
}

// sigmoid sets register 5 to that of register x, and register 8 to 1.
func sigmoid(l loop, x int) {
	l.zero(5)
	l.do(sub, 5, 5, x)
	l.exp(5, 6)
	l.constant(8, "one")
	l.do(add, 5, 5, 8)
	l.do(div, 5, 8, 5)
}

// geluSigmoid sets register 3 to the square of register 2, 5 to the sigmoid in
// its GELU, and 8 to 1.
func geluSigmoid(l loop) {
	l.do(mul, 3, 2, 2)
	l.constant(4, "gelu1")
	l.do(addMul, 4, 3, constant("gelu3"))
	l.do(mul, 4, 4, 2)
	sigmoid(l, 4)
}
