package keys

import "errors"

// FromExpanded returns the sr25519 pair of a secret key in the form that
// polkadot.js keeps: the scalar as ed25519 has it, eight times that of
// [FromPrivate], then the nonce.
func FromExpanded(secret [64]byte) (*Pair, error) {
	if secret[0]&7 != 0 {
		return nil, errors.New("private key: its scalar is no multiple of eight")
	}
	var carry byte
	for i := 31; i >= 0; i-- {
		b := secret[i]
		secret[i], carry = b>>3|carry, b<<5
	}
	return FromPrivate(secret)
}

// Expanded returns the secret key in the form of [FromExpanded], and false if
// the pair is not sr25519.
func (p *Pair) Expanded() (secret [64]byte, ok bool) {
	if p.scheme != Sr25519 {
		return secret, false
	}
	secret = p.private
	var carry byte
	for i := range 32 {
		b := secret[i]
		secret[i], carry = b<<3|carry, b>>5
	}
	return secret, true
}
