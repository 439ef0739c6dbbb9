package subtensor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// maxFields, maxRaw and maxBigRaw are the bounds of a commitment: fields, bytes
// in one, and bytes in one of the large kind. maxLocked is that of a ciphertext.
const (
	maxFields = 3
	maxRaw    = 128
	maxBigRaw = 512
	maxLocked = 1024
)

// A Field is one of a commitment's. Kind is its name on the chain without a
// number: "Raw" and "BigRaw" for bytes, "BlakeTwo256", "Sha256", "Keccak256" and
// "ShaThree256" for hashes, "TimelockEncrypted", "ResetBondsFlag" and "None".
type Field struct {
	Kind  string
	Data  []byte // the bytes, the hash, or the ciphertext
	Round uint64 // of the beacon, when the ciphertext can be read
}

// BytesField returns a field of at most 512 bytes.
func BytesField(b []byte) Field {
	if len(b) <= maxRaw {
		return Field{Kind: "Raw", Data: b}
	}
	return Field{Kind: "BigRaw", Data: b}
}

// LockedField returns a field that the chain decrypts once the beacon has signed a
// round; see [Client.Lock].
func LockedField(ciphertext []byte, round uint64) Field {
	return Field{"TimelockEncrypted", ciphertext, round}
}

// ResetBondsField returns the field that makes the chain forget the hotkey's
// bonds.
func ResetBondsField() Field { return Field{Kind: "ResetBondsFlag"} }

// value returns the field for the encoder.
func (f Field) value() (scale.Variant, error) {
	limit := 32
	switch f.Kind {
	case "Raw":
		limit = maxRaw
	case "BigRaw":
		limit = maxBigRaw
	case "TimelockEncrypted":
		limit = maxLocked
	}
	if len(f.Data) > limit {
		return scale.Variant{}, fmt.Errorf("field of %d bytes, at most %d fit", len(f.Data), limit)
	}
	switch f.Kind {
	case "None", "ResetBondsFlag":
		return scale.V(f.Kind), nil
	case "Raw":
		return scale.V("Raw"+strconv.Itoa(len(f.Data)), f.Data), nil
	case "TimelockEncrypted":
		return scale.Variant{Name: f.Kind, Fields: map[string]any{"encrypted": f.Data, "reveal_round": f.Round}}, nil
	}
	return scale.V(f.Kind, f.Data), nil
}

// field is the reverse of value.
func field(v any) (Field, error) {
	x, ok := v.(scale.Variant)
	if !ok {
		return Field{}, fmt.Errorf("a field of the type %T", v)
	}
	f := Field{Kind: x.Name}
	if digits, raw := strings.CutPrefix(x.Name, "Raw"); raw && strings.Trim(digits, "0123456789") == "" {
		f.Kind = "Raw"
	}
	if named, ok := x.Fields.(map[string]any); ok {
		f.Data, _ = named["encrypted"].([]byte)
		f.Round = number(named["reveal_round"])
		return f, nil
	}
	f.Data, _ = x.At(0).([]byte)
	return f, nil
}

// SetCommitment replaces what a hotkey has committed on a subnet. The hotkey
// signs; there is no fee, but a limit of bytes in an epoch.
func SetCommitment(n subnet.NetUID, fields ...Field) (Call, error) {
	if len(fields) > maxFields {
		return Call{}, fmt.Errorf("commit: %d fields, at most %d fit", len(fields), maxFields)
	}
	data := make([]any, len(fields))
	for i, f := range fields {
		v, err := f.value()
		if err != nil {
			return Call{}, fmt.Errorf("commit: %w", err)
		}
		data[i] = v
	}
	return Call{"Commitments", "set_commitment", scale.Args{"netuid": n, "info": scale.Args{"fields": data}}}, nil
}

// A Commitment is what a hotkey has committed on a subnet, as it was committed,
// and apart from that what the chain has decrypted of it and of earlier ones.
type Commitment struct {
	Hotkey Account
	// Block and Fields are of the commitment that stands: 0 and none if all
	// of it was time-locked and has been revealed.
	Block    subnet.Block
	Fields   []Field
	Revealed []Revealed // the last ten at most, the oldest first
}

// CommitmentSpace returns how many bytes a hotkey has committed on a subnet in this
// epoch, and how many it may. Each commitment counts for [LeastSpace] at least.
func (v *View) CommitmentSpace(ctx context.Context, n subnet.NetUID, hotkey Account) (used, limit uint64, err error) {
	const pallet = "Commitments"
	es := []Entry{{pallet, "UsedSpaceOf", []any{n, hotkey}}, {pallet, "MaxSpace", nil}}
	if v.has(module, "SubnetEpochIndex", n) {
		es = append(es, Entry{module, "SubnetEpochIndex", []any{n}})
	} else {
		es = append(es, Entry{module, "Tempo", []any{n}})
	}
	vs, err := v.GetAll(ctx, es)
	if err != nil {
		return 0, 0, fmt.Errorf("read the space for commitments: %w", err)
	}
	epoch := number(vs[2])
	if es[2].Item == "Tempo" {
		epoch = (uint64(v.Block) + uint64(n) + 1) / (epoch + 1)
	}
	if usage, ok := vs[0].(map[string]any); ok && number(usage["last_epoch"]) == epoch {
		used = number(usage["used_space"])
	}
	return used, number(vs[1]), nil
}

