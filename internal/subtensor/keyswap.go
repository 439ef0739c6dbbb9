package subtensor

import (
	"context"
	"fmt"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// SwapHotkey puts a new hotkey into the place of another, on one subnet or, if none
// is given, on all: its uids and all stake with it, whoever's. It costs
// [Runtime.HotkeySwapCost]. The coldkey that owns the old one signs.
func SwapHotkey(old, now Account, only scale.Option[subnet.NetUID]) Call {
	return Call{module, "swap_hotkey", scale.Args{"hotkey": old, "new_hotkey": now, "netuid": only}}
}

// SwapHotkeyOnly is [SwapHotkey] that leaves the stake with the old hotkey. Older
// runtimes do not have it.
func SwapHotkeyOnly(old, now Account, only scale.Option[subnet.NetUID]) Call {
	return Call{module, "swap_hotkey_v2", scale.Args{"hotkey": old, "new_hotkey": now, "netuid": only, "keep_stake": true}}
}

// AnnounceColdkeySwap announces the coldkey that will take the place of the one
// that signs, by its hash. From then on the old one can do nothing but what belongs
// to the swap. The first announcement costs [Runtime.ColdkeySwapCost].
func AnnounceColdkeySwap(now Account) Call {
	return Call{module, "announce_coldkey_swap", scale.Args{"new_coldkey_hash": scale.Blake2b256(now[:])}}
}

// SwapColdkeyAnnounced gives all that the coldkey that signs has, balance, stake,
// hotkeys and subnets, to the one that it has announced.
func SwapColdkeyAnnounced(now Account) Call {
	return Call{module, "swap_coldkey_announced", scale.Args{"new_coldkey": now}}
}

// DisputeColdkeySwap stops a swap that somebody else has announced with the coldkey
// that signs. Nobody can do anything with it until the chain's root has looked at
// it.
func DisputeColdkeySwap() Call { return Call{module, "dispute_coldkey_swap", scale.Args{}} }

// ClearColdkeySwap takes an announcement back, once it could be replaced.
func ClearColdkeySwap() Call {
	return Call{module, "clear_coldkey_swap_announcement", scale.Args{}}
}

// A ColdkeySwap is a coldkey's announcement of another.
type ColdkeySwap struct {
	Announced  bool
	Hash       [32]byte     // of the new one; see [AnnounceColdkeySwap]
	From       subnet.Block // the first in which the swap may be done
	Clear      subnet.Block // the first in which it may be announced anew, or taken back
	Disputed   bool
	Delay      uint64 // blocks from an announcement to the swap
	ClearDelay uint64 // blocks from From to Clear
}

// Is reports whether an account is the one that was announced.
func (s *ColdkeySwap) Is(now Account) bool {
	return s.Announced && s.Hash == scale.Blake2b256(now[:])
}

// ColdkeySwap reads what a coldkey has announced. A runtime that knows no
// announcements is an error.
func (v *View) ColdkeySwap(ctx context.Context, coldkey Account) (ColdkeySwap, error) {
	vs, err := v.GetAll(ctx, []Entry{{module, "ColdkeySwapAnnouncements", []any{coldkey}}, {module, "ColdkeySwapDisputes", []any{coldkey}},
		{module, "ColdkeySwapAnnouncementDelay", nil}, {module, "ColdkeySwapReannouncementDelay", nil}})
	if err != nil {
		return ColdkeySwap{}, fmt.Errorf("read the swap of a coldkey: %w", err)
	}
	s := ColdkeySwap{Announced: vs[0] != nil, Disputed: vs[1] != nil, Delay: number(vs[2]), ClearDelay: number(vs[3])}
	if s.Announced {
		var a scale.Tuple2[subnet.Block, [32]byte]
		if err := scale.Assign(&a, vs[0]); err != nil {
			return ColdkeySwap{}, fmt.Errorf("read the swap of a coldkey: %w", err)
		}
		s.From, s.Hash, s.Clear = a.F0, a.F1, a.F0+subnet.Block(s.ClearDelay)
	}
	return s, nil
}

// HotkeySwapCost returns what [SwapHotkey] costs besides its fee, on one subnet or
// on all, in RAO.
func (r *Runtime) HotkeySwapCost(all bool) (uint64, error) {
	if all {
		return r.cost("KeySwapCost")
	}
	return r.cost("KeySwapOnSubnetCost")
}

// ColdkeySwapCost returns what the announcement of another coldkey costs besides
// its fee, in RAO.
func (r *Runtime) ColdkeySwapCost() (uint64, error) { return r.cost("KeySwapCost") }

func (r *Runtime) cost(name string) (uint64, error) {
	v, err := r.Constant(module, name)
	if err != nil {
		return 0, err
	}
	var rao uint64
	if err := scale.Assign(&rao, v); err != nil {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	return rao, nil
}
