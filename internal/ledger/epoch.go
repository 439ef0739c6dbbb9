package ledger

// maxTempo is the most blocks that pass without an epoch, whatever the tempo.
const maxTempo = 50400

// epochDue reports whether a subnet's epoch runs in this block: the clock of
// runtime 424, which counts from the last epoch.
func (l *Ledger) epochDue(netuid uint16) bool {
	s := l.s
	tempo := uint64(sub.Tempo.get(s, netuid))
	if tempo == 0 {
		return false
	}
	if at := sub.PendingEpochAt.get(s, netuid); at > 0 && l.number >= at {
		return true
	}
	return sub.BlocksSinceLastStep.get(s, netuid) > maxTempo ||
		satSub(l.number, sub.LastEpochBlock.get(s, netuid)) >= tempo
}

// NextEpoch returns the block in which the subnet's next epoch runs, if it is
// not deferred, or false if the subnet has none.
func (l *Ledger) NextEpoch(netuid uint16) (uint64, bool) {
	tempo := uint64(sub.Tempo.get(l.s, netuid))
	if tempo == 0 || !l.exists(netuid) {
		return 0, false
	}
	next := satAdd(sub.LastEpochBlock.get(l.s, netuid), tempo)
	if at := sub.PendingEpochAt.get(l.s, netuid); at > 0 {
		next = min(next, at)
	}
	return max(next, l.number+1), true
}

// runEpochs runs the epochs that are due, at most MaxEpochsPerBlock. The rest
// stay due.
func (l *Ledger) runEpochs(all []uint16) {
	s := l.s
	budget := sub.MaxEpochsPerBlock.get(s)
	for _, netuid := range all {
		due := l.epochDue(netuid)
		if due && budget == 0 {
			l.emit(SubtensorEvent{EpochDeferred: &EpochDeferred{netuid, l.number, l.number + 1}})
		}
		if !due || budget == 0 {
			sub.BlocksSinceLastStep.set(s, netuid, sub.BlocksSinceLastStep.get(s, netuid)+1)
			continue
		}
		budget--
		l.runEpoch(netuid)
		sub.LastEpochBlock.set(s, netuid, l.number)
		if sub.PendingEpochAt.get(s, netuid) != 0 {
			sub.PendingEpochAt.set(s, netuid, 0)
		}
		sub.SubnetEpochIndex.set(s, netuid, sub.SubnetEpochIndex.get(s, netuid)+1)
		sub.BlocksSinceLastStep.set(s, netuid, 0)
		sub.LastMechansimStepBlock.set(s, netuid, l.number)
		l.settleChildren(netuid)
	}
}

// runEpoch judges a subnet and pays out what is pending.
func (l *Ledger) runEpoch(netuid uint16) {
	s := l.s
	e, hotkeys := l.gather(netuid)
	v := e.run()
	emission := l.distribute(netuid, hotkeys, &v)

	sub.Active.set(s, netuid, v.active)
	sub.ValidatorPermit.set(s, netuid, v.permit)
	sub.Consensus.set(s, netuid, u16s(v.consensus))
	sub.ValidatorTrust.set(s, netuid, u16s(v.trust))
	sub.Incentive.set(s, netuid, u16s(v.incentive))
	sub.Dividends.set(s, netuid, u16s(v.dividends))
	sub.StakeWeight.set(s, netuid, u16s(v.stake))
	sub.Emission.set(s, netuid, emission)
	for i, row := range v.bonds {
		uid := uint16(i)
		switch {
		case v.permit[i]:
			sub.Bonds.set(s, netuid, uid, row)
		case e.bonds[i] != nil:
			sub.Bonds.delete(s, netuid, uid)
		}
	}
}

// revealWeightsOf reveals what is time-locked in each subnet, but for those
// whose epoch is due and must wait for another block.
func (l *Ledger) revealWeightsOf(all []uint16) {
	budget := sub.MaxEpochsPerBlock.get(l.s)
	for _, netuid := range all {
		epoch := sub.SubnetEpochIndex.get(l.s, netuid)
		if l.epochDue(netuid) {
			if budget == 0 {
				continue
			}
			budget--
			epoch++
		}
		l.revealLocked(netuid, epoch)
	}
}

