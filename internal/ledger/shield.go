package ledger

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"

	"adit/internal/scale"
)

// The MevShield pallet lets a client send an extrinsic that nobody can read
// before it is in a block. The author of blocks announces a key of ML-KEM-768;
// the client encrypts a signed extrinsic to it and sends that in another, whose
// nonce comes first; the author opens it and puts what it held right behind.
// This package knows the keys and the form; the secrets are the node's.

// ShieldCall is a call of the MevShield pallet.
type ShieldCall struct {
	scale.Enum
	AnnounceNextKey *AnnounceNextKey `scale:"0"`
	SubmitEncrypted *SubmitEncrypted `scale:"1"`
}

type shieldStorage struct {
	CurrentKey value[[]byte] `optional:"true"`
	PendingKey value[[]byte] `optional:"true"`
	NextKey    value[[]byte] `optional:"true"` // which clients take
}

// shieldKeySize is how many bytes a key to encrypt to has.
const shieldKeySize = 1184

// AnnounceNextKey makes EncKey the next key, the next the pending and the
// pending the current one. It is the author's, and nobody signs it. Unlike
// upstream, where authors take turns and each announces a key with every block,
// here there is one author, who does so when its key changes.
type AnnounceNextKey struct {
	EncKey scale.Option[[]byte] `type:"Option<ShieldEncKey>"` // none: nothing can be encrypted
}

func (c *AnnounceNextKey) dispatch(l *Ledger, o origin) error {
	if !o.none {
		return ErrBadOrigin
	}
	if c.EncKey.Some && len(c.EncKey.V) != shieldKeySize {
		return ErrBadEncKeyLen
	}
	shift := func(to, from *value[[]byte]) {
		if key, ok := from.lookup(l.s); ok {
			to.set(l.s, key)
		} else {
			l.s.put(to.prefix, nil)
		}
	}
	shift(&shield.CurrentKey, &shield.PendingKey)
	shift(&shield.PendingKey, &shield.NextKey)
	if c.EncKey.Some {
		shield.NextKey.set(l.s, c.EncKey.V)
	} else {
		l.s.put(shield.NextKey.prefix, nil)
	}
	return nil
}

// ShieldKeyExtrinsic returns the bytes of the extrinsic by which the author of a
// block announces a key to encrypt to. It goes into a block by [Ledger.Apply];
// no pool takes it.
func ShieldKeyExtrinsic(key []byte) []byte {
	return bareExtrinsic(&AnnounceNextKey{scale.SomeOf(key)})
}

// NextShieldKey returns the key that clients encrypt to, nil if there is none.
func (l *Ledger) NextShieldKey() []byte {
	key, _ := shield.NextKey.lookup(l.s)
	return key
}

// SubmitEncrypted carries an extrinsic that is encrypted.
type SubmitEncrypted struct {
	Ciphertext Shielded `type:"BoundedVec<u8, ConstU32<8192>>"`
}

// The numbers under which the pool refuses encrypted extrinsics.
const (
	failedShieldedTxParsing     = 23
	invalidShieldedTxPubKeyHash = 24
)

// precheck refuses what nobody could open, as CheckShieldedTxValidity does.
func (c *SubmitEncrypted) precheck(l *Ledger, _ AccountID) error {
	tx, ok := parseShielded(c.Ciphertext)
	if !ok {
		return &InvalidError{Kind: InvalidCustom, Custom: failedShieldedTxParsing}
	}
	for _, key := range []*value[[]byte]{&shield.CurrentKey, &shield.PendingKey, &shield.NextKey} {
		if k, ok := key.lookup(l.s); ok && ShieldKeyHash(k) == tx.KeyHash {
			return nil
		}
	}
	return &InvalidError{Kind: InvalidCustom, Custom: invalidShieldedTxPubKeyHash}
}

func (c *SubmitEncrypted) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	id := scale.Blake2b256(must(scale.Append(who[:], c.Ciphertext)))
	l.emit(ShieldEvent{EncryptedSubmitted: &EncryptedSubmitted{id, who}})
	return nil
}

// Shielded is an encrypted extrinsic, at most 8,192 bytes: the hash of the key
// it is encrypted to, the length of the encapsulated secret in two bytes, that
// secret, a nonce of 24 bytes, and what XChaCha20-Poly1305 made of the extrinsic.
type Shielded []byte

// maxShielded is the most bytes an encrypted extrinsic may have.
const maxShielded = 8192

