package cpu_test

import (
	"testing"

	"adit/internal/engine/device"
)

func TestRMSNorm(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range shapes {
			n, width := s[0], s[1]
			rstd := normal(r, n)
			for i := range rstd {
				rstd[i] = 1 + rstd[i]*rstd[i]
			}
			in := data{bufs: [][]float32{normal(r, n*width), normal(r, n*width), normal(r, width), rstd, normal(r, width), normal(r, n*width)}}
			for _, bad := range []float32{0, nan, inf} {
				if bad != 0 {
					in.bufs[1][n*width-1] = bad
				}
				same(t, d, in, 1e-5, func(d device.Device, b []device.Buf, _ []device.Ints) {
					d.RMSNorm(device.M(b[0], n, width), device.M(b[1], n, width), b[2], b[3], 1e-5)
				})
				same(t, d, in, 2e-4, func(d device.Device, b []device.Buf, _ []device.Ints) {
					d.RMSNormGrad(device.M(b[0], n, width), b[4], device.M(b[5], n, width), device.M(b[1], n, width), b[2], b[3])
				})
				same(t, d, in, 2e-4, func(d device.Device, b []device.Buf, _ []device.Ints) {
					d.RMSNormGrad(device.M(b[0], n, width), nil, device.M(b[5], n, width), device.M(b[1], n, width), b[2], b[3])
				})
			}
		}
	})
}

// TestRMSNormOfParts norms rows part by part, in matrices with gaps.
func TestRMSNormOfParts(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range [][3]int{{1, 2, 1}, {3, 3, 5}, {40, 4, 16}, {100, 7, 33}} {
			n, parts, width := s[0], s[1], s[2]
			stride := parts*width + 3
			gap := func(b device.Buf) device.Mat { return device.Mat{Buf: b, Rows: n, Cols: parts * width, Stride: stride} }
			in := data{bufs: [][]float32{normal(r, n*stride), normal(r, n*stride), normal(r, width), normal(r, n*parts), normal(r, width), normal(r, n*stride)}}
			for _, bad := range []float32{0, nan, inf} {
				if bad != 0 {
					in.bufs[1][0] = bad
				}
				same(t, d, in, 2e-4, func(d device.Device, b []device.Buf, _ []device.Ints) {
					d.RMSNorm(gap(b[0]), gap(b[1]), b[2], b[3], 1e-5)
					d.RMSNormGrad(gap(b[0]), b[4], gap(b[5]), gap(b[1]), b[2], b[3])
				})
			}
		}
	})
}

func TestLayerNorm(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range shapes {
			n, width := s[0], s[1]
			gap := func(b device.Buf) device.Mat { return device.Mat{Buf: b, Rows: n, Cols: width, Stride: width + 2} }
			rows, rstd := func() []float32 { return normal(r, n*(width+2)) }, normal(r, n)
			for i := range rstd {
				rstd[i] = 1 + rstd[i]*rstd[i]
			}
			in := data{bufs: [][]float32{rows(), rows(), rows(), normal(r, width), normal(r, width), normal(r, n), rstd, normal(r, width)}}
			for i := range width { // a row whose mean is much greater than what differs from it
				in.bufs[1][i] += 300
			}
			for _, bad := range []float32{0, nan, inf} {
				if bad != 0 {
					in.bufs[1][(n-1)*(width+2)] = bad
				}
				same(t, d, in, 2e-4, func(d device.Device, b []device.Buf, _ []device.Ints) {
					d.LayerNorm(gap(b[0]), gap(b[1]), b[3], b[4], b[5], b[6], 1e-2)
				})
				for flags := range 4 {
					same(t, d, in, 2e-3, func(d device.Device, b []device.Buf, _ []device.Ints) {
						var dw, db device.Buf
						if flags&1 != 0 {
							dw = b[4]
						}
						if flags&2 != 0 {
							db = b[7]
						}
						d.LayerNormGrad(gap(b[0]), dw, db, gap(b[2]), gap(b[1]), b[3], b[5], b[6])
					})
				}
			}
		}
	})
}
