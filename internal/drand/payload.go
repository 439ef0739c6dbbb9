package drand

import (
	"fmt"

	"adit/internal/scale"
)

// Weights are what a validator locks instead of setting them: the plaintext of
// commit_timelocked_weights, version 4.
type Weights struct {
	Hotkey     []byte // 32 bytes: it must be the signer's
	UIDs       []uint16
	Values     []uint16
	VersionKey uint64
}

// Encode returns the weights as SCALE.
func (w Weights) Encode() ([]byte, error) {
	b, err := scale.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode weights: %w", err)
	}
	return b, nil
}

// legacyWeights are those of version 3: they do not say whose they are.
type legacyWeights struct {
	UIDs       []uint16
	Values     []uint16
	VersionKey uint64
}

// DecodeWeights reads the plaintext of a commitment, in today's layout or, as
// the chain falls back to it, in that of version 3, where Hotkey is nil. Bytes
// behind it are ignored, as the chain does.
func DecodeWeights(b []byte) (Weights, error) {
	var w Weights
	err := scale.NewDecoder(b).Decode(&w)
	if err == nil && len(w.Hotkey) == 32 {
		return w, nil
	}
	var old legacyWeights
	if scale.NewDecoder(b).Decode(&old) == nil {
		return Weights{UIDs: old.UIDs, Values: old.Values, VersionKey: old.VersionKey}, nil
	}
	if err == nil {
		err = fmt.Errorf("hotkey of %d bytes, not 32", len(w.Hotkey))
	}
	return Weights{}, fmt.Errorf("decode weights: %w", err)
}
