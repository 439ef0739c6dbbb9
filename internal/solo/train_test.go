package solo

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// files returns the bytes of all files in a directory, but for the time in its
// record.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() == recordName {
			b = bytes.Join(bytes.SplitAfter(b, []byte("\n"))[5:], nil) // what comes before is the seconds
		}
		out[e.Name()] = string(b)
	}
	return out
}

func sameFiles(t *testing.T, a, b map[string]string) {
	t.Helper()
	for name := range a {
		if a[name] != b[name] {
			t.Errorf("%s differs: %d and %d bytes", name, len(a[name]), len(b[name]))
		}
	}
	if len(a) != len(b) {
		t.Errorf("%d and %d files", len(a), len(b))
	}
}

// TestResumes trains ten steps at once, and four and six through the directory,
// by an interrupt: not a bit differs, whatever the type of the files.
func TestResumes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*TrainOptions)
	}{
		{"f32", func(*TrainOptions) {}},
		{"bf16", func(o *TrainOptions) { o.DType = tensor.BF16 }},
		{"scaled", func(o *TrainOptions) { o.DType, o.Precision, o.Accum = tensor.F16, "fp16-mixed", 2 }},
		{"sgd", func(o *TrainOptions) { o.Rules.Method, o.Rules.Momentum, o.EvalSplit = "sgd", 0.9, 0.1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, text := blank(t)
			o := options(dir, text)
			tt.change(&o)
			var whole recorder
			if _, err := Train(t.Context(), o, &whole); err != nil {
				t.Fatal(err)
			}
			want := files(t, o.Out)

			o.Out += "-again"
			ctx, cancel := context.WithCancel(t.Context())
			first := recorder{after: func(s Step) {
				if s.Step == 4 {
					cancel()
				}
			}}
			s, err := Train(ctx, o, &first)
			if err == nil || !s.Interrupted || s.Step != 4 || !strings.Contains(err.Error(), "interrupted after step 4 of 10") ||
				!strings.Contains(subnet.Hint(err), "--resume") {
				t.Fatalf("interrupted: %+v, %v, %q", s, err, subnet.Hint(err))
			}
			o.Init, o.Resume = false, true
			var second recorder
			if _, err := Train(t.Context(), o, &second); err != nil {
				t.Fatal(err)
			}
			sameFiles(t, want, files(t, o.Out))
			for i, s := range append(first.steps, second.steps...) {
				if w := whole.steps[i]; s.Step != i+1 || s.Loss != w.Loss || s.LR != w.LR || s.GradNorm != w.GradNorm {
					t.Errorf("step %d: %+v, want %+v", i+1, s, w)
				}
			}
			if len(second.notes) > 0 {
				t.Errorf("notes %q", second.notes)
			}
			if len(whole.evals) > 0 && whole.evals[0].Loss != second.evals[0].Loss {
				t.Errorf("evaluations %+v and %+v", whole.evals, second.evals)
			}
			// Nothing is left beside the directories.
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			if diff := cmp.Diff([]string{"cache", "model", "out", "out-again", "text.txt"}, names); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestThreadsDoNotMatter trains on one thread and on two.
func TestThreadsDoNotMatter(t *testing.T) {
	t.Parallel()
	dir, text := blank(t)
	o := options(dir, text)
	o.EvalEvery, o.EvalSplit, o.SaveEvery = 5, 0.1, 3
	var one, two recorder
	if _, err := Train(t.Context(), o, &one); err != nil {
		t.Fatal(err)
	}
	a := files(t, o.Out)
	if err := os.RemoveAll(o.Out); err != nil {
		t.Fatal(err)
	}
	o.Threads, o.EvalEvery, o.SaveEvery = 2, 0, 0
	if _, err := Train(t.Context(), o, &two); err != nil {
		t.Fatal(err)
	}
	sameFiles(t, a, files(t, o.Out))
	if diff := cmp.Diff([]int{3, 6, 9, 10}, one.saved); diff != "" {
		t.Errorf("saved:\n%s", diff)
	}
	if len(one.evals) != 2 || len(two.evals) != 1 || one.evals[1].Loss != two.evals[0].Loss {
		t.Errorf("evaluations %+v and %+v", one.evals, two.evals)
	}
	if first, last := one.steps[0].Loss, one.evals[1].Loss; !(last < first) {
		t.Errorf("loss went from %v to %v", first, last)
	}
}
