package cpu_test

import (
	"fmt"
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
