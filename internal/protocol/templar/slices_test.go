package templar

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"testing"

	"adit/internal/subnet"
)

// model12B is the model of the slices: 1,204,881,408 parameters.
var model12B = slicesRules().Slice.Model(32_000)

// indicesHash is the sha256 of all indices as little-endian numbers of 64 bits.
func indicesHash(x Indices) string {
	h := sha256.New()
	buf := make([]byte, 0, 1<<16)
	for _, p := range x {
		for _, at := range p.At {
			if buf = binary.LittleEndian.AppendUint64(buf, uint64(at)); len(buf) > 1<<16-8 {
				h.Write(buf)
				buf = buf[:0]
			}
		}
	}
	h.Write(buf)
	return hex.EncodeToString(h.Sum(nil))
}

func TestIndices(t *testing.T) {
	toy := Llama{Vocab: 64, Hidden: 16, Layers: 2, Heads: 1, KVHeads: 1, FFN: 32}
	for _, tt := range []struct {
		name        string
		model       Llama
		window      Window
		compression int
		params, n   int
		hash        string
		heavy       bool
	}{
		{"toy", toy, 0, 10, 7248, 715, "76b2625dbdd5a1c60e549b65eaa4dc93b35ae69345483605bacdf01fcdeec0f4", false},
		{"toy", toy, 7, 10, 7248, 715, "c36319647c7fe14552cabd7791ef1915c78e24c9f7350e31709421adc230ccd4", false},
		{"1.2B", model12B, 1400000, 100, 1_204_881_408, 12_048_788, "738bcaf266d1ce5efd88c844dbc70c1c62587165ca1adc969e6035c44000ec03", false},
		{"1.2B", model12B, 1400001, 100, 1_204_881_408, 12_048_788, "3470cc0f83f6864c1b2784f7a65029ab3c09930cd338b074d3b0d0b0da2ecbf4", true},
	} {
		if tt.heavy && testing.Short() {
			continue
		}
		params := tt.model.HFParams()
		total := 0
		for _, p := range params {
			total += p.Len()
		}
		x, err := DrawIndices(tt.window, params, tt.compression)
		if err != nil {
			t.Fatal(err)
		}
		if total != tt.params || x.Len() != tt.n {
			t.Errorf("%s: %d parameters and %d indices, want %d and %d", tt.name, total, x.Len(), tt.params, tt.n)
		}
		if got := indicesHash(x); got != tt.hash {
			t.Errorf("%s, window %d: hash %s, want %s", tt.name, tt.window, got, tt.hash)
		}
		if tt.window != 1400000 {
			continue
		}
		for _, first := range []struct {
			name string
			want []uint32
		}{
			{"model.embed_tokens.weight", []uint32{49049140, 7199582, 15467055}},
			{"model.layers.0.self_attn.q_proj.weight", []uint32{782712, 2747281, 3639099}},
			{"model.norm.weight", []uint32{530, 1648, 372}},
		} {
			i := slices.IndexFunc(x, func(p SliceIndices) bool { return p.Name == first.name })
			if got := x[i].At[:3]; !slices.Equal(got, first.want) {
				t.Errorf("%s begins with %v, want %v", first.name, got, first.want)
			}
		}
	}
}

func TestIndicesRefuse(t *testing.T) {
	good := []subnet.Param{{Name: "a", Shape: []int{3}}}
	if _, err := DrawIndices(1, good, 0); err == nil {
		t.Error("a compression of nought was taken")
	}
	if _, err := DrawIndices(1, []subnet.Param{{Name: "a", Shape: []int{0}}}, 100); err == nil {
		t.Error("an empty parameter was taken")
	}
	if x, err := DrawIndices(1, good, 100); err != nil || x.Len() != 1 {
		t.Errorf("of a small parameter %v was drawn, %v", x, err)
	}
}

var twoParams = Indices{{"a", []uint32{2, 0}}, {"b", []uint32{1}}}

func valuesOf(m map[string][]float32) func(string) []float32 {
	return func(name string) []float32 { return m[name] }
}

