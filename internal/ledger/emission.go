package ledger

import (
	"math/bits"

	"adit/internal/scale"
)

// maxSupply is the most there will ever be of TAO, and of each alpha, in RAO.
const maxSupply = 21_000_000_000_000_000

// blockEmission returns how much is issued in a block when there is issuance
// already: one token, halved each time that half of the rest is issued.
func blockEmission(issuance uint64) uint64 {
	if issuance >= maxSupply {
		return 0
	}
	// floor(log2(supply/rest)): how often the rest can be doubled.
	halvings := 0
	for rest := uint64(maxSupply - issuance); rest <= maxSupply/2; rest *= 2 {
		halvings++
	}
	return 1_000_000_000 >> halvings
}

// step is what happens at the beginning of a block.
func (l *Ledger) step() {
	var all []uint16
	l.subnets(func(netuid uint16) { all = append(all, netuid) })
	for _, netuid := range all {
		l.decayBurn(netuid)
	}
	l.inject(all)
	l.claimSome()
	l.revealCommitments()
	l.revealWeightsOf(all)
	l.runEpochs(all)
}

// emitting reports whether a subnet takes part in emission at all.
func (l *Ledger) emitting(netuid uint16) bool {
	first, started := sub.FirstEmissionBlockNumber.lookup(l.s, netuid)
	return started && l.number >= first && sub.SubtokenEnabled.get(l.s, netuid) &&
		sub.NetworkRegistrationAllowed.get(l.s, netuid)
}

// inject issues the block's TAO and alpha [subtensor.md 2.11].
func (l *Ledger) inject(all []uint16) {
	s := l.s
	total := blockEmission(sub.TotalIssuance.get(s))
	if sub.BlockEmission.get(s) != total {
		sub.BlockEmission.set(s, total)
	}
	var emitting []uint16
	for _, netuid := range all {
		if l.emitting(netuid) {
			emitting = append(emitting, netuid)
		}
	}
	shares := l.emissionShares(emitting)
	// Stakers of root earn alpha only while all alpha together costs more than
	// a TAO: else selling it would drain the pools.
	prices := fixed(0)
	for _, netuid := range emitting {
		prices = prices.add(l.movingPrice(netuid))
	}
	for i, netuid := range emitting {
		l.injectInto(netuid, shares[i].of(total), prices > one)
	}
	// Prices move after they were used.
	for _, netuid := range emitting {
		l.movePrice(netuid)
	}
}

// emissionShares returns each subnet's share of the TAO: its moving price, less
// what its miners' emission was burned, of the sum of all.
func (l *Ledger) emissionShares(netuids []uint16) []fixed {
	shares := make([]fixed, len(netuids))
	for i, netuid := range netuids {
		if sub.SubnetEmissionEnabled.get(l.s, netuid) {
			shares[i] = l.movingPrice(netuid)
		}
	}
	normalise(shares)
	for i, netuid := range netuids {
		burned := min(fixed(sub.MinerBurned.get(l.s, netuid).Bits.Lo), one)
		shares[i] = shares[i].mul(one - burned)
	}
	normalise(shares)
	return shares
}

func (l *Ledger) movingPrice(netuid uint16) fixed {
	return fixed(sub.SubnetMovingPrice.get(l.s, netuid).Bits.Lo)
}

// movePrice lets the moving price follow the price, at most 1. It begins
// slowly: the rate grows with the subnet's age.
func (l *Ledger) movePrice(netuid uint16) {
	s := l.s
	first := sub.FirstEmissionBlockNumber.get(s, netuid)
	age := satSub(l.number, first)
	rate := fixed(sub.SubnetMovingAlpha.get(s).Bits.Lo).mul(ratio(age, age+sub.EMAPriceHalvingBlocks.get(s, netuid)))
	rate = min(rate, one)
	moved := rate.mul(min(l.price(netuid), one)).add((one - rate).mul(l.movingPrice(netuid)))
	sub.SubnetMovingPrice.set(s, netuid, FixedI128{scale.I128{Lo: uint64(moved)}})
}

