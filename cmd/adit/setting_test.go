package main

import (
	"fmt"
	"testing"

	"adit/internal/scale"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"kappa", "rho", "tempo", "immunity_period", "min_burn", "max_burn", "weights_version"}
	for word, want := range map[string]string{"kapa": "kappa", "burn": "max_burn", "imunity": "immunity_period", "temp": "tempo", "weights": "weights_version"} {
		if got := nearest(word, names); got[0] != want {
			t.Errorf("%q is nearest to %v, want %s", word, got, want)
		}
	}
	if got := nearest("x", nil); len(got) != 0 {
		t.Errorf("nearest of none: %v", got)
	}
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 1}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"rho", "rho", 0}, {"imunity", "immunity_period", 2}, {"burn", "max_burn", 1}} {
		if got := edits(tt.a, tt.b); got != tt.want {
			t.Errorf("edits(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestParseNumbers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		t    numberType
		ok   bool
	}{
		{"0", numberType{16, false}, true}, {"65535", numberType{16, false}, true}, {"65536", numberType{16, false}, false},
		{"-1", numberType{16, false}, false}, {"-32768", numberType{16, true}, true}, {"32768", numberType{16, true}, false},
		{"1_000", numberType{16, false}, true}, {"", numberType{16, false}, false}, {"0x10", numberType{16, false}, false},
		{"340282366920938463463374607431768211455", numberType{128, false}, true}, {"340282366920938463463374607431768211456", numberType{128, false}, false},
	} {
		if n, err := parseInteger(tt.text, tt.t); (err == nil) != tt.ok {
			t.Errorf("%q of %v is %v, %v", tt.text, tt.t, n, err)
		}
	}
	for _, tt := range []struct{ text, name, bits string }{
		{"1.5", "U64F64", "27670116110564327424"}, {"-0.5", "I32F32", "-2147483648"}, {"0", "U64F64", "0"},
		{"-1", "U64F64", ""}, {"NaN", "U64F64", ""}, {"Inf", "U64F64", ""}, {"1e99999999", "I32F32", ""}, {"2147483648", "I32F32", ""}, {"x", "I32F32", ""},
	} {
		v, err := parseFixed(tt.text, fixedType.FindStringSubmatch(tt.name))
		if (err == nil) != (tt.bits != "") || err == nil && fmt.Sprint(v.(scale.Args)["bits"]) != tt.bits {
			t.Errorf("%q of %s is %v, %v", tt.text, tt.name, v, err)
		}
	}
	for text, want := range map[string]uint64{"500": 500, "7rao": 7, "0.5tao": 5e8, "2 TAO": 2e9} {
		if rao, err := parseRAO(text); err != nil || rao != want {
			t.Errorf("%q is %d, %v", text, rao, err)
		}
	}
	for _, bad := range []string{"", "tao", "-1", "1.5", "1e9tao"} {
		if rao, err := parseRAO(bad); err == nil {
			t.Errorf("%q is %d", bad, rao)
		}
	}
}

// FuzzParseFixed reads numbers as a person may mistype them.
func FuzzParseFixed(f *testing.F) {
	for _, s := range []string{"1.5", "-3", "1e400", "0x1p-2", "Inf", "", "1e-999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseFixed(text, fixedType.FindStringSubmatch("U64F64"))
		if err == nil && v == nil {
			t.Errorf("%q is nothing", text)
		}
	})
}
