package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"adit/internal/engine/device"
)

// A Product is one matrix product of the reference step, measured.
type Product struct {
	Name   string  `json:"name"`
	M      int     `json:"m"`
	N      int     `json:"n"`
	K      int     `json:"k"`
	FLOPS  float64 `json:"flops"` // a second
	Share  float64 `json:"peak_share"`
	Device string  `json:"device"`

	transA, transB bool
}

func products() []Product {
	return []Product{
		{Name: "square", M: 1024, N: 1024, K: 1024},
		{Name: "query, key and value", M: 2048, N: 1152, K: 384, transB: true},
		{Name: "gate and up", M: 2048, N: 2048, K: 384, transB: true},
		{Name: "down", M: 2048, N: 384, K: 1024, transB: true},
		{Name: "logits", M: 2048, N: 8192, K: 384, transB: true},
		{Name: "gradient of gate and up's input", M: 2048, N: 384, K: 2048},
		{Name: "gradient of gate and up", M: 2048, N: 384, K: 2048, transA: true},
		{Name: "gradient of logits' matrix", M: 8192, N: 384, K: 2048, transA: true},
	}
}

// productTime is about how long one product is repeated.
const productTime = 500 * time.Millisecond

// Products measures the matrix products of the reference step.
func Products(ctx context.Context, o Options) ([]Product, error) {
	dev, err := o.device()
	if err != nil {
		return nil, err
	}
	all := products()
	for i := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := &all[i]
		rng := rand.New(rand.NewPCG(1, 2))
		matrix := func(rows, cols int) device.Mat {
			vals := make([]float32, rows*cols)
			for i := range vals {
				vals[i] = float32(rng.NormFloat64())
			}
			b := dev.NewBuf(len(vals))
			dev.Upload(b, vals)
			return device.M(b, rows, cols)
		}
		turned := func(t bool, rows, cols int) device.Mat {
			if t {
				rows, cols = cols, rows
			}
			return matrix(rows, cols)
		}
		a, b, c := turned(p.transA, p.M, p.K), turned(p.transB, p.K, p.N), matrix(p.M, p.N)
		peak := dev.Peak()
		dev.Gemm(c, a, p.transA, b, p.transB, false) // brings the pages in
		start, n := time.Now(), 0
		for time.Since(start) < productTime {
			dev.Gemm(c, a, p.transA, b, p.transB, false)
			n++
		}
		p.FLOPS = 2 * float64(p.M*p.N*p.K) * float64(n) / time.Since(start).Seconds()
		p.Share = p.FLOPS / max(peak, dev.Peak())
		p.Device = dev.Name()
	}
	return all, nil
}

// String is one line for people.
func (p Product) String() string {
	return fmt.Sprintf("%-34s %5d x %4d x %4d  %6.1f GFLOP/s  %5.1f%% of the peak", p.Name, p.M, p.N, p.K, p.FLOPS/1e9, 100*p.Share)
}
