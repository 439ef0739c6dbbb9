package templar

import (
	"errors"
	"fmt"
	"slices"

	"adit/internal/compress"
	"adit/internal/subnet"
)

// Encoding returns how differences are compressed.
func (r Rules) Encoding() compress.Rule {
	h := r.Sparse
	gain := 1.0
	if r.FeedbackRate {
		gain = h.OuterLearningRate
	}
	return compress.Rule{
		Decay: float32(h.MomentumDecay), Gain: float32(gain),
		Keep: int(h.TopKCompression), Bins: int(h.QuantizationBins), Cosine: h.UseDCT,
	}
}

// Pack returns what is sent of one parameter, of what compression has kept of it.
// It shares no memory with that.
func Pack(p subnet.Param, k *compress.Kept) Compressed {
	return Compressed{
		Name: p.Name, Idxs: compress.PackIndices(nil, k.Index), Vals: slices.Clone(k.Code), Shape: valuesShape(p, k.Grid, k.Keep),
		Quant: &Quant{Shift: k.Quant.Shift, Scale: float64(k.Quant.Scale), Offset: int64(len(k.Quant.Lookup) / 2), Lookup: slices.Clone(k.Quant.Lookup)},
	}
}

// valuesShape is the grid of chunks, and how many values each has: a vector's grid
// has one dimension.
func valuesShape(p subnet.Param, g compress.Grid, keep int) []int {
	if len(p.Shape) == 1 {
		return []int{g.Cols / g.W, keep}
	}
	return []int{g.Rows / g.H, g.Cols / g.W, keep}
}

// Parts checks a gradient against the model and returns what is to be merged of it,
// for each parameter in the model's order.
//
// Unlike upstream, who of the reserve stands in for a peer is held to the same: all
// parameters must be there. There, one that lacks some shifts those of the others,
// so that the values of different miners are clipped by one another's norms. And
// values that were not quantised are not taken, since nobody sends them.
func (r Rules) Parts(g Gradient, params []subnet.Param) ([]*compress.Part, error) {
	h := r.Sparse
	at := make(map[string]*Compressed, len(g.Params))
	for i := range g.Params {
		at[g.Params[i].Name] = &g.Params[i]
	}
	parts := make([]*compress.Part, len(params))
	for i, p := range params {
		c := at[p.Name]
		if c == nil {
			return nil, fmt.Errorf("gradient lacks %s", p.Name)
		}
		part, err := c.part(p, int(h.TopKCompression), int(h.QuantizationBins))
		if err != nil {
			return nil, fmt.Errorf("gradient of %s: %w", p.Name, err)
		}
		parts[i] = part
	}
	return parts, nil
}

func (c *Compressed) part(p subnet.Param, top, bins int) (*compress.Part, error) {
	grid, keep, err := gridOf(p, top)
	if err != nil {
		return nil, err
	}
	if want := valuesShape(p, grid, keep); !slices.Equal(c.Shape, want) {
		return nil, fmt.Errorf("values of shape %v, want %v", c.Shape, want)
	}
	if c.Quant == nil {
		return nil, errors.New("values without quant_params")
	}
	return compress.NewPacked(grid, keep, c.Idxs, c.Vals, compress.Quant{Shift: c.Quant.Shift, Scale: float32(c.Quant.Scale), Lookup: c.Quant.Lookup}, bins)
}

func gridOf(p subnet.Param, top int) (compress.Grid, int, error) {
	grid, err := compress.NewGrid(p.Shape)
	if err != nil {
		return grid, 0, err
	}
	keep, err := grid.Keep(top)
	return grid, keep, err
}

// MaxGradient returns how large a gradient of a model may be: two bytes and a half
// for each value that is kept, and some four kilobytes that describe a parameter.
func (r Rules) MaxGradient(params []subnet.Param) (int64, error) {
	size := int64(1 << 16)
	for _, p := range params {
		grid, keep, err := gridOf(p, int(r.Sparse.TopKCompression))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", p.Name, err)
		}
		size += int64(grid.Chunks())*int64(keep)*5/2 + 4096 + int64(2*len(p.Name))
	}
	return size, nil
}
