package ledger

import "adit/internal/scale"

// A Failure is why a call was not carried out: the error of a pallet, or one
// of the errors that every call may meet. It is comparable.
type Failure uint16

// The pallets by index, and in their place the kinds of errors that belong to
// none: those of DispatchError itself, of tokens and of arithmetic.
const (
	inSystem      = 0
	inBalances    = 5
	inPayment     = 6
	inSubtensor   = 7
	inUtility     = 11
	inSudo        = 12
	inProxy       = 16
	inCommitments = 18
	inAdmin       = 19
	inDrand       = 26
	inSwap        = 28
	inShield      = 30
	inAlpha       = 31

	general    = 0xff
	tokens     = 0xf7
	arithmetic = 0xf8
)

// The failures of the calls here, by the numbers of runtime 424.
const (
	ErrCannotLookup Failure = general<<8 | 1
	ErrBadOrigin    Failure = general<<8 | 2
	ErrExhausted    Failure = general<<8 | 10

	ErrFundsUnavailable Failure = tokens << 8
	ErrBelowMinimum     Failure = tokens<<8 | 2
	ErrNotExpendable    Failure = tokens<<8 | 8
	ErrOverflow         Failure = arithmetic<<8 | 1

	ErrTooManyCalls Failure = inUtility << 8
	ErrRequireSudo  Failure = inSudo << 8

	ErrTooManyFields           Failure = inCommitments << 8
	ErrAccountNotAllowedCommit Failure = inCommitments<<8 | 1
	ErrSpaceLimitExceeded      Failure = inCommitments<<8 | 2

	ErrSubnetDoesNotExist    Failure = inAdmin << 8
	ErrMaxValidatorsTooLarge Failure = inAdmin<<8 | 1
	ErrMaxUidsBelowCurrent   Failure = inAdmin<<8 | 2
	ErrBondsMovingAverageMax Failure = inAdmin<<8 | 3
	ErrNegativeSteepness     Failure = inAdmin<<8 | 4
	ErrValueNotInBounds      Failure = inAdmin<<8 | 5
	ErrMaxUidsAboveDefault   Failure = inAdmin<<8 | 9
	ErrAdminInvalidValue     Failure = inAdmin<<8 | 10

	ErrInvalidIPType                      Failure = inSubtensor<<8 | 1
	ErrInvalidIPAddress                   Failure = inSubtensor<<8 | 2
	ErrInvalidPort                        Failure = inSubtensor<<8 | 3
	ErrHotKeyNotRegisteredInSubNet        Failure = inSubtensor<<8 | 4
	ErrHotKeyAccountNotExists             Failure = inSubtensor<<8 | 5
	ErrHotKeyNotRegisteredInNetwork       Failure = inSubtensor<<8 | 6
	ErrNonAssociatedColdKey               Failure = inSubtensor<<8 | 7
	ErrNotEnoughStakeToWithdraw           Failure = inSubtensor<<8 | 9
	ErrNotEnoughStakeToSetWeights         Failure = inSubtensor<<8 | 10
	ErrNotEnoughBalanceToStake            Failure = inSubtensor<<8 | 12
	ErrNeuronNoValidatorPermit            Failure = inSubtensor<<8 | 15
	ErrWeightVecNotEqualSize              Failure = inSubtensor<<8 | 16
	ErrDuplicateUids                      Failure = inSubtensor<<8 | 17
	ErrUidVecContainInvalidOne            Failure = inSubtensor<<8 | 18
	ErrWeightVecLengthIsLow               Failure = inSubtensor<<8 | 19
	ErrHotKeyAlreadyRegisteredInSubNet    Failure = inSubtensor<<8 | 21
	ErrMaxWeightExceeded                  Failure = inSubtensor<<8 | 27
	ErrSettingWeightsTooFast              Failure = inSubtensor<<8 | 29
	ErrIncorrectWeightVersionKey          Failure = inSubtensor<<8 | 30
	ErrServingRateLimitExceeded           Failure = inSubtensor<<8 | 31
	ErrUidsLengthExceedUidsInSubNet       Failure = inSubtensor<<8 | 32
	ErrNetworkTxRateLimitExceeded         Failure = inSubtensor<<8 | 33
	ErrSubNetRegistrationDisabled         Failure = inSubtensor<<8 | 37
	ErrRegistrationNotPermittedOnRoot     Failure = inSubtensor<<8 | 42
	ErrCanNotSetRootNetworkWeights        Failure = inSubtensor<<8 | 47
	ErrNoNeuronIDAvailable                Failure = inSubtensor<<8 | 48
	ErrCommitRevealEnabled                Failure = inSubtensor<<8 | 53
	ErrLiquidAlphaDisabled                Failure = inSubtensor<<8 | 55
	ErrAlphaHighTooLow                    Failure = inSubtensor<<8 | 56
	ErrAlphaLowOutOfRange                 Failure = inSubtensor<<8 | 57
	ErrMechanismDoesNotExist              Failure = inSubtensor<<8 | 74
	ErrSubnetNotExists                    Failure = inSubtensor<<8 | 76
	ErrInputLengthsUnequal                Failure = inSubtensor<<8 | 80
	ErrAmountTooLow                       Failure = inSubtensor<<8 | 82
	ErrInsufficientLiquidity              Failure = inSubtensor<<8 | 83
	ErrFirstEmissionBlockNumberAlreadySet Failure = inSubtensor<<8 | 88
	ErrNeedWaitingMoreBlocksToStartCall   Failure = inSubtensor<<8 | 89
	ErrSubtokenDisabled                   Failure = inSubtensor<<8 | 94
	ErrAdminActionProhibited              Failure = inSubtensor<<8 | 107
	ErrSubnetLimitReached                 Failure = inSubtensor<<8 | 115
	ErrCannotAffordLockCost               Failure = inSubtensor<<8 | 116
	ErrRegistrationPriceLimitExceeded     Failure = inSubtensor<<8 | 134
	ErrActivityCutoffFactorOutOfBounds    Failure = inSubtensor<<8 | 142
	ErrEpochTriggerAlreadyPending         Failure = inSubtensor<<8 | 143
	ErrAutoEpochAlreadyImminent           Failure = inSubtensor<<8 | 144
	ErrDynamicTempoBlockedByCommitReveal  Failure = inSubtensor<<8 | 145
	ErrNoWeightsCommitFound               Failure = inSubtensor<<8 | 51
	ErrInvalidRevealHash                  Failure = inSubtensor<<8 | 52
	ErrCommitRevealDisabled               Failure = inSubtensor<<8 | 54
	ErrTooManyUnrevealedCommits           Failure = inSubtensor<<8 | 77
	ErrExpiredWeightCommit                Failure = inSubtensor<<8 | 78
	ErrRevealTooEarly                     Failure = inSubtensor<<8 | 79
	ErrCommittingWeightsTooFast           Failure = inSubtensor<<8 | 81
	ErrIncorrectCommitRevealVersion       Failure = inSubtensor<<8 | 110
	ErrInvalidRevealRound                 Failure = inSubtensor<<8 | 111
	ErrRevealPeriodTooLarge               Failure = inSubtensor<<8 | 112
	ErrRevealPeriodTooSmall               Failure = inSubtensor<<8 | 113

	ErrSlippageTooHigh              Failure = inSubtensor<<8 | 84
	ErrSameNetuid                   Failure = inSubtensor<<8 | 96
	ErrTransferDisallowed           Failure = inSubtensor<<8 | 85
	ErrCannotBurnOrRecycleOnRoot    Failure = inSubtensor<<8 | 91
	ErrStakeTooLowForRoot           Failure = inSubtensor<<8 | 43
	ErrDelegateTakeTooLow           Failure = inSubtensor<<8 | 49
	ErrDelegateTakeTooHigh          Failure = inSubtensor<<8 | 50
	ErrDelegateTxRateLimitExceeded  Failure = inSubtensor<<8 | 34
	ErrTxRateLimitExceeded          Failure = inSubtensor<<8 | 64
	ErrNotEnoughStakeToSetChildkeys Failure = inSubtensor<<8 | 11
	ErrInvalidChild                 Failure = inSubtensor<<8 | 60
	ErrDuplicateChild               Failure = inSubtensor<<8 | 61
	ErrProportionOverflow           Failure = inSubtensor<<8 | 62
	ErrTooManyChildren              Failure = inSubtensor<<8 | 63
	ErrChildParentInconsistency     Failure = inSubtensor<<8 | 121
	ErrInvalidChildkeyTake          Failure = inSubtensor<<8 | 71
	ErrTxChildkeyTakeRateLimit      Failure = inSubtensor<<8 | 72
	ErrInvalidSubnetNumber          Failure = inSubtensor<<8 | 124
	ErrInvalidNumRootClaim          Failure = inSubtensor<<8 | 122
	ErrInvalidRootClaimThreshold    Failure = inSubtensor<<8 | 123

	ErrFeeRateTooHigh            Failure = inSwap << 8
	ErrPriceLimitExceeded        Failure = inSwap<<8 | 3
	ErrSwapMechanismDoesNotExist Failure = inSwap<<8 | 8

	ErrNotEnoughBalanceToPaySwapHotKey  Failure = inSubtensor<<8 | 45
	ErrNewHotKeyIsSameWithOld           Failure = inSubtensor<<8 | 22
	ErrHotKeySetTxRateLimitExceeded     Failure = inSubtensor<<8 | 35
	ErrHotKeySwapOnSubnetInterval       Failure = inSubtensor<<8 | 95
	ErrNewHotKeyNotCleanForRootSwap     Failure = inSubtensor<<8 | 23
	ErrColdkeySwapReannouncedTooEarly   Failure = inSubtensor<<8 | 67
	ErrNotEnoughBalanceToPaySwapColdKey Failure = inSubtensor<<8 | 59
	ErrColdkeySwapNotFound              Failure = inSubtensor<<8 | 65
	ErrColdkeySwapDisputed              Failure = inSubtensor<<8 | 131
	ErrAnnouncedColdkeyHash             Failure = inSubtensor<<8 | 68
	ErrColdkeySwapTooEarly              Failure = inSubtensor<<8 | 66
	ErrColdKeyAlreadyAssociated         Failure = inSubtensor<<8 | 58
	ErrNewColdKeyIsHotkey               Failure = inSubtensor<<8 | 70
	ErrColdkeySwapAlreadyDisputed       Failure = inSubtensor<<8 | 69
	ErrColdkeySwapClearTooEarly         Failure = inSubtensor<<8 | 132
	ErrInvalidIdentity                  Failure = inSubtensor<<8 | 73
	ErrNotSubnetOwner                   Failure = inSubtensor<<8 | 41
	ErrSymbolDoesNotExist               Failure = inSubtensor<<8 | 108
	ErrSymbolAlreadyInUse               Failure = inSubtensor<<8 | 109
	ErrTempoOutOfBounds                 Failure = inSubtensor<<8 | 141

	ErrTooManyProxies    Failure = inProxy << 8
	ErrProxyNotFound     Failure = inProxy<<8 | 1
	ErrNotProxy          Failure = inProxy<<8 | 2
	ErrDuplicateProxy    Failure = inProxy<<8 | 4
	ErrProxyNoPermission Failure = inProxy<<8 | 5
	ErrUnannounced       Failure = inProxy<<8 | 6
	ErrNoSelfProxy       Failure = inProxy<<8 | 7

	ErrCallFiltered        Failure = inSystem<<8 | 5
	ErrInsufficientBalance Failure = inBalances<<8 | 2

	ErrInvalidRoundNumber Failure = inDrand<<8 | 4
	ErrPulseVerification  Failure = inDrand<<8 | 5

	ErrBadEncKeyLen Failure = inShield << 8
)

