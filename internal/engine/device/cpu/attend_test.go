package cpu_test

import (
	"fmt"
	"testing"

	"adit/internal/engine/device"
)

func TestAttend(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, a := range []device.Attention{
			{B: 1, T: 1, H: 1, KV: 1, Dim: 1, DimV: 1, Scale: 1},
			{B: 2, T: 7, H: 2, KV: 1, Dim: 5, DimV: 3, Scale: 0.5},
			{B: 2, T: 65, H: 4, KV: 2, Dim: 16, DimV: 40, Scale: 0.25},
			{B: 1, T: 130, H: 3, KV: 3, Dim: 32, DimV: 32, Scale: 0.2},
			{B: 1, T: 300, H: 2, KV: 1, Dim: 8, DimV: 8, Scale: 3},
			{B: 1, T: 600, H: 1, KV: 1, Dim: 4, DimV: 4, Scale: 1},
			{B: 2, T: 600, H: 2, KV: 1, Dim: 4, DimV: 4, Scale: 1, Window: 1},
			{B: 1, T: 600, H: 1, KV: 1, Dim: 4, DimV: 4, Scale: 1, Window: 100},
			{B: 1, T: 700, H: 1, KV: 1, Dim: 4, DimV: 4, Scale: 1, Window: 257},
		} {
			n, kq, kv := a.B*a.T, a.H*a.Dim+2*a.KV*(a.Dim+a.DimV), a.H*a.DimV
			mats := func(x device.Buf) (q, k, v device.Mat) {
				q = device.Mat{Buf: x, Rows: n, Cols: a.H * a.Dim, Stride: kq}
				k = device.Mat{Buf: x.Slice(a.H*a.Dim, x.Len()), Rows: n, Cols: a.KV * a.Dim, Stride: kq}
				v = device.Mat{Buf: x.Slice(a.H*a.Dim+a.KV*a.Dim, x.Len()), Rows: n, Cols: a.KV * a.DimV, Stride: kq}
				return q, k, v
			}
			in := data{bufs: [][]float32{normal(r, n*kv), normal(r, n*a.H), normal(r, n*kq), normal(r, n*kv), normal(r, n*kq)}}
			for _, bad := range []float32{0, nan} {
				if bad != 0 {
					if a.Window > 0 {
						continue // it reaches keys of its block that it does not see: 0*NaN
					}
					in.bufs[2][(n-1)*kq] = bad // in the last query
				}
				t.Run(fmt.Sprint(a, bad), func(t *testing.T) {
					same(t, d, in, 2e-4, func(d device.Device, b []device.Buf, _ []device.Ints) {
						o, do := device.M(b[0], n, kv), device.M(b[3], n, kv)
						q, k, v := mats(b[2])
						d.Attend(o, b[1], q, k, v, a)
						dq, dk, dv := mats(b[4])
						d.AttendGrad(dq, dk, dv, do, o, b[1], q, k, v, a)
					})
				})
			}
		}
	})
}

// TestAttendPast gives the last queries of a sequence to Attend, whose keys came
// before: what comes out is what the whole sequence gives them.
func TestAttendPast(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, a := range []device.Attention{
			{B: 2, T: 1, Past: 600, H: 4, KV: 2, Dim: 8, DimV: 6, Scale: 0.3},
			{B: 1, T: 13, Past: 250, H: 2, KV: 2, Dim: 8, DimV: 8, Scale: 0.3},
			{B: 2, T: 300, Past: 255, H: 1, KV: 1, Dim: 4, DimV: 4, Scale: 1},
			{B: 2, T: 40, Past: 570, H: 2, KV: 1, Dim: 4, DimV: 4, Scale: 1, Window: 30},
			{B: 1, T: 3, Past: 600, H: 2, KV: 1, Dim: 4, DimV: 4, Scale: 1, Window: 300},
		} {
			queries, keys := a.B*a.T, a.B*(a.Past+a.T)
			in := data{bufs: [][]float32{
				normal(r, queries*a.H*a.DimV), normal(r, queries*a.H), normal(r, queries*a.H*a.Dim),
				normal(r, keys*a.KV*a.Dim), normal(r, keys*a.KV*a.DimV),
			}}
			same(t, d, in, 2e-4, func(d device.Device, b []device.Buf, _ []device.Ints) {
				d.Attend(device.M(b[0], queries, a.H*a.DimV), b[1], device.M(b[2], queries, a.H*a.Dim),
					device.M(b[3], keys, a.KV*a.Dim), device.M(b[4], keys, a.KV*a.DimV), a)
			})
		}
	})
}
