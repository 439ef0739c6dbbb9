package ledger

import (
	"encoding/binary"

	"adit/internal/scale"
)

// EventRecord is one event, as System.Events lists them.
type EventRecord struct {
	Phase  Phase
	Event  RuntimeEvent
	Topics []Hash
}

// ScaleName implements [scale.Named].
func (EventRecord) ScaleName() string { return "frame_system::EventRecord" }

// Phase says when in the block something happened: by which extrinsic, or
// before or after all of them.
type Phase struct {
	scale.Enum
	ApplyExtrinsic *uint32     `scale:"0"`
	Finalization   *scale.Unit `scale:"1"`
	Initialization *scale.Unit `scale:"2"`
}

// ScaleName implements [scale.Named].
func (Phase) ScaleName() string { return "frame_system::Phase" }

// RuntimeEvent is any event of any pallet.
type RuntimeEvent struct {
	scale.Enum
	System             *SystemEvent      `scale:"0"`
	Balances           *BalancesEvent    `scale:"5"`
	TransactionPayment *PaymentEvent     `scale:"6"`
	SubtensorModule    *SubtensorEvent   `scale:"7"`
	Utility            *UtilityEvent     `scale:"11"`
	Sudo               *SudoEvent        `scale:"12"`
	Proxy              *ProxyEvent       `scale:"16"`
	Commitments        *CommitmentsEvent `scale:"18"`
	AdminUtils         *AdminEvent       `scale:"19"`
	Drand              *DrandEvent       `scale:"26"`
	Swap               *SwapEvent        `scale:"28"`
	MevShield          *ShieldEvent      `scale:"30"`
}

// ScaleName implements [scale.Named].
func (RuntimeEvent) ScaleName() string { return "node_subtensor_runtime::RuntimeEvent" }

// An eventLog gathers the records of a block as bytes.
type eventLog struct {
	records []byte
	count   uint32
	phase   []byte // SCALE of the phase the block is in
}

type eventMark struct {
	size  int
	count uint32
}

func (l *eventLog) mark() eventMark      { return eventMark{len(l.records), l.count} }
func (l *eventLog) rollback(m eventMark) { l.records, l.count = l.records[:m.size], m.count }

func (l *eventLog) enter(extrinsic uint32) {
	l.phase = binary.LittleEndian.AppendUint32([]byte{0}, extrinsic)
}

// emit records an event: a pallet's enum with one variant set.
func (l *Ledger) emit(event any) {
	pallet := byte(0)
	switch event.(type) {
	case SystemEvent:
		pallet = inSystem
	case BalancesEvent:
		pallet = inBalances
	case PaymentEvent:
		pallet = inPayment
	case SubtensorEvent:
		pallet = inSubtensor
	case UtilityEvent:
		pallet = inUtility
	case SudoEvent:
		pallet = inSudo
	case CommitmentsEvent:
		pallet = inCommitments
	case AdminEvent:
		pallet = inAdmin
	case ProxyEvent:
		pallet = inProxy
	case SwapEvent:
		pallet = inSwap
	case DrandEvent:
		pallet = inDrand
	case ShieldEvent:
		pallet = inShield
	default:
		panic("ledger: emit of something that is no event")
	}
	e := &l.events
	e.records = append(append(e.records, e.phase...), pallet)
	e.records = must(scale.Append(e.records, event))
	e.records = append(e.records, 0) // no topics
	e.count++
}

// store writes the log to System.Events.
func (l *eventLog) store(s *state) {
	b := scale.AppendCompact([]byte{}, uint64(l.count))
	s.put(system.Events.prefix, append(b, l.records...))
	system.EventCount.set(s, l.count)
}

// The fields of most events have no names.
type (
	netU16     = scale.Tuple2[uint16, uint16]
	netU64     = scale.Tuple2[uint16, uint64]
	netBool    = scale.Tuple2[uint16, bool]
	netAccount = scale.Tuple2[uint16, AccountID]
)

// SystemEvent is an event of the System pallet.
type SystemEvent struct {
	scale.Enum
	ExtrinsicSuccess *ExtrinsicSuccess `scale:"0"`
	ExtrinsicFailed  *ExtrinsicFailed  `scale:"1"`
	NewAccount       *AccountEvent     `scale:"3"`
	KilledAccount    *AccountEvent     `scale:"4"`
	Remarked         *Remarked         `scale:"5"`
}

