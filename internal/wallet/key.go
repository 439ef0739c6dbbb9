package wallet

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
)

// A Key is a key on its way into a file: new, restored, imported, or only the
// public half of one. Its secret cannot be taken out of it.
type Key struct {
	scheme keys.Scheme
	public [32]byte
	pair   *keys.Pair // nil if there is no secret
}

// New returns a new key and its mnemonic of 12, 15, 18, 21 or 24 words, which
// must be shown to its owner now or never.
func New(scheme keys.Scheme, words int) (mnemonic string, k *Key, err error) {
	mnemonic, p, err := scheme.Generate(rand.Reader, words)
	if err != nil {
		return "", nil, err
	}
	return mnemonic, keyOf(p), nil
}

// FromMnemonic returns the key of a phrase, whose words may be numbered.
func FromMnemonic(scheme keys.Scheme, phrase string) (*Key, error) {
	return secret(scheme.FromMnemonic(phrase))
}

// FromURI returns the key of a secret URI, such as "//Alice"; see
// [keys.FromURI].
func FromURI(scheme keys.Scheme, uri string) (*Key, error) {
	return secret(scheme.FromURI(uri))
}

// FromHex returns the key of a seed of 64 hexadecimal digits or of a private
// key of 128, after an optional "0x".
func FromHex(scheme keys.Scheme, digits string) (*Key, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(digits), "0x"))
	defer clear(raw)
	switch {
	case err == nil && len(raw) == 32:
		return secret(scheme.FromSeed([32]byte(raw)))
	case err == nil && len(raw) == 64:
		return secret(fromPrivate(scheme, raw))
	}
	return nil, errors.New("a seed has 64 hexadecimal digits, a private key 128")
}

// FromPublic returns the watch-only key of an SS58 address with any prefix, or
// of the 64 hexadecimal digits of an sr25519 public key after an optional "0x".
func FromPublic(text string) (*Key, error) {
	text = strings.TrimSpace(text)
	if raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x")); err == nil && len(raw) == 32 {
		return &Key{public: [32]byte(raw)}, nil
	}
	public, _, err := keys.ParseAddressPrefix(text)
	if err != nil {
		return nil, subnet.WithHint(err, "a public key is an address such as 5Grw…, or 64 hexadecimal digits")
	}
	return &Key{public: public}, nil
}

// fromPrivate returns the pair of a private key as files of this scheme hold
// it: for ed25519 that is the seed, which its public key may follow.
func fromPrivate(scheme keys.Scheme, private []byte) (*keys.Pair, error) {
	if scheme == keys.Sr25519 {
		if len(private) != 64 {
			return nil, errors.New("not 128 hexadecimal digits")
		}
		return keys.FromPrivate([64]byte(private))
	}
	if len(private) != 32 && len(private) != 64 {
		return nil, errors.New("neither 64 nor 128 hexadecimal digits")
	}
	p, err := scheme.FromSeed([32]byte(private))
	if err != nil {
		return nil, err
	}
	if len(private) == 64 && p.Public() != [32]byte(private[32:]) {
		return nil, errors.New("its halves belong to two keys")
	}
	return p, nil
}

func secret(p *keys.Pair, err error) (*Key, error) {
	if err != nil {
		return nil, err
	}
	return keyOf(p), nil
}

func keyOf(p *keys.Pair) *Key { return &Key{p.Scheme(), p.Public(), p} }

// Address returns the SS58 address with prefix 42.
func (k *Key) Address() string { return keys.Address(k.public) }

// Public returns the public key.
func (k *Key) Public() [32]byte { return k.public }

// Scheme returns what kind of key it is. That of a watch-only key is a guess
// if nothing told it.
func (k *Key) Scheme() keys.Scheme { return k.scheme }

// WatchOnly reports whether there is no secret.
func (k *Key) WatchOnly() bool { return k.pair == nil }

// Wipe overwrites the secret; see [Signer] for the limits of that.
func (k *Key) Wipe() {
	if k.pair != nil {
		k.pair.Wipe()
		k.pair = nil
	}
}

// String returns the address.
func (k *Key) String() string { return k.Address() }

// GoString returns the address, as [Key.String] does.
func (k *Key) GoString() string { return k.Address() }

// signer takes the secret out of the key.
func (k *Key) signer() (*Signer, error) {
	if k.pair == nil {
		return nil, fmt.Errorf("it holds a public key only, %s", k)
	}
	return newSigner(k.pair), nil
}
