#include "go_asm.h"
#include "textflag.h"

// Indices are decoded 64 at a time into words on the stack, codes into bytes;
// then each is added by itself: a load and a store of a sum and its count.

// 0, 1, ... 63
DATA iota<>+0(SB)/8, $0x0706050403020100
DATA iota<>+8(SB)/8, $0x0f0e0d0c0b0a0908
DATA iota<>+16(SB)/8, $0x1716151413121110
DATA iota<>+24(SB)/8, $0x1f1e1d1c1b1a1918
DATA iota<>+32(SB)/8, $0x2726252423222120
DATA iota<>+40(SB)/8, $0x2f2e2d2c2b2a2928
DATA iota<>+48(SB)/8, $0x3736353433323130
DATA iota<>+56(SB)/8, $0x3f3e3d3c3b3a3938
GLOBL iota<>(SB), RODATA|NOPTR, $64

// For each eight gaps, the five bytes of their low bits.
DATA lowBytes<>+0(SB)/8, $0x0706050403020100
DATA lowBytes<>+8(SB)/8, $0x0c0b0a0908070605
DATA lowBytes<>+16(SB)/8, $0x11100f0e0d0c0b0a
DATA lowBytes<>+24(SB)/8, $0x161514131211100f
DATA lowBytes<>+32(SB)/8, $0x1b1a191817161514
DATA lowBytes<>+40(SB)/8, $0x201f1e1d1c1b1a19
DATA lowBytes<>+48(SB)/8, $0x2524232221201f1e
DATA lowBytes<>+56(SB)/8, $0x2a29282726252423
GLOBL lowBytes<>(SB), RODATA|NOPTR, $64

// Where the low bits of eight gaps are among 64 bits.
DATA lowShifts<>+0(SB)/8, $0x231e19140f0a0500
GLOBL lowShifts<>(SB), RODATA|NOPTR, $8

// For each eight codes, their two bytes.
DATA codeBytes<>+0(SB)/8, $0x0100010001000100
DATA codeBytes<>+8(SB)/8, $0x0302030203020302
DATA codeBytes<>+16(SB)/8, $0x0504050405040504
DATA codeBytes<>+24(SB)/8, $0x0706070607060706
DATA codeBytes<>+32(SB)/8, $0x0908090809080908
DATA codeBytes<>+40(SB)/8, $0x0b0a0b0a0b0a0b0a
DATA codeBytes<>+48(SB)/8, $0x0d0c0d0c0d0c0d0c
DATA codeBytes<>+56(SB)/8, $0x0f0e0f0e0f0e0f0e
GLOBL codeBytes<>(SB), RODATA|NOPTR, $64

// Where eight codes are among 64 bits.
DATA codeShifts<>+0(SB)/8, $0x0e0c0a0806040200
GLOBL codeShifts<>(SB), RODATA|NOPTR, $8

// -31*i for i of 0 to 63.
DATA minus31<>+0(SB)/8, $0xffa3ffc2ffe10000
DATA minus31<>+8(SB)/8, $0xff27ff46ff65ff84
DATA minus31<>+16(SB)/8, $0xfeabfecafee9ff08
DATA minus31<>+24(SB)/8, $0xfe2ffe4efe6dfe8c
DATA minus31<>+32(SB)/8, $0xfdb3fdd2fdf1fe10
DATA minus31<>+40(SB)/8, $0xfd37fd56fd75fd94
DATA minus31<>+48(SB)/8, $0xfcbbfcdafcf9fd18
DATA minus31<>+56(SB)/8, $0xfc3ffc5efc7dfc9c
DATA minus31<>+64(SB)/8, $0xfbc3fbe2fc01fc20
DATA minus31<>+72(SB)/8, $0xfb47fb66fb85fba4
DATA minus31<>+80(SB)/8, $0xfacbfaeafb09fb28
DATA minus31<>+88(SB)/8, $0xfa4ffa6efa8dfaac
DATA minus31<>+96(SB)/8, $0xf9d3f9f2fa11fa30
DATA minus31<>+104(SB)/8, $0xf957f976f995f9b4
DATA minus31<>+112(SB)/8, $0xf8dbf8faf919f938
DATA minus31<>+120(SB)/8, $0xf85ff87ef89df8bc
GLOBL minus31<>(SB), RODATA|NOPTR, $128