// The contents of System's events.
type (
	ExtrinsicSuccess struct{ DispatchInfo DispatchInfo }
	ExtrinsicFailed  struct {
		DispatchError DispatchError
		DispatchInfo  DispatchInfo
	}
	AccountEvent struct{ Account AccountID }
	Remarked     struct {
		Sender AccountID
		Hash   Hash
	}
)

// BalancesEvent is an event of the Balances pallet.
type BalancesEvent struct {
	scale.Enum
	Endowed    *Endowed       `scale:"0"`
	DustLost   *AccountAmount `scale:"1"`
	Transfer   *Transferred   `scale:"2"`
	BalanceSet *BalanceSet    `scale:"3"`
	Reserved   *WhoAmount     `scale:"4"`
	Unreserved *WhoAmount     `scale:"5"`
	Deposit    *WhoAmount     `scale:"7"`
	Withdraw   *WhoAmount     `scale:"8"`
	Burned     *WhoAmount     `scale:"11"`
}

// The contents of Balances' events. Amounts are in RAO.
type (
	Endowed struct {
		Account     AccountID
		FreeBalance uint64
	}
	AccountAmount struct {
		Account AccountID
		Amount  uint64
	}
	Transferred struct {
		From   AccountID
		To     AccountID
		Amount uint64
	}
	WhoAmount struct {
		Who    AccountID
		Amount uint64
	}
	BalanceSet struct {
		Who  AccountID
		Free uint64
	}
)

// PaymentEvent is an event of the TransactionPayment pallet.
type PaymentEvent struct {
	scale.Enum
	TransactionFeePaid *FeePaid `scale:"0"`
}

// FeePaid says what an extrinsic cost, in RAO.
type FeePaid struct {
	Who       AccountID
	ActualFee uint64
	Tip       uint64
}

