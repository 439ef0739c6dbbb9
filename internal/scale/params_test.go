package scale_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
	"adit/internal/scale/scaletest"
)

// record is an event as a block lists it.
type record struct {
	Event  scaletest.RuntimeEvent
	Topics []scaletest.Hash
}

func (record) ScaleName() string { return "frame_system::EventRecord" }

// outcome is Rust's Result with a type of its own.
type outcome struct {
	scale.Enum
	Ok  *scale.Unit     `scale:"0"`
	Err *scaletest.Hash `scale:"1"`
}

func (outcome) ScaleName() string { return "Result" }

// other is called Result and is none.
type other struct{ Ok uint8 }

func (other) ScaleName() string { return "Result" }

// TestGenericParams looks for what clients read from the parameters of types.
func TestGenericParams(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{record{}, "E=RuntimeEvent T=H256"},
		{outcome{}, "T=() E=H256"},
		{scale.Result[scaletest.AccountID, scaletest.Hash]{}, "T=AccountId32 E=H256"},
		{scale.Option[scaletest.Hash]{}, "T=H256"},
		{other{}, ""},
		{scaletest.Hash{}, ""},
	} {
		m, id := describe(t, tt.v)
		var got []string
		for _, p := range m.Types[id].Params {
			of := &m.Types[p.Type.V]
			name := of.Name()
			if of.Def.Tuple != nil && len(*of.Def.Tuple) == 0 {
				name = "()"
			}
			got = append(got, p.Name+"="+name)
		}
		if d := cmp.Diff(tt.want, strings.Join(got, " ")); d != "" {
			t.Errorf("%T: %s", tt.v, d)
		}
	}
}

// TestOuterEnums finds the enums over all pallets where versions 15 and 16 say.
func TestOuterEnums(t *testing.T) {
	for _, given := range []bool{true, false} {
		def := scaletest.Runtime()
		if !given {
			def.Event = nil
		}
		built, err := scale.BuildMetadata(def)
		if err != nil {
			t.Fatal(err)
		}
		for name, id := range map[string]scale.TypeID{"RuntimeCall": built.Outer.V.Call, "RuntimeEvent": built.Outer.V.Event, "RuntimeError": built.Outer.V.Error} {
			ty := &built.Types[id]
			if ty.Name() != name {
				t.Errorf("%s is described as %s", name, ty.Name())
			}
			for _, v := range ty.Def.Variant.Variants {
				if p, err := built.Pallet(v.Name); err != nil || p.Index != v.Index {
					t.Errorf("%s has a variant %d, %s: %v", name, v.Index, v.Name, err)
				}
			}
		}
		if id, err := built.CallType(); err != nil || id != built.Outer.V.Call {
			t.Errorf("calls are of type %d, %v", id, err)
		}
	}
}

func TestTypeNamed(t *testing.T) {
	m := runtime(t)
	for _, name := range []string{"AccountId32", "sp_core::crypto::AccountId32"} {
		if id, err := m.TypeNamed(name); err != nil || m.Types[id].Name() != "AccountId32" {
			t.Errorf("%s is type %d, %v", name, id, err)
		}
	}
	if _, err := m.TypeNamed("Call"); err == nil || !strings.Contains(err.Error(), `types "Call", want one`) {
		t.Errorf("an ambiguous name: %v", err)
	}
	for _, name := range []string{"", "Nobody"} {
		if id, err := m.TypeNamed(name); err == nil {
			t.Errorf("%q is type %d", name, id)
		}
	}
}

// BenchmarkNeurons decodes what a metagraph of 256 neurons is made of by the names
// of the metadata, and fills Go structs with it.
func BenchmarkNeurons(b *testing.B) {
	type neuron struct {
		Hotkey, Coldkey                                              scaletest.AccountID
		UID, Netuid                                                  scale.Compact[uint16]
		Active                                                       bool
		Axon                                                         scaletest.AxonInfo
		Stake                                                        []scale.Tuple2[scaletest.AccountID, scale.Compact[uint64]]
		Rank, Trust, Consensus, Incentive, Dividends, ValidatorTrust scale.Compact[uint16]
		Emission, LastUpdate                                         scale.Compact[uint64]
		ValidatorPermit                                              bool
		Weights, Bonds                                               []scale.Tuple2[scale.Compact[uint16], scale.Compact[uint16]]
	}
	all := make([]neuron, 256)
	for i := range all {
		all[i].Stake = make([]scale.Tuple2[scaletest.AccountID, scale.Compact[uint64]], 1)
	}
	m, id := describe(b, all)
	raw, err := scale.Marshal(all)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		v, err := m.DecodeValue(id, scale.NewDecoder(raw))
		if err != nil {
			b.Fatal(err)
		}
		var back []neuron
		if err := scale.Assign(&back, v); err != nil {
			b.Fatal(err)
		}
	}
}
