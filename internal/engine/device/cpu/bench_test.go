package cpu_test

import (
	"fmt"
	"testing"

	"adit/internal/engine/device"
	"adit/internal/engine/device/cpu"
)

// BenchmarkGemm multiplies in the shapes that models have, and tells what part
// of the peak, measured just before, it reaches.
func BenchmarkGemm(b *testing.B) {
	for _, s := range []struct {
		name    string
		m, n, k int
		ta, tb  bool
	}{
		{"square", 1024, 1024, 1024, false, false},
		{"qkv", 2048, 1152, 384, false, true},
		{"logits", 2048, 8192, 384, false, true},
		{"gradient of x", 2048, 384, 2048, false, false},
		{"gradient of w", 2048, 384, 2048, true, false},
		{"small qkv", 2048, 384, 128, false, true},
		{"small out", 2048, 128, 128, false, true},
		{"small gate and up", 2048, 768, 192, false, true},
		{"small down", 2048, 192, 384, false, true},
		{"small logits", 1024, 4096, 128, false, true},
		{"small gradient of x", 2048, 128, 384, false, false},
		{"small gradient of w", 384, 128, 2048, true, false},
		{"small gradient of logits", 4096, 128, 1024, true, false},
		{"router", 2048, 16, 128, false, true},
	} {
		for threads := 1; threads <= 2; threads++ {
			b.Run(fmt.Sprintf("%s/%dx%dx%d/%d", s.name, s.m, s.n, s.k, threads), func(b *testing.B) {
				d := cpu.New(threads)
				r := source()
				fill := func(n int) device.Buf {
					x := d.NewBuf(n)
					d.Upload(x, normal(r, n))
					return x
				}
				a, bm, c := device.M(fill(s.m*s.k), s.m, s.k), device.M(fill(s.k*s.n), s.k, s.n), device.M(fill(s.m*s.n), s.m, s.n)
				if s.ta {
					a.Rows, a.Cols, a.Stride = s.k, s.m, s.m
				}
				if s.tb {
					bm.Rows, bm.Cols, bm.Stride = s.n, s.k, s.k
				}
				peak := cpu.Peak(threads)
				for b.Loop() {
					d.Gemm(c, a, s.ta, bm, s.tb, false)
				}
				rate := 2 * float64(s.m*s.n*s.k) * float64(b.N) / b.Elapsed().Seconds()
				b.ReportMetric(rate/1e9, "GFLOP/s")
				b.ReportMetric(100*rate/peak, "%peak")
			})
		}
	}
}

// BenchmarkParts runs what works row by row.
func BenchmarkParts(b *testing.B) {
	for op, do := range parts {
		b.Run(op, func(b *testing.B) {
			partData().on(cpu.New(1), func(d device.Device, bufs []device.Buf, ints []device.Ints) {
				for b.Loop() {
					do(d, bufs, ints)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*partRows*partWidth), "ns/element")
			})
		})
	}
}
