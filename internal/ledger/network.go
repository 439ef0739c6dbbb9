package ledger

import "adit/internal/scale"

// rootNetuid is the network in which TAO are staked for a share in all others.
const rootNetuid = 0

// SubtensorCall is a call of SubtensorModule.
type SubtensorCall struct {
	scale.Enum
	SetWeights                       *SetWeights                       `scale:"0"`
	AddStake                         *AddStake                         `scale:"2"`
	RemoveStake                      *RemoveStake                      `scale:"3"`
	ServeAxon                        *ServeAxon                        `scale:"4"`
	ServePrometheus                  *ServePrometheus                  `scale:"5"`
	Register                         *Register                         `scale:"6"`
	BurnedRegister                   *BurnedRegister                   `scale:"7"`
	ServeAxonTLS                     *ServeAxonTLS                     `scale:"40,serve_axon_tls"`
	RegisterNetwork                  *RegisterNetwork                  `scale:"59"`
	RootRegister                     *RootRegister                     `scale:"62"`
	DecreaseTake                     *DecreaseTake                     `scale:"65"`
	IncreaseTake                     *IncreaseTake                     `scale:"66"`
	SetChildren                      *SetChildren                      `scale:"67"`
	SetIdentity                      *SetIdentity                      `scale:"68"`
	SetTxChildkeyTakeRateLimit       *SetTxChildkeyTakeRateLimit       `scale:"69,sudo_set_tx_childkey_take_rate_limit"`
	SwapHotkey                       *SwapHotkey                       `scale:"70"`
	SwapColdkey                      *SwapColdkey                      `scale:"71"`
	SwapHotkeyV2                     *SwapHotkeyV2                     `scale:"72,swap_hotkey_v2"`
	SetChildkeyTake                  *SetChildkeyTake                  `scale:"75"`
	SetMinChildkeyTake               *SetMinChildkeyTake               `scale:"76,sudo_set_min_childkey_take"`
	SetMaxChildkeyTake               *SetMaxChildkeyTake               `scale:"77,sudo_set_max_childkey_take"`
	SetSubnetIdentity                *SetSubnetIdentity                `scale:"78"`
	RegisterNetworkWithIdentity      *RegisterNetworkWithIdentity      `scale:"79"`
	BatchSetWeights                  *BatchSetWeights                  `scale:"80"`
	UnstakeAll                       *UnstakeAll                       `scale:"83"`
	UnstakeAllAlpha                  *UnstakeAllAlpha                  `scale:"84"`
	MoveStake                        *MoveStake                        `scale:"85"`
	TransferStake                    *TransferStake                    `scale:"86"`
	SwapStake                        *SwapStake                        `scale:"87"`
	AddStakeLimit                    *AddStakeLimit                    `scale:"88"`
	RemoveStakeLimit                 *RemoveStakeLimit                 `scale:"89"`
	SwapStakeLimit                   *SwapStakeLimit                   `scale:"90"`
	TryAssociateHotkey               *TryAssociateHotkey               `scale:"91"`
	StartCall                        *StartCall                        `scale:"92"`
	CommitWeights                    *CommitWeights                    `scale:"96"`
	RevealWeights                    *RevealWeights                    `scale:"97"`
	BatchRevealWeights               *BatchRevealWeights               `scale:"98"`
	BatchCommitWeights               *BatchCommitWeights               `scale:"100"`
	RecycleAlpha                     *RecycleAlpha                     `scale:"101"`
	BurnAlpha                        *BurnAlpha                        `scale:"102"`
	RemoveStakeFullLimit             *RemoveStakeFullLimit             `scale:"103"`
	SetPendingChildkeyCooldown       *SetPendingChildkeyCooldown       `scale:"109"`
	UpdateSymbol                     *UpdateSymbol                     `scale:"112"`
	CommitTimelockedWeights          *CommitTimelockedWeights          `scale:"113"`
	CommitMechanismWeights           *CommitMechanismWeights           `scale:"115"`
	RevealMechanismWeights           *RevealMechanismWeights           `scale:"116"`
	CommitCRV3MechanismWeights       *CommitCRV3MechanismWeights       `scale:"117,commit_crv3_mechanism_weights"`
	CommitTimelockedMechanismWeights *CommitTimelockedMechanismWeights `scale:"118"`
	SetMechanismWeights              *SetMechanismWeights              `scale:"119"`
	ClaimRoot                        *ClaimRoot                        `scale:"121"`
	SetRootClaimType                 *SetRootClaimType                 `scale:"122"`
	SetNumRootClaims                 *SetNumRootClaims                 `scale:"123,sudo_set_num_root_claims"`
	SetRootClaimThreshold            *SetRootClaimThreshold            `scale:"124,sudo_set_root_claim_threshold"`
	AnnounceColdkeySwap              *AnnounceColdkeySwap              `scale:"125"`
	SwapColdkeyAnnounced             *SwapColdkeyAnnounced             `scale:"126"`
	DisputeColdkeySwap               *DisputeColdkeySwap               `scale:"127"`
	ResetColdkeySwap                 *ResetColdkeySwap                 `scale:"128"`
	ClearColdkeySwapAnnouncement     *ClearColdkeySwapAnnouncement     `scale:"133"`
	RegisterLimit                    *RegisterLimit                    `scale:"134"`
	SetOwnerTempo                    *SetOwnerTempo                    `scale:"139,set_tempo"`
	SetActivityCutoffFactor          *SetActivityCutoffFactor          `scale:"140"`
	TriggerEpoch                     *TriggerEpoch                     `scale:"141"`
}

