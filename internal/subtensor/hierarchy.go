package subtensor

import (
	"context"
	"fmt"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// A Child is a hotkey that works with another's stake, and which part of it.
type Child struct {
	Proportion uint64 // of 2^64-1
	Hotkey     Account
}

// SetChildren replaces the children of a hotkey on a subnet, at most five, whose
// proportions are together at most 2^64-1. It takes effect after a cooldown of
// about a day. The coldkey signs.
func SetChildren(hotkey Account, n subnet.NetUID, children ...Child) Call {
	list := make([]any, len(children))
	for i, c := range children {
		list[i] = []any{c.Proportion, c.Hotkey}
	}
	return Call{module, "set_children", scale.Args{"hotkey": hotkey, "netuid": n, "children": list}}
}

// Children reads the children of a hotkey on a subnet.
func (v *View) Children(ctx context.Context, hotkey Account, n subnet.NetUID) ([]Child, error) {
	return v.kin(ctx, "ChildKeys", hotkey, n)
}

// Parents reads whose stake a hotkey works with on a subnet.
func (v *View) Parents(ctx context.Context, hotkey Account, n subnet.NetUID) ([]Child, error) {
	return v.kin(ctx, "ParentKeys", hotkey, n)
}

func (v *View) kin(ctx context.Context, item string, hotkey Account, n subnet.NetUID) ([]Child, error) {
	list, err := v.Get(ctx, module, item, hotkey, n)
	if err != nil {
		return nil, err
	}
	var pairs []scale.Tuple2[uint64, Account]
	if err := scale.Assign(&pairs, list); err != nil {
		return nil, fmt.Errorf("read %s: %w", item, err)
	}
	out := make([]Child, len(pairs))
	for i, p := range pairs {
		out[i] = Child{p.F0, p.F1}
	}
	return out, nil
}

// PendingChildren reads the children that replace a hotkey's on a subnet, and the
// block after which they do; 0 if none are to.
func (v *View) PendingChildren(ctx context.Context, hotkey Account, n subnet.NetUID) ([]Child, subnet.Block, error) {
	got, err := v.Get(ctx, module, "PendingChildKeys", n, hotkey)
	if err != nil {
		return nil, 0, err
	}
	var p scale.Tuple2[[]scale.Tuple2[uint64, Account], subnet.Block]
	if err := scale.Assign(&p, got); err != nil {
		return nil, 0, fmt.Errorf("read PendingChildKeys: %w", err)
	}
	out := make([]Child, len(p.F0))
	for i, c := range p.F0 {
		out[i] = Child{c.F0, c.F1}
	}
	return out, p.F1, nil
}

// ChildTake reads which part of its parents' rewards a hotkey keeps on a subnet, of
// 65535.
func (v *View) ChildTake(ctx context.Context, hotkey Account, n subnet.NetUID) (uint16, error) {
	got, err := v.Get(ctx, module, "ChildkeyTake", hotkey, n)
	if err != nil {
		return 0, err
	}
	var take uint16
	err = scale.Assign(&take, got)
	return take, err
}

// IncreaseTake raises which part of its nominators' rewards a hotkey keeps, of
// 65535. It may be done about once a month. The coldkey signs.
func IncreaseTake(hotkey Account, take uint16) Call {
	return Call{module, "increase_take", scale.Args{"hotkey": hotkey, "take": take}}
}

// DecreaseTake lowers which part of its nominators' rewards a hotkey keeps, of
// 65535. The coldkey signs.
func DecreaseTake(hotkey Account, take uint16) Call {
	return Call{module, "decrease_take", scale.Args{"hotkey": hotkey, "take": take}}
}

// SetChildTake sets which part of its parents' rewards a hotkey keeps on a
// subnet, of 65535. The coldkey signs.
func SetChildTake(hotkey Account, n subnet.NetUID, take uint16) Call {
	return Call{module, "set_childkey_take", scale.Args{"hotkey": hotkey, "netuid": n, "take": take}}
}

// Take reads which part of its nominators' rewards a hotkey keeps, of 65535.
func (v *View) Take(ctx context.Context, hotkey Account) (uint16, error) {
	got, err := v.Get(ctx, module, "Delegates", hotkey)
	if err != nil {
		return 0, err
	}
	var take uint16
	err = scale.Assign(&take, got)
	return take, err
}
