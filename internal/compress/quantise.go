package compress

import (
	"fmt"
	"math"
)

// spread is how many standard deviations the bins cover between them.
const spread = 6

// The least and the greatest width of a bin, and the greatest value, that are
// accepted of others. The widths are upstream's rule.
const (
	minScale = 1e-12
	maxScale = 1e4
	maxValue = 1e6
)

// A Quant says what the codes of a tensor stand for: code c for
// Lookup[c]+Shift. It is what upstream calls quant_params.
type Quant struct {
	Shift  float32
	Scale  float32 // the width of a bin
	Lookup []float32
}

// Quantise rounds vals, which are the kept values of one tensor, to a number of
// bins, and sets the code of each. Bins are equally wide around the mean; the
// value of a bin is the mean of what fell in it. Sums are kept in 64 bits. It
// fails if a value is not finite or there is none.
func Quantise(code []uint8, vals []float32, bins int) (Quant, error) {
	if bins < 2 || bins > 256 || len(vals) == 0 {
		return Quant{}, fmt.Errorf("no bins for %d values in %d", len(vals), bins)
	}
	sum, squares := moments(vals)
	mean := sum / float64(len(vals))
	if math.IsNaN(squares) || math.IsInf(squares, 0) {
		return Quant{}, errNotFinite
	}
	q := Quant{Shift: float32(mean), Lookup: make([]float32, bins)}
	variance := math.Max(0, squares-sum*mean) / float64(len(vals)-1)
	q.Scale = float32(spread * math.Sqrt(variance) / float64(bins))
	if !(q.Scale > 0) || math.IsInf(float64(q.Scale), 0) {
		q.Scale = 1
	}
	var sums [256]float64
	var counts [256]int
	assign(code, vals, q.Shift, q.Scale, bins, &sums, &counts)
	for b := range bins {
		if counts[b] > 0 {
			q.Lookup[b] = float32(sums[b] / float64(counts[b]))
		}
	}
	return q, nil
}

// moments returns the sums of the values and of their squares.
func moments(vals []float32) (sum, squares float64) {
	for _, v := range vals {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	return sum, squares
}

// assign sets the codes, and adds to sums and counts what falls in each bin,
// less the shift.
func assign(code []uint8, vals []float32, shift, scale float32, bins int, sums *[256]float64, counts *[256]int) {
	half, last := float32(bins/2), float64(bins-1)
	for i, v := range vals {
		c := v - shift
		b := uint8(min(max(math.RoundToEven(float64(c/scale+half)), 0), last))
		code[i] = b
		sums[b] += float64(c)
		counts[b]++
	}
}

// Values returns what each code stands for.
func (q Quant) Values() []float32 {
	vals := make([]float32, len(q.Lookup))
	for i, v := range q.Lookup {
		vals[i] = v + q.Shift
	}
	return vals
}

// Check says why q, which came from somebody else, cannot be used with that
// number of bins.
func (q Quant) Check(bins int) error {
	if len(q.Lookup) != bins {
		return fmt.Errorf("%d values for codes, not %d", len(q.Lookup), bins)
	}
	if s := math.Abs(float64(q.Scale)); !(s >= minScale && s <= maxScale) {
		return fmt.Errorf("bins of width %g", q.Scale)
	}
	if !finite(q.Shift) {
		return fmt.Errorf("a shift of %g", q.Shift)
	}
	for c, v := range q.Lookup {
		if !finite(v) {
			return fmt.Errorf("code %d stands for %g", c, v)
		}
	}
	return checkValues(q.Values())
}

// checkValues says why codes cannot stand for these values.
func checkValues(vals []float32) error {
	for c, v := range vals {
		if !(math.Abs(float64(v)) <= maxValue) {
			return fmt.Errorf("code %d stands for %g", c, v)
		}
	}
	return nil
}

func finite(v float32) bool { return magnitude(v) < notFinite }
