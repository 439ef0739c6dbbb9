package ledger

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
)

// TestViewTypes compares the types of the runtime APIs, and the arguments of
// their methods, with those that the main network's runtime 424 declares.
func TestViewTypes(t *testing.T) {
	b, err := os.ReadFile("testdata/views-424.txt")
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(DevGenesis()).Describe(RuntimeAPIs()...)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, ty := range m.Types {
		if len(ty.Path) < 2 {
			continue
		}
		var parts []string
		switch d := ty.Def; {
		case d.Composite != nil:
			for _, f := range d.Composite.Fields {
				parts = append(parts, f.Name.V+": "+shapeName(m, f.Type))
			}
		case d.Variant != nil:
			for _, v := range d.Variant.Variants {
				if len(v.Fields) > 0 {
					parts = append(parts, fmt.Sprintf("%d %s %s", v.Index, v.Name, shapeName(m, v.Fields[0].Type)))
				}
			}
		}
		got["type "+strings.Join(ty.Path, "::")] = "= " + strings.Join(parts, ", ")
	}
	apis := 0
	for _, api := range m.APIs {
		for _, f := range api.Methods {
			var args []string
			for _, a := range f.Inputs {
				args = append(args, a.Name)
			}
			got["api "+api.Name+"_"+f.Name] = "(" + strings.Join(args, ",") + ")"
			apis++
		}
	}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		have, ok := got[f[0]+" "+f[1]]
		if f[0] == "api" {
			if ok {
				apis--
			} else {
				continue // a question about what the rules leave out
			}
		}
		if have != f[2] {
			t.Errorf("%s %s\n got %s\nwant %s", f[0], f[1], have, f[2])
		}
	}
	if apis != 0 {
		t.Errorf("%d methods are not in runtime 424", apis)
	}
}

func shapeName(m *scale.Metadata, id scale.TypeID) string {
	ty := &m.Types[id]
	switch d := ty.Def; {
	case len(ty.Path) > 0 && ty.Path[0] == "substrate_fixed":
		return ty.Name()
	case ty.Name() == "Option":
		return "Option<" + shapeName(m, d.Variant.Variants[1].Fields[0].Type) + ">"
	case len(ty.Path) > 0:
		return strings.Join(ty.Path, "::")
	case d.Compact != nil:
		return "Compact<" + shapeName(m, *d.Compact) + ">"
	case d.Sequence != nil:
		return "Vec<" + shapeName(m, *d.Sequence) + ">"
	case d.Array != nil:
		return fmt.Sprintf("[%s;%d]", shapeName(m, d.Array.Type), d.Array.Len)
	case d.Tuple != nil:
		var parts []string
		for _, e := range *d.Tuple {
			parts = append(parts, shapeName(m, e))
		}
		return "(" + strings.Join(parts, ",") + ")"
	case d.Primitive != nil:
		return primitiveNames[*d.Primitive]
	}
	return "?"
}

