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
	return quantise(fastest(), code, vals, bins)
}

func quantise(k *kernel, code []uint8, vals []float32, bins int) (Quant, error) {
	if bins < 2 || bins > 256 || len(vals) == 0 {
		return Quant{}, fmt.Errorf("no bins for %d values in %d", len(vals), bins)
	}
	var sums, squareSums [lanes]float64
	k.moments(vals, &sums, &squareSums)
	sum, squares := total(&sums), total(&squareSums)
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
	all := make([]bin, bins)
	k.assign(code[:len(vals)], vals, q.Shift, q.Scale, all)
	for c, b := range all {
		if b.count > 0 {
			q.Lookup[c] = float32(total(&b.sum) / float64(b.count))
		}
	}
	return q, nil
}

// lanes is how many sums are kept of what is one in the end: value i counts
// towards sum i%lanes. It makes sums the same on all processors, and fast.
const lanes = 8

func total(sums *[lanes]float64) float64 {
	var t float64
	for _, s := range sums {
		t += s
	}
	return t
}

// portableMoments adds the values and their squares.
func portableMoments(vals []float32, sum, squares *[lanes]float64) {
	for i, v := range vals {
		x := float64(v) // whose square is exact
		sum[i%lanes] += x
		squares[i%lanes] += x * x
	}
}

// bin is the values that fell in one, less the shift.
type bin struct {
	sum   [lanes]float64
	count int
}

// portableAssign sets the codes and adds to the bins.
func portableAssign(code []uint8, vals []float32, shift, scale float32, bins []bin) {
	half, last := float32(len(bins)/2), float64(len(bins)-1)
	for i, v := range vals {
		c := v - shift
		b := uint8(min(max(math.RoundToEven(float64(c/scale+half)), 0), last))
		code[i] = b
		bins[b].sum[i%lanes] += float64(c)
		bins[b].count++
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
