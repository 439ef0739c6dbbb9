package subtensor

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// Settings come as a list of names and values from newer runtimes, and as a struct
// from older ones.
func TestHyperparameters(t *testing.T) {
	t.Parallel()
	type value struct {
		scale.Enum
		Bool *bool                  `scale:"0"`
		U16  *scale.Compact[uint16] `scale:"1"`
	}
	type entry struct {
		Name  []byte
		Value value
	}
	yes := true
	newer := scale.MethodDef{Name: "get_subnet_hyperparams_v3", Args: []string{"netuid"}, Func: func(*fake, uint16) scale.Option[[]entry] {
		return scale.SomeOf([]entry{{[]byte("tempo"), value{U16: &scale.Compact[uint16]{V: 360}}}, {[]byte("on"), value{Bool: &yes}}})
	}}
	type old struct {
		Tempo scale.Compact[uint16]
		On    bool
	}
	older := scale.MethodDef{Name: "get_subnet_hyperparams", Args: []string{"netuid"}, Func: func(*fake, uint16) scale.Option[old] {
		return scale.SomeOf(old{scale.Compact[uint16]{V: 360}, true})
	}}
	for _, tt := range []struct {
		methods []scale.MethodDef
		want    []Hyperparameter
	}{
		{[]scale.MethodDef{older, newer}, []Hyperparameter{{"tempo", uint64(360)}, {"on", true}}},
		{[]scale.MethodDef{older}, []Hyperparameter{{"on", true}, {"tempo", uint64(360)}}},
	} {
		f := newFake(t, 0)
		f.withAPIs(scale.APIDef{Name: subnetAPI, Version: 1, Methods: tt.methods})
		c := dialFakes(t, Options{}, f)
		v, err := c.At(t.Context(), subnet.Latest)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Hyperparameters(t.Context(), 7)
		if d := cmp.Diff(tt.want, got); d != "" || err != nil {
			t.Errorf("%v %s", err, d)
		}
	}
}

func TestFixedPoint(t *testing.T) {
	t.Parallel()
	got, err := hyperparameters([]any{
		map[string]any{"name": []byte("steepness"), "value": scale.V("I32F32", map[string]any{"bits": int64(-1 << 31)})},
		map[string]any{"name": []byte("price"), "value": scale.V("U64F64", map[string]any{"bits": scale.U128{Hi: 3, Lo: 1 << 63}})},
	})
	if d := cmp.Diff([]Hyperparameter{{"steepness", -0.5}, {"price", 3.5}}, got); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	if _, err := hyperparameters([]any{7}); err == nil {
		t.Error("a number is a setting")
	}
}
