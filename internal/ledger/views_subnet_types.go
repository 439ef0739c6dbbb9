package ledger

import "adit/internal/scale"

// SubnetInfo is what a subnet is.
type SubnetInfo struct {
	Netuid               c16
	Rho                  c16
	Kappa                c16
	Difficulty           c64
	ImmunityPeriod       c16
	MaxAllowedValidators c16
	MinAllowedWeights    c16
	MaxWeightsLimit      c16
	ScalingLawPower      c16
	SubnetworkN          c16
	MaxAllowedUIDs       c16 `scale:"max_allowed_uids"`
	BlocksSinceLastStep  c64
	Tempo                c16
	NetworkModality      c16
	NetworkConnect       [][2]uint16
	EmissionValues       c64
	Burn                 c64
	Owner                AccountID
}

// ScaleName implements [scale.Named].
func (SubnetInfo) ScaleName() string { return "pallet_subtensor::rpc_info::subnet_info::SubnetInfo" }

// SubnetInfoV2 is [SubnetInfo] with the name of the subnet.
type SubnetInfoV2 struct {
	Netuid               c16
	Rho                  c16
	Kappa                c16
	Difficulty           c64
	ImmunityPeriod       c16
	MaxAllowedValidators c16
	MinAllowedWeights    c16
	MaxWeightsLimit      c16
	ScalingLawPower      c16
	SubnetworkN          c16
	MaxAllowedUIDs       c16 `scale:"max_allowed_uids"`
	BlocksSinceLastStep  c64
	Tempo                c16
	NetworkModality      c16
	NetworkConnect       [][2]uint16
	EmissionValue        c64
	Burn                 c64
	Owner                AccountID
	Identity             scale.Option[SubnetIdentity]
}

// ScaleName implements [scale.Named].
func (SubnetInfoV2) ScaleName() string {
	return "pallet_subtensor::rpc_info::subnet_info::SubnetInfov2"
}

// SubnetHyperparams are the settings of a subnet.
type SubnetHyperparams struct {
	Rho                        c16
	Kappa                      c16
	ImmunityPeriod             c16
	MinAllowedWeights          c16
	MaxWeightsLimit            c16
	Tempo                      c16
	MinDifficulty              c64
	MaxDifficulty              c64
	WeightsVersion             c64
	WeightsRateLimit           c64
	AdjustmentInterval         c16
	ActivityCutoff             c64
	RegistrationAllowed        bool
	TargetRegsPerInterval      c16
	MinBurn                    c64
	MaxBurn                    c64
	BondsMovingAvg             c64
	MaxRegsPerBlock            c16
	ServingRateLimit           c64
	MaxValidators              c16
	AdjustmentAlpha            c64
	Difficulty                 c64
	CommitRevealPeriod         c64
	CommitRevealWeightsEnabled bool
	AlphaHigh                  c16
	AlphaLow                   c16
	LiquidAlphaEnabled         bool
}

// ScaleName implements [scale.Named].
func (SubnetHyperparams) ScaleName() string {
	return "pallet_subtensor::rpc_info::subnet_info::SubnetHyperparams"
}

// SubnetHyperparamsV2 are more of them.
type SubnetHyperparamsV2 struct {
	Rho                        c16
	Kappa                      c16
	ImmunityPeriod             c16
	MinAllowedWeights          c16
	MaxWeightsLimit            c16
	Tempo                      c16
	MinDifficulty              c64
	MaxDifficulty              c64
	WeightsVersion             c64
	WeightsRateLimit           c64
	AdjustmentInterval         c16
	ActivityCutoff             c64
	RegistrationAllowed        bool
	TargetRegsPerInterval      c16
	MinBurn                    c64
	MaxBurn                    c64
	BondsMovingAvg             c64
	MaxRegsPerBlock            c16
	ServingRateLimit           c64
	MaxValidators              c16
	AdjustmentAlpha            c64
	Difficulty                 c64
	CommitRevealPeriod         c64
	CommitRevealWeightsEnabled bool
	AlphaHigh                  c16
	AlphaLow                   c16
	LiquidAlphaEnabled         bool
	AlphaSigmoidSteepness      FixedI64
	YumaVersion                c16
	SubnetIsActive             bool
	TransfersEnabled           bool
	BondsResetEnabled          bool
	UserLiquidityEnabled       bool
}

// ScaleName implements [scale.Named].
func (SubnetHyperparamsV2) ScaleName() string {
	return "pallet_subtensor::rpc_info::subnet_info::SubnetHyperparamsV2"
}

// DynamicInfo is the state of a subnet's pool and emission.
type DynamicInfo struct {
	Netuid               c16
	OwnerHotkey          AccountID
	OwnerColdkey         AccountID
	SubnetName           []scale.Compact[uint8]
	TokenSymbol          []scale.Compact[uint8]
	Tempo                c16
	LastStep             c64
	BlocksSinceLastStep  c64
	Emission             c64
	AlphaIn              c64
	AlphaOut             c64
	TaoIn                c64
	AlphaOutEmission     c64
	AlphaInEmission      c64
	TaoInEmission        c64
	PendingAlphaEmission c64
	PendingRootEmission  c64
	SubnetVolume         CompactU128
	NetworkRegisteredAt  c64
	SubnetIdentity       scale.Option[SubnetIdentity]
	MovingPrice          FixedI128
}

// ScaleName implements [scale.Named].
func (DynamicInfo) ScaleName() string { return "pallet_subtensor::rpc_info::dynamic_info::DynamicInfo" }
