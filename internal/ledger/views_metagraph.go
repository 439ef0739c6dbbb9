package ledger

import (
	"reflect"

	"adit/internal/scale"
)

// MetagraphOf returns all about a subnet and its neurons.
func (l *Ledger) MetagraphOf(netuid uint16) scale.Option[Metagraph] {
	h := l.HyperparamsV2(netuid)
	if !h.Some {
		return scale.Option[Metagraph]{}
	}
	d, hp, s := l.DynamicInfo(netuid).V, h.V, l.s
	m := Metagraph{
		Netuid: d.Netuid, Name: d.SubnetName, Symbol: d.TokenSymbol, Identity: d.SubnetIdentity, NetworkRegisteredAt: d.NetworkRegisteredAt,
		OwnerHotkey: d.OwnerHotkey, OwnerColdkey: d.OwnerColdkey, Block: compact64(l.number), Tempo: d.Tempo, LastStep: d.LastStep,
		BlocksSinceLastStep: d.BlocksSinceLastStep, AlphaIn: d.AlphaIn, AlphaOut: d.AlphaOut, TaoIn: d.TaoIn,
		AlphaOutEmission: d.AlphaOutEmission, AlphaInEmission: d.AlphaInEmission, TaoInEmission: d.TaoInEmission,
		PendingAlphaEmission: d.PendingAlphaEmission, PendingRootEmission: d.PendingRootEmission,
		SubnetVolume: d.SubnetVolume, MovingPrice: d.MovingPrice,

		Rho: hp.Rho, Kappa: hp.Kappa, MinAllowedWeights: hp.MinAllowedWeights, MaxWeightsLimit: hp.MaxWeightsLimit,
		WeightsVersion: hp.WeightsVersion, WeightsRateLimit: hp.WeightsRateLimit, ActivityCutoff: hp.ActivityCutoff,
		MaxValidators: hp.MaxValidators, NumUIDs: compact16(sub.SubnetworkN.get(s, netuid)), MaxUIDs: compact16(sub.MaxAllowedUids.get(s, netuid)),
		Burn: compact64(sub.Burn.get(s, netuid)), Difficulty: hp.Difficulty, RegistrationAllowed: hp.RegistrationAllowed,
		PowRegistrationAllowed: sub.NetworkPowRegistrationAllowed.get(s, netuid), ImmunityPeriod: hp.ImmunityPeriod,
		MinDifficulty: hp.MinDifficulty, MaxDifficulty: hp.MaxDifficulty, MinBurn: hp.MinBurn, MaxBurn: hp.MaxBurn,
		AdjustmentAlpha: hp.AdjustmentAlpha, AdjustmentInterval: hp.AdjustmentInterval, TargetRegsPerInterval: hp.TargetRegsPerInterval,
		MaxRegsPerBlock: hp.MaxRegsPerBlock, ServingRateLimit: hp.ServingRateLimit, CommitRevealWeightsEnabled: hp.CommitRevealWeightsEnabled,
		CommitRevealPeriod: hp.CommitRevealPeriod, LiquidAlphaEnabled: hp.LiquidAlphaEnabled,
		AlphaHigh: hp.AlphaHigh, AlphaLow: hp.AlphaLow, BondsMovingAvg: hp.BondsMovingAvg,
	}
	st := l.SubnetState(netuid).V
	m.Hotkeys, m.Coldkeys, m.Active, m.ValidatorPermit = st.Hotkeys, st.Coldkeys, st.Active, st.ValidatorPermit
	m.PruningScore, m.LastUpdate, m.Emission, m.Dividends = st.PruningScore, st.LastUpdate, st.Emission, st.Dividends
	m.Incentives, m.Consensus, m.Trust, m.Rank = st.Incentives, st.Consensus, st.Trust, st.Rank
	m.BlockAtRegistration, m.AlphaStake, m.TaoStake, m.TotalStake = st.BlockAtRegistration, st.AlphaStake, st.TaoStake, st.TotalStake
	for i, hotkey := range m.Hotkeys {
		id, ok := sub.IdentitiesV2.lookup(s, m.Coldkeys[i])
		m.Identities = append(m.Identities, scale.Option[ChainIdentity]{Some: ok, V: id})
		m.Axons = append(m.Axons, l.axonOf(netuid, hotkey))
		m.TaoDividendsPerHotkey = append(m.TaoDividendsPerHotkey, scale.Tuple2[AccountID, c64]{F0: hotkey})
		m.AlphaDividendsPerHotkey = append(m.AlphaDividendsPerHotkey,
			scale.Tuple2[AccountID, c64]{F0: hotkey, F1: compact64(sub.AlphaDividendsPerSubnet.get(s, netuid, hotkey))})
	}
	return scale.SomeOf(m)
}

