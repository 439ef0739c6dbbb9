package cpu_test

import (
	"fmt"
	"testing"

	"adit/internal/engine/device"
)

// sizes are shapes m, n, k around the edges of every tile and block.
var sizes = [][3]int{
	{1, 1, 1}, {2, 3, 4}, {5, 7, 3}, {12, 32, 16}, {13, 33, 17}, {11, 31, 257}, {6, 16, 5}, {7, 17, 64},
	{64, 48, 32}, {25, 100, 40}, {1, 130, 70}, {130, 1, 70}, {3, 300, 9}, {300, 5, 21}, {96, 64, 300},
}

func TestGemm(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range sizes {
			for flags := range 8 {
				ta, tb, acc, gap := flags&1 != 0, flags&2 != 0, flags&4 != 0, flags%3
				m, n, k := s[0], s[1], s[2]
				mat := func(x device.Buf, t bool, rows, cols int) device.Mat {
					if t {
						rows, cols = cols, rows
					}
					return device.Mat{Buf: x, Rows: rows, Cols: cols, Stride: cols + gap}
				}
				length := func(rows, cols int) int { return max(rows*(cols+gap), cols*(rows+gap)) }
				in := data{bufs: [][]float32{normal(r, length(m, n)), normal(r, length(m, k)), normal(r, length(k, n))}}
				same(t, d, in, 1e-4, func(d device.Device, b []device.Buf, _ []device.Ints) {
					d.Gemm(mat(b[0], false, m, n), mat(b[1], ta, m, k), ta, mat(b[2], tb, k, n), tb, acc)
				})
			}
		}
	})
}

func TestGemmNothing(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		in := data{bufs: [][]float32{{1, 2, 3, 4, 5, 6}, nil, nil}}
		same(t, d, in, 0, func(d device.Device, b []device.Buf, _ []device.Ints) {
			d.Gemm(device.M(b[1], 0, 3), device.M(b[0], 0, 2), false, device.M(b[0], 2, 3), false, false)
			d.Gemm(device.M(b[0], 2, 3), device.M(b[1], 2, 0), false, device.M(b[2], 0, 3), false, true)
			d.Gemm(device.M(b[0], 1, 3), device.M(b[1], 1, 0), false, device.M(b[2], 0, 3), false, false)
		})
	})
}

func TestGrouped(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range []struct {
			offsets []int32
			n, k    int
		}{
			{[]int32{0, 3, 3, 20, 21, 90}, 40, 33},
			{[]int32{0, 0, 0, 64}, 32, 64},
			{[]int32{5, 17, 17, 300}, 70, 20},
			{[]int32{0, 0}, 3, 3},
		} {
			groups, rows := len(s.offsets)-1, int(s.offsets[len(s.offsets)-1])+2
			in := data{
				bufs: [][]float32{normal(r, rows*(s.n+1)), normal(r, rows*(s.k+2)), normal(r, groups*s.n*s.k)},
				ints: [][]int32{s.offsets},
			}
			for flags := range 4 {
				t.Run(fmt.Sprintf("%v %d", s, flags), func(t *testing.T) {
					same(t, d, in, 1e-4, func(d device.Device, b []device.Buf, v []device.Ints) {
						c, a := device.Mat{Buf: b[0], Rows: rows, Cols: s.n, Stride: s.n + 1}, device.Mat{Buf: b[1], Rows: rows, Cols: s.k, Stride: s.k + 2}
						d.Grouped(c, a, v[0], b[2], flags&1 != 0, flags&2 != 0)
					})
				})
			}
			same(t, d, in, 1e-4, func(d device.Device, b []device.Buf, v []device.Ints) {
				dc, a := device.Mat{Buf: b[0], Rows: rows, Cols: s.n, Stride: s.n + 1}, device.Mat{Buf: b[1], Rows: rows, Cols: s.k, Stride: s.k + 2}
				d.GroupedGrad(b[2], dc, a, v[0], true)
			})
		}
	})
}

// TestGroupedGradSet gives some groups no rows, and has no row after the last:
// their gradients are nought, however large and shared out.
func TestGroupedGradSet(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		const n, k, rows = 600, 70, 9
		r := source()
		for _, offsets := range [][]int32{{0, 0, rows, rows}, {0, rows, rows}, {0, 0}} {
			in := data{
				bufs: [][]float32{normal(r, rows*n), normal(r, rows*k), normal(r, (len(offsets)-1)*n*k)},
				ints: [][]int32{offsets},
			}
			same(t, d, in, 1e-4, func(d device.Device, b []device.Buf, v []device.Ints) {
				d.GroupedGrad(b[2], device.M(b[0], rows, n), device.M(b[1], rows, k), v[0], false)
			})
		}
	})
}

func TestEmbed(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range [][3]int{{1, 1, 1}, {50, 7, 19}, {300, 40, 130}} {
			n, vocabulary, width := s[0], s[1], s[2]
			in := data{bufs: [][]float32{normal(r, n*width), normal(r, vocabulary*width)}, ints: [][]int32{below(r, n, vocabulary)}}
			for _, grad := range []bool{false, true} {
				same(t, d, in, 1e-5, func(d device.Device, b []device.Buf, v []device.Ints) {
					x, table := device.M(b[0], n, width), device.M(b[1], vocabulary, width)
					if grad {
						d.EmbedGrad(table, x, v[0])
					} else {
						d.Embed(x, table, v[0])
					}
				})
			}
		}
	})
}
