package wallet

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/secretbox"
)

// bin is a byte string that the vectors write as "0x…".
type bin []byte

func (b *bin) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(strings.TrimPrefix(string(text), "0x"))
	return err
}

type sealed struct {
	Name, Password, Plaintext string
	DerivedKey                bin    `json:"derived_key"`
	FileBase64                []byte `json:"file_base64"`
	FileText                  string `json:"file_text"`
}

// sealedFiles were recorded from libsodium and python-cryptography.
func sealedFiles(t testing.TB) (v struct {
	NaCl   []sealed `json:"nacl"`
	Vault  []sealed `json:"ansible_vault"`
	Fernet []sealed `json:"fernet_legacy"`
}) {
	t.Helper()
	load(t, "testdata/keyfiles_encrypted.json", &v)
	if len(v.NaCl) != 5 || len(v.Vault) != 2 || len(v.Fernet) != 1 {
		t.Fatalf("%d, %d and %d vectors", len(v.NaCl), len(v.Vault), len(v.Fernet))
	}
	return v
}

func load(t testing.TB, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func TestNaClVectors(t *testing.T) {
	t.Parallel()
	for i, v := range sealedFiles(t).NaCl {
		plain, err := openBox(v.FileBase64[naclHead:], (*[24]byte)(v.FileBase64[len(naclMagic):]), (*[32]byte)(v.DerivedKey))
		if err != nil || string(plain) != v.Plaintext {
			t.Errorf("%s: %v", v.Name, err)
		}
		if k, err := parse(plain); err != nil || k.WatchOnly() {
			t.Errorf("%s: %v, %v", v.Name, k, err)
		}
		// To make the key of a password takes half a gigabyte and some seconds:
		// here only of the last one, which is not ASCII. conformance/wallet
		// opens them all.
		if testing.Short() || i < 4 {
			continue
		}
		key, err := naclKey(Password(v.Password), cost{})
		if err != nil || !bytes.Equal(key[:], v.DerivedKey) {
			t.Errorf("%s: key %x, %v", v.Name, key, err)
		}
	}
}

func TestVaultVectors(t *testing.T) {
	t.Parallel()
	for _, v := range sealedFiles(t).Vault {
		for _, text := range []string{v.FileText, strings.ReplaceAll(v.FileText, "\n", "\r\n"), strings.TrimSpace(v.FileText)} {
			plain, err := open([]byte(text), Password(v.Password), cost{})
			if err != nil || string(plain) != v.Plaintext {
				t.Errorf("%s: %v", v.Name, err)
			}
		}
		if _, err := open([]byte(v.FileText), Password("wrong"), cost{}); !errors.Is(err, ErrPassword) {
			t.Errorf("%s: a wrong password gives %v", v.Name, err)
		}
		for cut := 20; cut < len(v.FileText)-1; cut += 37 {
			if _, err := open([]byte(v.FileText[:cut]), Password(v.Password), cost{}); err == nil {
				t.Errorf("%s: cut off at %d it opens", v.Name, cut)
			}
		}
		if _, err := open([]byte(strings.Replace(v.FileText, "1.1", "1.2", 1)), Password(v.Password), cost{}); err == nil || !strings.Contains(err.Error(), "another version") {
			t.Errorf("%s: another version gives %v", v.Name, err)
		}
	}
}

func TestFernetVectors(t *testing.T) {
	t.Parallel()
	for _, v := range sealedFiles(t).Fernet {
		token, err := base64.URLEncoding.DecodeString(v.FileText)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := openToken(bytes.Clone(token), v.DerivedKey)
		if err != nil || string(plain) != v.Plaintext {
			t.Errorf("%s: %v", v.Name, err)
		}
		if _, err := openToken(token, make([]byte, 32)); !errors.Is(err, ErrPassword) {
			t.Errorf("%s: a wrong key gives %v", v.Name, err)
		}
		if _, err := openFernet([]byte(v.FileText[:60]), Password(v.Password)); !errors.Is(err, errDamaged) {
			t.Errorf("%s: cut off it gives %v", v.Name, err)
		}
		if testing.Short() {
			continue // ten million rounds
		}
		plain, err = open([]byte(v.FileText+"\n"), Password(v.Password), cost{})
		if err != nil || string(plain) != v.Plaintext {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

// cheap stands in for the cost that all tools have, in tests.
var cheap = cost{1, 8}

func TestSeal(t *testing.T) {
	t.Parallel()
	plain := []byte(`{"secretSeed":"` + seed + `"}`)
	a, err := seal(plain, Password("correct"), cheap)
	if err != nil {
		t.Fatal(err)
	}
	b, err := seal(plain, Password("correct"), cheap)
	if err != nil || bytes.Equal(a, b) {
		t.Errorf("sealed twice it is the same, %v", err)
	}
	if encryption(a) != NaCl || len(a) != naclHead+secretbox.Overhead+len(plain) {
		t.Errorf("sealed as %q", a)
	}
	if got, err := open(a, Password("correct"), cheap); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("opened: %q, %v", got, err)
	}
	if _, err := open(a, Password("Correct"), cheap); !errors.Is(err, ErrPassword) {
		t.Errorf("a wrong password gives %v", err)
	}
	for i := range a[len(naclMagic):] {
		bad := bytes.Clone(a)
		bad[len(naclMagic)+i] ^= 1
		if _, err := open(bad, Password("correct"), cheap); !errors.Is(err, ErrPassword) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	if _, err := open(a[:naclHead+15], Password("correct"), cheap); err == nil {
		t.Error("cut off it opens")
	}
}

func TestMeminfo(t *testing.T) {
	for _, tt := range []struct {
		text string
		want uint64
		ok   bool
	}{
		{"MemTotal: 9 kB\nMemAvailable:  1024 kB\nSwapFree: 1 kB\n", 1025 << 10, true},
		{"MemAvailable: 2 kB", 2 << 10, true},
		{"MemAvailable: 0 kB\nx:\n", 0, true},
		{"SwapFree: 2 kB\n", 2 << 10, false},
		{"MemAvailable: two kB\n", 0, false},
		{"MemAvailable: 99999999999999999 kB\n", 0, false},
		{"MemAvailable: -1 kB\n", 0, false},
		{"", 0, false},
	} {
		if got, ok := parseMeminfo(tt.text); got != tt.want || ok != tt.ok {
			t.Errorf("%q: %d, %v; want %d, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzSplitVault(f *testing.F) {
	for _, v := range sealedFiles(f).Vault {
		f.Add([]byte(v.FileText))
	}
	f.Add([]byte("$ANSIBLE_VAULT;1.1;AES256\n0a0a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		salt, sum, text, err := splitVault(bytes.Clone(b))
		if err == nil && 4*(len(salt)+len(sum)+len(text)) > len(b) {
			t.Errorf("%q has %d, %d and %d bytes", b, len(salt), len(sum), len(text))
		}
	})
}

func FuzzOpenBox(f *testing.F) {
	v := sealedFiles(f)
	f.Add(v.NaCl[0].FileBase64, []byte(v.NaCl[0].DerivedKey))
	f.Add([]byte("$NACL"), make([]byte, 32))
	f.Fuzz(func(t *testing.T, b, key []byte) {
		if len(b) < naclHead+secretbox.Overhead || len(key) != 32 {
			return // [openNaCl] makes sure
		}
		if plain, err := openBox(b[naclHead:], (*[24]byte)(b[len(naclMagic):]), (*[32]byte)(key)); err == nil && len(plain) >= len(b) {
			t.Errorf("%d bytes of %d", len(plain), len(b))
		}
	})
}

func FuzzOpenToken(f *testing.F) {
	for _, v := range sealedFiles(f).Fernet {
		token, err := base64.URLEncoding.DecodeString(v.FileText)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token, []byte(v.DerivedKey))
	}
	f.Fuzz(func(t *testing.T, token, key []byte) {
		if len(token) < 1+8+16+32 || len(key) != 32 {
			return // [openFernet] makes sure
		}
		if plain, err := openToken(bytes.Clone(token), key); err == nil && len(plain) >= len(token) {
			t.Errorf("%d bytes of %d", len(plain), len(token))
		}
	})
}

func FuzzUnpad(f *testing.F) {
	f.Add(bytes.Repeat([]byte{16}, 16))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := unpad(b); err == nil && (len(got) >= len(b) || len(b)-len(got) > 16) {
			t.Errorf("%x without padding is %x", b, got)
		}
	})
}