// The first word of each of the first four qwords, eight times; and of the others.
DATA spread<>+0(SB)/8, $0x0000000000000000
DATA spread<>+8(SB)/8, $0x0000000000000000
DATA spread<>+16(SB)/8, $0x0004000400040004
DATA spread<>+24(SB)/8, $0x0004000400040004
DATA spread<>+32(SB)/8, $0x0008000800080008
DATA spread<>+40(SB)/8, $0x0008000800080008
DATA spread<>+48(SB)/8, $0x000c000c000c000c
DATA spread<>+56(SB)/8, $0x000c000c000c000c
DATA spread<>+64(SB)/8, $0x0010001000100010
DATA spread<>+72(SB)/8, $0x0010001000100010
DATA spread<>+80(SB)/8, $0x0014001400140014
DATA spread<>+88(SB)/8, $0x0014001400140014
DATA spread<>+96(SB)/8, $0x0018001800180018
DATA spread<>+104(SB)/8, $0x0018001800180018
DATA spread<>+112(SB)/8, $0x001c001c001c001c
DATA spread<>+120(SB)/8, $0x001c001c001c001c
GLOBL spread<>(SB), RODATA|NOPTR, $128

// For each two indices of 12 bits, the first two and the last two of their three bytes.
DATA pairBytes<>+0(SB)/8, $0x0504040302010100
DATA pairBytes<>+8(SB)/8, $0x0b0a0a0908070706
DATA pairBytes<>+16(SB)/8, $0x1110100f0e0d0d0c
DATA pairBytes<>+24(SB)/8, $0x1716161514131312
DATA pairBytes<>+32(SB)/8, $0x1d1c1c1b1a191918
DATA pairBytes<>+40(SB)/8, $0x23222221201f1f1e
DATA pairBytes<>+48(SB)/8, $0x2928282726252524
DATA pairBytes<>+56(SB)/8, $0x2f2e2e2d2c2b2b2a
GLOBL pairBytes<>(SB), RODATA|NOPTR, $64

// By what those are shifted.
DATA pairShifts<>+0(SB)/8, $0x0004000000040000
GLOBL pairShifts<>(SB), RODATA|NOPTR, $8

// The sums, and the counts, of 16 elements.
DATA evens<>+0(SB)/8, $0x0000000200000000
DATA evens<>+8(SB)/8, $0x0000000600000004
DATA evens<>+16(SB)/8, $0x0000000a00000008
DATA evens<>+24(SB)/8, $0x0000000e0000000c
DATA evens<>+32(SB)/8, $0x0000001200000010
DATA evens<>+40(SB)/8, $0x0000001600000014
DATA evens<>+48(SB)/8, $0x0000001a00000018
DATA evens<>+56(SB)/8, $0x0000001e0000001c
GLOBL evens<>(SB), RODATA|NOPTR, $64
DATA odds<>+0(SB)/8, $0x0000000300000001
DATA odds<>+8(SB)/8, $0x0000000700000005
DATA odds<>+16(SB)/8, $0x0000000b00000009
DATA odds<>+24(SB)/8, $0x0000000f0000000d
DATA odds<>+32(SB)/8, $0x0000001300000011
DATA odds<>+40(SB)/8, $0x0000001700000015
DATA odds<>+48(SB)/8, $0x0000001b00000019
DATA odds<>+56(SB)/8, $0x0000001f0000001d
GLOBL odds<>(SB), RODATA|NOPTR, $64

// ADD adds the entry of the code at o(DI) to the sum of the index at 2*o(SI).
// R8 is acc, and R9 the table.
#define ADD(o, A, B, X, Y) \
	MOVWLZX (2*o)(SI), A \
	MOVBLZX (o)(DI), B \
	VMOVSD (R9)(B*8), X \
	VMOVSD (R8)(A*8), Y \
	VADDPS X, Y, Y \
	VMOVSD Y, (R8)(A*8)

#define ADD8 \
	ADD(0, AX, BX, X0, X1) \
	ADD(1, CX, DX, X2, X3) \
	ADD(2, AX, BX, X4, X5) \
	ADD(3, CX, DX, X6, X7) \
	ADD(4, AX, BX, X0, X1) \
	ADD(5, CX, DX, X2, X3) \
	ADD(6, AX, BX, X4, X5) \
	ADD(7, CX, DX, X6, X7)

