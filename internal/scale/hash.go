package scale

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"golang.org/x/crypto/blake2b"
)

// A Hasher is how a storage map turns a key into the part of the storage key
// that stands for it. The numbers are those of the metadata.
type Hasher uint8

// The hashers of Substrate. Those named Concat append the key to its hash, so
// that it can be read back; Identity is the key alone.
const (
	Blake2_128 Hasher = iota
	Blake2_256
	Blake2_128Concat
	Twox128
	Twox256
	Twox64Concat
	Identity
)

var hasherNames = [...]string{"Blake2_128", "Blake2_256", "Blake2_128Concat", "Twox128", "Twox256", "Twox64Concat", "Identity"}

// String returns the name the metadata gives the hasher.
func (h Hasher) String() string {
	if int(h) < len(hasherNames) {
		return hasherNames[h]
	}
	return fmt.Sprintf("Hasher(%d)", uint8(h))
}

// Append appends what the hasher makes of key, which is SCALE.
func (h Hasher) Append(dst, key []byte) []byte {
	switch h {
	case Blake2_128:
		return appendBlake2_128(dst, key)
	case Blake2_256:
		sum := blake2b.Sum256(key)
		return append(dst, sum[:]...)
	case Blake2_128Concat:
		return append(appendBlake2_128(dst, key), key...)
	case Twox128:
		return appendTwox(dst, key, 2)
	case Twox256:
		return appendTwox(dst, key, 4)
	case Twox64Concat:
		return append(appendTwox(dst, key, 1), key...)
	default:
		return append(dst, key...)
	}
}

// Key returns what follows the hash at the front of b: the key that [Append]
// was given, and whatever was appended after it. Hashers that do not keep the
// key are an error.
//
// [Append]: Hasher.Append
func (h Hasher) Key(b []byte) ([]byte, error) {
	n := 0
	switch h {
	case Blake2_128Concat:
		n = 16
	case Twox64Concat:
		n = 8
	case Identity:
	default:
		return nil, fmt.Errorf("hasher %v does not keep the key", h)
	}
	if len(b) < n {
		return nil, fmt.Errorf("%w: storage key too short for %v", errShort, h)
	}
	return b[n:], nil
}

// StorageKey returns the prefix of a storage item: all of its key if it is a
// plain value.
func StorageKey(pallet, item string) []byte {
	return appendTwox(appendTwox(make([]byte, 0, 32), []byte(pallet), 2), []byte(item), 2)
}

func appendBlake2_128(dst, b []byte) []byte {
	h, err := blake2b.New(16, nil)
	if err != nil {
		panic(err) // unreachable: the size is allowed and there is no key
	}
	h.Write(b)
	return h.Sum(dst)
}

// Blake2b256 returns the 32-byte BLAKE2b hash of b.
func Blake2b256(b []byte) [32]byte { return blake2b.Sum256(b) }

// appendTwox appends n XXH64 hashes of b, with the seeds 0 to n-1.
func appendTwox(dst, b []byte, n uint64) []byte {
	for seed := range n {
		dst = binary.LittleEndian.AppendUint64(dst, xxh64(b, seed))
	}
	return dst
}

// The primes of XXH64.
const (
	prime1 uint64 = 0x9E3779B185EBCA87
	prime2 uint64 = 0xC2B2AE3D27D4EB4F
	prime3 uint64 = 0x165667B19E3779F9
	prime4 uint64 = 0x85EBCA77C2B2AE63
	prime5 uint64 = 0x27D4EB2F165667C5
)

// xxh64 is XXH64 as its specification has it: four lanes of eight bytes, then
// the rest by eights, by four, by bytes.
func xxh64(b []byte, seed uint64) uint64 {
	size := uint64(len(b))
	h := seed + prime5
	if len(b) >= 32 {
		p1, p2 := prime1, prime2 // variables: the sums below wrap around
		lanes := [4]uint64{seed + p1 + p2, seed + p2, seed, seed - p1}
		for ; len(b) >= 32; b = b[32:] {
			for i := range lanes {
				lanes[i] = xxhRound(lanes[i], binary.LittleEndian.Uint64(b[8*i:]))
			}
		}
		h = bits.RotateLeft64(lanes[0], 1) + bits.RotateLeft64(lanes[1], 7) +
			bits.RotateLeft64(lanes[2], 12) + bits.RotateLeft64(lanes[3], 18)
		for _, lane := range lanes {
			h = (h^xxhRound(0, lane))*prime1 + prime4
		}
	}
	h += size
	for ; len(b) >= 8; b = b[8:] {
		h = bits.RotateLeft64(h^xxhRound(0, binary.LittleEndian.Uint64(b)), 27)*prime1 + prime4
	}
	if len(b) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32(b))*prime1, 23)*prime2 + prime3
		b = b[4:]
	}
	for _, c := range b {
		h = bits.RotateLeft64(h^uint64(c)*prime5, 11) * prime1
	}
	h = (h ^ h>>33) * prime2
	h = (h ^ h>>29) * prime3
	return h ^ h>>32
}

func xxhRound(lane, word uint64) uint64 {
	return bits.RotateLeft64(lane+word*prime2, 31) * prime1
}
