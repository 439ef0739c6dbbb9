package templar

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"adit/internal/compress"
)

func TestAheadOf(t *testing.T) {
	r := aditRules()
	l := Llama{Vocab: 32, Hidden: 16, Layers: 1, Heads: 4, KVHeads: 2, FFN: 24}
	tables := 0
	for _, p := range slices.Concat(l.TitanParams(), l.HFParams()) {
		want := r.Ahead
		if p.Shape[0] == l.Vocab {
			want, tables = r.AheadTables, tables+1
		}
		if got := r.AheadOf(p.Name); got != want {
			t.Errorf("%s: %v, want %v", p.Name, got, want)
		}
	}
	if tables != 4 {
		t.Errorf("%d tables, want the embedding and the head under both names", tables)
	}
	if sparseRules().goesAhead() || !r.goesAhead() {
		t.Error("ours alone goes ahead")
	}
}

// TestAhead lets one miner alone train and say what it can. With nothing forgotten,
// nobody else to hear of and all of what is unsaid taken along, it trains on where it
// stopped, however little it says, and what all have is its own less what is unsaid.
func TestAhead(t *testing.T) {
	rules, err := RulesByName("adit")
	if err != nil {
		t.Fatal(err)
	}
	rules.Ahead = 1
	rules.Sparse.MomentumDecay = 1
	rules.Sparse.TopKCompression = 4
	engine := new(toyEngine)
	model, err := engine.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := &sparseMiner{sparse: &sparse{neuron: &neuron{rules: rules}, model: model}}
	if m.layout, err = rules.layout(model.Params()); err != nil {
		t.Fatal(err)
	}
	m.params = m.layout.params()
	if err := m.prepare(); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	ended := make([][]float32, len(m.layout))
	for round := range 6 {
		if m.theta, err = m.snapshot(m.theta); err != nil {
			t.Fatal(err)
		}
		if err := m.goAhead(); err != nil {
			t.Fatal(err)
		}
		for i, p := range m.layout {
			now := make([]float32, p.Len())
			if err := model.Read(p.engine, now); err != nil {
				t.Fatal(err)
			}
			if ended[i] != nil && !allNear(now, ended[i]) {
				t.Fatalf("round %d: %s does not begin where it ended", round, p.Name)
			}
			for j := range now {
				now[j] += float32(rng.NormFloat64())
			}
			if err := model.Write(p.engine, now); err != nil {
				t.Fatal(err)
			}
			ended[i] = now
		}
		for i, p := range m.layout {
			k, err := m.kept(i)
			if err != nil {
				t.Fatal(err)
			}
			back := make([]float32, p.Len())
			if err := model.Read(p.engine, back); err != nil || !slices.Equal(back, m.theta[i]) {
				t.Fatalf("%s is not what all have after it was said: %v", p.Name, err)
			}
			part, err := compress.NewPacked(k.Grid, k.Keep, compress.PackIndices(nil, k.Index), slices.Clone(k.Code), k.Quant, 4)
			if err != nil {
				t.Fatal(err)
			}
			wire := make([]float32, p.Len())
			if err := part.Decode(wire); err != nil {
				t.Fatal(err)
			}
			step := make([]float32, p.Len())
			p.fromWire(step, wire)
			Descend(back, step, 1)
			if err := model.Write(p.engine, back); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func allNear(a, b []float32) bool {
	for i := range a {
		if math.Abs(float64(a[i]-b[i])) > 1e-4 {
			return false
		}
	}
	return true
}
