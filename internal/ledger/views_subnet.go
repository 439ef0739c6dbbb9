package ledger

import (
	"reflect"

	"adit/internal/scale"
)

// SubnetInfo returns what a subnet is.
func (l *Ledger) SubnetInfo(netuid uint16) scale.Option[SubnetInfo] {
	v := l.SubnetInfoV2(netuid)
	if !v.Some {
		return scale.Option[SubnetInfo]{}
	}
	x := v.V
	return scale.SomeOf(SubnetInfo{
		Netuid: x.Netuid, Rho: x.Rho, Kappa: x.Kappa, Difficulty: x.Difficulty, ImmunityPeriod: x.ImmunityPeriod,
		MaxAllowedValidators: x.MaxAllowedValidators, MinAllowedWeights: x.MinAllowedWeights, MaxWeightsLimit: x.MaxWeightsLimit,
		ScalingLawPower: x.ScalingLawPower, SubnetworkN: x.SubnetworkN, MaxAllowedUIDs: x.MaxAllowedUIDs,
		BlocksSinceLastStep: x.BlocksSinceLastStep, Tempo: x.Tempo, Burn: x.Burn, Owner: x.Owner,
	})
}

// SubnetsInfo returns what each subnet is, by netuid; those missing are absent.
func (l *Ledger) SubnetsInfo() []scale.Option[SubnetInfo] { return byNetuid(l, l.SubnetInfo) }

// SubnetInfoV2 returns what a subnet is, and its name.
func (l *Ledger) SubnetInfoV2(netuid uint16) scale.Option[SubnetInfoV2] {
	if !l.exists(netuid) {
		return scale.Option[SubnetInfoV2]{}
	}
	s := l.s
	const scalingLawPower = 50 // no longer used
	return scale.SomeOf(SubnetInfoV2{
		Netuid: compact16(netuid), Rho: compact16(sub.Rho.get(s, netuid)), Kappa: compact16(sub.Kappa.get(s, netuid)),
		Difficulty: compact64(sub.Difficulty.get(s, netuid)), ImmunityPeriod: compact16(sub.ImmunityPeriod.get(s, netuid)),
		MaxAllowedValidators: compact16(sub.MaxAllowedValidators.get(s, netuid)),
		MinAllowedWeights:    compact16(sub.MinAllowedWeights.get(s, netuid)),
		MaxWeightsLimit:      compact16(sub.MaxWeightsLimit.get(s, netuid)), ScalingLawPower: compact16(scalingLawPower),
		SubnetworkN: compact16(sub.SubnetworkN.get(s, netuid)), MaxAllowedUIDs: compact16(sub.MaxAllowedUids.get(s, netuid)),
		BlocksSinceLastStep: compact64(sub.BlocksSinceLastStep.get(s, netuid)), Tempo: compact16(sub.Tempo.get(s, netuid)),
		Burn: compact64(sub.Burn.get(s, netuid)), Owner: sub.SubnetOwner.get(s, netuid), Identity: l.identityOf(netuid),
	})
}

// SubnetsInfoV2 is [Ledger.SubnetsInfo] with names.
func (l *Ledger) SubnetsInfoV2() []scale.Option[SubnetInfoV2] { return byNetuid(l, l.SubnetInfoV2) }

func (l *Ledger) identityOf(netuid uint16) scale.Option[SubnetIdentity] {
	id, ok := sub.SubnetIdentitiesV3.lookup(l.s, netuid)
	return scale.Option[SubnetIdentity]{Some: ok, V: id}
}

// byNetuid calls f for each netuid up to the last that there is.
func byNetuid[T any](l *Ledger, f func(uint16) scale.Option[T]) []scale.Option[T] {
	var out []scale.Option[T]
	l.networks(func(netuid uint16) {
		for len(out) < int(netuid) {
			out = append(out, scale.Option[T]{})
		}
		out = append(out, f(netuid))
	})
	return out
}

// Hyperparams returns the settings of a subnet.
func (l *Ledger) Hyperparams(netuid uint16) scale.Option[SubnetHyperparams] {
	v := l.HyperparamsV2(netuid)
	if !v.Some {
		return scale.Option[SubnetHyperparams]{}
	}
	var out SubnetHyperparams
	from, to := reflect.ValueOf(v.V), reflect.ValueOf(&out).Elem()
	for i := range to.NumField() {
		to.Field(i).Set(from.FieldByName(to.Type().Field(i).Name))
	}
	return scale.SomeOf(out)
}

