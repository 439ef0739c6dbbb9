package keys

import (
	"bytes"
	"testing"

	"github.com/decred/base58"
)

func TestAddressVectors(t *testing.T) {
	all := vectors(t)
	for _, v := range all.SS58 {
		pub := [32]byte(v.PublicKey)
		if got := Address(pub); got != v.SS58_42 {
			t.Errorf("Address(%x) = %s, want %s", pub, got, v.SS58_42)
		}
		if got, err := ParseAddress(v.SS58_42); err != nil || got != pub {
			t.Errorf("ParseAddress(%s) = %x, %v", v.SS58_42, got, err)
		}
		if v.SS58_0 == "" {
			continue
		}
		if got, prefix, err := ParseAddressPrefix(v.SS58_0); err != nil || got != pub || prefix != 0 {
			t.Errorf("ParseAddressPrefix(%s) = %x, %d, %v", v.SS58_0, got, prefix, err)
		}
		if _, err := ParseAddress(v.SS58_0); err == nil {
			t.Errorf("ParseAddress takes %s, of another network", v.SS58_0)
		}
	}
	for _, s := range all.Invalid {
		if pub, err := ParseAddress(s); err == nil {
			t.Errorf("ParseAddress(%q) = %x", s, pub)
		}
	}
}

func TestPrefixes(t *testing.T) {
	pub := [32]byte(bytes.Repeat([]byte{7}, 32))
	for _, prefix := range []uint16{0, 1, 42, 63, 64, 65, 255, 256, 16382, 16383} {
		s := address(pub, prefix)
		if got, p, err := ParseAddressPrefix(s); err != nil || got != pub || p != prefix {
			t.Errorf("prefix %d: %s → %x, %d, %v", prefix, s, got, p, err)
		}
	}
	// The registry's own example of two bytes: prefix 252 begins with 0x7f00.
	if b := base58.Decode(address(pub, 252)); b[0] != 0x7f || b[1] != 0 {
		t.Errorf("prefix 252 is written %x", b[:2])
	}
	long := append([]byte{0x40 | 42>>2, 42 & 3 << 6}, pub[:]...)
	sum := checksum(long)
	if _, p, err := ParseAddressPrefix(base58.Encode(append(long, sum[:]...))); err == nil {
		t.Errorf("prefix %d is read from two bytes", p)
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY")
	f.Add("16nfFzYQPHsjA4QTuXt2NuGReV9J4BdXBwZ8cgeJTrbVH61f")
	f.Add(address([32]byte{1}, 16383))
	f.Add("blabla")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		pub, prefix, err := ParseAddressPrefix(s)
		if err != nil {
			return
		}
		if again := address(pub, prefix); again != s {
			t.Errorf("%q and %q are one address", s, again)
		}
	})
}

func FuzzFromURI(f *testing.F) {
	f.Add("//Alice")
	f.Add("0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a/a//1///p")
	f.Add("bottom drive obey lake curtain smoke basket hold race lonely fit walk//0/1")
	f.Fuzz(func(t *testing.T, uri string) {
		if len(uri) > 300 {
			return
		}
		p, err := FromURI(uri)
		if err != nil {
			return
		}
		again, err := FromURI(uri)
		if err != nil || again.Secret().Private != p.Secret().Private {
			t.Errorf("%q is two keys", uri)
		}
	})
}