func TestViews(t *testing.T) {
	c := twoSubnets(t)
	alice, bob := dev("Alice"), dev("Bob")
	c.must(alice, &SetSubnetIdentity{Netuid: 1, SubnetName: []byte("one")}, &SetIdentity{Name: []byte("Alice")},
		&RootRegister{key(1)}, &AddStake{key(1), 0, 10 * tao})
	c.must(bob, &AddStake{key(1), 1, 20 * tao})
	raw, _ := RawData("hello")
	c.must(key(2), &SetCommitment{1, CommitmentInfo{Fields{raw}}})
	c.epochs(1)
	c.must(key(1), &SetWeights{1, []uint16{2, 3}, []uint16{1, 3}, 0})
	c.epochs(2)

	m := c.MetagraphOf(1).V
	neurons := c.Neurons(1)
	lite := c.NeuronsLite(1)
	if len(neurons) != 4 || len(lite) != 4 || len(m.Hotkeys) != 4 {
		t.Fatalf("%d, %d and %d neurons", len(neurons), len(lite), len(m.Hotkeys))
	}
	if got := c.NeuronLite(1, 3); !got.Some || !cmp.Equal(got.V, lite[3]) || c.Neuron(1, 4).Some || c.Neuron(9, 0).Some {
		t.Error("single neurons")
	}
	if w := neurons[1].Weights; len(w) != 2 || w[1].F1.V != 65535 || len(neurons[1].Bonds) == 0 {
		t.Errorf("weights %v", w)
	}
	if string(bytesOf(m.Name)) != "one" || string(bytesOf(m.Symbol)) != "α" || string(m.Identities[0].V.Name) != "Alice" {
		t.Errorf("names %s %s", bytesOf(m.Name), bytesOf(m.Symbol))
	}
	if m.TotalStake[1].V < m.AlphaStake[1].V || m.TaoStake[1].V != 10*tao || m.Incentives[3].V <= m.Incentives[2].V {
		t.Error("columns of the metagraph")
	}
	if m.AlphaDividendsPerHotkey[1].F1.V == 0 || m.LastStep.V == 0 || m.Block.V != c.number {
		t.Error("what the last epoch left")
	}

	some := c.SelectMetagraph(1, []uint16{1, 52, 72, 73, 9999}).V
	if !cmp.Equal(some.Name.V, m.Name) || !cmp.Equal(some.Hotkeys.V, m.Hotkeys) || some.Coldkeys.Some {
		t.Error("selected parts")
	}
	if len(some.Validators.V) == 0 || len(some.Commitments.V) != 1 || some.Commitments.V[0].F0 != key(2) {
		t.Errorf("validators %v, commitments %v", some.Validators.V, some.Commitments.V)
	}
	whole, picked := reflect.TypeFor[Metagraph](), reflect.TypeFor[SelectiveMetagraph]()
	for i := range whole.NumField() {
		if whole.Field(i).Name != picked.Field(i).Name {
			t.Fatalf("part %d: %s and %s", i, whole.Field(i).Name, picked.Field(i).Name)
		}
	}
	if picked.Field(selectValidators).Name != "Validators" || picked.Field(selectCommitments).Name != "Commitments" {
		t.Error("numbers of parts")
	}

	if d := c.DelegateInfoOf(key(1)); !d.Some || len(d.V.Nominators) != 2 || len(d.V.Registrations) != 2 || d.V.TotalDailyReturn.V == 0 {
		t.Errorf("delegate %+v", d)
	}
	if c.DelegateInfoOf(key(3)).Some || len(c.DelegateInfos()) == 0 || len(c.Delegated(bob)) == 0 {
		t.Error("delegates")
	}
	stakes := c.StakeInfoForColdkey(bob)
	var of1 uint64
	for _, s := range stakes {
		if s.Hotkey == key(1) {
			of1 = s.Stake.V
		}
	}
	if of1 != c.Stake(key(1), bob, 1) || of1 == 0 {
		t.Errorf("stakes %+v", stakes)
	}
	if got := c.StakeInfoForColdkeys([]AccountID{bob}); !cmp.Equal(got[0].F1, stakes) {
		t.Error("stakes of several")
	}
	if got := c.StakeAvailabilityFor([]AccountID{bob}, scale.SomeOf([]uint16{1})); len(got) != 1 || got[0].F1[0].F1.Available.V != of1 {
		t.Errorf("available %+v", got)
	}
	if sim := c.SimBuy(1, tao); sim.AlphaAmount != c.quoteBuy(1, tao, sim.TaoFee) || sim.TaoFee == 0 || sim.AlphaSlippage == 0 {
		t.Errorf("trade %+v", sim)
	}
	if p := c.Prices(); len(p) != 3 || p[1].Price != c.Price(1) {
		t.Errorf("prices %v", p)
	}
	here, there := scale.SomeOf(stakePlace{F0: key(1), F1: 1}), scale.SomeOf(stakePlace{F0: key(1), F1: 2})
	nowhere := scale.Option[stakePlace]{}
	if c.StakeFee(here, alice, here, alice, tao) != 0 || c.StakeFee(nowhere, alice, there, alice, tao) != c.tradeFee(2, tao) ||
		c.StakeFee(here, alice, there, alice, tao) == 0 || c.StakeFee(nowhere, alice, nowhere, alice, tao) != 0 {
		t.Error("fees of trades")
	}
	if h := c.Hyperparams(1).V; h.Tempo.V != 10 || h.ActivityCutoff.V != 138 {
		t.Errorf("settings %+v", h)
	}
	if got := len(c.HyperparamsV3(1).V); got < 25 || c.HyperparamsV3(9).Some {
		t.Errorf("%d settings", got)
	}
	if got := c.SubnetsInfo(); len(got) != 3 || got[2].V.Owner != bob {
		t.Errorf("subnets %+v", got)
	}
	if c.MetagraphOf(9).Some || c.SubnetState(9).Some || c.DynamicInfo(9).Some || c.Mechagraph(1, 1).Some || c.SubnetInfo(9).Some {
		t.Error("views of subnets that are not there")
	}
	if next := c.NextEpochStart(1); !next.Some || next.V <= c.number || c.NextEpochStart(0).Some {
		t.Error("next epoch")
	}
}

