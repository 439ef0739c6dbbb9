package subtensor

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// A PoolError is a node's refusal to take an extrinsic into its pool. The
// extrinsic is not on chain and costs nothing.
type PoolError struct {
	Code int    // of the JSON-RPC error
	Name string // of Subtensor's custom errors, or ""
	Text string // what the node says
}

func (e *PoolError) Error() string {
	if e.Name != "" {
		return fmt.Sprintf("refused by the pool: %s (%s)", e.Name, e.Text)
	}
	return fmt.Sprintf("refused by the pool: %s (%d)", e.Text, e.Code)
}

// The codes of Substrate's author_ errors that are told apart.
const (
	poolRuntime  = 1002
	poolInvalid  = 1010
	poolBanned   = 1012
	poolKnown    = 1013
	poolPriority = 1014
	poolFull     = 1016
)

// customErrors are the names of Subtensor's CustomTransactionError.
var customErrors = map[int]string{
	0: "ColdkeyInSwapSchedule", 1: "StakeAmountTooLow", 2: "BalanceTooLow", 3: "SubnetNotExists", 4: "HotkeyAccountDoesntExist",
	5: "NotEnoughStakeToWithdraw", 6: "RateLimitExceeded", 7: "InsufficientLiquidity", 8: "SlippageTooHigh", 9: "TransferDisallowed",
	10: "HotKeyNotRegisteredInNetwork", 11: "InvalidIpAddress", 12: "ServingRateLimitExceeded", 13: "InvalidPort", 14: "ZeroMaxAmount",
	15: "InvalidRevealRound", 16: "CommitNotFound", 17: "CommitBlockNotInRevealRange", 18: "InputLengthsUnequal", 19: "UidNotFound",
	20: "EvmKeyAssociateRateLimitExceeded", 21: "ColdkeySwapDisputed", 22: "InvalidRealAccount", 23: "FailedShieldedTxParsing",
	24: "InvalidShieldedTxPubKeyHash", 25: "NonAssociatedColdKey", 26: "DelegateTakeTooLow", 27: "DelegateTakeTooHigh", 255: "BadRequest",
}

// Nodes write "Custom error: 6", the chain's own documents "invalid.custom: 6".
var customNumber = regexp.MustCompile(`(?i)custom(?: error)?: ?(\d+)`)

const (
	hintRegister = "register the hotkey on this subnet first"
	hintRate     = "the chain limits how often this may be done; wait some blocks"
	hintStake    = "the hotkey has too little stake on this subnet"
	hintSwap     = "the coldkey has announced another and can do nothing else until that is done; 'adit wallet swap-coldkey status' tells more"
	hintBalance  = "the coldkey's balance is too low for this and its fee"
)

