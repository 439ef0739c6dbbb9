package templar

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"adit/internal/compress"
	"adit/internal/subnet"
)

// A groupAt is a group of a parameter's chunks.
type groupAt struct{ tensor, group int }

// challenge returns the randomness of the first block after an aggregate's upload.
func (a *sums) challenge(ctx context.Context, w Window, claim *compress.Claim, uploaded time.Time) (*rand.Rand, error) {
	block, err := a.blockAfter(ctx, a.rules.Start(w+1), uploaded)
	if err != nil {
		return nil, err
	}
	hash, err := a.Chain.Hash(ctx, block)
	if err != nil {
		return nil, err
	}
	seed := sha256.Sum256(append([]byte(hash), claim.Append(nil)...))
	return rand.New(rand.NewChaCha8(seed)), nil
}

// blockAfter returns the first block that was made after a time by the store's
// clock, which leaves out the parts of seconds. It waits for it.
func (a *sums) blockAfter(ctx context.Context, from subnet.Block, t time.Time) (subnet.Block, error) {
	t = t.Add(time.Second)
	for b := from; ; b++ {
		if err := a.Chain.Wait(ctx, b); err != nil {
			return 0, err
		}
		made, err := a.Chain.Time(ctx, b)
		if err != nil {
			return 0, err
		}
		if !made.Before(t) {
			return b, nil
		}
	}
}

// chooseGroups draws groups, all as likely as any other, in order.
func chooseGroups(s *compress.Schema, rng *rand.Rand) []groupAt {
	total := 0
	for t := range s.Tensors {
		total += s.Groups(t)
	}
	chosen := make(map[int]bool)
	for len(chosen) < min(challenged, total) {
		chosen[rng.IntN(total)] = true
	}
	var list []groupAt
	at := 0
	for t := range s.Tensors {
		for g := range s.Groups(t) {
			if chosen[at] {
				list = append(list, groupAt{t, g})
			}
			at++
		}
	}
	return list
}

// proofsKey is the object beside an aggregate that shows the chosen groups.
func proofsKey(n Name) string { return n.String() + ".proofs" }

// maxProofs is more bytes than any proofs have: of each group what was unsaid, the
// gradients, and the ways to the roots.
func (a *sums) maxProofs() int64 {
	const path, header = 2 * 48 * 32, 128
	group := int64(compress.UsualGroup * compress.MaxChunk)
	return challenged*(4*group+(compress.MaxInputs+3)*(path+header+2*group)) + 1024
}

// appendProofs and readProofs are the form of the object with proofs: its magic, and
// each proof behind its length.
func appendProofs(proofs [][]byte) []byte {
	out := []byte(proofsMagic)
	for _, p := range proofs {
		out = binary.AppendUvarint(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}

func readProofs(r io.ReaderAt, size int64) ([][]byte, error) {
	data := make([]byte, size)
	if n, err := r.ReadAt(data, 0); n < len(data) {
		return nil, err
	}
	if len(data) < len(proofsMagic) || string(data[:len(proofsMagic)]) != proofsMagic {
		return nil, errors.New("it does not begin as proofs do")
	}
	data = data[len(proofsMagic):]
	var list [][]byte
	for len(data) > 0 {
		n, used := binary.Uvarint(data)
		if used <= 0 || n > uint64(len(data)-used) || len(list) == challenged {
			return nil, errors.New("proofs that end early, or too many")
		}
		list = append(list, data[used:used+int(n)])
		data = data[used+int(n):]
	}
	return list, nil
}
