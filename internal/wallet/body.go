package wallet

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
)

// parse reads the body of a key file in any plain dialect. Every secret in it
// must be the same key's.
func parse(b []byte) (*Key, error) {
	if scheme := encryption(b); scheme != Plain {
		return nil, fmt.Errorf("this file is encrypted (%s)", scheme)
	}
	text := strings.TrimSpace(strings.TrimPrefix(string(b), "\ufeff"))
	if strings.HasPrefix(text, "{") {
		return parseJSON([]byte(text))
	}
	return parseBare(text)
}

// parseBare reads a body that is not JSON: a public key, which is how Python
// tools wrote watch-only files, or what the newest tools also take, a seed, a
// private key or a mnemonic.
func parseBare(text string) (*Key, error) {
	digits, prefixed := strings.CutPrefix(text, "0x")
	raw, err := hex.DecodeString(digits)
	switch {
	case err != nil && strings.Contains(text, " "):
		return secret(keys.FromMnemonic(text))
	case err == nil && len(raw) == 32 && prefixed:
		return &Key{public: [32]byte(raw)}, nil
	case err == nil && len(raw) == 32:
		return secret(keys.FromSeed([32]byte(raw)))
	case err == nil && len(raw) == 64:
		return secret(keys.FromPrivate([64]byte(raw)))
	}
	return nil, errors.New("this is no key file")
}

// parseJSON reads the object that wallet libraries write. They have disagreed
// on which secret comes first, so all that are there must agree.
func parseJSON(b []byte) (*Key, error) {
	f, err := fields(b)
	if err != nil {
		return nil, err
	}
	k := new(Key)
	if f["cryptoType"] == "0" {
		k.scheme = keys.Ed25519
	}
	if err := k.fill(f); err != nil {
		k.Wipe()
		return nil, err
	}
	return k, nil
}

