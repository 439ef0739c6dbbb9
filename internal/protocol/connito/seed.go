package connito

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"adit/internal/subnet"
)

// combinedSeed joins the seeds that validators committed to: the sha256 of their
// decimal digits in the order of the hotkeys, in hexadecimal. Without a
// validator it is that of "0".
func combinedSeed(seeds map[subnet.Hotkey]uint64) string {
	var b strings.Builder
	for _, hotkey := range slices.Sorted(maps.Keys(seeds)) {
		b.WriteString(strconv.FormatUint(seeds[hotkey], 10))
	}
	if len(seeds) == 0 {
		b.WriteByte('0')
	}
	return hexSum(b.String())
}

// blockSeed makes a seed of a block's hash, "0x" and 64 digits: the sha256 of
// these characters.
func blockSeed(hash string) string { return hexSum(hash) }

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// h256 is the hash by which everything is drawn: the sha256 over each part and a
// zero byte after it, taken as a number, the first byte the highest.
func h256(parts ...string) [32]byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return [32]byte(h.Sum(nil))
}

// streamSeed is the seed with which sources are mixed: the first eight digits of
// a round's seed, or 42 where there is none.
func streamSeed(seed string) uint64 {
	if len(seed) >= 8 {
		if n, err := strconv.ParseUint(seed[:8], 16, 64); err == nil {
			return n
		}
	}
	return 42
}

// selection returns the highest hash, [h256] of "dataset_selection", an index and
// the seed, with which a text is of the fraction of the stream that a seed
// selects. It is worked out in the precision of the reference implementation,
// which multiplies 2^256-1 as a float64.
func selection(fraction float64) [32]byte {
	var most [32]byte
	if !(fraction > 0) {
		return most
	}
	if fraction >= 1 {
		for i := range most {
			most[i] = 0xff
		}
		return most
	}
	n, _ := new(big.Float).SetMantExp(big.NewFloat(fraction), 256).Int(nil)
	n.FillBytes(most[:])
	return most
}

// selects says whether the text at an index of the stream is of the fraction that
// a seed selects.
func (e Eval) selects(index uint64, seed string) bool {
	if seed == "" || e.Fraction >= 1 {
		return true
	}
	h, most := h256("dataset_selection", strconv.FormatUint(index, 10), seed), selection(e.Fraction)
	return slices.Compare(h[:], most[:]) <= 0
}

// tokenWindow returns where in a text of the live generation the evaluated tokens
// begin, out of so many possible starts: by the hash of its first forty
// characters per token.
func (e Eval) tokenWindow(text string, starts int) int {
	if starts <= 1 {
		return 0
	}
	prefix := []rune(text)
	prefix = prefix[:min(len(prefix), e.Sequence*40)]
	h := h256("token_window", string(prefix))
	n := new(big.Int).SetBytes(h[:])
	return int(n.Mod(n, big.NewInt(int64(starts))).Int64())
}

// newSeed draws the number that a validator commits to: 16 bits, which is no
// secret, but nobody can know it before.
func newSeed(rng *rand.Rand) uint64 { return rng.Uint64N(1 << 16) }
