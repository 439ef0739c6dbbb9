package main

import (
	"fmt"
	"strings"
)

// The registers of NEON: 9 that routines name by number, and one more to which
// such a name may move; one for a moment's use; scalars, going up; constants,
// going down.
const (
	neonSpare   = 9
	neonMoment  = 10
	neonScalars = 11
	neonLast    = 31
	neonBytes   = 16 // of a vector
)

// neonIndex is the general register of how many bytes of each vector are done.
const neonIndex = 9

// neonTexts returns the two files for arm64.
func neonTexts() (asm, stubs string) {
	f := &file{}
	for h := 1; h <= neonRows; h++ {
		f.neonTile(h)
	}
	f.neonPanel()
	f.neonTranspose()
	f.neonPeak()
	for _, r := range routines {
		f.neonVector(r)
	}
	return f.texts(neonTables())
}

// neonTables holds the constants one after another, each repeated to the width
// of a vector.
func neonTables() string {
	var words []uint32
	for _, c := range constants {
		words = append(words, repeated(c.bits, 4)...)
	}
	return table("constants", append(append(words, alternating[:]...), alternating[:]...))
}

// neonAt returns where in the table a constant is; the alternating one comes
// last.
func neonAt(name constant) int {
	for i, c := range constants {
		if c.name == name {
			return neonBytes * i
		}
	}
	return neonBytes * len(constants)
}

// A neonLoop writes a routine: whole vectors, then what is left, element by
// element, or pair by pair, at the lower end of vectors that are 0 otherwise.
// Constants are loaded before the loop.
type neonLoop struct {
	*file
	pointers  map[string]int   // registers by parameter
	scalars   map[string]int   // registers by parameter or field
	constants map[constant]int // registers, as they come up
	order     []constant       // the same, in the order in which they did
	numbered  [neonSpare]int   // registers by number
	spare     int              // the register that no number has
	get, put  a64              // what loads and stores
	part      bool             // whether this is less than a vector
}

// neonVector writes a routine.
func (f *file) neonVector(r routine) {
	l := &neonLoop{file: &file{}, pointers: map[string]int{}, scalars: map[string]int{}, constants: map[constant]int{}, spare: neonSpare}
	for i := range l.numbered {
		l.numbered[i] = i
	}
	for i, v := range r.vectors {
		l.pointers[v] = i
	}
	for i, v := range append(append([]string(nil), r.scalars...), r.fields...) {
		l.scalars[v] = neonScalars + i
	}
	signature, bytes, scalarsAt, resultAt := r.signature()

	l.loop(r)
	switch r.result {
	case "float32":
		l.op("FMOVS F0, ret+%d(FP)", resultAt)
	case "float64":
		l.op("FMOVD F0, ret+%d(FP)", resultAt)
	}
	l.op("RET")

	f.begin(r.doc, r.of("neon"), signature, 0, bytes)
	f.op("MOVD %s_len+8(FP), R8", r.vectors[0])
	if r.pairs {
		f.op("AND $-2, R8")
	}
	for i, v := range r.vectors {
		f.op("MOVD %s_base+%d(FP), R%d", v, 24*i, l.pointers[v])
	}
	for i, v := range r.scalars {
		f.op("FMOVS %s+%d(FP), F%d", v, scalarsAt+4*i, l.scalars[v])
		f.word(dup, l.scalars[v], l.scalars[v])
	}
	if len(r.fields) > 0 {
		f.op("MOVD a+%d(FP), R10", scalarsAt)
	}
	for _, v := range r.fields {
		f.op("FMOVS adam_%s(R10), F%d", v, l.scalars[v])
		f.word(dup, l.scalars[v], l.scalars[v])
	}
	if len(l.order) > 0 {
		f.op("MOVD $constants<>(SB), R10")
	}
	for _, c := range l.order {
		f.op("FMOVQ %d(R10), F%d", neonAt(c), l.constants[c])
	}
	f.asm.WriteString(l.asm.String())
}

// loop writes what a routine does once its parameters are in registers.
func (l *neonLoop) loop(r routine) {
	if r.before != nil {
		r.before(l)
	}
	step := func(get, put a64, elements int) {
		l.get, l.put = get, put
		r.body(l)
		l.op("ADD $%d, R%d", 4*elements, neonIndex)
		l.op("SUBS $%d, R8", elements)
	}
	l.op("MOVD ZR, R%d", neonIndex)
	l.op("SUBS $4, R8")
	l.op("BLT rest")
	l.op("PCALIGN $16")
	l.label("next")
	step(ldrq, strq, 4)
	l.op("BGE next")
	l.label("rest")
	l.op("ADDS $4, R8")
	l.op("BEQ done")
	l.part = true
	if r.pairs {
		step(ldrd, strd, 2) // all that can be left
	} else {
		l.label("one")
		step(ldrs, strs, 1)
		l.op("BNE one")
	}
	l.label("done")
	if r.after != nil {
		r.after(l)
	}
}

