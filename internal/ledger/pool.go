package ledger

import (
	"math"
	"math/big"

	"adit/internal/scale"
)

// Each subnet has a pool of TAO and of its alpha. Who stakes buys alpha from
// it, who unstakes sells. Unlike upstream, whose pools have weights and ranges,
// the product of the two reserves stays the same in a trade. What the fee takes
// off the input stays in the pool, so that the product grows by it.

// SwapCall is a call of the Swap pallet.
type SwapCall struct {
	scale.Enum
	SetFeeRate *SetFeeRate `scale:"0"`
}

type swapStorage struct {
	FeeRate table[uint16, uint16] `hash:"twox_64_concat" default:"33"` // of 65535
}

// SwapEvent is an event of the Swap pallet.
type SwapEvent struct {
	scale.Enum
	FeeRateSet *FeeRateSet `scale:"0"`
}

// FeeRateSet says what a trade in a subnet now costs, of 65535.
type FeeRateSet struct {
	Netuid uint16
	Rate   uint16
}

// swapPallet describes the pallet for the metadata.
func swapPallet() scale.PalletDef {
	return scale.PalletDef{
		Name: "Swap", Index: inSwap, Calls: SwapCall{}, Events: SwapEvent{}, Errors: failures(inSwap), Storage: items(swap),
		Constants: []scale.ConstantDef{{Name: "MaxFeeRate", Value: uint16(maxFeeRate)}, {Name: "MinimumReserve", Value: uint64(minReserve)}},
	}
}

const (
	maxFeeRate = 10_000
	minReserve = 1_000_000 // RAO that a trade must leave of what it takes
)

// SetFeeRate sets what a trade costs in a subnet, of 65535.
type SetFeeRate struct {
	Netuid uint16 `type:"NetUid"`
	Rate   uint16 `type:"u16"`
}

func (c *SetFeeRate) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOrRoot(o, c.Netuid); err != nil {
		return err
	}
	if !l.exists(c.Netuid) {
		return ErrSwapMechanismDoesNotExist
	}
	if c.Rate > maxFeeRate {
		return ErrFeeRateTooHigh
	}
	swap.FeeRate.set(l.s, c.Netuid, c.Rate)
	l.emit(SwapEvent{FeeRateSet: &FeeRateSet{c.Netuid, c.Rate}})
	return nil
}

// tradeFee returns what a trade of amount costs, of that amount.
func (l *Ledger) tradeFee(netuid uint16, amount uint64) uint64 {
	if netuid == rootNetuid {
		return 0
	}
	return mulDiv(amount, uint64(swap.FeeRate.get(l.s, netuid)), math.MaxUint16)
}

// quoteBuy returns how much alpha a subnet's pool gives for tao, of which fee
// pays nothing.
func (l *Ledger) quoteBuy(netuid uint16, tao, fee uint64) uint64 {
	if netuid == rootNetuid {
		return tao
	}
	net := satSub(tao, fee)
	return mulDiv(sub.SubnetAlphaIn.get(l.s, netuid), net, satAdd(sub.SubnetTAO.get(l.s, netuid), net))
}

// quoteSell returns how much TAO the pool gives for alpha, by the same rule.
func (l *Ledger) quoteSell(netuid uint16, alpha, fee uint64) uint64 {
	if netuid == rootNetuid {
		return alpha
	}
	net := satSub(alpha, fee)
	return mulDiv(sub.SubnetTAO.get(l.s, netuid), net, satAdd(sub.SubnetAlphaIn.get(l.s, netuid), net))
}

// Price returns what one alpha costs, in RAO of TAO.
func (l *Ledger) Price(netuid uint16) uint64 {
	if netuid == rootNetuid {
		return 1e9
	}
	return mulDiv(sub.SubnetTAO.get(l.s, netuid), 1e9, sub.SubnetAlphaIn.get(l.s, netuid))
}

func (l *Ledger) price(netuid uint16) fixed {
	return ratio(sub.SubnetTAO.get(l.s, netuid), sub.SubnetAlphaIn.get(l.s, netuid))
}

