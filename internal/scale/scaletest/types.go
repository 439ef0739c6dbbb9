package scaletest

import "adit/internal/scale"

// AccountInfo is what System.Account holds.
type AccountInfo struct {
	Nonce, Consumers, Providers, Sufficients uint32
	Data                                     struct {
		Free, Reserved, Frozen uint64
		Flags                  scale.U128
	}
}

// AxonInfo is where a neuron serves.
type AxonInfo struct {
	Block        uint64
	Version      uint32
	IP           scale.U128
	Port         uint16
	IPType       uint8
	Protocol     uint8
	Placeholder1 uint8
	Placeholder2 uint8
}

// Registration is what Commitments.CommitmentOf holds.
type Registration struct {
	Deposit uint64
	Block   uint32
	Info    CommitmentInfo
}

// CommitmentInfo is a commitment.
type CommitmentInfo struct{ Fields []Data }

// Mode is that of CheckMetadataHash.
type Mode struct {
	scale.Enum
	Disabled *scale.Unit `scale:"0"`
	Enabled  *scale.Unit `scale:"1"`
}

// RuntimeCall is any call.
type RuntimeCall struct {
	scale.Enum
	System          *SystemCall      `scale:"0"`
	Balances        *BalancesCall    `scale:"5"`
	SubtensorModule *SubtensorCall   `scale:"7"`
	Utility         *UtilityCall     `scale:"11"`
	Sudo            *SudoCall        `scale:"12"`
	Proxy           *ProxyCall       `scale:"16"`
	Commitments     *CommitmentsCall `scale:"18"`
}

// ScaleName implements [scale.Named].
func (RuntimeCall) ScaleName() string { return "node_subtensor_runtime::RuntimeCall" }

// SystemCall is a call of System.
type SystemCall struct {
	scale.Enum
	Remark *struct{ Remark []byte } `scale:"0"`
}

// BalancesCall is a call of Balances.
type BalancesCall struct {
	scale.Enum
	TransferKeepAlive *struct {
		Dest  MultiAddress
		Value scale.Compact[uint64]
	} `scale:"3"`
}

// UtilityCall is a call of Utility.
type UtilityCall struct {
	scale.Enum
	BatchAll *struct{ Calls []RuntimeCall } `scale:"2"`
}

// SudoCall is a call of Sudo.
type SudoCall struct {
	scale.Enum
	Sudo *struct{ Call *RuntimeCall } `scale:"0"`
}

// ProxyCall is a call of Proxy.
type ProxyCall struct {
	scale.Enum
	Proxy *struct {
		Real           MultiAddress
		ForceProxyType scale.Option[uint8]
		Call           *RuntimeCall
	} `scale:"0"`
}

// CommitmentsCall is a call of Commitments.
type CommitmentsCall struct {
	scale.Enum
	SetCommitment *struct {
		Netuid uint16
		Info   CommitmentInfo
	} `scale:"0"`
}

type weights struct {
	Netuid     uint16
	Dests      []uint16
	Weights    []uint16
	VersionKey uint64
}

type stakeLimit struct {
	Hotkey       AccountID
	Netuid       uint16
	Amount       uint64
	LimitPrice   uint64
	AllowPartial bool
}