// LeastSpace is for how many bytes the smallest commitment counts.
const LeastSpace = 100

// Space is for how many bytes a commitment of these fields counts.
func Space(fields ...Field) uint64 {
	sum := uint64(0)
	for _, f := range fields {
		if f.Kind != "None" && f.Kind != "ResetBondsFlag" {
			sum += uint64(len(f.Data))
		}
	}
	return max(sum, LeastSpace)
}

// Revealed is a time-locked field that the chain has decrypted.
type Revealed struct {
	Block subnet.Block // in which it was
	Data  []byte
}

// Commitments reads all commitments on a subnet, sorted by hotkey.
func (v *View) Commitments(ctx context.Context, n subnet.NetUID) ([]Commitment, error) {
	standing, err := v.Pairs(ctx, "Commitments", "CommitmentOf", n)
	if err != nil {
		return nil, err
	}
	revealed, err := v.Pairs(ctx, "Commitments", "RevealedCommitments", n)
	if err != nil {
		return nil, err
	}
	all := map[Account]*Commitment{}
	of := func(p Pair) (*Commitment, error) {
		var who Account
		if err := scale.Assign(&who, p.Keys[1]); err != nil {
			return nil, err
		}
		if all[who] == nil {
			all[who] = &Commitment{Hotkey: who}
		}
		return all[who], nil
	}
	for _, p := range standing {
		c, err := of(p)
		if err == nil {
			c.Block, c.Fields, err = registration(p.Value)
		}
		if err != nil {
			return nil, fmt.Errorf("read a commitment: %w", err)
		}
	}
	for _, p := range revealed {
		c, err := of(p)
		var list []scale.Tuple2[[]byte, subnet.Block]
		if err == nil {
			err = scale.Assign(&list, p.Value)
		}
		if err != nil {
			return nil, fmt.Errorf("read revealed commitments: %w", err)
		}
		for _, r := range list {
			c.Revealed = append(c.Revealed, Revealed{r.F1, r.F0})
		}
	}
	out := make([]Commitment, 0, len(all))
	for _, c := range all {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Commitment) int { return slices.Compare(a.Hotkey[:], b.Hotkey[:]) })
	return out, nil
}

// registration takes a value of CommitmentOf apart.
func registration(v any) (subnet.Block, []Field, error) {
	var r struct {
		Block subnet.Block
		Info  struct{ Fields []any }
	}
	if err := scale.Assign(&r, v); err != nil {
		return 0, nil, err
	}
	fields := make([]Field, len(r.Info.Fields))
	for i, x := range r.Info.Fields {
		var err error
		if fields[i], err = field(x); err != nil {
			return 0, nil, err
		}
	}
	return r.Block, fields, nil
}

// Commit implements [subnet.Chain].
func (c chain) Commit(ctx context.Context, fields ...string) (subnet.Block, error) {
	data := make([]Field, len(fields))
	for i, f := range fields {
		data[i] = BytesField([]byte(f))
	}
	k, err := SetCommitment(c.netuid, data...)
	if err != nil {
		return 0, err
	}
	return c.do(ctx, k)
}

// Commitments implements [subnet.Chain]. Of a commitment's fields, those that
// are text or bytes are returned, not hashes nor what is still encrypted.
func (c chain) Commitments(ctx context.Context, at subnet.Block) ([]subnet.Commitment, error) {
	v, err := c.At(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("read commitments: %w", err)
	}
	pairs, err := v.Pairs(ctx, "Commitments", "CommitmentOf", c.netuid)
	if err != nil {
		return nil, err
	}
	out := make([]subnet.Commitment, 0, len(pairs))
	for _, p := range pairs {
		hotkey, err := address(p.Keys[1])
		if err != nil {
			return nil, fmt.Errorf("read commitments: %w", err)
		}
		block, fields, err := registration(p.Value)
		if err != nil {
			return nil, fmt.Errorf("read the commitment of %s: %w", hotkey, err)
		}
		m := subnet.Commitment{Hotkey: subnet.Hotkey(hotkey), Block: block, Fields: []string{}}
		for _, f := range fields {
			if f.Kind == "Raw" || f.Kind == "BigRaw" {
				m.Fields = append(m.Fields, string(f.Data))
			}
		}
		out = append(out, m)
	}
	return out, nil
}
