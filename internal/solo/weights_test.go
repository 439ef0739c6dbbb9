package solo

import (
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
