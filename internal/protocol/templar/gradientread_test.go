package templar

import (
	"bytes"
	"testing"

	"adit/internal/tensor"
	"adit/internal/torchfile"
)

// What others have written may be anything that a pickle can say.
func TestForeignFiles(t *testing.T) {
	type m = map[string]any
	row := func(n int) tensor.Tensor {
		return tensor.Tensor{DType: tensor.U8, Shape: []int{n}, Data: make([]byte, n)}
	}
	f32 := func(v ...float32) tensor.Tensor { return tensor.FromFloats(tensor.F32, []int{len(v)}, v) }
	vals := tensor.Tensor{DType: tensor.U8, Shape: []int{1, 2}, Data: []byte{1, 2}}
	quant := torchfile.Tuple{f32(1), 0.5, int64(2), f32(1, 2, 3, 4), tensor.F32}
	state := func(s any) m { return m{"state_dict": s, "global_step": int64(1)} }

	decoders := map[string]func(b []byte) error{
		"gradient": func(b []byte) error {
			_, err := DecodeGradient(bytes.NewReader(b), int64(len(b)), 1<<20)
			return err
		},
		"debug": func(b []byte) error { _, err := DecodeDebug(bytes.NewReader(b), int64(len(b))); return err },
		"gathered": func(b []byte) error {
			_, err := DecodeGathered(bytes.NewReader(b), int64(len(b)), 1<<20)
			return err
		},
		"slice": func(b []byte) error {
			_, err := DecodeSlice(bytes.NewReader(b), int64(len(b)), 1<<20)
			return err
		},
		"checkpoint": func(b []byte) error {
			_, err := OpenSliceCheckpoint(bytes.NewReader(b), int64(len(b)), 1<<20)
			return err
		},
	}
	for _, tt := range []struct {
		decoder, name string
		value         any
		ok            bool
	}{
		{"gradient", "whole", state(m{"aidxs": row(3), "avals": vals, "aquant_params": quant, "metadata": m{"window": int64(1)}, "later": "x"}), true},
		{"gradient", "scalars as tensors", state(m{"aidxs": row(3), "avals": vals, "aquant_params": torchfile.Tuple{1.0, f32(0.5), int64(2), f32(1, 2, 3, 4), tensor.BF16}}), true},
		{"gradient", "no quantiser", state(m{"aidxs": row(3), "avals": tensor.FromFloats(tensor.BF16, []int{1, 2}, []float32{1, 2}), "aquant_params": nil}), true},
		{"gradient", "a list", []any{}, false},
		{"gradient", "no state", m{"global_step": int64(1)}, false},
		{"gradient", "no step", m{"state_dict": m{}}, false},
		{"gradient", "a step below nought", m{"state_dict": m{}, "global_step": int64(-1)}, false},
		{"gradient", "a key that is a number", state(&torchfile.Dict{Items: []torchfile.Item{{Key: int64(1), Value: nil}}}), false},
		{"gradient", "indices of another type", state(m{"aidxs": f32(1, 2, 3), "avals": vals, "aquant_params": quant}), false},
		{"gradient", "indices in rows", state(m{"aidxs": vals, "avals": vals, "aquant_params": quant}), false},
		{"gradient", "indices that are text", state(m{"aidxs": "abc", "avals": vals, "aquant_params": quant}), false},
		{"gradient", "values of another type", state(m{"aidxs": row(3), "avals": tensor.Tensor{DType: tensor.I64, Shape: []int{1, 2}, Data: make([]byte, 16)}}), false},
		{"gradient", "no indices", state(m{"avals": vals, "aquant_params": quant}), false},
		{"gradient", "no values", state(m{"aidxs": row(3), "aquant_params": quant}), false},
		{"gradient", "bytes without a quantiser", state(m{"aidxs": row(3), "avals": vals}), false},
		{"gradient", "a quantiser of four", state(m{"aidxs": row(3), "avals": vals, "aquant_params": quant[:4]}), false},
		{"gradient", "a quantiser of text", state(m{"aidxs": row(3), "avals": vals, "aquant_params": torchfile.Tuple{"", "", "", "", ""}}), false},
		{"gradient", "a quantiser without a type", state(m{"aidxs": row(3), "avals": vals, "aquant_params": torchfile.Tuple{f32(1), 0.5, int64(2), f32(1, 2, 3, 4), "f"}}), false},
		{"gradient", "too many bins", state(m{"aidxs": row(3), "avals": vals, "aquant_params": torchfile.Tuple{f32(1), 0.5, int64(128), f32(make([]float32, 257)...), tensor.F32}}), false},
		{"gradient", "a message that is text", state(m{"message": "x"}), false},
		{"gradient", "metadata that is text", state(m{"metadata": "x"}), false},
		{"gradient", "metadata without a window", state(m{"metadata": m{}}), false},
		{"gradient", "a window below nought", state(m{"metadata": m{"window": int64(-1)}}), false},
		{"gradient", "a digest that is none", state(m{"metadata": m{"window": int64(1), "sample_digest": int64(1)}}), false},
		{"gradient", "a count that is none", state(m{"metadata": m{"window": int64(1), "sample_count": -1}}), false},

		{"debug", "whole", state(m{"a_debug": []any{1.0, int64(2)}, "b_debug": f32(1, 2), "successful_peers": []any{int64(1)}, "skipped_peers": []any{}, "gradient_fingerprint": nil}), true},
		{"debug", "three values", state(m{"a_debug": []any{1.0, 2.0, 3.0}}), false},
		{"debug", "values that are text", state(m{"a_debug": []any{"", ""}}), false},
		{"debug", "values that are one", state(m{"a_debug": 1.0}), false},
		{"debug", "a uid that is none", state(m{"successful_peers": []any{int64(1 << 16)}}), false},
		{"debug", "uids that are none", state(m{"skipped_peers": int64(1)}), false},

		{"gathered", "whole", state(m{"uids": []any{int64(3)}, "state_dict": m{"aidxs": []any{row(3)}, "avals": []any{vals}, "aquant_params": []any{quant}}}), true},
		{"gathered", "nobody", state(m{"uids": []any{}, "state_dict": m{}}), false},
		{"gathered", "no gradients", state(m{"uids": []any{int64(3)}}), false},
		{"gathered", "no uids", state(m{"state_dict": m{}}), false},
		{"gathered", "too short a list", state(m{"uids": []any{int64(3), int64(4)}, "state_dict": m{"aidxs": []any{row(3)}}}), false},
		{"gathered", "no list", state(m{"uids": []any{int64(3)}, "state_dict": m{"aidxs": row(3)}}), false},
		{"gathered", "half a parameter", state(m{"uids": []any{int64(3)}, "state_dict": m{"aidxs": []any{row(3)}}}), false},
		{"gathered", "skipped that are none", state(m{"uids": []any{int64(3)}, "skipped_uids": "x", "state_dict": m{}}), false},

		{"slice", "whole", m{"a": f32(1, 2), "global_step": int64(1), "slice_metric": m{"loss": 1.5}, "other": true}, true},
		{"slice", "a list", []any{}, false},
		{"slice", "a matrix", m{"a": tensor.FromFloats(tensor.F32, []int{1, 2}, []float32{1, 2})}, false},
		{"slice", "halves", m{"a": tensor.FromFloats(tensor.F16, []int{2}, []float32{1, 2})}, false},
		{"slice", "a key that is a number", &torchfile.Dict{Items: []torchfile.Item{{Key: int64(1), Value: f32(1)}}}, false},

		{"checkpoint", "whole", m{"global_step": int64(1), "model_state_dict": m{"a": f32(1)}}, true},
		{"checkpoint", "a list", []any{}, false},
		{"checkpoint", "no step", m{"model_state_dict": m{}}, false},
		{"checkpoint", "no model", m{"global_step": int64(1)}, false},
		{"checkpoint", "a block that is text", m{"global_step": int64(1), "block_number": "x", "model_state_dict": m{}}, false},
		{"checkpoint", "a model of text", m{"global_step": int64(1), "model_state_dict": m{"a": "x"}}, false},
		{"checkpoint", "a model of numbers", m{"global_step": int64(1), "model_state_dict": m{"a": row(3)}}, false},
	} {
		var b bytes.Buffer
		if err := torchfile.Encode(&b, tt.value); err != nil {
			t.Fatalf("%s, %s: %v", tt.decoder, tt.name, err)
		}
		if err := decoders[tt.decoder](b.Bytes()); (err == nil) != tt.ok {
			t.Errorf("%s, %s: %v", tt.decoder, tt.name, err)
		}
	}
}
