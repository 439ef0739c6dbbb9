package connito

import (
	"encoding/json"
	"math"
	"testing"
)

// TestPythonFloat checks against Python's repr.
func TestPythonFloat(t *testing.T) {
	for want, f := range map[string]float64{
		"0.0": 0, "-0.0": math.Copysign(0, -1), "1.0": 1, "2.25": 2.25, "1e+16": 1e16, "1.2345678901234568e+17": 123456789012345680,
		"0.0001": 1e-4, "1e-05": 1e-5, "0.30000000000000004": 0.30000000000000004, "1e+22": 1e22, "12345.678": 12345.678,
		"9999999999999998.0": 9999999999999998, "NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1),
	} {
		if got := pythonFloat(f); got != want {
			t.Errorf("pythonFloat(%v) = %s, want %s", f, got, want)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	one, text := 1, "a\"\\\n\r\t\f\b\x01\u007fü😀"
	v := fields{{"b", text}, {"none", nil}, {"a", one}, {"l", []any{true, nil, json.Number("1E5"), json.Number("12345678901234567890123")}}, {"m", map[string]any{"z": nil, "k": 0.5}}}
	const esc = `"a\"\\\n\r\t\f\b\u0001\u007f\u00fc\ud83d\ude00"`
	if got, want := string(appendJSON(nil, v, jsonStyle{})), `{"b":`+esc+`,"a":1,"l":[true,null,100000.0,12345678901234567890123],"m":{"k":0.5,"z":null}}`; got != want {
		t.Errorf("compact: %s, want %s", got, want)
	}
	if got, want := string(appendJSON(nil, v[1:3], jsonStyle{Spaced: true, Nulls: true})), `{"none": null, "a": 1}`; got != want {
		t.Errorf("spaced: %s, want %s", got, want)
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("ü\x00\xff😀")
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil || back != string([]rune(s)) {
			t.Errorf("%q came back as %q, %v", s, back, err)
		}
	})
}
