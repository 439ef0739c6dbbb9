package scale_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
)

// colour is an enum with each kind of variant.
type colour struct {
	scale.Enum
	None *scale.Unit                   `scale:"0"` // named as one of Option's
	RGB  *scale.Tuple2[uint8, uint8]   `scale:"1"`
	Name *string                       `scale:"2"`
	Mix  *struct{ A, B uint8 }         `scale:"5"`
	Deep *scale.Option[scale.I128]     `scale:"6"`
	Some *scale.Option[scale.Unit]     `scale:"7"`
	List *[]scale.Compact[uint16]      `scale:"8"`
	Err  *scale.Result[colour2, uint8] `scale:"9"`
}

type colour2 struct {
	scale.Enum
	Red *scale.Unit `scale:"3"`
}

type thing struct {
	Flag    bool
	Small   int8
	Long    int64
	U       scale.U128
	I       scale.I128
	C       scale.Compact[uint32]
	Maybe   scale.Option[colour]
	Perhaps scale.Option[scale.Option[uint16]]
	Nothing scale.Option[scale.Unit]
	Hash    [4]byte
	Raw     []byte
	Words   []uint16
	Pair    scale.Tuple2[string, [2]bool]
	Boxed   *colour
	R       scale.Result[uint8, colour2]
}

func ptr[T any](v T) *T { return &v }

func things() []thing {
	base := thing{Small: -3, Long: -1 << 62, U: scale.U128{Lo: 5, Hi: 6}, I: scale.I128{Lo: 7, Hi: -8}, C: scale.Compact[uint32]{V: 1 << 20},
		Hash: [4]byte{1, 2, 3, 4}, Raw: []byte("raw"), Words: []uint16{9, 65535},
		Pair: scale.Tuple2[string, [2]bool]{F0: "é", F1: [2]bool{true, false}}, Boxed: &colour{RGB: &scale.Tuple2[uint8, uint8]{F0: 1, F1: 2}},
		R: scale.Result[uint8, colour2]{Failed: true, Err: colour2{Red: &scale.Unit{}}}}
	all := []thing{base}
	for _, c := range []colour{{None: &scale.Unit{}}, {Name: ptr("red")}, {Mix: &struct{ A, B uint8 }{3, 4}}, {Deep: &scale.Option[scale.I128]{}},
		{Deep: ptr(scale.SomeOf(scale.I128{Lo: ^uint64(0), Hi: -1}))}, {Some: &scale.Option[scale.Unit]{}}, {Some: ptr(scale.SomeOf(scale.Unit{}))},
		{List: &[]scale.Compact[uint16]{{V: 3}}}, {Err: &scale.Result[colour2, uint8]{Ok: colour2{Red: &scale.Unit{}}}}} {
		x := base
		x.Flag = !base.Flag
		x.Maybe = scale.SomeOf(c)
		x.Perhaps = scale.SomeOf(scale.Option[uint16]{})
		x.Nothing = scale.SomeOf(scale.Unit{})
		x.Boxed = &c
		x.R = scale.Result[uint8, colour2]{Ok: 200}
		all = append(all, x)
	}
	all[1].Perhaps = scale.SomeOf(scale.SomeOf(uint16(6)))
	return all
}

// describe returns metadata with the type of v.
func describe(t testing.TB, v any) (*scale.Metadata, scale.TypeID) {
	t.Helper()
	r := scale.NewRegistry()
	id, err := r.TypeOf(v)
	if err != nil {
		t.Fatal(err)
	}
	return &scale.Metadata{Types: r.Types()}, id
}

// TestFourWays takes values from Go to bytes and back, statically and by metadata,
// and mixed: all must agree.
func TestFourWays(t *testing.T) {
	m, id := describe(t, thing{})
	for i, x := range things() {
		static, err := scale.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := m.EncodeValue(id, x); err != nil || string(b) != string(static) {
			t.Errorf("%d: by names %x, %v, want %x", i, b, err, static)
		}
		v, err := m.DecodeValue(id, scale.NewDecoder(static))
		if err != nil {
			t.Errorf("%d: %v", i, err)
			continue
		}
		if b, err := m.EncodeValue(id, v); err != nil || string(b) != string(static) {
			t.Errorf("%d: %v is written as %x, %v, want %x", i, v, b, err, static)
		}
		var back thing
		if err := scale.Assign(&back, v); err != nil {
			t.Errorf("%d: %v", i, err)
		} else if d := cmp.Diff(x, back); d != "" {
			t.Errorf("%d: %s", i, d)
		}
	}
}

