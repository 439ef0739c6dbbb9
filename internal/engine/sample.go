package engine

import (
	"crypto/sha256"
	"math/rand/v2"

	"adit/internal/subnet"
)

// pick returns the numbers of the held-out sequences that a sample consists
// of, out of have. With a seed they are the first places of a permutation that
// the seed gives; without one they are the first there are.
func pick(s subnet.Sample, have int64) []int64 {
	n := int64(s.Sequences)
	if n <= 0 || n > have {
		n = have
	}
	out := make([]int64, n)
	if s.Seed == "" || n == have {
		for i := range out {
			out[i] = int64(i)
		}
		return out
	}
	// Fisher and Yates's shuffle, of which only the places that have been
	// swapped are kept.
	rng := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(s.Seed))))
	moved := map[int64]int64{}
	at := func(i int64) int64 {
		if v, ok := moved[i]; ok {
			return v
		}
		return i
	}
	for i := range n {
		j := i + rng.Int64N(have-i)
		out[i] = at(j)
		moved[j] = at(i)
	}
	return out
}
