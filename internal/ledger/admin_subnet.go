package ledger

import "adit/internal/scale"

// SetServingRateLimit sets after how many blocks a neuron may serve again.
type SetServingRateLimit struct {
	Netuid           uint16 `type:"NetUid"`
	ServingRateLimit uint64 `type:"u64"`
}

func (c *SetServingRateLimit) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.ServingRateLimit, c.Netuid, c.ServingRateLimit, SubtensorEvent{ServingRateLimitSet: u64Event(c.Netuid, c.ServingRateLimit)})
}

// SetWeightsVersionKey sets the least version of weights that is accepted.
type SetWeightsVersionKey struct {
	Netuid            uint16 `type:"NetUid"`
	WeightsVersionKey uint64 `type:"u64"`
}

func (c *SetWeightsVersionKey) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.WeightsVersionKey, c.Netuid, c.WeightsVersionKey, SubtensorEvent{WeightsVersionKeySet: u64Event(c.Netuid, c.WeightsVersionKey)})
}

// SetWeightsSetRateLimit sets after how many blocks weights may be set again.
type SetWeightsSetRateLimit struct {
	Netuid              uint16 `type:"NetUid"`
	WeightsSetRateLimit uint64 `type:"u64"`
}

func (c *SetWeightsSetRateLimit) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.WeightsSetRateLimit, c.Netuid, c.WeightsSetRateLimit, SubtensorEvent{WeightsSetRateLimitSet: u64Event(c.Netuid, c.WeightsSetRateLimit)})
}

// SetImmunityPeriod sets for how many blocks a new neuron keeps its uid.
type SetImmunityPeriod struct {
	Netuid         uint16 `type:"NetUid"`
	ImmunityPeriod uint16 `type:"u16"`
}

func (c *SetImmunityPeriod) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.ImmunityPeriod, c.Netuid, c.ImmunityPeriod, SubtensorEvent{ImmunityPeriodSet: u16Event(c.Netuid, c.ImmunityPeriod)})
}

// SetMinAllowedWeights sets how many weights there must be at least.
type SetMinAllowedWeights struct {
	Netuid            uint16 `type:"NetUid"`
	MinAllowedWeights uint16 `type:"u16"`
}

func (c *SetMinAllowedWeights) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.MinAllowedWeights, c.Netuid, c.MinAllowedWeights, SubtensorEvent{MinAllowedWeightSet: u16Event(c.Netuid, c.MinAllowedWeights)})
}

// SetKappa sets which part of the stake makes a consensus, of 65535.
type SetKappa struct {
	Netuid uint16 `type:"NetUid"`
	Kappa  uint16 `type:"u16"`
}

func (c *SetKappa) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.Kappa, c.Netuid, c.Kappa, SubtensorEvent{KappaSet: u16Event(c.Netuid, c.Kappa)})
}

// SetRho sets a parameter that the rules no longer use, but clients show.
type SetRho struct {
	Netuid uint16 `type:"NetUid"`
	Rho    uint16 `type:"u16"`
}

func (c *SetRho) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.Rho, c.Netuid, c.Rho, SubtensorEvent{RhoSet: u16Event(c.Netuid, c.Rho)})
}

// SetMinBurn sets the lowest price of registration, in RAO.
type SetMinBurn struct {
	Netuid  uint16 `type:"NetUid"`
	MinBurn uint64 `type:"TaoBalance"`
}

func (c *SetMinBurn) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	if c.MinBurn > 1_000_000_000 && !o.root || c.MinBurn > sub.MaxBurn.get(l.s, c.Netuid) {
		return ErrValueNotInBounds
	}
	return setSub(l, &sub.MinBurn, c.Netuid, c.MinBurn, SubtensorEvent{MinBurnSet: u64Event(c.Netuid, c.MinBurn)})
}

// SetMaxBurn sets the highest price of registration, in RAO.
type SetMaxBurn struct {
	Netuid  uint16 `type:"NetUid"`
	MaxBurn uint64 `type:"TaoBalance"`
}

func (c *SetMaxBurn) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	if c.MaxBurn < 100_000_000 && !o.root || c.MaxBurn < sub.MinBurn.get(l.s, c.Netuid) {
		return ErrValueNotInBounds
	}
	return setSub(l, &sub.MaxBurn, c.Netuid, c.MaxBurn, SubtensorEvent{MaxBurnSet: u64Event(c.Netuid, c.MaxBurn)})
}

// SetMaxAllowedValidators sets how many validators get a permit.
type SetMaxAllowedValidators struct {
	Netuid               uint16 `type:"NetUid"`
	MaxAllowedValidators uint16 `type:"u16"`
}

