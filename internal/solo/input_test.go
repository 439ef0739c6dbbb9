package solo

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// TestRefuses tries what a person may get wrong. Nothing is left on the disk.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, o *TrainOptions)
		want   string
		hint   string
	}{
		{"no model", func(t *testing.T, o *TrainOptions) { o.Model += "-not" }, "model-not: not found", "config.json"},
		{"no weights", func(t *testing.T, o *TrainOptions) { o.Init = false }, "no weights", "download"},
		{"no config", func(t *testing.T, o *TrainOptions) { o.Model = filepath.Dir(o.Model) }, "config.json: not found", ""},
		{"kind", func(t *testing.T, o *TrainOptions) {
			write(t, filepath.Join(o.Model, configName), []byte(`{"model_type": "t5"}`))
		}, `model_type: "t5" is none of`, "supported"},
		{"not json", func(t *testing.T, o *TrainOptions) { write(t, filepath.Join(o.Model, configName), []byte("{")) }, "config.json", "supported"},
		{"dropout", func(t *testing.T, o *TrainOptions) {
			write(t, filepath.Join(o.Model, configName), []byte(strings.Replace(config, "{", `{"attention_dropout": 0.1,`, 1)))
		}, "asks for attention_dropout", "set attention_dropout to 0 in config.json"},
		{"vocabulary", func(t *testing.T, o *TrainOptions) {
			write(t, filepath.Join(o.Model, configName), []byte(strings.Replace(config, "300", "299", 1)))
		}, "tokenizer.json has tokens up to 299, but the model's vocab_size is 299", "vocab_size"},
		{"no tokenizer", func(t *testing.T, o *TrainOptions) {
			if err := os.Remove(filepath.Join(o.Model, tokenizerName)); err != nil {
				t.Fatal(err)
			}
		}, "there is no tokenizer.json", "--tokenizer"},
		{"other tokenizer", func(t *testing.T, o *TrainOptions) { o.Tokenizer = o.Data.Paths[0] }, "it is not called tokenizer.json", "rename"},
		{"empty tokenizer", func(t *testing.T, o *TrainOptions) { write(t, filepath.Join(o.Model, tokenizerName), nil) }, "tokenizer.json", ""},
		{"no text", func(t *testing.T, o *TrainOptions) { o.Data.Paths = []string{o.Model + "/none.txt"} }, "none.txt", "--data"},
		{"empty text", func(t *testing.T, o *TrainOptions) { write(t, o.Data.Paths[0], nil) }, "text.txt", ""},
		{"short text", func(t *testing.T, o *TrainOptions) { write(t, o.Data.Paths[0], []byte("gold")) }, "fewer than a sequence of 16", "--seq-len"},
		{"tokens beyond the vocabulary", func(t *testing.T, o *TrainOptions) {
			o.Data.Paths[0] = write(t, filepath.Join(o.Model, "..", "t.bin"), []byte(strings.Repeat("\xff\x7f", 500)))
		}, "token", "tokenizer.json"},
		{"long sequences", func(t *testing.T, o *TrainOptions) { o.SeqLen = 65 }, "the model knows positions for 64", "--seq-len 64"},
		{"pattern", func(t *testing.T, o *TrainOptions) { o.Params = []string{"*.mpl.*"} }, `pattern "*.mpl.*" matches no parameter`, "names such as"},
		{"everything frozen", func(t *testing.T, o *TrainOptions) { o.Params = []string{"!*"} }, "no parameter", ""},
		{"not empty", func(t *testing.T, o *TrainOptions) { o.Out = filepath.Dir(o.Model) }, "is not empty", "--out"},
		{"a file", func(t *testing.T, o *TrainOptions) { o.Out = o.Data.Paths[0] }, "text.txt", "--out"},
		{"nothing to resume", func(t *testing.T, o *TrainOptions) { o.Init, o.Resume = false, true }, "no training to go on with", "--resume"},
		{"held out too much", func(t *testing.T, o *TrainOptions) { o.EvalSplit = 0.9999 }, "leave less than a sequence", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, text := blank(t)
			o := options(dir, text)
			tt.change(t, &o)
			_, err := Train(t.Context(), o, &recorder{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(subnet.Hint(err), tt.hint) {
				t.Errorf("%v (hint %q), want %q (%q)", err, subnet.Hint(err), tt.want, tt.hint)
			}
			if o.Out == filepath.Join(dir, "out") {
				if _, err := os.Stat(o.Out); err == nil {
					t.Error("something was written")
				}
			}
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		change func(*TrainOptions)
		want   string
	}{
		{func(o *TrainOptions) { o.Model = "" }, "no model"},
		{func(o *TrainOptions) { o.Data.Paths = nil }, "give --data"},
		{func(o *TrainOptions) { o.Resume = true }, "--init begins anew"},
		{func(o *TrainOptions) { o.Epochs = 1 }, "give one of them"},
		{func(o *TrainOptions) { o.Steps = -1 }, "above 0"},
		{func(o *TrainOptions) { o.Steps, o.Epochs = 0, math.NaN() }, "above 0"},
		{func(o *TrainOptions) { o.Shard = 3 }, "--shard"},
		{func(o *TrainOptions) { o.EvalSplit = 1 }, "--eval-split"},
		{func(o *TrainOptions) { o.EvalSplit, o.EvalData = 0.1, []string{"x"} }, "--eval-data and --eval-split"},
		{func(o *TrainOptions) { o.EvalEvery = 5 }, "nothing to evaluate on"},
		{func(o *TrainOptions) { o.SaveEvery = -5 }, "--save-every"},
		{func(o *TrainOptions) { o.DType = tensor.I64 }, "--dtype"},
		{func(o *TrainOptions) { o.Threads = -1 }, "--threads"},
		{func(o *TrainOptions) { o.Warmup = 11 }, "warmup is longer"},
		{func(o *TrainOptions) { o.LR = 0 }, "learning rate"},
		{func(o *TrainOptions) { o.Batch = 0 }, "batch size"},
		{func(o *TrainOptions) { o.Curve = "x" }, "schedule"},
		{func(o *TrainOptions) { o.Precision = "x" }, "precision"},
		{func(o *TrainOptions) { o.Rules.Method = "x" }, "optimizer"},
	} {
		o := options("d", "t")
		tt.change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
	for _, change := range []func(*TrainOptions){
		func(*TrainOptions) {},
		func(o *TrainOptions) { o.Steps = 0 },
		func(o *TrainOptions) { o.Steps, o.Time = 0, 1e9 },
		func(o *TrainOptions) { o.Steps, o.Epochs, o.Curve = 0, 2.5, "linear" },
	} {
		o := options("d", "t")
		change(&o)
		if err := o.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		o    TrainOptions
		want int
	}{
		{TrainOptions{Batch: 4}, 25},
		{TrainOptions{Batch: 3, Accum: 2}, 17},
		{TrainOptions{Batch: 4, Shards: 5}, 5},
		{TrainOptions{Batch: 4, Epochs: 2.5}, 63},
		{TrainOptions{Batch: 1000}, 1},
		{TrainOptions{Batch: 4, Steps: 7}, 7},
		{TrainOptions{Batch: 4, Time: 1}, 0},
	} {
		if got, err := tt.o.steps(100); err != nil || got != tt.want {
			t.Errorf("%+v: %d steps, want %d: %v", tt.o, got, tt.want, err)
		}
	}
	if _, err := (TrainOptions{Batch: 1, Epochs: 1e300}).steps(100); err == nil {
		t.Error("10^302 steps")
	}
}
