// Package devicetest holds one device against another. It is meant for a program
// that is about to trust a device as much as for tests.
package devicetest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"adit/internal/engine/device"
)

// tolerance is by what part of its length a vector may differ. A sum of a few
// hundred terms in 32-bit floats is exact to about 1e-6 of it; one whose factors
// were cut to fewer bits is not to 1e-4.
//
// What cancels out to nothing, as gradients of a choice of one do, has no length
// that could be held against it. As inputs are around 1, each number may also
// differ by least.
const (
	tolerance = 1e-4
	least     = 1e-6
)

// Compare runs every operation on d and on the reference with the same small
// inputs, whose numbers and sizes follow from seed, and compares all memory that
// was in reach. The error names each operation that differs, or that panics.
func Compare(d, reference device.Device, seed uint64) error {
	var errs []error
	for _, op := range slices.Concat(vectors, matrices, rows, experts) {
		if err := op.compare(d, reference, seed); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", op.name, err))
		}
	}
	return errors.Join(errs...)
}

// An operation is a method of devices, called in the ways that it can be.
type operation struct {
	name string
	run  func(t *trial)
}

func (op operation) compare(d, reference device.Device, seed uint64) error {
	got, err := op.try(d, seed)
	if err != nil {
		return err
	}
	want, err := op.try(reference, seed)
	if err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	return got.differ(want)
}

// try runs the operation on d.
func (op operation) try(d device.Device, seed uint64) (t *trial, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	t = &trial{Device: d, r: rand.New(rand.NewPCG(seed, 0))}
	op.run(t)
	d.Sync()
	t.download()
	return t, nil
}

// differ returns an error unless both trials ended alike.
func (t *trial) differ(want *trial) error {
	for i, w := range want.floatsAfter {
		if err := differ(t.floatsAfter[i], w, want.exact); err != nil {
			return fmt.Errorf("vector %d of %d numbers: %w", i, len(w), err)
		}
	}
	for i, w := range want.intsAfter {
		for j, g := range t.intsAfter[i] {
			if g != w[j] {
				return fmt.Errorf("integers %d: element %d of %d is %d, not %d", i, j, len(w), g, w[j])
			}
		}
	}
	for i, w := range want.results {
		if g := t.results[i]; !(math.Abs(g-w) <= tolerance*math.Abs(w)) {
			return fmt.Errorf("result %d is %v, not %v", i, g, w)
		}
	}
	return nil
}

// differ returns an error unless got is want: to the bit if exact, except for
// the kind of a NaN, and else to the tolerance. What is not finite must be so in
// both, in the same way.
func differ(got, want []float32, exact bool) error {
	dist, length := 0.0, 0.0
	for i, w := range want {
		g, w := float64(got[i]), float64(w)
		if g == w && math.Signbit(g) == math.Signbit(w) || math.IsNaN(g) && math.IsNaN(w) {
			if !math.IsInf(w, 0) && !math.IsNaN(w) {
				length += w * w
			}
			continue
		}
		if exact || math.IsNaN(g-g) || math.IsNaN(w-w) {
			return fmt.Errorf("element %d is %v, not %v", i, g, w)
		}
		dist += (g - w) * (g - w)
		length += w * w
	}
	if dist > tolerance*tolerance*length+least*least*float64(len(want)) {
		return fmt.Errorf("differs by %.2g, and is %.2g long", math.Sqrt(dist), math.Sqrt(length))
	}
	return nil
}
