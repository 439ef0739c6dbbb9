package solo

import (
	"encoding/json"
	"slices"
	"testing"

	"adit/internal/tensor"
)

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