func (c *SetMaxAllowedValidators) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	if c.MaxAllowedValidators > sub.MaxAllowedUids.get(l.s, c.Netuid) {
		return ErrMaxValidatorsTooLarge
	}
	return setSub(l, &sub.MaxAllowedValidators, c.Netuid, c.MaxAllowedValidators, SubtensorEvent{MaxAllowedValidatorsSet: u16Event(c.Netuid, c.MaxAllowedValidators)})
}

// SetMaxAllowedUids sets how many neurons there may be.
type SetMaxAllowedUids struct {
	Netuid         uint16 `type:"NetUid"`
	MaxAllowedUids uint16 `type:"u16"`
}

func (c *SetMaxAllowedUids) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	if c.MaxAllowedUids < sub.SubnetworkN.get(l.s, c.Netuid) {
		return ErrMaxUidsBelowCurrent
	}
	if c.MaxAllowedUids > 256 {
		return ErrMaxUidsAboveDefault
	}
	return setSub(l, &sub.MaxAllowedUids, c.Netuid, c.MaxAllowedUids, SubtensorEvent{MaxAllowedUidsSet: u16Event(c.Netuid, c.MaxAllowedUids)})
}

// SetBondsMovingAverage sets how much of the old bonds an epoch keeps, of a million.
type SetBondsMovingAverage struct {
	Netuid             uint16 `type:"NetUid"`
	BondsMovingAverage uint64 `type:"u64"`
}

func (c *SetBondsMovingAverage) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	if c.BondsMovingAverage > 975_000 && !o.root || c.BondsMovingAverage > 1_000_000 {
		return ErrBondsMovingAverageMax
	}
	return setSub(l, &sub.BondsMovingAverage, c.Netuid, c.BondsMovingAverage, SubtensorEvent{BondsMovingAverageSet: u64Event(c.Netuid, c.BondsMovingAverage)})
}

// SetBondsPenalty sets how much weights above the consensus cost in bonds, of 65535.
type SetBondsPenalty struct {
	Netuid       uint16 `type:"NetUid"`
	BondsPenalty uint16 `type:"u16"`
}

func (c *SetBondsPenalty) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.BondsPenalty, c.Netuid, c.BondsPenalty, SubtensorEvent{BondsPenaltySet: u16Event(c.Netuid, c.BondsPenalty)})
}

// SetTempo sets how many blocks lie between epochs, and starts counting anew.
type SetTempo struct {
	Netuid uint16 `type:"NetUid"`
	Tempo  uint16 `type:"u16"`
}

func (c *SetTempo) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	sub.LastEpochBlock.set(l.s, c.Netuid, l.number)
	return setSub(l, &sub.Tempo, c.Netuid, c.Tempo, SubtensorEvent{TempoSet: u16Event(c.Netuid, c.Tempo)})
}

// SetRegistrationAllowed opens or closes a subnet to new neurons.
type SetRegistrationAllowed struct {
	Netuid              uint16 `type:"NetUid"`
	RegistrationAllowed bool   `type:"bool"`
}

func (c *SetRegistrationAllowed) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.NetworkRegistrationAllowed, c.Netuid, c.RegistrationAllowed,
		SubtensorEvent{RegistrationAllowed: boolEvent(c.Netuid, c.RegistrationAllowed)})
}

// SetCommitRevealEnabled says whether weights must be committed before they are
// shown. Where they must, plain weights are refused.
type SetCommitRevealEnabled struct {
	Netuid  uint16 `type:"NetUid"`
	Enabled bool   `type:"bool"`
}

func (c *SetCommitRevealEnabled) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.CommitRevealWeightsEnabled, c.Netuid, c.Enabled,
		SubtensorEvent{CommitRevealEnabled: boolEvent(c.Netuid, c.Enabled)})
}

// SetLiquidAlphaEnabled lets bonds follow weights at rates of their own.
type SetLiquidAlphaEnabled struct {
	Netuid  uint16 `type:"NetUid"`
	Enabled bool   `type:"bool"`
}

func (c *SetLiquidAlphaEnabled) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	sub.LiquidAlphaOn.set(l.s, c.Netuid, c.Enabled)
	return nil
}

// SetAlphaValues sets the slowest and the fastest of those rates, of 65535.
type SetAlphaValues struct {
	Netuid    uint16 `type:"NetUid"`
	AlphaLow  uint16 `type:"u16"`
	AlphaHigh uint16 `type:"u16"`
}

