package main

import "testing"

// TestWords compares instructions with what the GNU assembler makes of their
// texts.
func TestWords(t *testing.T) {
	for _, tt := range []struct {
		in        a64
		registers []int
		want      string
	}{
		{fadd, []int{29, 3, 17}, "WORD $0x4e31d47d // fadd v29.4s, v3.4s, v17.4s"},
		{fsub, []int{29, 3, 17}, "WORD $0x4eb1d47d // fsub v29.4s, v3.4s, v17.4s"},
		{fmul, []int{29, 3, 17}, "WORD $0x6e31dc7d // fmul v29.4s, v3.4s, v17.4s"},
		{fdiv, []int{29, 3, 17}, "WORD $0x6e31fc7d // fdiv v29.4s, v3.4s, v17.4s"},
		{fmla, []int{29, 3, 17}, "WORD $0x4e31cc7d // fmla v29.4s, v3.4s, v17.4s"},
		{fmls, []int{29, 3, 17}, "WORD $0x4eb1cc7d // fmls v29.4s, v3.4s, v17.4s"},
		{fmax, []int{29, 3, 17}, "WORD $0x4e31f47d // fmax v29.4s, v3.4s, v17.4s"},
		{fmin, []int{29, 3, 17}, "WORD $0x4eb1f47d // fmin v29.4s, v3.4s, v17.4s"},
		{fmaxnm, []int{29, 3, 17}, "WORD $0x4e31c47d // fmaxnm v29.4s, v3.4s, v17.4s"},
		{fmlaOne, []int{29, 3, 17}, "WORD $0x4f91107d // fmla v29.4s, v3.4s, v17.s[0]"},
		{fadd64, []int{29, 3, 17}, "WORD $0x4e71d47d // fadd v29.2d, v3.2d, v17.2d"},
		{fmla64, []int{29, 3, 17}, "WORD $0x4e71cc7d // fmla v29.2d, v3.2d, v17.2d"},
		{fsqrt, []int{29, 3}, "WORD $0x6ea1f87d // fsqrt v29.4s, v3.4s"},
		{frintn, []int{29, 3}, "WORD $0x4e21887d // frintn v29.4s, v3.4s"},
		{fcvtns, []int{29, 3}, "WORD $0x4e21a87d // fcvtns v29.4s, v3.4s"},
		{fcvtl, []int{29, 3}, "WORD $0x0e61787d // fcvtl v29.2d, v3.2s"},
		{fcvtl2, []int{29, 3}, "WORD $0x4e61787d // fcvtl2 v29.2d, v3.4s"},
		{addInt, []int{29, 3, 17}, "WORD $0x4eb1847d // add v29.4s, v3.4s, v17.4s"},
		{subInt, []int{29, 3, 17}, "WORD $0x6eb1847d // sub v29.4s, v3.4s, v17.4s"},
		{sshr1, []int{29, 3}, "WORD $0x4f3f047d // sshr v29.4s, v3.4s, #1"},
		{shl23, []int{29, 3}, "WORD $0x4f37547d // shl v29.4s, v3.4s, #23"},
		{orr, []int{29, 3, 17}, "WORD $0x4eb11c7d // orr v29.16b, v3.16b, v17.16b"},
		{movi0, []int{29}, "WORD $0x6f00e41d // movi v29.2d, #0"},
		{dup, []int{29, 3}, "WORD $0x4e04047d // dup v29.4s, v3.s[0]"},
		{ins, []int{29, 3}, "WORD $0x6e04047d // mov v29.s[0], v3.s[0]"},
		{rev64, []int{29, 3}, "WORD $0x4ea0087d // rev64 v29.4s, v3.4s"},
		{ext8, []int{29, 3, 17}, "WORD $0x6e11407d // ext v29.16b, v3.16b, v17.16b, #8"},
		{trn1, []int{29, 3, 17}, "WORD $0x4e91287d // trn1 v29.4s, v3.4s, v17.4s"},
		{trn2, []int{29, 3, 17}, "WORD $0x4e91687d // trn2 v29.4s, v3.4s, v17.4s"},
		{trn1by2, []int{29, 3, 17}, "WORD $0x4ed1287d // trn1 v29.2d, v3.2d, v17.2d"},
		{trn2by2, []int{29, 3, 17}, "WORD $0x4ed1687d // trn2 v29.2d, v3.2d, v17.2d"},
		{ldrq, []int{29, 3, 17}, "WORD $0x3cf1687d // ldr q29, [x3, x17]"},
		{ldrd, []int{29, 3, 17}, "WORD $0xfc71687d // ldr d29, [x3, x17]"},
		{ldrs, []int{29, 3, 17}, "WORD $0xbc71687d // ldr s29, [x3, x17]"},
		{strq, []int{29, 3, 17}, "WORD $0x3cb1687d // str q29, [x3, x17]"},
		{strd, []int{29, 3, 17}, "WORD $0xfc31687d // str d29, [x3, x17]"},
		{strs, []int{29, 3, 17}, "WORD $0xbc31687d // str s29, [x3, x17]"},
	} {
		f := &file{}
		f.word(tt.in, tt.registers...)
		if got := f.asm.String(); got != "\t"+tt.want+"\n" {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