// gather reads what Yuma looks at.
func (l *Ledger) gather(netuid uint16) (*epoch, []AccountID) {
	s := l.s
	n := int(sub.SubnetworkN.get(s, netuid))
	e := &epoch{
		block:         l.number,
		since:         satSub(l.number, uint64(sub.Tempo.get(s, netuid))),
		cutoff:        l.cutoff(netuid),
		kappa:         sub.Kappa.get(s, netuid),
		maxValidators: int(sub.MaxAllowedValidators.get(s, netuid)),
		owner:         -1,
		stake:         make([]uint64, n),
		threshold:     sub.StakeThreshold.get(s),
		permit:        fit(sub.ValidatorPermit.get(s, netuid), n),
		registered:    make([]uint64, n),
		lastUpdate:    fit(sub.LastUpdate.get(s, netuid), n),
		weights:       make([][]pair, n),
		bonds:         make([][]pair, n),

		bondsMovingAverage: sub.BondsMovingAverage.get(s, netuid),
		bondsPenalty:       sub.BondsPenalty.get(s, netuid),
		yuma3:              sub.Yuma3On.get(s, netuid),
		liquidAlpha:        sub.LiquidAlphaOn.get(s, netuid),
		steepness:          sub.AlphaSigmoidSteepness.get(s, netuid),
	}
	// Who registered after the last epoch has no bonds yet, be it a tempo ago or
	// not: an epoch may have been triggered or put off. One that registered in
	// the very block of that epoch counts as known, as on the chain.
	if last := sub.LastMechansimStepBlock.get(s, netuid); last > 0 {
		e.since = last + 1
	}
	if sub.CommitRevealWeightsEnabled.get(s, netuid) {
		e.committed = l.earliestCommits(netuid, n)
	}
	alpha := sub.AlphaValues.get(s, netuid)
	e.alphaLow, e.alphaHigh = alpha.F0, alpha.F1
	hotkeys := make([]AccountID, n)
	for i := range n {
		uid := uint16(i)
		hotkeys[i] = sub.Keys.get(s, netuid, uid)
		e.stake[i] = l.weightOf(hotkeys[i], netuid)
		e.registered[i] = sub.BlockAtRegistration.get(s, netuid, uid)
		// The owner has a permit from the first epoch on.
		if l.isOwnerHotkey(netuid, hotkeys[i]) {
			e.owner, e.permit[i] = i, true
		}
		if e.permit[i] {
			e.weights[i], _ = sub.Weights.lookup(s, netuid, uid)
		}
		e.bonds[i], _ = sub.Bonds.lookup(s, netuid, uid)
	}
	return e, hotkeys
}

// fit returns v with length n.
func fit[T any](v []T, n int) []T {
	if len(v) < n {
		v = append(v, make([]T, n-len(v))...)
	}
	return v[:n]
}

func u16s(v []fixed) []uint16 {
	out := make([]uint16, len(v))
	for i, x := range v {
		out[i] = x.u16()
	}
	return out
}

// TriggerEpoch lets the owner have an epoch soon: when the window is over in
// which settings are frozen.
type TriggerEpoch struct {
	Netuid uint16 `type:"NetUid"`
}

func (c *TriggerEpoch) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	s := l.s
	switch {
	case !l.exists(c.Netuid):
		return ErrSubnetNotExists
	case sub.SubnetOwner.get(s, c.Netuid) != who:
		return ErrBadOrigin
	case sub.CommitRevealWeightsEnabled.get(s, c.Netuid):
		return ErrDynamicTempoBlockedByCommitReveal
	case sub.PendingEpochAt.get(s, c.Netuid) != 0:
		return ErrEpochTriggerAlreadyPending
	}
	window := uint64(sub.AdminFreezeWindow.get(s))
	if next, ok := l.NextEpoch(c.Netuid); ok && next-l.number < window {
		return ErrAutoEpochAlreadyImminent
	}
	sub.PendingEpochAt.set(s, c.Netuid, l.number+window)
	l.emit(SubtensorEvent{EpochTriggered: &EpochTriggered{c.Netuid, who, l.number + window}})
	return nil
}

// SetActivityCutoffFactor sets after how many tempos, in thousandths, a
// validator without new weights is inactive.
type SetActivityCutoffFactor struct {
	Netuid      uint16 `type:"NetUid"`
	FactorMilli uint32 `type:"u32"`
}

func (c *SetActivityCutoffFactor) dispatch(l *Ledger, o origin) error {
	if err := l.ownerOrRoot(o, c.Netuid); err != nil {
		return err
	}
	if c.FactorMilli < 1000 || c.FactorMilli > 50000 {
		return ErrActivityCutoffFactorOutOfBounds
	}
	if err := l.unfrozen(o, c.Netuid); err != nil {
		return err
	}
	sub.ActivityCutoffFactorMilli.set(l.s, c.Netuid, c.FactorMilli)
	l.emit(SubtensorEvent{ActivityCutoffFactorSet: &ActivityCutoffFactorSet{c.Netuid, c.FactorMilli}})
	return nil
}
