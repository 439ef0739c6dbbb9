package ledger

// SetMinDifficulty sets a bound of the work that registration once took. Clients show it.
type SetMinDifficulty struct {
	Netuid        uint16 `type:"NetUid"`
	MinDifficulty uint64 `type:"u64"`
}

func (c *SetMinDifficulty) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.MinDifficulty, c.Netuid, c.MinDifficulty, SubtensorEvent{MinDifficultySet: u64Event(c.Netuid, c.MinDifficulty)})
}

// SetMaxDifficulty sets the other bound.
type SetMaxDifficulty struct {
	Netuid        uint16 `type:"NetUid"`
	MaxDifficulty uint64 `type:"u64"`
}

func (c *SetMaxDifficulty) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.MaxDifficulty, c.Netuid, c.MaxDifficulty, SubtensorEvent{MaxDifficultySet: u64Event(c.Netuid, c.MaxDifficulty)})
}

// SetAdjustmentInterval sets in how many blocks the price of registration was once adjusted. Clients
// show it.
type SetAdjustmentInterval struct {
	Netuid             uint16 `type:"NetUid"`
	AdjustmentInterval uint16 `type:"u16"`
}

func (c *SetAdjustmentInterval) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.AdjustmentInterval, c.Netuid, c.AdjustmentInterval, SubtensorEvent{AdjustmentIntervalSet: u16Event(c.Netuid, c.AdjustmentInterval)})
}

// SetAdjustmentAlpha sets how slowly. Clients show it.
type SetAdjustmentAlpha struct {
	Netuid          uint16 `type:"NetUid"`
	AdjustmentAlpha uint64 `type:"u64"`
}

func (c *SetAdjustmentAlpha) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.AdjustmentAlpha, c.Netuid, c.AdjustmentAlpha, SubtensorEvent{AdjustmentAlphaSet: u64Event(c.Netuid, c.AdjustmentAlpha)})
}

// SetPowRegistrationAllowed tells that work would be taken for a registration. Clients show it.
type SetPowRegistrationAllowed struct {
	Netuid              uint16 `type:"NetUid"`
	RegistrationAllowed bool   `type:"bool"`
}

func (c *SetPowRegistrationAllowed) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.NetworkPowRegistrationAllowed, c.Netuid, c.RegistrationAllowed, SubtensorEvent{PowRegistrationAllowed: boolEvent(c.Netuid, c.RegistrationAllowed)})
}

// SetTargetRegistrations sets how many registrations in an interval kept the price as it was.
// Clients show it.
type SetTargetRegistrations struct {
	Netuid                         uint16 `type:"NetUid"`
	TargetRegistrationsPerInterval uint16 `type:"u16"`
}

func (c *SetTargetRegistrations) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.TargetRegistrationsPerInterval, c.Netuid, c.TargetRegistrationsPerInterval, SubtensorEvent{RegistrationPerIntervalSet: u16Event(c.Netuid, c.TargetRegistrationsPerInterval)})
}

// SetDifficulty sets how much work a registration would take. Clients show it.
type SetDifficulty struct {
	Netuid     uint16 `type:"NetUid"`
	Difficulty uint64 `type:"u64"`
}

func (c *SetDifficulty) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.Difficulty, c.Netuid, c.Difficulty, SubtensorEvent{DifficultySet: u64Event(c.Netuid, c.Difficulty)})
}

// SetMaxRegistrations sets how many registrations a block once took. Clients show it.
type SetMaxRegistrations struct {
	Netuid                   uint16 `type:"NetUid"`
	MaxRegistrationsPerBlock uint16 `type:"u16"`
}

func (c *SetMaxRegistrations) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.MaxRegistrationsPerBlock, c.Netuid, c.MaxRegistrationsPerBlock, SubtensorEvent{MaxRegistrationsPerBlockSet: u16Event(c.Netuid, c.MaxRegistrationsPerBlock)})
}

// SetRAORecycled sets the count of what registrations have cost.
type SetRAORecycled struct {
	Netuid      uint16 `type:"NetUid"`
	RaoRecycled uint64 `type:"TaoBalance"`
}

func (c *SetRAORecycled) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.RAORecycledForRegistration, c.Netuid, c.RaoRecycled, SubtensorEvent{RAORecycledForRegistrationSet: u64Event(c.Netuid, c.RaoRecycled)})
}

// SetMinChildkeyTakeOf sets the least that children take in a subnet, of 65535.
type SetMinChildkeyTakeOf struct {
	Netuid uint16 `type:"NetUid"`
	Take   uint16 `type:"u16"`
}

func (c *SetMinChildkeyTakeOf) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.MinChildkeyTakePerSubnet, c.Netuid, c.Take, SubtensorEvent{MinChildKeyTakePerSubnetSet: u16Event(c.Netuid, c.Take)})
}

// SetToggleTransfer lets stake be given to other coldkeys, or forbids it.
type SetToggleTransfer struct {
	Netuid uint16 `type:"NetUid"`
	Toggle bool   `type:"bool"`
}

func (c *SetToggleTransfer) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.TransferToggle, c.Netuid, c.Toggle, SubtensorEvent{TransferToggle: boolEvent(c.Netuid, c.Toggle)})
}

// SetEMAPriceHalving sets how slowly the moving price of a young subnet moves, in blocks.
type SetEMAPriceHalving struct {
	Netuid     uint16 `type:"NetUid"`
	EMAHalving uint64 `type:"u64"`
}

func (c *SetEMAPriceHalving) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	sub.EMAPriceHalvingBlocks.set(l.s, c.Netuid, c.EMAHalving)
	return nil
}

