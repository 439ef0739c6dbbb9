package ledger

import (
	"errors"
	"fmt"
	"reflect"

	"adit/internal/scale"
)

// CommitmentsCall is a call of the Commitments pallet.
type CommitmentsCall struct {
	scale.Enum
	SetCommitment *SetCommitment `scale:"0"`
	SetMaxSpace   *SetMaxSpace   `scale:"2"`
}

// maxFields is how many fields a commitment may have.
const maxFields = 3

// SetCommitment replaces what a neuron's hotkey has committed to a subnet.
type SetCommitment struct {
	Netuid uint16         `type:"NetUid"`
	Info   CommitmentInfo `type:"Box<CommitmentInfo<T::MaxFields>>"`
}

// CommitmentInfo is what is committed.
type CommitmentInfo struct{ Fields Fields }

// ScaleName implements [scale.Named].
func (CommitmentInfo) ScaleName() string { return "pallet_commitments::types::CommitmentInfo" }

// Registration is a commitment as stored.
type Registration struct {
	Deposit uint64
	Block   uint32
	Info    CommitmentInfo
}

// ScaleName implements [scale.Named].
func (Registration) ScaleName() string { return "pallet_commitments::types::Registration" }

// UsageTracker says how many bytes a hotkey has committed in an epoch.
type UsageTracker struct {
	LastEpoch uint64
	UsedSpace uint64
}

// ScaleName implements [scale.Named].
func (UsageTracker) ScaleName() string { return "pallet_commitments::types::UsageTracker" }

func (c *SetCommitment) free() {}

// leastSpace is what the smallest commitment counts for.
const leastSpace = 100

func (c *SetCommitment) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	if !sub.Uids.has(l.s, c.Netuid, who) {
		return ErrAccountNotAllowedCommit
	}
	if len(c.Info.Fields) > maxFields {
		return ErrTooManyFields
	}
	var space, locked uint64
	round := uint64(0)
	for _, f := range c.Info.Fields {
		space += f.space()
		if f.Kind == DataTimelock {
			locked++
			round = f.Round
		}
	}
	used := commitments.UsedSpaceOf.get(l.s, c.Netuid, who)
	if epoch := sub.SubnetEpochIndex.get(l.s, c.Netuid); used.LastEpoch != epoch {
		used = UsageTracker{LastEpoch: epoch}
	}
	used.UsedSpace += max(space, leastSpace)
	if used.UsedSpace > uint64(commitments.MaxSpace.get(l.s)) {
		return ErrSpaceLimitExceeded
	}
	commitments.UsedSpaceOf.set(l.s, c.Netuid, who, used)
	commitments.CommitmentOf.set(l.s, c.Netuid, who, Registration{Block: uint32(l.number), Info: c.Info})
	commitments.LastCommitment.set(l.s, c.Netuid, who, uint32(l.number))
	l.indexLocked(c.Netuid, who, locked > 0)
	for _, f := range c.Info.Fields {
		if f.Kind == DataResetBonds {
			l.resetBonds(c.Netuid, who)
		}
	}
	if locked > 0 {
		l.emit(CommitmentsEvent{TimelockCommitment: &TimelockCommitted{c.Netuid, who, round}})
	} else {
		l.emit(CommitmentsEvent{Commitment: &Committed{c.Netuid, who}})
	}
	return nil
}

// Fields are the parts of a commitment, at most three.
type Fields []Data

