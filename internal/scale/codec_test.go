package scale

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type tree struct {
	Enum
	Leaf *uint16   `scale:"3"`
	Pair *treePair `scale:"7"`
	List *[]tree   `scale:"8"`
	Nil  *Unit     `scale:"255"`
}

type treePair struct {
	Left, Right *tree
	Note        string
}

type everything struct {
	B   bool
	I8  int8
	I64 int64
	U16 uint16
	U   U128
	I   I128
	C   Compact[uint64]
	O   Option[uint32]
	T   Tuple2[uint8, string]
	A   [3]uint16
	H   [4]byte
	V   []Compact[uint16]
	X   []byte
	E   tree
	Skp chan int `scale:"-"`
}

func ptr[T any](v T) *T { return &v }

func TestCodec(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{true, "01"},
		{int8(-2), "fe"},
		{int64(-2), "feffffffffffffff"},
		{uint32(0x01020304), "04030201"},
		{U128{1, 2}, "01000000000000000200000000000000"},
		{I128{math.MaxUint64, -1}, "ffffffffffffffffffffffffffffffff"},
		{Compact[uint8]{63}, "fc"},
		{Compact[uint16]{64}, "0101"},
		{Compact[uint32]{16383}, "fdff"},
		{Compact[uint32]{16384}, "02000100"},
		{Compact[uint32]{1<<30 - 1}, "feffffff"},
		{Compact[uint64]{1 << 30}, "0300000040"},
		{Compact[uint64]{math.MaxUint64}, "13ffffffffffffffff"},
		{"hé", "0c68c3a9"},
		{[]uint16{1, 2}, "0801000200"},
		{[2]bool{true, false}, "0100"},
		{Option[uint8]{}, "00"},
		{SomeOf(uint8(5)), "0105"},
		{Result[uint8, uint16]{Ok: 5}, "0005"},
		{Result[uint8, uint16]{Failed: true, Err: 6}, "010600"},
		{Tuple8[uint8, bool, uint8, uint8, uint8, uint8, uint8, uint16]{1, true, 3, 4, 5, 6, 7, 8}, "010103040506070800"},
		{tree{Leaf: ptr(uint16(9))}, "030900"},
		{tree{Nil: &Unit{}}, "ff"},
		{&tree{Pair: &treePair{&tree{Nil: &Unit{}}, &tree{List: &[]tree{{Nil: &Unit{}}}}, "x"}}, "07ff0804ff0478"},
	} {
		b, err := Marshal(tt.v)
		if err != nil || hex.EncodeToString(b) != tt.want {
			t.Errorf("Marshal(%#v) = %x, %v, want %s", tt.v, b, err, tt.want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	in := everything{B: true, I8: -8, I64: math.MinInt64, U16: 16, U: U128{3, 4}, I: I128{5, -6}, C: Compact[uint64]{1 << 40},
		O: SomeOf(uint32(7)), T: Tuple2[uint8, string]{8, "nine"}, A: [3]uint16{1, 2, 3}, H: [4]byte{4, 5, 6, 7},
		V: []Compact[uint16]{{1}, {65535}}, X: []byte("bytes"), E: tree{List: &[]tree{{Leaf: ptr(uint16(1))}}}}
	b, err := Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out everything
	if err := Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(in, out, cmp.AllowUnexported(everything{})); d != "" {
		t.Error(d)
	}
	for n := range b {
		if err := Unmarshal(b[:n], &out); err == nil {
			t.Errorf("the first %d of %d bytes decode", n, len(b))
		}
	}
	if err := Unmarshal(append(b, 0), &out); err == nil {
		t.Error("a byte too many is accepted")
	}
}

func TestRefused(t *testing.T) {
	deep := strings.Repeat("0804", maxDepth) + "ff"
	for _, tt := range []struct {
		name, in string
		into     any
		want     string
	}{
		{"boolean 2", "02", new(bool), "no boolean"},
		{"long compact", "0100", new(Compact[uint32]), "shortest"},
		{"longer compact", "03ffffff3f", new(Compact[uint32]), "shortest"},
		{"padded compact", "070000004000", new(Compact[uint64]), "shortest"},
		{"compact over u16", "02000400", new(Compact[uint16]), "over 16 bits"},
		{"length without bytes", "feffffff00", new([]byte), "end of input"},
		{"elements without bytes", "feffffff00000000", new([]uint64), "end of input"},
		{"endless nothing", "feffffff", new([]Unit), "without content"},
		{"unknown variant", "09", new(tree), "unknown variant 9"},
		{"a third of two", "0200", new(Result[uint8, uint8]), "no boolean"},
		{"not UTF-8", "04ff", new(string), "UTF-8"},
		{"too deep", deep, new(tree), "nested deeper"},
	} {
		b, err := hex.DecodeString(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if err := Unmarshal(b, tt.into); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
	for _, v := range []any{tree{}, tree{Leaf: new(uint16), Nil: &Unit{}}, treePair{}, 5, map[string]bool{}, nil, (*tree)(nil),
		struct{ x int8 }{}, struct {
			Enum
			A *Unit
		}{}} {
		if b, err := Marshal(v); err == nil {
			t.Errorf("Marshal(%#v) = %x, want an error", v, b)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	b, err := Marshal(everything{E: tree{List: &[]tree{{Leaf: ptr(uint16(1))}}}, X: []byte{1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var v everything
		d := NewDecoder(b)
		if d.Decode(&v) != nil {
			return
		}
		again, err := Marshal(&v)
		if err != nil {
			t.Fatal(err)
		}
		if read := b[:len(b)-d.Len()]; string(again) != string(read) {
			t.Errorf("%x is read as %x", read, again)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	type extrinsic struct {
		Version   uint8
		Kind      uint8
		Signer    [32]byte
		SigKind   uint8
		Signature [64]byte
		Era       [2]byte
		Nonce     Compact[uint32]
		Tip       Compact[uint64]
		Mode      uint8
		Call      tree
	}
	raw, err := Marshal(extrinsic{Call: tree{Pair: &treePair{&tree{Nil: &Unit{}}, &tree{Leaf: new(uint16)}, "note"}}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var x extrinsic
		if err := Unmarshal(raw, &x); err != nil {
			b.Fatal(err)
		}
	}
}
