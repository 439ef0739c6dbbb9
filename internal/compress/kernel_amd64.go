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
	k.pick = func(rest, delta []float32, stride int, decay, gain float32, index []uint16, value []float32, t *table) error {
		rows := len(rest) / Side
		if len(index) > maxPick || len(index) == 0 || rows == 0 {
			return portablePick(rest, delta, Side, stride, decay, gain, index, value, t)
		}
		_, _ = delta[(rows-1)*stride+Side-1], value[len(index)-1]
		switch avx512Pick(&rest[0], &delta[0], stride, rows, decay, gain, len(index), &index[0], &value[0], &t.candidates) {
		case len(index):
			return nil
		case -1:
			return errNotFinite
		case -2:
			for i := range index {
				index[i], value[i] = uint16(i), 0
			}
			return nil
		}
		t.candidates.choose(index, value)
		return nil
	}
	k.moments = func(vals []float32, sum, squares *[lanes]float64) {
		whole := len(vals) &^ 15
		if whole > 0 {
			avx512Moments(&vals[0], whole, sum, squares)
		}
		portableMoments(vals[whole:], sum, squares)
	}
	k.assign = func(code []uint8, vals []float32, shift, scale float32, bins []bin) {
		whole := 0
		if len(bins) == 4 && len(vals) >= 16 {
			whole = len(vals) &^ 15
			avx512Assign(&code[0], &vals[0], whole, shift, scale, &bins[0])
		}
		portableAssign(code[whole:], vals[whole:], shift, scale, bins)
	}
	k.addPacked = func(acc *sums, packed, code []byte, table *entries) {
		if n := len(code); n%32 != 0 || len(packed) < n/2*3 {
			portableAddPacked(acc, packed, code, table)
		} else if n > 0 {
			avx512AddPacked(acc, &packed[0], &code[0], n, table)
		}
	}
	k.addRice = func(acc *sums, fixed, run []byte, bit int, table *entries) int {
		if len(fixed) < slack || len(run)-bit>>3 < slack {
			return portableAddRice(acc, fixed, run, bit, table)
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
	k.finish = storeFence
	return k
}

// maxPick is the most that avx512Pick chooses.
const maxPick = 128

// avx512Pick is pick, and returns how many elements have the magnitude of the
// last one chosen or above. If that is not keep, there are equal ones, and only
// candidates were chosen. If it is -1, not all are finite; if it is -2, all are
// zero.
//
//go:noescape
func avx512Pick(rest, delta *float32, stride, rows int, decay, gain float32, keep int, index *uint16, value *float32, w *candidates) int

//go:noescape
func avx512AddRice(acc *sums, fixed, run *byte, bit int, table *entries) int

//go:noescape
func avx512AddPacked(acc *sums, packed, code *byte, n int, table *entries)

// avx512Mean is mean for a width that 16 divides. Without storeFence after it,
// other threads may not see all of dst.
//
//go:noescape
func avx512Mean(dst *float32, stride, rows, width int, acc *sums)

//go:noescape
func avx512Moments(vals *float32, n int, sum, squares *[lanes]float64)

// avx512Assign is assign for four bins.
//
//go:noescape
func avx512Assign(code *uint8, vals *float32, n int, shift, scale float32, bins *bin)

// storeFence waits for the stores that went past the cache.
func storeFence()
