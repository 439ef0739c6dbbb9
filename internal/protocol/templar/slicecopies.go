package templar

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"adit/internal/subnet"
)

const (
	// samplesOf is of how many values of a slice a copy is known.
	samplesOf = 4096
	// alike is how near two deltas are of which one is a copy: the square of their
	// distance, by that of the one from what the validator has. What two miners learn
	// of different text in a window is as far apart as it is long.
	alike = 1e-3
)

// sampled returns some of a slice's values, at the same places of every slice of a
// window that has all its values.
func sampled(slice []SliceValues) []float32 {
	step := max(1, valuesIn(slice)/samplesOf)
	var list []float32
	next := 0
	for _, p := range slice {
		for ; next < len(p.Values); next += step {
			list = append(list, p.Values[next])
		}
		next -= len(p.Values)
	}
	return list
}

// copied says whether two deltas are one, of what the validator has at their places.
func copied(a, b, own []float32) bool {
	if len(a) != len(b) || len(a) != len(own) {
		return false
	}
	apart, way := 0.0, 0.0
	for i := range a {
		d, w := float64(a[i])-float64(b[i]), float64(a[i])-float64(own[i])
		apart += d * d
		way += w * w
	}
	return apart <= alike*way
}

// original judges a delta that another miner has uploaded before: it is worth
// nothing, and neither is what its miner had earned. isCopy is false if it is nobody's
// copy. Of two in the same second it is that of the miner who was found to copy
// before, if only one was, and else nobody's.
//
// Unlike upstream, where who copies earns what the others do.
func (v *sliceValidator) original(ctx context.Context, w Window, g gathered) (j judgement, isCopy bool, err error) {
	x, err := v.indices(w)
	if err != nil {
		return j, false, err
	}
	slice, err := v.take(x)
	if err != nil {
		return j, false, err
	}
	own, picked := sampled(slice), g.samples[g.picker.UID]
	var uploaded time.Time
	for _, uid := range slices.Sorted(maps.Keys(g.samples)) {
		if uid == g.picker.UID || !copied(picked, g.samples[uid], own) {
			continue
		}
		if uploaded.IsZero() {
			if uploaded, err = v.uploadedAt(ctx, w, g.picker.UID); err != nil {
				return j, false, err
			}
		}
		first, err := v.uploadedAt(ctx, w, uid)
		known := v.book.copies(g.picker.UID) > 0 && v.book.copies(uid) == 0
		if err == nil && (first.Before(uploaded) || first.Equal(uploaded) && known) {
			return judgement{Window: w, Copy: true, Reset: true, Reason: fmt.Sprintf("it is what uid %d had uploaded before: its average is lost", uid)}, true, nil
		}
	}
	return j, false, nil
}

// uploadedAt returns when a miner's delta was uploaded, by its store's clock.
func (v *sliceValidator) uploadedAt(ctx context.Context, w Window, uid subnet.UID) (time.Time, error) {
	p, ok := v.roster.peer(uid)
	if !ok {
		return time.Time{}, fmt.Errorf("uid %d: %w", uid, subnet.ErrNotFound)
	}
	o, err := p.bucket.Stat(ctx, Name{Kind: DeltaObject, Window: w, Hotkey: p.Hotkey, Version: v.rules.Version}.String())
	return o.Modified, err
}