// failureNames has the names that the chain's metadata gives the failures of
// pallets, and FRAME's words for the others.
var failureNames = map[Failure]string{
	ErrCannotLookup:     "CannotLookup",
	ErrBadOrigin:        "BadOrigin",
	ErrExhausted:        "Exhausted",
	ErrFundsUnavailable: "FundsUnavailable",
	ErrBelowMinimum:     "BelowMinimum",
	ErrNotExpendable:    "NotExpendable",
	ErrOverflow:         "Overflow",

	ErrTooManyCalls: "TooManyCalls",
	ErrRequireSudo:  "RequireSudo",

	ErrTooManyFields:           "TooManyFieldsInCommitmentInfo",
	ErrAccountNotAllowedCommit: "AccountNotAllowedCommit",
	ErrSpaceLimitExceeded:      "SpaceLimitExceeded",

	ErrSubnetDoesNotExist:    "SubnetDoesNotExist",
	ErrMaxValidatorsTooLarge: "MaxValidatorsLargerThanMaxUIds",
	ErrMaxUidsBelowCurrent:   "MaxAllowedUIdsLessThanCurrentUIds",
	ErrBondsMovingAverageMax: "BondsMovingAverageMaxReached",
	ErrNegativeSteepness:     "NegativeSigmoidSteepness",
	ErrValueNotInBounds:      "ValueNotInBounds",
	ErrMaxUidsAboveDefault:   "MaxAllowedUidsGreaterThanDefaultMaxAllowedUids",
	ErrAdminInvalidValue:     "InvalidValue",

	ErrInvalidIPType:                      "InvalidIpType",
	ErrInvalidIPAddress:                   "InvalidIpAddress",
	ErrInvalidPort:                        "InvalidPort",
	ErrHotKeyNotRegisteredInSubNet:        "HotKeyNotRegisteredInSubNet",
	ErrHotKeyAccountNotExists:             "HotKeyAccountNotExists",
	ErrHotKeyNotRegisteredInNetwork:       "HotKeyNotRegisteredInNetwork",
	ErrNonAssociatedColdKey:               "NonAssociatedColdKey",
	ErrNotEnoughStakeToWithdraw:           "NotEnoughStakeToWithdraw",
	ErrNotEnoughStakeToSetWeights:         "NotEnoughStakeToSetWeights",
	ErrNotEnoughBalanceToStake:            "NotEnoughBalanceToStake",
	ErrNeuronNoValidatorPermit:            "NeuronNoValidatorPermit",
	ErrWeightVecNotEqualSize:              "WeightVecNotEqualSize",
	ErrDuplicateUids:                      "DuplicateUids",
	ErrUidVecContainInvalidOne:            "UidVecContainInvalidOne",
	ErrWeightVecLengthIsLow:               "WeightVecLengthIsLow",
	ErrHotKeyAlreadyRegisteredInSubNet:    "HotKeyAlreadyRegisteredInSubNet",
	ErrMaxWeightExceeded:                  "MaxWeightExceeded",
	ErrSettingWeightsTooFast:              "SettingWeightsTooFast",
	ErrIncorrectWeightVersionKey:          "IncorrectWeightVersionKey",
	ErrServingRateLimitExceeded:           "ServingRateLimitExceeded",
	ErrUidsLengthExceedUidsInSubNet:       "UidsLengthExceedUidsInSubNet",
	ErrNetworkTxRateLimitExceeded:         "NetworkTxRateLimitExceeded",
	ErrSubNetRegistrationDisabled:         "SubNetRegistrationDisabled",
	ErrRegistrationNotPermittedOnRoot:     "RegistrationNotPermittedOnRootSubnet",
	ErrCanNotSetRootNetworkWeights:        "CanNotSetRootNetworkWeights",
	ErrNoNeuronIDAvailable:                "NoNeuronIdAvailable",
	ErrCommitRevealEnabled:                "CommitRevealEnabled",
	ErrLiquidAlphaDisabled:                "LiquidAlphaDisabled",
	ErrAlphaHighTooLow:                    "AlphaHighTooLow",
	ErrAlphaLowOutOfRange:                 "AlphaLowOutOfRange",
	ErrMechanismDoesNotExist:              "MechanismDoesNotExist",
	ErrSubnetNotExists:                    "SubnetNotExists",
	ErrInputLengthsUnequal:                "InputLengthsUnequal",
	ErrAmountTooLow:                       "AmountTooLow",
	ErrInsufficientLiquidity:              "InsufficientLiquidity",
	ErrFirstEmissionBlockNumberAlreadySet: "FirstEmissionBlockNumberAlreadySet",
	ErrNeedWaitingMoreBlocksToStartCall:   "NeedWaitingMoreBlocksToStarCall",
	ErrSubtokenDisabled:                   "SubtokenDisabled",
	ErrAdminActionProhibited:              "AdminActionProhibitedDuringWeightsWindow",
	ErrSubnetLimitReached:                 "SubnetLimitReached",
	ErrCannotAffordLockCost:               "CannotAffordLockCost",
	ErrRegistrationPriceLimitExceeded:     "RegistrationPriceLimitExceeded",
	ErrActivityCutoffFactorOutOfBounds:    "ActivityCutoffFactorMilliOutOfBounds",
	ErrEpochTriggerAlreadyPending:         "EpochTriggerAlreadyPending",
	ErrAutoEpochAlreadyImminent:           "AutoEpochAlreadyImminent",
	ErrDynamicTempoBlockedByCommitReveal:  "DynamicTempoBlockedByCommitReveal",
	ErrNoWeightsCommitFound:               "NoWeightsCommitFound",
	ErrInvalidRevealHash:                  "InvalidRevealCommitHashNotMatch",
	ErrCommitRevealDisabled:               "CommitRevealDisabled",
	ErrTooManyUnrevealedCommits:           "TooManyUnrevealedCommits",
	ErrExpiredWeightCommit:                "ExpiredWeightCommit",
	ErrRevealTooEarly:                     "RevealTooEarly",
	ErrCommittingWeightsTooFast:           "CommittingWeightsTooFast",
	ErrIncorrectCommitRevealVersion:       "IncorrectCommitRevealVersion",
	ErrInvalidRevealRound:                 "InvalidRevealRound",
	ErrRevealPeriodTooLarge:               "RevealPeriodTooLarge",
	ErrRevealPeriodTooSmall:               "RevealPeriodTooSmall",

	ErrInvalidRoundNumber: "InvalidRoundNumber",
	ErrPulseVerification:  "PulseVerificationError",

	ErrBadEncKeyLen:                 "BadEncKeyLen",
	ErrSlippageTooHigh:              "SlippageTooHigh",
	ErrSameNetuid:                   "SameNetuid",
	ErrTransferDisallowed:           "TransferDisallowed",
	ErrCannotBurnOrRecycleOnRoot:    "CannotBurnOrRecycleOnRootSubnet",
	ErrStakeTooLowForRoot:           "StakeTooLowForRoot",
	ErrDelegateTakeTooLow:           "DelegateTakeTooLow",
	ErrDelegateTakeTooHigh:          "DelegateTakeTooHigh",
	ErrDelegateTxRateLimitExceeded:  "DelegateTxRateLimitExceeded",
	ErrTxRateLimitExceeded:          "TxRateLimitExceeded",
	ErrNotEnoughStakeToSetChildkeys: "NotEnoughStakeToSetChildkeys",
	ErrInvalidChild:                 "InvalidChild",
	ErrDuplicateChild:               "DuplicateChild",
	ErrProportionOverflow:           "ProportionOverflow",
	ErrTooManyChildren:              "TooManyChildren",
	ErrChildParentInconsistency:     "ChildParentInconsistency",
	ErrInvalidChildkeyTake:          "InvalidChildkeyTake",
	ErrTxChildkeyTakeRateLimit:      "TxChildkeyTakeRateLimitExceeded",
	ErrInvalidSubnetNumber:          "InvalidSubnetNumber",
	ErrInvalidNumRootClaim:          "InvalidNumRootClaim",
	ErrInvalidRootClaimThreshold:    "InvalidRootClaimThreshold",

	ErrFeeRateTooHigh:                   "FeeRateTooHigh",
	ErrPriceLimitExceeded:               "PriceLimitExceeded",
	ErrSwapMechanismDoesNotExist:        "MechanismDoesNotExist",
	ErrNotEnoughBalanceToPaySwapHotKey:  "NotEnoughBalanceToPaySwapHotKey",
	ErrNewHotKeyIsSameWithOld:           "NewHotKeyIsSameWithOld",
	ErrHotKeySetTxRateLimitExceeded:     "HotKeySetTxRateLimitExceeded",
	ErrHotKeySwapOnSubnetInterval:       "HotKeySwapOnSubnetIntervalNotPassed",
	ErrNewHotKeyNotCleanForRootSwap:     "NewHotKeyNotCleanForRootSwap",
	ErrColdkeySwapReannouncedTooEarly:   "ColdkeySwapReannouncedTooEarly",
	ErrNotEnoughBalanceToPaySwapColdKey: "NotEnoughBalanceToPaySwapColdKey",
	ErrColdkeySwapNotFound:              "ColdkeySwapAnnouncementNotFound",
	ErrColdkeySwapDisputed:              "ColdkeySwapDisputed",
	ErrAnnouncedColdkeyHash:             "AnnouncedColdkeyHashDoesNotMatch",
	ErrColdkeySwapTooEarly:              "ColdkeySwapTooEarly",
	ErrColdKeyAlreadyAssociated:         "ColdKeyAlreadyAssociated",
	ErrNewColdKeyIsHotkey:               "NewColdKeyIsHotkey",
	ErrColdkeySwapAlreadyDisputed:       "ColdkeySwapAlreadyDisputed",
	ErrColdkeySwapClearTooEarly:         "ColdkeySwapClearTooEarly",
	ErrInvalidIdentity:                  "InvalidIdentity",
	ErrNotSubnetOwner:                   "NotSubnetOwner",
	ErrSymbolDoesNotExist:               "SymbolDoesNotExist",
	ErrSymbolAlreadyInUse:               "SymbolAlreadyInUse",
	ErrTempoOutOfBounds:                 "TempoOutOfBounds",

	ErrTooManyProxies:    "TooMany",
	ErrProxyNotFound:     "NotFound",
	ErrNotProxy:          "NotProxy",
	ErrDuplicateProxy:    "Duplicate",
	ErrProxyNoPermission: "NoPermission",
	ErrUnannounced:       "Unannounced",
	ErrNoSelfProxy:       "NoSelfProxy",

	ErrCallFiltered:        "CallFiltered",
	ErrInsufficientBalance: "InsufficientBalance",
}

