package ledger

import (
	"bytes"
	"slices"

	"adit/internal/scale"
)

// blocksPerDay is how many blocks of twelve seconds a day has.
const blocksPerDay = 7200

// DelegateInfos returns all delegates, in storage order.
func (l *Ledger) DelegateInfos() []DelegateInfo {
	var out []DelegateInfo
	sub.Delegates.each(l.s, func(hotkey AccountID, _ uint16) { out = append(out, l.delegate(hotkey)) })
	return out
}

// DelegateInfoOf returns one delegate, if it is one.
func (l *Ledger) DelegateInfoOf(hotkey AccountID) scale.Option[DelegateInfo] {
	if !sub.Delegates.has(l.s, hotkey) {
		return scale.Option[DelegateInfo]{}
	}
	return scale.SomeOf(l.delegate(hotkey))
}

// Delegated returns the delegates with whom a coldkey stakes, once for each
// network, and how much.
func (l *Ledger) Delegated(coldkey AccountID) []scale.Tuple2[DelegateInfo, scale.Tuple2[c16, c64]] {
	var out []scale.Tuple2[DelegateInfo, scale.Tuple2[c16, c64]]
	for _, hotkey := range sub.StakingHotkeys.get(l.s, coldkey) {
		if !sub.Delegates.has(l.s, hotkey) {
			continue
		}
		info := l.delegate(hotkey)
		l.networks(func(netuid uint16) {
			if n := l.stakeOf(hotkey, coldkey, netuid); n > 0 {
				out = append(out, scale.Tuple2[DelegateInfo, scale.Tuple2[c16, c64]]{F0: info,
					F1: scale.Tuple2[c16, c64]{F0: compact16(netuid), F1: compact64(n)}})
			}
		})
	}
	return out
}

func (l *Ledger) delegate(hotkey AccountID) DelegateInfo {
	s := l.s
	d := DelegateInfo{DelegateSS58: hotkey, Take: compact16(sub.Delegates.get(s, hotkey)), OwnerSS58: sub.Owner.get(s, hotkey)}
	type nominator = scale.Tuple2[AccountID, []scale.Tuple2[c16, c64]]
	l.eachStake(hotkey, func(coldkey AccountID, netuid uint16) {
		n := l.stakeOf(hotkey, coldkey, netuid)
		if n == 0 {
			return
		}
		at := slices.IndexFunc(d.Nominators, func(x nominator) bool { return x.F0 == coldkey })
		if at < 0 {
			at = len(d.Nominators)
			d.Nominators = append(d.Nominators, nominator{F0: coldkey})
		}
		d.Nominators[at].F1 = append(d.Nominators[at].F1, scale.Tuple2[c16, c64]{F0: compact16(netuid), F1: compact64(n)})
	})
	daily := uint64(0)
	l.networks(func(netuid uint16) {
		uid, ok := sub.Uids.lookup(s, netuid, hotkey)
		if !ok {
			return
		}
		d.Registrations = append(d.Registrations, compact16(netuid))
		if at(sub.ValidatorPermit.get(s, netuid), int(uid)) {
			d.ValidatorPermits = append(d.ValidatorPermits, compact16(netuid))
		}
		earned := mulDiv(at(sub.Emission.get(s, netuid), int(uid)), blocksPerDay, uint64(sub.Tempo.get(s, netuid)))
		daily = satAdd(daily, mulDiv(earned, l.Price(netuid), priceUnit))
	})
	d.TotalDailyReturn = compact64(daily)
	kept := daily - fromU16(sub.Delegates.get(s, hotkey)).of(daily)
	d.ReturnPer1000 = compact64(mulDiv(kept, 1000*priceUnit, l.totalStake(hotkey)))
	return d
}

// StakeInfoForColdkey returns what a coldkey stakes, by hotkey and network.
func (l *Ledger) StakeInfoForColdkey(coldkey AccountID) []StakeInfo {
	var out []StakeInfo
	for _, hotkey := range sub.StakingHotkeys.get(l.s, coldkey) {
		l.networks(func(netuid uint16) {
			if info := l.stakeInfo(hotkey, coldkey, netuid); info.Stake.V > 0 {
				out = append(out, info)
			}
		})
	}
	return out
}

// StakeInfoForColdkeys is [Ledger.StakeInfoForColdkey] of several.
func (l *Ledger) StakeInfoForColdkeys(coldkeys []AccountID) []scale.Tuple2[AccountID, []StakeInfo] {
	out := make([]scale.Tuple2[AccountID, []StakeInfo], len(coldkeys))
	for i, coldkey := range coldkeys {
		out[i] = scale.Tuple2[AccountID, []StakeInfo]{F0: coldkey, F1: l.StakeInfoForColdkey(coldkey)}
	}
	return out
}

// StakeInfoFor returns what a coldkey stakes with a hotkey in a network.
func (l *Ledger) StakeInfoFor(hotkey, coldkey AccountID, netuid uint16) scale.Option[StakeInfo] {
	if !l.exists(netuid) {
		return scale.Option[StakeInfo]{}
	}
	return scale.SomeOf(l.stakeInfo(hotkey, coldkey, netuid))
}

