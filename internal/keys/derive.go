package keys

import (
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"

	schnorrkel "github.com/ChainSafe/go-schnorrkel"
	"github.com/vedhavyas/go-subkey/v2"
	"golang.org/x/crypto/blake2b"
)

// maxURI is many times the longest useful secret URI, in bytes.
const maxURI = 8 << 10

// FromURI returns the sr25519 pair of a secret URI: a mnemonic, or "0x" and the
// 64 hexadecimal digits of a seed, or nothing, which is the development phrase;
// then any number of junctions, "/soft" or "//hard"; then, for a mnemonic,
// perhaps "///" and a password. "//Alice" is the well-known test key.
func FromURI(uri string) (*Pair, error) { return Sr25519.FromURI(uri) }

// FromURI returns the scheme's pair of a secret URI, as [FromURI] does. Ed25519
// knows hard junctions only.
func (s Scheme) FromURI(uri string) (*Pair, error) {
	if len(uri) > maxURI {
		return nil, fmt.Errorf("secret URI: %d bytes are too many", len(uri))
	}
	base, _, derived := strings.Cut(uri, "/")
	if !derived && !strings.HasPrefix(base, "0x") {
		if strings.TrimSpace(base) == "" {
			return nil, errors.New("secret URI: it is empty") // not the key that everybody knows
		}
		return s.FromMnemonic(base)
	}
	kp, err := subkey.DeriveKeyPair(uriScheme{s}, uri)
	if err != nil {
		return nil, fmt.Errorf("secret URI: %w", err)
	}
	return kp.(pairOfURI).Pair, nil
}

// uriScheme lets subkey parse a secret URI and hand its parts back.
//
// The library's own schemes are not used because their pairs do not give their
// secret key, which a wallet file must hold if there is no seed.
type uriScheme struct{ Scheme }

var _ subkey.Scheme = uriScheme{}

func (s uriScheme) FromSeed(seed []byte) (subkey.KeyPair, error) {
	if len(seed) != 32 {
		return nil, fmt.Errorf("seed of %d bytes, not 32", len(seed))
	}
	p, err := s.Scheme.FromSeed([32]byte(seed))
	return pairOfURI{p}, err
}

func (s uriScheme) FromPhrase(phrase, password string) (subkey.KeyPair, error) {
	phrase, err := normalize(phrase)
	if err != nil {
		return nil, err
	}
	p, err := s.fromPhrase(phrase, password)
	return pairOfURI{p}, err
}

// Derive follows the junctions. A hard one makes a new seed from the secret; a
// soft one moves the key by an amount that anybody can compute from the public
// key, and has no seed.
func (s uriScheme) Derive(kp subkey.KeyPair, junctions []subkey.DeriveJunction) (subkey.KeyPair, error) {
	p := kp.(pairOfURI).Pair
	for _, j := range junctions {
		next := p.soft
		if j.IsHard {
			next = p.hard
		}
		var err error
		if p, err = next(j.ChainCode); err != nil {
			return nil, err
		}
	}
	return pairOfURI{p}, nil
}

func (p *Pair) hard(chainCode [32]byte) (*Pair, error) {
	if p.scheme == Ed25519 {
		text := append([]byte{11 << 2}, "Ed25519HDKD"...) // a SCALE string
		text = append(text, p.seed[:]...)
		return Ed25519.FromSeed(blake2b.Sum256(append(text, chainCode[:]...)))
	}
	mini, _, err := p.secret().HardDeriveMiniSecretKey(nil, chainCode)
	if err != nil {
		return nil, err
	}
	return FromSeed(mini.Encode())
}

func (p *Pair) soft(chainCode [32]byte) (*Pair, error) {
	if p.scheme == Ed25519 {
		return nil, errors.New("ed25519 keys have hard junctions only, with two slashes")
	}
	ext, err := schnorrkel.DeriveKeySimple(p.secret(), nil, chainCode)
	if err != nil {
		return nil, err
	}
	secret, err := ext.Secret()
	if err != nil {
		return nil, err
	}
	var private [64]byte
	scalar := secret.Encode()
	copy(private[:32], scalar[:])
	// Unlike upstream, where the nonce half is drawn at random, it is a hash
	// of the parent's and of the junction: the same URI gives the same key
	// file. Only signing uses it, never the public key.
	hash := sha512.Sum512(append(p.private[32:], chainCode[:]...))
	copy(private[32:], hash[:32])
	return FromPrivate(private)
}

// pairOfURI carries a Pair through subkey.
type pairOfURI struct{ *Pair }

var _ subkey.KeyPair = pairOfURI{}

func (p pairOfURI) Public() []byte                   { return p.public[:] }
func (p pairOfURI) AccountID() []byte                { return p.public[:] }
func (p pairOfURI) SS58Address(prefix uint16) string { return address(p.public, prefix) }
func (p pairOfURI) Verify(msg, sig []byte) bool      { return p.scheme.Verify(p.public, msg, sig) }

// Seed returns nil: secrets are taken from the Pair.
func (p pairOfURI) Seed() []byte { return nil }

var errUnused = errors.New("derivation neither generates keys nor reads public ones")

func (uriScheme) Generate() (subkey.KeyPair, error)              { return nil, errUnused }
func (uriScheme) FromPublicKey([]byte) (subkey.PublicKey, error) { return nil, errUnused }