func bytesOf(v []scale.Compact[uint8]) []byte {
	out := make([]byte, len(v))
	for i, x := range v {
		out[i] = x.V
	}
	return out
}

// TestViewCalls asks each question as a node does, and reads the answers back
// by the metadata.
func TestViewCalls(t *testing.T) {
	c := twoSubnets(t)
	apis, err := scale.NewAPIs[*Ledger](RuntimeAPIs()...)
	if err != nil {
		t.Fatal(err)
	}
	before := c.s.mark()
	for _, tt := range []struct {
		name string
		args []byte
	}{
		{"SubnetInfoRuntimeApi_get_metagraph", []byte{1, 0}},
		{"SubnetInfoRuntimeApi_get_all_metagraphs", nil},
		{"SubnetInfoRuntimeApi_get_all_dynamic_info", nil},
		{"SubnetInfoRuntimeApi_get_subnet_hyperparams_v3", []byte{1, 0}},
		{"SubnetInfoRuntimeApi_get_selective_metagraph", []byte{1, 0, 8, 1, 0, 52, 0}},
		{"NeuronInfoRuntimeApi_get_neurons_lite", []byte{1, 0}},
		{"DelegateInfoRuntimeApi_get_delegates", nil},
	} {
		b, err := apis.Call(c.Ledger, tt.name, tt.args)
		if err != nil || len(b) < 1 {
			t.Errorf("%s: %d bytes, %v", tt.name, len(b), err)
		}
	}
	b, err := apis.Call(c.Ledger, "SubnetInfoRuntimeApi_get_metagraph", []byte{1, 0})
	if err != nil {
		t.Fatal(err)
	}
	var back scale.Option[Metagraph]
	if err := scale.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if again := must(scale.Marshal(back)); string(again) != string(b) {
		t.Error("the metagraph is not what was read back")
	}
	if c.s.mark() != before {
		t.Error("a view has written")
	}
}

func TestCompactU128(t *testing.T) {
	for _, n := range []scale.U128{{}, {Lo: 63}, {Lo: 1 << 40}, {Lo: 1<<64 - 1}, {Hi: 1}, {Lo: 5, Hi: 1 << 20}, {Lo: 1, Hi: 1<<64 - 1}} {
		b := must(scale.Marshal(CompactU128(n)))
		var back CompactU128
		if err := scale.Unmarshal(b, &back); err != nil || scale.U128(back) != n {
			t.Errorf("%v = %x = %v, %v", n, b, back, err)
		}
	}
	for _, b := range [][]byte{{}, {0x17, 1}, {0x17, 1, 0, 0, 0, 0, 0, 0, 0, 0}, {0xff, 1}} {
		var back CompactU128
		if scale.Unmarshal(b, &back) == nil {
			t.Errorf("read %x", b)
		}
	}
}
