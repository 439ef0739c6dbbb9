package torchfile

import (
	"os"
	"testing"

	"adit/internal/tensor"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func recorded(t *testing.T, name string) *Dict {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := decodeBytes(b, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return v.(*Dict)
}

func floats(d tensor.DType, shape []int, vals ...float32) tensor.Tensor {
	return tensor.FromFloats(d, shape, vals)
}

// TestRecorded reads what PyTorch 1.13 wrote: views, tied storages, a module's
// state and all types of elements.
func TestRecorded(t *testing.T) {
	tied := floats(tensor.BF16, []int{4}, 1, 2, 3, 4)
	want := &Dict{Items: []Item{
		{"model_state_dict", &Dict{Ordered: true, Items: []Item{
			{"weight", floats(tensor.F32, []int{2, 3}, 0, 1, 2, 3, 4, 5)},
			{"bias", floats(tensor.F32, []int{2}, 0.5, -0.5)},
		}}},
		{"parameter", floats(tensor.F32, []int{1}, 1.5)},
		{"experts", &Dict{Ordered: true, Items: []Item{
			{"e2", floats(tensor.F16, []int{3, 2}, 12, 13, 14, 15, 16, 17)},
			{"e0", floats(tensor.F16, []int{3, 2}, 0, 1, 2, 3, 4, 5)},
		}}},
		{"transposed", floats(tensor.F16, []int{2, 3}, 6, 8, 10, 7, 9, 11)},
		{"columns", floats(tensor.F16, []int{4, 2}, 2, 3, 8, 9, 14, 15, 20, 21)},
		{"expanded", tensor.Tensor{DType: tensor.I16, Shape: []int{3}, Data: []byte{7, 0, 7, 0, 7, 0}}},
		{"tied", []any{tied, tied, floats(tensor.BF16, []int{2, 2}, 1, 2, 3, 4)}},
		{"scalar", floats(tensor.F64, nil, 2.5)},
		{"empty", tensor.Tensor{DType: tensor.I32, Shape: []int{0, 2}}},
		{"ints", Tuple{
			tensor.Tensor{DType: tensor.I64, Shape: []int{2}, Data: []byte{0, 0, 0, 0, 0, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255}},
			tensor.Tensor{DType: tensor.U8, Shape: []int{1}, Data: []byte{255}},
			tensor.Tensor{DType: tensor.I8, Shape: []int{1}, Data: []byte{255}},
			tensor.Tensor{DType: tensor.Bool, Shape: []int{2}, Data: []byte{1, 0}},
		}},
		{"plain", &Dict{Items: []Item{
			{int64(0), int64(1 << 40)}, {int64(1), int64(-1 << 31)}, {"f", 0.25}, {"none", nil},
			{"b", []any{true, false}}, {"betas", Tuple{0.9, 0.999}}, {"s", "größe"},
		}}},
	}}
	if diff := cmp.Diff(want, recorded(t, "torch-1.13.pt"), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// TestRecordedLater reads what PyTorch 2.15 wrote: tensors with attributes, of
// which there are three kinds, a shape and a type, and parts of a stack.
func TestRecordedLater(t *testing.T) {
	want := &Dict{Items: []Item{
		{"parameter", floats(tensor.F32, []int{2}, 1.5, -2)},
		{"marked", tensor.Tensor{DType: tensor.I16, Shape: []int{2, 2}, Data: []byte{1, 0, 2, 0, 3, 0, 4, 0}}},
		{"buffer", tensor.Tensor{DType: tensor.Bool, Shape: []int{2}, Data: []byte{1, 0}}},
		{"size", Tuple{int64(2), int64(3)}},
		{"quant_params", Tuple{floats(tensor.F32, nil, 0.5), 0.25, int64(128), floats(tensor.F32, []int{4}, 0, 1, 2, 3), tensor.F32}},
		{"experts", &Dict{Ordered: true, Items: []Item{
			{"e3", floats(tensor.BF16, []int{3, 2}, 18, 19, 20, 21, 22, 23)},
			{"e1", floats(tensor.BF16, []int{3, 2}, 6, 7, 8, 9, 10, 11)},
		}}},
		{"transposed", floats(tensor.BF16, []int{2, 3}, 12, 14, 16, 13, 15, 17)},
		{"grad", floats(tensor.F16, []int{2}, 1, 1)},
	}}
	got := recorded(t, "torch-2.15.pt")
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	// What is read can be written, and is the same then.
	again, err := decodeBytes(encode(t, got), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// TestRecordedOptimizer reads the state of PyTorch 1.13's AdamW after a step.
func TestRecordedOptimizer(t *testing.T) {
	v, _ := recorded(t, "adamw-1.13.pt").Get("optimizer_state_dict")
	state, _ := v.(*Dict).Get("state")
	first, ok := state.(*Dict).Items[0].Value.(*Dict)
	if !ok || state.(*Dict).Items[0].Key != int64(0) {
		t.Fatalf("state begins with %v", state.(*Dict).Items[0])
	}
	m, _ := first.Get("exp_avg")
	got, err := m.(tensor.Tensor).Floats(nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float32{0.1, 0.1}, got, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
		t.Error(diff)
	}
}
