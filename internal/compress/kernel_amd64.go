package compress

import "golang.org/x/sys/cpu"

// kernels returns those that this machine runs, the fastest first.
func kernels() []*kernel {
	var all []*kernel
	if x := cpu.X86; x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL &&
		x.HasAVX512VBMI && x.HasAVX512VBMI2 && x.HasBMI2 && x.HasPOPCNT {
		all = append(all, avx512())
	}
	return append(all, portable())
}

func avx512() *kernel {
	k := portable()
	k.name = "avx512"
	k.addPacked = func(acc *sums, packed, code []byte, table *entries) {
		if n := len(code); n%32 != 0 || len(packed) < n/2*3 {
			portableAddPacked(acc, packed, code, table)
		} else if n > 0 {
			avx512AddPacked(acc, &packed[0], &code[0], n, table)
		}
	}
	k.addRice = func(acc *sums, fixed, run []byte, bit, rice int, table *entries) int {
		if rice != fastRice || len(fixed) < slack || len(run)-bit>>3 < slack {
			return portableAddRice(acc, fixed, run, bit, rice, table)
		}
		return avx512AddRice(acc, &fixed[0], &run[0], bit, table)
	}
	k.mean = func(dst []float32, stride, rows, width int, acc *sums) {
		if width%16 != 0 {
			portableMean(dst, stride, rows, width, acc)
			return
		}
		_ = dst[(rows-1)*stride+width-1]
		avx512Mean(&dst[0], stride, rows, width, acc)
	}
	return k
}

//go:noescape
func avx512AddRice(acc *sums, fixed, run *byte, bit int, table *entries) int

//go:noescape
func avx512AddPacked(acc *sums, packed, code *byte, n int, table *entries)

//go:noescape
func avx512Mean(dst *float32, stride, rows, width int, acc *sums)
