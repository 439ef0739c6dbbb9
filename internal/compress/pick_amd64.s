#include "go_asm.h"
#include "textflag.h"

// 0, 1, ... 31
DATA words<>+0(SB)/8, $0x0003000200010000
DATA words<>+8(SB)/8, $0x0007000600050004
DATA words<>+16(SB)/8, $0x000b000a00090008
DATA words<>+24(SB)/8, $0x000f000e000d000c
DATA words<>+32(SB)/8, $0x0013001200110010
DATA words<>+40(SB)/8, $0x0017001600150014
DATA words<>+48(SB)/8, $0x001b001a00190018
DATA words<>+56(SB)/8, $0x001f001e001d001c
GLOBL words<>(SB), RODATA|NOPTR, $64

// STEP sets 16 elements of rest to decay*rest + gain*delta, and M to what was
// the larger magnitude: that or the new one's.
#define STEP(REST, DELTA, M) \
	VMULPS REST, Z30, Z0 \
	VMULPS DELTA, Z31, Z1 \
	VADDPS Z1, Z0, Z0 \
	VMOVUPS Z0, REST \
	VPANDD Z0, Z29, Z0 \
	VPMAXUD Z0, M, M

// COUNT adds to R how many of Z are not below Z0.
#define COUNT(Z, K, T, R) \
	VPCMPUD $5, Z0, Z, K \
	KMOVW K, T \
	POPCNTL T, T \
	ADDL T, R

// ACROSS sets R to what OP leaves of the 16 elements of Z, Y and X.
#define ACROSS(OP, Z, Y, X, Y1, X1, R) \
	VEXTRACTI64X4 $1, Z, Y1 \
	OP Y1, Y, Y \
	VEXTRACTI128 $1, Y, X1 \
	OP X1, X, X \
	VPSHUFD $0x4e, X, X1 \
	OP X1, X, X \
	VPSHUFD $0xb1, X, X1 \
	OP X1, X, X \
	VMOVD X, R

// func avx512Pick(rest, delta *float32, stride, rows int, decay, gain float32, keep int, index *uint16, value *float32, w *candidates) int
TEXT ·avx512Pick(SB), NOSPLIT, $0-80
	MOVQ rest+0(FP), DI
	MOVQ delta+8(FP), SI
	MOVQ stride+16(FP), R8
	MOVQ rows+24(FP), R9
	VBROADCASTSS decay+32(FP), Z30
	VBROADCASTSS gain+36(FP), Z31
	MOVQ w+64(FP), R15
	SHLQ $2, R8
	MOVL $0x7fffffff, AX
	VPBROADCASTD AX, Z29
	VPXORD Z16, Z16, Z16
	VPXORD Z17, Z17, Z17
	VPXORD Z18, Z18, Z18
	VPXORD Z19, Z19, Z19
	VPXORD Z20, Z20, Z20
	VPXORD Z21, Z21, Z21
	VPXORD Z22, Z22, Z22
	VPXORD Z23, Z23, Z23

	// The elements fall into 128 parts by their columns and whether their row is
	// odd: Z16 to Z23 are the largest magnitude of each. Meanwhile what follows in
	// these rows is fetched.
	MOVQ R9, R10
	MOVQ R9, R11
	SHLQ $8, R11
	ADDQ DI, R11
	SUBQ $2, R10
	JLT  odd
pair:
	PREFETCHT0 256(SI)
	PREFETCHT0 320(SI)
	PREFETCHT0 384(SI)
	PREFETCHT0 448(SI)
	STEP((DI), (SI), Z16)
	STEP(64(DI), 64(SI), Z17)
	STEP(128(DI), 128(SI), Z18)
	STEP(192(DI), 192(SI), Z19)
	ADDQ R8, SI
	PREFETCHT0 256(SI)
	PREFETCHT0 320(SI)
	PREFETCHT0 384(SI)
	PREFETCHT0 448(SI)
	STEP(256(DI), (SI), Z20)
	STEP(320(DI), 64(SI), Z21)
	STEP(384(DI), 128(SI), Z22)
	STEP(448(DI), 192(SI), Z23)
	ADDQ R8, SI
	ADDQ $512, DI
	ADDQ $512, R11
	SUBQ $2, R10
	JGE  pair
