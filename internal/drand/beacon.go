// Package drand does time-lock encryption with a public beacon: whoever has the
// beacon's public key can encrypt for a round to come, and nobody can decrypt
// before the beacon has signed that round. It has the rounds, pulses and
// ciphertexts as Subtensor and bittensor-drand have them, and a beacon of one's
// own for networks on one machine. It knows no clock and does no I/O.
//
// The curve is BLS12-381 with signatures in G1 and public keys in G2, as in
// drand's chain "quicknet", which the main network trusts.
package drand

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/ecc/bls12381"
)

// A Chain is a beacon as its users know it.
type Chain struct {
	Public  [96]byte // compressed point of G2
	Genesis uint64   // seconds since 1970 of round 1
	Period  uint64   // seconds from one round to the next
}

// Quicknet returns the chain that finney and the test network follow, that with
// the hash 52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971.
func Quicknet() Chain {
	c := Chain{Genesis: 1692803367, Period: 3}
	_, err := hex.Decode(c.Public[:], []byte("83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"+
		"8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"+
		"5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"))
	if err != nil {
		panic(err) // a constant of ours
	}
	return c
}

// RoundAt returns how many whole periods lie between the chain's genesis and a
// time, at least 1: the round that bittensor-drand encrypts for when something
// shall be readable then. (The beacon itself counts one more.)
func (c Chain) RoundAt(unixSeconds float64) uint64 {
	since := unixSeconds - float64(c.Genesis)
	if !(since >= float64(c.Period)) {
		return 1
	}
	return uint64(since / float64(c.Period))
}

// Latest returns the last round that the beacon has signed at a time, 0 if it
// has signed none.
func (c Chain) Latest(unixSeconds float64) uint64 {
	since := unixSeconds - float64(c.Genesis)
	if !(since >= 0) {
		return 0
	}
	return uint64(since/float64(c.Period)) + 1
}

// A Pulse is what a beacon gives out for a round.
type Pulse struct {
	Round      uint64
	Randomness [32]byte // SHA-256 of the signature
	Signature  [48]byte // compressed point of G1
}

// hashTag separates the hashes of rounds from all other hashes to the curve.
const hashTag = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"

// identity returns the point of G1 that stands for a round.
func identity(round uint64) *bls12381.G1 {
	digest := sha256.Sum256(binary.BigEndian.AppendUint64(nil, round))
	q := new(bls12381.G1)
	q.Hash(digest[:], []byte(hashTag))
	return q
}

// ErrPulse means that a pulse is not of the chain it is said to be of.
var ErrPulse = errors.New("pulse does not belong to the beacon")

// Verify returns nil if the chain's beacon made p, else an error that wraps
// [ErrPulse].
func (c Chain) Verify(p Pulse) error {
	sig, err := pointG1(p.Signature[:])
	if err != nil {
		return fmt.Errorf("signature of round %d: %w: %w", p.Round, ErrPulse, err)
	}
	pk, err := pointG2(c.Public[:])
	if err != nil {
		return fmt.Errorf("public key of the beacon: %w: %w", ErrPulse, err)
	}
	// e(signature, generator) = e(round, public)
	left := []*bls12381.G1{sig, identity(p.Round)}
	right := []*bls12381.G2{bls12381.G2Generator(), pk}
	if !bls12381.ProdPairFrac(left, right, []int{1, -1}).IsIdentity() {
		return fmt.Errorf("signature of round %d: %w", p.Round, ErrPulse)
	}
	if p.Randomness != sha256.Sum256(p.Signature[:]) {
		return fmt.Errorf("randomness of round %d: %w", p.Round, ErrPulse)
	}
	return nil
}

var errPoint = errors.New("not a point of the group")

func pointG1(b []byte) (*bls12381.G1, error) {
	p := new(bls12381.G1)
	if len(b) != bls12381.G1SizeCompressed || b[0]&0x80 == 0 {
		return nil, errPoint
	}
	if err := p.SetBytes(b); err != nil || p.IsIdentity() {
		return nil, errPoint
	}
	return p, nil
}

func pointG2(b []byte) (*bls12381.G2, error) {
	p := new(bls12381.G2)
	if len(b) != bls12381.G2SizeCompressed || b[0]&0x80 == 0 {
		return nil, errPoint
	}
	if err := p.SetBytes(b); err != nil || p.IsIdentity() {
		return nil, errPoint
	}
	return p, nil
}

// A Beacon is one that we run ourselves.
type Beacon struct{ secret bls12381.Scalar }

// NewBeacon derives a beacon from a seed. Whoever knows the seed can read
// everything that is locked with the beacon's key.
func NewBeacon(seed [32]byte) *Beacon {
	b := new(Beacon)
	wide := sha256.Sum256(append([]byte("adit beacon"), seed[:]...))
	b.secret.SetBytes(wide[:])
	if b.secret.IsZero() == 1 {
		b.secret.SetOne()
	}
	return b
}

// Chain returns what others must know of the beacon. Genesis and period are in
// seconds; a local network picks them to suit its clock.
func (b *Beacon) Chain(genesis, period uint64) Chain {
	pk := new(bls12381.G2)
	pk.ScalarMult(&b.secret, bls12381.G2Generator())
	return Chain{Public: [96]byte(pk.BytesCompressed()), Genesis: genesis, Period: period}
}

// Pulse signs a round. It is for the caller to do so only when its time has
// come.
func (b *Beacon) Pulse(round uint64) Pulse {
	sig := new(bls12381.G1)
	sig.ScalarMult(&b.secret, identity(round))
	p := Pulse{Round: round, Signature: [48]byte(sig.BytesCompressed())}
	p.Randomness = sha256.Sum256(p.Signature[:])
	return p
}