func (c *SetAlphaValues) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	const least = 1638 // 0.025
	switch {
	case !sub.LiquidAlphaOn.get(l.s, c.Netuid):
		return ErrLiquidAlphaDisabled
	case c.AlphaHigh < least:
		return ErrAlphaHighTooLow
	case c.AlphaLow < least || c.AlphaLow > c.AlphaHigh:
		return ErrAlphaLowOutOfRange
	}
	sub.AlphaValues.set(l.s, c.Netuid, netU16{F0: c.AlphaLow, F1: c.AlphaHigh})
	return nil
}

// SetAlphaSteepness sets how sharply the rates rise, in hundredths.
type SetAlphaSteepness struct {
	Netuid    uint16 `type:"NetUid"`
	Steepness int16  `type:"i16"`
}

func (c *SetAlphaSteepness) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	// Unlike upstream, where root may also make the sigmoid fall, it only rises.
	if c.Steepness < 0 {
		return ErrNegativeSteepness
	}
	sub.AlphaSigmoidSteepness.set(l.s, c.Netuid, c.Steepness)
	l.emit(SubtensorEvent{AlphaSigmoidSteepnessSet: &scale.Tuple2[uint16, int16]{F0: c.Netuid, F1: c.Steepness}})
	return nil
}

// SetYuma3Enabled chooses between Yuma 3 and Yuma 2.
type SetYuma3Enabled struct {
	Netuid  uint16 `type:"NetUid"`
	Enabled bool   `type:"bool"`
}

func (c *SetYuma3Enabled) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	sub.Yuma3On.set(l.s, c.Netuid, c.Enabled)
	l.emit(AdminEvent{Yuma3EnableToggled: enabled(c.Netuid, c.Enabled)})
	return nil
}

// SetSubtokenEnabled lets a subnet's alpha be traded, or stops that.
type SetSubtokenEnabled struct {
	Netuid          uint16 `type:"NetUid"`
	SubtokenEnabled bool   `type:"bool"`
}

func (c *SetSubtokenEnabled) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	sub.SubtokenEnabled.set(l.s, c.Netuid, c.SubtokenEnabled)
	return nil
}

// SetRecycleOrBurn says what becomes of the emission that an owner's hotkey
// earns as a miner.
type SetRecycleOrBurn struct {
	Netuid        uint16        `type:"NetUid"`
	RecycleOrBurn RecycleOrBurn `type:"pallet_subtensor::RecycleOrBurnEnum"`
}

func (c *SetRecycleOrBurn) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	sub.RecycleOrBurn.set(l.s, c.Netuid, c.RecycleOrBurn)
	return nil
}

// SetBurnHalfLife sets in how many blocks the price of registration halves.
type SetBurnHalfLife struct {
	Netuid       uint16 `type:"NetUid"`
	BurnHalfLife uint16 `type:"u16"`
}

func (c *SetBurnHalfLife) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	if c.BurnHalfLife == 0 {
		return ErrAdminInvalidValue
	}
	return setSub(l, &sub.BurnHalfLife, c.Netuid, c.BurnHalfLife,
		SubtensorEvent{BurnHalfLifeSet: &BurnHalfLifeSet{c.Netuid, c.BurnHalfLife}})
}

// SetBurnIncreaseMult sets by how much a registration raises the price of the
// next, as U64F64.
type SetBurnIncreaseMult struct {
	Netuid           uint16    `type:"NetUid"`
	BurnIncreaseMult FixedU128 `type:"U64F64"`
}

func (c *SetBurnIncreaseMult) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	if c.BurnIncreaseMult.Bits.Hi == 0 {
		return ErrAdminInvalidValue // it would make the next one cheaper
	}
	sub.BurnIncreaseMult.set(l.s, c.Netuid, c.BurnIncreaseMult)
	return nil
}

// SetOwnerCutEnabled gives the owner a part of the emission, or none.
type SetOwnerCutEnabled struct {
	Netuid  uint16 `type:"NetUid"`
	Enabled bool   `type:"bool"`
}

func (c *SetOwnerCutEnabled) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	sub.OwnerCutEnabled.set(l.s, c.Netuid, c.Enabled)
	return nil
}

// SetEmissionEnabled gives a subnet a share of the TAO, or none.
type SetEmissionEnabled struct {
	Netuid  uint16 `type:"NetUid"`
	Enabled bool   `type:"bool"`
}

func (c *SetEmissionEnabled) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	sub.SubnetEmissionEnabled.set(l.s, c.Netuid, c.Enabled)
	l.emit(AdminEvent{SubnetEmissionEnabledSet: enabled(c.Netuid, c.Enabled)})
	return nil
}
