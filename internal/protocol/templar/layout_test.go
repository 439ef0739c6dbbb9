package templar

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"adit/internal/subnet"
)

func TestOnWire(t *testing.T) {
	t.Parallel()
	r := sparseRules()
	r.Sparse.ModelSize, r.Sparse.NumAttentionHeads, r.Sparse.NumKeyValueHeads = "toy", 2, 1
	l := Llama{Vocab: 3, Hidden: 8, Layers: 2, Heads: 2, KVHeads: 1, FFN: 4, Tied: true}
	engine := map[string][]float32{}
	for i, p := range l.HFParams() {
		for j := range p.Len() {
			engine[p.Name] = append(engine[p.Name], float32(1000*i+j))
		}
	}
	read := func(name string, dst []float32) error { copy(dst, engine[name]); return nil }
	var names []string
	err := r.OnWire(l.HFParams(), read, func(p subnet.Param, got []float32) error {
		names = append(names, p.Name)
		hf, _ := HFName(p.Name)
		want := engine[hf]
		if strings.HasSuffix(p.Name, "attention.wq.weight") || strings.HasSuffix(p.Name, "attention.wk.weight") {
			var turned []float32 // the rows of each head are 0, 2, 1, 3
			for head := range slices.Chunk(want, 4*8) {
				turned = slices.Concat(turned, head[:8], head[16:24], head[8:16], head[24:])
			}
			want = turned
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s is %v, want %v", p.Name, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range l.TitanParams() {
		want = append(want, p.Name)
	}
	if !slices.Equal(names, want) {
		t.Errorf("the parameters are %v, want %v", names, want)
	}
	stop := errors.New("stop")
	if err := r.OnWire(l.HFParams(), func(string, []float32) error { return stop }, nil); !errors.Is(err, stop) {
		t.Errorf("an engine that cannot be read gives %v", err)
	}
}

func TestDescend(t *testing.T) {
	t.Parallel()
	theta := []float32{1, -2, 3}
	Descend(theta, []float32{0.5, 0, -1}, 0.4)
	if !slices.Equal(theta, []float32{0.8, -2, 3.4}) {
		t.Errorf("θ is %v", theta)
	}
}
