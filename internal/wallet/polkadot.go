package wallet

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/nacl/secretbox"
	"golang.org/x/crypto/scrypt"

	"adit/internal/keys"
	"adit/internal/subnet"
)

// An export is the JSON file in which polkadot.js and browser wallets hand over
// one account.
type export struct {
	Encoded  string `json:"encoded"` // base64, or hexadecimal before version 3
	Encoding struct {
		Content names  `json:"content"` // pkcs8, then the scheme
		Type    names  `json:"type"`    // scrypt and xsalsa20-poly1305, the latter alone, or none
		Version string `json:"version"`
	} `json:"encoding"`
	Address string         `json:"address"`
	Meta    map[string]any `json:"meta"`
}

// names is a list of strings, which old versions wrote as one string.
type names []string

// UnmarshalJSON implements [json.Unmarshaler].
func (w *names) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*w = names{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(w))
}

func (w names) has(s string) bool {
	for _, x := range w {
		if x == s {
			return true
		}
	}
	return false
}

// What an export's bytes are framed with: the head of a PKCS #8 document, and
// what stands between its secret and its public key.
var (
	pkcs8Head    = []byte{0x30, 0x53, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20}
	pkcs8Divider = []byte{0xa1, 0x23, 0x03, 0x21, 0x00}
)

// Bounds on what an export may ask of scrypt. polkadot.js itself knows no
// costlier parameters than N = 2^17, r = 8, p = 1: 128 MiB.
const (
	maxScryptBytes = 128 << 20 // 128·N·r
	maxScryptWork  = 1 << 20   // N·r·p
)

// FromJSON returns the key of an account that polkadot.js exported. The
// password may be empty if the export is not encrypted. A wrong one gives an
// error that wraps [ErrPassword].
func FromJSON(b []byte, password Password) (*Key, error) {
	k, err := fromJSON(b, password)
	if err != nil {
		return nil, fmt.Errorf("import JSON: %w", err)
	}
	return k, nil
}

func fromJSON(b []byte, password Password) (*Key, error) {
	if len(b) > maxFile {
		return nil, errors.New("the file is too large for one account")
	}
	var e export
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, errors.New("this is no JSON of an account") // the decoder's text may show letters of it
	}
	content := e.Encoding.Content
	switch {
	case content.has("batch-pkcs8"):
		return nil, subnet.WithHint(errors.New("this holds several accounts"), "export the one account")
	case e.Encoded == "":
		return nil, errors.New(`there is no "encoded" in it`)
	case len(content) > 0 && content[0] != "pkcs8":
		return nil, fmt.Errorf("content of kind %.20q is not known", content[0])
	}
	scheme := keys.Sr25519
	if len(content) > 1 {
		switch content[1] {
		case "sr25519":
		case "ed25519":
			scheme = keys.Ed25519
		default:
			return nil, fmt.Errorf("keys of type %.20q are not known; only sr25519 and ed25519 are", content[1])
		}
	}
	raw, err := e.bytes()
	if err != nil {
		return nil, err
	}
	if e.encrypted() {
		if raw, err = e.decrypt(raw, password); err != nil {
			return nil, err
		}
	}
	defer clear(raw)
	k, err := fromPKCS8(scheme, raw)
	if err != nil {
		return nil, err
	}
	if e.Address != "" {
		public, _, err := keys.ParseAddressPrefix(e.Address)
		if err == nil && public != k.public {
			err = errors.New("the address is another key's")
		}
		if err != nil {
			return nil, err
		}
	}
	return k, nil
}

// JSONEncrypted reports whether an account that polkadot.js exported needs a
// password. What is no such account does not.
func JSONEncrypted(b []byte) bool {
	var e export
	return len(b) <= maxFile && json.Unmarshal(b, &e) == nil && e.encrypted()
}

func (e *export) encrypted() bool { return len(e.Encoding.Type) > 0 && !e.Encoding.Type.has("none") }

func (e *export) bytes() ([]byte, error) {
	var raw []byte
	var err error
	if digits, ok := strings.CutPrefix(e.Encoded, "0x"); ok {
		raw, err = hex.DecodeString(digits)
	} else {
		raw, err = base64.StdEncoding.DecodeString(e.Encoded)
	}
	if err != nil {
		return nil, errDamaged
	}
	return raw, nil
}

