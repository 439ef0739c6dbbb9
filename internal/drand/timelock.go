package drand

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cloudflare/circl/ecc/bls12381"
)

// A ciphertext is, as arkworks writes the timelock crate's TLECiphertext:
//
//	U (96) | 32 V | 32 W | n body | 8 "AES_GCM_"
//	body = n ciphertext with tag | 12 nonce
//
// where each number is the length of what follows, u64 little-endian. U is r*G2;
// V hides sigma behind the pairing that the round's signature opens, and W the
// key of the body behind sigma. That r is a hash of sigma and the key lets the
// reader check them.
const (
	suite     = "AES_GCM_"
	nonceSize = 12
	tagSize   = 16
	// Overhead is how many bytes a ciphertext has more than its plaintext.
	Overhead = 96 + 2*(8+32) + 8 + (8 + tagSize + 8 + nonceSize) + 8 + len(suite)
)

// Errors of [Decrypt].
var (
	ErrCiphertext = errors.New("not a time-locked ciphertext")
	ErrSignature  = errors.New("not the signature of the ciphertext's round")
)

// Encrypt locks plaintext until the chain's beacon signs round. It takes 76
// random bytes from random, which must be fit for keys, such as crypto/rand's
// Reader.
func (c Chain) Encrypt(plaintext []byte, round uint64, random io.Reader) ([]byte, error) {
	pk, err := pointG2(c.Public[:])
	if err != nil {
		return nil, fmt.Errorf("public key of the beacon: %w", err)
	}
	var seed, key [32]byte
	var nonce [nonceSize]byte
	for _, b := range [][]byte{seed[:], key[:], nonce[:]} {
		if _, err := io.ReadFull(random, b); err != nil {
			return nil, fmt.Errorf("draw a key: %w", err)
		}
	}
	sigma := sha256.Sum256(seed[:])
	r := challenge(sigma, key)
	u, rpk := new(bls12381.G2), new(bls12381.G2)
	u.ScalarMult(r, bls12381.G2Generator())
	rpk.ScalarMult(r, pk)

	sealed, err := seal(key)
	if err != nil {
		return nil, err
	}
	ct := sealed.Seal(nil, nonce[:], plaintext, nil)
	v := xor(sigma, maskOf(bls12381.Pair(identity(round), rpk)))
	w := xor(key, sha256.Sum256(sigma[:]))
	out := append(make([]byte, 0, Overhead+len(plaintext)), u.BytesCompressed()...)
	out = appendBytes(out, v[:])
	out = appendBytes(out, w[:])
	out = appendBytes(out, appendBytes(appendBytes(nil, ct), nonce[:]))
	return appendBytes(out, []byte(suite)), nil
}

// Decrypt opens a ciphertext with the signature of its round. Bytes behind the
// ciphertext are ignored, as upstream. The error wraps [ErrCiphertext] or
// [ErrSignature].
func Decrypt(ciphertext, signature []byte) ([]byte, error) {
	sig, err := pointG1(signature)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	t, err := parse(ciphertext)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCiphertext, err)
	}
	sigma := xor(t.v, maskOf(bls12381.Pair(sig, t.u)))
	key := xor(t.w, sha256.Sum256(sigma[:]))
	check := new(bls12381.G2)
	check.ScalarMult(challenge(sigma, key), bls12381.G2Generator())
	if !check.IsEqual(t.u) {
		return nil, ErrSignature
	}
	sealed, err := seal(key)
	if err != nil {
		return nil, err
	}
	plaintext, err := sealed.Open(nil, t.nonce, t.body, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCiphertext, err)
	}
	return plaintext, nil
}

type parsed struct {
	u           *bls12381.G2
	v, w        [32]byte
	body, nonce []byte
}

func parse(b []byte) (t parsed, err error) {
	if len(b) < 96 {
		return t, io.ErrUnexpectedEOF
	}
	if t.u, err = pointG2(b[:96]); err != nil {
		return t, err
	}
	r := reader{b: b[96:]}
	v, w := r.bytes(), r.bytes()
	body := reader{b: r.bytes()}
	name := r.bytes()
	t.body, t.nonce = body.bytes(), body.bytes()
	switch {
	case r.short || body.short:
		return t, io.ErrUnexpectedEOF
	case len(v) != 32 || len(w) != 32:
		return t, fmt.Errorf("parts of %d and %d bytes, not 32", len(v), len(w))
	case string(name) != suite:
		return t, fmt.Errorf("cipher %q, not %q", name, suite)
	case len(t.nonce) != nonceSize:
		return t, fmt.Errorf("nonce of %d bytes, not %d", len(t.nonce), nonceSize)
	}
	t.v, t.w = [32]byte(v), [32]byte(w)
	return t, nil
}

// A reader takes byte strings with their lengths before them.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) bytes() []byte {
	if len(r.b) < 8 {
		r.short, r.b = true, nil
		return nil
	}
	n := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	if n > uint64(len(r.b)) {
		r.short, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func appendBytes(b, s []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func seal(key [32]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("key of the body: %w", err)
	}
	return cipher.NewGCM(block)
}

// challenge hashes sigma and the key to a scalar.
func challenge(sigma, key [32]byte) *bls12381.Scalar {
	digest := sha256.Sum256(append(sigma[:], key[:]...))
	r := new(bls12381.Scalar)
	r.SetBytes(digest[:]) // big-endian, modulo the order
	return r
}

// maskOf hashes an element of the target group as arkworks writes it: twelve
// numbers, little-endian, from the lowest coefficient on. The library's order
// is the exact reverse.
func maskOf(gt *bls12381.Gt) [32]byte {
	b, err := gt.MarshalBinary()
	if err != nil {
		panic(err) // it cannot fail
	}
	slices.Reverse(b)
	return sha256.Sum256(b)
}

func xor(a, b [32]byte) [32]byte {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}
