package cpu

import "golang.org/x/sys/cpu"

//go:generate go run ./gen

// kernels returns those that this machine runs, the fastest first.
func kernels() []*kernel {
	var all []*kernel
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasFMA {
		all = append(all, avx512())
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		all = append(all, avx2())
	}
	return append(all, portable())
}

func avx512() *kernel {
	return &kernel{
		name: "avx512",
		mr:   12, nr: 32,
		tile: []tile{
			avx512Tile1, avx512Tile2, avx512Tile3, avx512Tile4, avx512Tile5, avx512Tile6,
			avx512Tile7, avx512Tile8, avx512Tile9, avx512Tile10, avx512Tile11, avx512Tile12,
		},
		panel:     avx512Panel,
		transpose: transposeBy(16, avx512Transpose),
		peak:      avx512Peak, flops: 24 * 16 * 2,
		add: avx512Add, addScaled: avx512AddScaled, scaled: avx512Scaled,
		dot: avx512Dot, dot3: avx512Dot3, sumSquares: avx512SumSquares,
		timesZero: avx512TimesZero, max: avx512Max,
		expSum: avx512ExpSum, softmaxGrad: avx512SoftmaxGrad,
		norm: avx512Norm, normGrad: avx512NormGrad, weightGrad: avx512WeightGrad,
		sum: avx512Sum, spread: avx512Spread, center: avx512Center,
		mulAdd: avx512MulAdd, centerGrad: avx512CenterGrad,
		gelu: avx512Gelu, geluGrad: avx512GeluGrad,
		silu: avx512Silu, siluGrad: avx512SiluGrad,
		rope: avx512Rope, ropePairs: avx512RopePairs,
		adamW: avx512AdamW, nesterov: avx512Nesterov,
	}
}

func avx2() *kernel {
	return &kernel{
		name: "avx2",
		mr:   6, nr: 16,
		tile:      []tile{avx2Tile1, avx2Tile2, avx2Tile3, avx2Tile4, avx2Tile5, avx2Tile6},
		panel:     avx2Panel,
		transpose: transposeBy(8, avx2Transpose),
		peak:      avx2Peak, flops: 12 * 8 * 2,
		add: avx2Add, addScaled: avx2AddScaled, scaled: avx2Scaled,
		dot: avx2Dot, dot3: avx2Dot3, sumSquares: avx2SumSquares,
		timesZero: avx2TimesZero, max: avx2Max,
		expSum: avx2ExpSum, softmaxGrad: avx2SoftmaxGrad,
		norm: avx2Norm, normGrad: avx2NormGrad, weightGrad: avx2WeightGrad,
		sum: avx2Sum, spread: avx2Spread, center: avx2Center,
		mulAdd: avx2MulAdd, centerGrad: avx2CenterGrad,
		gelu: avx2Gelu, geluGrad: avx2GeluGrad,
		silu: avx2Silu, siluGrad: avx2SiluGrad,
		rope: avx2Rope, ropePairs: avx2RopePairs,
		adamW: avx2AdamW, nesterov: avx2Nesterov,
	}
}