// SubtensorEvent is an event of SubtensorModule.
type SubtensorEvent struct {
	scale.Enum
	NetworkAdded                      *netU16                                             `scale:"0"`
	StakeAdded                        *staked                                             `scale:"2"`
	StakeRemoved                      *staked                                             `scale:"3"`
	StakeMoved                        *stakeMoved                                         `scale:"4"`
	WeightsSet                        *netU16                                             `scale:"5"`
	NeuronRegistered                  *scale.Tuple3[uint16, uint16, AccountID]            `scale:"6"`
	MaxAllowedUidsSet                 *netU16                                             `scale:"9"`
	DifficultySet                     *netU64                                             `scale:"11"`
	AdjustmentIntervalSet             *netU16                                             `scale:"12"`
	RegistrationPerIntervalSet        *netU16                                             `scale:"13"`
	MaxRegistrationsPerBlockSet       *netU16                                             `scale:"14"`
	RhoSet                            *netU16                                             `scale:"16"`
	AlphaSigmoidSteepnessSet          *scale.Tuple2[uint16, int16]                        `scale:"17"`
	KappaSet                          *netU16                                             `scale:"18"`
	MinAllowedWeightSet               *netU16                                             `scale:"19"`
	WeightsSetRateLimitSet            *netU64                                             `scale:"22"`
	ImmunityPeriodSet                 *netU16                                             `scale:"23"`
	BondsMovingAverageSet             *netU64                                             `scale:"24"`
	BondsPenaltySet                   *netU16                                             `scale:"25"`
	MaxAllowedValidatorsSet           *netU16                                             `scale:"27"`
	AxonServed                        *netAccount                                         `scale:"28"`
	PrometheusServed                  *netAccount                                         `scale:"29"`
	WeightsVersionKeySet              *netU64                                             `scale:"32"`
	MinDifficultySet                  *netU64                                             `scale:"33"`
	MaxDifficultySet                  *netU64                                             `scale:"34"`
	ServingRateLimitSet               *netU64                                             `scale:"35"`
	MaxBurnSet                        *netU64                                             `scale:"37"`
	MinBurnSet                        *netU64                                             `scale:"38"`
	MaxEpochsPerBlockSet              *uint8                                              `scale:"39"`
	TxRateLimitSet                    *uint64                                             `scale:"40"`
	TxDelegateTakeRateLimitSet        *uint64                                             `scale:"41"`
	TxChildKeyTakeRateLimitSet        *uint64                                             `scale:"42"`
	AdminFreezeWindowSet              *uint16                                             `scale:"43"`
	OwnerHyperparamRateLimitSet       *uint16                                             `scale:"44"`
	MinChildKeyTakeSet                *uint16                                             `scale:"45"`
	MinChildKeyTakePerSubnetSet       *netU16                                             `scale:"46"`
	MaxChildKeyTakeSet                *uint16                                             `scale:"47"`
	ChildKeyTakeSet                   *scale.Tuple2[AccountID, uint16]                    `scale:"48"`
	RegistrationAllowed               *netBool                                            `scale:"50"`
	PowRegistrationAllowed            *netBool                                            `scale:"51"`
	TempoSet                          *netU16                                             `scale:"52"`
	RAORecycledForRegistrationSet     *netU64                                             `scale:"53"`
	StakeThresholdSet                 *uint64                                             `scale:"54"`
	AdjustmentAlphaSet                *netU64                                             `scale:"55"`
	SubnetOwnerCutSet                 *uint16                                             `scale:"57"`
	NetworkRateLimitSet               *uint64                                             `scale:"58"`
	NetworkImmunityPeriodSet          *uint64                                             `scale:"59"`
	StartCallDelaySet                 *uint64                                             `scale:"60"`
	NetworkMinLockCostSet             *uint64                                             `scale:"61"`
	SubnetLimitSet                    *uint16                                             `scale:"62"`
	LockReductionIntervalSet          *uint64                                             `scale:"63,NetworkLockCostReductionIntervalSet"`
	TakeDecreased                     *scale.Tuple3[AccountID, AccountID, uint16]         `scale:"64"`
	TakeIncreased                     *scale.Tuple3[AccountID, AccountID, uint16]         `scale:"65"`
	HotkeySwapped                     *HotkeySwapped                                      `scale:"66"`
	MaxDelegateTakeSet                *uint16                                             `scale:"67"`
	MinDelegateTakeSet                *uint16                                             `scale:"68"`
	ColdkeySwapAnnounced              *ColdkeySwapAnnounced                               `scale:"69"`
	ColdkeySwapReset                  *AccountWho                                         `scale:"70"`
	ColdkeySwapped                    *ColdkeySwapped                                     `scale:"71"`
	ColdkeySwapDisputed               *AccountColdkey                                     `scale:"72"`
	SetChildrenScheduled              *scale.Tuple4[AccountID, uint16, uint64, []kin]     `scale:"75"`
	SetChildren                       *scale.Tuple3[AccountID, uint16, []kin]             `scale:"76"`
	ChainIdentitySet                  *AccountID                                          `scale:"77"`
	SubnetIdentitySet                 *uint16                                             `scale:"78"`
	ColdkeySwapAnnouncementDelaySet   *uint32                                             `scale:"81"`
	ColdkeySwapReannouncementDelaySet *uint32                                             `scale:"82"`
	WeightsCommitted                  *scale.Tuple3[AccountID, uint16, Hash]              `scale:"85"`
	WeightsRevealed                   *scale.Tuple3[AccountID, uint16, Hash]              `scale:"86"`
	WeightsBatchRevealed              *scale.Tuple3[AccountID, uint16, []Hash]            `scale:"87"`
	BatchWeightsCompleted             *scale.Tuple2[[]scale.Compact[uint16], AccountID]   `scale:"88"`
	BatchCompletedWithErrors          *scale.Unit                                         `scale:"89"`
	BatchWeightItemFailed             *scale.Tuple2[uint16, DispatchError]                `scale:"90"`
	StakeTransferred                  *stakeTransferred                                   `scale:"91"`
	StakeSwapped                      *stakeSwapped                                       `scale:"92"`
	TransferToggle                    *netBool                                            `scale:"93"`
	SubnetOwnerHotkeySet              *netAccount                                         `scale:"94"`
	FirstEmissionBlockNumber          *netU64                                             `scale:"95,FirstEmissionBlockNumberSet"`
	AlphaRecycled                     *scale.Tuple4[AccountID, AccountID, uint64, uint16] `scale:"96"`
	AlphaBurned                       *scale.Tuple4[AccountID, AccountID, uint64, uint16] `scale:"97"`
	CommitRevealPeriodsSet            *netU64                                             `scale:"100"`
	CommitRevealEnabled               *netBool                                            `scale:"101"`
	HotkeySwappedOnSubnet             *HotkeySwappedOnSubnet                              `scale:"102"`
	SymbolUpdated                     *SymbolUpdated                                      `scale:"105"`
	CommitRevealVersionSet            *uint16                                             `scale:"106"`
	TimelockedWeightsCommitted        *scale.Tuple4[AccountID, uint16, Hash, uint64]      `scale:"107"`
	TimelockedWeightsRevealed         *netAccount                                         `scale:"108"`
	MinAllowedUidsSet                 *netU16                                             `scale:"111"`
	MinNonImmuneUidsSet               *netU16                                             `scale:"113"`
	RootClaimed                       *RootClaimed                                        `scale:"114"`
	RootClaimTypeSet                  *RootClaimTypeSet                                   `scale:"115"`
	ColdkeySwapCleared                *AccountWho                                         `scale:"122"`
	BurnHalfLifeSet                   *BurnHalfLifeSet                                    `scale:"124"`
	ActivityCutoffFactorSet           *ActivityCutoffFactorSet                            `scale:"130,ActivityCutoffFactorMilliSet"`
	EpochTriggered                    *EpochTriggered                                     `scale:"131"`
	EpochDeferred                     *EpochDeferred                                      `scale:"132"`
}

