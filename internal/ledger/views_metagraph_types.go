package ledger

import "adit/internal/scale"

// Metagraph is all about a subnet and its neurons.
type Metagraph struct {
	Netuid                     c16
	Name                       []scale.Compact[uint8]
	Symbol                     []scale.Compact[uint8]
	Identity                   scale.Option[SubnetIdentity]
	NetworkRegisteredAt        c64
	OwnerHotkey                AccountID
	OwnerColdkey               AccountID
	Block                      c64
	Tempo                      c16
	LastStep                   c64
	BlocksSinceLastStep        c64
	SubnetEmission             c64
	AlphaIn                    c64
	AlphaOut                   c64
	TaoIn                      c64
	AlphaOutEmission           c64
	AlphaInEmission            c64
	TaoInEmission              c64
	PendingAlphaEmission       c64
	PendingRootEmission        c64
	SubnetVolume               CompactU128
	MovingPrice                FixedI128
	Rho                        c16
	Kappa                      c16
	MinAllowedWeights          c16
	MaxWeightsLimit            c16
	WeightsVersion             c64
	WeightsRateLimit           c64
	ActivityCutoff             c64
	MaxValidators              c16
	NumUIDs                    c16 `scale:"num_uids"`
	MaxUIDs                    c16 `scale:"max_uids"`
	Burn                       c64
	Difficulty                 c64
	RegistrationAllowed        bool
	PowRegistrationAllowed     bool
	ImmunityPeriod             c16
	MinDifficulty              c64
	MaxDifficulty              c64
	MinBurn                    c64
	MaxBurn                    c64
	AdjustmentAlpha            c64
	AdjustmentInterval         c16
	TargetRegsPerInterval      c16
	MaxRegsPerBlock            c16
	ServingRateLimit           c64
	CommitRevealWeightsEnabled bool
	CommitRevealPeriod         c64
	LiquidAlphaEnabled         bool
	AlphaHigh                  c16
	AlphaLow                   c16
	BondsMovingAvg             c64
	Hotkeys                    []AccountID
	Coldkeys                   []AccountID
	Identities                 []scale.Option[ChainIdentity]
	Axons                      []AxonInfo
	Active                     []bool
	ValidatorPermit            []bool
	PruningScore               []c16
	LastUpdate                 []c64
	Emission                   []c64
	Dividends                  []c16
	Incentives                 []c16
	Consensus                  []c16
	Trust                      []c16
	Rank                       []c16
	BlockAtRegistration        []c64
	AlphaStake                 []c64
	TaoStake                   []c64
	TotalStake                 []c64
	TaoDividendsPerHotkey      []scale.Tuple2[AccountID, c64]
	AlphaDividendsPerHotkey    []scale.Tuple2[AccountID, c64]
}

// ScaleName implements [scale.Named].
func (Metagraph) ScaleName() string { return "pallet_subtensor::rpc_info::metagraph::Metagraph" }

