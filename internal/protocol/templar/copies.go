package templar

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"adit/internal/compress"
	"adit/internal/score"
	"adit/internal/subnet"
)

// findCopies punishes who has sent the same indices as somebody before. All pairs are
// compared by a sample of chunks that nobody knew before, and those that are alike in
// it exactly.
//
// Unlike upstream, chunks of which all is sent are left out: all are alike in them.
func (v *sparseValidator) findCopies(w Window, c *collection) {
	if len(c.updates) < 2 || v.rules.Severity(1, v.Step) == NoOverlap {
		return
	}
	chunks := 0
	for _, p := range c.updates[0].parts {
		if chosenFrom(p) {
			chunks += p.Grid.Chunks()
		}
	}
	if chunks == 0 {
		return
	}
	sampling, err := score.NewSampling(chunks, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	if err != nil {
		v.Warn("copies", "copies are not looked for", err)
		return
	}
	first := slices.Clone(c.updates)
	slices.SortStableFunc(first, func(a, b *update) int { return a.object.Modified.Compare(b.object.Modified) })
	sketches := make([]*score.Sketch, len(first))
	for i, u := range first {
		sketches[i] = sampling.Sketch()
		at := 0
		for _, p := range u.parts {
			if !chosenFrom(p) {
				continue
			}
			p.Each(func(chunk int, index []uint16, value []float32) {
				err = errors.Join(err, sketches[i].Add(at+chunk, index, value))
			})
			at += p.Grid.Chunks()
		}
	}
	if err != nil {
		v.Warn("copies", "copies are not looked for", err)
		return
	}
	h := v.rules.Sparse
	copies, err := sampling.Copies(sketches, score.Limits{Overlap: h.IdxOverlapThreshold}, func(a, b int) (score.Likeness, error) {
		return likeness(first[a].parts, first[b].parts)
	})
	if err != nil {
		v.Warn("copies", "copies are not looked for", err)
		return
	}
	worst := make(map[subnet.UID]score.Copy)
	for _, found := range copies {
		uid := first[found.Copy].from.UID
		if found.Overlap > worst[uid].Overlap {
			worst[uid] = found
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(worst)) {
		found := worst[uid]
		s := v.book.Miners[uid]
		how := v.rules.Severity(found.Overlap, v.Step)
		if s == nil || how == NoOverlap {
			continue
		}
		of := first[found.Original].from.UID
		reason := fmt.Sprintf("%.0f%% of its indices are those of uid %d, which was first (%v)", 100*found.Overlap, of, how)
		if v.rules.Overlapped(&s.Standing, w, how) {
			v.resetMiner(uid, w, reason)
		} else {
			v.slashed(uid, w, reason, nil)
		}
	}
}

// chosenFrom says whether a sender had to choose what it sends of a parameter.
func chosenFrom(p *compress.Part) bool { return p.Keep < p.Grid.Size() }

// likeness compares two gradients in all chunks.
func likeness(a, b []*compress.Part) (score.Likeness, error) {
	var c score.Comparison
	var err error
	for i, p := range a {
		if !chosenFrom(p) {
			continue
		}
		theirs := make([]uint16, 0, p.Grid.Chunks()*p.Keep)
		b[i].Each(func(_ int, index []uint16, _ []float32) { theirs = append(theirs, index...) })
		p.Each(func(chunk int, index []uint16, _ []float32) {
			err = errors.Join(err, c.Add(index, nil, theirs[chunk*p.Keep:][:p.Keep], nil))
		})
	}
	return c.Likeness(), err
}
