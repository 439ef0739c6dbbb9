package subtensor

import (
	"context"
	"fmt"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// A Registration is a hotkey's place on a subnet.
type Registration struct {
	Hotkey Account
	NetUID subnet.NetUID
	UID    subnet.UID
}

// Registrations reads where hotkeys are neurons, by subnet and then in the order in
// which they are given.
func (v *View) Registrations(ctx context.Context, hotkeys ...Account) ([]Registration, error) {
	netuids, err := v.NetUIDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("read registrations: %w", err)
	}
	var es []Entry
	var all []Registration
	for _, n := range netuids {
		for _, h := range hotkeys {
			es = append(es, Entry{module, "Uids", []any{n, h}})
			all = append(all, Registration{Hotkey: h, NetUID: n})
		}
	}
	vs, err := v.GetAll(ctx, es)
	if err != nil {
		return nil, fmt.Errorf("read registrations: %w", err)
	}
	out := all[:0]
	for i, r := range all {
		if vs[i] == nil {
			continue
		}
		if err := scale.Assign(&r.UID, vs[i]); err != nil {
			return nil, fmt.Errorf("read registrations: %w", err)
		}
		out = append(out, r)
	}
	return out, nil
}

// MetagraphExtras are what people want to know of a subnet and [Metagraph] does not
// tell. What the runtime does not have is the zero value.
type MetagraphExtras struct {
	Mechanisms     uint8    // at least 1
	Difficulty     uint64   // of a registration by work
	ValidatorTrust []uint16 // by uid, of 65535
	Issuance       uint64   // RAO that there are on the whole chain
}

// MetagraphExtras reads them, in one round trip.
func (v *View) MetagraphExtras(ctx context.Context, n subnet.NetUID) (MetagraphExtras, error) {
	var m MetagraphExtras
	var es []Entry
	var into []any
	for _, f := range []struct {
		item string
		to   any
		keys []any
	}{
		{"MechanismCountCurrent", &m.Mechanisms, []any{n}},
		{"Difficulty", &m.Difficulty, []any{n}},
		{"ValidatorTrust", &m.ValidatorTrust, []any{n}},
		{"TotalIssuance", &m.Issuance, nil},
	} {
		if v.has(module, f.item) {
			es, into = append(es, Entry{module, f.item, f.keys}), append(into, f.to)
		}
	}
	vs, err := v.GetAll(ctx, es)
	for i := 0; i < len(vs) && err == nil; i++ {
		err = scale.Assign(into[i], vs[i])
	}
	if err != nil {
		return MetagraphExtras{}, fmt.Errorf("read subnet %d: %w", n, err)
	}
	m.Mechanisms = max(m.Mechanisms, 1)
	return m, nil
}

// Mechanisms reads how many mechanisms subnets have. Those that are not among them
// have one.
func (v *View) Mechanisms(ctx context.Context) (map[subnet.NetUID]uint8, error) {
	out := map[subnet.NetUID]uint8{}
	if !v.has(module, "MechanismCountCurrent") {
		return out, nil
	}
	pairs, err := v.Pairs(ctx, module, "MechanismCountCurrent")
	for i := 0; i < len(pairs) && err == nil; i++ {
		var n subnet.NetUID
		var count uint8
		if err = scale.Assign(&n, pairs[i].Keys[0]); err == nil {
			err = scale.Assign(&count, pairs[i].Value)
		}
		out[n] = count
	}
	if err != nil {
		return nil, fmt.Errorf("read mechanisms: %w", err)
	}
	return out, nil
}
