package chainnode

import (
	"bytes"
	"crypto/mlkem"
	"crypto/sha512"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"adit/internal/ledger"
)

// btcli sends what moves stake encrypted, unless it is told not to, and the SDK
// does so if asked: what others read only once it is in a block, they cannot
// anticipate. So the node has a key to encrypt to, and opens what comes. Here
// there is nobody to hide from: the secrets derive from the genesis block, so
// that a chain that is opened again has them.

// shieldBlocks is for how many blocks the node announces one key. Clients that
// take it shortly before the next still have as long again, and more: the node
// opens what is encrypted to the last three.
const shieldBlocks = 64

// shieldKey returns the secret of the key that is announced in the number-th
// span of [shieldBlocks].
func (n *Node) shieldKey(span uint32) *mlkem.DecapsulationKey768 {
	b := append([]byte("shield"), n.genesis.hash[:]...)
	seed := sha512.Sum512(binary.LittleEndian.AppendUint32(b, span))
	key, err := mlkem.NewDecapsulationKey768(seed[:])
	if err != nil {
		panic(err) // unreachable: the seed has the size of seeds
	}
	return key
}

// announce returns the extrinsic by which a block announces the node's key, or
// nil if clients have it already.
func (n *Node) announce(number uint32) []byte {
	span := number / shieldBlocks
	if n.announced.key == nil || n.announced.span != span {
		n.announced.span, n.announced.key = span, n.shieldKey(span).EncapsulationKey().Bytes()
	}
	if bytes.Equal(n.ledger.NextShieldKey(), n.announced.key) {
		return nil
	}
	return ledger.ShieldKeyExtrinsic(n.announced.key)
}

// unshield returns the extrinsic that xt carries encrypted, with its length
// before it, or false if xt is no such one. An error means that it cannot be
// opened: it is lost.
func (n *Node) unshield(number uint32, xt []byte) (inner []byte, ok bool, err error) {
	tx := n.ledger.DecodeShielded(xt)
	if !tx.Some {
		return nil, false, nil
	}
	span := number / shieldBlocks
	for back := uint32(0); back <= min(2, span); back++ {
		key := n.shieldKey(span - back)
		if ledger.ShieldKeyHash(key.EncapsulationKey().Bytes()) != tx.V.KeyHash {
			continue
		}
		secret, err := key.Decapsulate(tx.V.KemCt)
		if err != nil {
			return nil, true, fmt.Errorf("open an encrypted extrinsic: %w", err)
		}
		aead, err := chacha20poly1305.NewX(secret)
		if err != nil {
			return nil, true, fmt.Errorf("open an encrypted extrinsic: %w", err)
		}
		inner, err = aead.Open(nil, tx.V.Nonce[:], tx.V.AeadCt, nil)
		if err != nil {
			return nil, true, fmt.Errorf("open an encrypted extrinsic: %w", err)
		}
		return inner, true, nil
	}
	return nil, true, fmt.Errorf("open an encrypted extrinsic: it is for a key that is not held any more")
}
