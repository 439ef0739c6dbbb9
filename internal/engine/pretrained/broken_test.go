package pretrained

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

func TestBadDirectories(t *testing.T) {
	t.Parallel()
	floats := func(vals ...float32) tensor.Tensor { return tensor.FromFloats(tensor.F32, []int{len(vals)}, vals) }
	a, b := stBytes(t, tensor.Dict{"a": floats(1, 2)}), stBytes(t, tensor.Dict{"b": floats(3)})
	index := func(m string) string { return `{"weight_map":{` + m + `}}` }
	good := index(`"a":"1.safetensors","b":"2.safetensors"`)
	for name, tt := range map[string]struct {
		files map[string]string
		want  string // in the error
		hint  string // in the cure
	}{
		"empty":            {map[string]string{}, "config.json", "download all"},
		"no weights":       {map[string]string{configFile: config}, "no weights", "download the model's weights"},
		"empty config":     {map[string]string{configFile: ""}, "config.json: the file is empty", "download"},
		"empty weights":    {map[string]string{configFile: config, singleFile: ""}, "model.safetensors: the file is empty", "download"},
		"cut":              {map[string]string{configFile: config, singleFile: a[:len(a)-1]}, `model.safetensors: safetensors: tensor "a" ends after the file`, "cut off"},
		"cut header":       {map[string]string{configFile: config, singleFile: a[:20]}, "model.safetensors: safetensors: header of", "cut off"},
		"lying header":     {map[string]string{configFile: config, singleFile: strings.Replace(a, "[2]", "[9]", 1)}, `model.safetensors: safetensors header: tensor "a": F32[9] takes 36 bytes, not 8`, "damaged"},
		"no tensors":       {map[string]string{configFile: config, singleFile: stBytes(t, nil)}, "model.safetensors: there is no tensor", "save"},
		"empty index":      {map[string]string{configFile: config, indexFile: ""}, "index.json: the file is empty", "download"},
		"bad index":        {map[string]string{configFile: config, indexFile: "{"}, "index.json: index of shards: unexpected EOF", "index again"},
		"missing shard":    {map[string]string{configFile: config, indexFile: good, "1.safetensors": a}, "index.json names 2.safetensors: not found", "missing file"},
		"missing tensor":   {map[string]string{configFile: config, indexFile: good, "1.safetensors": a, "2.safetensors": a}, `2.safetensors: tensor "b", which model.safetensors.index.json says`, "different versions"},
		"in two":           {map[string]string{configFile: config, indexFile: good, "1.safetensors": a, "2.safetensors": stBytes(t, tensor.Dict{"a": floats(1), "b": floats(3)})}, `tensor "a" is in 1.safetensors and in 2.safetensors`, "different versions"},
		"upwards":          {map[string]string{configFile: config, indexFile: index(`"a":"../1.safetensors"`)}, `tensor "a": file "../1.safetensors" is outside`, "index again"},
		"absolute":         {map[string]string{configFile: config, indexFile: index(`"a":"/etc/1.safetensors"`)}, "is outside", "index again"},
		"broken shard":     {map[string]string{configFile: config, indexFile: good, "1.safetensors": a, "2.safetensors": b[:5]}, "2.safetensors: safetensors: 5 bytes are too few", "cut off"},
		"old torch":        {map[string]string{configFile: config, torchSingle: "\x80\x02\x8a\nl\xfc\x9c"}, "pytorch_model.bin: it is not the zip archive", "as safetensors"},
		"cut torch":        {map[string]string{configFile: config, torchSingle: torchBytes(t, tensor.Dict{"a": floats(1)})[:100]}, "pytorch_model.bin: ", "fetch it again"},
		"directory inside": {map[string]string{configFile: config, singleFile + "/x": ""}, "model.safetensors: it is no regular file", "the file itself"},
	} {
		dir := t.TempDir()
		for f, text := range tt.files {
			put(t, filepath.Join(dir, f), text)
		}
		d, err := Open(dir)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v, want … %s …", name, err, tt.want)
		}
		if !strings.Contains(subnet.Hint(err), tt.hint) {
			t.Errorf("%s: hint %q, want … %s …", name, subnet.Hint(err), tt.hint)
		}
		if d != nil {
			t.Errorf("%s: a directory came with the error", name)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	put(t, file, "x")
	if _, err := Open(file); err == nil || !strings.Contains(err.Error(), "not a directory") || subnet.Hint(err) == "" {
		t.Errorf("Open of a file: %v", err)
	}
	if _, err := Open(file + "x"); !errors.Is(err, subnet.ErrNotFound) || subnet.Hint(err) == "" {
		t.Errorf("Open of nothing: %v", err)
	}
}

// open writes a directory with one file of tensors and opens it.
func open(t *testing.T, d tensor.Dict) *Dir {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, configFile), config)
	put(t, filepath.Join(dir, singleFile), stBytes(t, d))
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestBadTensors(t *testing.T) {
	t.Parallel()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	vals := func(v float32) []float32 { return []float32{1, v, 2} }
	d := open(t, tensor.Dict{
		"nan":  tensor.FromFloats(tensor.F32, []int{3}, vals(nan)),
		"inf":  tensor.FromFloats(tensor.F16, []int{3}, vals(-inf)),
		"b":    tensor.FromFloats(tensor.BF16, []int{3}, vals(nan)),
		"big":  {DType: tensor.F64, Shape: []int{1}, Data: binary.LittleEndian.AppendUint64(nil, math.Float64bits(1e300))},
		"ints": {DType: tensor.I64, Shape: []int{1}, Data: make([]byte, 8)},
	})
	for name, want := range map[string]string{
		"nan":  `model.safetensors: tensor "nan": element 1 is NaN`,
		"inf":  `model.safetensors: tensor "inf": element 1 is -Inf`,
		"b":    `model.safetensors: tensor "b": element 1 is NaN`,
		"big":  `model.safetensors: tensor "big": element 0 is +Inf`,
		"ints": `model.safetensors: tensor "ints": its elements are I64, not floats`,
		"none": `tensor "none": not found`,
	} {
		vals, err := d.Floats(name, nil)
		if err == nil || vals != nil || !strings.Contains(err.Error(), want) || subnet.Hint(err) == "" {
			t.Errorf("Floats(%q) = %v, %v (%s)", name, vals, err, subnet.Hint(err))
		}
	}
	if _, ok := d.Info("none"); ok {
		t.Error("Info of nothing")
	}
}

