package keys

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestEd25519Vectors(t *testing.T) {
	all := vectors(t)
	for _, v := range all.Mnemonics {
		p, err := Ed25519.FromMnemonic(v.Mnemonic)
		if err != nil {
			t.Fatal(err)
		}
		checkEd25519(t, p, vector{PublicKey: v.Ed25519Public, SS58: v.Ed25519SS58_42, Seed: v.SecretSeed})
		if got, err := AddressWithPrefix(p.Public(), 0); err != nil || got != v.Ed25519SS58_0 {
			t.Errorf("address with prefix 0 is %s, %v; want %s", got, err, v.Ed25519SS58_0)
		}
		if p.Secret().Mnemonic != v.Mnemonic {
			t.Errorf("the mnemonic is kept as %q", p.Secret().Mnemonic)
		}
	}
	for _, v := range all.Ed25519URIs {
		p, err := Ed25519.FromURI(v.URI)
		if err != nil {
			t.Fatal(err)
		}
		checkEd25519(t, p, v)
	}
	if len(all.Ed25519URIs) == 0 {
		t.Error("no vectors")
	}
	if p, err := Ed25519.FromURI("//Alice/soft"); err == nil {
		t.Errorf("a soft junction gives %v", p)
	}
	if p, err := Scheme(7).FromURI("//Alice"); err == nil {
		t.Errorf("an unknown scheme gives %v", p)
	}
}

func checkEd25519(t *testing.T, p *Pair, v vector) {
	t.Helper()
	pub := p.Public()
	if !bytes.Equal(pub[:], v.PublicKey) || p.Address() != v.SS58 || p.Scheme() != Ed25519 {
		t.Errorf("%v key %x %s, want %x %s", p.Scheme(), pub, p.Address(), v.PublicKey, v.SS58)
	}
	if seed := p.Secret().Seed; seed == nil || !bytes.Equal(seed[:], v.Seed) {
		t.Errorf("seed %x, want %x", seed, v.Seed)
	}
	sig, err := p.Sign([]byte("message"))
	if err != nil || !Ed25519.Verify(pub, []byte("message"), sig) {
		t.Errorf("signature %x, %v does not verify", sig, err)
	}
	if Sr25519.Verify(pub, []byte("message"), sig) || Ed25519.Verify(pub, []byte("massage"), sig) ||
		Ed25519.Verify(pub, []byte("message"), sig[:63]) || Scheme(7).Verify(pub, []byte("message"), sig) {
		t.Error("a signature verifies for what it is not")
	}
	wrapped, err := p.Sign([]byte("<Bytes>message</Bytes>"))
	if err != nil || !Ed25519.VerifyWrapped(pub, []byte("message"), wrapped) || Ed25519.Verify(pub, []byte("message"), wrapped) {
		t.Errorf("a browser's signature: %v", err)
	}
}

// TestExpanded reads the secret key that polkadot.js keeps, and gives it back.
func TestExpanded(t *testing.T) {
	for _, uri := range []string{"//Alice", "//Bob", "//Bob/test", "/a/b/c"} {
		p, err := FromURI(uri)
		if err != nil {
			t.Fatal(err)
		}
		secret, ok := p.Expanded()
		if !ok {
			t.Fatal("no expanded form")
		}
		again, err := FromExpanded(secret)
		if err != nil || again.Public() != p.Public() || again.Secret().Private != p.Secret().Private {
			t.Errorf("%s: expanded and back it is %v, %v", uri, again, err)
		}
		secret[0] |= 1
		if p, err := FromExpanded(secret); err == nil {
			t.Errorf("%s: bits that are lost give %v", uri, p)
		}
	}
	p, err := Ed25519.FromURI("//Alice")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Expanded(); ok {
		t.Error("an ed25519 key has an sr25519 form")
	}
}

func TestWipe(t *testing.T) {
	for _, s := range []Scheme{Sr25519, Ed25519} {
		p, err := s.FromMnemonic(vectors(t).Mnemonics[0].Mnemonic)
		if err != nil {
			t.Fatal(err)
		}
		address, secret, words := p.Address(), p.Secret(), p.mnemonic
		p.Wipe()
		if sig, err := p.Sign([]byte("x")); err == nil {
			t.Errorf("%v: a wiped key signs: %x", s, sig)
		}
		if *secret.Seed != ([32]byte{}) || p.private != ([64]byte{}) || bytes.ContainsAny(words, "abcdefghijklmnopqrstuvwxyz") {
			t.Errorf("%v: something is left", s)
		}
		if p.Address() != address {
			t.Errorf("%v: the address is gone as well", s)
		}
		p.Wipe()
	}
}

