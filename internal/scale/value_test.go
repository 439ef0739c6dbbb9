package scale_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
	"adit/internal/scale/scaletest"
)

func runtime(t testing.TB) *scale.Metadata {
	t.Helper()
	m, err := scale.BuildMetadata(scaletest.Runtime())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDecodeEvents(t *testing.T) {
	ok := scaletest.RuntimeEvent{System: &scaletest.SystemEvent{ExtrinsicSuccess: &struct{ DispatchInfo scaletest.DispatchInfo }{}}}
	added := scaletest.RuntimeEvent{SubtensorModule: &scaletest.SubtensorEvent{NetworkAdded: &scale.Tuple2[uint16, uint16]{F0: 7, F1: 1}}}
	one := uint32(1)
	b, err := scale.Marshal([]scaletest.EventRecord{
		{Phase: scaletest.Phase{Initialization: &scale.Unit{}}, Event: added},
		{Phase: scaletest.Phase{ApplyExtrinsic: &one}, Event: ok},
	})
	if err != nil {
		t.Fatal(err)
	}
	events, err := runtime(t).DecodeEvents(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 2 || events[0].Extrinsic != -1 || events[0].String() != "SubtensorModule.NetworkAdded" || events[0].At(0) != uint64(7) ||
		events[1].Extrinsic != 1 || events[1].String() != "System.ExtrinsicSuccess" {
		t.Errorf("events = %+v", events)
	}
}

func TestStorageValues(t *testing.T) {
	m := runtime(t)
	b, err := scale.Marshal(scaletest.AxonInfo{Block: 5, IP: scale.U128From(0x08080808), Port: 8091, IPType: 4})
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.DecodeStorage("SubtensorModule", "Axons", b)
	want := map[string]any{"block": uint64(5), "version": uint64(0), "ip": scale.U128From(0x08080808), "port": uint64(8091),
		"ip_type": uint64(4), "protocol": uint64(0), "placeholder1": uint64(0), "placeholder2": uint64(0)}
	if d := cmp.Diff(want, v); d != "" || err != nil {
		t.Error(d, err)
	}
	if v, err := m.DecodeStorage("SubtensorModule", "Axons", nil); v != nil || err != nil {
		t.Errorf("no axon = %v, %v", v, err)
	}
	if v, err := m.DecodeStorage("SubtensorModule", "Tempo", nil); v != uint64(360) || err != nil {
		t.Errorf("default tempo = %v, %v", v, err)
	}
	if _, err := m.DecodeStorage("SubtensorModule", "Tempo", []byte{1, 2, 3}); err == nil {
		t.Error("a u16 of three bytes is accepted")
	}
	if e, err := m.ModuleError(7, 29); err != nil || e.Pallet != "SubtensorModule" || e.Name != "SettingWeightsTooFast" {
		t.Errorf("error 29 of pallet 7 = %v, %v", e, err)
	}
	if _, err := m.ModuleError(7, 200); err == nil {
		t.Error("an error that is not there has a name")
	}
}

func TestEncodeCallRefuses(t *testing.T) {
	m := runtime(t)
	for _, tt := range []struct {
		pallet, call string
		args         []any
		want         string
	}{
		{"Nope", "x", nil, `no pallet "Nope"`},
		{"System", "x", nil, `no call "x"`},
		{"Drand", "x", nil, "no calls"},
		{"SubtensorModule", "start_call", nil, "0 values, want 1 (netuid)"},
		{"SubtensorModule", "start_call", []any{65536}, "65536 does not fit 16 bits"},
		{"SubtensorModule", "start_call", []any{-1}, "-1 does not fit 16 bits"},
		{"SubtensorModule", "start_call", []any{"seven"}, "string is no integer"},
		{"SubtensorModule", "start_call", []any{scale.Args{"uid": 1}}, "netuid is missing"},
		{"SubtensorModule", "start_call", []any{scale.Args{"netuid": 1, "uid": 1}}, "2 values, want 1"},
		{"SubtensorModule", "burned_register", []any{1, []byte{1}}, "1 bytes, want 32"},
		{"Balances", "transfer_keep_alive", []any{scale.V("Nobody"), 1}, `no variant "Nobody"`},
		{"Balances", "transfer_keep_alive", []any{[32]byte{}, new(big.Int).Lsh(big.NewInt(1), 64)}, "does not fit 64 bits"},
		{"Sudo", "sudo", []any{scale.Raw{9, 9}}, "unknown variant 9"},
	} {
		b, err := m.EncodeCall(tt.pallet, tt.call, tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s.%s(%v) = %x, %v, want an error with %q", tt.pallet, tt.call, tt.args, b, err, tt.want)
		}
	}
}

func TestExtensions(t *testing.T) {
	def := scaletest.Runtime()
	def.Extensions = append(def.Extensions, scale.ExtensionDef{Name: "Harmless", Extra: scale.Unit{}, Implicit: [0]uint32{}})
	m, err := scale.BuildMetadata(def)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Extensions(scale.SignedParts{Era: scale.ImmortalEra()}); err != nil {
		t.Error(err)
	}
	if _, _, err := m.Extensions(scale.SignedParts{}); err == nil {
		t.Error("no era is accepted")
	}
	def.Extensions = append(def.Extensions, scale.ExtensionDef{Name: "ChargeAssets", Extra: scale.Unit{}, Implicit: uint8(0)})
	if m, err = scale.BuildMetadata(def); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Extensions(scale.SignedParts{Era: scale.ImmortalEra()}); err == nil || !strings.Contains(err.Error(), "ChargeAssets") {
		t.Errorf("an unknown extension with content: %v", err)
	}
}

func TestMortalEra(t *testing.T) {
	for _, tt := range []struct {
		period, block, birth uint64
		era                  [2]byte
	}{
		{64, 1000, 1000, [2]byte{0x85, 0x02}}, // from polkadot-js
		{64, 1023, 1023, [2]byte{0xf5, 0x03}},
		{100, 1000, 1000, [2]byte{0x86, 0x06}}, // rounded up to 128
		{1 << 16, 100000, 100000, [2]byte{0xaf, 0x86}},
		{1 << 20, 100001, 100000, [2]byte{0xaf, 0x86}}, // long ones count in steps of 16 blocks
		{0, 7, 7, [2]byte{0x31, 0x00}},
	} {
		era, birth := scale.MortalEra(tt.period, tt.block)
		if [2]byte(era) != tt.era || birth != tt.birth {
			t.Errorf("MortalEra(%d, %d) = %x, %d, want %x, %d", tt.period, tt.block, era, birth, tt.era, tt.birth)
		}
	}
}

// FuzzDecode decodes by metadata whatever comes, as any type, and as foreign
// metadata says.
func FuzzDecode(f *testing.F) {
	m := runtime(f)
	call, err := m.EncodeCall("Commitments", "set_commitment", 7, []any{[]any{scale.V("BigRaw", "x")}})
	if err != nil {
		f.Fatal(err)
	}
	id, err := m.CallType()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(id), call)
	f.Add(uint16(0), []byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, id uint16, b []byte) {
		d := scale.NewDecoder(b)
		v, err := m.DecodeValue(scale.TypeID(id), d)
		if err != nil {
			return
		}
		again, err := m.EncodeValue(scale.TypeID(id), v)
		if read := b[:len(b)-d.Len()]; err != nil || string(again) != string(read) {
			t.Errorf("%x as type %d is %v and comes back as %x, %v", read, id, v, again, err)
		}
	})
}

// A type made of many nothings, or of itself, ends soon.
func TestBottomless(t *testing.T) {
	m := &scale.Metadata{}
	unit := []scale.TypeID{}
	m.Types = append(m.Types, scale.Type{Def: scale.TypeDef{Tuple: &unit}})
	for i := range 60 {
		pair := []scale.TypeID{scale.TypeID(i), scale.TypeID(i)}
		m.Types = append(m.Types, scale.Type{Def: scale.TypeDef{Tuple: &pair}})
	}
	self := scale.TypeID(61)
	m.Types = append(m.Types, scale.Type{Def: scale.TypeDef{Composite: &scale.Composite{Fields: []scale.Field{{Type: self}}}}})
	m.Types = append(m.Types, scale.Type{Def: scale.TypeDef{Sequence: new(scale.TypeID)}})
	for id, in := range map[scale.TypeID][]byte{60: nil, 61: nil, 62: {0xfe, 0xff, 0xff, 0xff}} {
		if v, err := m.DecodeValue(id, scale.NewDecoder(in)); err == nil {
			t.Errorf("type %d is read as %v", id, v)
		}
	}
	if _, err := m.EncodeValue(self, 1); err == nil {
		t.Error("a type made of itself is written")
	}
}