odd:
	ADDQ $2, R10
	JZ   bound
	STEP((DI), (SI), Z16)
	STEP(64(DI), 64(SI), Z17)
	STEP(128(DI), 128(SI), Z18)
	STEP(192(DI), 192(SI), Z19)

bound:
	// R12 is the least of these, R13 more than the largest.
	VPMAXUD Z16, Z17, Z0
	VPMINUD Z16, Z17, Z1
	VPMAXUD Z18, Z19, Z2
	VPMINUD Z18, Z19, Z3
	VPMAXUD Z20, Z21, Z4
	VPMINUD Z20, Z21, Z5
	VPMAXUD Z22, Z23, Z6
	VPMINUD Z22, Z23, Z7
	VPMAXUD Z2, Z0, Z0
	VPMINUD Z3, Z1, Z1
	VPMAXUD Z6, Z4, Z4
	VPMINUD Z7, Z5, Z5
	VPMAXUD Z4, Z0, Z0
	VPMINUD Z5, Z1, Z1
	ACROSS(VPMAXUD, Z0, Y0, X0, Y2, X2, R13)
	ACROSS(VPMINUD, Z1, Y1, X1, Y2, X2, R12)
	CMPL R13, $0x7f800000
	JCC  bad
	TESTL R13, R13
	JEQ  zeros
	INCQ R13
	MOVQ R13, R14

	// As many of the parts as elements are kept have one of magnitude R12 or
	// above: so many elements do, and not many more.
	MOVQ keep+40(FP), R8
	MOVL $10, R10
halve:
	LEAQ (R12)(R13*1), R11
	SHRQ $1, R11
	VPBROADCASTD R11, Z0
	XORL AX, AX
	XORL BX, BX
	COUNT(Z16, K1, CX, AX)
	COUNT(Z17, K2, DX, BX)
	COUNT(Z18, K3, CX, AX)
	COUNT(Z19, K4, DX, BX)
	COUNT(Z20, K5, CX, AX)
	COUNT(Z21, K6, DX, BX)
	COUNT(Z22, K1, CX, AX)
	COUNT(Z23, K2, DX, BX)
	ADDL BX, AX
	CMPQ AX, R8
	CMOVQGE R11, R12
	CMOVQLT R11, R13
	DECL R10
	JNZ  halve

	// The places of all elements of that magnitude or above. Meanwhile the rest of
	// the chunk that follows is fetched: all at once would be more than can wait.
	MOVQ rest+0(FP), DI
	MOVQ DI, SI
	LEAQ candidates_place(R15), R11
	MOVQ R11, R13
	VPBROADCASTD R12, Z28
	VMOVDQU64 words<>(SB), Z27
	MOVL $32, AX
	VPBROADCASTW AX, Z26
	MOVQ R9, R10
	MOVQ R10, BX
	SHLQ $8, BX
	ADDQ DI, BX
	ADDQ R10, R10
collect:
	PREFETCHT0 (BX)
	PREFETCHT0 64(BX)
	ADDQ $128, BX
	VPANDD (SI), Z29, Z0
	VPANDD 64(SI), Z29, Z1
	VPCMPUD $5, Z28, Z0, K1
	VPCMPUD $5, Z28, Z1, K2
	KUNPCKWD K1, K2, K3
	VPCOMPRESSW.Z Z27, K3, Z2
	VMOVDQU64 Z2, (R11)
	KMOVD K3, AX
	POPCNTL AX, AX
	LEAQ (R11)(AX*2), R11
	VPADDW Z26, Z27, Z27
	ADDQ $128, SI
	DECQ R10
	JNZ  collect
	SUBQ R13, R11
	SHRQ $1, R11
	MOVQ R11, candidates_n(R15)

	// R11 candidates: what they are and their magnitudes, to a multiple of 16
	// with zeros.
	LEAQ candidates_value(R15), R9
	LEAQ candidates_magnitude(R15), R10
	XORQ BX, BX
	MOVL $16, DX
