package scale

import (
	"errors"
	"fmt"
	"slices"
)

// The first byte of an extrinsic is its version and, in the upper two bits, its
// kind. Signed ones are of version 4; version 5 is for those whose signature, if
// they have one, is an extension.
const (
	signedVersion  = 4
	generalVersion = 5

	kindBare    = 0x00
	kindGeneral = 0x40
	kindSigned  = 0x80
	kindMask    = 0xc0
)

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
	b := []byte{kindSigned | signedVersion}
	if b, err = e.value(b, address, signer); err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	if b, err = e.value(b, signature, V("Sr25519", sr25519)); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return sized(append(append(b, extra...), call...)), nil
}

// sized puts the length in front.
func sized(b []byte) []byte { return append(AppendCompact(nil, uint64(len(b))), b...) }

// BareExtrinsic puts an extrinsic together that nobody signed, its length in front,
// in the highest version that the runtime takes.
func (m *Metadata) BareExtrinsic(call []byte) ([]byte, error) {
	if len(m.Extrinsic.Versions) == 0 {
		return nil, errors.New("the runtime takes no version of extrinsics")
	}
	v := min(slices.Max(m.Extrinsic.Versions), generalVersion)
	return sized(append([]byte{kindBare | v}, call...)), nil
}

// GeneralExtrinsic puts an extrinsic of version 5 together that is authorized by
// its extensions, of which there may be several versions; its length in front.
func (m *Metadata) GeneralExtrinsic(extensions uint8, extra, call []byte) ([]byte, error) {
	if !slices.Contains(m.Extrinsic.Versions, generalVersion) {
		return nil, fmt.Errorf("the runtime takes extrinsics of versions %v, not %d", m.Extrinsic.Versions, generalVersion)
	}
	if _, err := m.extensions(extensions); err != nil {
		return nil, err
	}
	return sized(slices.Concat([]byte{kindGeneral | generalVersion, extensions}, extra, call)), nil
}

// A Transaction is an extrinsic taken apart.
type Transaction struct {
	Version uint8
	// Signer and Signature are set in signed ones: an address and a
	// MultiSignature, as [Metadata.DecodeValue] gives them.
	Signer, Signature any
	// Extra is what each extension adds, by its name; nil if nothing vouches for
	// the transaction.
	Extra map[string]any
	// Pallet and Name are the call's, and the variant has its arguments.
	Pallet, Name string
	Variant
	// Call is the call as it stands in the extrinsic.
	Call []byte
}

// DecodeExtrinsic reads an extrinsic with its length in front, as blocks hold
// them.
func (m *Metadata) DecodeExtrinsic(b []byte) (*Transaction, error) {
	d := NewDecoder(b)
	n, err := d.length()
	if err == nil && n != d.Len() {
		err = fmt.Errorf("%d bytes in front of %d", n, d.Len())
	}
	var t *Transaction
	if err == nil {
		t, err = m.decodeExtrinsic(d)
	}
	if err != nil {
		return nil, fmt.Errorf("decode extrinsic: %w", err)
	}
	return t, nil
}

func (m *Metadata) decodeExtrinsic(d *Decoder) (*Transaction, error) {
	first, err := d.Byte()
	if err != nil {
		return nil, err
	}
	t := &Transaction{Version: first &^ kindMask}
	var extensions uint8
	switch kind := first & kindMask; {
	case kind == kindBare && (t.Version == signedVersion || t.Version == generalVersion):
	case kind == kindSigned && t.Version == signedVersion:
		if t.Signer, err = m.decodePart(m.Extrinsic.Address, "addresses", d); err != nil {
			return nil, err
		}
		if t.Signature, err = m.decodePart(m.Extrinsic.Signature, "signatures", d); err != nil {
			return nil, err
		}
	case kind == kindGeneral && t.Version == generalVersion:
		if extensions, err = d.Byte(); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("it begins with %#x: neither its kind nor its version are known", first)
	}
	if first&kindMask != kindBare {
		xs, err := m.extensions(extensions)
		if err != nil {
			return nil, err
		}
		t.Extra = make(map[string]any, len(xs))
		for _, x := range xs {
			if t.Extra[x.Name], err = m.DecodeValue(x.Type, d); err != nil {
				return nil, fmt.Errorf("extension %s: %w", x.Name, err)
			}
		}
	}
	t.Call = append([]byte(nil), d.Rest()...)
	v, err := m.decodePart(m.Extrinsic.Call, "calls", d)
	if err != nil {
		return nil, err
	}
	if d.Len() > 0 {
		return nil, fmt.Errorf("%d bytes left over behind the call", d.Len())
	}
	outer, _ := v.(Variant)
	inner, ok := outer.At(0).(Variant)
	if !ok {
		return nil, fmt.Errorf("%T is no call of a pallet", v)
	}
	t.Pallet, t.Name, t.Variant = outer.Name, inner.Name, inner
	return t, nil
}

func (m *Metadata) decodePart(o Option[TypeID], what string, d *Decoder) (any, error) {
	id, err := part(o, what)
	if err != nil {
		return nil, err
	}
	return m.DecodeValue(id, d)
}
