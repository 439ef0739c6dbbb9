package templar

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"adit/internal/score"
	"adit/internal/subnet"
)

// Indices are the places of a window's slice, for each parameter in the order of
// the model. The order within a parameter is that of the values in the file.
type Indices []SliceIndices

// SliceIndices are the places of a slice in one parameter, flattened.
type SliceIndices struct {
	Name string
	At   []uint32
}

// SliceSeed returns what the indices of a window are drawn with. Unlike what
// upstream's documents say, the hash of a block has no part in it.
func SliceSeed(w Window) uint32 {
	sum := md5.Sum([]byte(strconv.FormatUint(uint64(w), 10)))
	return binary.BigEndian.Uint32(sum[12:]) // the number in hexadecimal, modulo 2^32
}

// DrawIndices returns the places of a window's slice: one in compression of each
// parameter, and at least one. One generator serves all of them, so that the
// order of the parameters counts.
func DrawIndices(w Window, params []subnet.Param, compression int) (Indices, error) {
	if compression < 1 {
		return nil, fmt.Errorf("indices of window %d: one value in %d", w, compression)
	}
	all := make(Indices, len(params))
	rng := newGenerator(SliceSeed(w))
	for i, p := range params {
		n := p.Len()
		if n < 1 || uint64(n) > maxPopulation {
			return nil, fmt.Errorf("indices of window %d: %s has %d values", w, p.Name, n)
		}
		all[i] = SliceIndices{p.Name, rng.choice(uint64(n), max(1, n/compression))}
	}
	return all, nil
}

// Len returns how many values the slice has.
func (x Indices) Len() (n int) {
	for _, p := range x {
		n += len(p.At)
	}
	return n
}

// MaxBytes returns how large a file with such a slice may be: its values, and some
// two kilobytes that describe a parameter, align it and list it in the archive.
func (x Indices) MaxBytes() int64 { return 4*int64(x.Len()) + 2048*int64(len(x)) + 1<<16 }

// Take returns the slice of a model: values returns a parameter, flattened.
func (x Indices) Take(values func(name string) []float32) ([]SliceValues, error) {
	slice := make([]SliceValues, len(x))
	for i, p := range x {
		from := values(p.Name)
		slice[i] = SliceValues{p.Name, make([]float32, len(p.At))}
		for j, at := range p.At {
			if int(at) >= len(from) {
				return nil, fmt.Errorf("slice: %s has %d values, and none at %d", p.Name, len(from), at)
			}
			slice[i].Values[j] = from[at]
		}
	}
	return slice, nil
}

// SliceValues are the values of a slice in one parameter.
type SliceValues struct {
	Name   string
	Values []float32
}

// A SliceMerge collects what the neurons have at a window's places, one file after
// the other, and puts the mean there. Each parameter's mean is over the files
// that have it.
//
// The sums have 64 bits. Unlike upstream, the order in which files come is
// therefore of hardly any consequence: neurons that have seen the same ones agree.
type SliceMerge struct {
	indices Indices
	place   map[string]int
	sums    [][]float64
	counts  []int
	// equal gives each file the same norm, and the mean the norm of the median.
	equal bool
	norms []float64
	files int
}

// NewSliceMerge begins a merge at a window's places. If equal, files are divided
// by their norms before they are averaged, and the mean is multiplied with the
// lower median of the norms, as from version 0.1.8 on.
func NewSliceMerge(x Indices, equal bool) *SliceMerge {
	m := &SliceMerge{indices: x, place: make(map[string]int, len(x)), sums: make([][]float64, len(x)), counts: make([]int, len(x)), equal: equal}
	for i, p := range x {
		m.place[p.Name] = i
	}
	return m
}

// Add adds a file. Parameters that the model does not have are passed over.
//
// Unlike upstream, a file with a value that is not finite, or of which a parameter
// has another number of values than its window says, is refused as a whole; there
// it spoils the model of everybody who reads it, or raises an exception.
func (m *SliceMerge) Add(file []SliceValues) error {
	square, seen := 0.0, make(map[string]bool, len(file))
	for _, p := range file {
		i, ok := m.place[p.Name]
		switch {
		case !ok:
			continue
		case seen[p.Name]:
			return fmt.Errorf("slice has %.80q twice", p.Name)
		case len(p.Values) != len(m.indices[i].At):
			return fmt.Errorf("slice has %d values of %s, want %d", len(p.Values), p.Name, len(m.indices[i].At))
		}
		seen[p.Name] = true
		for _, v := range p.Values {
			square += float64(v) * float64(v)
		}
		if math.IsNaN(square) || math.IsInf(square, 0) {
			return fmt.Errorf("slice has a value of %s that is not finite", p.Name)
		}
	}
	if len(seen) == 0 {
		return fmt.Errorf("slice has no parameter of the model")
	}
	factor := 1.0
	if m.equal {
		norm := math.Sqrt(square)
		if norm == 0 {
			return fmt.Errorf("slice has no value but nought")
		}
		m.norms = append(m.norms, norm)
		factor = 1 / norm
	}
	for _, p := range file {
		i, ok := m.place[p.Name]
		if !ok {
			continue
		}
		if m.sums[i] == nil {
			m.sums[i] = make([]float64, len(p.Values))
		}
		for j, v := range p.Values {
			m.sums[i][j] += float64(v) * factor
		}
		m.counts[i]++
	}
	m.files++
	return nil
}

// Files returns how many files were added.
func (m *SliceMerge) Files() int { return m.files }

// Apply overwrites the places with the mean. values returns a parameter's own
// memory, flattened. Parameters that no file had stay as they are.
func (m *SliceMerge) Apply(values func(name string) []float32) error {
	scale := 1.0
	if m.equal && len(m.norms) > 0 {
		scale = score.LowerMedian(m.norms)
	}
	for i, p := range m.indices {
		if m.counts[i] == 0 {
			continue
		}
		to := values(p.Name)
		for j, at := range p.At {
			if int(at) >= len(to) {
				return fmt.Errorf("merge: %s has %d values, and none at %d", p.Name, len(to), at)
			}
			to[at] = float32(m.sums[i][j] / float64(m.counts[i]) * scale)
		}
	}
	return nil
}

// Coverage returns which share of the parameters so many windows touch: of the
// others, who joins by the slices of these windows alone knows nothing.
func Coverage(compression, windows int) float64 {
	return 1 - math.Pow(1-1/float64(compression), float64(windows))
}
