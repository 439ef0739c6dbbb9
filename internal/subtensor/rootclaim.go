package subtensor

import (
	"context"
	"fmt"
	"slices"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// A RootClaim is what becomes of the alpha that stake on root has earned, when it is
// claimed: it is sold for TAO that are staked on root, kept as stake on its subnet,
// or kept on some subnets and sold on the others.
type RootClaim struct {
	Keep    bool
	Subnets []subnet.NetUID // if there are any, it is kept only there
}

// ClaimRoot pays out what the coldkey that signs has earned with its stake on root,
// on at most five subnets. Blocks do so by themselves too, for a few coldkeys at a
// time.
func ClaimRoot(n ...subnet.NetUID) Call {
	return Call{module, "claim_root", scale.Args{"subnets": set(n)}}
}

// SetRootClaim says what becomes of what the coldkey that signs earns on root.
func SetRootClaim(r RootClaim) Call {
	kind := scale.Variant{Name: "Swap"}
	switch {
	case len(r.Subnets) > 0:
		kind = scale.Variant{Name: "KeepSubnets", Fields: map[string]any{"subnets": set(r.Subnets)}}
	case r.Keep:
		kind.Name = "Keep"
	}
	return Call{module, "set_root_claim_type", scale.Args{"new_root_claim_type": kind}}
}

// set returns a list as the chain keeps sets: in order, and each once.
func set(n []subnet.NetUID) []subnet.NetUID {
	n = slices.Clone(n)
	slices.Sort(n)
	return append([]subnet.NetUID{}, slices.Compact(n)...)
}

// RootClaim reads what becomes of what a coldkey earns on root.
func (v *View) RootClaim(ctx context.Context, coldkey Account) (RootClaim, error) {
	got, err := v.Get(ctx, module, "RootClaimType", coldkey)
	if err != nil {
		return RootClaim{}, err
	}
	kind, ok := got.(scale.Variant)
	if !ok {
		return RootClaim{}, fmt.Errorf("read what becomes of root's earnings: it is %T", got)
	}
	r := RootClaim{Keep: kind.Name == "Keep" || kind.Name == "KeepSubnets"}
	if kind.Name == "KeepSubnets" {
		var fields struct{ Subnets []subnet.NetUID }
		if err := scale.Assign(&fields, kind.Fields); err != nil {
			return RootClaim{}, fmt.Errorf("read what becomes of root's earnings: %w", err)
		}
		r.Subnets = fields.Subnets
	}
	return r, nil
}
