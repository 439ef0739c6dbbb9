package solo

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/engine/pretrained"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// A weight is a tensor of a file.
type weight struct {
	shape []int
	vals  []float32
}

// rewrite writes the model in dir anew, after change.
func rewrite(t *testing.T, dir string, change func(map[string]weight)) {
	t.Helper()
	d, err := pretrained.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]weight{}
	for _, name := range d.Names() {
		vals, err := d.Floats(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		info, _ := d.Info(name)
		all[name] = weight{info.Shape, vals}
	}
	config := slices.Clone(d.Config())
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	change(all)
	c := pretrained.Contents{Config: config}
	for name, w := range all {
		c.Tensors = append(c.Tensors, pretrained.Source{Name: name, DType: tensor.F32, Shape: w.shape,
			Floats: func(use func([]float32) error) error { return use(w.vals) }})
	}
	to := t.TempDir()
	if err := pretrained.Write(filepath.Join(to, "m"), c); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(to, "m", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "model.safetensors"), b)
}

// random makes a model directory of a config.
func random(t *testing.T, config string) string {
	t.Helper()
	c, err := model.ParseConfig([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	dev := cpu.New(1)
	m, err := model.New(dev, c, 8)
	if err != nil {
		t.Fatal(err)
	}
	m.Init("test")
	dir := filepath.Join(t.TempDir(), "model")
	if err := pretrained.Write(dir, pretrained.Contents{Config: []byte(config), Tensors: weightSources(dev, m, tensor.F32)}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// load loads the model in dir.
func load(t *testing.T, dir string) ([]string, []float32, error) {
	t.Helper()
	src, err := openSource(dir, true)
	if err != nil {
		return nil, nil, err
	}
	defer src.Close()
	var w recorder
	dev := &gate{Device: cpu.New(1)}
	m, err := src.load(t.Context(), dev, 8, &w)
	if err != nil {
		return nil, nil, err
	}
	var all []float32
	for _, p := range m.Params() {
		vals := make([]float32, p.Hi-p.Lo)
		dev.Download(vals, m.Weights(p))
		all = append(all, vals...)
	}
	return w.notes, all, nil
}

const gpt2 = `{"model_type": "gpt2", "vocab_size": 30, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 16}`

// TestLoadsWhatIsOnTheHub loads files that hold more than the parameters, or under
// other names.
func TestLoadsWhatIsOnTheHub(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, config string
		change       func(map[string]weight)
		note         string
	}{
		{"gpt2 without its head", gpt2, func(all map[string]weight) {
			for name, w := range all {
				delete(all, name)
				all[strings.TrimPrefix(name, "transformer.")] = w
			}
			all["h.0.attn.bias"] = weight{[]int{1, 1, 2, 2}, []float32{1, 0, 1, 1}}
			all["h.1.attn.masked_bias"] = weight{[]int{1}, []float32{-1e4}}
		}, ""},
		{"a head that is the embedding", gpt2, func(all map[string]weight) { all["lm_head.weight"] = all["transformer.wte.weight"] }, ""},
		{"a head instead of the embedding", gpt2, func(all map[string]weight) {
			all["lm_head.weight"] = all["transformer.wte.weight"]
			delete(all, "transformer.wte.weight")
		}, ""},
		{"another head", gpt2, func(all map[string]weight) {
			all["lm_head.weight"] = weight{[]int{30, 8}, make([]float32, 240)}
		}, "lm_head.weight differs from the embedding"},
		{"frequencies", config, func(all map[string]weight) {
			all["model.layers.0.self_attn.rotary_emb.inv_freq"] = weight{[]int{2}, []float32{1, 0.5}}
		}, ""},
	} {
		dir := random(t, tt.config)
		_, want, err := load(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		rewrite(t, dir, tt.change)
		notes, got, err := load(t, dir)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, or other parameters", tt.name, err)
		}
		if tt.note == "" && len(notes) > 0 || tt.note != "" && !strings.Contains(strings.Join(notes, "\n"), tt.note) {
			t.Errorf("%s: notes %q", tt.name, notes)
		}
	}
}

// TestRefusesWrongWeights names the file, the tensor and a cure.
func TestRefusesWrongWeights(t *testing.T) {
	t.Parallel()
	const norm = "model.layers.1.input_layernorm.weight"
	for _, tt := range []struct {
		name   string
		change func(map[string]weight)
		want   string
	}{
		{"missing", func(all map[string]weight) { delete(all, norm) }, `1 of 21 parameters are not in its files, such as "` + norm},
		{"unknown", func(all map[string]weight) { all["model.layers.2.x"] = weight{[]int{1}, []float32{1}} }, `model.safetensors: tensor "model.layers.2.x" is not part of the model`},
		{"shape", func(all map[string]weight) { all[norm] = weight{[]int{8}, make([]float32, 8)} }, `tensor "` + norm + `" has the shape [8], and by config.json it would be [16]`},
		{"transposed", func(all map[string]weight) {
			w := all["model.layers.0.mlp.down_proj.weight"]
			w.shape = []int{w.shape[1], w.shape[0]}
			all["model.layers.0.mlp.down_proj.weight"] = w
		}, "has the shape [32 16]"},
		{"nan", func(all map[string]weight) { all[norm].vals[3] = float32(math.NaN()) }, `model.safetensors: tensor "` + norm + `": element 3 is NaN`},
		{"inf", func(all map[string]weight) { all[norm].vals[15] = float32(math.Inf(-1)) }, "element 15 is -Inf"},
	} {
		dir := random(t, config)
		rewrite(t, dir, tt.change)
		_, _, err := load(t, dir)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dir) || subnet.Hint(err) == "" {
			t.Errorf("%s: %v (hint %q), want %q", tt.name, err, subnet.Hint(err), tt.want)
		}
	}
}

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

func TestSetField(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{`{"a": 1}`, "{\"a\": 1,\n  \"dtype\": \"float16\"}"},
		{"{\n  \"a\": {\"dtype\": 3},\n  \"b\": []\n}\n", "{\n  \"a\": {\"dtype\": 3},\n  \"b\": [],\n  \"dtype\": \"float16\"\n}\n"},
		{`{"dtype" : "x" , "z": 1}`, `{"dtype" : "float16" , "z": 1}`},
		{`{"dtype": null}`, `{"dtype": "float16"}`},
		{`{}`, "{\n  \"dtype\": \"float16\"\n}"},
	} {
		if got, err := setField([]byte(tt.in), "dtype", "float16"); err != nil || string(got) != tt.want || !json.Valid(got) {
			t.Errorf("%s became %s, want %s: %v", tt.in, got, tt.want, err)
		}
	}
	for _, in := range []string{"", "[]", "{", `{"a"`, `{"a": }`} {
		if got, err := setField([]byte(in), "dtype", 1); err == nil {
			t.Errorf("%q became %q", in, got)
		}
	}
	for in, want := range map[string]string{
		`{"torch_dtype":"x"}`: `{"torch_dtype":"float32"}`, `{"dtype":"x"}`: `{"dtype":"float32"}`,
		`{"dtype":"x","torch_dtype":"y"}`: `{"dtype":"float32","torch_dtype":"float32"}`,
	} {
		if got, err := setDType([]byte(in), tensor.F32); err != nil || string(got) != want {
			t.Errorf("%s became %s, want %s: %v", in, got, want, err)
		}
	}
}

func FuzzSetField(f *testing.F) {
	f.Add(`{"a": 1, "dtype": [2, {"x": "}"}]}`)
	f.Add("{}")
	f.Add(` {"dtype":1,"dtype":2 } `)
	f.Fuzz(func(t *testing.T, in string) {
		got, err := setField([]byte(in), "dtype", "y")
		if err != nil || !json.Valid([]byte(in)) {
			return
		}
		var x map[string]any
		if err := json.Unmarshal(got, &x); err != nil || x["dtype"] != "y" {
			t.Errorf("%q became %q: %v", in, got, err)
		}
	})
}

func FuzzReadSettings(f *testing.F) {
	f.Add(`{"eos_token_id": [1, 2], "top_k": 3}`)
	f.Add(`{"eos_token_id": -1, "bos_token_id": null}`)
	f.Fuzz(func(t *testing.T, in string) {
		s, err := readSettings([]byte(in), []byte(in))
		if err == nil && slices.ContainsFunc(s.Ends, func(id int32) bool { return id < 0 }) {
			t.Errorf("%q: ends %v", in, s.Ends)
		}
	})
}
