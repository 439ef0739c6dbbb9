package main

import "fmt"

// tile writes the routine for h rows of a by one panel. The sums stay in
// registers: a row has two, and the two of b, and a few that elements of a are
// spread over, are all else that is needed.
//
// Rows of a are reached from a base register for every three of them, with the
// stride once and twice as the index.
func (s x86) tile(f *file, h int) {
	f.begin(fmt.Sprintf("is a tile of %d rows.", h), fmt.Sprintf("%sTile%d", s.name, h),
		"(k int, a *float32, ars, acs int, b *float32, bs int, c *float32, cs, n, acc int)", 0, 80)
	f.op("MOVQ k+0(FP), CX")
	f.op("MOVQ a+8(FP), SI")
	f.op("MOVQ ars+16(FP), R8")
	f.op("MOVQ acs+24(FP), R9")
	f.op("MOVQ b+32(FP), DI")
	f.op("MOVQ bs+40(FP), R13")
	f.op("MOVQ c+48(FP), DX")
	f.op("MOVQ cs+56(FP), BX")
	for _, r := range []string{"R8", "R9", "R13", "BX"} {
		f.op("SHLQ $2, %s", r)
	}
	bases := []string{"SI", "R10", "R11", "R12"}[:(h+2)/3]
	if h > 3 {
		f.op("LEAQ (R8)(R8*2), AX")
	}
	for i := 1; i < len(bases); i++ {
		f.op("LEAQ (%s)(AX*1), %s", bases[i-1], bases[i])
	}
	sum := func(i, half int) string { return s.r(s.sums() + 2*i + half) }
	f.op("MOVQ DX, AX")
	for i := range h {
		f.op("PREFETCHT0 (AX)")
		f.op("PREFETCHT0 %d(AX)", s.bytes())
		if i < h-1 {
			f.op("ADDQ BX, AX")
		}
		for half := range 2 {
			f.op("VXORPS %[1]s, %[1]s, %[1]s", sum(i, half))
		}
	}
	f.op("PCALIGN $32")
	f.label("next")
	f.op("VMOVUPS (DI), %s", s.r(0))
	f.op("VMOVUPS %d(DI), %s", s.bytes(), s.r(1))
	f.op("ADDQ R13, DI")
	for i := range h {
		spread := s.r(2 + i%(s.sums()-2))
		f.op("VBROADCASTSS (%s)%s, %s", bases[i/3], []string{"", "(R8*1)", "(R8*2)"}[i%3], spread)
		for half := range 2 {
			f.op("VFMADD231PS %s, %s, %s", s.r(half), spread, sum(i, half))
		}
	}
	for _, b := range bases {
		f.op("ADDQ R9, %s", b)
	}
	f.op("DECQ CX")
	f.op("JNZ next")

	f.op("MOVQ n+64(FP), CX")
	f.op("MOVQ acc+72(FP), AX")
	f.op("CMPQ CX, $%d", 2*s.width)
	f.op("JNE part")
	f.op("TESTQ AX, AX")
	f.op("JZ store")
	f.rows(h, "MOVQ DX, R8", "R8", func(i, half int) {
		f.op("VADDPS %d(R8), %s, %s", half*s.bytes(), sum(i, half), sum(i, half))
	})
	f.label("store")
	f.rows(h, "", "DX", func(i, half int) { f.op("VMOVUPS %s, %d(DX)", sum(i, half), half*s.bytes()) })
	f.endX86()

	f.label("part")
	var masks [2]string
	if s.width == 16 {
		masks = [2]string{"K1", "K2"}
		f.op("MOVQ $1, R9")
		f.op("SHLQ CX, R9")
		f.op("DECQ R9")
		f.op("KMOVW R9, K1")
		f.op("SHRQ $16, R9")
		f.op("KMOVW R9, K2")
	} else {
		masks = [2]string{s.r(0), s.r(1)}
		f.op("MOVQ $%d, R9", 2*s.width)
		f.op("SUBQ CX, R9")
		f.op("LEAQ mask<>(SB), R10")
		f.op("VMOVUPS (R10)(R9*4), %s", s.r(0))
		f.op("VMOVUPS %d(R10)(R9*4), %s", s.bytes(), s.r(1))
	}
	f.op("TESTQ AX, AX")
	f.op("JZ storepart")
	f.rows(h, "MOVQ DX, R8", "R8", func(i, half int) {
		if s.width == 16 {
			f.op("VADDPS %d(R8), %s, %s, %s", half*s.bytes(), sum(i, half), masks[half], sum(i, half))
			return
		}
		f.op("VMASKMOVPS %d(R8), %s, %s", half*s.bytes(), masks[half], s.r(2))
		f.op("VADDPS %s, %s, %s", s.r(2), sum(i, half), sum(i, half))
	})
	f.label("storepart")
	f.rows(h, "", "DX", func(i, half int) {
		if s.width == 16 {
			f.op("VMOVUPS %s, %s, %d(DX)", sum(i, half), masks[half], half*s.bytes())
			return
		}
		f.op("VMASKMOVPS %s, %s, %d(DX)", sum(i, half), masks[half], half*s.bytes())
	})
	f.endX86()
}