// hints says what a person can do about the common errors, by their names.
var hints = map[string]string{
	"HotKeyNotRegisteredInSubNet":              hintRegister,
	"HotKeyNotRegisteredInNetwork":             hintRegister,
	"HotKeyAccountNotExists":                   hintRegister,
	"HotkeyAccountDoesntExist":                 hintRegister,
	"AccountNotAllowedCommit":                  hintRegister,
	"UidNotFound":                              hintRegister,
	"RateLimitExceeded":                        hintRate,
	"SettingWeightsTooFast":                    hintRate,
	"CommittingWeightsTooFast":                 hintRate,
	"TxRateLimitExceeded":                      hintRate,
	"NetworkTxRateLimitExceeded":               "the chain limits how often networks may be created; wait, or set the limit to 0 on a chain of your own",
	"ServingRateLimitExceeded":                 "an address may be changed only every 50 blocks or so; wait, and keep the old port meanwhile",
	"SpaceLimitExceeded":                       "a hotkey may commit about 3100 bytes an epoch, and at least 100 count each time; wait for the next epoch",
	"NeuronNoValidatorPermit":                  "only the validators with the most stake may set weights; add stake and wait for the next epoch",
	"NotEnoughStakeToSetWeights":               hintStake,
	"NotEnoughStake":                           hintStake,
	"StakeAmountTooLow":                        hintStake,
	"NotEnoughStakeToWithdraw":                 "there is less staked than is to be taken out",
	"NotEnoughBalanceToStake":                  hintBalance,
	"InsufficientBalance":                      hintBalance,
	"BalanceTooLow":                            hintBalance,
	"CannotAffordLockCost":                     "creating a network costs more than the coldkey has",
	"IncorrectWeightVersionKey":                "the subnet demands newer software; update",
	"CommitRevealEnabled":                      "this subnet wants weights committed before they are revealed",
	"InvalidIpAddress":                         "give the address under which others reach this machine",
	"InvalidPort":                              "give a port other than 0",
	"SubNetRegistrationDisabled":               "the subnet's owner has closed registration",
	"SubnetNotExists":                          "check the netuid",
	"HotKeyAlreadyRegisteredInSubNet":          "nothing is left to do",
	"NonAssociatedColdKey":                     "the hotkey belongs to another coldkey",
	"SubtokenDisabled":                         "the subnet has not been started yet; its owner calls start_call",
	"RequireSudo":                              "only the chain's sudo key may do this",
	"TransactorAccountShouldBeHotKey":          "sign with the hotkey, not with the coldkey",
	"NeedWaitingMoreBlocksToStarCall":          "a new subnet may be started only after about a week; wait",
	"RegistrationPriceLimitExceeded":           "the price has risen; read it again and allow for a little more",
	"SlippageTooHigh":                          "the price would move past the limit; take less, a wider limit, or allow a part",
	"PriceLimitExceeded":                       "the price is past the limit already; give a wider one",
	"InsufficientLiquidity":                    "the subnet's pool is too small for this amount; take less",
	"AmountTooLow":                             "the chain sets a least amount for stakes; take more",
	"StakingRateLimitExceeded":                 hintRate,
	"StakingOperationRateLimitExceeded":        hintRate,
	"DelegateTxRateLimitExceeded":              hintRate,
	"TxChildkeyTakeRateLimitExceeded":          hintRate,
	"HotKeySetTxRateLimitExceeded":             hintRate,
	"NotEnoughStakeToSetChildkeys":             hintStake,
	"NoWeightsCommitFound":                     "nothing is committed that could be revealed; it may have expired",
	"InvalidRevealCommitHashNotMatch":          "reveal the very weights, salt and version key that were committed",
	"RevealTooEarly":                           "weights are revealed in the epoch that is the reveal period after the commit; wait",
	"ExpiredWeightCommit":                      "the epoch for revealing is over; commit again",
	"TooManyUnrevealedCommits":                 "reveal what is committed, or wait until it has expired",
	"IncorrectCommitRevealVersion":             "the chain wants another version of commit-reveal; update",
	"InvalidRevealRound":                       "the beacon's round is over already; check the clock and commit again",
	"CommitRevealDisabled":                     "this subnet takes weights as they are; set them",
	"WeightVecLengthIsLow":                     "the subnet wants weights for more uids",
	"UidVecContainInvalidOne":                  "there is a uid that the subnet does not have; read the metagraph again",
	"NotSubnetOwner":                           "sign with the coldkey that owns the subnet",
	"NotProxy":                                 "the account has not made the signer its proxy",
	"AdminActionProhibitedDuringWeightsWindow": "settings are frozen shortly before an epoch; wait some blocks",
	"Token.FundsUnavailable":                   hintBalance,
	"Token.NotExpendable":                      "the account would fall below the existential deposit; leave a little",
	"ExistentialDeposit":                       "the account that is paid would hold less than the existential deposit; send more",
	"Expendability":                            "the account would fall below the existential deposit; leave a little",
	"TooManyRegistrationsThisBlock":            hintRate,
	"TooManyRegistrationsThisInterval":         hintRate,
	"ColdkeyInSwapSchedule":                    hintSwap,
	"ColdkeySwapAnnounced":                     hintSwap,
	"ColdkeySwapDisputed":                      "the swap of this coldkey is disputed; only the chain's root can help now",
	"ColdKeyAlreadyAssociated":                 "the new coldkey must be one that has never staked",
	"NewColdKeyIsHotkey":                       "the new coldkey is somebody's hotkey; take another",
	"HotKeySwapOnSubnetIntervalNotPassed":      "a hotkey may be swapped once a day on a subnet; wait",
	"NewHotKeyNotCleanForRootSwap":             "the new hotkey has stake on root; take a new one",
	"NotEnoughBalanceToPaySwapHotKey":          hintBalance,
	"NotEnoughBalanceToPaySwapColdKey":         hintBalance,
	"StakeTooLowForRoot":                       "root is full, and the hotkey has less stake there than all in it; stake more on subnet 0",
	"TransferDisallowed":                       "the subnet's owner does not let stake go to other coldkeys",
}

