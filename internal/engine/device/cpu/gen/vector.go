package main

import (
	"fmt"
	"strings"
)

// A routine is a loop over vectors of equal length.
type routine struct {
	name    string
	doc     string
	vectors []string // parameters, the length being that of the first
	scalars []string // float32 parameters after these
	fields  []string // of the *adam parameter after these, if there are any
	result  string   // type of what is left in element 0 of register 0, if any

	before func(l *loop)
	body   func(l *loop) // one vector of each
	after  func(l *loop)
}

// A loop is a routine being written for an instruction set.
type loop struct {
	*file
	set
	reg     map[string]string // pointers by parameter
	scalars map[string]int    // registers by parameter or field
	masked  bool              // whether this is the last, incomplete vector
}

// vector writes a routine: whole vectors, then what is left, masked.
func (f *file) vector(s set, r routine) {
	l := &loop{f, s, map[string]string{}, map[string]int{}, false}
	signature := strings.Join(r.vectors, ", ") + " []float32"
	bytes := 24 * len(r.vectors)
	if len(r.scalars) > 0 {
		signature += ", " + strings.Join(r.scalars, ", ") + " float32"
	}
	scalarsAt := bytes
	bytes += 4 * len(r.scalars)
	if len(r.fields) > 0 {
		signature += ", a *adam"
		bytes += 8
	}
	if r.result != "" {
		bytes = (bytes + 7) &^ 7
	}
	resultAt := bytes
	signature = "(" + signature + ")"
	switch r.result {
	case "float32":
		bytes += 4
	case "float64":
		bytes += 8
	}
	if r.result != "" {
		signature += " " + r.result
	}
	f.begin(r.doc, s.name+strings.ToUpper(r.name[:1])+r.name[1:], signature, bytes)
	f.op("MOVQ %s_len+8(FP), CX", r.vectors[0])
	for i, v := range r.vectors {
		l.reg[v] = []string{"SI", "DI", "DX", "R8", "R9"}[i]
		f.op("MOVQ %s_base+%d(FP), %s", v, 24*i, l.reg[v])
	}
	for i, v := range r.scalars {
		l.scalars[v] = s.scalar + i*s.step
		f.op("VBROADCASTSS %s+%d(FP), %s", v, scalarsAt+4*i, l.s(v))
	}
	if len(r.fields) > 0 {
		f.op("MOVQ a+%d(FP), R10", scalarsAt)
	}
	for i, v := range r.fields {
		l.scalars[v] = s.scalar + i*s.step
		f.op("VBROADCASTSS adam_%s(R10), %s", v, l.s(v))
	}
	if r.before != nil {
		r.before(l)
	}
	f.op("XORQ AX, AX")
	f.op("SUBQ $%d, CX", s.width)
	f.op("JLT rest")
	f.op("PCALIGN $32")
	f.label("next")
	r.body(l)
	f.op("ADDQ $%d, AX", s.bytes())
	f.op("SUBQ $%d, CX", s.width)
	f.op("JGE next")
	f.label("rest")
	f.op("ADDQ $%d, CX", s.width)
	f.op("JZ done")
	if s.width == 16 {
		f.op("MOVQ $1, R11")
		f.op("SHLQ CX, R11")
		f.op("DECQ R11")
		f.op("KMOVW R11, K1")
	} else {
		f.op("MOVQ $%d, R11", 2*s.width)
		f.op("SUBQ CX, R11")
		f.op("LEAQ mask<>(SB), R12")
		f.op("VMOVUPS (R12)(R11*4), Y15")
	}
	l.masked = true
	r.body(l)
	f.label("done")
	if r.after != nil {
		r.after(l)
	}
	switch r.result {
	case "float32":
		f.op("VMOVSS X0, ret+%d(FP)", resultAt)
	case "float64":
		f.op("VMOVSD X0, ret+%d(FP)", resultAt)
	}
	f.end()
}

// s names the register of a scalar.
func (l *loop) s(name string) string { return l.r(l.scalars[name]) }

// load sets register n to the next elements of v, and to zeros after the last.
func (l *loop) load(v string, n int) {
	at := "(" + l.reg[v] + ")(AX*1)"
	switch {
	case !l.masked:
		l.op("VMOVUPS %s, %s", at, l.r(n))
	case l.width == 16:
		l.op("VMOVUPS.Z %s, K1, %s", at, l.r(n))
	default:
		l.op("VMASKMOVPS %s, Y15, %s", at, l.r(n))
	}
}

