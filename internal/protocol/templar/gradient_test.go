package templar

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
	"adit/internal/torchfile"
)

// exampleGradient has a matrix of two chunks and a vector of one, two values of
// each.
func exampleGradient() Gradient {
	q := &Quant{Shift: 0.5125, Scale: 3.1692648, Offset: 2, Lookup: []float32{0, -3.5125, 0.0041666, 3.4875}}
	return Gradient{
		Window: 51803, Digest: strings.Repeat("0f", 16), Count: 30720, GlobalStep: 7,
		Params: []Compressed{
			{Name: "layers.0.attention.wq.weight", Idxs: []byte{0, 0xf0, 0xff, 1, 0, 0x80}, Shape: []int{2, 1, 2}, Vals: []byte{1, 2, 3, 0}, Quant: q},
			{Name: "norm.weight", Idxs: []byte{1, 0x20, 0}, Shape: []int{1, 2}, Vals: []byte{3, 3}, Quant: q},
		},
	}
}

func encoded(t testing.TB, g Gradient, wire func(string) string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := EncodeGradient(&b, g, wire); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGradientFile(t *testing.T) {
	floats := exampleGradient()
	floats.Params[1] = Compressed{Name: "norm.weight", Idxs: []byte{1, 0x20, 0}, Shape: []int{1, 2}, Floats: []float32{1.5, -2}}
	for name, g := range map[string]Gradient{"packed": exampleGradient(), "floats": floats, "dummy": {Window: 3, Dummy: true}, "message": {Window: 3, Message: []byte{1, 2, 3}}} {
		data := encoded(t, g, sparseRules().Sparse.WireName)
		got, err := DecodeGradient(bytes.NewReader(data), int64(len(data)), 1<<20)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(g, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if name == "packed" && !bytes.Contains(data, []byte("layers.0._orig_mod._checkpoint_wrapped_module.attention.wq.weightquant_params")) {
			t.Error("the names are not those of the wire")
		}
	}
}

// What torch.load(weights_only=True) takes: the instructions are compared in
// torchfile, of which this is the value.
func TestGradientLayout(t *testing.T) {
	data := encoded(t, exampleGradient(), func(s string) string { return s })
	v, err := torchfile.Decode(bytes.NewReader(data), int64(len(data)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	state, _ := v.(*torchfile.Dict).Get("state_dict")
	var keys []any
	for _, it := range state.(*torchfile.Dict).Items {
		keys = append(keys, it.Key)
	}
	want := []any{
		"layers.0.attention.wq.weightidxs", "layers.0.attention.wq.weightvals", "layers.0.attention.wq.weightquant_params",
		"norm.weightidxs", "norm.weightvals", "norm.weightquant_params", "metadata",
	}
	if d := cmp.Diff(want, keys); d != "" {
		t.Error(d)
	}
	for _, global := range []string{"ctorch\nfloat32\n", "ctorch\nByteStorage\n", "ctorch\nFloatStorage\n"} {
		if !bytes.Contains(data, []byte(global)) {
			t.Errorf("there is no %q in the pickle", global)
		}
	}
}

func TestGradientRefused(t *testing.T) {
	for name, change := range map[string]func(*Gradient){
		"bin beyond the table":  func(g *Gradient) { g.Params[0].Vals = []byte{1, 2, 4, 0} },
		"scale of nought":       func(g *Gradient) { g.Params[0].Quant.Scale = 0 },
		"scale of infinity":     func(g *Gradient) { g.Params[0].Quant.Scale = math.Inf(1) },
		"NaN in the table":      func(g *Gradient) { g.Params[0].Quant.Lookup[1] = float32(math.NaN()) },
		"NaN shift":             func(g *Gradient) { g.Params[0].Quant.Shift = float32(math.NaN()) },
		"middle of another":     func(g *Gradient) { g.Params[0].Quant.Offset = 3 },
		"too few indices":       func(g *Gradient) { g.Params[0].Idxs = g.Params[0].Idxs[:3] },
		"no values":             func(g *Gradient) { g.Params[1].Vals, g.Params[1].Idxs = nil, nil },
		"shape of others":       func(g *Gradient) { g.Params[1].Shape = []int{2, 2} },
		"shape of one":          func(g *Gradient) { g.Params[1].Shape = []int{2} },
		"shape with a nought":   func(g *Gradient) { g.Params[1].Shape = []int{0, 2} },
		"shape beyond all":      func(g *Gradient) { g.Params[1].Shape = []int{1 << 62, 4} },
		"floats that are not":   func(g *Gradient) { g.Params[1].Quant, g.Params[1].Floats = nil, []float32{1, float32(math.Inf(1))} },
		"an odd number":         func(g *Gradient) { g.Params[1].Vals, g.Params[1].Shape = []byte{1}, []int{1, 1} },
		"values and no indices": func(g *Gradient) { g.Params[1].Idxs = nil },
	} {
		g := exampleGradient()
		q := *g.Params[0].Quant
		q.Lookup = append([]float32(nil), q.Lookup...)
		g.Params[0].Quant = &q
		change(&g)
		if err := EncodeGradient(&bytes.Buffer{}, g, func(s string) string { return s }); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	good := encoded(t, exampleGradient(), func(s string) string { return s })
	if _, err := DecodeGradient(bytes.NewReader(good), int64(len(good)), int64(len(good))-1); err == nil {
		t.Error("a file beyond the limit was read")
	}
	// The same parameter under two names.
	g := exampleGradient()
	g.Params[1] = g.Params[0]
	g.Params[1].Name = "layers.0._orig_mod.attention.wq.weight"
	twice := encoded(t, g, func(s string) string { return s })
	if _, err := DecodeGradient(bytes.NewReader(twice), int64(len(twice)), 1<<20); err == nil {
		t.Error("a parameter was there twice")
	}
}

func FuzzGradient(f *testing.F) {
	f.Add(encoded(f, exampleGradient(), sparseRules().Sparse.WireName))
	var b bytes.Buffer
	if err := EncodeGathered(&b, exampleGathered(), sparseRules().Sparse.WireName); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(encoded(f, Gradient{Dummy: true}, func(s string) string { return s }))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := DecodeGradient(bytes.NewReader(data), int64(len(data)), 1<<20)
		if err == nil {
			for _, c := range g.Params {
				if err := c.check(); err != nil {
					t.Error(err)
				}
			}
		}
		if a, err := DecodeGathered(bytes.NewReader(data), int64(len(data)), 1<<20); err == nil && (len(a.Gradients) == 0 || len(a.Gradients) != len(a.UIDs)) {
			t.Errorf("%d gradients of %d uids", len(a.Gradients), len(a.UIDs))
		}
		_, _ = DecodeDebug(bytes.NewReader(data), int64(len(data)))
		_, _ = DecodeSlice(bytes.NewReader(data), int64(len(data)), 1<<20)
	})
}

func exampleGathered() Gathered {
	a, b := exampleGradient(), exampleGradient()
	b.Params[1] = Compressed{Name: "norm.weight", Idxs: []byte{1, 0x20, 0}, Shape: []int{1, 2}, Floats: []float32{1.5, -2}}
	return Gathered{
		GlobalStep: 12, UIDs: []subnet.UID{3, 8}, Skipped: []subnet.UID{5}, SuccessRate: 0.5,
		Gradients: []Gradient{{Params: a.Params}, {Params: b.Params}},
	}
}

func TestGatheredFile(t *testing.T) {
	want := exampleGathered()
	var b bytes.Buffer
	if err := EncodeGathered(&b, want, sparseRules().Sparse.WireName); err != nil {
		t.Fatal(err)
	}
	got, err := DecodeGathered(bytes.NewReader(b.Bytes()), int64(b.Len()), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for name, change := range map[string]func(*Gathered){
		"more uids":        func(a *Gathered) { a.UIDs = append(a.UIDs, 9) },
		"nobody":           func(a *Gathered) { a.UIDs, a.Gradients = nil, nil },
		"fewer parameters": func(a *Gathered) { a.Gradients[1].Params = a.Gradients[1].Params[:1] },
		"other parameters": func(a *Gathered) { a.Gradients[1].Params[1].Name = "other.weight" },
		"a bad parameter":  func(a *Gathered) { a.Gradients[1].Params[0].Vals = []byte{9, 9, 9, 9} },
	} {
		a := exampleGathered()
		if change(&a); EncodeGathered(&b, a, CanonicalName) == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestDebugFile(t *testing.T) {
	want := Debug{
		GlobalStep: 9, Values: []DebugValues{{"layers.1.ffn_norm.weight", [2]float32{1, -0.5}}},
		Peers: []subnet.UID{1, 2}, Skipped: []subnet.UID{},
		Fingerprint: &Fingerprint{Norm: 2.5, Elements: 12, Samples: []NamedNorm{{"norm.weight", 0.25}}},
	}
	var b bytes.Buffer
	if err := EncodeDebug(&b, want, sparseRules().Sparse.WireName); err != nil {
		t.Fatal(err)
	}
	got, err := DecodeDebug(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	values := []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	if two, ok := DebugOf(values, false); !ok || two != [2]float32{10, 11} {
		t.Error(two, ok)
	}
	if two, ok := DebugOf(values[:11], false); ok {
		t.Error(two)
	}
	if two, ok := DebugOf(values, true); !ok || two != [2]float32{0, 1} {
		t.Error(two, ok)
	}
}

func TestParameterNames(t *testing.T) {
	total := func(list []subnet.Param) (n int) {
		for _, p := range list {
			n += p.Len()
		}
		return n
	}
	if n := total(Model70B.TitanParams()); n != 70_599_843_840 {
		t.Errorf("%d parameters", n)
	}
	if a, b := total(Model70B.HFParams()), total(Model70B.TitanParams()); a != b {
		t.Errorf("%d parameters here and %d there", a, b)
	}
	h := sparseRules().Sparse
	for _, p := range Model70B.TitanParams() {
		hf, ok := HFName(p.Name)
		back, also := TitanName(hf)
		if !ok || !also || back != p.Name {
			t.Fatalf("%s is %s is %s", p.Name, hf, back)
		}
		if got := CanonicalName(h.WireName(p.Name)); got != p.Name {
			t.Fatalf("%s comes back as %s", p.Name, got)
		}
	}
	for titan, hf := range map[string]string{
		"layers.3.feed_forward.w2.weight": "model.layers.3.mlp.down_proj.weight",
		"layers.3.feed_forward.w3.weight": "model.layers.3.mlp.up_proj.weight",
		"tok_embeddings.weight":           "model.embed_tokens.weight",
	} {
		if got, _ := HFName(titan); got != hf {
			t.Errorf("%s is %s, want %s", titan, got, hf)
		}
	}
	if got := h.WireName("norm.weight"); got != "norm.weight" {
		t.Error(got)
	}
	h.Titan.Compile, h.Titan.Checkpointing.Mode = false, "none"
	if got := h.WireName("layers.1.ffn_norm.weight"); got != "layers.1.ffn_norm.weight" {
		t.Error(got)
	}
	for _, bad := range []string{"", "layers.x.ffn_norm.weight", "layers.1.other", "model.layers.1.mlp.up_proj.weight"} {
		if got, ok := HFName(bad); ok {
			t.Errorf("%s is %s", bad, got)
		}
	}
}