// AllMetagraphs is [Ledger.MetagraphOf] of each subnet, by netuid.
func (l *Ledger) AllMetagraphs() []scale.Option[Metagraph] { return byNetuid(l, l.MetagraphOf) }

// Mechagraph is [Ledger.MetagraphOf] for one mechanism of a subnet.
func (l *Ledger) Mechagraph(netuid uint16, mecid uint8) scale.Option[Metagraph] {
	if mecid >= sub.MechanismCountCurrent.get(l.s, netuid) {
		return scale.Option[Metagraph]{}
	}
	return l.MetagraphOf(netuid)
}

// SubnetState returns the neurons of a subnet as columns.
func (l *Ledger) SubnetState(netuid uint16) scale.Option[SubnetState] {
	if !l.exists(netuid) {
		return scale.Option[SubnetState]{}
	}
	s, v := l.s, l.viewOf(netuid)
	none := make([]c16, v.n) // no longer kept
	st := SubnetState{
		Netuid: compact16(netuid), Active: fit(v.active, v.n), ValidatorPermit: fit(v.permit, v.n),
		PruningScore: none, Trust: none, Rank: none,
		LastUpdate: compact64s(fit(v.update, v.n)), Emission: compact64s(fit(v.emission, v.n)), Dividends: compact16s(fit(v.dividends, v.n)),
		Incentives: compact16s(fit(v.incentive, v.n)), Consensus: compact16s(fit(v.consensus, v.n)),
	}
	for i := range v.n {
		uid := uint16(i)
		hotkey := sub.Keys.get(s, netuid, uid)
		alpha, tao := l.inherited(hotkey, netuid)
		st.Hotkeys = append(st.Hotkeys, hotkey)
		st.Coldkeys = append(st.Coldkeys, sub.Owner.get(s, hotkey))
		st.BlockAtRegistration = append(st.BlockAtRegistration, compact64(sub.BlockAtRegistration.get(s, netuid, uid)))
		st.AlphaStake = append(st.AlphaStake, compact64(alpha))
		st.TaoStake = append(st.TaoStake, compact64(tao))
		st.TotalStake = append(st.TotalStake, compact64(satAdd(alpha, l.weighTao(tao))))
	}
	return scale.SomeOf(st)
}

// The parts of a [SelectiveMetagraph] that [Metagraph] has not, by number.
const (
	selectValidators  = 72
	selectCommitments = 73
)

// SelectMetagraph returns those parts of a subnet's metagraph whose numbers are
// asked for: the fields of [SelectiveMetagraph], from 0.
func (l *Ledger) SelectMetagraph(netuid uint16, parts []uint16) scale.Option[SelectiveMetagraph] {
	whole := l.MetagraphOf(netuid)
	if !whole.Some {
		return scale.Option[SelectiveMetagraph]{}
	}
	out := SelectiveMetagraph{Netuid: whole.V.Netuid}
	from, to := reflect.ValueOf(whole.V), reflect.ValueOf(&out).Elem()
	for _, p := range parts {
		switch {
		case p == selectValidators:
			var list []c16
			for uid, permit := range sub.ValidatorPermit.get(l.s, netuid) {
				if permit {
					list = append(list, compact16(uint16(uid)))
				}
			}
			out.Validators = scale.SomeOf(list)
		case p == selectCommitments:
			out.Commitments = scale.SomeOf(l.rawCommitments(netuid))
		case p > 0 && int(p) < from.NumField():
			option := to.Field(int(p))
			option.FieldByName("Some").SetBool(true)
			option.FieldByName("V").Set(from.Field(int(p)))
		}
	}
	return scale.SomeOf(out)
}

// SelectMechagraph is [Ledger.SelectMetagraph] for one mechanism of a subnet.
func (l *Ledger) SelectMechagraph(netuid uint16, mecid uint8, parts []uint16) scale.Option[SelectiveMetagraph] {
	if mecid >= sub.MechanismCountCurrent.get(l.s, netuid) {
		return scale.Option[SelectiveMetagraph]{}
	}
	return l.SelectMetagraph(netuid, parts)
}

// rawCommitments returns the commitments of a subnet as SCALE, in storage
// order.
func (l *Ledger) rawCommitments(netuid uint16) []scale.Tuple2[AccountID, []scale.Compact[uint8]] {
	var list []scale.Tuple2[AccountID, []scale.Compact[uint8]]
	commitments.CommitmentOf.each(l.s, netuid, func(who AccountID, r Registration) {
		list = append(list, scale.Tuple2[AccountID, []scale.Compact[uint8]]{F0: who, F1: letters(encode(nil, r.Info))})
	})
	return list
}
