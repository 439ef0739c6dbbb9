package subtensor

import (
	"adit/internal/scale"
	"adit/internal/subnet"
)

// Prices, here and in the calls' limits, are in RAO for one alpha, that is for
// 10^9 of its smallest unit, in which all amounts of alpha are. On subnet 0, root,
// alpha is TAO and the price is 10^9. The coldkey signs.

// AddStake buys alpha of a subnet for rao of the coldkey's balance, for a hotkey
// to hold. Whatever the price is.
func AddStake(hotkey Account, n subnet.NetUID, rao uint64) Call {
	return Call{module, "add_stake", scale.Args{"hotkey": hotkey, "netuid": n, "amount_staked": rao}}
}

// AddStakeLimit is [AddStake] up to a price: with partial it buys as much as may
// be had for it, without it fails with SlippageTooHigh if not all can be bought.
func AddStakeLimit(hotkey Account, n subnet.NetUID, rao, price uint64, partial bool) Call {
	return Call{module, "add_stake_limit", scale.Args{"hotkey": hotkey, "netuid": n, "amount_staked": rao, "limit_price": price, "allow_partial": partial}}
}

// RemoveStake sells alpha that a hotkey holds for the coldkey.
func RemoveStake(hotkey Account, n subnet.NetUID, alpha uint64) Call {
	return Call{module, "remove_stake", scale.Args{"hotkey": hotkey, "netuid": n, "amount_unstaked": alpha}}
}

// RemoveStakeLimit is [RemoveStake] down to a price; see [AddStakeLimit].
func RemoveStakeLimit(hotkey Account, n subnet.NetUID, alpha, price uint64, partial bool) Call {
	return Call{module, "remove_stake_limit", scale.Args{"hotkey": hotkey, "netuid": n, "amount_unstaked": alpha, "limit_price": price, "allow_partial": partial}}
}

// RemoveStakeFull sells all alpha that a hotkey holds for the coldkey on a subnet,
// down to a price if there is one.
func RemoveStakeFull(hotkey Account, n subnet.NetUID, price scale.Option[uint64]) Call {
	return Call{module, "remove_stake_full_limit", scale.Args{"hotkey": hotkey, "netuid": n, "limit_price": price}}
}

// UnstakeAll sells all alpha that a hotkey holds for the coldkey, on every subnet.
func UnstakeAll(hotkey Account) Call {
	return Call{module, "unstake_all", scale.Args{"hotkey": hotkey}}
}

// UnstakeAllAlpha sells all alpha that a hotkey holds for the coldkey, and stakes
// what it brings on root.
func UnstakeAllAlpha(hotkey Account) Call {
	return Call{module, "unstake_all_alpha", scale.Args{"hotkey": hotkey}}
}

// A Place is where stake lies: with a hotkey on a subnet.
type Place struct {
	Hotkey Account
	NetUID subnet.NetUID
}

// MoveStake moves alpha from one hotkey and subnet to another; between subnets it
// is sold and bought.
func MoveStake(from, to Place, alpha uint64) Call {
	return Call{module, "move_stake", scale.Args{"origin_hotkey": from.Hotkey, "destination_hotkey": to.Hotkey,
		"origin_netuid": from.NetUID, "destination_netuid": to.NetUID, "alpha_amount": alpha}}
}

// SwapStake moves alpha of one hotkey from one subnet to another.
func SwapStake(hotkey Account, from, to subnet.NetUID, alpha uint64) Call {
	return Call{module, "swap_stake", scale.Args{"hotkey": hotkey, "origin_netuid": from, "destination_netuid": to, "alpha_amount": alpha}}
}

// SwapStakeLimit is [SwapStake] down to a ratio of the two prices, that of the
// first subnet divided by that of the second, times 10^9.
func SwapStakeLimit(hotkey Account, from, to subnet.NetUID, alpha, price uint64, partial bool) Call {
	return Call{module, "swap_stake_limit", scale.Args{"hotkey": hotkey, "origin_netuid": from, "destination_netuid": to,
		"alpha_amount": alpha, "limit_price": price, "allow_partial": partial}}
}

// TransferStake gives alpha to another coldkey; it stays with the hotkey, and is
// sold and bought if the subnets differ.
func TransferStake(to Account, hotkey Account, from, dest subnet.NetUID, alpha uint64) Call {
	return Call{module, "transfer_stake", scale.Args{"destination_coldkey": to, "hotkey": hotkey,
		"origin_netuid": from, "destination_netuid": dest, "alpha_amount": alpha}}
}