// SetOwnerImmuneLimit sets how many neurons of the owner are never pruned.
type SetOwnerImmuneLimit struct {
	Netuid        uint16 `type:"NetUid"`
	ImmuneNeurons uint16 `type:"u16"`
}

func (c *SetOwnerImmuneLimit) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOf(o, c.Netuid); err != nil {
		return err
	}
	sub.ImmuneOwnerUidsLimit.set(l.s, c.Netuid, c.ImmuneNeurons)
	return nil
}

// SetMinAllowedUids sets below how many neurons a subnet may not be cut.
type SetMinAllowedUids struct {
	Netuid         uint16 `type:"NetUid"`
	MinAllowedUids uint16 `type:"u16"`
}

func (c *SetMinAllowedUids) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.MinAllowedUids, c.Netuid, c.MinAllowedUids, SubtensorEvent{MinAllowedUidsSet: u16Event(c.Netuid, c.MinAllowedUids)})
}

// SetMinNonImmuneUids sets how many neurons may always be pruned.
type SetMinNonImmuneUids struct {
	Netuid uint16 `type:"NetUid"`
	Min    uint16 `type:"u16"`
}

func (c *SetMinNonImmuneUids) dispatch(l *Ledger, o origin) error {
	if err := l.rootOf(o, c.Netuid); err != nil {
		return err
	}
	return setSub(l, &sub.MinNonImmuneUids, c.Netuid, c.Min, SubtensorEvent{MinNonImmuneUidsSet: u16Event(c.Netuid, c.Min)})
}

// SetDefaultTake sets the most that delegates may take, of 65535.
type SetDefaultTake struct {
	DefaultTake uint16 `type:"u16"`
}

func (c *SetDefaultTake) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.MaxDelegateTake, c.DefaultTake, SubtensorEvent{MaxDelegateTakeSet: &c.DefaultTake})
}

// SetNetworkImmunityPeriod sets for how many blocks a subnet is not replaced. The rules here
// replace none; clients show it.
type SetNetworkImmunityPeriod struct {
	ImmunityPeriod uint64 `type:"u64"`
}

func (c *SetNetworkImmunityPeriod) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.NetworkImmunityPeriod, c.ImmunityPeriod, SubtensorEvent{NetworkImmunityPeriodSet: &c.ImmunityPeriod})
}

// SetNominatorMinStake sets what nominators must stake at least. Unlike upstream, which sells
// what is less, the rules here let it be.
type SetNominatorMinStake struct {
	MinStake uint64 `type:"u64"`
}

func (c *SetNominatorMinStake) dispatch(l *Ledger, o origin) error {
	if err := onlyRoot(o); err != nil {
		return err
	}
	sub.NominatorMinRequiredStake.set(l.s, c.MinStake)
	return nil
}

// SetDelegateTakeRateLimit sets after how many blocks a delegate may raise its take again.
type SetDelegateTakeRateLimit struct {
	TxRateLimit uint64 `type:"u64"`
}

func (c *SetDelegateTakeRateLimit) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.TxDelegateTakeRateLimit, c.TxRateLimit, SubtensorEvent{TxDelegateTakeRateLimitSet: &c.TxRateLimit})
}

// SetMinDelegateTake sets the least that delegates take, of 65535.
type SetMinDelegateTake struct {
	Take uint16 `type:"u16"`
}

func (c *SetMinDelegateTake) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.MinDelegateTake, c.Take, SubtensorEvent{MinDelegateTakeSet: &c.Take})
}

// SetSubnetMovingAlpha sets how fast moving prices move.
type SetSubnetMovingAlpha struct {
	Alpha FixedI128 `type:"I96F32"`
}

func (c *SetSubnetMovingAlpha) dispatch(l *Ledger, o origin) error {
	if err := onlyRoot(o); err != nil {
		return err
	}
	sub.SubnetMovingAlpha.set(l.s, c.Alpha)
	return nil
}

// SetCommitRevealVersion sets which version of time-locked commitments is taken.
type SetCommitRevealVersion struct {
	Version uint16 `type:"u16"`
}

func (c *SetCommitRevealVersion) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.CommitRevealWeightsVersion, c.Version, SubtensorEvent{CommitRevealVersionSet: &c.Version})
}

// SetOwnerHparamRateLimit sets in how many epochs an owner may change a setting once. The rules
// here have no such limit; clients show it.
type SetOwnerHparamRateLimit struct {
	Epochs uint16 `type:"u16"`
}

func (c *SetOwnerHparamRateLimit) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.OwnerHyperparamRateLimit, c.Epochs, SubtensorEvent{OwnerHyperparamRateLimitSet: &c.Epochs})
}

// SetColdkeySwapDelay sets how many blocks lie between the announcement of a new coldkey and the
// swap.
type SetColdkeySwapDelay struct {
	Duration uint32 `type:"BlockNumberFor<T>"`
}

func (c *SetColdkeySwapDelay) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.ColdkeySwapAnnouncementDelay, c.Duration, SubtensorEvent{ColdkeySwapAnnouncementDelaySet: &c.Duration})
}

// SetColdkeyReannounceDelay sets how many more until another may be announced.
type SetColdkeyReannounceDelay struct {
	Duration uint32 `type:"BlockNumberFor<T>"`
}

func (c *SetColdkeyReannounceDelay) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.ColdkeySwapReannouncementDelay, c.Duration, SubtensorEvent{ColdkeySwapReannouncementDelaySet: &c.Duration})
}