// Error returns the failure's name in the metadata, such as "InvalidPort".
func (f Failure) Error() string { return failureNames[f] }

// DispatchError is a failure as events carry it.
type DispatchError struct {
	scale.Enum
	Other             *scale.Unit      `scale:"0"`
	CannotLookup      *scale.Unit      `scale:"1"`
	BadOrigin         *scale.Unit      `scale:"2"`
	Module            *ModuleError     `scale:"3"`
	ConsumerRemaining *scale.Unit      `scale:"4"`
	NoProviders       *scale.Unit      `scale:"5"`
	TooManyConsumers  *scale.Unit      `scale:"6"`
	Token             *TokenError      `scale:"7"`
	Arithmetic        *ArithmeticError `scale:"8"`
	Exhausted         *scale.Unit      `scale:"10"`
	Corruption        *scale.Unit      `scale:"11"`
	Unavailable       *scale.Unit      `scale:"12"`
	RootNotAllowed    *scale.Unit      `scale:"13"`
}

// ScaleName implements [scale.Named].
func (DispatchError) ScaleName() string { return "sp_runtime::DispatchError" }

// ModuleError is the error of a pallet. The first byte of Error is its number.
type ModuleError struct {
	Index uint8
	Error [4]byte
}

// ScaleName implements [scale.Named].
func (ModuleError) ScaleName() string { return "sp_runtime::ModuleError" }

