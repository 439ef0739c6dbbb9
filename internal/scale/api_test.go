package scale_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
	"adit/internal/scale/scaletest"
)

// shop is a state that questions are asked about.
type shop struct{ prices map[string]uint64 }

type item struct {
	Name  string
	Price scale.Compact[uint64]
	Owner scale.Option[scaletest.AccountID]
}

type verdict = scale.Result[item, scale.Unit]

func (s *shop) find(name string) scale.Option[item] {
	price, ok := s.prices[name]
	return scale.Option[item]{Some: ok, V: item{Name: name, Price: scale.Compact[uint64]{V: price}}}
}

func shopAPIs() []scale.APIDef {
	return []scale.APIDef{{
		Name: "ShopApi", Version: 3, Doc: "What the shop has.",
		Methods: []scale.MethodDef{
			{Name: "find", Args: []string{"name"}, Doc: "One thing.", Func: (*shop).find},
			{Name: "sum", Args: []string{"names", "times"}, Func: func(s *shop, names []string, times uint8) (scale.U128, error) {
				var n uint64
				for _, name := range names {
					if _, ok := s.prices[name]; !ok {
						return scale.U128{}, fmt.Errorf("there is no %s", name)
					}
					n += s.prices[name] * uint64(times)
				}
				return scale.U128From(n), nil
			}},
			{Name: "judge", Args: []string{"x"}, Func: func(s *shop, x scale.OpaqueExtrinsic) verdict {
				if len(x) > 0 {
					return verdict{Ok: item{Name: hex.EncodeToString(x)}}
				}
				return verdict{Failed: true}
			}},
			{Name: "open", Func: func(fmt.Stringer) {}},
			{Name: "close", Func: func(*shop) error { return errors.New("it is closed") }},
		},
	}}
}

func (s *shop) String() string { return "shop" }

// shopRuntime is the runtime of the tests with the shop's API.
func shopRuntime(t testing.TB, version uint8) *scale.Metadata {
	t.Helper()
	def := scaletest.Runtime()
	def.APIs = shopAPIs()
	def.Custom = []scale.ConstantDef{{Name: "sign", Value: "open"}}
	built, err := scale.BuildMetadata(def)
	if err != nil {
		t.Fatal(err)
	}
	b, err := built.EncodeVersion(version)
	if err != nil {
		t.Fatal(err)
	}
	m, err := scale.ReadMetadata(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRuntimeCalls asks by name, from the metadata that the declarations become,
// what the same declarations answer.
func TestRuntimeCalls(t *testing.T) {
	apis, err := scale.NewAPIs[*shop](shopAPIs()...)
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{map[string]uint64{"pick": 70, "lamp": 5}}
	for _, version := range []uint8{15, 16} {
		m := shopRuntime(t, version)
		for _, tt := range []struct {
			method string
			args   []any
			want   any
			err    string
		}{
			{"find", []any{"pick"}, map[string]any{"name": "pick", "price": uint64(70), "owner": nil}, ""},
			{"find", []any{scale.Args{"name": "rope"}}, nil, ""},
			{"sum", []any{[]string{"pick", "lamp"}, 2}, scale.U128From(150), ""},
			{"sum", []any{[]string{"rope"}, 2}, nil, "call ShopApi_sum: there is no rope"},
			{"judge", []any{"\x01"}, scale.V("Ok", map[string]any{"name": "01", "price": uint64(0), "owner": nil}), ""},
			{"judge", []any{""}, scale.Variant{Name: "Err", Index: 1, Fields: []any{nil}}, ""},
			{"open", nil, nil, ""},
			{"close", nil, nil, "it is closed"},
			{"nap", nil, nil, `runtime API ShopApi has no method "nap"`},
			{"find", []any{1}, nil, "name: int is no string"},
			{"find", nil, nil, "0 values, want 1 (name)"},
		} {
			name, args, err := m.EncodeRuntimeCall("ShopApi", tt.method, tt.args...)
			var got any
			if err == nil {
				var b []byte
				if b, err = apis.Call(s, name, args); err == nil {
					got, err = m.DecodeRuntimeResult("ShopApi", tt.method, b)
				}
			}
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%s%v: %v, %v, want an error with %q", tt.method, tt.args, got, err, tt.err)
				}
			} else if d := cmp.Diff(tt.want, got); d != "" || err != nil {
				t.Errorf("%s%v: %v %s", tt.method, tt.args, err, d)
			}
		}
		if v, err := m.CustomValue("sign"); v != "open" || err != nil {
			t.Errorf("custom value = %v, %v", v, err)
		}
		x := m.Types[m.APIs[0].Methods[2].Inputs[0].Type]
		if x.Name() != "UncheckedExtrinsic" {
			t.Errorf("an extrinsic is described as %s", x.Name())
		}
	}
	if _, _, err := shopRuntime(t, 14).EncodeRuntimeCall("ShopApi", "find", "x"); err == nil || !strings.Contains(err.Error(), "version 14 describes none") {
		t.Errorf("of version 14: %v", err)
	}
	if _, err := apis.Call(s, "ShopApi_find", []byte{0, 0}); err == nil || !strings.Contains(err.Error(), "left over") {
		t.Errorf("a byte too many: %v", err)
	}
	if _, err := apis.Call(s, "ShopApi_find", []byte{4}); err == nil || !strings.Contains(err.Error(), "argument name") {
		t.Errorf("a byte too few: %v", err)
	}
	if _, err := apis.Call(s, "Core_version", nil); !errors.Is(err, scale.ErrNoMethod) {
		t.Errorf("an unknown method: %v", err)
	}
}