// SubtensorCall is a call of SubtensorModule.
type SubtensorCall struct {
	scale.Enum
	SetWeights *weights `scale:"0"`
	AddStake   *struct {
		Hotkey       AccountID
		Netuid       uint16
		AmountStaked uint64
	} `scale:"2"`
	RemoveStake *struct {
		Hotkey         AccountID
		Netuid         uint16
		AmountUnstaked uint64
	} `scale:"3"`
	ServeAxon *struct {
		Netuid       uint16
		Version      uint32
		IP           scale.U128
		Port         uint16
		IPType       uint8
		Protocol     uint8
		Placeholder1 uint8
		Placeholder2 uint8
	} `scale:"4"`
	ServePrometheus *struct {
		Netuid  uint16
		Version uint32
		IP      scale.U128
		Port    uint16
		IPType  uint8
	} `scale:"5"`
	BurnedRegister *struct {
		Netuid uint16
		Hotkey AccountID
	} `scale:"7"`
	RegisterNetwork *struct{ Hotkey AccountID } `scale:"59"`
	RootRegister    *struct{ Hotkey AccountID } `scale:"62"`
	BatchSetWeights *struct {
		Netuids     []scale.Compact[uint16]
		Weights     [][]scale.Tuple2[scale.Compact[uint16], scale.Compact[uint16]]
		VersionKeys []scale.Compact[uint64]
	} `scale:"80"`
	AddStakeLimit    *stakeLimit              `scale:"88"`
	RemoveStakeLimit *stakeLimit              `scale:"89"`
	StartCall        *struct{ Netuid uint16 } `scale:"92"`
	CommitWeights    *struct {
		Netuid     uint16
		CommitHash Hash
	} `scale:"96"`
	RevealWeights *struct {
		Netuid             uint16
		Uids, Values, Salt []uint16
		VersionKey         uint64
	} `scale:"97"`
	CommitTimelockedWeights *struct {
		Netuid              uint16
		Commit              []byte
		RevealRound         uint64
		CommitRevealVersion uint16
	} `scale:"113"`
	CommitTimelockedMechanismWeights *struct {
		Netuid              uint16
		Mecid               uint8
		Commit              []byte
		RevealRound         uint64
		CommitRevealVersion uint16
	} `scale:"118"`
	SetMechanismWeights *struct {
		Netuid     uint16
		Mecid      uint8
		Dests      []uint16
		Weights    []uint16
		VersionKey uint64
	} `scale:"119"`
	RegisterLimit *struct {
		Netuid     uint16
		Hotkey     AccountID
		LimitPrice uint64
	} `scale:"134"`
}

// EventRecord is one event of a block.
type EventRecord struct {
	Phase  Phase
	Event  RuntimeEvent
	Topics []Hash
}

// Phase says which part of a block an event belongs to.
type Phase struct {
	scale.Enum
	ApplyExtrinsic *uint32     `scale:"0"`
	Finalization   *scale.Unit `scale:"1"`
	Initialization *scale.Unit `scale:"2"`
}

// RuntimeEvent is any event.
type RuntimeEvent struct {
	scale.Enum
	System          *SystemEvent    `scale:"0"`
	SubtensorModule *SubtensorEvent `scale:"7"`
	Sudo            *SudoEvent      `scale:"12"`
}

// ScaleName implements [scale.Named].
func (RuntimeEvent) ScaleName() string { return "node_subtensor_runtime::RuntimeEvent" }

// SystemEvent is an event of System.
type SystemEvent struct {
	scale.Enum
	ExtrinsicSuccess *struct{ DispatchInfo DispatchInfo } `scale:"0"`
	ExtrinsicFailed  *struct {
		DispatchError DispatchError
		DispatchInfo  DispatchInfo
	} `scale:"1"`
}

// SubtensorEvent is an event of SubtensorModule.
type SubtensorEvent struct {
	scale.Enum
	NetworkAdded *scale.Tuple2[uint16, uint16] `scale:"0"`
}

// SudoEvent is an event of Sudo.
type SudoEvent struct {
	scale.Enum
	Sudid *struct{ SudoResult Result } `scale:"0"`
}

// Result is that of a dispatch within another.
type Result struct {
	scale.Enum
	Ok  *struct{ F0 scale.Unit } `scale:"0"`
	Err *DispatchError           `scale:"1"`
}

// ScaleName implements [scale.Named].
func (Result) ScaleName() string { return "Result" }

// DispatchInfo is what a call cost.
type DispatchInfo struct {
	Weight struct {
		RefTime   scale.Compact[uint64]
		ProofSize scale.Compact[uint64]
	}
	Class   uint8
	PaysFee uint8
}

// DispatchError says why a call failed.
type DispatchError struct {
	scale.Enum
	Other     *scale.Unit  `scale:"0"`
	BadOrigin *scale.Unit  `scale:"2"`
	Module    *ModuleError `scale:"3"`
	Token     *TokenError  `scale:"7"`
}

// ScaleName implements [scale.Named].
func (DispatchError) ScaleName() string { return "sp_runtime::DispatchError" }

// ModuleError is an error of a pallet.
type ModuleError struct {
	Index uint8
	Error [4]byte
}

// ScaleName implements [scale.Named].
func (ModuleError) ScaleName() string { return "sp_runtime::ModuleError" }

// TokenError says why tokens did not move.
type TokenError struct {
	scale.Enum
	FundsUnavailable *scale.Unit `scale:"0"`
}