func TestMnemonicForms(t *testing.T) {
	v := vectors(t).Mnemonics[0]
	words := strings.Fields(v.Mnemonic)
	numbered := make([]string, len(words))
	for i, w := range words {
		numbered[(i*5)%len(words)] = fmt.Sprintf("%d-%s", i+1, w)
	}
	for _, text := range []string{strings.ToUpper(v.Mnemonic), strings.Join(numbered, " "), strings.Join(numbered, "\n")} {
		p, err := FromMnemonic(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		check(t, p, v)
		if p.Secret().Mnemonic != v.Mnemonic {
			t.Errorf("%q is kept as %q", text, p.Secret().Mnemonic)
		}
	}
	with := func(i int, w string) string {
		bad := append([]string(nil), words...)
		bad[i] = w
		return strings.Join(bad, " ")
	}
	bad := func(i int, w string) string {
		list := append([]string(nil), numbered...)
		list[i] = w
		return strings.Join(list, " ")
	}
	for text, want := range map[string]string{
		with(3, "ribs"):                "word 4 is not in the English list",
		with(11, "the"):                "word 12 is not",
		with(0, "zoo"):                 "the checksum in the last word does not fit",
		bad(3, "plain"):                "word 4 is not numbered",
		bad(3, "13-rib"):               "word 4 is not numbered",
		bad(3, "0-rib"):                "word 4 is not numbered",
		bad(1, numbered[0]):            "two words have number 1",
		strings.Repeat("rib ", 13):     "13 words",
		strings.Repeat("abandon", 1e4): "70000 bytes",
	} {
		p, err := FromMnemonic(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v, %v; want … %s …", text, p, err, want)
		} else if strings.Contains(err.Error(), "rib") || strings.Contains(err.Error(), "leopard") {
			t.Errorf("the error tells words: %v", err)
		}
	}
}

func TestMessage(t *testing.T) {
	for text, want := range map[string]string{
		"0x68656c6c6f": "hello", "0x": "", "": "", "hello": "hello",
		"0x6": "0x6", "0xzz": "0xzz", "68656c6c6f": "68656c6c6f", "0X68": "0X68",
	} {
		if got := string(Message(text)); got != want {
			t.Errorf("%q is signed as %q, want %q", text, got, want)
		}
	}
}

func TestAddressWithPrefix(t *testing.T) {
	pub := [32]byte{1, 2, 3}
	for _, prefix := range []uint16{0, 2, 42, 63, 64, 255, 256, 1284, 13116, 16383} {
		s, err := AddressWithPrefix(pub, prefix)
		if err != nil {
			t.Fatal(err)
		}
		got, p, err := ParseAddressPrefix(s)
		if err != nil || got != pub || p != prefix {
			t.Errorf("prefix %d: %s is read as %x, %d, %v", prefix, s, got, p, err)
		}
	}
	if s, err := AddressWithPrefix(pub, 16384); err == nil {
		t.Errorf("a prefix of 15 bits gives %s", s)
	}
}

func FuzzFromMnemonic(f *testing.F) {
	f.Add("old leopard transfer rib spatial phone calm indicate online fire caution review")
	f.Add("1-old 2-leopard 3-transfer 4-rib 5-spatial 6-phone 7-calm 8-indicate 9-online 10-fire 11-caution 12-review")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := FromMnemonic(text)
		if err != nil {
			return
		}
		again, err := FromMnemonic(p.Secret().Mnemonic)
		if err != nil || again.Public() != p.Public() {
			t.Errorf("the phrase kept of %q is another key's: %v", text, err)
		}
	})
}

func FuzzFromExpanded(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 64 {
			return
		}
		p, err := FromExpanded([64]byte(b))
		if err != nil {
			return
		}
		if got, _ := p.Expanded(); !bytes.Equal(got[:], b) {
			t.Errorf("%x comes back as %x", b, got)
		}
	})
}