// injectInto issues alpha to a subnet's miners, validators and owner, and puts
// tao into its pool. The part of root's stakers is issued only if rootEarns.
func (l *Ledger) injectInto(netuid uint16, tao uint64, rootEarns bool) {
	s := l.s
	in, out := sub.SubnetAlphaIn.get(s, netuid), sub.SubnetAlphaOut.get(s, netuid)
	protocol := sub.SubnetProtocolAlpha.get(s, netuid)
	issuance := satAdd(satAdd(in, out), protocol)
	alpha := blockEmission(issuance)
	rootProp := l.rootProportion(issuance)

	// Liquidity comes in at the price, so that it does not move it: as much
	// alpha as the stakers of root are due, and TAO to match. What TAO remain
	// buy alpha, which the protocol keeps.
	price := l.price(netuid)
	alphaIn := rootProp.of(alpha)
	if afford := mulDiv(tao, uint64(one), uint64(price)); price == 0 || afford < alphaIn {
		alphaIn = afford
	}
	matched := min(price.of(alphaIn), tao)
	excess := tao - matched
	pool := sub.SubnetTAO.get(s, netuid)
	bought := mulDiv(in+alphaIn, excess, satAdd(pool, tao))
	sub.SubnetTAO.set(s, netuid, satAdd(pool, tao))
	sub.SubnetAlphaIn.set(s, netuid, in+alphaIn-bought)
	sub.SubnetAlphaOut.set(s, netuid, satAdd(out, alpha))
	if bought > 0 {
		sub.SubnetProtocolAlpha.set(s, netuid, protocol+bought)
	}
	sub.TotalStake.set(s, satAdd(sub.TotalStake.get(s), tao))
	sub.TotalIssuance.set(s, satAdd(sub.TotalIssuance.get(s), tao))
	sub.SubnetTaoInEmission.set(s, netuid, matched)
	sub.SubnetAlphaInEmission.set(s, netuid, alphaIn)
	sub.SubnetAlphaOutEmission.set(s, netuid, alpha)
	sub.SubnetExcessTao.set(s, netuid, excess)

	cut := uint64(0)
	if sub.OwnerCutEnabled.get(s, netuid) {
		cut = fromU16(sub.SubnetOwnerCut.get(s)).of(alpha)
		add(l, &sub.PendingOwnerCut, netuid, cut)
	}
	miners := (alpha - cut) / 2
	validators := alpha - cut - miners
	root := rootProp.of(validators)
	add(l, &sub.PendingServerEmission, netuid, miners)
	add(l, &sub.PendingValidatorEmission, netuid, validators-root)
	switch {
	case root > 0 && rootEarns:
		add(l, &sub.PendingRootAlphaDivs, netuid, root)
	case root > 0:
		l.recycle(netuid, root)
	}
}

// rootProportion is the part of a subnet's weight that lies in root.
func (l *Ledger) rootProportion(alphaIssuance uint64) fixed {
	root := l.weighTao(sub.SubnetTAO.get(l.s, rootNetuid))
	return ratio(root, satAdd(root, alphaIssuance))
}

func add(l *Ledger, d *table[uint16, uint64], netuid uint16, n uint64) {
	d.set(l.s, netuid, satAdd(d.get(l.s, netuid), n))
}

// take returns what d holds and leaves 0.
func take(l *Ledger, d *table[uint16, uint64], netuid uint16) uint64 {
	n := d.get(l.s, netuid)
	if n > 0 {
		d.set(l.s, netuid, 0)
	}
	return n
}

// distribute pays out what is pending, by the verdict of an epoch. It returns
// each neuron's emission, as miner and validator together.
func (l *Ledger) distribute(netuid uint16, hotkeys []AccountID, v *verdict) []uint64 {
	s := l.s
	miners := take(l, &sub.PendingServerEmission, netuid)
	validators := take(l, &sub.PendingValidatorEmission, netuid)
	root := take(l, &sub.PendingRootAlphaDivs, netuid)
	owner, ownerHotkey := sub.SubnetOwner.get(s, netuid), sub.SubnetOwnerHotkey.get(s, netuid)

	incentive, dividends := amounts(v.incentive), amounts(v.earning)
	emission, whole := make([]uint64, len(hotkeys)), satAdd(sum(incentive), sum(dividends))
	for i := range hotkeys {
		emission[i] = mulDiv(miners+validators+root, incentive[i]+dividends[i], whole)
	}
	if sum(incentive) == 0 {
		validators, miners = validators+miners, 0
	}
	plan := l.planDividends(netuid, hotkeys, dividends) // by stakes before anything is paid
	if cut := take(l, &sub.PendingOwnerCut, netuid); cut > 0 {
		l.grow(ownerHotkey, owner, netuid, cut)
	}

	var burned, paid uint64
	total := sum(incentive)
	for i, hotkey := range hotkeys {
		n := mulDiv(miners, incentive[i], total)
		if n == 0 {
			continue
		}
		paid += n
		if hotkey == ownerHotkey {
			burned += n // an owner earns the cut, not as a miner
			continue
		}
		l.grow(hotkey, sub.Owner.get(s, hotkey), netuid, n)
	}
	if sub.RecycleOrBurn.get(s, netuid).Recycle != nil {
		l.recycle(netuid, burned)
	} else {
		l.burn(netuid, burned)
	}
	minersLeft := satSub(miners, paid)
	if now := (FixedU128{scale.U128{Lo: uint64(ratio(burned, miners))}}); now != sub.MinerBurned.get(s, netuid) {
		sub.MinerBurned.set(s, netuid, now)
	}

	left := l.payDividends(netuid, plan, validators, root)
	// What rounding leaves over nobody has.
	l.burn(netuid, minersLeft+left)
	return emission
}

