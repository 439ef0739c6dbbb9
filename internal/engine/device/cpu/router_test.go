package cpu_test

import (
	"fmt"
	"math"
	"testing"

	"adit/internal/engine/device"
)

func TestRouter(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range [][4]int{{1, 1, 1, 1}, {7, 5, 2, 3}, {40, 16, 4, 33}, {500, 64, 8, 20}} {
			n, experts, k, width := s[0], s[1], s[2], s[3]
			allowed := make([]int32, experts)
			for e := range allowed {
				allowed[e] = int32(1 - e%3/2) // two of three
			}
			k = min(k, (experts*2+2)/3)
			logits := normal(r, n*experts)
			for i := range logits {
				if i%5 == 0 {
					logits[i] = 1 // equals
				}
			}
			logits[0] = nan
			in := data{
				bufs: [][]float32{normal(r, n*experts), normal(r, n*k), logits, normal(r, n*width), normal(r, n*k*width), normal(r, n*k*width), normal(r, n*k)},
				ints: [][]int32{make([]int32, n*k), allowed, make([]int32, experts+1), make([]int32, n*k)},
			}
			t.Run(fmt.Sprint(s), func(t *testing.T) {
				same(t, d, in, 1e-5, func(d device.Device, b []device.Buf, v []device.Ints) {
					probs, x, xs, ys := device.M(b[0], n, experts), device.M(b[3], n, width), device.M(b[4], n*k, width), device.M(b[5], n*k, width)
					d.TopK(probs, v[0], b[1], device.M(b[2], n, experts), v[1], device.Routing{K: k, Scale: 2.5})
					d.Group(v[2], v[3], v[0])
					d.Combine(x, ys, v[3], b[1], k)
					d.Scatter(xs, x, v[3], k)
					d.CombineGrad(ys, b[6], x, xs, v[3], b[1], k)
					d.ScatterGrad(x, ys, v[3], k)
					d.TopKGrad(device.M(b[2], n, experts), probs, v[0], b[6], device.Routing{K: k, Scale: 2.5})
				})
			})
		}
	})
}

// TestRoutings chooses by groups and divides weights by their sums.
func TestRoutings(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range []struct {
			n, experts int
			device.Routing
		}{
			{1, 1, device.Routing{K: 1, Scale: 1, Normal: true}},
			{9, 6, device.Routing{K: 2, Scale: 2, Groups: 3, TopGroups: 1}},
			{70, 12, device.Routing{K: 4, Scale: 1, Normal: true, Groups: 6, TopGroups: 1}}, // whose groups are too small
			{300, 160, device.Routing{K: 6, Scale: 16, Groups: 8, TopGroups: 3}},
			{300, 128, device.Routing{K: 8, Scale: 1, Normal: true}},
			{40, 8, device.Routing{K: 0, Scale: 1, Normal: true, Groups: 2, TopGroups: 1}},
			{40, 8, device.Routing{K: 5, Scale: 0, Normal: true, Groups: 8, TopGroups: 8}},
		} {
			allowed := below(r, s.experts, 3)
			for e := range min(s.K, s.experts) {
				allowed[e*s.experts/s.K] = 1
			}
			logits := normal(r, s.n*(s.experts+1))
			for i := range logits {
				logits[i] = float32(math.Round(float64(logits[i]*4))) / 4 // with equals
			}
			logits[0] = nan
			if s.n > 1 {
				logits[s.experts+1] = inf
				far := 2 * (s.experts + 1) // a row of which next to nothing is allowed
				for e, a := range allowed {
					if logits[far+e] = -1; a == 0 {
						logits[far+e] = 120
					}
				}
			}
			in := data{
				bufs: [][]float32{normal(r, s.n*s.experts), normal(r, s.n*s.K), logits, normal(r, s.n*s.K), normal(r, s.n*(s.experts+1))},
				ints: [][]int32{make([]int32, s.n*s.K), allowed},
			}
			gap := func(b device.Buf) device.Mat {
				return device.Mat{Buf: b, Rows: s.n, Cols: s.experts, Stride: s.experts + 1}
			}
			t.Run(fmt.Sprint(s), func(t *testing.T) {
				same(t, d, in, 1e-5, func(d device.Device, b []device.Buf, v []device.Ints) {
					probs := device.M(b[0], s.n, s.experts)
					d.TopK(probs, v[0], b[1], gap(b[2]), v[1], s.Routing)
					d.TopKGrad(gap(b[4]), probs, v[0], b[3], s.Routing)
				})
			})
		}
	})
}

func TestBalance(t *testing.T) {
	each(t, func(t *testing.T, d device.Device) {
		r := source()
		for _, s := range [][4]int{{1, 1, 1, 1}, {2, 5, 3, 2}, {3, 33, 16, 4}, {1, 1000, 64, 6}, {5, 64, 7, 1}} {
			runs, length, experts, k := s[0], s[1], s[2], s[3]
			n := runs * length
			in := data{bufs: [][]float32{normal(r, runs), normal(r, n*(experts+1)), normal(r, n*(experts+2))}, ints: [][]int32{below(r, n*k, experts)}}
			for _, bad := range []float32{0, nan, inf} {
				if bad != 0 {
					in.bufs[2][0] = bad
				}
				for _, grad := range []bool{true, false} {
					same(t, d, in, 1e-4, func(d device.Device, b []device.Buf, v []device.Ints) {
						var dlogits device.Mat
						if grad {
							dlogits = device.Mat{Buf: b[1], Rows: n, Cols: experts, Stride: experts + 1}
						}
						d.Balance(b[0], dlogits, device.Mat{Buf: b[2], Rows: n, Cols: experts, Stride: experts + 2}, v[0], k, length, 0.7)
					})
				}
			}
		}
	})
}
