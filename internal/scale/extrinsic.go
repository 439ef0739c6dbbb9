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
// Where there are several versions of the extensions it is the first one, which
// signed extrinsics have.
func (m *Metadata) Extensions(p SignedParts) (extra, implicit []byte, err error) {
	xs, err := m.extensions(0)
	if err != nil {
		return nil, nil, err
	}
	for _, x := range xs {
		in, beside, known := p.extension(x.Name)
		if !known {
			if !m.empty(x.Type) || !m.empty(x.Implicit) {
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

// extensions returns the extensions of a version of them, in their order.
func (m *Metadata) extensions(version uint8) ([]Extension, error) {
	if len(m.Extrinsic.Sets) == 0 && version == 0 {
		return m.Extrinsic.Extensions, nil
	}
	for _, s := range m.Extrinsic.Sets {
		if s.Version != version {
			continue
		}
		var xs []Extension
		for _, i := range s.Extensions {
			xs = append(xs, m.Extrinsic.Extensions[i.V])
		}
		return xs, nil
	}
	return nil, fmt.Errorf("the runtime has no version %d of its extensions", version)
}

// empty reports whether values of a type take no bytes. A type that is made of
// itself is not.
func (m *Metadata) empty(id TypeID) bool { return m.allEmpty(map[TypeID]bool{}, id) }

// allEmpty remembers what it has looked at, false while it looks: foreign types
// may refer to one another in more ways than could be followed.
func (m *Metadata) allEmpty(seen map[TypeID]bool, ids ...TypeID) bool {
	for _, id := range ids {
		known, ok := seen[id]
		if !ok {
			if len(seen) > maxDepth {
				return false
			}
			seen[id] = false
			switch def := &m.Types[id].Def; {
			case def.Composite != nil:
				parts := make([]TypeID, len(def.Composite.Fields))
				for i, f := range def.Composite.Fields {
					parts[i] = f.Type
				}
				known = m.allEmpty(seen, parts...)
			case def.Tuple != nil:
				known = m.allEmpty(seen, *def.Tuple...)
			case def.Array != nil:
				known = def.Array.Len == 0 || m.allEmpty(seen, def.Array.Type)
			}
			seen[id] = known
		}
		if !known {
			return false
		}
	}
	return true
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
