package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// bin is a byte string that the vectors write as "0x…".
type bin []byte

func (b *bin) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(strings.TrimPrefix(string(text), "0x"))
	return err
}

type vector struct {
	URI, Mnemonic                              string
	Words                                      int
	Entropy, SecretSeed, PrivateKey, PublicKey bin
	Seed                                       bin
	Ed25519Public                              bin    `json:"ed25519_publicKey"`
	Ed25519SS58_0                              string `json:"ed25519_ss58_0"`
	Ed25519SS58_42                             string `json:"ed25519_ss58_42"`
	SS58                                       string
	SS58_0                                     string `json:"ss58_0"`
	SS58_42                                    string `json:"ss58_42"`
}

// vectors were recorded from the Rust wallet library and its tests.
func vectors(t *testing.T) (v struct {
	Mnemonics   []vector
	PrivateKeys []vector `json:"private_keys"`
	Seeds       []vector
	SS58        []vector
	Invalid     []string `json:"ss58_invalid"`
	URIs        []vector `json:"uris_sr25519"`
	Ed25519URIs []vector `json:"uris_ed25519"`
	FullSeeds   []struct {
		Password string
		Seed64   bin
	} `json:"substrate_bip39_full_seed"`
}) {
	t.Helper()
	read(t, "testdata/keys.json", &v)
	return v
}

