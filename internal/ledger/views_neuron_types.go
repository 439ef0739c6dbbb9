package ledger

import "adit/internal/scale"

// The results of the runtime APIs, named and ordered as in runtime 424. Most
// integers are compact. Amounts are RAO, shares are of 65535.

type (
	c16 = scale.Compact[uint16]
	c32 = scale.Compact[uint32]
	c64 = scale.Compact[uint64]
)

// DelegateInfo is a delegate, with all that it holds for others.
type DelegateInfo struct {
	DelegateSS58     AccountID
	Take             c16
	Nominators       []scale.Tuple2[AccountID, []scale.Tuple2[c16, c64]]
	OwnerSS58        AccountID
	Registrations    []c16
	ValidatorPermits []c16
	ReturnPer1000    c64 `scale:"return_per_1000"`
	TotalDailyReturn c64
}

// ScaleName implements [scale.Named].
func (DelegateInfo) ScaleName() string {
	return "pallet_subtensor::rpc_info::delegate_info::DelegateInfo"
}

// NeuronInfo is a neuron with its weights and bonds.
type NeuronInfo struct {
	Hotkey          AccountID
	Coldkey         AccountID
	UID             c16
	Netuid          c16
	Active          bool
	AxonInfo        AxonInfo
	PrometheusInfo  PrometheusInfo
	Stake           []scale.Tuple2[AccountID, c64]
	Rank            c16
	Emission        c64
	Incentive       c16
	Consensus       c16
	Trust           c16
	ValidatorTrust  c16
	Dividends       c16
	LastUpdate      c64
	ValidatorPermit bool
	Weights         []scale.Tuple2[c16, c16]
	Bonds           []scale.Tuple2[c16, c16]
	PruningScore    c16
}

// ScaleName implements [scale.Named].
func (NeuronInfo) ScaleName() string { return "pallet_subtensor::rpc_info::neuron_info::NeuronInfo" }

// NeuronInfoLite is a neuron without its weights and bonds.
type NeuronInfoLite struct {
	Hotkey          AccountID
	Coldkey         AccountID
	UID             c16
	Netuid          c16
	Active          bool
	AxonInfo        AxonInfo
	PrometheusInfo  PrometheusInfo
	Stake           []scale.Tuple2[AccountID, c64]
	Rank            c16
	Emission        c64
	Incentive       c16
	Consensus       c16
	Trust           c16
	ValidatorTrust  c16
	Dividends       c16
	LastUpdate      c64
	ValidatorPermit bool
	PruningScore    c16
}

// ScaleName implements [scale.Named].
func (NeuronInfoLite) ScaleName() string {
	return "pallet_subtensor::rpc_info::neuron_info::NeuronInfoLite"
}

// StakeInfo is a coldkey's stake with a hotkey in a network.
type StakeInfo struct {
	Hotkey       AccountID
	Coldkey      AccountID
	Netuid       c16
	Stake        c64
	Locked       c64
	Emission     c64
	TaoEmission  c64
	Drain        c64
	IsRegistered bool
}

// ScaleName implements [scale.Named].
func (StakeInfo) ScaleName() string { return "pallet_subtensor::rpc_info::stake_info::StakeInfo" }

// StakeAvailability says how much of a stake can be unstaked.
type StakeAvailability struct {
	Total     c64
	Locked    c64
	Available c64
}

// ScaleName implements [scale.Named].
func (StakeAvailability) ScaleName() string {
	return "pallet_subtensor::rpc_info::stake_info::StakeAvailability"
}
