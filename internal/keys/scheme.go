package keys

import (
	"crypto/ed25519"
	"fmt"
	"strconv"

	schnorrkel "github.com/ChainSafe/go-schnorrkel"
)

// A Scheme is a kind of signature. Keys on these chains are sr25519, which is
// the zero value; files may also hold ed25519 keys.
type Scheme uint8

// The schemes. Key files number them the other way round.
const (
	Sr25519 Scheme = iota
	Ed25519
)

// String returns the scheme's name as it is customarily written.
func (s Scheme) String() string {
	switch s {
	case Sr25519:
		return "sr25519"
	case Ed25519:
		return "ed25519"
	}
	return "scheme " + strconv.Itoa(int(s))
}

// FromSeed returns the scheme's pair of a seed, which sr25519 calls a
// mini-secret.
func (s Scheme) FromSeed(seed [32]byte) (*Pair, error) {
	switch s {
	case Sr25519:
		return FromSeed(seed)
	case Ed25519:
		p := &Pair{scheme: s, seed: &seed}
		key := ed25519.NewKeyFromSeed(seed[:])
		copy(p.private[:], key)
		copy(p.public[:], key[32:])
		clear(key)
		return p, nil
	}
	return nil, fmt.Errorf("%v keys are not known", s)
}

// FromMnemonic returns the scheme's pair of a phrase, as [FromMnemonic] does.
func (s Scheme) FromMnemonic(mnemonic string) (*Pair, error) {
	phrase, err := normalize(mnemonic)
	if err != nil {
		return nil, err
	}
	p, err := s.fromPhrase(phrase, "")
	if err != nil {
		return nil, err
	}
	p.mnemonic = []byte(phrase)
	return p, nil
}

// Verify reports whether sig is pub's signature over msg in this scheme.
func (s Scheme) Verify(pub [32]byte, msg, sig []byte) bool {
	switch s {
	case Sr25519:
		return verifySr25519(pub, msg, sig)
	case Ed25519:
		return len(sig) == ed25519.SignatureSize && ed25519.Verify(pub[:], msg, sig)
	}
	return false
}

// VerifyWrapped is [Scheme.Verify], and also accepts a signature over msg
// between "<Bytes>" and "</Bytes>", which is how browser wallets sign.
func (s Scheme) VerifyWrapped(pub [32]byte, msg, sig []byte) bool {
	return s.Verify(pub, msg, sig) || s.Verify(pub, []byte("<Bytes>"+string(msg)+"</Bytes>"), sig)
}

func verifySr25519(pub [32]byte, msg, sig []byte) bool {
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
