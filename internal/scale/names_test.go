package scale

import (
	"bytes"
	"math/big"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	m, err := BuildMetadata(toyRuntime())
	if err != nil {
		t.Fatal(err)
	}
	if v, err := m.Constant("Balances", "ExistentialDeposit"); v != uint64(500) || err != nil {
		t.Errorf("constant = %v, %v", v, err)
	}
	if _, err := m.Constant("Balances", "Nothing"); err == nil {
		t.Error("a constant that is not there has a value")
	}
	m.Pallets[0].Constants[0].Value = []byte{1}
	if _, err := m.Constant("Balances", "ExistentialDeposit"); err == nil || !strings.Contains(err.Error(), "constant Balances.ExistentialDeposit") {
		t.Errorf("a constant cut short: %v", err)
	}
	e, err := m.ModuleError(5, 2)
	if err != nil || e.Error() != "Balances.InsufficientBalance: Balance too low. Really." {
		t.Errorf("error = %v, %v", e, err)
	}
	if b, err := m.StorageDefault("Balances", "TotalIssuance"); err != nil || !bytes.Equal(b, []byte{7, 0, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("default = %x, %v", b, err)
	}
	if b, err := m.StorageDefault("Balances", "Pair"); err != nil || b != nil {
		t.Errorf("default of an optional item = %x, %v", b, err)
	}
}

// TestPayload hashes what is longer than 256 bytes, and nothing else.
func TestPayload(t *testing.T) {
	long := bytes.Repeat([]byte{9}, 255)
	if got := Payload(long, nil, []byte{1}); !bytes.Equal(got, append(long, 1)) {
		t.Errorf("256 bytes are signed as %d", len(got))
	}
	sum := Blake2b256(append(long[:255:255], 2, 1))
	if got := Payload(long, []byte{2}, []byte{1}); !bytes.Equal(got, sum[:]) {
		t.Errorf("257 bytes are signed as %x, want their hash", got)
	}
}

// TestIntegers writes and reads integers of each size at their edges.
func TestIntegers(t *testing.T) {
	pow := func(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }
	one := big.NewInt(1)
	for p := U8; p <= I256; p++ {
		m := &Metadata{Types: []Type{{Def: TypeDef{Primitive: &p}}}}
		size, signed := p.integer()
		if size > 16 {
			want := bytes.Repeat([]byte{3}, 32)
			b, err := m.EncodeValue(0, want)
			if v, err2 := m.DecodeValue(0, NewDecoder(b)); err != nil || err2 != nil || !bytes.Equal(v.([]byte), want) {
				t.Errorf("primitive %d: %v, %v, %v", p, v, err, err2)
			}
			if _, err := m.EncodeValue(0, want[:31]); err == nil {
				t.Errorf("primitive %d: 31 bytes are written", p)
			}
			continue
		}
		least, most := new(big.Int), new(big.Int).Sub(pow(uint(8*size)), one)
		if signed {
			least = new(big.Int).Neg(pow(uint(8*size - 1)))
			most = new(big.Int).Sub(pow(uint(8*size-1)), one)
		}
		for _, n := range []*big.Int{least, most, new(big.Int)} {
			b, err := m.EncodeValue(0, n)
			if err != nil || len(b) != size {
				t.Errorf("primitive %d: %v is written as %x, %v", p, n, b, err)
				continue
			}
			v, err := m.DecodeValue(0, NewDecoder(b))
			w, err2 := wideOf(v)
			if err != nil || err2 != nil || w.big().Cmp(n) != 0 {
				t.Errorf("primitive %d: %v is read as %v, %v, %v", p, n, v, err, err2)
			}
		}
		for _, n := range []*big.Int{new(big.Int).Sub(least, one), new(big.Int).Add(most, one), pow(200), new(big.Int).Neg(pow(200))} {
			if b, err := m.EncodeValue(0, n); err == nil {
				t.Errorf("primitive %d: %v is written as %x", p, n, b)
			}
		}
	}
	char, text := Char, Str
	m := &Metadata{Types: []Type{{Def: TypeDef{Primitive: &char}}, {Def: TypeDef{Primitive: &text}}}}
	if b, err := m.EncodeValue(0, 'é'); err != nil || !bytes.Equal(b, []byte{0xe9, 0, 0, 0}) {
		t.Errorf("a character is written as %x, %v", b, err)
	}
	for in, id := range map[string]TypeID{"\x00\xd8\x00\x00": 0, "\x00\x00\x11\x00": 0, "\x04\xff": 1, "\x08a": 1} {
		if v, err := m.DecodeValue(id, NewDecoder([]byte(in))); err == nil {
			t.Errorf("%x is read as %q", in, v)
		}
	}
	for _, v := range []any{"x", rune(0xd800), nil} {
		if b, err := m.EncodeValue(0, v); err == nil {
			t.Errorf("%v is written as the character %x", v, b)
		}
	}
	if b, err := m.EncodeValue(1, "\xff"); err == nil {
		t.Errorf("what is no UTF-8 is written as the string %x", b)
	}
}