// TokenError is an error about a balance.
type TokenError struct {
	scale.Enum
	FundsUnavailable *scale.Unit `scale:"0"`
	OnlyProvider     *scale.Unit `scale:"1"`
	BelowMinimum     *scale.Unit `scale:"2"`
	CannotCreate     *scale.Unit `scale:"3"`
	UnknownAsset     *scale.Unit `scale:"4"`
	Frozen           *scale.Unit `scale:"5"`
	Unsupported      *scale.Unit `scale:"6"`
	CannotCreateHold *scale.Unit `scale:"7"`
	NotExpendable    *scale.Unit `scale:"8"`
	Blocked          *scale.Unit `scale:"9"`
}

// ScaleName implements [scale.Named].
func (TokenError) ScaleName() string { return "sp_runtime::TokenError" }

// ArithmeticError is a sum that does not fit.
type ArithmeticError struct {
	scale.Enum
	Underflow      *scale.Unit `scale:"0"`
	Overflow       *scale.Unit `scale:"1"`
	DivisionByZero *scale.Unit `scale:"2"`
}

// ScaleName implements [scale.Named].
func (ArithmeticError) ScaleName() string { return "sp_arithmetic::ArithmeticError" }

// dispatchError returns err for an event.
func dispatchError(err error) DispatchError {
	f, ok := err.(Failure)
	if !ok {
		return DispatchError{Other: &scale.Unit{}}
	}
	// The bytes are those of the enum: variant, then content.
	switch pallet, number := byte(f>>8), byte(f); pallet {
	case general:
		return decode[DispatchError]([]byte{number})
	case tokens, arithmetic:
		return decode[DispatchError]([]byte{pallet &^ 0xf0, number})
	default:
		return DispatchError{Module: &ModuleError{Index: pallet, Error: [4]byte{number}}}
	}
}

// DispatchResult is what became of a call inside another.
type DispatchResult struct {
	scale.Enum
	Ok  *struct{ Value scale.Unit } `scale:"0"`
	Err *DispatchError              `scale:"1"`
}

// ScaleName implements [scale.Named].
func (DispatchResult) ScaleName() string { return "Result" }

func dispatchResult(err error) DispatchResult {
	if err == nil {
		return DispatchResult{Ok: &struct{ Value scale.Unit }{}}
	}
	e := dispatchError(err)
	return DispatchResult{Err: &e}
}
