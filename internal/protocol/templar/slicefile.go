package templar

import (
	"errors"
	"fmt"
	"io"

	"adit/internal/tensor"
	"adit/internal/torchfile"
)

// A SliceFile is the content of a state or delta object: the values at a window's
// places, and in r2 how far its maker was.
type SliceFile struct {
	Values []SliceValues
	// GlobalStep and Metric are of r2 alone, Metric of its deltas. HasStep says
	// whether there is a step.
	GlobalStep int64
	HasStep    bool
	Metric     *SliceMetric
}

// A SliceMetric is what a miner of r2 says of its window.
type SliceMetric struct {
	BatchSize, TokensPerStep int64
	TokensPerSecond, Loss    float64
	SampleRate, LearningRate float64
}

const (
	stepKey   = "global_step"
	metricKey = "slice_metric"
)

// EncodeSlice writes a slice as torch.save would. The model's _metadata, which
// upstream's file carries along, says nothing about tensors and is left out.
func EncodeSlice(w io.Writer, f SliceFile) error {
	d := &torchfile.Dict{Ordered: true}
	for _, p := range f.Values {
		d.Items = append(d.Items, torchfile.Item{Key: p.Name, Value: tensor.FromFloats(tensor.F32, []int{len(p.Values)}, p.Values)})
	}
	if f.HasStep {
		d.Items = append(d.Items, torchfile.Item{Key: stepKey, Value: f.GlobalStep})
	}
	if m := f.Metric; m != nil {
		d.Items = append(d.Items, torchfile.Item{Key: metricKey, Value: &torchfile.Dict{Items: []torchfile.Item{
			{Key: "batch_size", Value: m.BatchSize}, {Key: "tokens_per_step", Value: m.TokensPerStep},
			{Key: "tokens_per_second", Value: m.TokensPerSecond}, {Key: "loss", Value: m.Loss},
			{Key: "sample_rate", Value: m.SampleRate}, {Key: "learning_rate", Value: m.LearningRate},
		}}})
	}
	return torchfile.Encode(w, d)
}

// DecodeSlice reads a slice of at most limit bytes. The names of its parameters
// are whatever the file says: [SliceMerge.Add] checks them, and how many values
// they have.
func DecodeSlice(r io.ReaderAt, size, limit int64) (SliceFile, error) {
	v, err := torchfile.Decode(r, size, limit)
	if err != nil {
		return SliceFile{}, fmt.Errorf("slice: %w", err)
	}
	d, ok := v.(*torchfile.Dict)
	if !ok {
		return SliceFile{}, errors.New("slice: it is no dict")
	}
	var f SliceFile
	for _, it := range d.Items {
		key, ok := it.Key.(string)
		if !ok {
			return SliceFile{}, fmt.Errorf("slice: a key of type %T", it.Key)
		}
		switch v := it.Value.(type) {
		case tensor.Tensor:
			if v.DType != tensor.F32 || len(v.Shape) != 1 {
				return SliceFile{}, fmt.Errorf("slice: %.80q is %v of shape %v, want a row of F32", key, v.DType, v.Shape)
			}
			values, err := v.Floats(nil)
			if err != nil {
				return SliceFile{}, fmt.Errorf("slice: %.80q: %w", key, err)
			}
			f.Values = append(f.Values, SliceValues{key, values})
		case int64:
			if key == stepKey && v >= 0 {
				f.GlobalStep, f.HasStep = v, true
			}
		case *torchfile.Dict:
			if key == metricKey {
				f.Metric = sliceMetric(v)
			}
		}
	}
	return f, nil
}

func sliceMetric(d *torchfile.Dict) *SliceMetric {
	return &SliceMetric{
		BatchSize: int64(number(d, "batch_size")), TokensPerStep: int64(number(d, "tokens_per_step")),
		TokensPerSecond: number(d, "tokens_per_second"), Loss: number(d, "loss"),
		SampleRate: number(d, "sample_rate"), LearningRate: number(d, "learning_rate"),
	}
}

// number returns a number of a dict, whatever it is written as, or 0.
func number(d *torchfile.Dict, key string) float64 {
	v, _ := d.Get(key)
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return finite(v)
	}
	return 0
}