// priceUnit is how limits of prices count: RAO for a whole alpha.
const priceUnit = 1_000_000_000

// maxBuy returns how much TAO, with the fee, can be spent before alpha costs
// more than limit RAO, or the error that it costs more already.
func (l *Ledger) maxBuy(netuid uint16, limit uint64) (uint64, error) {
	if netuid == rootNetuid {
		if limit < priceUnit {
			return 0, ErrPriceLimitExceeded
		}
		return math.MaxUint64, nil
	}
	tao, alpha := sub.SubnetTAO.get(l.s, netuid), sub.SubnetAlphaIn.get(l.s, netuid)
	// tao'/alpha' = limit where tao'*alpha' = tao*alpha
	after := product(tao, alpha, limit)
	after.Sqrt(after.Quo(after, big.NewInt(priceUnit)))
	return l.grossOf(netuid, after, tao)
}

// maxSell returns how much alpha, with the fee, can be sold before it brings
// less than limit RAO.
func (l *Ledger) maxSell(netuid uint16, limit uint64) (uint64, error) {
	if limit == 0 {
		return math.MaxUint64, nil
	}
	if netuid == rootNetuid {
		if limit > priceUnit {
			return 0, ErrPriceLimitExceeded
		}
		return math.MaxUint64, nil
	}
	tao, alpha := sub.SubnetTAO.get(l.s, netuid), sub.SubnetAlphaIn.get(l.s, netuid)
	after := product(tao, alpha, priceUnit)
	after.Sqrt(after.Quo(after, new(big.Int).SetUint64(limit)))
	return l.grossOf(netuid, after, alpha)
}

