package score

import (
	"cmp"
	"fmt"
	"slices"
)

// maxMessages bounds what [Sampling.Copies] compares: its time and memory grow
// with the square.
const maxMessages = 1024

// Limits say from which likeness on a message is a copy. Each is off if it is 0.
type Limits struct {
	Overlap float64 // of coordinates; honest miners of one model share 0.1 to 0.3
	Cosine  float64 // of values
	// Enough is the overlap from which a copy is not looked at any more, and
	// so is a Cosine beyond its limit: who copied one message may be like a
	// hundred others that copied it too. If it is 0, all pairs are compared.
	Enough float64
}

func (l Limits) reached(by Likeness) bool {
	return l.Overlap > 0 && by.Overlap >= l.Overlap || l.Cosine > 0 && by.Cosine >= l.Cosine
}

func (l Limits) enough(of Likeness) bool {
	return l.Enough > 0 && (of.Overlap >= l.Enough || l.Cosine > 0 && of.Cosine >= l.Cosine)
}

// A Copy is a message that is too like one that was there before it.
type Copy struct {
	Original, Copy int // places in the list of messages
	Likeness
}

// Copies finds the messages that are copies of others, whole or in part: scaled,
// with noise, or with some of their indices replaced. The messages are sketched,
// first come first, and nil where there is none. Pairs whose sketches may be
// beyond a limit are compared by exact, and returned if they are, ordered by
// copy and original.
//
// 256 messages of 64 values in a chunk take a quarter of a second on one core,
// twice that if all are copies of one, and then what exact takes.
func (s *Sampling) Copies(sketches []*Sketch, limits Limits, exact func(original, copy int) (Likeness, error)) ([]Copy, error) {
	if len(sketches) > maxMessages {
		return nil, fmt.Errorf("compare %d messages, more than %d", len(sketches), maxMessages)
	}
	for i, k := range sketches {
		if k != nil && k.of != s {
			return nil, fmt.Errorf("message %d is sketched by another sampling", i)
		}
	}
	pairs := s.measure(sketches)

	var found []Copy
	type candidate struct {
		original int
		excess   float64
	}
	var candidates []candidate
	for later := range sketches {
		candidates = candidates[:0]
		for earlier := range later {
			if sketches[earlier] == nil || sketches[later] == nil {
				continue
			}
			p := &pairs[pairIndex(earlier, later)]
			if p.mayReach(limits) {
				candidates = append(candidates, candidate{earlier, p.excess(limits)})
			}
		}
		// The likeliest first: it may be enough.
		slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(b.excess, a.excess) })
		for _, c := range candidates {
			likeness, err := exact(c.original, later)
			if err != nil {
				return nil, fmt.Errorf("compare message %d with %d: %w", later, c.original, err)
			}
			if limits.reached(likeness) {
				found = append(found, Copy{Original: c.original, Copy: later, Likeness: likeness})
				if limits.enough(likeness) {
					break
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b Copy) int {
		return cmp.Or(cmp.Compare(a.Copy, b.Copy), cmp.Compare(a.Original, b.Original))
	})
	return found, nil
}

// A pair is what two sketches say of the likeness of their messages.
type pair struct{ overlap, cosine ratio }

// pairIndex numbers the pairs in the order in which they are measured.
func pairIndex(earlier, later int) int { return later*(later-1)/2 + earlier }

// doubt is how many standard errors above what was measured a likeness may be.
// One in 30,000 is further, if it is distributed normally: as many as there
// are pairs of 256.
const doubt = 4

func (p *pair) mayReach(l Limits) bool {
	return l.Overlap > 0 && p.overlap.w > 0 && p.overlap.mean()+doubt*p.overlap.spread() >= l.Overlap ||
		l.Cosine > 0 && p.cosine.w > 0 && p.cosine.mean()+doubt*p.cosine.spread() >= l.Cosine
}

// excess is how far beyond a limit the pair is.
func (p *pair) excess(l Limits) float64 {
	excess := 0.0
	if l.Overlap > 0 {
		excess = p.overlap.mean() / l.Overlap
	}
	if l.Cosine > 0 {
		excess = max(excess, p.cosine.mean()/l.Cosine)
	}
	return excess
}

// An owner is a message that has some index of a chunk, with its value there.
type owner struct {
	message uint32
	value   float32
}

// measure compares all sketches with one another. Chunk by chunk it lists, for
// each index, which messages have it: what two have in common is then counted
// where it is, and what they have not costs nothing.
func (s *Sampling) measure(sketches []*Sketch) []pair {
	n := len(sketches)
	pairs := make([]pair, n*(n-1)/2)
	shared, dots := make([]float32, n), make([]float32, n)
	var begins, ends []int32 // of each index, where the list of its owners is by now
	var owners []owner
	for slot := range s.picked {
		ends = ends[:0]
		total := 0
		for _, k := range sketches {
			if k == nil {
				continue
			}
			indices := k.slots[slot].indices
			total += len(indices)
			if len(indices) == 0 {
				continue
			}
			if need := int(indices[len(indices)-1]) + 1; need > len(ends) {
				ends = append(ends, make([]int32, need-len(ends))...)
			}
			for _, index := range indices {
				ends[index]++
			}
		}
		owners = slices.Grow(owners[:0], total)[:total]
		begins = slices.Grow(begins[:0], len(ends))[:len(ends)]
		at := int32(0)
		for index, count := range ends {
			begins[index], ends[index] = at, at
			at += count
		}

		for later, k := range sketches {
			if k == nil || !k.slots[slot].added {
				continue
			}
			mine := &k.slots[slot]
			clear(shared[:later])
			clear(dots[:later])
			for i, index := range mine.indices {
				v := mine.values[i]
				for _, o := range owners[begins[index]:ends[index]] {
					shared[o.message]++
					dots[o.message] += v * o.value
				}
				owners[ends[index]] = owner{uint32(later), v}
				ends[index]++
			}
			row := pairs[later*(later-1)/2:][:later]
			for earlier := range row {
				if sketches[earlier] == nil {
					continue
				}
				theirs := &sketches[earlier].slots[slot]
				if !theirs.added || theirs.dense != mine.dense {
					continue
				}
				size := float64(min(len(mine.indices), len(theirs.indices)))
				if !mine.dense {
					row[earlier].overlap.add(float64(shared[earlier]), size)
				}
				if !mine.zero || !theirs.zero {
					row[earlier].cosine.add(float64(dots[earlier])*size, size)
				}
			}
		}
	}
	return pairs
}