// TestCutWhileOpen cuts a file under a mapping: to nothing, which makes the
// processor fault, and in the middle of a page, which makes zeros.
func TestCutWhileOpen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the system does not let anybody cut a mapped file")
	}
	const n = 1 << 16
	for _, mapped := range []bool{true, false} {
		for _, left := range []int64{0, 4 * n / 2, 4*n - 2} {
			d := open(t, tensor.Dict{"w": tensor.FromFloats(tensor.F32, []int{n}, make([]float32, n))})
			m := d.shards[0].m
			if m.view == nil {
				t.Fatal("the file is not mapped")
			}
			if !mapped {
				if err := unmapView(m.view); err != nil {
					t.Fatal(err)
				}
				m.view = nil
			}
			if _, err := d.Floats("w", nil); err != nil {
				t.Fatalf("before: %v", err)
			}
			if err := os.Truncate(filepath.Join(d.Path(), singleFile), left); err != nil {
				t.Fatal(err)
			}
			_, err := d.Floats("w", nil)
			if !errors.Is(err, errChanged) || subnet.Hint(err) == "" || !strings.Contains(err.Error(), `model.safetensors: tensor "w"`) {
				t.Errorf("mapped %v, cut to %d: %v", mapped, left, err)
			}
		}
	}
}

// TestGuardLetsOthersThrough: only faults in the mapping become errors.
func TestGuardLetsOthersThrough(t *testing.T) {
	d := open(t, tensor.Dict{"w": tensor.FromFloats(tensor.F32, []int{1}, []float32{1})})
	for name, f := range map[string]func(){
		"a panic":       func() { panic("own") },
		"a nil pointer": func() { var p *[4]int; p[d.closedIndex()]++ },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is swallowed", name)
				}
			}()
			t.Errorf("%s: %v", name, d.Use("w", func(tensor.Tensor) error { f(); return nil }))
		}()
	}
	own := errors.New("own")
	if err := d.Use("w", func(tensor.Tensor) error { return own }); !errors.Is(err, own) {
		t.Errorf("Use returns %v", err)
	}
}

// closedIndex is 0, which the compiler does not know.
func (d *Dir) closedIndex() int {
	if d.closed {
		return 1
	}
	return 0
}

// FuzzOpen opens directories one of whose files is whatever comes.
func FuzzOpen(f *testing.F) {
	st := stBytes(f, tensor.Dict{"a": tensor.FromFloats(tensor.BF16, []int{2}, []float32{1, 2})})
	files := []string{configFile, singleFile, indexFile, torchSingle, torchIndex}
	f.Add(uint8(0), []byte(config))
	f.Add(uint8(1), []byte(st))
	f.Add(uint8(2), []byte(`{"weight_map":{"a":"1.safetensors"}}`))
	f.Add(uint8(2), []byte(`{"weight_map":{"a":"../1.safetensors"}}`))
	f.Add(uint8(3), []byte("PK\x05\x06"+strings.Repeat("\x00", 18)))
	f.Add(uint8(4), []byte(`{"weight_map":{"a":"pytorch_model.bin"}}`))
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		name := files[int(which)%len(files)]
		all := map[string]string{configFile: config}
		if name == indexFile {
			all["1.safetensors"] = st
		} else if name == configFile {
			all[singleFile] = st
		}
		dir := t.TempDir()
		all[name] = string(b)
		for name := range maps.Keys(all) {
			put(t, filepath.Join(dir, name), all[name])
		}
		d, err := Open(dir)
		if err != nil {
			if subnet.Hint(err) == "" {
				t.Errorf("no cure for: %v", err)
			}
			return
		}
		defer d.Close()
		for _, name := range d.Names() {
			x, err := d.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := x.Check(); err != nil {
				t.Error(err)
			}
			d.Floats(name, nil) // an error is as good
		}
	})
}