// HyperparamsV2 returns more of them.
func (l *Ledger) HyperparamsV2(netuid uint16) scale.Option[SubnetHyperparamsV2] {
	if !l.exists(netuid) {
		return scale.Option[SubnetHyperparamsV2]{}
	}
	s := l.s
	yuma := uint16(2)
	if sub.Yuma3On.get(s, netuid) {
		yuma = 3
	}
	alpha := sub.AlphaValues.get(s, netuid)
	return scale.SomeOf(SubnetHyperparamsV2{
		Rho: compact16(sub.Rho.get(s, netuid)), Kappa: compact16(sub.Kappa.get(s, netuid)),
		ImmunityPeriod:    compact16(sub.ImmunityPeriod.get(s, netuid)),
		MinAllowedWeights: compact16(sub.MinAllowedWeights.get(s, netuid)), MaxWeightsLimit: compact16(sub.MaxWeightsLimit.get(s, netuid)),
		Tempo: compact16(sub.Tempo.get(s, netuid)), MinDifficulty: compact64(sub.MinDifficulty.get(s, netuid)),
		MaxDifficulty: compact64(sub.MaxDifficulty.get(s, netuid)), WeightsVersion: compact64(sub.WeightsVersionKey.get(s, netuid)),
		WeightsRateLimit: compact64(sub.WeightsSetRateLimit.get(s, netuid)), AdjustmentInterval: compact16(sub.AdjustmentInterval.get(s, netuid)),
		ActivityCutoff: compact64(l.cutoff(netuid)), RegistrationAllowed: sub.NetworkRegistrationAllowed.get(s, netuid),
		TargetRegsPerInterval: compact16(sub.TargetRegistrationsPerInterval.get(s, netuid)),
		MinBurn:               compact64(sub.MinBurn.get(s, netuid)), MaxBurn: compact64(sub.MaxBurn.get(s, netuid)),
		BondsMovingAvg: compact64(sub.BondsMovingAverage.get(s, netuid)), MaxRegsPerBlock: compact16(sub.MaxRegistrationsPerBlock.get(s, netuid)),
		ServingRateLimit: compact64(sub.ServingRateLimit.get(s, netuid)), MaxValidators: compact16(sub.MaxAllowedValidators.get(s, netuid)),
		AdjustmentAlpha: compact64(sub.AdjustmentAlpha.get(s, netuid)), Difficulty: compact64(sub.Difficulty.get(s, netuid)),
		CommitRevealPeriod: compact64(sub.RevealPeriodEpochs.get(s, netuid)), CommitRevealWeightsEnabled: sub.CommitRevealWeightsEnabled.get(s, netuid),
		AlphaHigh: compact16(alpha.F1), AlphaLow: compact16(alpha.F0), LiquidAlphaEnabled: sub.LiquidAlphaOn.get(s, netuid),
		AlphaSigmoidSteepness: FixedI64{int64(sub.AlphaSigmoidSteepness.get(s, netuid)) << 32},
		YumaVersion:           compact16(yuma), SubnetIsActive: sub.SubtokenEnabled.get(s, netuid),
		TransfersEnabled: sub.TransferToggle.get(s, netuid), BondsResetEnabled: sub.BondsResetOn.get(s, netuid),
	})
}

// cutoff returns after how many blocks without weights a validator is inactive.
func (l *Ledger) cutoff(netuid uint16) uint64 {
	return uint64(sub.Tempo.get(l.s, netuid)) * uint64(sub.ActivityCutoffFactorMilli.get(l.s, netuid)) / 1000
}

// HyperparamEntry is one setting by name.
type HyperparamEntry struct {
	Name  []byte
	Value HyperparamValue
}

// ScaleName implements [scale.Named].
func (HyperparamEntry) ScaleName() string {
	return "pallet_subtensor::rpc_info::subnet_info::HyperparamEntry"
}

// HyperparamValue is what a setting is set to.
type HyperparamValue struct {
	scale.Enum
	Bool       *bool        `scale:"0"`
	U16        *c16         `scale:"1"`
	U32        *c32         `scale:"2"`
	U64        *c64         `scale:"3"`
	U128       *CompactU128 `scale:"4"`
	TaoBalance *c64         `scale:"5"`
	I32F32     *FixedI64    `scale:"6"`
	U64F64     *FixedU128   `scale:"7"`
}

// ScaleName implements [scale.Named].
func (HyperparamValue) ScaleName() string {
	return "pallet_subtensor::rpc_info::subnet_info::HyperparamValue"
}

