package wallet

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/secretbox"

	"adit/internal/keys"
)

// exported is an account as polkadot.js exported it, and what is in it.
type exported struct {
	JSON       json.RawMessage
	Passphrase string
	SS58       string `json:"derived_ss58"`
	Private    bin    `json:"schnorrkel_privateKey"`
	Decrypted  struct {
		Secret bin `json:"secret_ed25519_form"`
		Public bin `json:"publicKey"`
	}
}

func exportVector(t testing.TB) (v exported) {
	t.Helper()
	load(t, "testdata/polkadotjs_json.json", &v)
	return v
}

func TestFromJSONVector(t *testing.T) {
	t.Parallel()
	v := exportVector(t)
	k, err := FromJSON(v.JSON, Password(v.Passphrase))
	if err != nil {
		t.Fatal(err)
	}
	if private := k.pair.Secret().Private; k.Address() != v.SS58 || !bytes.Equal(private[:], v.Private) {
		t.Errorf("key %s, %x", k, private)
	}
	if !JSONEncrypted(v.JSON) || JSONEncrypted([]byte("{}")) || JSONEncrypted([]byte("x")) {
		t.Error("what is encrypted is not told")
	}
	if _, err := FromJSON(v.JSON, Password("password123")); !errors.Is(err, ErrPassword) {
		t.Errorf("a wrong password gives %v", err)
	}
}

