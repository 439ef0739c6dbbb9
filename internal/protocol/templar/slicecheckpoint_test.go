package templar

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

func TestSliceCheckpoint(t *testing.T) {
	r := r2Rules()
	params := smallModel.HFParams()
	model, loaded := make(map[string][]float32), make(map[string][]float32)
	for i, p := range params {
		model[p.Name], loaded[p.Name] = make([]float32, p.Len()), make([]float32, p.Len())
		for j := range model[p.Name] {
			model[p.Name][j] = float32(i) + float32(j)/1000
		}
	}
	var b bytes.Buffer
	want := SliceCheckpoint{GlobalStep: 500, Block: 4612345, Scores: []float32{0, 1, 2}, Weights: []float32{0, 0.25, 0.75}}
	if err := r.EncodeSliceCheckpoint(&b, want, params, valuesOf(model)); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	got, err := OpenSliceCheckpoint(bytes.NewReader(data), int64(len(data)), 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	if got.GlobalStep != want.GlobalStep || got.Block != want.Block || !slices.Equal(got.Scores, want.Scores) || !slices.Equal(got.Weights, want.Weights) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if err := got.Load(params, valuesOf(loaded)); err != nil {
		t.Fatal(err)
	}
	for name, v := range model {
		if !slices.Equal(loaded[name], v) {
			t.Errorf("%s is another one", name)
		}
	}
	other := smallModel
	other.Hidden = 64
	if err := got.Load(other.HFParams(), valuesOf(loaded)); err == nil {
		t.Error("a model of another size was loaded")
	}
	if err := got.Load(smallModel.TitanParams(), valuesOf(loaded)); err == nil {
		t.Error("a model of other names was loaded")
	}
	if _, err := OpenSliceCheckpoint(bytes.NewReader(data), int64(len(data)), 1000); err == nil {
		t.Error("a file beyond the limit was read")
	}
	model["model.norm.weight"][3] = float32(math.NaN())
	b.Reset()
	if err := r.EncodeSliceCheckpoint(&b, SliceCheckpoint{}, params, valuesOf(model)); err != nil {
		t.Fatal(err)
	}
	bad, err := OpenSliceCheckpoint(bytes.NewReader(b.Bytes()), int64(b.Len()), 1<<24)
	if err != nil || bad.Scores != nil {
		t.Fatal(err, bad.Scores)
	}
	if err := bad.Load(params, valuesOf(loaded)); err == nil {
		t.Error("a NaN was loaded")
	}
	model["model.norm.weight"] = nil
	if err := r.EncodeSliceCheckpoint(&bytes.Buffer{}, want, params, valuesOf(model)); err == nil {
		t.Error("a parameter of no values was written")
	}
}

func FuzzSliceCheckpoint(f *testing.F) {
	params := Llama{Vocab: 4, Hidden: 4, Heads: 1, KVHeads: 1, FFN: 4, Tied: true}.HFParams()
	model := map[string][]float32{"model.embed_tokens.weight": make([]float32, 16), "model.norm.weight": make([]float32, 4)}
	var b bytes.Buffer
	if err := r2Rules().EncodeSliceCheckpoint(&b, SliceCheckpoint{Scores: []float32{1}}, params, valuesOf(model)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := OpenSliceCheckpoint(bytes.NewReader(data), int64(len(data)), 1<<20); err == nil {
			_ = c.Load(params, valuesOf(model))
		}
	})
}
