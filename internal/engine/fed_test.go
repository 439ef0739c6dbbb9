package engine

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/engine/model"
	"adit/internal/subnet"
)

// titan is an engine without text of its own.
func titan() *Engine {
	return newEngine(func(o *Options) {
		o.Data = nil
		o.Config = model.Config{
			ModelType: model.Torchtitan, VocabSize: vocab, HiddenSize: 8, NumHiddenLayers: 1, NumAttentionHeads: 2, NumKeyValueHeads: 1,
			HeadDim: 4, IntermediateSize: 6, RMSNormEps: 1e-5, RopeTheta: 100, MaxPositionEmbeddings: 16, InitializerRange: 0.02,
			RoutedScalingFactor: 1, TieWordEmbeddings: true,
		}
	})
}

func sequence(first int32) subnet.Sequence {
	var s subnet.Sequence
	for i := range int32(6) {
		s.Tokens = append(s.Tokens, (first+i)%vocab)
		s.Targets = append(s.Targets, (first+i+1)%vocab)
	}
	return s
}

// TestParameters reads and writes what the model has: a new model's values are its
// seed's, and what is written is what is saved.
func TestParameters(t *testing.T) {
	e := titan()
	m, err := e.Fresh("seed")
	if err != nil {
		t.Fatal(err)
	}
	same, err := e.Fresh("seed")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range m.Params() {
		names = append(names, p.Name)
		x, y := make([]float32, p.Len()), make([]float32, p.Len())
		if err := errors.Join(m.Read(p.Name, x), same.Read(p.Name, y)); err != nil || !slices.Equal(x, y) {
			t.Errorf("%s differs: %v", p.Name, err)
		}
		for i := range x {
			x[i] = float32(i)
		}
		if err := m.Write(p.Name, x); err != nil {
			t.Fatal(err)
		}
		got, err := snapshot(t, m.(*loaded))[p.Name].Floats(nil)
		if err != nil || !slices.Equal(got, x) {
			t.Errorf("%s is saved as %v, want %v: %v", p.Name, got, x, err)
		}
	}
	want := strings.Fields(`tok_embeddings.weight
		layers.0.attention.wq.weight layers.0.attention.wk.weight layers.0.attention.wv.weight layers.0.attention.wo.weight
		layers.0.feed_forward.w1.weight layers.0.feed_forward.w2.weight layers.0.feed_forward.w3.weight
		layers.0.attention_norm.weight layers.0.ffn_norm.weight norm.weight`)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	m.Params()[0].Shape[0] = 99 // it is the caller's own
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{
		`read parameter: the model has no parameter "lm_head.weight"`: same.Read("lm_head.weight", nil),
		`read parameter: "norm.weight" has 8 numbers, not 7`:          same.Read("norm.weight", make([]float32, 7)),
		`write parameter: "norm.weight" has 8 numbers, not 9`:         same.Write("norm.weight", make([]float32, 9)),
		"read parameter: the model is closed":                         m.Read("norm.weight", make([]float32, 8)),
		"write parameter: the model is closed":                        m.Write("norm.weight", make([]float32, 8)),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestFed trains a model of torchtitan's on text that is given, apart and in steps,
// while another model of the engine is used.
func TestFed(t *testing.T) {
	e := titan()
	m, err := e.Fresh("seed")
	if err != nil {
		t.Fatal(err)
	}
	other, err := e.Fresh("other")
	if err != nil {
		t.Fatal(err)
	}
	given := subnet.Sample{Given: []subnet.Sequence{sequence(3), sequence(9)}}
	before, err := m.Loss(t.Context(), given)
	if err != nil || before.Tokens != 12 {
		t.Fatalf("%+v, %v", before, err)
	}
	left := 41
	opts := subnet.TrainOptions{
		Params: all, Beta1: 0.9, Beta2: 0.95, Rate: func(int) float64 { return 2e-2 },
		Feed: func(ctx context.Context) ([]subnet.Sequence, error) {
			if left--; left < 0 {
				return nil, io.EOF
			}
			_, err := other.Loss(ctx, given) // the device is free
			return []subnet.Sequence{sequence(int32(left)), sequence(int32(left + 5))}, err
		},
	}
	tr, err := m.Train(opts)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if _, err := tr.Accumulate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s, err := tr.Apply(t.Context(), 1); err != nil || s.Number != 2*n+1 || s.Tokens != 12 || s.LR != 2e-2 {
			t.Fatalf("%+v, %v", s, err)
		}
		if s, err := tr.Step(t.Context()); err != nil || s.Number != 2*n+2 {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	after, err := m.Loss(t.Context(), given)
	if err != nil || !(after.Mean < before.Mean-0.3) {
		t.Errorf("loss went from %v to %v: %v", before.Mean, after.Mean, err)
	}
	g := make([]float32, 8)
	if _, err := tr.Accumulate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := tr.Read(subnet.Gradient, "norm.weight", g); err != nil || slices.Max(g) == 0 {
		t.Errorf("gradient %v: %v", g, err)
	}
	tr.Clear()
	if err := tr.Read(subnet.Gradient, "norm.weight", g); err != nil || slices.Max(g) != 0 {
		t.Errorf("gradient after it was cleared %v: %v", g, err)
	}
	if err := tr.Write(subnet.Moment1, "norm.weight", g); err != nil {
		t.Error(err)
	}
	if _, err := tr.Step(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}

	// A model that is closed while its feed waits has nothing to train.
	opts.Feed = func(context.Context) ([]subnet.Sequence, error) {
		return []subnet.Sequence{sequence(1)}, m.Close()
	}
	if tr, err = m.Train(opts); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Step(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("closed meanwhile: %v", err)
	}
	if _, err := tr.Accumulate(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestWithoutText asks an engine for what it does not have.
func TestWithoutText(t *testing.T) {
	e := titan()
	m, err := e.Fresh("seed")
	if err != nil {
		t.Fatal(err)
	}
	_, train := m.Train(subnet.TrainOptions{Params: all, Batch: 1, LR: 1})
	_, loss := m.Loss(t.Context(), subnet.Sample{})
	_, genesis := e.Genesis(t.Context(), GenesisOptions{Steps: 1, Batch: 1, Groups: []subnet.Experts{nil}}, nil)
	for _, err := range []error{train, loss, genesis} {
		if !errors.Is(err, errNoText) {
			t.Errorf("%v, want %v", err, errNoText)
		}
	}
	if _, err := e.Encode("a"); err == nil || err.Error() != "encode a text: the engine has no tokenizer" {
		t.Errorf("encode: %v", err)
	}
	e = newEngine(func(o *Options) {
		o.Encode = func(text string) ([]int32, error) { return []int32{int32(len(text))}, nil }
	})
	if ids, err := e.Encode("four"); err != nil || !slices.Equal(ids, []int32{4}) {
		t.Errorf("encoded as %v: %v", ids, err)
	}
}