// A dividendPlan says in which proportions hotkeys earn dividends: by their
// alpha, and by their TAO in root.
type dividendPlan struct {
	who             []AccountID
	byAlpha, byRoot []uint64
}

// planDividends shares each validator's dividend with its parents, and parts it
// into what alpha and what TAO in root has earned.
func (l *Ledger) planDividends(netuid uint16, hotkeys []AccountID, dividends []uint64) (p dividendPlan) {
	s := l.s
	var sums []uint64
	index := map[AccountID]int{}
	for i, hotkey := range hotkeys {
		if dividends[i] == 0 {
			continue
		}
		for _, d := range l.shareDividend(hotkey, netuid, dividends[i]) {
			at, ok := index[d.who]
			if !ok {
				at = len(sums)
				index[d.who] = at
				p.who, sums = append(p.who, d.who), append(sums, 0)
			}
			sums[at] = satAdd(sums[at], d.n)
		}
	}
	p.byAlpha, p.byRoot = make([]uint64, len(sums)), make([]uint64, len(sums))
	for i, who := range p.who {
		alpha := sub.TotalHotkeyAlpha.get(s, who, netuid)
		tao := l.weighTao(sub.TotalHotkeyAlpha.get(s, who, rootNetuid))
		p.byAlpha[i] = mulDiv(sums[i], alpha, satAdd(alpha, tao))
		if tao > 0 {
			p.byRoot[i] = sums[i] - p.byAlpha[i]
		}
	}
	if sum(p.byAlpha) == 0 {
		p.byAlpha = sums // all weight is TAO in root
	}
	return p
}

// payDividends pays dividends to those who stake with validators, and returns
// what remains.
func (l *Ledger) payDividends(netuid uint16, p dividendPlan, validators, root uint64) (left uint64) {
	s := l.s
	paid, earned := split(validators, p.byAlpha), split(root, p.byRoot)
	for i, who := range p.who {
		take, owner := fromU16(sub.Delegates.get(s, who)), sub.Owner.get(s, who)
		if n := paid[i]; n > 0 {
			fee := take.of(n)
			l.growPool(who, netuid, n-fee)
			l.grow(who, owner, netuid, fee)
			sub.AlphaDividendsPerSubnet.set(s, netuid, who, n)
		}
		if n := earned[i]; n > 0 {
			fee := take.of(n)
			l.grow(who, owner, netuid, fee)
			l.earnRoot(who, netuid, n-fee)
			sub.RootAlphaDividendsPerSubnet.set(s, netuid, who, n-fee)
		}
	}
	return validators - sum(paid) + root - sum(earned)
}

// split returns amount in proportion to weights, rounded down.
func split(amount uint64, weights []uint64) []uint64 {
	parts, total := make([]uint64, len(weights)), sum(weights)
	for i, w := range weights {
		parts[i] = mulDiv(amount, w, total)
	}
	return parts
}

// amounts turns shares into weights that can be summed without overflow.
func amounts(shares []fixed) []uint64 {
	n := make([]uint64, len(shares))
	for i, x := range shares {
		n[i] = uint64(x)
	}
	return n
}

func sum(v []uint64) (n uint64) {
	for _, x := range v {
		s, carry := bits.Add64(n, x, 0)
		if n = s; carry != 0 {
			return 1<<64 - 1
		}
	}
	return n
}
