package cpu_test

import (
	"fmt"
	"testing"

	"adit/internal/engine/device"
)

func TestRope(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range []struct{ batch, length, heads, stride, first, dim int }{
			{1, 1, 1, 2, 0, 2}, {2, 5, 3, 6, 0, 6}, {2, 9, 2, 33, 1, 32}, {1, 4, 5, 61, 20, 40}, {3, 33, 8, 64, 0, 64},
			{2, 300, 7, 48, 32, 16}, {2, 3, 1, 0, 17, 34},
		} {
			rows, cols := s.batch*s.length, s.first+max(1, s.heads-1)*s.stride+s.dim
			in := data{bufs: [][]float32{normal(r, rows*(cols+3)), normal(r, s.length*s.dim/2), normal(r, s.length*s.dim/2)}}
			in.bufs[0][s.first] = nan
			in.bufs[0][(rows-1)*(cols+3)+s.first+s.dim-1] = inf
			for flags := range 4 {
				rotation := device.Rotation{T: s.length, Heads: s.heads, Stride: s.stride, First: s.first, Dim: s.dim, Pairs: flags&1 != 0, Inverse: flags&2 != 0}
				t.Run(fmt.Sprint(rotation), func(t *testing.T) {
					same(t, d, in, 1e-5, func(d device.Device, b []device.Buf, _ []device.Ints) {
						d.Rope(device.Mat{Buf: b[0], Rows: rows, Cols: cols, Stride: cols + 3}, b[1], b[2], rotation)
					})
				})
			}
		}
	})
}

func TestCopyHeads(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range []struct{ to, from device.Heads }{
			{device.Heads{N: 1, Width: 1}, device.Heads{N: 1, Width: 1}},
			{device.Heads{N: 3, Stride: 17, Width: 17}, device.Heads{N: 3, Stride: 17, First: 2, Width: 17}},
			{device.Heads{N: 4, Stride: 48, First: 32, Width: 16}, device.Heads{N: 4, First: 5, Width: 16}},
			{device.Heads{N: 4, First: 3, Width: 16}, device.Heads{N: 4, Stride: 48, First: 32, Width: 16}},
			{device.Heads{N: 9, Stride: 2, Width: 1}, device.Heads{N: 9, Stride: 1, Width: 1}},
			{device.Heads{N: 0, Width: 1}, device.Heads{N: 0, Width: 1}},
			{device.Heads{N: 2, Stride: 3}, device.Heads{N: 2, Stride: 1}},
		} {
			const n, cols = 120, 260
			in := data{bufs: [][]float32{normal(r, n*cols), normal(r, n*cols)}}
			in.bufs[1][s.from.First] = nan
			for _, acc := range []bool{false, true} {
				t.Run(fmt.Sprint(s, acc), func(t *testing.T) {
					same(t, d, in, 0, func(d device.Device, b []device.Buf, _ []device.Ints) {
						d.CopyHeads(device.Mat{Buf: b[0], Rows: n, Cols: cols - 3, Stride: cols}, s.to, device.Mat{Buf: b[1], Rows: n, Cols: cols, Stride: cols}, s.from, acc)
					})
				})
			}
		}
	})
}

func TestBias(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range append(shapes, [2]int{500, 700}) {
			n, width := s[0], s[1]
			in := data{bufs: [][]float32{normal(r, n*(width+1)), normal(r, width)}}
			for _, bad := range []float32{0, nan, inf} {
				if bad != 0 {
					in.bufs[0][n/2*(width+1)] = bad
				}
				gap := func(b device.Buf) device.Mat { return device.Mat{Buf: b, Rows: n, Cols: width, Stride: width + 1} }
				same(t, d, in, 0, func(d device.Device, b []device.Buf, _ []device.Ints) { d.AddBias(gap(b[0]), b[1]) })
				same(t, d, in, 1e-4, func(d device.Device, b []device.Buf, _ []device.Ints) { d.BiasGrad(b[1], gap(b[0])) })
			}
		}
	})
}
