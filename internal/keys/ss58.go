package keys

import (
	"errors"
	"fmt"

	"github.com/decred/base58"
	"golang.org/x/crypto/blake2b"
)

// prefix is what chains of this kind begin their addresses with: the one for
// "any Substrate chain".
const prefix = 42

// Address returns the SS58 address of a public key with prefix 42.
func Address(pub [32]byte) string { return address(pub, prefix) }

// maxPrefix is the largest that two bytes can hold.
const maxPrefix = 1<<14 - 1

// AddressWithPrefix returns the SS58 address of a public key on the network
// with that prefix, which is at most 16383. 42 is any Substrate chain's.
func AddressWithPrefix(pub [32]byte, prefix uint16) (string, error) {
	if prefix > maxPrefix {
		return "", fmt.Errorf("address prefix %d is above %d", prefix, maxPrefix)
	}
	return address(pub, prefix), nil
}

// address encodes a prefix of at most 14 bits: one byte below 64, otherwise
// two whose bits stand in the order the registry prescribes.
func address(pub [32]byte, prefix uint16) string {
	var b []byte
	if prefix < 64 {
		b = append(b, byte(prefix))
	} else {
		b = append(b, byte(prefix&0x00fc>>2)|0x40, byte(prefix>>8&0x3f)|byte(prefix&3<<6))
	}
	b = append(b, pub[:]...)
	sum := checksum(b)
	return base58.Encode(append(b, sum[0], sum[1]))
}

// ParseAddress returns the public key of an SS58 address with prefix 42.
func ParseAddress(s string) ([32]byte, error) {
	pub, p, err := ParseAddressPrefix(s)
	if err != nil {
		return [32]byte{}, err
	}
	if p != prefix {
		return [32]byte{}, fmt.Errorf("address %s is of network %d, not %d", s, p, prefix)
	}
	return pub, nil
}

// ParseAddressPrefix returns the public key and the network prefix of an SS58
// address.
func ParseAddressPrefix(s string) (pub [32]byte, prefix uint16, err error) {
	// 36 bytes make at most 50 digits; decoding takes quadratic time.
	if len(s) > 64 {
		return pub, 0, fmt.Errorf("address of %d letters is too long", len(s))
	}
	b := base58.Decode(s)
	var skip int
	switch {
	case len(b) == 35 && b[0] < 64:
		skip, prefix = 1, uint16(b[0])
	case len(b) == 36 && b[0] >= 64 && b[0] < 128:
		skip, prefix = 2, uint16(b[0]&0x3f)<<2|uint16(b[1]>>6)|uint16(b[1]&0x3f)<<8
		if prefix < 64 {
			return pub, 0, errors.New("address prefix is longer than it needs to be")
		}
	default:
		return pub, 0, fmt.Errorf("%q is not an SS58 address of a public key", s)
	}
	body, sum := b[:len(b)-2], checksum(b[:len(b)-2])
	if [2]byte(b[len(b)-2:]) != sum {
		return pub, 0, fmt.Errorf("address %s has a wrong checksum", s)
	}
	return [32]byte(body[skip:]), prefix, nil
}

func checksum(b []byte) [2]byte {
	sum := blake2b.Sum512(append([]byte("SS58PRE"), b...))
	return [2]byte(sum[:2])
}
