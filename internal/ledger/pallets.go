package ledger

import "adit/internal/scale"

// The storage of each pallet, named, hashed and typed as in runtime 424. What
// the rules here do not use is not declared.
var (
	system      = declare[systemStorage]("System")
	timestamp   = declare[timestampStorage]("Timestamp")
	balances    = declare[balancesStorage]("Balances")
	sudo        = declare[sudoStorage]("Sudo")
	commitments = declare[commitmentsStorage]("Commitments")
	proxies     = declare[proxyStorage]("Proxy")
	swap        = declare[swapStorage]("Swap")
	alphaAssets = declare[alphaStorage]("AlphaAssets")
	beacon      = declare[drandStorage]("Drand")
	shield      = declare[shieldStorage]("MevShield")
	sub         = declare[subtensorStorage]("SubtensorModule")
)

type systemStorage struct {
	Account    table[AccountID, AccountInfo] `hash:"blake2_128_concat" default:"0x0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000080"`
	BlockHash  table[uint32, Hash]           `hash:"twox_64_concat"`
	Number     value[uint32]
	ParentHash value[Hash]
	Events     value[[]EventRecord]
	EventCount value[uint32]
}

type timestampStorage struct {
	Now value[uint64]
}

type balancesStorage struct {
	TotalIssuance value[uint64]
}

type sudoStorage struct {
	Key value[AccountID] `optional:"true"`
}

type commitmentsStorage struct {
	CommitmentOf   table2[uint16, AccountID, Registration] `hash:"identity,twox_64_concat" optional:"true"`
	LastCommitment table2[uint16, AccountID, uint32]       `hash:"identity,twox_64_concat" optional:"true"`
	UsedSpaceOf    table2[uint16, AccountID, UsageTracker] `hash:"identity,twox_64_concat" optional:"true"`
	MaxSpace       value[uint32]                           `default:"3100"`
	// RevealedCommitments are the last ten plaintexts of a hotkey, with the
	// block in which each was revealed.
	RevealedCommitments table2[uint16, AccountID, []revealed] `hash:"identity,twox_64_concat" optional:"true"`
	// TimelockedIndex has those with something still locked, in order: a set.
	TimelockedIndex value[[]netAccount]
	LastBondsReset  table2[uint16, AccountID, uint32] `hash:"identity,twox_64_concat" optional:"true"`
}

