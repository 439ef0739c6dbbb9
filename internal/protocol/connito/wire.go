package connito

import "adit/internal/tensor"

// hashSize is the length of a model hash: blake2b with 192 bits. Upstream's
// comments speak of 256 bits and of sha256; its code does neither.
const hashSize = 24

// Hash returns the hash that commits to a model: over each tensor in byte-wise
// order of the keys, the key and then the raw little-endian values. Neither
// dtype, nor shape, nor the file around them count.
//
// In G0 it is the order of the file instead: see [Rules.digest].
func Hash(d tensor.Dict) string { return contentsOf(d, d.Keys()).Hash }
