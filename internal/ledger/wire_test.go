package ledger

import (
	"bytes"
	"testing"

	"adit/internal/scale"
)

func TestEra(t *testing.T) {
	for _, tt := range []struct {
		era  Era
		wire []byte
	}{
		{Era{}, []byte{0}},
		{Era{64, 1000 % 64}, []byte{0x85, 0x02}},
		{Era{32768, 20000}, []byte{0x4e, 0x9c}}, // the phase counts in eights
	} {
		b, err := tt.era.AppendSCALE(nil)
		if err != nil || !bytes.Equal(b, tt.wire) {
			t.Errorf("%+v = %x, %v; want %x", tt.era, b, err, tt.wire)
		}
		var back Era
		if err := scale.Unmarshal(tt.wire, &back); err != nil || back != tt.era {
			t.Errorf("%x = %+v, %v; want %+v", tt.wire, back, err, tt.era)
		}
	}
	for _, e := range []struct{ now, birth, death uint64 }{{1000, 1000, 1064}, {1063, 1000, 1064}, {1064, 1064, 1128}, {999, 936, 1000}} {
		era := Era{64, 1000 % 64}
		if b, d := era.birth(e.now), era.death(e.now); b != e.birth || d != e.death {
			t.Errorf("in block %d the era is [%d, %d), want [%d, %d)", e.now, b, d, e.birth, e.death)
		}
	}
}

// FuzzWire reads the two formats that are written by hand: what is read is
// written back as it was.
func FuzzWire(f *testing.F) {
	f.Add([]byte{4, 36, 'h', 'e', 'l', 'l', 'o', ' ', 'h', 'e', 'l', 'l', 'o', ' ', 'h', 'e', 'l', 'l', 'o', ' ', 'h', 'e', 'l', 'l', 'o', ' ', 'h', 'e', 'l', 'l', 'o', ' ', 'h', 'e', 'l', 'l', 'o'})
	f.Add([]byte{12, 0, 135, 134, 8, 1, 2, 0xe8, 3, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{8, 136, 4, 'x', 1})
	f.Add([]byte{0x85, 0x02})
	f.Add([]byte{0x4e, 0x9c})
	f.Add([]byte{12, 1, 2, 3})
	f.Add([]byte{0x17, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var ct Ciphertext
		if scale.Unmarshal(b, &ct) == nil {
			if got, err := scale.Marshal(ct); err != nil || !bytes.Equal(got, b) || len(ct) > maxCiphertext {
				t.Errorf("ciphertext %x is written back as %x, %v", b, got, err)
			}
		}
		var n CompactU128
		if scale.Unmarshal(b, &n) == nil {
			var back CompactU128
			if err := scale.Unmarshal(must(scale.Marshal(n)), &back); err != nil || back != n {
				t.Errorf("integer %x is %v and %v, %v", b, n, back, err)
			}
		}
		var info CommitmentInfo
		if scale.Unmarshal(b, &info) == nil {
			if got, err := scale.Marshal(info); err != nil || !bytes.Equal(got, b) {
				t.Errorf("commitment %x is written back as %x, %v", b, got, err)
			}
			if len(info.Fields) > maxFields {
				t.Errorf("%d fields", len(info.Fields))
			}
		}
		var era Era
		if scale.Unmarshal(b, &era) == nil {
			if got, err := scale.Marshal(era); err != nil || !bytes.Equal(got, b) {
				t.Errorf("era %x is written back as %x, %v", b, got, err)
			}
		}
	})
}

// TestKeySet keeps a set against a map.
func TestKeySet(t *testing.T) {
	s := newState()
	for i := range 5000 {
		k := key(i % 3000)
		if i%7 == 0 {
			s.put(string(k[:]), nil)
		} else {
			s.put(string(k[:]), []byte{1})
		}
	}
	all := s.under("", "", -1)
	if len(all) != len(s.values) {
		t.Fatalf("%d keys in order, %d values", len(all), len(s.values))
	}
	for i, k := range all {
		if i > 0 && all[i-1] >= k {
			t.Fatalf("keys %d and %d are out of order", i-1, i)
		}
	}
	var paged []string
	for after := ""; ; {
		page := s.under("", after, 100)
		if len(page) == 0 {
			break
		}
		paged, after = append(paged, page...), page[len(page)-1]
	}
	if len(paged) != len(all) {
		t.Errorf("%d keys by pages, %d at once", len(paged), len(all))
	}
	s.rollback(0)
	if len(s.values) != 0 || len(s.under("", "", -1)) != 0 {
		t.Error("rolled back, something is left")
	}
}
