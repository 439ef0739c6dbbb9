package solo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// TestResumeRefuses goes on with something else than what was begun.
func TestResumeRefuses(t *testing.T) {
	t.Parallel()
	dir, text := blank(t)
	o := options(dir, text)
	o.Steps = 2
	if _, err := Train(t.Context(), o, &recorder{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(t.Context(), o, &recorder{}); err == nil || !strings.Contains(err.Error(), "holds a training already") {
		t.Errorf("a second one in its place: %v", err)
	}
	o.Init, o.Resume, o.Steps = false, true, 4
	want := files(t, o.Out)
	other := write(t, filepath.Join(dir, "other.txt"), []byte(prose(900)))
	for _, tt := range []struct {
		want   string
		change func(*TrainOptions)
	}{
		{"--seed is 4", func(o *TrainOptions) { o.Seed = 4 }},
		{"--seq-len is 8", func(o *TrainOptions) { o.SeqLen = 8 }},
		{"--shard is 2/3", func(o *TrainOptions) { o.Shard, o.Shards = 1, 3 }},
		{"--data is this one", func(o *TrainOptions) { o.Data.Paths = []string{other} }},
		{"--dtype is bf16", func(o *TrainOptions) { o.DType = tensor.BF16 }},
		{"saved by adamw", func(o *TrainOptions) { o.Rules.Method = "sgd" }},
		{"tensors", func(o *TrainOptions) { o.Params = []string{"*.mlp.*"} }},
		{"would be lost", func(o *TrainOptions) { o.Out = filepath.Dir(o.Out) }},
	} {
		o := o
		tt.change(&o)
		if _, err := Train(t.Context(), o, &recorder{}); err == nil || !strings.Contains(err.Error(), tt.want) || subnet.Hint(err) == "" {
			t.Errorf("%v (hint %q), want %q", err, subnet.Hint(err), tt.want)
		}
	}
	sameFiles(t, want, files(t, o.Out))
	for _, bad := range []string{"", "{}", `{"version": 1, "step": -1}`, `{"version": 1, "stepp": 1}`} {
		write(t, filepath.Join(o.Out, recordName), []byte(bad))
		if _, err := Train(t.Context(), o, &recorder{}); err == nil || !strings.Contains(err.Error(), recordName) || subnet.Hint(err) == "" {
			t.Errorf("record %q: %v (hint %q)", bad, err, subnet.Hint(err))
		}
	}
}

// TestKeepsNotes goes on with other settings, in a directory with a note of its
// owner's.
func TestKeepsNotes(t *testing.T) {
	t.Parallel()
	dir, text := blank(t)
	o := options(dir, text)
	o.Steps = 2
	if _, err := Train(t.Context(), o, &recorder{}); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(o.Out, "README.md"), []byte("mine"))
	write(t, filepath.Join(o.Out, "quantise.py"), []byte("mine"))
	o.Init, o.Resume, o.Steps, o.LR = false, true, 4, 1e-3
	var w recorder
	s, err := Train(t.Context(), o, &w)
	if err != nil || s.Step != 4 || len(w.steps) != 2 {
		t.Fatalf("%+v, %v", s, err)
	}
	if got := strings.Join(w.notes, "\n"); !strings.Contains(got, "another --lr: 0.001, was 0.01") || !strings.Contains(got, "another --end: 4 steps, was 2 steps") {
		t.Errorf("notes %q", w.notes)
	}
	for _, name := range []string{"README.md", "quantise.py"} {
		if b, err := os.ReadFile(filepath.Join(o.Out, name)); err != nil || string(b) != "mine" {
			t.Errorf("%s is %q, %v", name, b, err)
		}
	}
	// There is nothing more to do.
	if s, err := Train(t.Context(), o, &w); err != nil || s.Step != 4 || s.Interrupted {
		t.Errorf("after the end: %+v, %v", s, err)
	}
}

// TestRescues trains on where a checkpoint cannot be written, and leaves the last
// one beside it.
func TestRescues(t *testing.T) {
	t.Parallel()
	dir, text := blank(t)
	o := options(dir, text)
	o.SaveEvery = 2
	w := recorder{after: func(s Step) {
		if s.Step == 3 {
			write(t, filepath.Join(o.Out, "of-mine", "file"), []byte("mine"))
		}
	}}
	s, err := Train(t.Context(), o, &w)
	rescued := o.Out + "-rescued"
	if err == nil || !strings.Contains(err.Error(), "of-mine, which would be lost") || !strings.Contains(err.Error(), "instead") ||
		subnet.Hint(err) == "" || s.Out != rescued || s.Step != 10 {
		t.Fatalf("%+v, %v (hint %q)", s, err, subnet.Hint(err))
	}
	if !isFile(filepath.Join(o.Out, "of-mine", "file")) || !slices.Equal(w.saved, []int{2}) || len(w.notes) != 4 {
		t.Errorf("saved %v, notes %q", w.saved, w.notes)
	}
	// It is a checkpoint like any other.
	o.Out, o.Init, o.Resume, o.Steps = rescued, false, true, 11
	if s, err := Train(t.Context(), o, &w); err != nil || s.Step != 11 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestBrokenModelIsNotSaved keeps the checkpoint before parameters that overflowed.
func TestBrokenModelIsNotSaved(t *testing.T) {
	t.Parallel()
	dir, text := blank(t)
	o := options(dir, text)
	o.LR, o.Curve, o.Rules.ClipNorm, o.Rules.WeightDecay, o.SaveEvery, o.Steps = 1e38, "constant", 0, 0, 1, 100
	o.Warmup = 0
	_, err := Train(t.Context(), o, &recorder{})
	if err == nil || !strings.Contains(subnet.Hint(err), "--lr") {
		t.Errorf("%v (hint %q)", err, subnet.Hint(err))
	}
	if _, err := os.Stat(o.Out); err == nil {
		if _, _, err := load(t, o.Out); err != nil {
			t.Error(err)
		}
	}
}