// staked is coldkey, hotkey, TAO, alpha, netuid and fee.
type staked struct {
	Coldkey AccountID
	Hotkey  AccountID
	Tao     uint64
	Alpha   uint64
	Netuid  uint16
	Fee     uint64
}

// The contents of those events of SubtensorModule that name them.
type (
	AccountWho      struct{ Who AccountID }
	AccountColdkey  struct{ Coldkey AccountID }
	BurnHalfLifeSet struct {
		Netuid       uint16
		BurnHalfLife uint16
	}
	ActivityCutoffFactorSet struct {
		Netuid      uint16
		FactorMilli uint32
	}
	EpochTriggered struct {
		Netuid  uint16
		By      AccountID
		FiresAt uint64
	}
	EpochDeferred struct {
		Netuid    uint16
		FromBlock uint64
		ToBlock   uint64
	}
)

// UtilityEvent is an event of the Utility pallet.
type UtilityEvent struct {
	scale.Enum
	BatchInterrupted         *BatchInterrupted `scale:"0"`
	BatchCompleted           *scale.Unit       `scale:"1"`
	BatchCompletedWithErrors *scale.Unit       `scale:"2"`
	ItemCompleted            *scale.Unit       `scale:"3"`
	ItemFailed               *ItemFailed       `scale:"4"`
}

// The contents of Utility's events.
type (
	BatchInterrupted struct {
		Index uint32
		Error DispatchError
	}
	ItemFailed struct{ Error DispatchError }
)

// SudoEvent is an event of the Sudo pallet.
type SudoEvent struct {
	scale.Enum
	Sudid *Sudid `scale:"0"`
}

// Sudid says what became of a call with the powers of root.
type Sudid struct{ SudoResult DispatchResult }

// CommitmentsEvent is an event of the Commitments pallet.
type CommitmentsEvent struct {
	scale.Enum
	Commitment         *Committed         `scale:"0"`
	TimelockCommitment *TimelockCommitted `scale:"1"`
	CommitmentRevealed *Committed         `scale:"2"`
}

// The contents of Commitments' events.
type (
	Committed struct {
		Netuid uint16
		Who    AccountID
	}
	TimelockCommitted struct {
		Netuid      uint16
		Who         AccountID
		RevealRound uint64
	}
)

// AdminEvent is an event of the AdminUtils pallet.
type AdminEvent struct {
	scale.Enum
	Yuma3EnableToggled       *NetuidEnabled `scale:"1"`
	BondsResetToggled        *NetuidEnabled `scale:"2"`
	SubnetEmissionEnabledSet *NetuidEnabled `scale:"5"`
}

// NetuidEnabled says that something was turned on or off in a subnet.
type NetuidEnabled struct {
	Netuid  uint16
	Enabled bool
}
