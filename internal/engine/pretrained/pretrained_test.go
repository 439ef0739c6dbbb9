package pretrained

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"adit/internal/checkpoint"
	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"

	"github.com/google/go-cmp/cmp"
)

const config = `{"model_type": "llama"}`

// values are numbers that all float types hold.
func values(n int, first float32) []float32 {
	vals := make([]float32, n)
	for i := range vals {
		vals[i] = first + float32(i%64)/4
	}
	return vals
}

func source(name string, dtype tensor.DType, first float32, shape ...int) Source {
	n := tensor.Tensor{Shape: shape}.Numel()
	return Source{Name: name, DType: dtype, Shape: shape, Floats: func(use func([]float32) error) error {
		return use(values(n, first))
	}}
}

// model is a small model of all float types.
func model(first float32) Contents {
	return Contents{
		Config:     []byte(config),
		Generation: []byte(`{"eos_token_id": 2}`),
		Tensors: []Source{
			source("embed.weight", tensor.BF16, first, 8, 4),
			source("layers.0.weight", tensor.F16, first+1, 4, 4),
			source("layers.1.weight", tensor.F32, first+2, 99),
			source("norm.weight", tensor.F64, first+3, 4),
			source("scale", tensor.F32, first+4),
		},
	}
}

// check reads what Write wrote from model(first).
func check(t *testing.T, dir string, first float32) {
	t.Helper()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c := model(first)
	var names []string
	for i, s := range c.Tensors {
		names = append(names, s.Name)
		info, ok := d.Info(s.Name)
		if !ok || info.DType != s.DType || !slices.Equal(info.Shape, s.Shape) {
			t.Errorf("Info(%q) = %v, %v", s.Name, info, ok)
		}
		vals, err := d.Floats(s.Name, nil)
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(values(tensor.Tensor{Shape: s.Shape}.Numel(), first+float32(i)), vals); diff != "" {
			t.Errorf("%s:\n%s", s.Name, diff)
		}
		x, err := d.Tensor(s.Name)
		if err != nil || x.Check() != nil || x.DType != s.DType {
			t.Errorf("Tensor(%q) = %v %v, %v", s.Name, x.DType, x.Shape, err)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, d.Names()); diff != "" {
		t.Error(diff)
	}
	if string(d.Config()) != config || !bytes.Equal(d.Generation(), c.Generation) {
		t.Errorf("settings are %s and %s", d.Config(), d.Generation())
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestWriteOpen(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	tokenizer := filepath.Join(base, tokenizerFile)
	put(t, tokenizer, `{"version":"1.0"}`)

	dir := filepath.Join(base, "deep", "model")
	c := model(0)
	c.Files = []string{tokenizer}
	if err := Write(dir, c); err != nil {
		t.Fatal(err)
	}
	check(t, dir, 0)
	if diff := cmp.Diff([]string{configFile, generationFile, singleFile, tokenizerFile}, list(t, dir)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"model"}, list(t, filepath.Dir(dir))); diff != "" {
		t.Error(diff)
	}
	f, err := openFile(filepath.Join(dir, singleFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := safetensors.Open(f, f.size)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"format": "pt"}, st.Meta()); diff != "" {
		t.Error(diff)
	}

	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d.Tokenizer() != filepath.Join(dir, tokenizerFile) || !slices.Equal(d.Companions(), []string{d.Tokenizer()}) {
		t.Errorf("tokenizer %q, companions %q", d.Tokenizer(), d.Companions())
	}
	// The model again, in shards, from itself and over itself, each tensor in
	// another type.
	again := Contents{Config: d.Config(), Generation: d.Generation(), Files: d.Companions(), ShardBytes: 200}
	for _, name := range d.Names() {
		info, _ := d.Info(name)
		again.Tensors = append(again.Tensors, Source{Name: name, DType: info.DType, Shape: info.Shape,
			Data: func(use func(tensor.Tensor) error) error { return d.Use(name, use) }})
	}
	if runtime.GOOS == "windows" {
		dir += "-2" // what is open cannot be replaced
	}
	if err := Write(dir, again); err != nil {
		t.Fatal(err)
	}
	check(t, dir, 0)
	if _, err := d.Floats("scale", nil); err != nil {
		t.Errorf("the old one, while open: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Floats("scale", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Floats after Close: %v", err)
	}
	want := []string{configFile, generationFile, "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
		"model-00003-of-00003.safetensors", indexFile, tokenizerFile}
	if diff := cmp.Diff(want, list(t, dir)); diff != "" {
		t.Error(diff)
	}
	var index struct {
		Metadata struct {
			Total int64 `json:"total_size"`
		}
		WeightMap map[string]string `json:"weight_map"`
	}
	b, err := os.ReadFile(filepath.Join(dir, indexFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &index); err != nil {
		t.Fatal(err)
	}
	if want := int64(8*4*2 + 4*4*2 + 4*99 + 4*8 + 4); index.Metadata.Total != want {
		t.Errorf("total_size is %d, not %d", index.Metadata.Total, want)
	}
	if f := index.WeightMap["scale"]; f != "model-00003-of-00003.safetensors" {
		t.Errorf("scale is in %s", f)
	}
}

func TestConvert(t *testing.T) {
	t.Parallel()
	types := []tensor.DType{tensor.F32, tensor.F16, tensor.BF16, tensor.F64}
	vals := values(2*chunk+1, -8)
	for _, from := range types {
		c := Contents{Config: []byte(config)}
		for _, to := range types {
			c.Tensors = append(c.Tensors, Source{Name: to.String(), DType: to, Shape: []int{len(vals)},
				Data: func(use func(tensor.Tensor) error) error {
					return use(tensor.FromFloats(from, []int{len(vals)}, vals))
				}})
		}
		dir := filepath.Join(t.TempDir(), "m")
		if err := Write(dir, c); err != nil {
			t.Fatal(err)
		}
		d, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []float32
		for _, to := range types {
			if got, err = d.Floats(to.String(), got); err != nil || !slices.Equal(got, vals) {
				t.Errorf("%v to %v: %v", from, to, err)
			}
		}
		d.Close()
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	big := func(to tensor.DType) Source {
		return Source{Name: "big", DType: to, Shape: []int{1}, Data: func(use func(tensor.Tensor) error) error {
			return use(tensor.Tensor{DType: tensor.F64, Shape: []int{1}, Data: binary.LittleEndian.AppendUint64(nil, math.Float64bits(1e39))})
		}}
	}
	with := func(s ...Source) Contents { return Contents{Config: []byte(config), Tensors: s} }
	for name, tt := range map[string]struct {
		c    Contents
		want string
	}{
		"no tensors":     {with(), "no tensors"},
		"no config":      {Contents{Tensors: model(0).Tensors}, "config.json is not JSON"},
		"bad generation": {Contents{Config: []byte(config), Generation: []byte("{"), Tensors: model(0).Tensors}, "generation_config.json is not JSON"},
		"twice":          {with(source("a", tensor.F32, 0, 1), source("a", tensor.F32, 0, 1)), `"a" comes twice`},
		"notes":          {with(source("__metadata__", tensor.F32, 0, 1)), "__metadata__"},
		"no type":        {with(source("a", 77, 0, 1)), "unknown element type"},
		"negative":       {with(source("a", tensor.F32, 0, 1), Source{Name: "b", Shape: []int{-1}}), "negative"},
		"integers":       {with(source("a", tensor.I64, 0, 1)), `tensor "a": floats cannot be written as I64`},
		"nobody":         {with(Source{Name: "a"}), "nobody"},
		"not given":      {with(Source{Name: "a", Floats: func(func([]float32) error) error { return nil }}), "0 times"},
		"too few":        {with(Source{Name: "a", Shape: []int{2}, Floats: func(use func([]float32) error) error { return use(values(1, 0)) }}), "do not fill"},
		"other shape": {with(Source{Name: "a", Shape: []int{2}, Data: func(use func(tensor.Tensor) error) error {
			return use(tensor.FromFloats(tensor.F32, []int{1}, values(1, 0)))
		}}), "has not the elements"},
		"half":        {with(source("a", tensor.F16, 65520, 1)), "too large for F16"},
		"double":      {with(big(tensor.F32)), "too large for F32"},
		"two configs": {Contents{Config: []byte(config), Tensors: model(0).Tensors, Files: []string{"x/config.json"}}, "another config.json"},
		"lost file":   {Contents{Config: []byte(config), Tensors: model(0).Tensors, Files: []string{"not/there.txt"}}, "there.txt"},
	} {
		base := t.TempDir()
		dir := filepath.Join(base, "m")
		if err := Write(dir, tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want … %s …", name, err, tt.want)
		}
		if left := list(t, base); left != nil {
			t.Errorf("%s: %v is left", name, left)
		}
	}

	base := t.TempDir()
	put(t, filepath.Join(base, "file"), "x")
	put(t, filepath.Join(base, "mine", "thesis.tex"), "x")
	for name, want := range map[string]string{"file": "file of that name", "mine": "thesis.tex", "": "the directory also holds"} {
		if err := Write(filepath.Join(base, name), model(0)); err == nil || !strings.Contains(err.Error(), want) || subnet.Hint(err) == "" && name != "" {
			t.Errorf("over %q: %v", name, err)
		}
	}
	if diff := cmp.Diff([]string{"file", "mine"}, list(t, base)); diff != "" {
		t.Error(diff)
	}
}

func TestWriteThroughLink(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	if err := os.Mkdir(filepath.Join(base, "real"), 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(base, "link")
	if err := os.Symlink("real", link); err != nil {
		t.Skip(err)
	}
	if err := Write(link, model(3)); err != nil {
		t.Fatal(err)
	}
	check(t, link, 3)
	check(t, filepath.Join(base, "real"), 3)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// torchBytes is a file of torch.save.
func torchBytes(t *testing.T, d tensor.Dict) string {
	t.Helper()
	var b bytes.Buffer
	if err := checkpoint.Write(&b, subnet.Torch, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func stBytes(t testing.TB, d tensor.Dict) string {
	t.Helper()
	var b bytes.Buffer
	if err := safetensors.Write(&b, d, nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTorch(t *testing.T) {
	t.Parallel()
	one := tensor.Dict{"a": tensor.FromFloats(tensor.F16, []int{2}, []float32{1, 2})}
	two := tensor.Dict{"b": tensor.FromFloats(tensor.F32, []int{1}, []float32{3})}
	for name, files := range map[string]map[string]string{
		"single": {torchSingle: torchBytes(t, tensor.Dict{"a": one["a"], "b": two["b"]})},
		"shards": {
			"pytorch_model-00001-of-00002.bin": torchBytes(t, one),
			"pytorch_model-00002-of-00002.bin": torchBytes(t, two),
			torchIndex:                         `{"weight_map":{"a":"pytorch_model-00001-of-00002.bin","b":"pytorch_model-00002-of-00002.bin"}}`,
		},
	} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, configFile), config)
		for f, text := range files {
			put(t, filepath.Join(dir, f), text)
		}
		d, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		a, err := d.Floats("a", nil)
		b, err2 := d.Floats("b", nil)
		if err != nil || err2 != nil || !slices.Equal(append(a, b...), []float32{1, 2, 3}) {
			t.Errorf("%s: %v, %v, %v, %v", name, a, b, err, err2)
		}
		if info, ok := d.Info("a"); !ok || info.DType != tensor.F16 || !slices.Equal(info.Shape, []int{2}) {
			t.Errorf("%s: Info = %v, %v", name, info, ok)
		}
		d.Close()
	}
}