func (e *export) decrypt(raw []byte, password Password) ([]byte, error) {
	if !e.Encoding.Type.has("xsalsa20-poly1305") {
		return nil, fmt.Errorf("encryption %.40q is not known", e.Encoding.Type)
	}
	var key [32]byte
	defer clear(key[:])
	if e.Encoding.Type.has("scrypt") {
		if len(raw) < 32+12 {
			return nil, errDamaged
		}
		salt, u32 := raw[:32], binary.LittleEndian.Uint32
		n, p, r := u32(raw[32:]), u32(raw[36:]), u32(raw[40:])
		if err := scryptKey(&key, password, salt, n, r, p); err != nil {
			return nil, err
		}
		raw = raw[44:]
	} else {
		copy(key[:], password) // what there was before scrypt: 32 bytes of the password, or fewer and noughts
	}
	if len(raw) < 24+secretbox.Overhead {
		return nil, errDamaged
	}
	return openBox(raw[24:], (*[24]byte)(raw), &key)
}

func scryptKey(key *[32]byte, password Password, salt []byte, n, r, p uint32) error {
	work := uint64(n) * uint64(r) // below 2^64
	if n < 2 || n&(n-1) != 0 || r == 0 || p == 0 || work > maxScryptBytes/128 || p > maxScryptWork || work*uint64(p) > maxScryptWork {
		return fmt.Errorf("scrypt with N = %d, r = %d, p = %d is refused: no wallet writes that", n, r, p)
	}
	b, err := scrypt.Key(password, salt, int(n), int(r), int(p), 64)
	if err != nil {
		return fmt.Errorf("make key of password: %w", err)
	}
	copy(key[:], b)
	clear(b)
	return nil
}

// fromPKCS8 reads the frame. The secret in it has 64 bytes, or in the oldest
// files the 32 of a seed.
func fromPKCS8(scheme keys.Scheme, b []byte) (*Key, error) {
	b, ok := bytes.CutPrefix(b, pkcs8Head)
	if !ok {
		return nil, errors.New("the secret does not begin as it must")
	}
	for _, n := range []int{64, 32} {
		if len(b) < n+len(pkcs8Divider)+32 || !bytes.HasPrefix(b[n:], pkcs8Divider) {
			continue
		}
		var p *keys.Pair
		var err error
		switch {
		case n == 32:
			p, err = scheme.FromSeed([32]byte(b))
		case scheme == keys.Ed25519:
			p, err = fromPrivate(scheme, b[:64])
		default:
			p, err = keys.FromExpanded([64]byte(b))
		}
		if err != nil {
			return nil, err
		}
		if p.Public() != [32]byte(b[n+len(pkcs8Divider):]) {
			p.Wipe()
			return nil, errors.New("the public key is another key's")
		}
		return keyOf(p), nil
	}
	return nil, errors.New("the secret does not end as it must")
}

// exportJSON returns the key as polkadot.js exports accounts, encrypted with a
// password.
func exportJSON(p *keys.Pair, name string, password Password) ([]byte, error) {
	private, ok := p.Expanded()
	if !ok {
		private = p.Secret().Private
	}
	defer clear(private[:])
	public := p.Public()
	plain := bytes.Join([][]byte{pkcs8Head, private[:], pkcs8Divider, public[:]}, nil)
	defer clear(plain)

	// These parameters every version that knows scrypt accepts; the newest
	// writes N = 2^17.
	const n, r, pp = 1 << 15, 8, 1
	var salt [32]byte
	var nonce [24]byte
	rand.Read(salt[:]) // never fails
	rand.Read(nonce[:])
	var key [32]byte
	defer clear(key[:])
	if err := scryptKey(&key, password, salt[:], n, r, pp); err != nil {
		return nil, err
	}
	raw := salt[:]
	for _, v := range []uint32{n, pp, r} {
		raw = binary.LittleEndian.AppendUint32(raw, v)
	}
	raw = secretbox.Seal(append(raw, nonce[:]...), plain, &nonce, &key)

	var e export
	e.Encoded = base64.StdEncoding.EncodeToString(raw)
	e.Encoding.Content = names{"pkcs8", p.Scheme().String()}
	e.Encoding.Type = names{"scrypt", "xsalsa20-poly1305"}
	e.Encoding.Version = "3"
	e.Address = p.Address()
	// The wallet library before version 4 reads no account without a time.
	e.Meta = map[string]any{"genesisHash": nil, "name": name, "whenCreated": time.Now().UnixMilli()}
	return json.MarshalIndent(e, "", "  ")
}