// func avx512AddRice(acc *sums, fixed, run *byte, bit int, table *entries) int
TEXT ·avx512AddRice(SB), NOSPLIT, $256-48
	MOVQ acc+0(FP), R8
	MOVQ fixed+8(FP), DI
	MOVQ run+16(FP), SI
	MOVQ bit+24(FP), R10
	MOVQ table+32(FP), R9

	// What the next group of this sender has here, which no processor foresees of
	// so many senders.
	PREFETCHT0 640(DI)

	// The next 192 bits of the run, in R11, R12 and R13.
	MOVQ R10, CX
	MOVQ R10, AX
	SHRQ $3, AX
	ADDQ AX, SI
	ANDQ $7, CX
	PREFETCHT0 640(SI)
	MOVQ (SI), R11
	MOVQ 8(SI), R12
	MOVQ 16(SI), R13
	MOVQ 24(SI), AX
	SHRQ CX, R12, R11
	SHRQ CX, R13, R12
	SHRQ CX, AX, R13

	// The places of the first 64 ones, in the bytes of Z1: of each word those in
	// it, behind those of the words before.
	VMOVDQU64 iota<>(SB), Z0
	MOVL $64, AX
	VPBROADCASTB AX, Z2
	VPADDB Z2, Z0, Z3
	VPADDB Z2, Z3, Z4
	KMOVQ R11, K1
	KMOVQ R12, K2
	KMOVQ R13, K3
	VPCOMPRESSB.Z Z0, K1, Z1
	VPCOMPRESSB.Z Z3, K2, Z3
	VPCOMPRESSB.Z Z4, K3, Z4
	POPCNTQ R11, AX
	POPCNTQ R12, BX
	ADDQ AX, BX
	MOVQ $-1, DX
	BZHIQ AX, DX, AX
	BZHIQ BX, DX, BX
	KMOVQ AX, K1
	KMOVQ BX, K2
	KNOTQ K1, K1
	KNOTQ K2, K2
	VPEXPANDB Z3, K1, Z1
	VPEXPANDB Z4, K2, Z1

	// The low bits of the gaps, in the bytes of Z5, and the sums of those up to
	// each within eight.
	VMOVDQU64 lowBytes<>(SB), Z6
	VPERMB (DI), Z6, Z5
	VPBROADCASTQ lowShifts<>(SB), Z6
	VPMULTISHIFTQB Z5, Z6, Z5
	MOVL $31, AX
	VPBROADCASTB AX, Z6
	VPANDQ Z6, Z5, Z5
	VPSLLQ $8, Z5, Z6
	VPADDB Z6, Z5, Z5
	VPSLLQ $16, Z5, Z6
	VPADDB Z6, Z5, Z5
	VPSLLQ $32, Z5, Z6
	VPADDB Z6, Z5, Z5

	// The sums of all before each eight, in the qwords of Z7.
	VPXORQ Z8, Z8, Z8
	VPSRLQ $56, Z5, Z6
	VALIGNQ $7, Z8, Z6, Z7
	VALIGNQ $7, Z8, Z7, Z9
	VPADDQ Z9, Z7, Z7
	VALIGNQ $6, Z8, Z7, Z9
	VPADDQ Z9, Z7, Z7
	VALIGNQ $4, Z8, Z7, Z9
	VPADDQ Z9, Z7, Z7

	// Index i is 32 times the place of its one, less 31*i, and the low bits up to
	// it: a one is among the bits of each gap, and the next gap begins behind.
	VPMOVZXBW Y1, Z10
	VEXTRACTI64X4 $1, Z1, Y11
	VPMOVZXBW Y11, Z11
	VPSLLW $5, Z10, Z10
	VPSLLW $5, Z11, Z11
	VPMOVZXBW Y5, Z12
	VEXTRACTI64X4 $1, Z5, Y13
	VPMOVZXBW Y13, Z13
	VPADDW Z12, Z10, Z10
	VPADDW Z13, Z11, Z11
	VPADDW minus31<>(SB), Z10, Z10
	VPADDW minus31<>+64(SB), Z11, Z11
	VMOVDQU64 spread<>(SB), Z14
	VMOVDQU64 spread<>+64(SB), Z15
	VPERMW Z7, Z14, Z14
	VPERMW Z7, Z15, Z15
	VPADDW Z14, Z10, Z10
	VPADDW Z15, Z11, Z11
	// Whatever the bits say, an index is one.
	MOVL $4095, AX
	VPBROADCASTW AX, Z14
	VPANDQ Z14, Z10, Z10
	VPANDQ Z14, Z11, Z11

	// The codes, in the bytes of Z2.
	VMOVDQU64 codeBytes<>(SB), Z3
	VMOVDQU 40(DI), X2
	VPERMB Z2, Z3, Z2
	VPBROADCASTQ codeShifts<>(SB), Z3
	VPMULTISHIFTQB Z2, Z3, Z2
	MOVL $3, AX
	VPBROADCASTB AX, Z3
	VPANDQ Z3, Z2, Z2

	// The bit behind the last one.
	VEXTRACTI32X4 $3, Z1, X1
	VPEXTRB $15, X1, AX
	LEAQ 1(R10)(AX*1), R10
	MOVQ R10, ret+40(FP)

	LEAQ 63(SP), SI
	ANDQ $-64, SI
	LEAQ 128(SI), DI
	VMOVDQA64 Z10, (SI)
	VMOVDQA64 Z11, 64(SI)
	VMOVDQU Y2, (DI)
	VEXTRACTI64X4 $1, Z2, Y2
	VMOVDQU Y2, 32(DI)
	MOVQ DI, R14
