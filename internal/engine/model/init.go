package model

import (
	"crypto/sha256"
	"math"
	"math/rand/v2"
)

// Init gives every parameter its value before training: norms one, matrices
// normal with the standard deviation initializer_range, those into the residual
// stream less by the square root of twice the layers, so that its variance does
// not grow with depth (GPT-2). A parameter's values depend on seed and its name
// alone.
func (m *Model) Init(seed string) {
	var values []float32
	for _, p := range m.params {
		values = values[:0]
		std := m.cfg.InitializerRange
		if p.Out {
			std /= math.Sqrt(2 * float64(m.cfg.NumHiddenLayers))
		}
		rng := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(seed + "\x00" + p.Name))))
		for range p.Hi - p.Lo {
			x := 1.0
			if !p.Norm {
				x = rng.NormFloat64() * std
			}
			values = append(values, float32(x))
		}
		m.dev.Upload(m.Weights(p), values)
	}
}
