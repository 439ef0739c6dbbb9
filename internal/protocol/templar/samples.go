package templar

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"adit/internal/subnet"
)

// PoolSize is how many samples a miner may train on in a window; of them it can
// really use as many as its inner steps have room for.
func (h SparseHParams) PoolSize() int { return int(h.InnerSteps * h.TargetBatchSize) }

// Pool draws the samples of a miner and a window among n of a shard: their numbers,
// in the order in which they are trained on.
//
// Unlike upstream, which ends there, a shard with fewer samples than the pool is
// trained on as a whole, so that a small one will do for a network on one machine.
func Pool(uid subnet.UID, w Window, n, size int) ([]uint32, error) {
	if n < 1 || uint64(n) > maxPopulation || size < 1 {
		return nil, fmt.Errorf("pool of %d among %d samples", size, n)
	}
	seed := uint32(uint64(uid)*1000003 ^ uint64(w))
	return newGenerator(seed).choice(uint64(n), min(size, n)), nil
}

// EvalDraw draws k of a pool to judge its miner on. The time keeps the miner from
// knowing which: it is that at which the validator looks, and the draw is kept until
// the window ends.
func EvalDraw(uid subnet.UID, w Window, nanoseconds uint64, pool []uint32, k int) []uint32 {
	if len(pool) == 0 || k < 1 {
		return nil
	}
	seed := uint32(uint64(uid)*0x9e3779b1 ^ uint64(w) ^ nanoseconds)
	drawn := newGenerator(seed).choice(uint64(len(pool)), min(k, len(pool)))
	for i, at := range drawn {
		drawn[i] = pool[at]
	}
	return drawn
}

// Share returns the part of a draw that one of several devices takes, which is
// every so many of it. A single device takes all.
func Share(drawn []uint32, rank, world int) []uint32 {
	var part []uint32
	for i := rank; i < len(drawn); i += world {
		part = append(part, drawn[i])
	}
	return part
}

// SampleID names a sample by its tokens, as the one who prepares a shard does.
func SampleID(tokens []uint32) uint64 {
	h := newBlake(8)
	var b [4]byte
	for _, t := range tokens {
		binary.LittleEndian.PutUint32(b[:], t)
		h.Write(b[:])
	}
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// SampleDigest is what a gradient's metadata says of its miner's pool: the hash of
// the ids in ascending order. It leaves them as they are.
func SampleDigest(ids []uint64) string {
	h := newBlake(16)
	var b [8]byte
	for _, id := range slices.Sorted(slices.Values(ids)) {
		binary.LittleEndian.PutUint64(b[:], id)
		h.Write(b[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// A Shard is one file of training text, with one of its samples' ids.
type Shard struct {
	Epoch, Index int64
	Anneal       bool
}

// Shard returns the shard that is trained on after so many outer steps.
//
// What comes after the last shard is not known of upstream, whose runs ended
// before; here they begin anew.
func (r Rules) Shard(step int64) Shard {
	h := r.Sparse
	if a := h.Anneal; a.Enabled && step >= a.StartGlobalStep {
		return Shard{Epoch: 1, Index: annealShard, Anneal: true}
	}
	s := Shard{}
	if h.ShardResetOuterStep > 0 && step >= h.ShardResetOuterStep {
		step -= h.ShardResetOuterStep
		s.Epoch = 1
	}
	s.Index = step / h.OuterStepsPerShard
	s.Epoch += s.Index / r.Shards
	s.Index %= r.Shards
	if other, ok := r.ShardAlias[s.Index]; ok {
		s.Index = other
	}
	return s
}

// annealShard is the only one that is annealed on.
const annealShard = 5

// NextShard returns the first step after one at which another shard is trained on,
// for it to be fetched before; false if there is none.
func (r Rules) NextShard(step int64) (int64, bool) {
	now := r.Shard(step)
	if now.Anneal {
		return 0, false
	}
	for next := step + 1; next <= step+r.Sparse.OuterStepsPerShard; next++ {
		if s := r.Shard(next); s.Index != now.Index || s.Anneal != now.Anneal {
			return next, true
		}
	}
	return 0, false
}

// Names returns the keys of a shard's two objects in the bucket of the data set.
// dir is DATASET_BINS_PATH, which may end with a slash.
func (s Shard) Names(dir, idsSuffix string) (tokens, ids string) {
	prefix := "train"
	if s.Anneal {
		prefix = "anneal"
		ids = fmt.Sprintf("sample_ids_anneal_%06d%s", s.Index, idsSuffix)
	} else {
		ids = fmt.Sprintf("sample_ids_%06d%s", s.Index, idsSuffix)
	}
	return join(dir, fmt.Sprintf("%s_%06d.npy", prefix, s.Index)), join(dir, ids)
}

// join puts a name in a directory.
func join(dir, name string) string {
	if dir == "" || dir[len(dir)-1] == '/' {
		return dir + name
	}
	return dir + "/" + name
}
