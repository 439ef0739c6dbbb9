package cpu

// kernels returns those that this machine runs, the fastest first. Every
// processor of 64 bits by Arm has NEON.
func kernels() []*kernel { return []*kernel{neon(), portable()} }

func neon() *kernel {
	return &kernel{
		name: "neon",
		mr:   8, nr: 12,
		tile: []tile{
			neonTile1, neonTile2, neonTile3, neonTile4, neonTile5, neonTile6, neonTile7, neonTile8,
		},
		panel:     neonPanel,
		transpose: transposeBy(4, neonTranspose),
		peak:      neonPeak, flops: 24 * 4 * 2,
		add: neonAdd, addScaled: neonAddScaled, scaled: neonScaled,
		dot: neonDot, dot3: neonDot3, sumSquares: neonSumSquares,
		timesZero: neonTimesZero, max: neonMax,
		expSum: neonExpSum, softmaxGrad: neonSoftmaxGrad,
		norm: neonNorm, normGrad: neonNormGrad, weightGrad: neonWeightGrad,
		sum: neonSum, spread: neonSpread, center: neonCenter,
		mulAdd: neonMulAdd, centerGrad: neonCenterGrad,
		gelu: neonGelu, geluGrad: neonGeluGrad,
		silu: neonSilu, siluGrad: neonSiluGrad,
		rope: neonRope, ropePairs: neonRopePairs,
		adamW: neonAdamW, nesterov: neonNesterov,
	}
}
