#include "go_asm.h"
#include "textflag.h"

// func avx512Moments(vals *float32, n int, sum, squares *[lanes]float64)
TEXT ·avx512Moments(SB), NOSPLIT, $0-32
	MOVQ vals+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ sum+16(FP), DI
	MOVQ squares+24(FP), BX
	VMOVUPD (DI), Z2
	VMOVUPD (BX), Z3
moments:
	VCVTPS2PD (SI), Z0
	VCVTPS2PD 32(SI), Z1
	VADDPD Z0, Z2, Z2
	VFMADD231PD Z0, Z0, Z3
	VADDPD Z1, Z2, Z2
	VFMADD231PD Z1, Z1, Z3
	ADDQ $64, SI
	SUBQ $16, CX
	JNZ  moments
	VMOVUPD Z2, (DI)
	VMOVUPD Z3, (BX)
	VZEROUPPER
	RET

// BIN adds the values of Z1 and Z2 whose codes in Z0 are those of CODE to SUM,
// and their number to COUNT.
#define BIN(CODE, SUM, COUNT) \
	VPCMPEQD CODE, Z0, K1 \
	KSHIFTRW $8, K1, K2 \
	KMOVW K1, AX \
	VADDPD Z1, SUM, K1, SUM \
	VADDPD Z2, SUM, K2, SUM \
	POPCNTL AX, AX \
	ADDQ AX, COUNT

// func avx512Assign(code *uint8, vals *float32, n int, shift, scale float32, bins *bin)
TEXT ·avx512Assign(SB), NOSPLIT, $0-40
	MOVQ code+0(FP), DI
	MOVQ vals+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSS shift+24(FP), Z20
	VBROADCASTSS scale+28(FP), Z21
	MOVQ bins+32(FP), BX
	MOVL $0x40000000, AX
	VPBROADCASTD AX, Z22
	VPXORD Z23, Z23, Z23
	MOVL $1, AX
	VPBROADCASTD AX, Z24
	VPADDD Z24, Z24, Z25
	VPADDD Z24, Z25, Z26
	VCVTDQ2PS Z26, Z27
	VMOVUPD bin_sum(BX), Z10
	VMOVUPD (bin_sum+bin__size)(BX), Z11
	VMOVUPD (bin_sum+2*bin__size)(BX), Z12
	VMOVUPD (bin_sum+3*bin__size)(BX), Z13
	MOVQ bin_count(BX), R8
	MOVQ (bin_count+bin__size)(BX), R9
	MOVQ (bin_count+2*bin__size)(BX), R10
	MOVQ (bin_count+3*bin__size)(BX), R11
assign:
	VMOVUPS (SI), Z0
	VSUBPS Z20, Z0, Z0
	VCVTPS2PD Y0, Z1
	VEXTRACTF64X4 $1, Z0, Y2
	VCVTPS2PD Y2, Z2
	VDIVPS Z21, Z0, Z0
	VADDPS Z22, Z0, Z0
	// To the nearest code, of two to the even one.
	VMAXPS Z23, Z0, Z0
	VMINPS Z27, Z0, Z0
	VCVTPS2DQ Z0, Z0
	VPMOVDB Z0, (DI)
	BIN(Z23, Z10, R8)
	BIN(Z24, Z11, R9)
	BIN(Z25, Z12, R10)
	BIN(Z26, Z13, R11)
	ADDQ $64, SI
	ADDQ $16, DI
	SUBQ $16, CX
	JNZ  assign
	VMOVUPD Z10, bin_sum(BX)
	VMOVUPD Z11, (bin_sum+bin__size)(BX)
	VMOVUPD Z12, (bin_sum+2*bin__size)(BX)
	VMOVUPD Z13, (bin_sum+3*bin__size)(BX)
	MOVQ R8, bin_count(BX)
	MOVQ R9, (bin_count+bin__size)(BX)
	MOVQ R10, (bin_count+2*bin__size)(BX)
	MOVQ R11, (bin_count+3*bin__size)(BX)
	VZEROUPPER
	RET