func hinted(err error, name string) error {
	if h := hints[name]; h != "" {
		return subnet.WithHint(err, h)
	}
	return err
}

// poolError turns the answer to a submission into a PoolError, if it is one.
// Those that may pass by themselves wrap [subnet.ErrTemporary].
func poolError(err error) error {
	r, ok := errors.AsType[*RPCError](err)
	if !ok || r.Code < 1000 || r.Code > 1019 {
		return err
	}
	e := &PoolError{Code: r.Code, Text: r.Message}
	if d := r.data(); d != "" {
		e.Text = d
	}
	if m := customNumber.FindStringSubmatch(r.Message + " " + r.data()); m != nil && r.Code == poolInvalid {
		n, err := strconv.Atoi(m[1])
		if err == nil { // an endless number is no known one
			e.Name = customErrors[n]
		}
	}
	return e.advised()
}

// advised returns the error with a hint, and marked as temporary if it may pass.
func (e *PoolError) advised() error {
	switch {
	case e.Code == poolBanned, e.Code == poolFull, e.Name == "RateLimitExceeded":
		return hinted(fmt.Errorf("%w: %w", subnet.ErrTemporary, e), e.Name)
	case regexp.MustCompile(`(?i)pay some fees|balance too low`).MatchString(e.Text):
		return subnet.WithHint(e, hintBalance)
	}
	return hinted(e, e.Name)
}

// A DispatchError is an error of a call that is on chain that no pallet
// declares, such as BadOrigin.
type DispatchError struct{ Name string }

func (e *DispatchError) Error() string { return e.Name }

// outcome returns why extrinsic index failed, by its events, or nil. A call
// within another that failed counts: sudo, proxies and batches succeed even
// then.
func outcome(m *scale.Metadata, events []scale.Event) error {
	seen := false
	for _, e := range events {
		switch e.String() {
		case "System.ExtrinsicFailed":
			return dispatchError(m, e.Get("dispatch_error"))
		case "System.ExtrinsicSuccess":
			seen = true
		case "Utility.BatchInterrupted", "Utility.ItemFailed":
			return dispatchError(m, e.Get("error"))
		case "Sudo.Sudid", "Sudo.SudoAsDone":
			if r, ok := e.Get("sudo_result").(scale.Variant); ok && r.Name == "Err" {
				return dispatchError(m, r.At(0))
			}
		case "Proxy.ProxyExecuted":
			if r, ok := e.Get("result").(scale.Variant); ok && r.Name == "Err" {
				return dispatchError(m, r.At(0))
			}
		}
	}
	if !seen {
		return errors.New("the block has no event that says how the extrinsic ended")
	}
	return nil
}

// dispatchError names a DispatchError.
func dispatchError(m *scale.Metadata, v any) error {
	d, ok := v.(scale.Variant)
	if !ok {
		return fmt.Errorf("the event tells the error as %T", v)
	}
	if d.Name != "Module" {
		name := d.Name
		if inner, ok := d.At(0).(scale.Variant); ok {
			name += "." + inner.Name // Token.FundsUnavailable, Arithmetic.Underflow
		}
		return hinted(&DispatchError{name}, name)
	}
	fields, ok := d.At(0).(map[string]any)
	if !ok {
		fields, _ = d.Fields.(map[string]any)
	}
	pallet, _ := fields["index"].(uint64)
	index, _ := fields["error"].([]byte)
	if len(index) == 0 {
		return errors.New("the event tells an error without its number")
	}
	e, err := m.ModuleError(uint8(pallet), index[0])
	if err != nil {
		return err
	}
	return hinted(e, e.Name)
}