gather:
	MOVQ R11, CX
	SUBQ BX, CX
	CMPQ CX, DX
	CMOVQGT DX, CX
	MOVL $-1, AX
	BZHIL CX, AX, AX
	KMOVW AX, K1
	VPMOVZXWD (R13)(BX*2), Z0
	VPXORD Z1, Z1, Z1
	VPGATHERDD (DI)(Z0*4), K1, Z1
	VMOVUPS Z1, (R9)(BX*4)
	VPANDD Z29, Z1, Z1
	VMOVUPS Z1, (R10)(BX*4)
	ADDQ $16, BX
	CMPQ BX, R11
	JLT  gather

	// The magnitude R12 that so many have as are kept, below R14. AX are those of
	// R12 or above; BX is R11, rounded up.
	MOVQ R11, AX
	CMPQ BX, $128
	JGT  narrow
	TESTQ R12, R12
	JEQ  narrow

	// 128 of them and zeros, which are below R12, fit in Z16 to Z23.
	VPXORD Z1, Z1, Z1
	MOVQ BX, DX
	JMP  filled
fill:
	VMOVUPS Z1, (R10)(DX*4)
	ADDQ $16, DX
filled:
	CMPQ DX, $128
	JLT  fill
	VMOVUPS (R10), Z16
	VMOVUPS 64(R10), Z17
	VMOVUPS 128(R10), Z18
	VMOVUPS 192(R10), Z19
	VMOVUPS 256(R10), Z20
	VMOVUPS 320(R10), Z21
	VMOVUPS 384(R10), Z22
	VMOVUPS 448(R10), Z23
few:
	CMPQ AX, R8
	JEQ  chosen
	LEAQ 1(R12), CX
	CMPQ CX, R14
	JEQ  done
	LEAQ (R12)(R14*1), R11
	SHRQ $1, R11
	VPBROADCASTD R11, Z0
	XORL CX, CX
	XORL DX, DX
	COUNT(Z16, K1, SI, CX)
	COUNT(Z17, K2, DI, DX)
	COUNT(Z18, K3, SI, CX)
	COUNT(Z19, K4, DI, DX)
	COUNT(Z20, K5, SI, CX)
	COUNT(Z21, K6, DI, DX)
	COUNT(Z22, K1, SI, CX)
	COUNT(Z23, K2, DI, DX)
	ADDL DX, CX
	CMPQ CX, R8
	CMOVQGE R11, R12
	CMOVQGE CX, AX
	CMOVQLT R11, R14
	JMP  few
narrow:
	CMPQ AX, R8
	JEQ  chosen
	LEAQ 1(R12), CX
	CMPQ CX, R14
	JEQ  done
	LEAQ (R12)(R14*1), R11
	SHRQ $1, R11
	VPBROADCASTD R11, Z0
	XORL CX, CX
	XORL DX, DX
count:
	VPCMPUD $2, (R10)(DX*4), Z0, K1
	KMOVW K1, SI
	POPCNTL SI, SI
	ADDL SI, CX
	ADDQ $16, DX
	CMPQ DX, BX
	JLT  count
	CMPQ CX, R8
	CMOVQGE R11, R12
	CMOVQGE CX, AX
	CMOVQLT R11, R14
	JMP  narrow

chosen:
	MOVQ index+48(FP), DI
	MOVQ value+56(FP), SI
	VPBROADCASTD R12, Z0
	XORL DX, DX
choose:
	VPCMPUD $2, (R10)(DX*4), Z0, K1
	VMOVDQU (R13)(DX*2), Y1
	VMOVUPS (R9)(DX*4), Z2
	VPCOMPRESSW.Z Y1, K1, Y1
	VPCOMPRESSD.Z Z2, K1, Z2
	KMOVW K1, CX
	POPCNTL CX, CX
	MOVL $-1, R11
	BZHIL CX, R11, R11
	KMOVW R11, K2
	VMOVDQU16 Y1, K2, (DI)
	VMOVDQU32 Z2, K2, (SI)
	LEAQ (DI)(CX*2), DI
	LEAQ (SI)(CX*4), SI
	ADDQ $16, DX
	CMPQ DX, BX
	JLT  choose
done:
	MOVQ R12, candidates_last(R15)
	MOVQ AX, ret+72(FP)
	VZEROUPPER
	RET
zeros:
	MOVQ $-2, ret+72(FP)
	VZEROUPPER
	RET
bad:
	MOVQ $-1, ret+72(FP)
	VZEROUPPER
	RET
