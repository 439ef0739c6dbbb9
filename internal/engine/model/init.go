package model

import (
	"crypto/sha256"
	"math"
	"math/rand/v2"
)

// Init gives every parameter its value before training: norms one, biases
// nought, matrices normal with the standard deviation initializer_range, those
// into the residual stream less by the square root of twice the layers, so that
// its variance does not grow with depth (GPT-2). Torchtitan's start as torchtitan
// has it. A parameter's values depend on seed and its name alone.
func (m *Model) Init(seed string) {
	var values []float32
	for _, p := range m.params {
		values = values[:0]
		std, most := m.cfg.start(p)
		rng := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(seed + "\x00" + p.Name))))
		for range p.Hi - p.Lo {
			switch p.Kind {
			case Norm:
				values = append(values, 1)
			case Bias:
				values = append(values, 0)
			default:
				x := rng.NormFloat64() * std
				for math.Abs(x) > most {
					x = rng.NormFloat64() * std
				}
				values = append(values, float32(x))
			}
		}
		m.dev.Upload(m.Weights(p), values)
	}
}

// start returns the standard deviation that a matrix starts with, and how far from
// nought its numbers may be.
func (c Config) start(p Param) (std, most float64) {
	if c.ModelType == Torchtitan {
		return c.startTorchtitan(p)
	}
	std = c.InitializerRange
	if p.Out {
		std /= math.Sqrt(2 * float64(c.NumHiddenLayers))
	}
	return std, math.Inf(1)
}
