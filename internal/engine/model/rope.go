package model

import (
	"errors"
	"fmt"
	"math"

	"adit/internal/engine/device"
)

// The kinds of RopeScaling, by which positions past those that a model was
// trained on are made to look like some that it was.
const (
	RopeDefault = ""
	RopeLinear  = "linear"
	RopeDynamic = "dynamic"
	RopeLlama3  = "llama3"
	RopeYarn    = "yarn"
)

// A RopeScaling changes the angles of rotary positions. The fields are those of
// rope_scaling in config.json.
type RopeScaling struct {
	Kind   string
	Factor float64
	// OriginalMax is how many positions the model was first trained on.
	OriginalMax int

	LowFreqFactor, HighFreqFactor float64 // llama3
	BetaFast, BetaSlow            float64 // yarn
	MScale, MScaleAllDim          float64 // yarn
	AttentionFactor               float64 // yarn; 0 lets it follow
	NoTruncate                    bool    // yarn
}

func (r RopeScaling) validate() error {
	var problems []error
	above := func(name string, x, least float64) {
		if !(x >= least) || math.IsInf(x, 0) {
			problems = append(problems, fmt.Errorf("rope_scaling: %s: %v is not a number from %v up", name, x, least))
		}
	}
	switch r.Kind {
	case RopeDefault:
		return nil
	case RopeLinear, RopeDynamic:
		above("factor", r.Factor, 1)
	case RopeLlama3:
		above("factor", r.Factor, 1)
		above("low_freq_factor", r.LowFreqFactor, 0)
		above("high_freq_factor", r.HighFreqFactor, math.Nextafter(r.LowFreqFactor, math.Inf(1)))
		above("original_max_position_embeddings", float64(r.OriginalMax), 1)
	case RopeYarn:
		above("factor", r.Factor, 1)
		above("beta_slow", r.BetaSlow, 0)
		above("beta_fast", r.BetaFast, r.BetaSlow)
		above("mscale", r.MScale, 0)
		above("mscale_all_dim", r.MScaleAllDim, 0)
		above("attention_factor", r.AttentionFactor, 0)
		above("original_max_position_embeddings", float64(r.OriginalMax), 1)
	default:
		return fmt.Errorf("rope_scaling: rope_type: %q is none of linear, dynamic, llama3, yarn", r.Kind)
	}
	return errors.Join(problems...)
}

// A rotation is how a model turns queries and keys: dim columns of a head.
type rotation struct {
	dim          int // 0 if it does not
	theta        float64
	scaling      RopeScaling
	maxPositions int
}

func (c Config) rotation(dim int) rotation {
	return rotation{dim, c.RopeTheta, c.Rope, c.MaxPositionEmbeddings}
}

// Positions returns how many tokens a sequence may have.
func (c Config) Positions() int {
	if c.Rope.Kind == RopeDynamic {
		return int(float64(c.MaxPositionEmbeddings) * c.Rope.Factor)
	}
	return c.MaxPositionEmbeddings
}

// frequencies returns by how much a position turns each pair, for sequences of
// t tokens, and by how much cosines and sines are multiplied.
func (r rotation) frequencies(t int) (freq []float64, factor float64) {
	s, theta, d := r.scaling, r.theta, float64(r.dim)
	if s.Kind == RopeDynamic && t > r.maxPositions { // Unlike upstream, all of a sequence has the angles of its full length
		stretch := s.Factor*float64(t)/float64(r.maxPositions) - (s.Factor - 1)
		theta *= math.Pow(stretch, d/(d-2))
	}
	freq = make([]float64, r.dim/2)
	for i := range freq {
		freq[i] = math.Pow(theta, -2*float64(i)/d)
	}
	switch s.Kind {
	case RopeLinear:
		for i := range freq {
			freq[i] /= s.Factor
		}
	case RopeLlama3:
		for i, f := range freq {
			turns := float64(s.OriginalMax) * f / (2 * math.Pi) // in the original length
			smooth := (turns - s.LowFreqFactor) / (s.HighFreqFactor - s.LowFreqFactor)
			smooth = min(max(smooth, 0), 1)
			freq[i] = f * ((1-smooth)/s.Factor + smooth)
		}
	case RopeYarn:
		low, high := s.yarnRange(r.dim, theta)
		for i, f := range freq {
			ramp := min(max((float64(i)-low)/(high-low), 0), 1)
			freq[i] = f/s.Factor*ramp + f*(1-ramp)
		}
		return freq, s.yarnFactor()
	}
	return freq, 1
}

// yarnRange returns the pairs between which YaRN goes over from keeping an angle
// to shrinking it (Peng and others, 2023): those that turn BetaFast and BetaSlow
// times in the original length.
func (s RopeScaling) yarnRange(dim int, theta float64) (low, high float64) {
	pair := func(turns float64) float64 {
		return float64(dim) * math.Log(float64(s.OriginalMax)/(turns*2*math.Pi)) / (2 * math.Log(theta))
	}
	low, high = pair(s.BetaFast), pair(s.BetaSlow)
	if !s.NoTruncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(dim-1))
	if low == high {
		high += 0.001
	}
	return low, high
}

// yarnFactor is what cosines and sines are multiplied by.
func (s RopeScaling) yarnFactor() float64 {
	switch {
	case s.AttentionFactor != 0:
		return s.AttentionFactor
	case s.MScale != 0 && s.MScaleAllDim != 0:
		return s.mscale(s.MScale) / s.mscale(s.MScaleAllDim)
	}
	return s.mscale(1)
}

// mscale is YaRN's correction of the entropy of attention.
func (s RopeScaling) mscale(k float64) float64 {
	if s.Factor <= 1 {
		return 1
	}
	return 0.1*k*math.Log(s.Factor) + 1
}

// angles are the cosines and sines of positions on a device, (T, d/2).
type angles struct {
	cos, sin device.Buf
	half     int
}

// newAngles returns those of t positions.
func newAngles(dev device.Device, r rotation, t int) angles {
	if r.dim == 0 {
		return angles{}
	}
	freq, factor := r.frequencies(t)
	cos, sin := make([]float32, 0, t*len(freq)), make([]float32, 0, t*len(freq))
	for pos := range t {
		for _, f := range freq {
			s, c := math.Sincos(float64(pos) * f)
			cos, sin = append(cos, float32(c*factor)), append(sin, float32(s*factor))
		}
	}
	a := angles{dev.NewBuf(len(cos)), dev.NewBuf(len(sin)), len(freq)}
	dev.Upload(a.cos, cos)
	dev.Upload(a.sin, sin)
	return a
}