// AppendSCALE implements [scale.Appender].
func (fs Fields) AppendSCALE(b []byte) ([]byte, error) {
	b = scale.AppendCompact(b, uint64(len(fs)))
	for _, f := range fs {
		var err error
		if b, err = f.AppendSCALE(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// DecodeSCALE implements [scale.Scanner]. More fields than three are no
// commitment at all: the bound is part of the type.
func (fs *Fields) DecodeSCALE(d *scale.Decoder) error {
	n, err := d.Compact()
	if err != nil {
		return err
	}
	if n > maxFields {
		return fmt.Errorf("%d fields, at most %d", n, maxFields)
	}
	*fs = make(Fields, n)
	for i := range *fs {
		if err := (*fs)[i].DecodeSCALE(d); err != nil {
			return fmt.Errorf("field %d: %w", i, err)
		}
	}
	return nil
}

// ScaleDef implements [scale.Definer].
func (Fields) ScaleDef(r *scale.Registry) (scale.TypeDef, error) {
	id, err := r.Type(reflect.TypeFor[[]Data]())
	return scale.TypeDef{Composite: &scale.Composite{Fields: []scale.Field{{Type: id}}}}, err
}

// ScaleName implements [scale.Named].
func (Fields) ScaleName() string { return "bounded_collections::bounded_vec::BoundedVec" }

// DataKind says what a field holds.
type DataKind uint8

// The kinds of fields. DataRaw is up to 128 bytes, DataBigRaw up to 512; the
// four hashes have 32 bytes; DataTimelock can be read once a drand round is
// out.
const (
	DataNone DataKind = iota
	DataRaw
	DataBlakeTwo256
	DataSha256
	DataKeccak256
	DataShaThree256
	DataTimelock
	DataResetBonds
	DataBigRaw
)

// The tags on the wire. Those of raw data have the length in them.
const (
	tagRaw      = 1
	tagBlake    = 130
	tagTimelock = 134
	tagReset    = 135
	tagBigRaw   = 136

	maxRaw      = 128
	maxBigRaw   = 512
	maxTimelock = 1024
)

// Data is one field of a commitment.
type Data struct {
	Kind  DataKind
	Bytes []byte
	Round uint64 // of DataTimelock
}

// RawData returns s as a field, in the shorter of the two forms.
func RawData(s string) (Data, error) {
	switch {
	case len(s) <= maxRaw:
		return Data{Kind: DataRaw, Bytes: []byte(s)}, nil
	case len(s) <= maxBigRaw:
		return Data{Kind: DataBigRaw, Bytes: []byte(s)}, nil
	}
	return Data{}, fmt.Errorf("commitment field of %d bytes, at most %d", len(s), maxBigRaw)
}

// space is what the field counts for against the limit, in bytes.
func (f Data) space() uint64 {
	switch f.Kind {
	case DataNone, DataResetBonds:
		return 0
	}
	return uint64(len(f.Bytes))
}

// AppendSCALE implements [scale.Appender].
func (f Data) AppendSCALE(b []byte) ([]byte, error) {
	switch {
	case f.Kind == DataNone:
		return append(b, 0), nil
	case f.Kind == DataRaw && len(f.Bytes) <= maxRaw:
		return append(append(b, tagRaw+byte(len(f.Bytes))), f.Bytes...), nil
	case f.Kind >= DataBlakeTwo256 && f.Kind <= DataShaThree256 && len(f.Bytes) == 32:
		return append(append(b, tagBlake+byte(f.Kind-DataBlakeTwo256)), f.Bytes...), nil
	case f.Kind == DataTimelock && len(f.Bytes) <= maxTimelock:
		b = scale.AppendCompact(append(b, tagTimelock), uint64(len(f.Bytes)))
		return encode(append(b, f.Bytes...), f.Round), nil
	case f.Kind == DataResetBonds:
		return append(b, tagReset), nil
	case f.Kind == DataBigRaw && len(f.Bytes) <= maxBigRaw:
		b = scale.AppendCompact(append(b, tagBigRaw), uint64(len(f.Bytes)))
		return append(b, f.Bytes...), nil
	}
	return nil, fmt.Errorf("commitment field of kind %d with %d bytes", f.Kind, len(f.Bytes))
}

// DecodeSCALE implements [scale.Scanner].
func (f *Data) DecodeSCALE(d *scale.Decoder) error {
	*f = Data{}
	tag, err := d.Byte()
	if err != nil {
		return err
	}
	limit := 0
	switch {
	case tag == 0:
		return nil
	case tag < tagBlake:
		f.Kind = DataRaw
		return f.take(d, int(tag-tagRaw))
	case tag < tagTimelock:
		f.Kind = DataBlakeTwo256 + DataKind(tag-tagBlake)
		return f.take(d, 32)
	case tag == tagReset:
		f.Kind = DataResetBonds
		return nil
	case tag == tagTimelock:
		f.Kind, limit = DataTimelock, maxTimelock
	case tag == tagBigRaw:
		f.Kind, limit = DataBigRaw, maxBigRaw
	default:
		return fmt.Errorf("unknown kind of field %d", tag)
	}
	n, err := d.Compact()
	if err != nil {
		return err
	}
	if n > uint64(limit) {
		return fmt.Errorf("field of %d bytes, at most %d", n, limit)
	}
	if err := f.take(d, int(n)); err != nil {
		return err
	}
	if f.Kind == DataTimelock {
		return d.Decode(&f.Round)
	}
	return nil
}

func (f *Data) take(d *scale.Decoder, n int) error {
	b, err := d.Take(n)
	f.Bytes = append([]byte(nil), b...)
	return err
}

// ScaleName implements [scale.Named].
func (Data) ScaleName() string { return "pallet_commitments::types::Data" }

// ScaleDef implements [scale.Definer]: the chain shows each length of raw data
// as a variant of its own.
func (Data) ScaleDef(r *scale.Registry) (scale.TypeDef, error) {
	var errs []error
	field := func(name string, t reflect.Type) scale.Field {
		id, err := r.Type(t)
		errs = append(errs, err)
		f := scale.Field{Type: id}
		if name != "" {
			f.Name = scale.SomeOf(name)
		}
		return f
	}
	vs := []scale.VariantDef{{Name: "None"}}
	u8 := reflect.TypeFor[uint8]()
	for n := range maxRaw + 1 {
		vs = append(vs, scale.VariantDef{Name: fmt.Sprint("Raw", n), Index: uint8(tagRaw + n),
			Fields: []scale.Field{field("", reflect.ArrayOf(n, u8))}})
	}
	for i, name := range []string{"BlakeTwo256", "Sha256", "Keccak256", "ShaThree256"} {
		vs = append(vs, scale.VariantDef{Name: name, Index: uint8(tagBlake + i),
			Fields: []scale.Field{field("", reflect.TypeFor[[32]byte]())}})
	}
	vs = append(vs,
		scale.VariantDef{Name: "TimelockEncrypted", Index: tagTimelock,
			Fields: []scale.Field{field("encrypted", reflect.TypeFor[[]byte]()), field("reveal_round", reflect.TypeFor[uint64]())}},
		scale.VariantDef{Name: "ResetBondsFlag", Index: tagReset},
		scale.VariantDef{Name: "BigRaw", Index: tagBigRaw, Fields: []scale.Field{field("", reflect.TypeFor[[]byte]())}})
	return scale.TypeDef{Variant: &scale.VariantType{Variants: vs}}, errors.Join(errs...)
}
