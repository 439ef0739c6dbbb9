package ledger

// setChain stores a setting of the whole chain, which only root may make.
func setChain[T any](l *Ledger, o origin, d *value[T], v T, event SubtensorEvent) error {
	if err := onlyRoot(o); err != nil {
		return err
	}
	d.set(l.s, v)
	l.emit(event)
	return nil
}

// SetTxRateLimit sets after how many blocks a coldkey may replace a hotkey
// again.
type SetTxRateLimit struct {
	TxRateLimit uint64 `type:"u64"`
}

func (c *SetTxRateLimit) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.TxRateLimit, c.TxRateLimit, SubtensorEvent{TxRateLimitSet: &c.TxRateLimit})
}

// SetSubnetOwnerCut sets the owners' part of the emission, of 65535.
type SetSubnetOwnerCut struct {
	SubnetOwnerCut uint16 `type:"u16"`
}

func (c *SetSubnetOwnerCut) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.SubnetOwnerCut, c.SubnetOwnerCut, SubtensorEvent{SubnetOwnerCutSet: &c.SubnetOwnerCut})
}

// SetNetworkRateLimit sets after how many blocks a subnet may be founded again.
type SetNetworkRateLimit struct {
	RateLimit uint64 `type:"u64"`
}

func (c *SetNetworkRateLimit) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.NetworkRateLimit, c.RateLimit, SubtensorEvent{NetworkRateLimitSet: &c.RateLimit})
}

// SetNetworkMinLockCost sets what founding a subnet costs at least, in RAO.
type SetNetworkMinLockCost struct {
	LockCost uint64 `type:"TaoBalance"`
}

func (c *SetNetworkMinLockCost) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.NetworkMinLockCost, c.LockCost, SubtensorEvent{NetworkMinLockCostSet: &c.LockCost})
}

// SetSubnetLimit sets how many subnets there may be, without root.
type SetSubnetLimit struct {
	MaxSubnets uint16 `type:"u16"`
}

func (c *SetSubnetLimit) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.SubnetLimit, c.MaxSubnets, SubtensorEvent{SubnetLimitSet: &c.MaxSubnets})
}

// SetLockReduction sets in how many blocks the price of a subnet falls back.
type SetLockReduction struct {
	Interval uint64 `type:"u64"`
}

func (c *SetLockReduction) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.NetworkLockReductionInterval, c.Interval, SubtensorEvent{LockReductionIntervalSet: &c.Interval})
}

// SetStakeThreshold sets how much stake it takes to set weights, in RAO.
type SetStakeThreshold struct {
	MinStake uint64 `type:"u64"`
}

func (c *SetStakeThreshold) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.StakeThreshold, c.MinStake, SubtensorEvent{StakeThresholdSet: &c.MinStake})
}

// SetAdminFreezeWindow sets for how many blocks before an epoch owners may change
// nothing.
type SetAdminFreezeWindow struct {
	Window uint16 `type:"u16"`
}

func (c *SetAdminFreezeWindow) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.AdminFreezeWindow, c.Window, SubtensorEvent{AdminFreezeWindowSet: &c.Window})
}

// SetStartCallDelay sets how many blocks after its founding a subnet may start.
type SetStartCallDelay struct {
	Delay uint64 `type:"u64"`
}

func (c *SetStartCallDelay) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.StartCallDelay, c.Delay, SubtensorEvent{StartCallDelaySet: &c.Delay})
}

// SetMaxEpochsPerBlock sets how many epochs may run in one block.
type SetMaxEpochsPerBlock struct {
	MaxEpochsPerBlock uint8 `type:"u8"`
}

func (c *SetMaxEpochsPerBlock) dispatch(l *Ledger, o origin) error {
	return setChain(l, o, &sub.MaxEpochsPerBlock, c.MaxEpochsPerBlock, SubtensorEvent{MaxEpochsPerBlockSet: &c.MaxEpochsPerBlock})
}