// fill sets the key to that of the fields.
func (k *Key) fill(f map[string]string) error {
	known := false // k.public is set
	agree := func(what string, public [32]byte) error {
		if known && public != k.public {
			return fmt.Errorf("%s belongs to another key than the rest of the file", what)
		}
		k.public, known = public, true
		return nil
	}
	// In the order in which they tell most: a mnemonic gives the seed, a seed
	// gives the private key.
	for _, name := range []string{"secretPhrase", "secretSeed", "privateKey"} {
		if f[name] == "" {
			continue
		}
		p, err := pair(k.scheme, name, f[name])
		if err != nil {
			// Some versions wrote a seed whose bytes happen to be text as that
			// text. It may be read so if something else tells whether it is it.
			if name == "secretSeed" && len(f[name]) == 2+32 && f["publicKey"]+f["accountId"]+f["ss58Address"] != "" {
				p, err = k.scheme.FromSeed([32]byte([]byte(f[name])[2:]))
			} else if name == "secretSeed" && (f["secretPhrase"] != "" || f["privateKey"] != "") {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := agree(name, p.Public()); err != nil {
			p.Wipe()
			return err
		}
		if k.pair == nil {
			k.pair = p
		} else {
			p.Wipe()
		}
	}
	for _, name := range []string{"publicKey", "accountId", "ss58Address"} {
		if f[name] == "" {
			continue
		}
		var public [32]byte
		var err error
		if name == "ss58Address" {
			public, err = keys.ParseAddress(f[name])
		} else {
			err = unhex(public[:], f[name])
		}
		if err == nil {
			err = agree(name, public)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if !known {
		return errors.New("there is no key in this file")
	}
	return nil
}

func pair(scheme keys.Scheme, name, value string) (*keys.Pair, error) {
	switch name {
	case "secretPhrase":
		return scheme.FromMnemonic(value)
	case "secretSeed":
		var seed [32]byte
		if err := unhex(seed[:], value); err != nil {
			return nil, err
		}
		return scheme.FromSeed(seed)
	default:
		b, err := hex.DecodeString(strings.TrimPrefix(value, "0x"))
		defer clear(b)
		if err != nil {
			return nil, errors.New("not hexadecimal digits") // the decoder's text shows one
		}
		return fromPrivate(scheme, b)
	}
}

// unhex fills dst from digits, which may follow "0x". Its errors do not show
// them.
func unhex(dst []byte, digits string) error {
	b, err := hex.DecodeString(strings.TrimPrefix(digits, "0x"))
	if err != nil || len(b) != len(dst) {
		return fmt.Errorf("not %d hexadecimal digits", 2*len(dst))
	}
	copy(dst, b)
	return nil
}

// fields returns the strings of the object, without those that are null, after
// making sure that it is a key of a scheme we know. A name with a space in front, which
// one version wrote, is taken for the name.
func fields(b []byte) (map[string]string, error) {
	var raw map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&raw); err != nil {
		return nil, errors.New("this is no JSON object") // the decoder's text may show a secret's letters
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	if _, ok := raw["encoded"]; ok {
		return nil, subnet.WithHint(errors.New("this is a polkadot.js export"), "import it with 'adit wallet regen-coldkey --json', or regen-hotkey")
	}
	f := make(map[string]string, len(raw))
	for name, v := range raw {
		name = strings.TrimSpace(name)
		s, isString := v.(string)
		if n, ok := v.(json.Number); ok && name == "cryptoType" {
			s, isString = n.String(), true
		}
		if v == nil || s == "" && isString {
			continue
		}
		switch name {
		case "accountId", "publicKey", "privateKey", "secretPhrase", "secretSeed", "ss58Address", "cryptoType":
		case "hashedDescriptor":
			return nil, errors.New("this is a hashed account, which cannot sign as an sr25519 or ed25519 key")
		default:
			continue // nothing that changes which key it is
		}
		if !isString {
			return nil, fmt.Errorf("%s is not a string", name)
		}
		if _, twice := f[name]; twice {
			return nil, fmt.Errorf("%s comes twice", name)
		}
		f[name] = s
	}
	switch t := f["cryptoType"]; t {
	case "", "0", "1":
	default:
		return nil, fmt.Errorf("keys of type %.20q are not known; only sr25519 (1) and ed25519 (0) are", t)
	}
	return f, nil
}

// body is a key file as wallet library 4 writes it, in its order, but for
// sr25519 without the number cryptoType: libraries before 4.1 fail on any
// number, and all take a missing one for sr25519.
type body struct {
	AccountID    string `json:"accountId"`
	PublicKey    string `json:"publicKey"`
	PrivateKey   string `json:"privateKey,omitempty"`
	SecretPhrase string `json:"secretPhrase,omitempty"`
	SecretSeed   string `json:"secretSeed,omitempty"`
	SS58Address  string `json:"ss58Address"`
	CryptoType   *int   `json:"cryptoType,omitempty"`
}

func publicBody(k *Key) []byte { return encode(public(k)) }

func secretBody(p *keys.Pair) []byte {
	b, s := public(keyOf(p)), p.Secret()
	b.PrivateKey = fmt.Sprintf("0x%x", s.Private)
	if p.Scheme() == keys.Ed25519 {
		b.PrivateKey = fmt.Sprintf("0x%x", s.Private[:32]) // of ed25519 the library calls the seed so
	}
	b.SecretPhrase = s.Mnemonic
	if s.Seed != nil {
		b.SecretSeed = fmt.Sprintf("0x%x", *s.Seed)
	}
	return encode(b)
}

func public(k *Key) body {
	id := fmt.Sprintf("0x%x", k.public)
	b := body{AccountID: id, PublicKey: id, SS58Address: k.Address()}
	if k.scheme == keys.Ed25519 {
		b.CryptoType = new(int) // 0
	}
	return b
}

func encode(b body) []byte {
	out, err := json.Marshal(b)
	if err != nil {
		panic(err) // unreachable: strings can be marshalled
	}
	return out
}