func (l *Ledger) stakeInfo(hotkey, coldkey AccountID, netuid uint16) StakeInfo {
	return StakeInfo{
		Hotkey: hotkey, Coldkey: coldkey, Netuid: compact16(netuid), Stake: compact64(l.stakeOf(hotkey, coldkey, netuid)),
		Emission:     compact64(sub.AlphaDividendsPerSubnet.get(l.s, netuid, hotkey)),
		TaoEmission:  compact64(sub.RootAlphaDividendsPerSubnet.get(l.s, netuid, hotkey)),
		IsRegistered: sub.Uids.has(l.s, netuid, hotkey),
	}
}

// availableIn is how much of a coldkey's stake in a network can be unstaked.
type availableIn = scale.Tuple2[uint16, StakeAvailability]

// StakeAvailabilityFor returns how much of their stake coldkeys can unstake, by
// coldkey and network: in the networks asked for, or in all. There are no locks
// here, so that it is all of it. The lists are in order, as the chain's maps.
func (l *Ledger) StakeAvailabilityFor(coldkeys []AccountID, netuids scale.Option[[]uint16]) []scale.Tuple2[AccountID, []availableIn] {
	var out []scale.Tuple2[AccountID, []availableIn]
	sorted := slices.Clone(coldkeys)
	slices.SortFunc(sorted, func(a, b AccountID) int { return bytes.Compare(a[:], b[:]) })
	for _, coldkey := range slices.Compact(sorted) {
		var in []availableIn
		l.networks(func(netuid uint16) {
			if netuids.Some && !slices.Contains(netuids.V, netuid) {
				return
			}
			total := uint64(0)
			for _, hotkey := range sub.StakingHotkeys.get(l.s, coldkey) {
				total = satAdd(total, l.stakeOf(hotkey, coldkey, netuid))
			}
			if total > 0 || netuids.Some {
				in = append(in, availableIn{F0: netuid, F1: StakeAvailability{Total: compact64(total), Available: compact64(total)}})
			}
		})
		out = append(out, scale.Tuple2[AccountID, []availableIn]{F0: coldkey, F1: in})
	}
	return out
}

// A stakePlace is a hotkey in a network.
type stakePlace = scale.Tuple2[AccountID, uint16]

// StakeFee returns the fee of a trade of amount: staking if there is no origin,
// unstaking if there is no destination.
func (l *Ledger) StakeFee(origin scale.Option[stakePlace], _ AccountID, destination scale.Option[stakePlace], _ AccountID, amount uint64) uint64 {
	switch {
	case origin.Some && destination.Some && origin.V.F1 == destination.V.F1:
		return 0
	case origin.Some && origin.V.F1 != rootNetuid:
		return mulDiv(l.tradeFee(origin.V.F1, amount), l.Price(origin.V.F1), priceUnit)
	case destination.Some:
		return l.tradeFee(destination.V.F1, amount)
	}
	return 0
}

// SimSwapResult is what a trade would bring and cost.
type SimSwapResult struct {
	TaoAmount     uint64
	AlphaAmount   uint64
	TaoFee        uint64
	AlphaFee      uint64
	TaoSlippage   uint64
	AlphaSlippage uint64
}

// ScaleName implements [scale.Named].
func (SimSwapResult) ScaleName() string { return "pallet_subtensor_swap_runtime_api::SimSwapResult" }

// SimBuy returns what buying alpha for tao would bring.
func (l *Ledger) SimBuy(netuid uint16, tao uint64) SimSwapResult {
	fee := l.tradeFee(netuid, tao)
	alpha := l.quoteBuy(netuid, tao, fee)
	flat := mulDiv(tao-fee, priceUnit, l.Price(netuid))
	return SimSwapResult{TaoAmount: tao - fee, AlphaAmount: alpha, TaoFee: fee, AlphaSlippage: satSub(flat, alpha)}
}

// SimSell returns what selling alpha would bring.
func (l *Ledger) SimSell(netuid uint16, alpha uint64) SimSwapResult {
	fee := l.tradeFee(netuid, alpha)
	tao := l.quoteSell(netuid, alpha, fee)
	flat := mulDiv(alpha-fee, l.Price(netuid), priceUnit)
	return SimSwapResult{TaoAmount: tao, AlphaAmount: alpha - fee, AlphaFee: fee, TaoSlippage: satSub(flat, tao)}
}

// SubnetPrice is what one alpha of a subnet costs, in RAO.
type SubnetPrice struct {
	Netuid uint16
	Price  uint64
}

// ScaleName implements [scale.Named].
func (SubnetPrice) ScaleName() string { return "pallet_subtensor_swap_runtime_api::SubnetPrice" }

// Prices returns the price of each subnet's alpha.
func (l *Ledger) Prices() []SubnetPrice {
	var out []SubnetPrice
	l.networks(func(netuid uint16) { out = append(out, SubnetPrice{netuid, l.Price(netuid)}) })
	return out
}