// exists reports whether there is a subnet netuid.
func (l *Ledger) exists(netuid uint16) bool { return sub.NetworksAdded.get(l.s, netuid) }

// isOwnerHotkey reports whether who is the hotkey of the subnet's owner.
func (l *Ledger) isOwnerHotkey(netuid uint16, who AccountID) bool {
	owner, ok := sub.SubnetOwnerHotkey.lookup(l.s, netuid)
	return ok && owner == who
}

// subnets calls f with each subnet but root, by number.
func (l *Ledger) subnets(f func(netuid uint16)) {
	left := sub.TotalNetworks.get(l.s) - 1
	for netuid := uint16(1); left > 0 && netuid != 0; netuid++ {
		if l.exists(netuid) {
			f(netuid)
			left--
		}
	}
}

// RegisterNetwork founds a subnet, for the price of its lock. The hotkey
// becomes its first neuron.
type RegisterNetwork struct {
	Hotkey AccountID `type:"T::AccountId"`
}

func (c *RegisterNetwork) precheck(l *Ledger, _ AccountID) error {
	if last := l.lastNetwork(); last > 0 && satSub(l.number, last) < sub.NetworkRateLimit.get(l.s) {
		return ErrNetworkTxRateLimitExceeded
	}
	return nil
}

var networkLastRegistered = RateLimitKey{NetworkLastRegistered: &scale.Unit{}}

func (l *Ledger) lastNetwork() uint64 {
	return sub.LastRateLimitedBlock.get(l.s, networkLastRegistered)
}

// LockCost returns what founding a subnet costs now, in RAO: it doubles with
// each and falls back linearly.
func (l *Ledger) LockCost() uint64 {
	s := l.s
	last, at, least := sub.NetworkLastLockCost.get(s), l.lastNetwork(), sub.NetworkMinLockCost.get(s)
	cost := last
	if at != 0 {
		fall := mulDiv(last, satSub(l.number, at), sub.NetworkLockReductionInterval.get(s))
		cost = satSub(satAdd(last, last), fall)
	}
	return max(cost, least)
}

func (c *RegisterNetwork) dispatch(l *Ledger, o origin) error {
	s := l.s
	who, err := o.signer()
	if err != nil {
		return err
	}
	if owner, known := sub.Owner.lookup(s, c.Hotkey); known && owner != who {
		return ErrNonAssociatedColdKey
	}
	if err := c.precheck(l, who); err != nil {
		return err
	}
	netuid, ok := l.freeNetuid()
	if !ok {
		return ErrSubnetLimitReached
	}
	cost := l.LockCost()
	if satSub(l.free(who), existentialDeposit) < cost {
		return ErrCannotAffordLockCost
	}
	if err := l.withdraw(who, cost, true); err != nil {
		return err
	}
	l.adopt(c.Hotkey, who)

	// The least lock becomes the pool, at a price of 1; what is above is gone.
	l.initNetwork(netuid)
	pool := max(min(sub.NetworkMinLockCost.get(s), cost), 1)
	l.toPool(netuid, pool)
	l.unissue(cost - pool)
	sub.SubnetAlphaIn.set(s, netuid, pool)
	sub.SubnetLocked.set(s, netuid, cost)
	sub.SubnetOwner.set(s, netuid, who)
	sub.SubnetOwnerHotkey.set(s, netuid, c.Hotkey)
	sub.NetworkLastLockCost.set(s, cost)
	sub.LastRateLimitedBlock.set(s, networkLastRegistered, l.number)
	if _, err := l.enrol(netuid, c.Hotkey); err != nil {
		return err
	}
	const dynamic = 1
	sub.SubnetMechanism.set(s, netuid, dynamic)
	l.emit(SubtensorEvent{NetworkAdded: &netU16{F0: netuid, F1: dynamic}})
	return nil
}

