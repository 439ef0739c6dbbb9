package ledger

import "adit/internal/scale"

// AdminCall is a call of the AdminUtils pallet: a setting of a subnet, or of
// the chain. All are for root; some also for the subnet's owner.
type AdminCall struct {
	scale.Enum
	SetDefaultTake            *SetDefaultTake            `scale:"1,sudo_set_default_take"`
	SetTxRateLimit            *SetTxRateLimit            `scale:"2,sudo_set_tx_rate_limit"`
	SetServingRateLimit       *SetServingRateLimit       `scale:"3,sudo_set_serving_rate_limit"`
	SetMinDifficulty          *SetMinDifficulty          `scale:"4,sudo_set_min_difficulty"`
	SetMaxDifficulty          *SetMaxDifficulty          `scale:"5,sudo_set_max_difficulty"`
	SetWeightsVersionKey      *SetWeightsVersionKey      `scale:"6,sudo_set_weights_version_key"`
	SetWeightsSetRateLimit    *SetWeightsSetRateLimit    `scale:"7,sudo_set_weights_set_rate_limit"`
	SetAdjustmentInterval     *SetAdjustmentInterval     `scale:"8,sudo_set_adjustment_interval"`
	SetAdjustmentAlpha        *SetAdjustmentAlpha        `scale:"9,sudo_set_adjustment_alpha"`
	SetImmunityPeriod         *SetImmunityPeriod         `scale:"13,sudo_set_immunity_period"`
	SetMinAllowedWeights      *SetMinAllowedWeights      `scale:"14,sudo_set_min_allowed_weights"`
	SetMaxAllowedUids         *SetMaxAllowedUids         `scale:"15,sudo_set_max_allowed_uids"`
	SetKappa                  *SetKappa                  `scale:"16,sudo_set_kappa"`
	SetRho                    *SetRho                    `scale:"17,sudo_set_rho"`
	SetRegistrationAllowed    *SetRegistrationAllowed    `scale:"19,sudo_set_network_registration_allowed"`
	SetPowRegistrationAllowed *SetPowRegistrationAllowed `scale:"20,sudo_set_network_pow_registration_allowed"`
	SetTargetRegistrations    *SetTargetRegistrations    `scale:"21,sudo_set_target_registrations_per_interval"`
	SetMinBurn                *SetMinBurn                `scale:"22,sudo_set_min_burn"`
	SetMaxBurn                *SetMaxBurn                `scale:"23,sudo_set_max_burn"`
	SetDifficulty             *SetDifficulty             `scale:"24,sudo_set_difficulty"`
	SetMaxAllowedValidators   *SetMaxAllowedValidators   `scale:"25,sudo_set_max_allowed_validators"`
	SetBondsMovingAverage     *SetBondsMovingAverage     `scale:"26,sudo_set_bonds_moving_average"`
	SetMaxRegistrations       *SetMaxRegistrations       `scale:"27,sudo_set_max_registrations_per_block"`
	SetSubnetOwnerCut         *SetSubnetOwnerCut         `scale:"28,sudo_set_subnet_owner_cut"`
	SetNetworkRateLimit       *SetNetworkRateLimit       `scale:"29,sudo_set_network_rate_limit"`
	SetTempo                  *SetTempo                  `scale:"30,sudo_set_tempo"`
	SetNetworkImmunityPeriod  *SetNetworkImmunityPeriod  `scale:"35,sudo_set_network_immunity_period"`
	SetNetworkMinLockCost     *SetNetworkMinLockCost     `scale:"36,sudo_set_network_min_lock_cost"`
	SetSubnetLimit            *SetSubnetLimit            `scale:"37,sudo_set_subnet_limit"`
	SetLockReduction          *SetLockReduction          `scale:"38,sudo_set_lock_reduction_interval"`
	SetRAORecycled            *SetRAORecycled            `scale:"39,sudo_set_rao_recycled"`
	SetStakeThreshold         *SetStakeThreshold         `scale:"42,sudo_set_stake_threshold"`
	SetNominatorMinStake      *SetNominatorMinStake      `scale:"43,sudo_set_nominator_min_required_stake"`
	SetDelegateTakeRateLimit  *SetDelegateTakeRateLimit  `scale:"45,sudo_set_tx_delegate_take_rate_limit"`
	SetMinDelegateTake        *SetMinDelegateTake        `scale:"46,sudo_set_min_delegate_take"`
	SetCommitRevealEnabled    *SetCommitRevealEnabled    `scale:"49,sudo_set_commit_reveal_weights_enabled"`
	SetLiquidAlphaEnabled     *SetLiquidAlphaEnabled     `scale:"50,sudo_set_liquid_alpha_enabled"`
	SetAlphaValues            *SetAlphaValues            `scale:"51,sudo_set_alpha_values"`
	SetCommitRevealInterval   *SetCommitRevealInterval   `scale:"57,sudo_set_commit_reveal_weights_interval"`
	SetBondsPenalty           *SetBondsPenalty           `scale:"60,sudo_set_bonds_penalty"`
	SetToggleTransfer         *SetToggleTransfer         `scale:"61,sudo_set_toggle_transfer"`
	SetSubnetMovingAlpha      *SetSubnetMovingAlpha      `scale:"63,sudo_set_subnet_moving_alpha"`
	SetOwnerHotkey            *SetOwnerHotkey            `scale:"64,sudo_set_subnet_owner_hotkey"`
	SetEMAPriceHalving        *SetEMAPriceHalving        `scale:"65,sudo_set_ema_price_halving_period"`
	SetSubtokenEnabled        *SetSubtokenEnabled        `scale:"66,sudo_set_subtoken_enabled"`
	SetSNOwnerHotkey          *SetSNOwnerHotkey          `scale:"67,sudo_set_sn_owner_hotkey"`
	SetAlphaSteepness         *SetAlphaSteepness         `scale:"68,sudo_set_alpha_sigmoid_steepness"`
	SetYuma3Enabled           *SetYuma3Enabled           `scale:"69,sudo_set_yuma3_enabled"`
	SetBondsResetEnabled      *SetBondsResetEnabled      `scale:"70,sudo_set_bonds_reset_enabled"`
	SetCommitRevealVersion    *SetCommitRevealVersion    `scale:"71,sudo_set_commit_reveal_version"`
	SetOwnerImmuneLimit       *SetOwnerImmuneLimit       `scale:"72,sudo_set_owner_immune_neuron_limit"`
	SetAdminFreezeWindow      *SetAdminFreezeWindow      `scale:"74,sudo_set_admin_freeze_window"`
	SetOwnerHparamRateLimit   *SetOwnerHparamRateLimit   `scale:"75,sudo_set_owner_hparam_rate_limit"`
	SetMinAllowedUids         *SetMinAllowedUids         `scale:"79,sudo_set_min_allowed_uids"`
	SetRecycleOrBurn          *SetRecycleOrBurn          `scale:"80,sudo_set_recycle_or_burn"`
	SetMinNonImmuneUids       *SetMinNonImmuneUids       `scale:"84,sudo_set_min_non_immune_uids"`
	SetStartCallDelay         *SetStartCallDelay         `scale:"85,sudo_set_start_call_delay"`
	SetColdkeySwapDelay       *SetColdkeySwapDelay       `scale:"86,sudo_set_coldkey_swap_announcement_delay"`
	SetColdkeyReannounceDelay *SetColdkeyReannounceDelay `scale:"87,sudo_set_coldkey_swap_reannouncement_delay"`
	SetBurnHalfLife           *SetBurnHalfLife           `scale:"89,sudo_set_burn_half_life"`
	SetBurnIncreaseMult       *SetBurnIncreaseMult       `scale:"90,sudo_set_burn_increase_mult"`
	SetOwnerCutEnabled        *SetOwnerCutEnabled        `scale:"92,sudo_set_owner_cut_enabled"`
	SetMinChildkeyTakeOf      *SetMinChildkeyTakeOf      `scale:"93,sudo_set_min_childkey_take_per_subnet"`
	SetEmissionEnabled        *SetEmissionEnabled        `scale:"94,sudo_set_subnet_emission_enabled"`
	SetMaxEpochsPerBlock      *SetMaxEpochsPerBlock      `scale:"96,sudo_set_max_epochs_per_block"`
}

