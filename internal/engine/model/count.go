package model

// A Count says how large a model is and what it costs to train.
type Count struct {
	Params int // numbers in all parameters
	Active int // of these, numbers that one token is multiplied with
	// FLOPs is the floating-point operations that training all parameters
	// takes per token, attention to half the sequence included: six for each
	// active number but those of norms.
	FLOPs float64
	// Unseen is what attention to all of the sequence would take besides: what
	// comes after a token, which it does not see.
	Unseen float64
}

// Count counts for sequences of seqLen tokens.
func (c Config) Count(seqLen int) Count {
	var out Count
	active := 0.0
	for _, p := range c.Params() {
		n := p.Hi - p.Lo
		out.Params += n
		if p.Kind != Matrix {
			continue
		}
		switch p.use {
		case lookedUp:
			if c.TieWordEmbeddings { // it is the head too
				active += float64(n)
			}
		case chosen:
			active += float64(n) * float64(c.NumExpertsPerTok) / float64(c.NRoutedExperts)
		default:
			active += float64(n)
		}
	}
	out.Active = int(active)
	// Forward, q·kᵀ and p·v take 2*H*d for each of T/2 positions on average;
	// backward takes as much twice over.
	attention := 3 * 2 * float64(c.NumAttentionHeads*(c.queryWidth()+c.valueWidth())) * float64(seqLen) / 2
	out.Unseen = attention * float64(c.NumHiddenLayers)
	out.FLOPs = 6*active + out.Unseen
	return out
}

// queryWidth is the width of a head's queries and keys; valueWidth that of its
// values.
func (c Config) queryWidth() int {
	if c.latent() {
		return c.QKNopeHeadDim + c.QKRopeHeadDim
	}
	return c.HeadDim
}

func (c Config) valueWidth() int {
	if c.latent() {
		return c.VHeadDim
	}
	return c.HeadDim
}