// subtensorStorage is the storage of SubtensorModule. Amounts are RAO of TAO or
// of a subnet's alpha; blocks are u64. A netuid of the vectors by uid is the
// index of the subnet's first mechanism, which is the netuid itself.
type subtensorStorage struct {
	// The chain's own settings.
	AdminFreezeWindow            value[uint16] `default:"10"`
	TaoWeight                    value[uint64] `default:"971718665099567868"` // of 2^64
	TxRateLimit                  value[uint64] `default:"1000"`
	StakeThreshold               value[uint64]
	NetworkRateLimit             value[uint64] `default:"7200"`
	NetworkMinLockCost           value[uint64] `default:"1000000000000"`
	NetworkLastLockCost          value[uint64] `default:"1000000000000"`
	NetworkLockReductionInterval value[uint64] `default:"100800"`
	StartCallDelay               value[uint64]
	SubnetLimit                  value[uint16]               `default:"128"`
	SubnetOwnerCut               value[uint16]               `default:"11796"`
	MaxEpochsPerBlock            value[uint8]                `default:"2"`
	SubnetMovingAlpha            value[FixedI128]            `default:"0x54320000000000000000000000000000"` // 0.000003 in I96F32
	LastRateLimitedBlock         table[RateLimitKey, uint64] `hash:"identity"`

	// Totals.
	BlockEmission value[uint64] `default:"1000000000"`
	TotalIssuance value[uint64]
	TotalStake    value[uint64]
	TotalNetworks value[uint16]

	// Hotkeys and their stake.
	Owner                   table[AccountID, AccountID]                     `hash:"blake2_128_concat"`
	OwnedHotkeys            table[AccountID, []AccountID]                   `hash:"blake2_128_concat"`
	StakingHotkeys          table[AccountID, []AccountID]                   `hash:"blake2_128_concat"`
	Delegates               table[AccountID, uint16]                        `hash:"blake2_128_concat" default:"11796"`
	TotalHotkeyAlpha        table2[AccountID, uint16, uint64]               `hash:"blake2_128_concat,identity"`
	TotalHotkeyShares       table2[AccountID, uint16, FixedU128]            `hash:"blake2_128_concat,identity"`                   // U64F64
	Alpha                   table3[AccountID, AccountID, uint16, FixedU128] `hash:"blake2_128_concat,blake2_128_concat,identity"` // U64F64 shares
	AlphaDividendsPerSubnet table2[uint16, AccountID, uint64]               `hash:"identity,blake2_128_concat"`

	RootAlphaDividendsPerSubnet table2[uint16, AccountID, uint64] `hash:"identity,blake2_128_concat"`
	MaxDelegateTake             value[uint16]                     `default:"11796"`
	MinDelegateTake             value[uint16]
	TxDelegateTakeRateLimit     value[uint64]                             `default:"216000"`
	TransactionKeyLastBlock     table3[AccountID, uint16, uint16, uint64] `hash:"blake2_128_concat,identity,identity"`

	// What hotkeys lend to others.
	ChildKeys                table2[AccountID, uint16, []kin]           `hash:"blake2_128_concat,identity"`
	ParentKeys               table2[AccountID, uint16, []kin]           `hash:"blake2_128_concat,identity"`
	PendingChildKeys         table2[uint16, AccountID, pendingChildren] `hash:"identity,blake2_128_concat"`
	PendingChildKeyCooldown  value[uint64]                              `default:"7200"`
	ChildkeyTake             table2[AccountID, uint16, uint16]          `hash:"blake2_128_concat,identity"`
	MinChildkeyTake          value[uint16]
	MinChildkeyTakePerSubnet table[uint16, uint16] `hash:"identity"`
	MaxChildkeyTake          value[uint16]         `default:"11796"`
	TxChildkeyTakeRateLimit  value[uint64]         `default:"216000"`

	// What stakers of root have earned, and been paid.
	RootClaimable          table[AccountID, claimRates]                     `hash:"blake2_128_concat"`
	RootClaimed            table3[uint16, AccountID, AccountID, scale.U128] `hash:"identity,blake2_128_concat,blake2_128_concat"`
	RootClaimType          table[AccountID, RootClaimType]                  `hash:"blake2_128_concat" default:"0x00"`
	RootClaimableThreshold table[uint16, FixedI128]                         `hash:"blake2_128_concat" default:"0x0000000020a107000000000000000000"` // 500,000 in I96F32
	NumRootClaim           value[uint64]                                    `default:"5"`
	StakingColdkeysByIndex table[uint64, AccountID]                         `hash:"identity" optional:"true"`
	StakingColdkeys        table[AccountID, uint64]                         `hash:"identity" optional:"true"`
	NumStakingColdkeys     value[uint64]

	// What is locked: nothing, so that all but the rates are empty. Keys are a
	// coldkey, a netuid and, of a lock, the hotkey it is for.
	Lock               table3[AccountID, uint16, AccountID, LockState] `hash:"blake2_128_concat,identity,blake2_128_concat" optional:"true"`
	HotkeyLock         table2[uint16, AccountID, LockState]            `hash:"identity,blake2_128_concat" optional:"true"`
	DecayingHotkeyLock table2[uint16, AccountID, LockState]            `hash:"identity,blake2_128_concat" optional:"true"`
	OwnerLock          table[uint16, LockState]                        `hash:"identity" optional:"true"`
	DecayingOwnerLock  table[uint16, LockState]                        `hash:"identity" optional:"true"`
	DecayingLock       table2[AccountID, uint16, bool]                 `hash:"blake2_128_concat,identity" optional:"true"`
	MaturityRate       value[uint64]                                   `default:"934866"`
	UnlockRate         value[uint64]                                   `default:"934866"`

	// Each subnet's pool and emission.
	SubnetTAO           table[uint16, uint64]     `hash:"identity"`
	SubnetAlphaIn       table[uint16, uint64]     `hash:"identity"`
	SubnetAlphaOut      table[uint16, uint64]     `hash:"identity"`
	SubnetProtocolAlpha table[uint16, uint64]     `hash:"identity"`
	SubnetVolume        table[uint16, scale.U128] `hash:"identity"`
	SubnetMovingPrice   table[uint16, FixedI128]  `hash:"identity"` // I96F32
	// SubnetEmaTaoFlow is empty: emission follows prices here, and no flow is kept.
	SubnetEmaTaoFlow         table[uint16, emaFlow]       `hash:"identity" optional:"true"`
	SubnetTaoInEmission      table[uint16, uint64]        `hash:"identity"`
	SubnetAlphaInEmission    table[uint16, uint64]        `hash:"identity"`
	SubnetAlphaOutEmission   table[uint16, uint64]        `hash:"identity"`
	SubnetExcessTao          table[uint16, uint64]        `hash:"identity"`
	SubnetEmissionEnabled    table[uint16, bool]          `hash:"identity" default:"true"`
	EMAPriceHalvingBlocks    table[uint16, uint64]        `hash:"identity" default:"201600"`
	FirstEmissionBlockNumber table[uint16, uint64]        `hash:"identity" optional:"true"`
	PendingServerEmission    table[uint16, uint64]        `hash:"identity"`
	PendingValidatorEmission table[uint16, uint64]        `hash:"identity"`
	PendingRootAlphaDivs     table[uint16, uint64]        `hash:"identity"`
	PendingOwnerCut          table[uint16, uint64]        `hash:"identity"`
	MinerBurned              table[uint16, FixedU128]     `hash:"identity"` // U96F32
	RecycleOrBurn            table[uint16, RecycleOrBurn] `hash:"identity" default:"0x00"`
	OwnerCutEnabled          table[uint16, bool]          `hash:"identity" default:"true"`

	// Each subnet's settings.
	NetworksAdded              table[uint16, bool]                         `hash:"identity"`
	NetworkRegisteredAt        table[uint16, uint64]                       `hash:"identity"`
	SubnetOwner                table[uint16, AccountID]                    `hash:"identity"`
	SubnetOwnerHotkey          table[uint16, AccountID]                    `hash:"identity"`
	SubnetLocked               table[uint16, uint64]                       `hash:"identity"`
	TransferToggle             table[uint16, bool]                         `hash:"identity" default:"true"`
	SubnetMechanism            table[uint16, uint16]                       `hash:"identity"`
	SubtokenEnabled            table[uint16, bool]                         `hash:"identity"`
	MechanismCountCurrent      table[uint16, uint8]                        `hash:"twox_64_concat" default:"1"`
	MechanismEmissionSplit     table[uint16, []uint16]                     `hash:"twox_64_concat" optional:"true"` // none: even
	NetworkRegistrationAllowed table[uint16, bool]                         `hash:"identity"`
	Tempo                      table[uint16, uint16]                       `hash:"identity" default:"360"`
	ActivityCutoffFactorMilli  table[uint16, uint32]                       `hash:"identity" default:"13889"`
	MaxAllowedUids             table[uint16, uint16]                       `hash:"identity" default:"256"`
	MaxAllowedValidators       table[uint16, uint16]                       `hash:"identity" default:"64"`
	MinAllowedWeights          table[uint16, uint16]                       `hash:"identity" default:"1"`
	MaxWeightsLimit            table[uint16, uint16]                       `hash:"identity" default:"65535"`
	ImmunityPeriod             table[uint16, uint16]                       `hash:"identity" default:"5000"`
	Rho                        table[uint16, uint16]                       `hash:"identity" default:"10"`
	Kappa                      table[uint16, uint16]                       `hash:"identity" default:"32767"`
	WeightsVersionKey          table[uint16, uint64]                       `hash:"identity"`
	WeightsSetRateLimit        table[uint16, uint64]                       `hash:"identity" default:"100"`
	ServingRateLimit           table[uint16, uint64]                       `hash:"identity" default:"50"`
	CommitRevealWeightsEnabled table[uint16, bool]                         `hash:"identity" default:"true"`
	CommitRevealWeightsVersion value[uint16]                               `default:"4"`
	RevealPeriodEpochs         table[uint16, uint64]                       `hash:"twox_64_concat" default:"1"`
	BondsMovingAverage         table[uint16, uint64]                       `hash:"identity" default:"900000"`
	BondsPenalty               table[uint16, uint16]                       `hash:"identity" default:"65535"`
	Yuma3On                    table[uint16, bool]                         `hash:"blake2_128_concat"`
	LiquidAlphaOn              table[uint16, bool]                         `hash:"blake2_128_concat"`
	AlphaValues                table[uint16, scale.Tuple2[uint16, uint16]] `hash:"identity" default:"0x33b366e6"` // 0.7, 0.9 of 65535
	BondsResetOn               table[uint16, bool]                         `hash:"identity"`
	AlphaSigmoidSteepness      table[uint16, int16]                        `hash:"identity" default:"1000"`

	// Weights that are committed and not yet revealed.
	WeightCommits           table2[uint16, AccountID, []weightCommit] `hash:"twox_64_concat,twox_64_concat" optional:"true"`
	TimelockedWeightCommits table2[uint16, uint64, []lockedCommit]    `hash:"twox_64_concat,twox_64_concat"`

	// What clients show and the rules here do not use.
	MinDifficulty                  table[uint16, uint64]                `hash:"identity" default:"10000000"`
	MaxDifficulty                  table[uint16, uint64]                `hash:"identity" default:"4611686018427387903"`
	Difficulty                     table[uint16, uint64]                `hash:"identity" default:"10000000"`
	AdjustmentInterval             table[uint16, uint16]                `hash:"identity" default:"100"`
	AdjustmentAlpha                table[uint16, uint64]                `hash:"identity"`
	NetworkPowRegistrationAllowed  table[uint16, bool]                  `hash:"identity"`
	TargetRegistrationsPerInterval table[uint16, uint16]                `hash:"identity" default:"2"`
	MaxRegistrationsPerBlock       table[uint16, uint16]                `hash:"identity" default:"1"`
	ImmuneOwnerUidsLimit           table[uint16, uint16]                `hash:"identity" default:"1"`
	MinAllowedUids                 table[uint16, uint16]                `hash:"identity" default:"64"`
	MinNonImmuneUids               table[uint16, uint16]                `hash:"identity" default:"10"`
	RegistrationsThisInterval      table[uint16, uint16]                `hash:"identity"`
	LastAdjustmentBlock            table[uint16, uint64]                `hash:"identity"`
	NetworkImmunityPeriod          value[uint64]                        `default:"1296000"`
	AutoStakeDestination           table2[AccountID, uint16, AccountID] `hash:"blake2_128_concat,identity" optional:"true"`
	NominatorMinRequiredStake      value[uint64]
	OwnerHyperparamRateLimit       value[uint16] `default:"2"`

	// Who is who.
	IdentitiesV2       table[AccountID, ChainIdentity] `hash:"blake2_128_concat" optional:"true"`
	SubnetIdentitiesV3 table[uint16, SubnetIdentity]   `hash:"blake2_128_concat" optional:"true"`
	TokenSymbol        table[uint16, []byte]           `hash:"identity"`

	// Keys that are replaced.
	LastHotkeySwapOnNetuid         table2[uint16, AccountID, uint64]     `hash:"identity,blake2_128_concat"`
	ColdkeySwapAnnouncementDelay   value[uint32]                         `default:"36000"`
	ColdkeySwapReannouncementDelay value[uint32]                         `default:"7200"`
	ColdkeySwapAnnouncements       table[AccountID, coldkeyAnnouncement] `hash:"twox_64_concat" optional:"true"`
	ColdkeySwapDisputes            table[AccountID, uint32]              `hash:"twox_64_concat" optional:"true"`

	// The price of registration.
	Burn                       table[uint16, uint64]    `hash:"identity" default:"1000000000"`
	MinBurn                    table[uint16, uint64]    `hash:"identity" default:"500000"`
	MaxBurn                    table[uint16, uint64]    `hash:"identity" default:"100000000000"`
	BurnHalfLife               table[uint16, uint16]    `hash:"identity" default:"360"`
	BurnIncreaseMult           table[uint16, FixedU128] `hash:"identity" default:"0x5c8fc2f5285c8f420100000000000000"` // 1.26 in U64F64
	RAORecycledForRegistration table[uint16, uint64]    `hash:"identity"`

	// The epoch clock.
	LastEpochBlock         table[uint16, uint64] `hash:"identity"`
	PendingEpochAt         table[uint16, uint64] `hash:"identity"`
	SubnetEpochIndex       table[uint16, uint64] `hash:"identity"`
	BlocksSinceLastStep    table[uint16, uint64] `hash:"identity"`
	LastMechansimStepBlock table[uint16, uint64] `hash:"identity"`

	// Neurons.
	SubnetworkN         table[uint16, uint16]                     `hash:"identity"`
	Uids                table2[uint16, AccountID, uint16]         `hash:"identity,blake2_128_concat" optional:"true"`
	Keys                table2[uint16, uint16, AccountID]         `hash:"identity,identity"`
	IsNetworkMember     table2[AccountID, uint16, bool]           `hash:"blake2_128_concat,identity"`
	BlockAtRegistration table2[uint16, uint16, uint64]            `hash:"identity,identity"`
	Axons               table2[uint16, AccountID, AxonInfo]       `hash:"identity,blake2_128_concat" optional:"true"`
	NeuronCertificates  table2[uint16, AccountID, Certificate]    `hash:"identity,blake2_128_concat" optional:"true"`
	Prometheus          table2[uint16, AccountID, PrometheusInfo] `hash:"identity,blake2_128_concat" optional:"true"`

	// What the last epoch decided, by uid.
	Active          table[uint16, []bool]          `hash:"identity"`
	Consensus       table[uint16, []uint16]        `hash:"identity"`
	Incentive       table[uint16, []uint16]        `hash:"identity"`
	Dividends       table[uint16, []uint16]        `hash:"identity"`
	Emission        table[uint16, []uint64]        `hash:"identity"`
	LastUpdate      table[uint16, []uint64]        `hash:"identity"`
	ValidatorTrust  table[uint16, []uint16]        `hash:"identity"`
	ValidatorPermit table[uint16, []bool]          `hash:"identity"`
	StakeWeight     table[uint16, []uint16]        `hash:"identity"`
	Weights         table2[uint16, uint16, []pair] `hash:"identity,identity"`
	Bonds           table2[uint16, uint16, []pair] `hash:"identity,identity"`
}
