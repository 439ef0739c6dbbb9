package main

import (
	"fmt"
	"math"
	"strings"
)

// x86 is an instruction set of that processor.
type x86 struct {
	name   string // the prefix of its routines
	reg    string // the letter of its registers
	width  int    // elements of a vector
	rows   int    // of the largest tile
	scalar int    // the first register for scalars; they go up, or down if step is -1
	step   int
}

var (
	avx512 = x86{"avx512", "Z", 16, 12, 16, 1}
	avx2   = x86{"avx2", "Y", 8, 6, 14, -1}
)

// r names vector register n.
func (s x86) r(n int) string { return fmt.Sprintf("%s%d", s.reg, n) }

// bytes is the size of a vector.
func (s x86) bytes() int { return 4 * s.width }

// x86Texts returns the two files for AVX-512 and AVX2.
func x86Texts() (asm, stubs string) {
	f := &file{}
	for _, s := range []x86{avx512, avx2} {
		for h := 1; h <= s.rows; h++ {
			s.tile(f, h)
		}
		s.panel(f)
		s.transpose(f)
		s.peak(f)
		for _, r := range routines {
			s.vector(f, r)
		}
	}
	return f.texts(x86Tables())
}

// x86Tables holds constants repeated to the width of an AVX2 vector; AVX-512
// repeats the first by itself. A mask of AVX2 is a part of the last table.
func x86Tables() string {
	var data strings.Builder
	for _, c := range constants {
		data.WriteString(table(string(c.name), repeated(c.bits, avx2.width)))
	}
	data.WriteString(table("alternating", alternating[:]))
	data.WriteString(table("mask", append(repeated(math.MaxUint32, 2*avx2.width), make([]uint32, 2*avx2.width)...)))
	return data.String()
}

// endX86 returns from a routine.
func (f *file) endX86() {
	f.op("VZEROUPPER")
	f.op("RET")
}

// An x86Loop writes a routine: whole vectors, then what is left, masked.
type x86Loop struct {
	*file
	x86
	pointers map[string]string // registers by parameter
	scalars  map[string]int    // registers by parameter or field
	masked   bool              // whether this is the last, incomplete vector
}