func TestAPIsRefused(t *testing.T) {
	for want, f := range map[string]scale.MethodDef{
		"int is no function":            {Func: 5},
		"<nil> is no function":          {},
		"does not take a state":         {Func: func() {}},
		"1 names":                       {Func: func(*shop) {}, Args: []string{"x"}},
		"more than a value":             {Func: func(*shop) (int8, int8) { return 0, 0 }},
		"kind int has no SCALE form":    {Func: func(*shop) int { return 0 }},
		"kind float64 has no":           {Func: func(*shop, float64) {}, Args: []string{"x"}},
		"it is about *big.Int, not *sc": {Func: func(*big.Int) {}},
	} {
		if _, err := scale.NewAPIs[*shop](scale.APIDef{Name: "A", Methods: []scale.MethodDef{f}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error with %q", f, err, want)
		}
	}
	f := scale.MethodDef{Name: "f", Func: func(*shop) {}}
	if _, err := scale.NewAPIs[*shop](scale.APIDef{Name: "A", Methods: []scale.MethodDef{f, f}}); err == nil {
		t.Error("two methods of one name are declared")
	}
}

// The numbers are those of Substrate's sp-api.
func TestAPIID(t *testing.T) {
	for name, want := range map[string]string{"Core": "df6acb689907609b", "Metadata": "37e397fc7c91f5e4", "BlockBuilder": "40fe3ad401f8959a"} {
		def := scale.APIDef{Name: name, Version: 4}
		if got := scale.ListAPIs([]scale.APIDef{def})[0]; hex.EncodeToString(got.F0[:]) != want || got.F1 != 4 {
			t.Errorf("%s = %x, want %s", name, got.F0, want)
		}
	}
}

func FuzzRuntimeCall(f *testing.F) {
	apis, err := scale.NewAPIs[*shop](shopAPIs()...)
	if err != nil {
		f.Fatal(err)
	}
	m := shopRuntime(f, 16)
	f.Add("find", []byte{16, 'p', 'i', 'c', 'k'})
	f.Add("sum", []byte{8, 4, 'a', 4, 'b', 7})
	f.Fuzz(func(t *testing.T, method string, args []byte) {
		b, err := apis.Call(&shop{map[string]uint64{"pick": 70}}, "ShopApi_"+method, args)
		if err != nil {
			return
		}
		if _, err := m.DecodeRuntimeResult("ShopApi", method, b); err != nil {
			t.Errorf("%s(%x) = %x: %v", method, args, b, err)
		}
	})
}
