package connito

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

func f32(v ...float32) tensor.Tensor { return tensor.FromFloats(tensor.F32, []int{len(v)}, v) }

// TestPseudoGradient checks the guards of section 8.10.
func TestPseudoGradient(t *testing.T) {
	nan := float32(math.NaN())
	global := tensor.Dict{"a": f32(1, 1), "b": f32(2)}
	for _, tt := range []struct {
		name   string
		miners []Shard
		want   Gradient
		in     []subnet.UID
	}{
		{"two", []Shard{{1, tensor.Dict{"a": f32(0, 1), "b": f32(2)}}, {2, tensor.Dict{"a": f32(0, 3), "b": f32(0)}}}, Gradient{"a": {1, -1}, "b": {1}}, []subnet.UID{1, 2}},
		{"what is missing stays", []Shard{{1, tensor.Dict{"a": f32(0, 1)}}}, Gradient{"a": {1, 0}, "b": {0}}, []subnet.UID{1}},
		{"a tensor with NaN is left out", []Shard{{1, tensor.Dict{"a": f32(nan, 1), "b": f32(0)}}}, Gradient{"b": {2}}, []subnet.UID{1}},
		{"all tensors with NaN", []Shard{{1, tensor.Dict{"a": f32(nan, 1), "b": f32(nan)}}}, Gradient{}, nil},
		// Ten tenths of the largest number, each rounded, are more than it.
		{"an overflow makes an end of all", slices.Repeat([]Shard{{1, tensor.Dict{"b": f32(-math.MaxFloat32)}}}, 10), Gradient{}, nil},
	} {
		got, in, err := pseudoGradient(global, tt.miners)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || !slices.Equal(in, tt.in) {
			t.Errorf("%s: of %v: %s", tt.name, in, diff)
		}
	}
	if _, _, err := pseudoGradient(global, []Shard{{1, tensor.Dict{"a": f32(1)}}}); err == nil {
		t.Error("a tensor of another size was taken")
	}
	if _, in, err := pseudoGradient(global, nil); err != nil || in != nil {
		t.Errorf("nobody: %v, %v", in, err)
	}
}

// TestAverageParts checks that the mean is the same to the bit in any order, and
// that no part can spoil it.
func TestAverageParts(t *testing.T) {
	size := map[string]int{"a": 50, "b": 3}
	rng := rand.New(rand.NewPCG(3, 4))
	var parts []Part
	for i := range 7 {
		g := Gradient{"a": make([]float32, 50)}
		for j := range g["a"] {
			g["a"][j] = float32(rng.NormFloat64() * math.Pow(10, float64(rng.IntN(12)-6)))
		}
		if i%2 == 0 {
			g["b"] = []float32{1, 2, float32(i)}
		}
		parts = append(parts, Part{subnet.Hotkey(rune('a' + i)), rng.Uint64N(1e15) + 1, g})
	}
	want, in := averageParts(parts, size, true)
	if len(in) != 7 {
		t.Fatalf("parts of %v, want 7", in)
	}
	for range 50 {
		rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		got, _ := averageParts(parts, size, true)
		if !cmp.Equal(got, want) {
			t.Fatal("the mean depends on the order of arrival")
		}
	}
	bad := append(slices.Clone(parts),
		Part{"nan", 1 << 60, Gradient{"a": slices.Repeat([]float32{float32(math.NaN())}, 50)}},
		Part{"size", 1 << 60, Gradient{"a": {1}}},
		Part{"name", 1 << 60, Gradient{"c": {1}}},
		Part{"twice", 1 << 60, Gradient{}}, Part{"twice", 1 << 60, Gradient{}},
		Part{"none", 0, Gradient{}})
	if got, in := averageParts(bad, size, true); !cmp.Equal(got, want) || len(in) != 7 {
		t.Errorf("parts of %v, want those of the seven good ones", in)
	}

	two := []Part{{"x", 3, Gradient{"b": {4, 0, 8}}}, {"y", 1, Gradient{"b": {0, 4, 8}}}}
	for byStake, want := range map[bool][]float32{true: {3, 1, 8}, false: {2, 2, 8}} {
		got, _ := averageParts(two, map[string]int{"b": 3}, byStake)
		if diff := cmp.Diff(want, got["b"]); diff != "" {
			t.Errorf("by stake %v: %s", byStake, diff)
		}
	}
	if got, in := averageParts(nil, size, false); len(got) != 0 || in != nil {
		t.Errorf("nobody: %v of %v", got, in)
	}
}

// TestApply checks that a step against a gradient is the step that the shards
// make, and that a tensor without a gradient moves by its velocity alone.
func TestApply(t *testing.T) {
	global := tensor.Dict{"a": f32(1, 2), "b": f32(3)}
	shard := tensor.Dict{"a": f32(0.5, 4), "b": f32(1)}
	one, two := Outer{LR: 0.7, Momentum: 0.9}, Outer{LR: 0.7, Momentum: 0.9}
	for range 3 {
		want, err := one.step(global, []tensor.Dict{shard})
		if err != nil {
			t.Fatal(err)
		}
		g, _, err := pseudoGradient(global, []Shard{{1, shard}})
		if err != nil {
			t.Fatal(err)
		}
		mean, _ := averageParts([]Part{{"me", 1, g}}, sizes(global), true)
		got, err := two.apply(global, mean)
		if err != nil || !cmp.Equal(got, want) {
			t.Fatalf("%v, %s", err, cmp.Diff(want, got))
		}
		global = want
	}
	o := Outer{LR: 1, Momentum: 0.5, Velocity: map[string][]float32{"b": {2}}}
	next, err := o.apply(tensor.Dict{"b": f32(3)}, nil)
	if err != nil || !cmp.Equal(next, tensor.Dict{"b": f32(2.5)}) { // v = 1; 3 - 0.5*1
		t.Errorf("%v, %v", next, err)
	}
	if _, err := o.apply(tensor.Dict{"b": f32(3)}, Gradient{"b": {1, 2}}); err == nil {
		t.Error("a gradient of another size was applied")
	}
}