func (l *Ledger) freeNetuid() (uint16, bool) {
	for netuid := uint16(1); netuid <= sub.SubnetLimit.get(l.s); netuid++ {
		if !l.exists(netuid) {
			return netuid, true
		}
	}
	return 0, false
}

// initNetwork writes a new subnet's settings. They stand in storage although
// they are the defaults, as on the chain: readers look for the keys.
func (l *Ledger) initNetwork(netuid uint16) {
	s := l.s
	sub.NetworksAdded.set(s, netuid, true)
	sub.NetworkRegisteredAt.set(s, netuid, l.number)
	sub.TotalNetworks.set(s, sub.TotalNetworks.get(s)+1)
	sub.SubnetworkN.set(s, netuid, 0)
	sub.NetworkRegistrationAllowed.set(s, netuid, true)
	sub.Yuma3On.set(s, netuid, true)
	sub.LastEpochBlock.set(s, netuid, l.number)
	sub.SubnetEpochIndex.set(s, netuid, 0)
	sub.BlocksSinceLastStep.set(s, netuid, 0)
	sub.Tempo.set(s, netuid, l.spec.Tempo)
	for _, d := range []*table[uint16, uint16]{
		&sub.MaxAllowedUids, &sub.MaxAllowedValidators, &sub.MinAllowedWeights, &sub.MaxWeightsLimit,
		&sub.ImmunityPeriod, &sub.Rho, &sub.Kappa, &sub.BondsPenalty, &sub.BurnHalfLife,
	} {
		d.set(s, netuid, d.get(s, netuid))
	}
	for _, d := range []*table[uint16, uint64]{
		&sub.WeightsVersionKey, &sub.WeightsSetRateLimit, &sub.ServingRateLimit, &sub.BondsMovingAverage,
		&sub.Burn, &sub.MinBurn, &sub.MaxBurn, &sub.RevealPeriodEpochs,
	} {
		d.set(s, netuid, d.get(s, netuid))
	}
	sub.CommitRevealWeightsEnabled.set(s, netuid, true)
	sub.Active.set(s, netuid, nil)
	sub.Consensus.set(s, netuid, nil)
	sub.Incentive.set(s, netuid, nil)
	sub.Dividends.set(s, netuid, nil)
	sub.Emission.set(s, netuid, nil)
	sub.LastUpdate.set(s, netuid, nil)
	sub.ValidatorTrust.set(s, netuid, nil)
	sub.ValidatorPermit.set(s, netuid, nil)
	sub.StakeWeight.set(s, netuid, nil)
}

// StartCall lets a subnet's emission and its alpha's trade begin.
type StartCall struct {
	Netuid uint16 `type:"NetUid"`
}

func (c *StartCall) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	s := l.s
	if !l.exists(c.Netuid) {
		return ErrSubnetNotExists
	}
	if sub.SubnetOwner.get(s, c.Netuid) != who {
		return ErrBadOrigin
	}
	if _, started := sub.FirstEmissionBlockNumber.lookup(s, c.Netuid); started {
		return ErrFirstEmissionBlockNumberAlreadySet
	}
	if l.number < satAdd(sub.NetworkRegisteredAt.get(s, c.Netuid), sub.StartCallDelay.get(s)) {
		return ErrNeedWaitingMoreBlocksToStartCall
	}
	sub.FirstEmissionBlockNumber.set(s, c.Netuid, l.number+1)
	sub.SubtokenEnabled.set(s, c.Netuid, true)
	l.emit(SubtensorEvent{FirstEmissionBlockNumber: &netU64{F0: c.Netuid, F1: l.number + 1}})
	return nil
}
