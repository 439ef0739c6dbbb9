package templar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"adit/internal/subnet"
	"adit/internal/tensor"
	"adit/internal/torchfile"
)

// A SliceCheckpoint is what a neuron of r2 saves of itself, for others to begin
// with: neuron_checkpoint_….pth.
type SliceCheckpoint struct {
	GlobalStep int64
	Block      subnet.Block
	// Scores and Weights are those of a validator, by uid; nil of a miner.
	Scores, Weights []float32

	views map[string]*torchfile.View
	file  io.ReaderAt
}

// EncodeSliceCheckpoint writes a checkpoint as torch.save would: values returns a
// parameter, flattened, when it is its turn to be written.
//
// The optimizer and the schedule are there in name, at the step and the rate that
// they have, so that upstream's loader takes them; its moments are left out, as if
// it had not taken a step yet.
func (r Rules) EncodeSliceCheckpoint(w io.Writer, c SliceCheckpoint, params []subnet.Param, values func(name string) []float32) error {
	model := &torchfile.Dict{Ordered: true}
	numbers := make([]any, len(params))
	for i, p := range params {
		numbers[i] = int64(i)
		model.Items = append(model.Items, torchfile.Item{Key: p.Name, Value: torchfile.Source{DType: tensor.F32, Shape: p.Shape, Read: func() ([]byte, error) {
			v := values(p.Name)
			if len(v) != p.Len() {
				return nil, fmt.Errorf("checkpoint: %s has %d values, want %d", p.Name, len(v), p.Len())
			}
			return tensor.FromFloats(tensor.F32, p.Shape, v).Data, nil
		}}})
	}
	h, rate := r.Slice, r.Rate(c.GlobalStep)
	group := map[string]any{
		"lr": rate, "initial_lr": h.LearningRate, "betas": torchfile.Tuple{h.Beta1, h.Beta2}, "eps": 1e-8, "weight_decay": h.WeightDecay,
		"amsgrad": false, "foreach": true, "maximize": false, "capturable": false, "differentiable": false, "fused": nil, "params": numbers,
	}
	top := &torchfile.Dict{Items: []torchfile.Item{
		{Key: stepKey, Value: c.GlobalStep},
		{Key: modelKey, Value: model},
		{Key: "optimizer_state_dict", Value: map[string]any{"state": &torchfile.Dict{}, "param_groups": []any{group}}},
		{Key: "scheduler_state_dict", Value: map[string]any{
			"base_lrs": []any{h.LearningRate}, "last_epoch": c.GlobalStep, "_step_count": c.GlobalStep + 1,
			"_get_lr_called_within_step": false, "_last_lr": []any{rate}, "lr_lambdas": []any{nil},
		}},
		{Key: blockKey, Value: int64(c.Block)},
	}}
	for _, v := range []struct {
		key    string
		values []float32
	}{{scoresKey, c.Scores}, {weightsKey, c.Weights}} {
		if v.values != nil {
			top.Items = append(top.Items, torchfile.Item{Key: v.key, Value: tensor.FromFloats(tensor.F32, []int{len(v.values)}, v.values)})
		}
	}
	return torchfile.Encode(w, top)
}

const (
	modelKey   = "model_state_dict"
	blockKey   = "block_number"
	scoresKey  = "scores"
	weightsKey = "weights"
)

// OpenSliceCheckpoint reads what a checkpoint of at most limit bytes holds, but not
// the model yet: that is [SliceCheckpoint.Load], of the same file.
func OpenSliceCheckpoint(r io.ReaderAt, size, limit int64) (SliceCheckpoint, error) {
	c, err := openSliceCheckpoint(r, size, limit)
	if err != nil {
		return SliceCheckpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	return c, nil
}

func openSliceCheckpoint(r io.ReaderAt, size, limit int64) (c SliceCheckpoint, err error) {
	v, err := torchfile.Index(r, size, limit)
	if err != nil {
		return c, err
	}
	top, ok := v.(*torchfile.Dict)
	if !ok {
		return c, errors.New("it is no dict")
	}
	step, _ := top.Get(stepKey)
	block, _ := top.Get(blockKey)
	model, _ := top.Get(modelKey)
	var b int64
	if c.GlobalStep, ok = step.(int64); !ok || c.GlobalStep < 0 {
		return c, errors.New("it has no global_step")
	}
	if b, ok = block.(int64); block != nil && (!ok || b < 0) {
		return c, errors.New("its block_number is no number")
	}
	c.Block, c.file = subnet.Block(b), r
	dict, ok := model.(*torchfile.Dict)
	if !ok {
		return c, errors.New("it has no model_state_dict")
	}
	c.views = make(map[string]*torchfile.View, len(dict.Items))
	for _, it := range dict.Items {
		name, ok := it.Key.(string)
		view, also := it.Value.(*torchfile.View)
		if !ok || !also || !view.DType.Float() {
			return c, fmt.Errorf("%.120v of the model is no tensor of floats", it.Key)
		}
		c.views[name] = view
	}
	for key, dst := range map[string]*[]float32{scoresKey: &c.Scores, weightsKey: &c.Weights} {
		v, _ := top.Get(key)
		if view, ok := v.(*torchfile.View); ok && view.DType.Float() && view.Size() <= 8*maxUIDs {
			if *dst, err = readView(view, r); err != nil {
				return c, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return c, nil
}

// Load reads the model into a node's own memory, which values returns. Nothing is
// written before all parameters are known to be there in their shapes; a value that
// is not finite is an error in the middle of it.
func (c SliceCheckpoint) Load(params []subnet.Param, values func(name string) []float32) error {
	for _, p := range params {
		view := c.views[p.Name]
		if view == nil || !slices.Equal(view.Shape, p.Shape) {
			return fmt.Errorf("checkpoint has no %s of shape %v", p.Name, p.Shape)
		}
		if n := len(values(p.Name)); n != p.Len() {
			return fmt.Errorf("checkpoint has %d values of %s, the model %d", p.Len(), p.Name, n)
		}
	}
	for _, p := range params {
		got, err := readView(c.views[p.Name], c.file)
		if err != nil {
			return fmt.Errorf("checkpoint: %s: %w", p.Name, err)
		}
		copy(values(p.Name), got)
	}
	return nil
}

func readView(v *torchfile.View, r io.ReaderAt) ([]float32, error) {
	b := bytes.NewBuffer(make([]byte, 0, v.Size()))
	if err := v.Copy(b, r, make([]byte, min(v.Size(), 1<<20))); err != nil {
		return nil, err
	}
	t := tensor.Tensor{DType: v.DType, Shape: v.Shape, Data: b.Bytes()}
	if !t.Finite() {
		return nil, errors.New("a value that is not finite")
	}
	return t.Floats(nil)
}
