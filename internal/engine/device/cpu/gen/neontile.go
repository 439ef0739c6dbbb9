package main

import "fmt"

// The largest tile of NEON, in rows and in vectors, fills 24 of the 32 registers
// with sums; 3 hold a row of b, and elements of a go through the other 5.
const (
	neonRows = 8
	neonCols = 3
)

// neonSum is the register of a sum.
func neonSum(i, j int) int { return 8 + neonCols*i + j }

// neonTile writes the routine for h rows of a by one panel. Each row of a has a
// pointer, and all have one index. A part of the columns goes through memory,
// from where it is taken element by element.
func (f *file) neonTile(h int) {
	const row = neonCols * neonBytes
	f.begin(fmt.Sprintf("is a tile of %d rows.", h), fmt.Sprintf("neonTile%d", h),
		"(k int, a *float32, ars, acs int, b *float32, bs int, c *float32, cs, n, acc int)", h*row, 80)
	f.op("MOVD k+0(FP), R0")
	f.op("MOVD a+8(FP), R1")
	f.op("MOVD ars+16(FP), R20")
	f.op("MOVD acs+24(FP), R9")
	f.op("MOVD b+32(FP), R11")
	f.op("MOVD bs+40(FP), R12")
	f.op("MOVD c+48(FP), R13")
	f.op("MOVD cs+56(FP), R14")
	f.op("MOVD n+64(FP), R15")
	f.op("MOVD acc+72(FP), R19")
	f.op("LSL $2, R9")
	f.op("LSL $2, R12")
	f.op("LSL $2, R14")
	for i := 1; i < h; i++ {
		f.op("ADD R20<<2, R%d, R%d", i, i+1)
	}
	f.op("MOVD ZR, R10")
	for i := range h {
		for j := range neonCols {
			f.word(movi0, neonSum(i, j))
		}
	}
	f.op("PCALIGN $16")
	f.label("next")
	f.op("FLDPQ (R11), (F0, F1)")
	f.op("FMOVQ 32(R11), F2")
	f.op("ADD R12, R11")
	for i := range h {
		one := neonCols + i%(neonSum(0, 0)-neonCols)
		f.op("FMOVS (R%d)(R10), F%d", 1+i, one)
		for j := range neonCols {
			f.word(fmlaOne, neonSum(i, j), j, one)
		}
	}
	f.op("ADD R9, R10")
	f.op("SUBS $1, R0")
	f.op("BNE next")

	f.op("CMP $%d, R15", 4*neonCols)
	f.op("BNE part")
	f.op("CBZ R19, store")
	f.op("MOVD R13, R20")
	for i := range h {
		f.op("FLDPQ (R20), (F0, F1)")
		f.op("FMOVQ 32(R20), F2")
		f.op("ADD R14, R20")
		for j := range neonCols {
			f.word(fadd, neonSum(i, j), neonSum(i, j), j)
		}
	}
	f.label("store")
	for i := range h {
		f.op("FSTPQ (F%d, F%d), (R13)", neonSum(i, 0), neonSum(i, 1))
		f.op("FMOVQ F%d, 32(R13)", neonSum(i, 2))
		f.op("ADD R14, R13")
	}
	f.op("RET")

	f.label("part")
	f.op("MOVD $sums-%d(SP), R20", h*row)
	for i := range h {
		for j := range neonCols {
			f.op("FMOVQ F%d, %d(R20)", neonSum(i, j), i*row+j*neonBytes)
		}
	}
	f.op("MOVD $%d, R0", h)
	f.label("row")
	f.op("MOVD R20, R1")
	f.op("MOVD R13, R2")
	f.op("MOVD R15, R3")
	f.label("element")
	f.op("FMOVS.P 4(R1), F0")
	f.op("CBZ R19, put")
	f.op("FMOVS (R2), F1")
	f.op("FADDS F1, F0, F0")
	f.label("put")
	f.op("FMOVS.P F0, 4(R2)")
	f.op("SUBS $1, R3")
	f.op("BNE element")
	f.op("ADD $%d, R20", row)
	f.op("ADD R14, R13")
	f.op("SUBS $1, R0")
	f.op("BNE row")
	f.op("RET")
}

// neonPanel writes the copy of rows of three vectors.
func (f *file) neonPanel() {
	f.begin("copies n rows of a panel; see [kernel].", "neonPanel", "(dst, src []float32, n, stride int)", 0, 64)
	f.op("MOVD dst_base+0(FP), R0")
	f.op("MOVD src_base+24(FP), R1")
	f.op("MOVD n+48(FP), R2")
	f.op("MOVD stride+56(FP), R3")
	f.op("LSL $2, R3")
	f.label("next")
	f.op("FLDPQ (R1), (F0, F1)")
	f.op("FMOVQ 32(R1), F2")
	f.op("FSTPQ (F0, F1), (R0)")
	f.op("FMOVQ F2, 32(R0)")
	f.op("ADD R3, R1")
	f.op("ADD $%d, R0", neonCols*neonBytes)
	f.op("SUBS $1, R2")
	f.op("BNE next")
	f.op("RET")
}

// neonTranspose writes the transposition of four rows, a vector of each at a
// time.
func (f *file) neonTranspose() {
	f.begin("transposes 4 rows of 4 times n elements, from apart, to n rows, to apart.", "neonTranspose",
		"(dst, src *float32, n, to, from int)", 0, 40)
	f.op("MOVD dst+0(FP), R0")
	f.op("MOVD src+8(FP), R1")
	f.op("MOVD n+16(FP), R2")
	f.op("MOVD to+24(FP), R3")
	f.op("MOVD from+32(FP), R4")
	f.op("LSL $2, R3")
	f.op("LSL $2, R4")
	f.op("ADD R4<<1, R4, R5")
	f.op("LSL $1, R4, R6")
	f.label("next")
	f.op("FMOVQ (R1), F0")
	f.word(ldrq, 1, 1, 4)
	f.word(ldrq, 2, 1, 6)
	f.word(ldrq, 3, 1, 5)
	f.op("ADD $%d, R1", neonBytes)
	f.word(trn1, 4, 0, 1)
	f.word(trn2, 5, 0, 1)
	f.word(trn1, 6, 2, 3)
	f.word(trn2, 7, 2, 3)
	f.word(trn1by2, 0, 4, 6)
	f.word(trn1by2, 1, 5, 7)
	f.word(trn2by2, 2, 4, 6)
	f.word(trn2by2, 3, 5, 7)
	for i := range 4 {
		f.op("FMOVQ F%d, (R0)", i)
		f.op("ADD R3, R0")
	}
	f.op("SUBS $1, R2")
	f.op("BNE next")
	f.op("RET")
}

// neonPeak writes the loop that does nothing but multiply and add.
func (f *file) neonPeak() {
	f.begin("multiplies and adds n times on each of its sums.", "neonPeak", "(n int)", 0, 8)
	f.op("MOVD n+0(FP), R0")
	f.op("MOVD $constants<>(SB), R1")
	f.op("FMOVQ %d(R1), F0", neonAt("near1"))
	f.op("FMOVQ %d(R1), F1", neonAt("near0"))
	for i := range neonRows * neonCols {
		f.word(movi0, neonSum(0, i))
	}
	f.op("PCALIGN $16")
	f.label("next")
	for i := range neonRows * neonCols {
		f.word(fmla, neonSum(0, i), 0, 1)
	}
	f.op("SUBS $1, R0")
	f.op("BNE next")
	f.op("RET")
}
