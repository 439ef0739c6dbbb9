package safetensors

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIndex(t *testing.T) {
	x, err := ParseIndex([]byte(` {"metadata": {"total_size": 7, "x": [1, {"y": null}, []]},
		"weight_map": {"b": "b.safetensors", "a\u00e9\n": "a.safetensors", "c": "b.safetensors"}, "more": true}
	`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"aé\n": "a.safetensors", "b": "b.safetensors", "c": "b.safetensors"}
	if diff := cmp.Diff(want, maps.Collect(x.All())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b.safetensors", "a.safetensors"}, x.Files()); diff != "" {
		t.Error(diff)
	}
	for name, file := range want {
		if got, ok := x.File(name); got != file || !ok {
			t.Errorf("File(%q) = %q, %v", name, got, ok)
		}
	}
	if _, ok := x.File("d"); ok || x.Len() != 3 {
		t.Errorf("there is a d, or %d are not 3", x.Len())
	}
}

func TestBadIndex(t *testing.T) {
	in := func(file string) string { return `{"weight_map":{"a":"` + file + `"}}` }
	for index, want := range map[string]string{
		``:                           "EOF",
		`[]`:                         "where { should be",
		"{\"\xff\":1}":               "UTF-8",
		`{}`:                         "missing or empty",
		`{"weight_map":{}}`:          "missing or empty",
		`{"weight_map":{"a":1}}`:     "where a string should be",
		`{"weight_map":null}`:        "where { should be",
		`{"weight_map":{"a":`:        "EOF",
		in("a.bin") + "x":            "follows",
		in(""):                       "no file's name",
		in("../a.bin"):               "outside the directory",
		in("/a.bin"):                 "outside the directory",
		in(".."):                     "outside the directory",
		in(`c:\\a.bin`):              "outside the directory",
		in(`c:a.bin`):                "outside the directory",
		in("x/../../a.bin"):          "no file's name",
		in("./a.bin"):                "no file's name",
		in(`a\u0000.bin`):            "no file's name",
		in("config.json"):            "neither",
		in(strings.Repeat("a", 300)): "no file's name",
		`{"weight_map":{"a":"a.bin"},"weight_map":{"a":"b.bin"}}`: "weight_map comes twice",
		`{"weight_map":{"a":"a.bin","\u0061":"b.bin"}}`:           `"a" comes twice`,
		`{"x":` + strings.Repeat("[", 100) + `}`:                  "within one another",
		`{"x":"\ud800"}`:                                          "four digits",
		`{"x":"\ud800\u0041"}`:                                    "half a surrogate",
		`{"x":"\x41"}`:                                            "not JSON",
		`{"x":"` + "\n" + `"}`:                                    "control character",
		`{"x":}`:                                                  "where a value should be",
		`{"x":[1 2]}`:                                             "where , should be",
		`{"x":"a`:                                                 "EOF",
	} {
		if _, err := ParseIndex([]byte(index)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want … %s …", index, err, want)
		}
	}
}

func TestEncodeIndex(t *testing.T) {
	b, err := EncodeIndex(12, map[string]string{"b<": "2.safetensors", "a": "1.safetensors"})
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "metadata": {
    "total_size": 12
  },
  "weight_map": {
    "a": "1.safetensors",
    "b<": "2.safetensors"
  }
}
`
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseIndex(f *testing.F) {
	for _, s := range []string{
		`{"metadata":{"total_size":7},"weight_map":{"a":"m-00001-of-00002.safetensors","b":"m-00002-of-00002.safetensors"}}`,
		`{"weight_map":{"\ud83d\ude00\t":"x/y.bin"},"x":[{},"",-1e9,null]}`,
		`{"weight_map":{"a":"../a.bin"}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var x *Index
		var err error
		size := len(b)
		bounded(t, "ParseIndex", size, func() { x, err = ParseIndex(b) })
		if err != nil {
			return
		}
		want := maps.Collect(x.All())
		for name, file := range want {
			if got, ok := x.File(name); got != file || !ok {
				t.Errorf("File(%q) = %q, %v, want %q", name, got, ok, file)
			}
			if strings.HasPrefix(file, "/") || strings.Contains("/"+file+"/", "/../") || strings.ContainsAny(file, "\\:\x00") {
				t.Errorf("file %q leaves the directory", file)
			}
		}
		again, err := EncodeIndex(0, want)
		if err != nil {
			t.Fatal(err)
		}
		y, err := ParseIndex(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, maps.Collect(y.All())); diff != "" {
			t.Error(diff)
		}
	})
}
