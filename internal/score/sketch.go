package score

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// sampledChunks is of how many chunks a sketch is made. The overlap of two
	// independent messages is then known to within 0.01, that of a copy of
	// every other chunk to within 0.05; what is near a limit is compared in full.
	sampledChunks = 128
	// sampledValues is how many values of a message without indices a sketch
	// has at least, if there are as many.
	sampledValues = 2048
)

// A Sampling chooses the chunks by which messages are first compared. All
// messages of one round are sketched by the same one.
//
// A sketch is of a few chunks in full, as the usual hashing of sets is not
// wanted here: messages of one form have the same chunks, so that a sample of
// them measures the mean over all without bias, and more closely for its size.
// Who knew the choice could copy all the rest. So it must be made at random,
// when all messages are there.
type Sampling struct {
	chunks int
	picked []int  // of each stratum of the message the chunk to look at, ascending
	key    uint64 // chooses values within chunks that are sent whole
}

// NewSampling makes a choice for messages of so many chunks.
func NewSampling(chunks int, random *rand.Rand) (*Sampling, error) {
	if chunks < 1 {
		return nil, fmt.Errorf("sample a message of %d chunks", chunks)
	}
	s := &Sampling{chunks: chunks, picked: make([]int, min(chunks, sampledChunks)), key: random.Uint64()}
	// One of each stratum: copies of whole tensors are of neighbouring chunks,
	// and so are found in proportion.
	for i := range s.picked {
		low := s.start(i)
		s.picked[i] = low + random.IntN(s.start(i+1)-low)
	}
	return s, nil
}

// start is the first chunk of a stratum.
func (s *Sampling) start(stratum int) int {
	return int(int64(stratum) * int64(s.chunks) / int64(len(s.picked)))
}

// slot says where a sketch has a chunk, if it has it.
func (s *Sampling) slot(chunk int) (int, bool) {
	// The last stratum that starts at the chunk or before.
	i := int(((int64(chunk)+1)*int64(len(s.picked)) - 1) / int64(s.chunks))
	return i, s.picked[i] == chunk
}

// A Sketch is what is kept of a message to find those like it: some 50 KB for
// one of 64 values in a chunk.
type Sketch struct {
	of    *Sampling
	slots []sketched
}

// sketched is a chunk of a sketch.
type sketched struct {
	added   bool
	dense   bool      // indices are not of coordinates but of the sample
	zero    bool      // no value is there or all are 0
	indices []uint16  // distinct
	values  []float32 // divided by their norm, one for each index
}

// Sketch returns the sketch of a message of which nothing has been seen.
func (s *Sampling) Sketch() *Sketch {
	return &Sketch{of: s, slots: make([]sketched, len(s.picked))}
}

// Add shows the sketch a chunk of the message: the indices sent and their
// values, which may be nil. Chunks come in any order, each once; of one that is
// not in the sample nothing is read.
func (k *Sketch) Add(chunk int, indices []uint16, values []float32) error {
	slot, err := k.place(chunk)
	if slot == nil || err != nil {
		return err
	}
	if err := checkChunk(indices, values); err != nil {
		return fmt.Errorf("sketch chunk %d: %w", chunk, err)
	}
	slot.added = true
	order := make([]int, len(indices))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(indices[a]) - int(indices[b]) })
	order = slices.CompactFunc(order, func(a, b int) bool { return indices[a] == indices[b] })
	slot.indices = make([]uint16, len(order))
	slot.values = make([]float32, len(order))
	sum := 0.0
	for _, i := range order {
		sum += square(values, i)
	}
	slot.zero = sum == 0
	norm := math.Sqrt(sum)
	for at, i := range order {
		slot.indices[at] = indices[i]
		if !slot.zero {
			slot.values[at] = float32(value(values, i) / norm)
		}
	}
	return nil
}

// AddDense shows the sketch a chunk of which every value was sent. Values
// should be changes, from what every miner began with: parameters themselves
// are alike in honest messages too.
func (k *Sketch) AddDense(chunk int, values []float32) error {
	slot, err := k.place(chunk)
	if slot == nil || err != nil {
		return err
	}
	take := min(len(values), maxChunk, max(16, sampledValues/len(k.slots)))
	indices, taken := make([]uint16, take), make([]float32, take)
	random := rand.New(rand.NewPCG(k.of.key, uint64(chunk)))
	for i := range taken {
		low, high := i*len(values)/take, (i+1)*len(values)/take
		indices[i], taken[i] = uint16(i), values[low+random.IntN(high-low)]
	}
	slot.dense = true
	return k.Add(chunk, indices, taken)
}

// place returns where the sketch has a chunk, nil if it is not in the sample.
func (k *Sketch) place(chunk int) (*sketched, error) {
	if chunk < 0 || chunk >= k.of.chunks {
		return nil, fmt.Errorf("sketch chunk %d of %d", chunk, k.of.chunks)
	}
	i, sampled := k.of.slot(chunk)
	if !sampled {
		return nil, nil
	}
	if k.slots[i].added {
		return nil, fmt.Errorf("sketch chunk %d twice", chunk)
	}
	return &k.slots[i], nil
}