// sums is the first register that holds a sum of a tile.
func (s x86) sums() int {
	if s.width == 16 {
		return 8
	}
	return 4
}

// rows writes line for both halves of h rows of c, as the register at moves over
// them.
func (f *file) rows(h int, first, at string, line func(i, half int)) {
	if first != "" {
		f.op("%s", first)
	}
	for i := range h {
		line(i, 0)
		line(i, 1)
		if i < h-1 {
			f.op("ADDQ BX, %s", at)
		}
	}
}

// panel writes the copy of rows of two vectors.
func (s x86) panel(f *file) {
	f.begin("copies n rows of a panel; see [kernel].", s.name+"Panel", "(dst, src []float32, n, stride int)", 0, 64)
	f.op("MOVQ dst_base+0(FP), DI")
	f.op("MOVQ src_base+24(FP), SI")
	f.op("MOVQ n+48(FP), CX")
	f.op("MOVQ stride+56(FP), R8")
	f.op("SHLQ $2, R8")
	f.label("next")
	f.op("VMOVUPS (SI), %s", s.r(0))
	f.op("VMOVUPS %d(SI), %s", s.bytes(), s.r(1))
	f.op("VMOVUPS %s, (DI)", s.r(0))
	f.op("VMOVUPS %s, %d(DI)", s.r(1), s.bytes())
	f.op("ADDQ R8, SI")
	f.op("ADDQ $%d, DI", 2*s.bytes())
	f.op("DECQ CX")
	f.op("JNZ next")
	f.endX86()
}

// transpose writes the transposition of four rows, a vector of each at a time:
// within each 128 bits it is one of four by four.
func (s x86) transpose(f *file) {
	f.begin(fmt.Sprintf("transposes 4 rows of %d times n elements, from apart, to n rows, to apart.", s.width),
		s.name+"Transpose", "(dst, src *float32, n, to, from int)", 0, 40)
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ src+8(FP), SI")
	f.op("MOVQ n+16(FP), CX")
	f.op("MOVQ to+24(FP), R9")
	f.op("MOVQ from+32(FP), R8")
	f.op("SHLQ $2, R8")
	f.op("SHLQ $2, R9")
	f.op("LEAQ (R8)(R8*2), R10")
	f.op("LEAQ (R9)(R9*2), R11")
	f.label("next")
	for i, at := range []string{"(SI)", "(SI)(R8*1)", "(SI)(R8*2)", "(SI)(R10*1)"} {
		f.op("VMOVUPS %s, %s", at, s.r(i))
	}
	for i, step := range []struct {
		op   string
		x, y int
	}{
		{"VUNPCKLPS", 0, 1}, {"VUNPCKHPS", 0, 1}, {"VUNPCKLPS", 2, 3}, {"VUNPCKHPS", 2, 3},
		{"VUNPCKLPD", 4, 6}, {"VUNPCKHPD", 4, 6}, {"VUNPCKLPD", 5, 7}, {"VUNPCKHPD", 5, 7},
	} {
		f.op("%s %s, %s, %s", step.op, s.r(step.y), s.r(step.x), s.r(4+i))
	}
	for lane := range s.width / 4 {
		for i, at := range []string{"(DI)", "(DI)(R9*1)", "(DI)(R9*2)", "(DI)(R11*1)"} {
			switch {
			case lane == 0:
				f.op("VMOVUPS X%d, %s", 8+i, at)
			case s.width == 16:
				f.op("VEXTRACTF32X4 $%d, Z%d, %s", lane, 8+i, at)
			default:
				f.op("VEXTRACTF128 $%d, Y%d, %s", lane, 8+i, at)
			}
		}
		f.op("LEAQ (DI)(R9*4), DI")
	}
	f.op("ADDQ $%d, SI", s.bytes())
	f.op("DECQ CX")
	f.op("JNZ next")
	f.endX86()
}

// peak writes the loop that does nothing but multiply and add.
func (s x86) peak(f *file) {
	f.begin("multiplies and adds n times on each of its sums.", s.name+"Peak", "(n int)", 0, 8)
	f.op("MOVQ n+0(FP), CX")
	f.op("VBROADCASTSS near1<>(SB), %s", s.r(0))
	f.op("VBROADCASTSS near0<>(SB), %s", s.r(1))
	for i := range 2 * s.rows {
		f.op("VMOVUPS %s, %s", s.r(1), s.r(s.sums()+i))
	}
	f.op("PCALIGN $32")
	f.label("next")
	for i := range 2 * s.rows {
		f.op("VFMADD213PS %s, %s, %s", s.r(1), s.r(0), s.r(s.sums()+i))
	}
	f.op("DECQ CX")
	f.op("JNZ next")
	f.endX86()
}