rice:
	ADD8
	ADDQ $16, SI
	ADDQ $8, DI
	CMPQ SI, R14
	JNE  rice
	VZEROUPPER
	RET

// func avx512AddPacked(acc *sums, packed, code *byte, n int, table *entries)
TEXT ·avx512AddPacked(SB), NOSPLIT, $128-40
	MOVQ acc+0(FP), R8
	MOVQ packed+8(FP), R10
	MOVQ code+16(FP), DI
	MOVQ n+24(FP), R11
	MOVQ table+32(FP), R9
	VMOVDQU64 pairBytes<>(SB), Z8
	VPBROADCASTQ pairShifts<>(SB), Z9
	MOVL $4095, AX
	VPBROADCASTW AX, Z10
	MOVQ $0xffffffffffff, AX
	KMOVQ AX, K1
	LEAQ 63(SP), R12
	ANDQ $-64, R12
packed:
	PREFETCHT0 384(R10)
	PREFETCHT0 256(DI)
	VMOVDQU8.Z (R10), K1, Z0
	VPERMB Z0, Z8, Z0
	VPSRLVW Z9, Z0, Z0
	VPANDQ Z10, Z0, Z0
	VMOVDQA64 Z0, (R12)
	MOVQ R12, SI
	LEAQ 64(R12), R13
eight:
	ADD8
	ADDQ $16, SI
	ADDQ $8, DI
	CMPQ SI, R13
	JNE  eight
	ADDQ $48, R10
	SUBQ $32, R11
	JNZ  packed
	VZEROUPPER
	RET

// MEAN sets Z0 to the means of 16 elements of (SI), and clears those.
#define MEAN \
	VMOVUPS (SI), Z0 \
	VMOVUPS 64(SI), Z1 \
	VMOVAPS Z0, Z2 \
	VPERMT2PS Z1, Z10, Z0 \
	VPERMT2PS Z1, Z11, Z2 \
	VMOVUPS Z13, (SI) \
	VMOVUPS Z13, 64(SI) \
	VMAXPS Z12, Z2, Z2 \
	VDIVPS Z2, Z0, Z0

// func avx512Mean(dst *float32, stride, rows, width int, acc *sums)
TEXT ·avx512Mean(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), R9
	MOVQ rows+16(FP), R10
	MOVQ width+24(FP), R11
	MOVQ acc+32(FP), SI
	SHLQ $2, R9
	VMOVDQU64 evens<>(SB), Z10
	VMOVDQU64 odds<>(SB), Z11
	MOVL $0x3f800000, AX
	VPBROADCASTD AX, Z12
	VPXORQ Z13, Z13, Z13
	MOVQ DI, AX
	ORQ R9, AX
	TESTQ $63, AX
	JNZ  row

	// Whole cache lines go past the cache: the result is read when all of it is
	// there, and not before.
lines:
	XORQ BX, BX
line:
	MEAN
	VMOVNTPS Z0, (DI)(BX*4)
	ADDQ $128, SI
	ADDQ $16, BX
	CMPQ BX, R11
	JLT  line
	ADDQ R9, DI
	DECQ R10
	JNZ  lines
	VZEROUPPER
	RET
row:
	XORQ BX, BX
across:
	MEAN
	VMOVUPS Z0, (DI)(BX*4)
	ADDQ $128, SI
	ADDQ $16, BX
	CMPQ BX, R11
	JLT  across
	ADDQ R9, DI
	DECQ R10
	JNZ  row
	VZEROUPPER
	RET

// func storeFence()
TEXT ·storeFence(SB), NOSPLIT, $0-0
	SFENCE
	RET
