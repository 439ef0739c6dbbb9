package connito

import (
	"encoding/hex"

	"golang.org/x/crypto/blake2b"

	"adit/internal/tensor"
)

// hashSize is the length of a model hash: blake2b with 192 bits. Upstream's
// comments speak of 256 bits and of sha256; its code does neither.
const hashSize = 24

// Hash returns the hash that commits to a model: over each tensor in byte-wise
// order of the keys, the key and then the raw little-endian values. Neither
// dtype, nor shape, nor the file around them count.
func Hash(d tensor.Dict) string { return hashIn(d.Keys(), d) }

// hash returns the hash of a model whose file holds the tensors in this order.
func (r Rules) hash(d tensor.Dict, order []string) string {
	if r.InsertionOrder {
		return hashIn(order, d)
	}
	return Hash(d)
}

func hashIn(order []string, d tensor.Dict) string {
	h, err := blake2b.New(hashSize, nil)
	if err != nil {
		panic(err) // unreachable: the size is valid and there is no key
	}
	for _, key := range order {
		h.Write([]byte(key))
		h.Write(d[key].Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}
