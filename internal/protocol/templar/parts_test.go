package templar

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"adit/internal/compress"
	"adit/internal/subnet"
)

var smallModel = Llama{Vocab: 96, Hidden: 32, Layers: 1, Heads: 4, KVHeads: 4, FFN: 128, Tied: true}

// A miner's difference goes through compression, a file and the checks, and comes
// out as what compression itself says was sent.
func TestParts(t *testing.T) {
	r := sparseRules()
	params := append(smallModel.TitanParams(), subnet.Param{Name: "row.weight", Shape: []int{1, 64}})
	rng := rand.New(rand.NewPCG(1, 2))
	g := Gradient{Window: 3, Digest: "00", Count: 4}
	var want [][]float32
	for _, p := range params {
		delta := make([]float32, p.Len())
		for i := range delta {
			delta[i] = float32(rng.NormFloat64())
		}
		f, err := compress.NewFeedback(p.Shape, r.Encoding())
		if err != nil {
			t.Fatal(p.Name, err)
		}
		kept, err := f.Encode(delta)
		if err != nil {
			t.Fatal(p.Name, err)
		}
		g.Params = append(g.Params, Pack(p, kept))
		sent := make([]float32, kept.Grid.Len())
		kept.Grid.Cut(sent, delta)
		for i, v := range f.Rest() {
			sent[i] -= v
		}
		whole := make([]float32, len(sent))
		kept.Grid.Join(whole, sent)
		want = append(want, whole)
	}
	data := encoded(t, g, r.Sparse.WireName)
	limit, err := r.MaxGradient(params)
	if err != nil || int64(len(data)) > limit {
		t.Fatalf("a gradient of %d bytes, limit %d, %v", len(data), limit, err)
	}
	got, err := DecodeGradient(bytes.NewReader(data), int64(len(data)), limit)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := r.Parts(got, params)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range parts {
		have := make([]float32, params[i].Len())
		if err := p.Decode(have); err != nil {
			t.Fatal(err)
		}
		for j := range have {
			if d := have[j] - want[i][j]; d > 1e-5 || d < -1e-5 {
				t.Fatalf("%s[%d] = %v, want %v", params[i].Name, j, have[j], want[i][j])
			}
		}
	}
	for name, change := range map[string]func(*Gradient){
		"one is missing":     func(g *Gradient) { g.Params = g.Params[1:] },
		"chunks of another":  func(g *Gradient) { g.Params[0].Shape = []int{1, 1, 1} },
		"the same twice":     func(g *Gradient) { p := &g.Params[0]; p.Idxs = slices.Repeat(p.Idxs[:3], len(p.Idxs)/3) },
		"beyond the chunk":   func(g *Gradient) { p := &g.Params[0]; p.Idxs[0], p.Idxs[1] = 0xff, 0xff },
		"another quantiser":  func(g *Gradient) { p := &g.Params[0]; q := *p.Quant; q.Lookup = make([]float32, 8); p.Quant = &q },
		"without quantising": func(g *Gradient) { p := &g.Params[0]; p.Quant, p.Floats = nil, make([]float32, len(p.Vals)) },
	} {
		bad := g
		bad.Params = slices.Clone(g.Params)
		bad.Params[0].Idxs = slices.Clone(g.Params[0].Idxs)
		change(&bad)
		if _, err := r.Parts(bad, params); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// A gradient of 70 billion parameters has 1,104,420,864 values.
func TestMaxGradient(t *testing.T) {
	r := sparseRules()
	params := Model70B.TitanParams()
	kept := 0
	for _, p := range params {
		grid, keep, err := gridOf(p, 64)
		if err != nil {
			t.Fatal(err)
		}
		kept += grid.Chunks() * keep
	}
	if kept != 1_104_420_864 {
		t.Errorf("%d values", kept)
	}
	if n, err := r.MaxGradient(params); err != nil || n < int64(kept)*5/2 || n > int64(kept)*5/2+8<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := r.MaxGradient([]subnet.Param{{Name: "a", Shape: []int{2, 2, 2, 2}}}); err == nil {
		t.Error("a tensor of four dimensions")
	}
}

func TestEncoding(t *testing.T) {
	early := sparse213Rules()
	early.Sparse.OuterLearningRate = 0.7
	if got, want := early.Encoding(), (compress.Rule{Decay: 0.95, Gain: 0.7, Keep: 64, Bins: 4}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := sparseRules().Encoding(), (compress.Rule{Decay: 0.95, Gain: 1, Keep: 64, Bins: 4}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
