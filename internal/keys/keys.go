// Package keys makes and checks the signatures by which neurons know one
// another: sr25519 and ed25519 keys, their derivation from mnemonics and URIs,
// and SS58 addresses.
//
// A [Pair] holds a secret. Only the packages that keep wallets should hold
// one; everything else gets a signer from there.
package keys

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	schnorrkel "github.com/ChainSafe/go-schnorrkel"
)

// A Pair is a key pair. Its methods may be called concurrently, but for
// [Pair.Wipe].
type Pair struct {
	scheme   Scheme
	public   [32]byte
	private  [64]byte  // sr25519: scalar, then nonce, as schnorrkel encodes a secret key; ed25519: seed, then public key
	seed     *[32]byte // nil if the pair does not come from one
	mnemonic []byte    // nil if the pair does not come from one alone
}

// A Secret is what a wallet file keeps of a pair.
type Secret struct {
	Mnemonic string    // "" if there is none
	Seed     *[32]byte // of the pair's own memory; nil if there is none
	// Private is, for sr25519, the scalar divided by the cofactor, then the
	// nonce; for ed25519, the seed, then the public key.
	Private [64]byte
}

// Format keeps secrets out of what is printed.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, "•••") }

// MarshalText keeps secrets out of what is logged or saved.
func (Secret) MarshalText() ([]byte, error) { return []byte("•••"), nil }

// FromSeed returns the sr25519 pair of a mini-secret.
func FromSeed(seed [32]byte) (*Pair, error) {
	// The expansion is that of ed25519, as everywhere on Substrate chains. The
	// library keeps the nonce to itself, so it is taken from the same hash.
	mini, err := schnorrkel.NewMiniSecretKeyFromRaw(seed)
	if err != nil {
		return nil, fmt.Errorf("expand seed: %w", err)
	}
	var private [64]byte
	scalar := mini.ExpandEd25519().Encode()
	hash := sha512.Sum512(seed[:])
	copy(private[:32], scalar[:])
	copy(private[32:], hash[32:])
	p, err := FromPrivate(private)
	if err != nil {
		return nil, err
	}
	p.seed = &seed
	return p, nil
}

// FromPrivate returns the sr25519 pair of a 64-byte secret key as wallet files
// hold it: the scalar already divided by the cofactor, then the nonce.
func FromPrivate(private [64]byte) (*Pair, error) {
	p := &Pair{private: private}
	public, err := p.secret().Public()
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	p.public = public.Encode()
	if p.public == ([32]byte{}) {
		return nil, errors.New("private key: it is nought")
	}
	return p, nil
}

// Scheme returns what kind of pair it is.
func (p *Pair) Scheme() Scheme { return p.scheme }

// Public returns the public key.
func (p *Pair) Public() [32]byte { return p.public }

// Address returns the public key's SS58 address with prefix 42.
func (p *Pair) Address() string { return Address(p.public) }

// Secret returns what a wallet file must keep.
func (p *Pair) Secret() Secret { return Secret{string(p.mnemonic), p.seed, p.private} }

// String returns the address, so that a pair can be printed without harm.
func (p *Pair) String() string { return p.Address() }

// GoString returns the address, as [Pair.String] does.
func (p *Pair) GoString() string { return p.Address() }

func (p *Pair) secret() *schnorrkel.SecretKey {
	return schnorrkel.NewSecretKey([32]byte(p.private[:32]), [32]byte(p.private[32:]))
}

// Wipe overwrites the secret. The pair can no longer sign. Copies that the
// libraries and the runtime made while computing are out of reach.
func (p *Pair) Wipe() {
	clear(p.private[:])
	clear(p.mnemonic)
	if p.seed != nil {
		clear(p.seed[:])
	}
	p.seed, p.mnemonic = nil, nil
}

var errWiped = errors.New("sign: the key has been wiped")

// context is what every sr25519 signature on Substrate chains is made for.
var context = []byte("substrate")

// Sign returns a 64-byte signature over msg. Two sr25519 signatures over the
// same message differ.
func (p *Pair) Sign(msg []byte) ([]byte, error) {
	if p.private == ([64]byte{}) {
		return nil, errWiped
	}
	if p.scheme == Ed25519 {
		return ed25519.Sign(p.private[:], msg), nil
	}
	sig, err := p.secret().Sign(schnorrkel.NewSigningContext(context, msg))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	b := sig.Encode()
	return b[:], nil
}

// Verify reports whether sig is pub's sr25519 signature over msg.
func Verify(pub [32]byte, msg, sig []byte) bool { return Sr25519.Verify(pub, msg, sig) }

// VerifyWrapped is [Verify], and also accepts a signature over msg between
// "<Bytes>" and "</Bytes>", which is how browser wallets sign.
func VerifyWrapped(pub [32]byte, msg, sig []byte) bool { return Sr25519.VerifyWrapped(pub, msg, sig) }

// Message returns the bytes that wallet tools sign for a text: those that its
// hexadecimal digits stand for if it is nothing but "0x" and digits, otherwise
// the text as it is.
func Message(text string) []byte {
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		if b, err := hex.DecodeString(digits); err == nil {
			return b
		}
	}
	return []byte(text)
}
