// Package keys makes and checks the signatures by which neurons know one
// another: sr25519 keys, their derivation from mnemonics and URIs, and SS58
// addresses.
//
// A [Pair] holds a secret. Only the packages that keep wallets should hold
// one; everything else gets a signer from there.
package keys

import (
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"strings"

	schnorrkel "github.com/ChainSafe/go-schnorrkel"
	"github.com/cosmos/go-bip39"
	"github.com/vedhavyas/go-subkey/v2"
)

// A Pair is an sr25519 key pair. Its methods may be called concurrently.
type Pair struct {
	public   [32]byte
	private  [64]byte  // scalar, then nonce, as schnorrkel encodes a secret key
	seed     *[32]byte // nil if the pair does not come from one
	mnemonic string    // "" if the pair does not come from one alone
}

// A Secret is what a wallet file keeps of a pair.
type Secret struct {
	Mnemonic string    // "" if there is none
	Seed     *[32]byte // the mini-secret; nil if there is none
	Private  [64]byte  // scalar divided by the cofactor, then nonce
}

// FromSeed returns the pair of a mini-secret.
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

// FromPrivate returns the pair of a 64-byte secret key as wallet files hold
// it: the scalar already divided by the cofactor, then the nonce.
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

// FromMnemonic returns the pair of an English BIP-39 phrase of 12, 15, 18, 21
// or 24 words. The seed is Substrate's, made from the phrase's entropy, not
// from its letters.
func FromMnemonic(mnemonic string) (*Pair, error) {
	mnemonic = strings.Join(strings.Fields(mnemonic), " ")
	p, err := fromPhrase(mnemonic, "")
	if err != nil {
		return nil, err
	}
	p.mnemonic = mnemonic
	return p, nil
}

func fromPhrase(mnemonic, password string) (*Pair, error) {
	if n := strings.Count(mnemonic, " ") + 1; n < 12 || n > 24 || n%3 != 0 {
		return nil, fmt.Errorf("mnemonic: %d words, not 12, 15, 18, 21 or 24", n)
	}
	// Checks the words and the checksum.
	if _, err := bip39.MnemonicToByteArray(mnemonic); err != nil {
		return nil, errors.New("mnemonic: a word is wrong or out of place") // the library's text would show the word
	}
	mini, err := schnorrkel.MiniSecretKeyFromMnemonic(mnemonic, password)
	if err != nil {
		return nil, fmt.Errorf("mnemonic: %w", err)
	}
	return FromSeed(mini.Encode())
}

// Generate returns a new mnemonic of 12, 15, 18, 21 or 24 words and its pair.
func Generate(rand io.Reader, words int) (mnemonic string, p *Pair, err error) {
	if words < 12 || words > 24 || words%3 != 0 {
		return "", nil, fmt.Errorf("a mnemonic has 12, 15, 18, 21 or 24 words, not %d", words)
	}
	entropy := make([]byte, words/3*4)
	if _, err := io.ReadFull(rand, entropy); err != nil {
		return "", nil, fmt.Errorf("read randomness: %w", err)
	}
	if mnemonic, err = bip39.NewMnemonic(entropy); err != nil {
		return "", nil, fmt.Errorf("make mnemonic: %w", err)
	}
	p, err = FromMnemonic(mnemonic)
	return mnemonic, p, err
}

// Public returns the public key.
func (p *Pair) Public() [32]byte { return p.public }

// Address returns the public key's SS58 address with prefix 42.
func (p *Pair) Address() string { return Address(p.public) }

// Secret returns what a wallet file must keep.
func (p *Pair) Secret() Secret { return Secret{p.mnemonic, p.seed, p.private} }

// String returns the address, so that a pair can be printed without harm.
func (p *Pair) String() string { return p.Address() }

// GoString returns the address, as [Pair.String] does.
func (p *Pair) GoString() string { return p.Address() }

func (p *Pair) secret() *schnorrkel.SecretKey {
	return schnorrkel.NewSecretKey([32]byte(p.private[:32]), [32]byte(p.private[32:]))
}

// context is what every signature on Substrate chains is made for.
var context = []byte("substrate")

// Sign returns a 64-byte signature over msg. Two signatures over the same
// message differ.
func (p *Pair) Sign(msg []byte) ([]byte, error) {
	sig, err := p.secret().Sign(schnorrkel.NewSigningContext(context, msg))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	b := sig.Encode()
	return b[:], nil
}

// Verify reports whether sig is pub's signature over msg.
func Verify(pub [32]byte, msg, sig []byte) bool {
	if len(sig) != 64 {
		return false
	}
	var s schnorrkel.Signature
	if s.Decode([64]byte(sig)) != nil {
		return false
	}
	key, err := schnorrkel.NewPublicKey(pub)
	if err != nil {
		return false
	}
	ok, err := key.Verify(&s, schnorrkel.NewSigningContext(context, msg))
	return err == nil && ok
}

// VerifyWrapped is [Verify], and also accepts a signature over msg between
// "<Bytes>" and "</Bytes>", which is how browser wallets sign.
func VerifyWrapped(pub [32]byte, msg, sig []byte) bool {
	return Verify(pub, msg, sig) || Verify(pub, []byte("<Bytes>"+string(msg)+"</Bytes>"), sig)
}

// FromURI returns the pair of a secret URI: a mnemonic, or "0x" and the 64
// hexadecimal digits of a seed, or nothing, which is the development phrase;
// then any number of junctions, "/soft" or "//hard"; then, for a mnemonic,
// perhaps "///" and a password. "//Alice" is the well-known test key.
func FromURI(uri string) (*Pair, error) {
	base, _, derived := strings.Cut(uri, "/")
	if !derived && !strings.HasPrefix(base, "0x") {
		if strings.TrimSpace(base) == "" {
			return nil, errors.New("secret URI: it is empty") // not the key that everybody knows
		}
		return FromMnemonic(base)
	}
	kp, err := subkey.DeriveKeyPair(scheme{}, uri)
	if err != nil {
		return nil, fmt.Errorf("secret URI: %w", err)
	}
	return kp.(pairOfURI).Pair, nil
}