// onlyRoot refuses everybody but root.
func onlyRoot(o origin) error {
	if !o.root {
		return ErrBadOrigin
	}
	return nil
}

// ownerOrRoot refuses everybody but root and the subnet's owner.
func (l *Ledger) ownerOrRoot(o origin, netuid uint16) error {
	if o.root {
		return nil
	}
	owner, ok := sub.SubnetOwner.lookup(l.s, netuid)
	if !ok || owner != o.who {
		return ErrBadOrigin
	}
	return nil
}

// unfrozen refuses the owner in the last blocks before an epoch, when weights
// come in. Unlike upstream, an owner's changes have no rate limit of their own.
func (l *Ledger) unfrozen(o origin, netuid uint16) error {
	if o.root {
		return nil
	}
	next, ok := l.NextEpoch(netuid)
	if ok && next-l.number < uint64(sub.AdminFreezeWindow.get(l.s)) {
		return ErrAdminActionProhibited
	}
	return nil
}

// rootOf checks a setting that only root may make in a subnet.
func (l *Ledger) rootOf(o origin, netuid uint16) error {
	if err := onlyRoot(o); err != nil {
		return err
	}
	if !l.exists(netuid) {
		return ErrSubnetDoesNotExist
	}
	return nil
}

// ownerOf checks a setting that the owner may make too.
func (l *Ledger) ownerOf(o origin, netuid uint16) error {
	if err := l.ownerOrRoot(o, netuid); err != nil {
		return err
	}
	if err := l.unfrozen(o, netuid); err != nil {
		return err
	}
	if !l.exists(netuid) {
		return ErrSubnetDoesNotExist
	}
	return nil
}

// setSub stores a subnet's setting.
func setSub[T any](l *Ledger, d *table[uint16, T], netuid uint16, v T, event SubtensorEvent) error {
	d.set(l.s, netuid, v)
	l.emit(event)
	return nil
}

func u16Event(netuid, v uint16) *netU16            { return &netU16{F0: netuid, F1: v} }
func u64Event(netuid uint16, v uint64) *netU64     { return &netU64{F0: netuid, F1: v} }
func boolEvent(netuid uint16, v bool) *netBool     { return &netBool{F0: netuid, F1: v} }
func enabled(netuid uint16, v bool) *NetuidEnabled { return &NetuidEnabled{netuid, v} }