// SelectiveMetagraph are some parts of [Metagraph], and some more.
type SelectiveMetagraph struct {
	Netuid                     c16
	Name                       scale.Option[[]scale.Compact[uint8]]
	Symbol                     scale.Option[[]scale.Compact[uint8]]
	Identity                   scale.Option[scale.Option[SubnetIdentity]]
	NetworkRegisteredAt        scale.Option[c64]
	OwnerHotkey                scale.Option[AccountID]
	OwnerColdkey               scale.Option[AccountID]
	Block                      scale.Option[c64]
	Tempo                      scale.Option[c16]
	LastStep                   scale.Option[c64]
	BlocksSinceLastStep        scale.Option[c64]
	SubnetEmission             scale.Option[c64]
	AlphaIn                    scale.Option[c64]
	AlphaOut                   scale.Option[c64]
	TaoIn                      scale.Option[c64]
	AlphaOutEmission           scale.Option[c64]
	AlphaInEmission            scale.Option[c64]
	TaoInEmission              scale.Option[c64]
	PendingAlphaEmission       scale.Option[c64]
	PendingRootEmission        scale.Option[c64]
	SubnetVolume               scale.Option[CompactU128]
	MovingPrice                scale.Option[FixedI128]
	Rho                        scale.Option[c16]
	Kappa                      scale.Option[c16]
	MinAllowedWeights          scale.Option[c16]
	MaxWeightsLimit            scale.Option[c16]
	WeightsVersion             scale.Option[c64]
	WeightsRateLimit           scale.Option[c64]
	ActivityCutoff             scale.Option[c64]
	MaxValidators              scale.Option[c16]
	NumUIDs                    scale.Option[c16] `scale:"num_uids"`
	MaxUIDs                    scale.Option[c16] `scale:"max_uids"`
	Burn                       scale.Option[c64]
	Difficulty                 scale.Option[c64]
	RegistrationAllowed        scale.Option[bool]
	PowRegistrationAllowed     scale.Option[bool]
	ImmunityPeriod             scale.Option[c16]
	MinDifficulty              scale.Option[c64]
	MaxDifficulty              scale.Option[c64]
	MinBurn                    scale.Option[c64]
	MaxBurn                    scale.Option[c64]
	AdjustmentAlpha            scale.Option[c64]
	AdjustmentInterval         scale.Option[c16]
	TargetRegsPerInterval      scale.Option[c16]
	MaxRegsPerBlock            scale.Option[c16]
	ServingRateLimit           scale.Option[c64]
	CommitRevealWeightsEnabled scale.Option[bool]
	CommitRevealPeriod         scale.Option[c64]
	LiquidAlphaEnabled         scale.Option[bool]
	AlphaHigh                  scale.Option[c16]
	AlphaLow                   scale.Option[c16]
	BondsMovingAvg             scale.Option[c64]
	Hotkeys                    scale.Option[[]AccountID]
	Coldkeys                   scale.Option[[]AccountID]
	Identities                 scale.Option[[]scale.Option[ChainIdentity]]
	Axons                      scale.Option[[]AxonInfo]
	Active                     scale.Option[[]bool]
	ValidatorPermit            scale.Option[[]bool]
	PruningScore               scale.Option[[]c16]
	LastUpdate                 scale.Option[[]c64]
	Emission                   scale.Option[[]c64]
	Dividends                  scale.Option[[]c16]
	Incentives                 scale.Option[[]c16]
	Consensus                  scale.Option[[]c16]
	Trust                      scale.Option[[]c16]
	Rank                       scale.Option[[]c16]
	BlockAtRegistration        scale.Option[[]c64]
	AlphaStake                 scale.Option[[]c64]
	TaoStake                   scale.Option[[]c64]
	TotalStake                 scale.Option[[]c64]
	TaoDividendsPerHotkey      scale.Option[[]scale.Tuple2[AccountID, c64]]
	AlphaDividendsPerHotkey    scale.Option[[]scale.Tuple2[AccountID, c64]]
	Validators                 scale.Option[[]c16]
	Commitments                scale.Option[[]scale.Tuple2[AccountID, []scale.Compact[uint8]]]
}

// ScaleName implements [scale.Named].
func (SelectiveMetagraph) ScaleName() string {
	return "pallet_subtensor::rpc_info::metagraph::SelectiveMetagraph"
}

// SubnetState are the neurons of a subnet.
type SubnetState struct {
	Netuid              c16
	Hotkeys             []AccountID
	Coldkeys            []AccountID
	Active              []bool
	ValidatorPermit     []bool
	PruningScore        []c16
	LastUpdate          []c64
	Emission            []c64
	Dividends           []c16
	Incentives          []c16
	Consensus           []c16
	Trust               []c16
	Rank                []c16
	BlockAtRegistration []c64
	AlphaStake          []c64
	TaoStake            []c64
	TotalStake          []c64
	EmissionHistory     [][]c64
}

// ScaleName implements [scale.Named].
func (SubnetState) ScaleName() string { return "pallet_subtensor::rpc_info::show_subnet::SubnetState" }