// HyperparamsV3 returns the settings of a subnet by name: those of
// [Ledger.HyperparamsV2] and those that came after.
func (l *Ledger) HyperparamsV3(netuid uint16) scale.Option[[]HyperparamEntry] {
	v := l.HyperparamsV2(netuid)
	if !v.Some {
		return scale.Option[[]HyperparamEntry]{}
	}
	h, s := v.V, l.s
	var out []HyperparamEntry
	put := func(name string, v HyperparamValue) { out = append(out, HyperparamEntry{[]byte(name), v}) }
	u16 := func(name string, v c16) { put(name, HyperparamValue{U16: &v}) }
	u64 := func(name string, v c64) { put(name, HyperparamValue{U64: &v}) }
	flag := func(name string, v bool) { put(name, HyperparamValue{Bool: &v}) }
	tao := func(name string, v c64) { put(name, HyperparamValue{TaoBalance: &v}) }
	u16("rho", h.Rho)
	u16("kappa", h.Kappa)
	u16("immunity_period", h.ImmunityPeriod)
	u16("min_allowed_weights", h.MinAllowedWeights)
	u16("max_weights_limit", h.MaxWeightsLimit)
	u16("tempo", h.Tempo)
	u64("weights_version", h.WeightsVersion)
	u64("weights_rate_limit", h.WeightsRateLimit)
	u64("activity_cutoff", h.ActivityCutoff)
	put("activity_cutoff_factor", HyperparamValue{U32: &c32{V: sub.ActivityCutoffFactorMilli.get(s, netuid)}})
	flag("registration_allowed", h.RegistrationAllowed)
	tao("min_burn", h.MinBurn)
	tao("max_burn", h.MaxBurn)
	u16("burn_half_life", compact16(sub.BurnHalfLife.get(s, netuid)))
	put("burn_increase_mult", HyperparamValue{U64F64: ptr(sub.BurnIncreaseMult.get(s, netuid))})
	u64("bonds_moving_avg", h.BondsMovingAvg)
	u16("bonds_penalty", compact16(sub.BondsPenalty.get(s, netuid)))
	u64("serving_rate_limit", h.ServingRateLimit)
	u16("max_validators", h.MaxValidators)
	u64("commit_reveal_period", h.CommitRevealPeriod)
	flag("commit_reveal_weights_enabled", h.CommitRevealWeightsEnabled)
	u16("alpha_high", h.AlphaHigh)
	u16("alpha_low", h.AlphaLow)
	flag("liquid_alpha_enabled", h.LiquidAlphaEnabled)
	put("alpha_sigmoid_steepness", HyperparamValue{I32F32: &h.AlphaSigmoidSteepness})
	u16("yuma_version", h.YumaVersion)
	flag("subnet_is_active", h.SubnetIsActive)
	flag("transfers_enabled", h.TransfersEnabled)
	flag("bonds_reset_enabled", h.BondsResetEnabled)
	flag("owner_cut_enabled", sub.OwnerCutEnabled.get(s, netuid))
	return scale.SomeOf(out)
}

// DynamicInfo returns the state of a subnet's pool and emission.
func (l *Ledger) DynamicInfo(netuid uint16) scale.Option[DynamicInfo] {
	if !l.exists(netuid) {
		return scale.Option[DynamicInfo]{}
	}
	s := l.s
	return scale.SomeOf(DynamicInfo{
		Netuid: compact16(netuid), OwnerHotkey: sub.SubnetOwnerHotkey.get(s, netuid), OwnerColdkey: sub.SubnetOwner.get(s, netuid),
		SubnetName: letters(l.nameOf(netuid)), TokenSymbol: letters(l.symbolOf(netuid)), Tempo: compact16(sub.Tempo.get(s, netuid)),
		LastStep: compact64(sub.LastMechansimStepBlock.get(s, netuid)), BlocksSinceLastStep: compact64(sub.BlocksSinceLastStep.get(s, netuid)),
		AlphaIn: compact64(sub.SubnetAlphaIn.get(s, netuid)), AlphaOut: compact64(sub.SubnetAlphaOut.get(s, netuid)),
		TaoIn: compact64(sub.SubnetTAO.get(s, netuid)), AlphaOutEmission: compact64(sub.SubnetAlphaOutEmission.get(s, netuid)),
		AlphaInEmission: compact64(sub.SubnetAlphaInEmission.get(s, netuid)), TaoInEmission: compact64(sub.SubnetTaoInEmission.get(s, netuid)),
		PendingAlphaEmission: compact64(l.pendingAlpha(netuid)), PendingRootEmission: compact64(sub.PendingRootAlphaDivs.get(s, netuid)),
		SubnetVolume: CompactU128(sub.SubnetVolume.get(s, netuid)), NetworkRegisteredAt: compact64(sub.NetworkRegisteredAt.get(s, netuid)),
		SubnetIdentity: l.identityOf(netuid), MovingPrice: sub.SubnetMovingPrice.get(s, netuid),
	})
}

// AllDynamicInfo is [Ledger.DynamicInfo] of each subnet, by netuid.
func (l *Ledger) AllDynamicInfo() []scale.Option[DynamicInfo] { return byNetuid(l, l.DynamicInfo) }

func (l *Ledger) pendingAlpha(netuid uint16) uint64 {
	return satAdd(sub.PendingServerEmission.get(l.s, netuid), sub.PendingValidatorEmission.get(l.s, netuid))
}

// nameOf returns a subnet's name.
func (l *Ledger) nameOf(netuid uint16) []byte {
	if id := sub.SubnetIdentitiesV3.get(l.s, netuid); len(id.SubnetName) > 0 {
		return id.SubnetName
	}
	if netuid == rootNetuid {
		return []byte("root")
	}
	return []byte("unknown")
}

// letters is text as the chain writes it: compact bytes.
func letters(b []byte) []scale.Compact[uint8] {
	out := make([]scale.Compact[uint8], len(b))
	for i, x := range b {
		out[i].V = x
	}
	return out
}

// NextEpochStart returns the block of a subnet's next epoch, if it has epochs.
func (l *Ledger) NextEpochStart(netuid uint16) scale.Option[uint64] {
	next, ok := l.NextEpoch(netuid)
	return scale.Option[uint64]{Some: ok, V: next}
}