// vector writes a routine.
func (s x86) vector(f *file, r routine) {
	l := &x86Loop{f, s, map[string]string{}, map[string]int{}, false}
	signature, bytes, scalarsAt, resultAt := r.signature()
	f.begin(r.doc, r.of(s.name), signature, 0, bytes)
	f.op("MOVQ %s_len+8(FP), CX", r.vectors[0])
	if r.pairs {
		f.op("ANDQ $-2, CX")
	}
	for i, v := range r.vectors {
		l.pointers[v] = []string{"SI", "DI", "DX", "R8", "R9"}[i]
		f.op("MOVQ %s_base+%d(FP), %s", v, 24*i, l.pointers[v])
	}
	for i, v := range r.scalars {
		l.scalars[v] = s.scalar + i*s.step
		f.op("VBROADCASTSS %s+%d(FP), %s", v, scalarsAt+4*i, l.name(v))
	}
	if len(r.fields) > 0 {
		f.op("MOVQ a+%d(FP), R10", scalarsAt)
	}
	for i, v := range r.fields {
		l.scalars[v] = s.scalar + i*s.step
		f.op("VBROADCASTSS adam_%s(R10), %s", v, l.name(v))
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
	f.endX86()
}

// name is that of a register by number or by scalar.
func (l *x86Loop) name(v any) string {
	if n, ok := v.(int); ok {
		return l.r(n)
	}
	return l.r(l.scalars[v.(string)])
}

// x86Operations are the instructions. The assembler has the result last, and
// before it the operands from right to left: VSUBPS y, x, z is z = x - y.
var x86Operations = map[operation]string{
	add: "VADDPS", sub: "VSUBPS", mul: "VMULPS", div: "VDIVPS", most: "VMAXPS",
	addMul: "VFMADD231PS", subMul: "VFNMADD231PS", mulPlus: "VFMADD213PS",
	add64: "VADDPD", addMul64: "VFMADD231PD",
}

func (l *x86Loop) do(o operation, z int, x, y any) { l.three(x86Operations[o], y, x, z) }

// three writes an instruction of three operands, the first of which may be a
// constant.
func (l *x86Loop) three(op string, y, x, z any) {
	c, isConstant := y.(constant)
	switch {
	case !isConstant:
		l.op("%s %s, %s, %s", op, l.name(y), l.name(x), l.name(z))
	case l.width == 16:
		l.op("%s.BCST %s<>(SB), %s, %s", op, c, l.name(x), l.name(z))
	default:
		l.op("%s %s<>(SB), %s, %s", op, c, l.name(x), l.name(z))
	}
}

func (l *x86Loop) sqrt(z, x int) { l.op("VSQRTPS %s, %s", l.r(x), l.r(z)) }

func (l *x86Loop) load(z int, v string) {
	at := "(" + l.pointers[v] + ")(AX*1)"
	switch {
	case !l.masked:
		l.op("VMOVUPS %s, %s", at, l.r(z))
	case l.width == 16:
		l.op("VMOVUPS.Z %s, K1, %s", at, l.r(z))
	default:
		l.op("VMASKMOVPS %s, Y15, %s", at, l.r(z))
	}
}

func (l *x86Loop) store(v string, x int) {
	at := "(" + l.pointers[v] + ")(AX*1)"
	switch {
	case !l.masked:
		l.op("VMOVUPS %s, %s", l.r(x), at)
	case l.width == 16:
		l.op("VMOVUPS %s, K1, %s", l.r(x), at)
	default:
		l.op("VMASKMOVPS %s, Y15, %s", l.r(x), at)
	}
}

func (l *x86Loop) fill(z, x int) {
	switch {
	case !l.masked:
	case l.width == 16:
		l.op("VBLENDMPS %s, %s, K1, %s", l.r(z), l.r(x), l.r(z))
	default:
		l.op("VBLENDVPS Y15, %s, %s, %s", l.r(z), l.r(x), l.r(z))
	}
}

func (l *x86Loop) constant(z int, c constant) { l.op("VBROADCASTSS %s<>(SB), %s", c, l.r(z)) }

func (l *x86Loop) alternating(z int) { l.op("VBROADCASTSD alternating<>(SB), %s", l.r(z)) }

func (l *x86Loop) zero(z int) { l.op("VXORPS %[1]s, %[1]s, %[1]s", l.r(z)) }

func (l *x86Loop) swap(z, x int) { l.op("VPERMILPS $0xb1, %s, %s", l.r(x), l.r(z)) }

func (l *x86Loop) widen(z int) {
	if l.width == 16 {
		l.op("VEXTRACTF64X4 $1, Z%d, Y%d", z, z+1)
		l.op("VCVTPS2PD Y%d, Z%d", z, z)
		l.op("VCVTPS2PD Y%d, Z%d", z+1, z+1)
	} else {
		l.op("VEXTRACTF128 $1, Y%d, X%d", z, z+1)
		l.op("VCVTPS2PD X%d, Y%d", z, z)
		l.op("VCVTPS2PD X%d, Y%d", z+1, z+1)
	}
}

func (l *x86Loop) exp(z, t int) {
	n, p := t, t+1
	l.do(mul, z, z, constant("log2e"))
	if l.width == 16 {
		// The fraction of an infinity is 0.
		l.op("VREDUCEPS $0, %s, %s", l.r(z), l.r(p))
		l.do(sub, n, z, p)
		l.op("VMOVAPS %s, %s", l.r(p), l.r(z))
	} else {
		// The order of operands keeps a NaN.
		l.constant(p, "least")
		l.three("VMAXPS", z, p, z)
		l.constant(p, "most")
		l.three("VMINPS", z, p, z)
		l.op("VROUNDPS $8, %s, %s", l.r(z), l.r(n))
		l.do(sub, z, z, n)
	}
	l.constant(p, "pow6")
	for i := 5; i >= 0; i-- {
		l.do(mulPlus, p, z, constant(fmt.Sprint("pow", i)))
	}
	if l.width == 16 {
		l.three("VSCALEFPS", n, p, z)
		return
	}
	// Times 2 to half of n, and to the other half: 2 to n may not be a number.
	l.op("VCVTPS2DQ %s, %s", l.r(n), l.r(n))
	l.op("VPSRAD $1, %s, %s", l.r(n), l.r(z))
	l.three("VPSUBD", z, n, n)
	for _, half := range []int{z, n} {
		l.three("VPADDD", constant("bias"), half, half)
		l.op("VPSLLD $23, %s, %s", l.r(half), l.r(half))
		l.do(mul, p, p, half)
	}
	l.op("VMOVAPS %s, %s", l.r(p), l.r(z))
}

func (l *x86Loop) fold(o operation) {
	op := x86Operations[o]
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