// AppendSCALE implements [scale.Appender].
func (c Shielded) AppendSCALE(b []byte) ([]byte, error) {
	if len(c) > maxShielded {
		return nil, fmt.Errorf("encrypted extrinsic of %d bytes, at most %d", len(c), maxShielded)
	}
	return append(scale.AppendCompact(b, uint64(len(c))), c...), nil
}

// DecodeSCALE implements [scale.Scanner].
func (c *Shielded) DecodeSCALE(d *scale.Decoder) error {
	n, err := d.Compact()
	if err != nil {
		return err
	}
	if n > maxShielded {
		return fmt.Errorf("encrypted extrinsic of %d bytes, at most %d", n, maxShielded)
	}
	b, err := d.Take(int(n))
	*c = slices.Clone(b)
	return err
}

// ScaleName implements [scale.Named].
func (Shielded) ScaleName() string { return "bounded_collections::bounded_vec::BoundedVec" }

// ScaleDef implements [scale.Definer].
func (Shielded) ScaleDef(r *scale.Registry) (scale.TypeDef, error) {
	id, err := r.Type(reflect.TypeFor[[]byte]())
	return scale.TypeDef{Composite: &scale.Composite{Fields: []scale.Field{{Type: id}}}}, err
}

// ShieldedTransaction is an encrypted extrinsic, taken apart.
type ShieldedTransaction struct {
	KeyHash [16]byte // of the key it is encrypted to: see [ShieldKeyHash]
	KemCt   []byte   // the encapsulated secret
	AeadCt  []byte   // the extrinsic, encrypted with that secret
	Nonce   [24]byte
}

// ScaleName implements [scale.Named].
func (ShieldedTransaction) ScaleName() string { return "stp_shield::shielded_tx::ShieldedTransaction" }

func parseShielded(b []byte) (tx ShieldedTransaction, ok bool) {
	const front = len(tx.KeyHash) + 2
	if len(b) < front {
		return tx, false
	}
	size := int(binary.LittleEndian.Uint16(b[len(tx.KeyHash):]))
	rest := b[front:]
	if len(rest) < size+len(tx.Nonce) {
		return tx, false
	}
	copy(tx.KeyHash[:], b)
	tx.KemCt = rest[:size]
	copy(tx.Nonce[:], rest[size:])
	tx.AeadCt = rest[size+len(tx.Nonce):]
	return tx, true
}

// ShieldKeyHash returns the hash by which an encrypted extrinsic names the key
// that it is encrypted to.
func ShieldKeyHash(key []byte) [16]byte {
	return [16]byte(scale.Twox128.Append(nil, key))
}

// DecodeShielded returns what the extrinsic xt carries encrypted, or none.
func (l *Ledger) DecodeShielded(xt []byte) scale.Option[ShieldedTransaction] {
	x, err := parseExtrinsic(xt)
	if err != nil {
		return scale.Option[ShieldedTransaction]{}
	}
	c, ok := x.call.(*SubmitEncrypted)
	if !ok || x.bare {
		return scale.Option[ShieldedTransaction]{}
	}
	tx, ok := parseShielded(c.Ciphertext)
	return scale.Option[ShieldedTransaction]{Some: ok, V: tx}
}

// tryDecodeShielded is [Ledger.DecodeShielded] of an extrinsic whose length
// stands before it.
func (l *Ledger) tryDecodeShielded(uxt []byte) scale.Option[ShieldedTransaction] {
	return l.DecodeShielded(append(scale.AppendCompact(nil, uint64(len(uxt))), uxt...))
}

// usesCurrentKey reports whether a key hash is that of the current key.
func (l *Ledger) usesCurrentKey(hash [16]byte) bool {
	key, ok := shield.CurrentKey.lookup(l.s)
	return ok && ShieldKeyHash(key) == hash
}

// ShieldEvent is an event of the MevShield pallet.
type ShieldEvent struct {
	scale.Enum
	EncryptedSubmitted *EncryptedSubmitted `scale:"0"`
}

// EncryptedSubmitted says that something encrypted has come, and from whom.
type EncryptedSubmitted struct {
	ID  Hash `scale:"id"`
	Who AccountID
}

// shieldPallet describes the pallet for the metadata.
func shieldPallet() scale.PalletDef {
	return scale.PalletDef{
		Name: "MevShield", Index: inShield, Calls: ShieldCall{}, Events: ShieldEvent{}, Errors: failures(inShield), Storage: items(shield),
	}
}
