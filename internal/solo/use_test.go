package solo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/engine/device"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/sample"
)

// TestEvaluates measures a model in several ways that must not matter.
func TestEvaluates(t *testing.T) {
	t.Parallel()
	out, text := trained(t)
	o := EvalOptions{Model: out, Data: Data{Paths: []string{text}}, SeqLen: 16, Batch: 8, Sequences: 20, Each: true, Threads: 1}
	want, err := Evaluate(t.Context(), o, &recorder{})
	if err != nil {
		t.Fatal(err)
	}
	if want.Sequences != 20 || want.Tokens != 320 || len(want.Each) != 20 || want.Bad != 0 || !(want.Loss > 0 && want.Loss < 5.7) || !(want.Perplexity > 1) {
		t.Errorf("evaluated %+v", want)
	}
	for _, change := range []func(*EvalOptions){
		func(o *EvalOptions) { o.Threads = 2 },
		func(o *EvalOptions) { o.Batch = 3 },
		func(o *EvalOptions) { o.Data.Cache = t.TempDir() },
	} {
		o := o
		change(&o)
		got, err := Evaluate(t.Context(), o, &recorder{})
		got.Seconds, got.TokensPer = want.Seconds, want.TokensPer
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%+v: %v\n%s", o, err, diff)
		}
	}
	o.Sequences, o.Each = 0, false
	all, err := Evaluate(t.Context(), o, &recorder{})
	if err != nil || all.Sequences <= 20 || all.Each != nil {
		t.Errorf("all of it: %+v, %v", all, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Evaluate(ctx, o, &recorder{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// generate returns what came, and what was given out on the way.
func generate(t *testing.T, o GenerateOptions) (Generated, []Piece) {
	t.Helper()
	var pieces []Piece
	g, err := Generate(t.Context(), o, &recorder{}, func(p Piece) error { pieces = append(pieces, p); return nil })
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, p := range pieces {
		text += p.Text
	}
	if text != g.Text || g.Tokens < 1 {
		t.Errorf("%+v came as %+v", g, pieces)
	}
	return g, pieces
}

// TestGenerates chooses the most likely token with the memory of what went before,
// and without it by a pass over everything each time.
func TestGenerates(t *testing.T) {
	t.Parallel()
	out, _ := trained(t)
	zero := 0.0
	o := GenerateOptions{Model: out, Prompt: "the miner digs", MaxTokens: 12, Temperature: &zero, Threads: 1}
	g, pieces := generate(t, o)

	src, err := openSource(out, true)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	tok, err := loadTokenizer(src.tokenizer, 300)
	if err != nil {
		t.Fatal(err)
	}
	m, err := src.load(t.Context(), &gate{Device: cpu.New(1)}, 64, &recorder{})
	if err != nil {
		t.Fatal(err)
	}
	greedy, err := sample.New(sample.Rules{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	ids := tok.Prompt(o.Prompt)
	if g.Prompt != len(ids) {
		t.Errorf("a prompt of %d tokens, want %d", g.Prompt, len(ids))
	}
	for i := range g.Tokens {
		logits := make([]float32, 300*len(ids))
		m.Logits(logits, ids, 1)
		id, err := greedy.Next(logits[300*(len(ids)-1):])
		if err != nil || id != pieces[i].Token {
			t.Fatalf("token %d is %d, want %d: %v", i, pieces[i].Token, id, err)
		}
		ids = append(ids, id)
	}

	// The seed decides, and nothing else.
	hot := 1.5
	o.Temperature, o.Seed = &hot, 1
	one, _ := generate(t, o)
	o.Threads = 2
	again, _ := generate(t, o)
	o.Seed = 2
	other, _ := generate(t, o)
	if one.Text != again.Text || one.Text == other.Text {
		t.Errorf("seed 1 gave %q and %q, seed 2 %q", one.Text, again.Text, other.Text)
	}

	// No more than the model can see.
	o.MaxTokens = 1000
	full, _ := generate(t, o)
	if full.Finish == FinishLength && full.Prompt+full.Tokens != 64 {
		t.Errorf("%d tokens after %d, ended by %s", full.Tokens, full.Prompt, full.Finish)
	}

	// Without a prompt there is the token that ends texts.
	o.Prompt, o.MaxTokens = "", 3
	if none, _ := generate(t, o); none.Prompt != 1 {
		t.Errorf("no prompt had %d tokens", none.Prompt)
	}
}

// TestEnds ends a text by its tokens and by texts, and obeys
// generation_config.json.
func TestEnds(t *testing.T) {
	t.Parallel()
	out, _ := trained(t)
	zero := 0.0
	o := GenerateOptions{Model: out, Prompt: "the miner digs", MaxTokens: 12, Temperature: &zero, Threads: 1}
	whole, pieces := generate(t, o)
	if whole.Finish != FinishLength || len([]rune(whole.Text)) < 6 {
		t.Fatalf("generated %+v", whole)
	}

	// A text across the border of two tokens.
	cut := whole.Text[2:5]
	o.Stops = []string{"never", cut}
	if g, _ := generate(t, o); g.Finish != FinishStop || g.Text != whole.Text[:strings.Index(whole.Text, cut)] {
		t.Errorf("up to %q of %q: %+v", cut, whole.Text, g)
	}
	o.Stops = nil

	// The fourth token ends it, and belongs to it no more.
	i := slices.IndexFunc(pieces, func(p Piece) bool { return p.Token == pieces[3].Token })
	for _, settings := range []string{`{"eos_token_id": [7, ID], "do_sample": false}`, `{"eos_token_id": ID, "temperature": 0.0}`, `{"eos_token_id": ID, "top_k": 1}`} {
		o.Temperature = nil
		write(t, filepath.Join(out, "generation_config.json"), []byte(strings.ReplaceAll(settings, "ID", digitsOf(pieces[3].Token))))
		g, _ := generate(t, o)
		want := ""
		for _, p := range pieces[:i] {
			want += p.Text
		}
		if g.Finish != FinishEnd || g.Tokens != i+1 || !strings.HasPrefix(g.Text, want) {
			t.Errorf("%s: %+v, want the first %d tokens of %q", settings, g, i, whole.Text)
		}
	}
}

func digitsOf(id int32) string {
	b, err := Number(id).MarshalJSON()
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestHolder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		stops, texts []string
		want         []string
		ended        bool
	}{
		{nil, []string{"a", "b"}, []string{"a", "b"}, false},
		{[]string{"\n\n"}, []string{"a\n", "b\n", "\nc"}, []string{"a", "\nb", ""}, true},
		{[]string{"abc"}, []string{"xab", "ab", "c"}, []string{"x", "ab", ""}, true},
		{[]string{"abcd", "bc"}, []string{"a", "bc"}, []string{"", "a"}, true},
		{[]string{"."}, []string{"a.b"}, []string{"a"}, true},
	} {
		h := holder{stops: tt.stops}
		var got []string
		ended := false
		for _, text := range tt.texts {
			var out string
			out, ended = h.add(text)
			got = append(got, out)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || ended != tt.ended {
			t.Errorf("%q of %q: ended %v\n%s", tt.stops, tt.texts, ended, diff)
		}
	}
}

// ending is a device that is cancelled at its n-th matrix product.
type ending struct {
	device.Device
	left   int
	cancel func()
}

func (e *ending) Gemm(c, a device.Mat, ta bool, b device.Mat, tb, acc bool) {
	if e.left--; e.left == 0 {
		e.cancel()
	}
	e.Device.Gemm(c, a, ta, b, tb, acc)
}

// TestStopsWithinAPass cancels in the middle of a step: it ends there, and has
// not been taken.
func TestStopsWithinAPass(t *testing.T) {
	t.Parallel()
	dir, text := blank(t)
	o := options(dir, text)
	r := &run{o: o, w: &recorder{}}
	defer r.close()
	if err := r.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	weights := func() (all []float32) {
		for _, p := range r.m.Params() {
			vals := make([]float32, p.Hi-p.Lo)
			r.dev.Download(vals, r.m.Weights(p))
			all = append(all, vals...)
		}
		return all
	}
	before := weights()
	ctx, cancel := context.WithCancel(t.Context())
	e := &ending{Device: r.dev.Device, left: 9, cancel: cancel}
	r.dev.Device = e
	if err := r.step(ctx); !errors.Is(err, context.Canceled) || e.left != 0 {
		t.Fatalf("step: %v, with %d products to go", err, e.left)
	}
	if !slices.Equal(before, weights()) || r.rec.Step != 1 {
		t.Errorf("step %d, or its parameters, were changed", r.rec.Step)
	}
	defer func() {
		if recover() == nil {
			t.Error("a bug was taken for an interrupt")
		}
	}()
	_ = r.dev.do(t.Context(), func() error { panic("a bug") })
}

// TestCacheIsTidied forgets what nobody used for long.
func TestCacheIsTidied(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := write(t, filepath.Join(dir, "old.tokens"), []byte("x"))
	write(t, old+".json", []byte("{}"))
	write(t, filepath.Join(dir, "new.tokens"), []byte("x"))
	write(t, filepath.Join(dir, "mine.txt"), []byte("x"))
	long := fileTime(t, old).Add(-keepTokens * 2)
	for _, name := range []string{"old.tokens", "mine.txt"} {
		if err := os.Chtimes(filepath.Join(dir, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	tidy(dir)
	for name, want := range map[string]bool{"old.tokens": false, "old.tokens.json": false, "new.tokens": true, "mine.txt": true} {
		if isFile(filepath.Join(dir, name)) != want {
			t.Errorf("%s is there: %v", name, !want)
		}
	}
}
