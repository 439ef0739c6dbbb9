package scale

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// SignedParts is all that the known signed extensions want to know.
type SignedParts struct {
	Nonce       uint32
	Tip         uint64
	SpecVersion uint32
	TxVersion   uint32
	Genesis     [32]byte
	Era         []byte   // as [ImmortalEra] and [MortalEra] return it
	Birth       [32]byte // hash of the block the era counts from; Genesis if immortal
}

// ImmortalEra returns the era of an extrinsic that is valid for ever.
func ImmortalEra() []byte { return []byte{0} }

// MortalEra returns the era of an extrinsic that is valid for period blocks, a
// power of two from 4 to 65536, or else the next one. Block is one near the
// head, and birth is the block it counts from, whose hash must be signed.
func MortalEra(period, block uint64) (era []byte, birth uint64) {
	period = min(max(period, 4), 1<<16)
	exp := bits.Len64(period - 1)
	period = 1 << exp
	quantum := max(period>>12, 1)
	phase := block % period / quantum
	birth = block - block%period + phase*quantum
	return binary.LittleEndian.AppendUint16(nil, uint16(exp-1)|uint16(phase)<<4), birth
}

// extension returns what a known extension puts into the extrinsic and into
// the signed payload alone.
func (p *SignedParts) extension(name string) (extra, implicit any, known bool) {
	switch name {
	case "CheckSpecVersion":
		return nil, p.SpecVersion, true
	case "CheckTxVersion":
		return nil, p.TxVersion, true
	case "CheckGenesis":
		return nil, p.Genesis, true
	case "CheckMortality", "CheckEra":
		return Raw(p.Era), p.Birth, true
	case "CheckNonce":
		return p.Nonce, nil, true
	case "ChargeTransactionPayment", "ChargeTransactionPaymentWrapper":
		return p.Tip, nil, true
	case "CheckMetadataHash":
		return Raw{0}, nil, true // mode Disabled, and then no hash
	}
	return nil, nil, false
}

// Extensions returns the two parts that the runtime's signed extensions add
// to a call: extra stands in the extrinsic, and both are signed. An extension
// that is not known is passed over if it adds nothing, and refused otherwise.
func (m *Metadata) Extensions(p SignedParts) (extra, implicit []byte, err error) {
	for _, x := range m.Extrinsic.Extensions {
		in, beside, known := p.extension(x.Name)
		if !known {
			if !m.empty(x.Type, 0) || !m.empty(x.Implicit, 0) {
				return nil, nil, fmt.Errorf("the runtime demands the signed extension %s, which is not known here", x.Name)
			}
			continue
		}
		e := encoder{m, 0}
		if extra, err = e.value(extra, x.Type, in); err == nil {
			implicit, err = e.value(implicit, x.Implicit, beside)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("signed extension %s: %w", x.Name, err)
		}
	}
	return extra, implicit, nil
}

// empty reports whether values of a type take no bytes.
func (m *Metadata) empty(id TypeID, depth int) bool {
	if depth > 16 {
		return false // deeper than any that Rust would allow to be this empty
	}
	switch def := &m.Types[id].Def; {
	case def.Composite != nil:
		for _, f := range def.Composite.Fields {
			if !m.empty(f.Type, depth+1) {
				return false
			}
		}
		return true
	case def.Tuple != nil:
		for _, id := range *def.Tuple {
			if !m.empty(id, depth+1) {
				return false
			}
		}
		return true
	case def.Array != nil:
		return def.Array.Len == 0 || m.empty(def.Array.Type, depth+1)
	}
	return false
}

// Payload returns the exact bytes to sign: call, extra and implicit, or their
// BLAKE2b hash if they are longer than 256 bytes.
func Payload(call, extra, implicit []byte) []byte {
	b := append(append(append([]byte(nil), call...), extra...), implicit...)
	if len(b) > 256 {
		sum := Blake2b256(b)
		return sum[:]
	}
	return b
}

// SignedExtrinsic puts a signed extrinsic together, its length in front.
func (m *Metadata) SignedExtrinsic(signer [32]byte, sr25519 []byte, extra, call []byte) ([]byte, error) {
	address, err := part(m.Extrinsic.Address, "addresses")
	if err != nil {
		return nil, err
	}
	signature, err := part(m.Extrinsic.Signature, "signatures")
	if err != nil {
		return nil, err
	}
	e := encoder{m, 0}
	b := []byte{signedVersion | signedFlag}
	if b, err = e.value(b, address, signer); err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	if b, err = e.value(b, signature, V("Sr25519", sr25519)); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	b = append(append(b, extra...), call...)
	return append(AppendCompact(nil, uint64(len(b))), b...), nil
}

// The first byte of an extrinsic is its version and, in the upper bits, its kind.
const (
	signedVersion = 4
	signedFlag    = 0x80
)
