package keys

import (
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"

	schnorrkel "github.com/ChainSafe/go-schnorrkel"
	"github.com/vedhavyas/go-subkey/v2"
)

// scheme lets subkey parse a secret URI and hand its parts back.
//
// The library's own sr25519 scheme is not used because its pairs do not give
// their secret key, which a wallet file must hold if there is no seed.
type scheme struct{}

var _ subkey.Scheme = scheme{}

func (scheme) String() string { return "Sr25519" }

func (scheme) FromSeed(seed []byte) (subkey.KeyPair, error) {
	if len(seed) != 32 {
		return nil, fmt.Errorf("seed of %d bytes, not 32", len(seed))
	}
	p, err := FromSeed([32]byte(seed))
	return pairOfURI{p}, err
}

func (scheme) FromPhrase(phrase, password string) (subkey.KeyPair, error) {
	p, err := fromPhrase(strings.Join(strings.Fields(phrase), " "), password)
	return pairOfURI{p}, err
}

// Derive follows the junctions. A hard one makes a new seed from the secret; a
// soft one moves the key by an amount that anybody can compute from the public
// key, and has no seed.
func (scheme) Derive(kp subkey.KeyPair, junctions []subkey.DeriveJunction) (subkey.KeyPair, error) {
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
	mini, _, err := p.secret().HardDeriveMiniSecretKey(nil, chainCode)
	if err != nil {
		return nil, err
	}
	return FromSeed(mini.Encode())
}

func (p *Pair) soft(chainCode [32]byte) (*Pair, error) {
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
func (p pairOfURI) Verify(msg, sig []byte) bool      { return Verify(p.public, msg, sig) }

// Seed returns nil: secrets are taken from the Pair.
func (p pairOfURI) Seed() []byte { return nil }

var errUnused = errors.New("derivation neither generates keys nor reads public ones")

func (scheme) Generate() (subkey.KeyPair, error)              { return nil, errUnused }
func (scheme) FromPublicKey([]byte) (subkey.PublicKey, error) { return nil, errUnused }