// register is that of a number, a scalar or a constant.
func (l *neonLoop) register(v any) int {
	switch v := v.(type) {
	case int:
		return l.numbered[v]
	case string:
		return l.scalars[v]
	}
	c := v.(constant)
	n, ok := l.constants[c]
	if !ok {
		if n = neonLast - len(l.order); n < neonScalars+len(l.scalars) {
			panic("too many constants")
		}
		l.constants[c] = n
		l.order = append(l.order, c)
	}
	return n
}

// neonOperations are the instructions.
var neonOperations = map[operation]a64{
	add: fadd, sub: fsub, mul: fmul, div: fdiv, most: fmaxnm, addMul: fmla, subMul: fmls,
	add64: fadd64, addMul64: fmla64,
}

func (l *neonLoop) do(o operation, z int, x, y any) {
	if o == mulPlus {
		// There is an instruction that adds to y only: it does so where the
		// result is to be, which then has the number of z.
		l.copy(l.spare, l.register(y))
		l.word(fmla, l.spare, l.numbered[z], l.register(x))
		l.numbered[z], l.spare = l.spare, l.numbered[z]
		return
	}
	l.word(neonOperations[o], l.numbered[z], l.register(x), l.register(y))
}

// copy sets register z to x, as the processor numbers them.
func (l *neonLoop) copy(z, x int) { l.word(orr, z, x, x) }

func (l *neonLoop) sqrt(z, x int) { l.word(fsqrt, l.numbered[z], l.numbered[x]) }

func (l *neonLoop) load(z int, v string) {
	l.word(l.get, l.numbered[z], l.pointers[v], neonIndex)
}

func (l *neonLoop) store(v string, x int) {
	l.word(l.put, l.numbered[x], l.pointers[v], neonIndex)
}

func (l *neonLoop) fill(z, x int) {
	if l.part {
		l.copy(neonMoment, l.numbered[x])
		l.word(ins, neonMoment, l.numbered[z])
		l.copy(l.numbered[z], neonMoment)
	}
}

func (l *neonLoop) constant(z int, c constant) { l.copy(l.numbered[z], l.register(c)) }

func (l *neonLoop) alternating(z int) { l.constant(z, "alternating") }

func (l *neonLoop) zero(z int) { l.word(movi0, l.numbered[z]) }

func (l *neonLoop) swap(z, x int) { l.word(rev64, l.numbered[z], l.numbered[x]) }

func (l *neonLoop) widen(z int) {
	l.word(fcvtl2, l.numbered[z+1], l.numbered[z])
	l.word(fcvtl, l.numbered[z], l.numbered[z])
}

func (l *neonLoop) exp(z, t int) {
	n, p := t, t+1
	three := func(i a64, z int, x, y any) { l.word(i, l.numbered[z], l.register(x), l.register(y)) }
	l.do(mul, z, z, constant("log2e"))
	three(fmax, z, z, constant("least"))
	three(fmin, z, z, constant("most"))
	l.word(frintn, l.numbered[n], l.numbered[z])
	l.do(sub, z, z, n)
	l.constant(p, "pow5")
	l.do(addMul, p, z, constant("pow6"))
	for i := 4; i >= 0; i-- {
		l.do(mulPlus, p, z, constant(fmt.Sprint("pow", i)))
	}
	// Times 2 to half of n, and to the other half: 2 to n may not be a number.
	l.word(fcvtns, l.numbered[n], l.numbered[n])
	l.word(sshr1, l.numbered[z], l.numbered[n])
	three(subInt, n, n, z)
	for _, half := range []int{z, n} {
		three(addInt, half, half, constant("bias"))
		l.word(shl23, l.numbered[half], l.numbered[half])
	}
	l.do(mul, p, p, z)
	l.do(mul, z, p, n)
}

func (l *neonLoop) fold(o operation) {
	op := neonOperations[o]
	l.word(ext8, 1, 0, 0)
	l.word(op, 0, 0, 1)
	if strings.HasSuffix(op.text, ".4s") {
		l.word(rev64, 1, 0)
		l.word(op, 0, 0, 1)
	}
}