// maxMove returns how much alpha of one subnet can be turned into that of
// another before one of it brings less than limit, counted in 10^-9 of the
// other.
func (l *Ledger) maxMove(from, to uint16, limit uint64) (uint64, error) {
	if limit == 0 {
		return math.MaxUint64, nil
	}
	fits := func(alpha uint64) bool {
		// The price after the trade: of the pools as they would stand then.
		tao := l.quoteSell(from, alpha, 0)
		got := l.quoteBuy(to, tao, 0)
		fromTao, fromAlpha := l.reserves(from, tao, alpha, false)
		toTao, toAlpha := l.reserves(to, tao, got, true)
		// (fromTao/fromAlpha) / (toTao/toAlpha) >= limit/unit
		left := product(fromTao, toAlpha, priceUnit)
		return left.Cmp(product(fromAlpha, toTao, limit)) >= 0
	}
	if !fits(0) {
		return 0, ErrPriceLimitExceeded
	}
	var lo, hi uint64 = 0, maxSupply // all that there is of an alpha
	for lo < hi {
		mid := hi - (hi-lo)/2
		if fits(mid) {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo, nil
}

// reserves returns a pool's reserves after a trade. Root's stand at one for
// one for ever.
func (l *Ledger) reserves(netuid uint16, tao, alpha uint64, buy bool) (uint64, uint64) {
	if netuid == rootNetuid {
		return 1, 1
	}
	t, a := sub.SubnetTAO.get(l.s, netuid), sub.SubnetAlphaIn.get(l.s, netuid)
	if buy {
		return satAdd(t, tao), satSub(a, alpha)
	}
	return satSub(t, tao), satAdd(a, alpha)
}

func product(a, b, c uint64) *big.Int {
	p := new(big.Int).SetUint64(a)
	p.Mul(p, new(big.Int).SetUint64(b))
	return p.Mul(p, new(big.Int).SetUint64(c))
}

// grossOf returns the input, with the fee, that raises a reserve from now to
// after.
func (l *Ledger) grossOf(netuid uint16, after *big.Int, now uint64) (uint64, error) {
	net := after.Sub(after, new(big.Int).SetUint64(now))
	if net.Sign() <= 0 {
		return 0, ErrPriceLimitExceeded
	}
	rate := int64(swap.FeeRate.get(l.s, netuid))
	net.Mul(net, big.NewInt(math.MaxUint16)).Quo(net, big.NewInt(math.MaxUint16-rate))
	if !net.IsUint64() {
		return math.MaxUint64, nil
	}
	return net.Uint64(), nil
}

// buy spends TAO that are in nobody's hands for alpha that is in nobody's
// stake.
func (l *Ledger) buy(netuid uint16, tao, fee uint64) (alpha uint64, err error) {
	s := l.s
	alpha = l.quoteBuy(netuid, tao, fee)
	if netuid != rootNetuid {
		in := sub.SubnetAlphaIn.get(s, netuid)
		if alpha == 0 || satSub(in, alpha) < minReserve {
			return 0, ErrInsufficientLiquidity
		}
		sub.SubnetAlphaIn.set(s, netuid, in-alpha)
	}
	sub.SubnetTAO.set(s, netuid, satAdd(sub.SubnetTAO.get(s, netuid), tao))
	sub.TotalStake.set(s, satAdd(sub.TotalStake.get(s), tao))
	sub.SubnetAlphaOut.set(s, netuid, satAdd(sub.SubnetAlphaOut.get(s, netuid), alpha))
	l.addVolume(netuid, tao)
	return alpha, nil
}

// sell is the reverse of buy.
func (l *Ledger) sell(netuid uint16, alpha, fee uint64) (tao uint64, err error) {
	s := l.s
	tao = l.quoteSell(netuid, alpha, fee)
	pool := sub.SubnetTAO.get(s, netuid)
	if netuid == rootNetuid && tao > pool || netuid != rootNetuid && (tao == 0 || satSub(pool, tao) < minReserve) {
		return 0, ErrInsufficientLiquidity
	}
	if netuid != rootNetuid {
		sub.SubnetAlphaIn.set(s, netuid, satAdd(sub.SubnetAlphaIn.get(s, netuid), alpha))
	}
	sub.SubnetTAO.set(s, netuid, pool-tao)
	sub.TotalStake.set(s, satSub(sub.TotalStake.get(s), tao))
	sub.SubnetAlphaOut.set(s, netuid, satSub(sub.SubnetAlphaOut.get(s, netuid), alpha))
	l.addVolume(netuid, tao)
	return tao, nil
}

func (l *Ledger) addVolume(netuid uint16, tao uint64) {
	v := sub.SubnetVolume.get(l.s, netuid)
	if v.Lo += tao; v.Lo < tao {
		v.Hi++
	}
	sub.SubnetVolume.set(l.s, netuid, v)
}

// alphaStorage is the storage of the AlphaAssets pallet: what of a subnet's
// alpha nobody has. Burnt alpha stays issued, recycled alpha is unissued.
type alphaStorage struct {
	AlphaBurned   table[uint16, uint64] `hash:"twox_64_concat"`
	AlphaRecycled table[uint16, uint64] `hash:"twox_64_concat"`
}

// alphaPallet describes the pallet for the metadata.
func alphaPallet() scale.PalletDef {
	return scale.PalletDef{Name: "AlphaAssets", Index: inAlpha, Storage: items(alphaAssets)}
}

// morePallets describes the pallets whose declarations stand beside their
// rules.
func morePallets() []scale.PalletDef {
	return []scale.PalletDef{proxyPallet(), drandPallet(), swapPallet(), shieldPallet(), alphaPallet()}
}

// recycle unissues alpha that is out, but in nobody's stake.
func (l *Ledger) recycle(netuid uint16, alpha uint64) {
	if alpha == 0 {
		return
	}
	sub.SubnetAlphaOut.set(l.s, netuid, satSub(sub.SubnetAlphaOut.get(l.s, netuid), alpha))
	add(l, &alphaAssets.AlphaRecycled, netuid, alpha)
}

// burn remembers alpha that is out and that nobody will ever have.
func (l *Ledger) burn(netuid uint16, alpha uint64) {
	if alpha > 0 {
		add(l, &alphaAssets.AlphaBurned, netuid, alpha)
	}
}