func TestExportJSON(t *testing.T) {
	t.Parallel()
	for _, scheme := range []keys.Scheme{keys.Sr25519, keys.Ed25519} {
		k, err := FromMnemonic(scheme, phrase)
		if err != nil {
			t.Fatal(err)
		}
		b, err := exportJSON(k.pair, "w", Password("pässword"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := FromJSON(b, Password("pässword"))
		if err != nil || again.public != k.public || again.scheme != scheme {
			t.Errorf("%v: imported it is %v, %v", scheme, again, err)
		}
		if !JSONEncrypted(b) {
			t.Errorf("%v: not encrypted", scheme)
		}
		sig, err := again.pair.Sign([]byte("x"))
		if err != nil || !scheme.Verify(k.public, []byte("x"), sig) {
			t.Errorf("%v: the imported key signs %x, %v", scheme, sig, err)
		}
	}
}

// TestOldExports reads the layouts that came before scrypt.
func TestOldExports(t *testing.T) {
	t.Parallel()
	v := exportVector(t)
	plain := bytes.Join([][]byte{pkcs8Head, v.Decrypted.Secret, pkcs8Divider, v.Decrypted.Public}, nil)
	alice, err := keys.FromURI("//Alice")
	if err != nil {
		t.Fatal(err)
	}
	public := alice.Public()
	fromSeed := bytes.Join([][]byte{pkcs8Head, alice.Secret().Seed[:], pkcs8Divider, public[:]}, nil)

	var key [32]byte
	copy(key[:], "Password123")
	box := secretbox.Seal(make([]byte, 24), plain, new([24]byte), &key)
	text := func(encoded, content, kind string) string {
		return fmt.Sprintf(`{"encoded":"%s","encoding":{"content":%s,"type":%s,"version":"2"},"meta":{}}`, encoded, content, kind)
	}
	for name, tt := range map[string]struct{ json, want string }{
		"in the clear": {text(base64.StdEncoding.EncodeToString(plain), `["pkcs8","sr25519"]`, `["none"]`), v.SS58},
		"one string":   {text("0x"+hex.EncodeToString(plain), `["pkcs8","sr25519"]`, `"none"`), v.SS58},
		"a seed":       {text("0x"+hex.EncodeToString(fromSeed), `["pkcs8","sr25519"]`, `"none"`), alice.Address()},
		"no scrypt":    {text("0x"+hex.EncodeToString(box), `["pkcs8","sr25519"]`, `"xsalsa20-poly1305"`), v.SS58},
	} {
		k, err := FromJSON([]byte(tt.json), Password("Password123"))
		if err != nil || k.Address() != tt.want {
			t.Errorf("%s: %v, %v; want %s", name, k, err, tt.want)
		}
	}
}

func TestBadExports(t *testing.T) {
	t.Parallel()
	v := exportVector(t)
	var e export
	if err := json.Unmarshal(v.JSON, &e); err != nil {
		t.Fatal(err)
	}
	raw, err := e.bytes()
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(e *export, raw []byte) []byte) []byte {
		e, raw := e, bytes.Clone(raw)
		e.Encoding.Content = append(names(nil), e.Encoding.Content...)
		e.Encoded = base64.StdEncoding.EncodeToString(change(&e, raw))
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	scrypt := func(n, p, r uint32) []byte {
		return with(func(_ *export, raw []byte) []byte {
			binary.LittleEndian.PutUint32(raw[32:], n)
			binary.LittleEndian.PutUint32(raw[36:], p)
			binary.LittleEndian.PutUint32(raw[40:], r)
			return raw
		})
	}
	for name, tt := range map[string]struct {
		json []byte
		want string
	}{
		"no JSON":     {[]byte("encoded"), "no JSON"},
		"no account":  {[]byte("{}"), `no "encoded"`},
		"batch":       {[]byte(`{"encoded":"AA","encoding":{"content":["batch-pkcs8"]}}`), "several accounts"},
		"large":       {bytes.Repeat([]byte(" "), maxFile+1), "too large"},
		"no base64":   {[]byte(`{"encoded":"!"}`), "damaged"},
		"no head":     {[]byte(`{"encoded":"AAAA"}`), "does not begin"},
		"cut off":     {with(func(_ *export, b []byte) []byte { return b[:40] }), "damaged"},
		"cut box":     {with(func(_ *export, b []byte) []byte { return b[:44+24+15] }), "damaged"},
		"changed":     {with(func(_ *export, b []byte) []byte { b[100] ^= 1; return b }), "password is wrong"},
		"ecdsa":       {with(func(e *export, b []byte) []byte { e.Encoding.Content[1] = "ecdsa"; return b }), "ecdsa"},
		"ethereum":    {with(func(e *export, b []byte) []byte { e.Encoding.Content[1] = "ethereum"; return b }), "ethereum"},
		"ed25519":     {with(func(e *export, b []byte) []byte { e.Encoding.Content[1] = "ed25519"; return b }), "two keys"},
		"other kind":  {with(func(e *export, b []byte) []byte { e.Encoding.Content[0] = "raw"; return b }), "kind"},
		"other box":   {with(func(e *export, b []byte) []byte { e.Encoding.Type = names{"aes"}; return b }), "encryption"},
		"address":     {with(func(e *export, b []byte) []byte { e.Address = alice; return b }), "another key's"},
		"bad address": {with(func(e *export, b []byte) []byte { e.Address = "x"; return b }), "address"},
		"memory":      {scrypt(1<<20, 1, 8), "refused"},
		"more memory": {scrypt(1<<31, 1, 8), "refused"},
		"blocks":      {scrypt(2, 1, 1<<31), "refused"},
		"time":        {scrypt(1<<15, 1<<31, 8), "refused"},
		"overflow":    {scrypt(1<<31, 1<<31, 1<<31), "refused"},
		"odd":         {scrypt(3, 1, 8), "refused"},
		"nought":      {scrypt(0, 0, 0), "refused"},
	} {
		k, err := FromJSON(tt.json, Password(v.Passphrase))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v; want … %s …", name, k, err, tt.want)
		}
	}
}

func FuzzFromJSON(f *testing.F) {
	v := exportVector(f)
	f.Add([]byte(v.JSON), v.Passphrase)
	f.Add([]byte(`{"encoded":"0x3053020101300506032b657004220420","encoding":{"content":["pkcs8","sr25519"],"type":"none","version":"0"}}`), "")
	f.Fuzz(func(t *testing.T, b []byte, password string) {
		k, err := FromJSON(b, Password(password))
		if err == nil && (k.WatchOnly() || k.pair.Public() != k.public) {
			t.Error("a key without its secret")
		}
	})
}

func FuzzFromPKCS8(f *testing.F) {
	v := exportVector(f)
	f.Add(bytes.Join([][]byte{pkcs8Head, v.Decrypted.Secret, pkcs8Divider, v.Decrypted.Public}, nil), false)
	f.Fuzz(func(t *testing.T, b []byte, ed bool) {
		scheme := keys.Sr25519
		if ed {
			scheme = keys.Ed25519
		}
		if k, err := fromPKCS8(scheme, b); err == nil && k.scheme != scheme {
			t.Errorf("an %v key is %v", scheme, k.scheme)
		}
	})
}