func TestOverwriteWithMean(t *testing.T) {
	m := NewSliceMerge(twoParams, false)
	for _, f := range [][]SliceValues{
		{{"a", []float32{1, 2}}, {"b", []float32{10}}},
		{{"a", []float32{3, 6}}, {"other", []float32{9, 9, 9}}}, // lacks b
	} {
		if err := m.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	model := map[string][]float32{"a": {7, 7, 7}, "b": {8, 8}}
	if err := m.Apply(valuesOf(model)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(model["a"], []float32{4, 7, 2}) || !slices.Equal(model["b"], []float32{8, 10}) {
		t.Errorf("merged to %v", model)
	}
}

func TestEqualNorms(t *testing.T) {
	// Norms 5, 10 and 20: the lower median of two is the smaller one.
	for _, tt := range []struct {
		files [][]float32
		want  []float32
	}{
		{[][]float32{{3, 4}}, []float32{3, 4}},
		{[][]float32{{3, 4}, {6, 8}}, []float32{3, 4}},
		{[][]float32{{5, 0}, {0, 10}, {0, 20}}, []float32{10. / 3, 20. / 3}},
	} {
		m := NewSliceMerge(Indices{{"a", []uint32{0, 1}}}, true)
		for _, f := range tt.files {
			if err := m.Add([]SliceValues{{"a", f}}); err != nil {
				t.Fatal(err)
			}
		}
		got := []float32{0, 0}
		if err := m.Apply(func(string) []float32 { return got }); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if math.Abs(float64(got[i]-tt.want[i])) > 1e-6 {
				t.Errorf("merge of %v = %v, want %v", tt.files, got, tt.want)
			}
		}
	}
}

func TestSliceRefused(t *testing.T) {
	nan := float32(math.NaN())
	m := NewSliceMerge(twoParams, false)
	for name, f := range map[string][]SliceValues{
		"length": {{"b", []float32{1}}, {"a", []float32{1}}},
		"NaN":    {{"b", []float32{1}}, {"a", []float32{1, nan}}},
		"Inf":    {{"a", []float32{float32(math.Inf(-1)), 1}}},
		"twice":  {{"b", []float32{1}}, {"b", []float32{1}}},
		"none":   {{"c", []float32{1}}},
	} {
		if err := m.Add(f); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	model := map[string][]float32{"a": {7, 7, 7}, "b": {8, 8}}
	if err := m.Apply(valuesOf(model)); err != nil || m.Files() != 0 || model["b"][1] != 8 {
		t.Errorf("what was refused left traces: %v, %v", model, err)
	}
}

func TestTakeAndFile(t *testing.T) {
	model := map[string][]float32{"a": {1, 2, 3}, "b": {4, 5}}
	values, err := twoParams.Take(valuesOf(model))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(values[0].Values, []float32{3, 1}) {
		t.Errorf("took %v", values)
	}
	for _, f := range []SliceFile{
		{Values: values},
		{Values: values, HasStep: true, GlobalStep: 12, Metric: &SliceMetric{BatchSize: 6, Loss: 2.5, SampleRate: 0.9}},
	} {
		var b bytes.Buffer
		if err := EncodeSlice(&b, f); err != nil {
			t.Fatal(err)
		}
		got, err := DecodeSlice(bytes.NewReader(b.Bytes()), int64(b.Len()), twoParams.MaxBytes())
		if err != nil {
			t.Fatal(err)
		}
		if got.HasStep != f.HasStep || got.GlobalStep != f.GlobalStep || (got.Metric == nil) != (f.Metric == nil) || got.Metric != nil && *got.Metric != *f.Metric {
			t.Errorf("read back %+v, want %+v", got, f)
		}
		for i, p := range got.Values {
			if p.Name != f.Values[i].Name || !slices.Equal(p.Values, f.Values[i].Values) {
				t.Errorf("read back %v, want %v", got.Values, f.Values)
			}
		}
		if _, err := DecodeSlice(bytes.NewReader(b.Bytes()), int64(b.Len()), int64(b.Len())-1); err == nil {
			t.Error("a file beyond the limit was read")
		}
	}
	if _, err := twoParams.Take(func(string) []float32 { return nil }); err == nil {
		t.Error("took values that are not there")
	}
}

func TestCoverage(t *testing.T) {
	if got := Coverage(100, 10); math.Abs(got-0.0956) > 1e-4 {
		t.Errorf("coverage of 10 windows = %v", got)
	}
	if got := Coverage(100, 460); got < 0.99 || Coverage(100, 455) > 0.99 {
		t.Errorf("coverage of 460 windows = %v", got)
	}
}

func BenchmarkIndices(b *testing.B) {
	params := model12B.HFParams()
	for b.Loop() {
		if _, err := DrawIndices(1400000, params, 100); err != nil {
			b.Fatal(err)
		}
	}
}