// store is the opposite of load.
func (l *loop) store(n int, v string) {
	at := "(" + l.reg[v] + ")(AX*1)"
	switch {
	case !l.masked:
		l.op("VMOVUPS %s, %s", l.r(n), at)
	case l.width == 16:
		l.op("VMOVUPS %s, K1, %s", l.r(n), at)
	default:
		l.op("VMASKMOVPS %s, Y15, %s", l.r(n), at)
	}
}

// fill sets what lies after the last element to that of register from.
func (l *loop) fill(n, from int) {
	switch {
	case !l.masked:
	case l.width == 16:
		l.op("VBLENDMPS %s, %s, K1, %s", l.r(n), l.r(from), l.r(n))
	default:
		l.op("VBLENDVPS Y15, %s, %s, %s", l.r(n), l.r(from), l.r(n))
	}
}

// do writes z = y op x, in the order in which the assembler has them.
func (l *loop) do(op string, x, y, z any) {
	name := func(v any) string {
		if n, ok := v.(int); ok {
			return l.r(n)
		}
		return l.s(v.(string))
	}
	l.op("%s %s, %s, %s", op, name(x), name(y), name(z))
}

// with is do where x is a constant.
func (l *loop) with(op, constant string, y, z int) {
	if l.width == 16 {
		op += ".BCST"
	}
	l.op("%s %s<>(SB), %s, %s", op, constant, l.r(y), l.r(z))
}

// constant sets register n to a constant.
func (l *loop) constant(name string, n int) { l.op("VBROADCASTSS %s<>(SB), %s", name, l.r(n)) }

// zero clears register n.
func (l *loop) zero(n int) { l.op("VXORPS %[1]s, %[1]s, %[1]s", l.r(n)) }

// exp sets register x to its exponential, through registers t and t+1: with
// x*log2(e) the sum of a whole number n and a fraction of at most a half, it is 2
// to the fraction, by a polynomial, times 2 to n.
func (l *loop) exp(x, t int) {
	n, p := t, t+1
	l.with("VMULPS", "log2e", x, x)
	if l.width == 16 {
		// The fraction of an infinity is 0.
		l.op("VREDUCEPS $0, %s, %s", l.r(x), l.r(p))
		l.do("VSUBPS", p, x, n)
		l.op("VMOVAPS %s, %s", l.r(p), l.r(x))
	} else {
		// The order of operands keeps a NaN.
		l.constant("least", p)
		l.do("VMAXPS", x, p, x)
		l.constant("most", p)
		l.do("VMINPS", x, p, x)
		l.op("VROUNDPS $8, %s, %s", l.r(x), l.r(n))
		l.do("VSUBPS", n, x, x)
	}
	l.constant("pow6", p)
	for i := 5; i >= 0; i-- {
		l.with("VFMADD213PS", fmt.Sprint("pow", i), x, p)
	}
	if l.width == 16 {
		l.do("VSCALEFPS", n, p, x)
		return
	}
	// Times 2 to half of n, and to the other half: 2 to n may not be a number.
	l.op("VCVTPS2DQ %s, %s", l.r(n), l.r(n))
	l.op("VPSRAD $1, %s, %s", l.r(n), l.r(x))
	l.do("VPSUBD", x, n, n)
	for _, half := range []int{x, n} {
		l.with("VPADDD", "bias", half, half)
		l.op("VPSLLD $23, %s, %s", l.r(half), l.r(half))
		l.do("VMULPS", half, p, p)
	}
	l.op("VMOVAPS %s, %s", l.r(p), l.r(x))
}

// fold combines the elements of register 0 to one. It overwrites register 1.
func (l *loop) fold(op string) {
	if l.width == 16 {
		l.op("VEXTRACTF64X4 $1, Z0, Y1")
		l.op("%s Y1, Y0, Y0", op)
	}
	l.op("VEXTRACTF128 $1, Y0, X1")
	l.op("%s X1, X0, X0", op)
	l.op("VPERMILPD $1, X0, X1")
	l.op("%s X1, X0, X0", op)
	if strings.HasSuffix(op, "PS") {
		l.op("VPERMILPS $0xb1, X0, X1")
		l.op("%s X1, X0, X0", op)
	}
}