func TestAssign(t *testing.T) {
	type newer struct {
		Known uint8
		Later scale.Option[string] // of a later runtime
	}
	got := newer{Later: scale.SomeOf("stale")}
	if err := scale.Assign(&got, map[string]any{"other": true, "known": uint64(255)}); err != nil || got != (newer{Known: 255}) {
		t.Errorf("%+v, %v", got, err)
	}
	var n *big.Int
	if err := scale.Assign(&n, scale.I128{Lo: 5, Hi: -1}); err != nil || n.Cmp(new(big.Int).SetInt64(5).Sub(big.NewInt(5), new(big.Int).Lsh(big.NewInt(1), 64))) != 0 {
		t.Errorf("%v, %v", n, err)
	}
	var anything any
	if err := scale.Assign(&anything, scale.V("x")); err != nil || anything.(scale.Variant).Name != "x" {
		t.Errorf("%v, %v", anything, err)
	}
	for _, tt := range []struct {
		dst, v any
		want   string
	}{
		{new(uint8), uint64(256), "256 does not fit uint8"},
		{new(uint8), int64(-1), "-1 does not fit"},
		{new(int8), uint64(128), "does not fit"},
		{new(scale.U128), int64(-1), "does not fit"},
		{new(scale.I128), scale.U128{Hi: 1 << 63}, "does not fit"},
		{new(string), []byte("x"), "[]uint8 is no string"},
		{new([2]byte), []byte("x"), "1 bytes, want 2"},
		{new([]uint8), []any{"x"}, "[0]: string is no integer"},
		{new(newer), map[string]any{}, "no field known"},
		{new(newer), nil, "is no scale_test.newer"},
		{new(colour), scale.V("Blue"), "no variant Blue"},
		{new(colour), scale.V("Name", uint64(1)), "Name: uint64 is no string"},
		{new(colour), uint64(1), "uint64 is no"},
		{new(scale.Result[uint8, uint8]), scale.V("Maybe"), "is no scale.Result"},
		{new(scale.Unit), uint64(1), "is not nothing"},
		{new(bool), nil, "is no bool"},
		{new(float64), uint64(1), "is no float64"},
		{uint8(0), uint64(1), "not a pointer"},
		{(*uint8)(nil), uint64(1), "not a pointer"},
	} {
		if err := scale.Assign(tt.dst, tt.v); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%T from %v: %v, want an error with %q", tt.dst, tt.v, err, tt.want)
		}
	}
}

// The bytes are those of bitvec's documentation of its memory: Lsb0 counts from
// the lowest bit of a word, Msb0 from the highest.
func TestBits(t *testing.T) {
	r := scale.NewRegistry()
	var m scale.Metadata
	id := func(v any) scale.TypeID {
		id, err := r.TypeOf(v)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	order := func(name string) scale.TypeID {
		return r.Add(scale.Type{Path: []string{"bitvec", "order", name}, Def: scale.TypeDef{Composite: &scale.Composite{}}})
	}
	add := func(store, order scale.TypeID) scale.TypeID {
		return r.Add(scale.Type{Def: scale.TypeDef{BitSequence: &scale.BitSequence{Store: store, Order: order}}})
	}
	lsb, msb := order("Lsb0"), order("Msb0")
	ten := []bool{true, false, false, false, false, false, false, true, false, true}
	for _, tt := range []struct {
		id   scale.TypeID
		want string
	}{
		{add(id(uint8(0)), lsb), "\x28\x81\x02"},
		{add(id(uint8(0)), msb), "\x28\x81\x40"},
		{add(id(uint16(0)), lsb), "\x28\x81\x02"},
		{add(id(uint16(0)), msb), "\x28\x40\x81"},
		{add(id(uint64(0)), lsb), "\x28\x81\x02\x00\x00\x00\x00\x00\x00"},
	} {
		m.Types = r.Types()
		b, err := m.EncodeValue(tt.id, ten)
		if err != nil || string(b) != tt.want {
			t.Errorf("%x, %v, want %x", b, err, tt.want)
			continue
		}
		v, err := m.DecodeValue(tt.id, scale.NewDecoder(b))
		x, ok := v.(scale.Bits)
		if err != nil || !ok || x.N != 10 {
			t.Errorf("%v, %v", v, err)
			continue
		}
		for i, want := range ten {
			if x.At(uint64(i)) != want {
				t.Errorf("%x: bit %d is %v", tt.want, i, !want)
			}
		}
		if x.At(10) {
			t.Error("there is an eleventh bit")
		}
		if again, err := m.EncodeValue(tt.id, x); err != nil || string(again) != tt.want {
			t.Errorf("%x comes back as %x, %v", tt.want, again, err)
		}
		x.N = 100
		if _, err := m.EncodeValue(tt.id, x); err == nil {
			t.Error("a hundred bits in too few bytes are written")
		}
	}
	text := add(id(""), lsb)
	bytes := add(id(uint8(0)), lsb)
	m.Types = r.Types()
	for id, in := range map[scale.TypeID]string{text: "\x04\x01", bytes: "\x13\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if v, err := m.DecodeValue(id, scale.NewDecoder([]byte(in))); err == nil {
			t.Errorf("%x is read as %v", in, v)
		}
	}
}
