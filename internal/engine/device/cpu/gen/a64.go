package main

import "fmt"

// An a64 is an instruction on vectors that Go's assembler does not know, or not
// in this form: its bits, with registers of 0, and how it is written. The
// registers are the result and then the operands.
type a64 struct {
	bits uint32
	text string
}

// word writes an instruction as the number that it is.
func (f *file) word(i a64, registers ...int) {
	bits, names := i.bits, make([]any, len(registers))
	for n, r := range registers {
		bits |= uint32(r) << [3]int{0, 5, 16}[n]
		names[n] = r
	}
	f.op("WORD $0x%08x // %s", bits, fmt.Sprintf(i.text, names...))
}

// The encodings are those of the Arm Architecture Reference Manual for A-profile,
// chapter C7.
var (
	fadd    = a64{0x4e20d400, "fadd v%d.4s, v%d.4s, v%d.4s"}
	fsub    = a64{0x4ea0d400, "fsub v%d.4s, v%d.4s, v%d.4s"}
	fmul    = a64{0x6e20dc00, "fmul v%d.4s, v%d.4s, v%d.4s"}
	fdiv    = a64{0x6e20fc00, "fdiv v%d.4s, v%d.4s, v%d.4s"}
	fmla    = a64{0x4e20cc00, "fmla v%d.4s, v%d.4s, v%d.4s"}
	fmls    = a64{0x4ea0cc00, "fmls v%d.4s, v%d.4s, v%d.4s"}
	fmax    = a64{0x4e20f400, "fmax v%d.4s, v%d.4s, v%d.4s"}   // NaN if either is
	fmin    = a64{0x4ea0f400, "fmin v%d.4s, v%d.4s, v%d.4s"}   // the same
	fmaxnm  = a64{0x4e20c400, "fmaxnm v%d.4s, v%d.4s, v%d.4s"} // the other if one is NaN
	fmlaOne = a64{0x4f801000, "fmla v%d.4s, v%d.4s, v%d.s[0]"} // by one element
	fadd64  = a64{0x4e60d400, "fadd v%d.2d, v%d.2d, v%d.2d"}
	fmla64  = a64{0x4e60cc00, "fmla v%d.2d, v%d.2d, v%d.2d"}
	fsqrt   = a64{0x6ea1f800, "fsqrt v%d.4s, v%d.4s"}
	frintn  = a64{0x4e218800, "frintn v%d.4s, v%d.4s"} // to the nearest whole number
	fcvtns  = a64{0x4e21a800, "fcvtns v%d.4s, v%d.4s"} // the same, to an integer
	fcvtl   = a64{0x0e617800, "fcvtl v%d.2d, v%d.2s"}  // the lower half, in 64 bits
	fcvtl2  = a64{0x4e617800, "fcvtl2 v%d.2d, v%d.4s"} // the upper
	addInt  = a64{0x4ea08400, "add v%d.4s, v%d.4s, v%d.4s"}
	subInt  = a64{0x6ea08400, "sub v%d.4s, v%d.4s, v%d.4s"}
	sshr1   = a64{0x4f3f0400, "sshr v%d.4s, v%d.4s, #1"}
	shl23   = a64{0x4f375400, "shl v%d.4s, v%d.4s, #23"}
	orr     = a64{0x4ea01c00, "orr v%d.16b, v%d.16b, v%d.16b"} // of one with itself, a copy
	movi0   = a64{0x6f00e400, "movi v%d.2d, #0"}
	dup     = a64{0x4e040400, "dup v%d.4s, v%d.s[0]"}
	ins     = a64{0x6e040400, "mov v%d.s[0], v%d.s[0]"}
	rev64   = a64{0x4ea00800, "rev64 v%d.4s, v%d.4s"}
	ext8    = a64{0x6e004000, "ext v%d.16b, v%d.16b, v%d.16b, #8"} // halves exchanged, of one with itself
	trn1    = a64{0x4e802800, "trn1 v%d.4s, v%d.4s, v%d.4s"}
	trn2    = a64{0x4e806800, "trn2 v%d.4s, v%d.4s, v%d.4s"}
	trn1by2 = a64{0x4ec02800, "trn1 v%d.2d, v%d.2d, v%d.2d"}
	trn2by2 = a64{0x4ec06800, "trn2 v%d.2d, v%d.2d, v%d.2d"}

	// Loads and stores of a vector, the lower half, and one element; the rest
	// of a register becomes 0.
	ldrq = a64{0x3ce06800, "ldr q%d, [x%d, x%d]"}
	ldrd = a64{0xfc606800, "ldr d%d, [x%d, x%d]"}
	ldrs = a64{0xbc606800, "ldr s%d, [x%d, x%d]"}
	strq = a64{0x3ca06800, "str q%d, [x%d, x%d]"}
	strd = a64{0xfc206800, "str d%d, [x%d, x%d]"}
	strs = a64{0xbc206800, "str s%d, [x%d, x%d]"}
)
