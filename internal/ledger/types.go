package ledger

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"reflect"

	"adit/internal/scale"
)

// AccountID is a public key: of a coldkey, which holds tokens, or of a hotkey,
// which takes part in subnets.
type AccountID [32]byte

// ScaleName implements [scale.Named].
func (AccountID) ScaleName() string { return "sp_core::crypto::AccountId32" }

// Hash is a BLAKE2b-256 digest.
type Hash [32]byte

// ScaleName implements [scale.Named].
func (Hash) ScaleName() string { return "primitive_types::H256" }

// AccountInfo is what System.Account holds. An account exists while it has a
// provider, which is its balance.
type AccountInfo struct {
	Nonce       uint32
	Consumers   uint32
	Providers   uint32
	Sufficients uint32
	Data        AccountData
}

// ScaleName implements [scale.Named].
func (AccountInfo) ScaleName() string { return "frame_system::AccountInfo" }

// AccountData is a balance in RAO.
type AccountData struct {
	Free     uint64
	Reserved uint64
	Frozen   uint64
	Flags    scale.U128
}

// ScaleName implements [scale.Named].
func (AccountData) ScaleName() string { return "pallet_balances::types::AccountData" }

// AxonInfo is where a neuron can be reached. The address is big-endian in an
// integer; Protocol is free.
type AxonInfo struct {
	Block        uint64
	Version      uint32
	IP           scale.U128 `scale:"ip"`
	Port         uint16
	IPType       uint8 `scale:"ip_type"`
	Protocol     uint8
	Placeholder1 uint8 `scale:"placeholder1"`
	Placeholder2 uint8 `scale:"placeholder2"`
}

// ScaleName implements [scale.Named].
func (AxonInfo) ScaleName() string { return "pallet_subtensor::pallet::AxonInfo" }

// PrometheusInfo is where a neuron's metrics can be read.
type PrometheusInfo struct {
	Block   uint64
	Version uint32
	IP      scale.U128 `scale:"ip"`
	Port    uint16
	IPType  uint8 `scale:"ip_type"`
}

// ScaleName implements [scale.Named].
func (PrometheusInfo) ScaleName() string { return "pallet_subtensor::pallet::PrometheusInfo" }

// Certificate is the public key of a neuron's TLS endpoint.
type Certificate struct {
	PublicKey []byte
	Algorithm uint8
}

// ScaleName implements [scale.Named].
func (Certificate) ScaleName() string { return "pallet_subtensor::pallet::NeuronCertificate" }

// RecycleOrBurn says what becomes of a miner's share that goes to the owner:
// burnt alpha stays issued without a holder, recycled alpha is unissued.
type RecycleOrBurn struct {
	scale.Enum
	Burn    *scale.Unit `scale:"0"`
	Recycle *scale.Unit `scale:"1"`
}

// ScaleName implements [scale.Named].
func (RecycleOrBurn) ScaleName() string { return "pallet_subtensor::pallet::RecycleOrBurnEnum" }

// RateLimitKey names something that may be done only so often.
type RateLimitKey struct {
	scale.Enum
	SetSNOwnerHotkey        *uint16     `scale:"0,SetSNOwnerHotkey"`
	NetworkLastRegistered   *scale.Unit `scale:"2"`
	LastTxBlock             *AccountID  `scale:"3"`
	LastTxBlockChildKeyTake *AccountID  `scale:"4"`
	LastTxBlockDelegateTake *AccountID  `scale:"5"`
}

// ScaleName implements [scale.Named].
func (RateLimitKey) ScaleName() string { return "pallet_subtensor::RateLimitKey" }

// MultiAddress is the destination of a call. Only Id can be looked up.
type MultiAddress struct {
	scale.Enum
	ID        *AccountID  `scale:"0,Id"`
	Index     *scale.Unit `scale:"1"`
	Raw       *[]byte     `scale:"2"`
	Address32 *[32]byte   `scale:"3"`
	Address20 *[20]byte   `scale:"4"`
}

// ScaleName implements [scale.Named].
func (MultiAddress) ScaleName() string { return "sp_runtime::multiaddress::MultiAddress" }

// AddressOf returns the address of an account.
func AddressOf(who AccountID) MultiAddress { return MultiAddress{ID: &who} }

func (a MultiAddress) lookup() (AccountID, error) {
	if a.ID == nil {
		return AccountID{}, ErrCannotLookup
	}
	return *a.ID, nil
}

// Signature is a signature by one of three schemes, of which sr25519 counts.
type Signature struct {
	scale.Enum
	Ed25519 *[64]byte `scale:"0"`
	Sr25519 *[64]byte `scale:"1"`
	Ecdsa   *[65]byte `scale:"2"`
}

// ScaleName implements [scale.Named].
func (Signature) ScaleName() string { return "sp_runtime::MultiSignature" }

// FixedU128 is an unsigned fixed-point number by its bits. Which of them are
// behind the point is for each item to say.
type FixedU128 struct{ Bits scale.U128 }

// ScaleName implements [scale.Named].
func (FixedU128) ScaleName() string { return "substrate_fixed::FixedU128" }

// FixedI128 is the same with a sign.
type FixedI128 struct{ Bits scale.I128 }

// ScaleName implements [scale.Named].
func (FixedI128) ScaleName() string { return "substrate_fixed::FixedI128" }

// FixedI64 is a fixed-point number of 64 bits with a sign.
type FixedI64 struct{ Bits int64 }

// ScaleName implements [scale.Named].
func (FixedI64) ScaleName() string { return "substrate_fixed::FixedI64" }

// CompactU128 is an integer of up to 16 bytes in as few as it needs.
type CompactU128 scale.U128

// AppendSCALE implements [scale.Appender].
func (c CompactU128) AppendSCALE(b []byte) ([]byte, error) {
	if c.Hi == 0 {
		return scale.AppendCompact(b, c.Lo), nil
	}
	n := 8 + (bits.Len64(c.Hi)+7)/8
	b = binary.LittleEndian.AppendUint64(append(b, byte(n-4)<<2|3), c.Lo)
	for i := range n - 8 {
		b = append(b, byte(c.Hi>>(8*i)))
	}
	return b, nil
}

// DecodeSCALE implements [scale.Scanner]. Only the shortest form is read.
func (c *CompactU128) DecodeSCALE(d *scale.Decoder) error {
	head := d.Rest()
	if len(head) == 0 || head[0]&3 != 3 || head[0]>>2 <= 4 {
		n, err := d.Compact()
		*c = CompactU128{Lo: n}
		return err
	}
	n := int(head[0]>>2) + 4
	b, err := d.Take(1 + n)
	if err != nil {
		return err
	}
	if n > 16 || b[n] == 0 {
		return fmt.Errorf("compact integer of %d bytes", n)
	}
	var full [16]byte
	copy(full[:], b[1:])
	*c = CompactU128{Lo: binary.LittleEndian.Uint64(full[:8]), Hi: binary.LittleEndian.Uint64(full[8:])}
	return nil
}

// ScaleDef implements [scale.Definer].
func (CompactU128) ScaleDef(r *scale.Registry) (scale.TypeDef, error) {
	id, err := r.Type(reflect.TypeFor[scale.U128]())
	return scale.TypeDef{Compact: &id}, err
}