func read(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// check compares a pair with what the vector gives of it.
func check(t *testing.T, p *Pair, v vector) {
	t.Helper()
	pub, s := p.Public(), p.Secret()
	if !bytes.Equal(pub[:], v.PublicKey) {
		t.Errorf("public key %x, want %x", pub, v.PublicKey)
	}
	if want := v.SS58 + v.SS58_42; p.Address() != want {
		t.Errorf("address %s, want %s", p.Address(), want)
	}
	if v.PrivateKey != nil && !bytes.Equal(s.Private[:], v.PrivateKey) {
		t.Errorf("private key %x, want %x", s.Private, v.PrivateKey)
	}
	if v.SecretSeed != nil && (s.Seed == nil || !bytes.Equal(s.Seed[:], v.SecretSeed)) {
		t.Errorf("seed %x, want %x", s.Seed, v.SecretSeed)
	}
	sig, err := p.Sign([]byte("message"))
	if err != nil || !Verify(pub, []byte("message"), sig) {
		t.Errorf("signature %x, %v does not verify", sig, err)
	}
}

func TestMnemonicVectors(t *testing.T) {
	for _, v := range vectors(t).Mnemonics {
		p, err := FromMnemonic(v.Mnemonic)
		if err != nil {
			t.Fatal(err)
		}
		check(t, p, v)
		if p.Secret().Mnemonic != v.Mnemonic {
			t.Errorf("the mnemonic is kept as %q", p.Secret().Mnemonic)
		}
		if got := address(p.Public(), 0); got != v.SS58_0 {
			t.Errorf("address with prefix 0 is %s, want %s", got, v.SS58_0)
		}
		mnemonic, p, err := Generate(bytes.NewReader(v.Entropy), v.Words)
		if err != nil || mnemonic != v.Mnemonic {
			t.Errorf("entropy %x makes %q, %v; want %q", v.Entropy, mnemonic, err, v.Mnemonic)
			continue
		}
		check(t, p, v)
	}
}

func TestSeedAndPrivateVectors(t *testing.T) {
	all := vectors(t)
	for _, v := range all.Seeds {
		p, err := FromSeed([32]byte(v.SecretSeed))
		if err != nil {
			t.Fatal(err)
		}
		check(t, p, v)
		if p, err = FromURI(fmt.Sprintf("0x%x", []byte(v.SecretSeed))); err != nil {
			t.Fatal(err)
		}
		check(t, p, v)
	}
	for _, v := range all.PrivateKeys {
		p, err := FromPrivate([64]byte(v.PrivateKey))
		if err != nil {
			t.Fatal(err)
		}
		check(t, p, v)
		if s := p.Secret(); s.Seed != nil || s.Mnemonic != "" {
			t.Error("a private key alone has a seed")
		}
	}
	if len(all.Seeds) == 0 || len(all.PrivateKeys) == 0 {
		t.Error("no vectors")
	}
}

func TestURIVectors(t *testing.T) {
	all := vectors(t)
	if len(all.URIs) < 13 {
		t.Fatalf("%d vectors", len(all.URIs))
	}
	for _, v := range all.URIs {
		p, err := FromURI(v.URI)
		if err != nil {
			t.Errorf("%s: %v", v.URI, err)
			continue
		}
		check(t, p, v)
		if v.SecretSeed == nil && p.Secret().Seed != nil {
			t.Errorf("%s: a softly derived key has a seed", v.URI)
		}
		// A wallet keeps the private key where there is no seed.
		again, err := FromPrivate(p.Secret().Private)
		if err != nil || again.Public() != p.Public() {
			t.Errorf("%s: the private key is another's", v.URI)
		}
	}
}

func TestPassword(t *testing.T) {
	abandon := strings.Repeat("abandon ", 11) + "about"
	for _, v := range vectors(t).FullSeeds {
		p, err := FromURI(abandon + "///" + v.Password)
		if err != nil {
			t.Fatal(err)
		}
		if seed := p.Secret().Seed; !bytes.Equal(seed[:], v.Seed64[:32]) {
			t.Errorf("password %q: seed %x, want %x", v.Password, seed[:], v.Seed64[:32])
		}
	}
}

func TestMnemonicSpaces(t *testing.T) {
	v := vectors(t).Mnemonics[0]
	p, err := FromMnemonic("  " + strings.ReplaceAll(v.Mnemonic, " ", " \t") + "\n")
	if err != nil {
		t.Fatal(err)
	}
	check(t, p, v)
}

func TestBadSecrets(t *testing.T) {
	good := vectors(t).Mnemonics[0].Mnemonic
	for _, uri := range []string{
		"", " ", "alice", "0x", "0x1234", "0x" + strings.Repeat("z", 64), "0x" + strings.Repeat("0", 66),
		strings.Replace(good, "old", "older", 1),
		strings.Replace(good, "old leopard", "leopard old", 1), // the checksum
		good + " old", good[:len(good)-7], strings.Repeat("abandon ", 12), good + "//",
	} {
		p, err := FromURI(uri)
		if err == nil {
			t.Errorf("%q is the key of %v", uri, p)
		} else if strings.Contains(err.Error(), "leopard") {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
	for _, private := range [][64]byte{{}, {31: 0xff}} {
		if p, err := FromPrivate(private); err == nil {
			t.Errorf("%x is the key of %v", private, p)
		}
	}
	for _, words := range []int{0, 11, 13, 27, -12} {
		if _, _, err := Generate(rand.Reader, words); err == nil {
			t.Errorf("%d words are generated", words)
		}
	}
	if _, _, err := Generate(strings.NewReader("short"), 12); err == nil {
		t.Error("randomness that ends is enough")
	}
}

func TestPrintingTellsNoSecret(t *testing.T) {
	p, err := FromURI("//Alice")
	if err != nil {
		t.Fatal(err)
	}
	const alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
	if got := fmt.Sprintf("%v %+v %s %#v", p, p, p, p); got != strings.Join([]string{alice, alice, alice, alice}, " ") {
		t.Error(got)
	}
}

func TestSignatureVectors(t *testing.T) {
	var v struct {
		SR25519 []struct {
			Message   string `json:"message_utf8"`
			Given     bin    `json:"message_as_given"`
			PublicKey bin
			Signer    string
			Signature bin
			Wrapped   string `json:"signed_bytes"`
		}
	}
	read(t, "testdata/signatures.json", &v)
	for _, s := range v.SR25519 {
		pub, err := ParseAddress(s.Signer)
		if s.PublicKey != nil {
			pub, err = [32]byte(s.PublicKey), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		msg := []byte(s.Message + string(s.Given))
		if got, want := Verify(pub, msg, s.Signature), s.Wrapped == ""; got != want {
			t.Errorf("Verify(%q, %x) = %v", msg, []byte(s.Signature), got)
		}
		if !VerifyWrapped(pub, msg, s.Signature) {
			t.Errorf("VerifyWrapped(%q, %x) = false", msg, []byte(s.Signature))
		}
		for _, bad := range [][]byte{nil, s.Signature[:63], append(s.Signature[:64:64], 0), make([]byte, 64), bytes.Repeat([]byte{255}, 64), flip(s.Signature, 0), flip(s.Signature, 40), flip(s.Signature, 63)} {
			if VerifyWrapped(pub, msg, bad) {
				t.Errorf("%x is a signature over %q", bad, msg)
			}
		}
		if VerifyWrapped(pub, append(msg, '!'), s.Signature) || VerifyWrapped([32]byte{}, msg, s.Signature) {
			t.Errorf("the signature over %q fits another message or key", msg)
		}
	}
	if len(v.SR25519) < 7 {
		t.Errorf("%d vectors", len(v.SR25519))
	}
}

// flip returns b with the highest bit of byte i turned.
func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0x80
	return b
}

func BenchmarkVerify(b *testing.B) {
	p, err := FromURI("//Alice")
	if err != nil {
		b.Fatal(err)
	}
	sig, err := p.Sign([]byte("message"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !Verify(p.Public(), []byte("message"), sig) {
			b.Fatal("no")
		}
	}
}
