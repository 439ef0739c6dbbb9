package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"adit/internal/keys"
	"adit/internal/scale"
)

// An InvalidError says why an extrinsic cannot be in a block. The texts are
// those that a node gives under code 1010.
type InvalidError struct {
	// Kind is the variant of InvalidTransaction.
	Kind InvalidKind
	// Custom is the number of "invalid.custom: N" where Kind is Custom.
	Custom uint8
}

// InvalidKind is a variant of InvalidTransaction, by number.
type InvalidKind uint8

// The kinds that occur here.
const (
	InvalidCall InvalidKind = iota
	InvalidPayment
	InvalidFuture
	InvalidStale
	InvalidBadProof
	InvalidAncientBirthBlock
	InvalidExhaustsResources
	InvalidCustom
	invalidBadMandatory
	invalidMandatoryValidation
	InvalidBadSigner
)

var invalidTexts = map[InvalidKind]string{
	InvalidCall:              "Transaction call is not expected",
	InvalidPayment:           "Inability to pay some fees (e.g. account balance too low)",
	InvalidFuture:            "Transaction will be valid in the future",
	InvalidStale:             "Transaction is outdated",
	InvalidBadProof:          "Transaction has a bad signature",
	InvalidAncientBirthBlock: "Transaction has an ancient birth block",
	InvalidExhaustsResources: "Transaction would exhaust the block limits",
	InvalidBadSigner:         "Invalid signing address",
}

// Error returns the text a node puts into the error's data.
func (e *InvalidError) Error() string {
	if e.Kind == InvalidCustom {
		return fmt.Sprintf("Custom error: %d", e.Custom)
	}
	return invalidTexts[e.Kind]
}

// Validity is what the pool must know of an extrinsic.
type Validity struct {
	Priority uint64
	// Requires is the extrinsic that must come first, if it is not in a block
	// yet; Provides is the one that this is.
	Requires  []NonceTag
	Provides  NonceTag
	Longevity uint64 // blocks for which it stays valid
}

// A NonceTag names one extrinsic of an account.
type NonceTag struct {
	Account AccountID
	Nonce   uint32
}

// extrinsic is an extrinsic of version 4, taken apart.
type extrinsic struct {
	bare   bool // by nobody: who to hashed are zero
	who    AccountID
	sig    Signature
	era    Era
	nonce  uint32
	tip    uint64
	hashed byte // whether it vouches for the metadata: CheckMetadataHash's mode
	call   Call
	// What was signed begins with these bytes: call, then extra.
	callBytes, extra []byte
	size             int
}

// maxExtrinsic is the most bytes an extrinsic may have (BlockLength).
const maxExtrinsic = 7_864_320

// errFormat means that the bytes are no extrinsic of this chain.
var errFormat = errors.New("not an extrinsic of version 4")

func parseExtrinsic(xt []byte) (x extrinsic, err error) {
	if len(xt) > maxExtrinsic {
		return x, &InvalidError{Kind: InvalidExhaustsResources}
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("decode extrinsic: %w", err)
		}
	}()
	d := scale.NewDecoder(xt)
	size, err := d.Compact()
	if err != nil {
		return x, err
	}
	if size != uint64(d.Len()) {
		return x, fmt.Errorf("%d bytes announced, %d there", size, d.Len())
	}
	version, err := d.Byte()
	if err != nil {
		return x, err
	}
	switch version {
	case bareVersion:
		x.bare = true
		return x, x.readCall(d.Rest(), len(xt))
	case signedVersion:
	default:
		return x, errFormat
	}
	var addr MultiAddress
	if err := d.Decode(&addr); err != nil {
		return x, err
	}
	if addr.ID == nil {
		return x, errFormat
	}
	x.who = *addr.ID
	if err := d.Decode(&x.sig); err != nil {
		return x, err
	}
	head := d.Rest()
	var extra struct {
		Era   Era
		Nonce scale.Compact[uint32]
		Tip   scale.Compact[uint64]
		Mode  byte
	}
	if err := d.Decode(&extra); err != nil {
		return x, err
	}
	x.era, x.nonce, x.tip, x.hashed = extra.Era, extra.Nonce.V, extra.Tip.V, extra.Mode
	x.extra = head[:len(head)-d.Len()]
	return x, x.readCall(d.Rest(), len(xt))
}

func (x *extrinsic) readCall(b []byte, size int) error {
	var call RuntimeCall
	if err := scale.Unmarshal(b, &call); err != nil {
		return err
	}
	x.callBytes, x.call, x.size = b, call.Call(), size
	return nil
}

// The versions of extrinsics: with a signature or without.
const (
	signedVersion = 0x84
	bareVersion   = 0x04
)

// bareExtrinsic returns c as an extrinsic without a signature.
func bareExtrinsic(c Call) []byte {
	body := append([]byte{bareVersion}, Encode(c)...)
	return append(scale.AppendCompact(nil, uint64(len(body))), body...)
}

// payload returns what the sender must have signed.
func (x *extrinsic) payload(spec, tx uint32, genesis, birth Hash) []byte {
	b := append([]byte(nil), x.callBytes...)
	b = append(b, x.extra...)
	b = binary.LittleEndian.AppendUint32(b, spec)
	b = binary.LittleEndian.AppendUint32(b, tx)
	b = append(b, genesis[:]...)
	b = append(b, birth[:]...)
	b = append(b, 0) // no hash of the metadata
	if len(b) > 256 {
		sum := scale.Blake2b256(b)
		return sum[:]
	}
	return b
}

// Validate decides whether xt may enter the pool, as of the last block. The
// error is an [*InvalidError], or says that the bytes are no extrinsic.
func (l *Ledger) Validate(xt []byte) (Validity, error) {
	x, err := parseExtrinsic(xt)
	if err != nil {
		return Validity{}, err
	}
	if x.bare {
		return l.admitBare(&x)
	}
	nonce, err := l.admit(&x)
	if err != nil {
		return Validity{}, err
	}
	v := Validity{
		Priority:  x.tip,
		Provides:  NonceTag{x.who, x.nonce},
		Longevity: x.era.death(l.number) - l.number,
	}
	if x.nonce > nonce {
		v.Requires = []NonceTag{{x.who, x.nonce - 1}}
	}
	return v, nil
}

// admit makes the checks of the signed extensions but for the nonce being the
// next one, and returns the next one.
func (l *Ledger) admit(x *extrinsic) (next uint32, err error) {
	account := system.Account.get(l.s, x.who)
	if x.nonce < account.Nonce {
		return 0, &InvalidError{Kind: InvalidStale}
	}
	genesis, ok := l.blockHash(0)
	if !ok {
		return 0, &InvalidError{Kind: InvalidBadProof}
	}
	birth, ok := genesis, true
	if !x.era.immortal() {
		birth, ok = l.blockHash(x.era.birth(l.number))
		if !ok {
			return 0, &InvalidError{Kind: InvalidAncientBirthBlock}
		}
	}
	if x.hashed != 0 {
		return 0, &InvalidError{Kind: InvalidCall} // metadata hashes are not served
	}
	if x.sig.Sr25519 == nil ||
		!keys.Verify(x.who, x.payload(l.spec.SpecVersion, l.spec.TransactionVersion, genesis, birth), x.sig.Sr25519[:]) {
		return 0, &InvalidError{Kind: InvalidBadProof}
	}
	if _, ok := x.call.(*SetTimestamp); ok {
		return 0, &InvalidError{Kind: InvalidCall}
	}
	if cost, carry := bits.Add64(fee(x.call, x.size), x.tip, 0); carry != 0 || cost > satSub(account.Data.Free, existentialDeposit) && cost > 0 {
		return 0, &InvalidError{Kind: InvalidPayment}
	}
	if _, ok := x.call.(*Sudo); ok {
		if key, ok := sudo.Key.lookup(l.s); !ok || key != x.who {
			return 0, &InvalidError{Kind: InvalidBadSigner}
		}
	}
	if err := l.swapping(x.call, x.who); err != nil {
		return 0, err
	}
	return account.Nonce, l.precheck(x.call, x.who)
}

// A prechecked call has rules that keep it out of the pool altogether: for
// nothing it would otherwise fill blocks with failures.
type prechecked interface {
	precheck(l *Ledger, who AccountID) error
}

// customCodes are the numbers of SubtensorTransactionExtension for failures.
var customCodes = map[Failure]uint8{
	ErrAmountTooLow:                 1,
	ErrNotEnoughStakeToSetWeights:   1,
	ErrNotEnoughBalanceToStake:      2,
	ErrSubnetNotExists:              3,
	ErrHotKeyAccountNotExists:       4,
	ErrNotEnoughStakeToWithdraw:     5,
	ErrSettingWeightsTooFast:        6,
	ErrNetworkTxRateLimitExceeded:   6,
	ErrInsufficientLiquidity:        7,
	ErrHotKeyNotRegisteredInNetwork: 10,
	ErrInvalidIPAddress:             11,
	ErrServingRateLimitExceeded:     12,
	ErrInvalidPort:                  13,
	ErrHotKeyNotRegisteredInSubNet:  19,
	ErrNonAssociatedColdKey:         25,
	ErrInvalidRevealRound:           15,
	ErrNoWeightsCommitFound:         16,
	ErrRevealTooEarly:               17,
	ErrInputLengthsUnequal:          18,
}

func (l *Ledger) precheck(c Call, who AccountID) error {
	p, ok := c.(prechecked)
	if !ok {
		return nil
	}
	err := p.precheck(l, who)
	if err == nil {
		return nil
	}
	if invalid, ok := err.(*InvalidError); ok {
		return invalid
	}
	const badRequest = 255
	code := uint8(badRequest)
	if f, ok := err.(Failure); ok {
		if n, ok := customCodes[f]; ok {
			code = n
		}
	}
	return &InvalidError{Kind: InvalidCustom, Custom: code}
}

// Apply puts an extrinsic into the block: a signed one, or one of
// [PulseExtrinsic] or [ShieldKeyExtrinsic]. An error means that it cannot
// be there and nothing has changed. Otherwise it is in the block and ok says
// whether its call was carried out; if not, only nonce and fee have changed.
func (l *Ledger) Apply(xt []byte) (ok bool, err error) {
	x, err := parseExtrinsic(xt)
	if err != nil {
		return false, err
	}
	if x.bare {
		return l.applyBare(&x)
	}
	next, err := l.admit(&x)
	if err != nil {
		return false, err
	}
	if x.nonce != next {
		return false, &InvalidError{Kind: InvalidFuture}
	}
	if x.nonce == math.MaxUint32 {
		return false, &InvalidError{Kind: InvalidStale}
	}
	s := l.s
	l.events.enter(l.extrinsics)
	l.extrinsics++
	account := system.Account.get(s, x.who)
	account.Nonce++
	price := fee(x.call, x.size)
	if cost := price + x.tip; cost > 0 {
		// Unlike upstream, where block authors get them, fees are destroyed.
		account.Data.Free -= cost
		l.unissue(cost)
		l.emit(BalancesEvent{Withdraw: &WhoAmount{x.who, cost}})
	}
	system.Account.set(s, x.who, account)

	info := dispatchInfo(normal, price == 0)
	failure := l.run(x.call, origin{who: x.who})
	if price+x.tip > 0 {
		l.emit(PaymentEvent{TransactionFeePaid: &FeePaid{x.who, price + x.tip, x.tip}})
	}
	if failure == nil {
		l.emit(SystemEvent{ExtrinsicSuccess: &ExtrinsicSuccess{info}})
	} else {
		l.emit(SystemEvent{ExtrinsicFailed: &ExtrinsicFailed{dispatchError(failure), info}})
	}
	s.undo = s.undo[:0]
	return failure == nil, nil
}

// admitBare decides whether an extrinsic without a signature may be in a block.
// Only pulses may, that are newer than those there are; what the author itself
// adds does not ask.
func (l *Ledger) admitBare(x *extrinsic) (Validity, error) {
	c, ok := x.call.(*WritePulse)
	if !ok || len(c.PulsesPayload.Pulses) == 0 {
		return Validity{}, &InvalidError{Kind: InvalidCall}
	}
	pulses := c.PulsesPayload.Pulses
	if pulses[0].Round <= l.LastRound() {
		return Validity{}, &InvalidError{Kind: InvalidStale}
	}
	// The hash of the pallet's name is nobody's key.
	const priority, longevity = 1 << 20, 3
	tag := NonceTag{scale.Blake2b256([]byte("Drand")), uint32(pulses[len(pulses)-1].Round)}
	return Validity{Priority: priority, Provides: tag, Longevity: longevity}, nil
}

// applyBare puts an unsigned extrinsic into the block.
func (l *Ledger) applyBare(x *extrinsic) (ok bool, err error) {
	class := normal
	if _, ok := x.call.(*AnnounceNextKey); ok {
		class = mandatory // the author's own, which no pool takes
	} else if _, err := l.admitBare(x); err != nil {
		return false, err
	}
	l.events.enter(l.extrinsics)
	mark, events := l.s.mark(), l.events.mark()
	if err := l.run(x.call, origin{none: true}); err != nil {
		// It paid nothing: a failure may not take up room.
		l.s.rollback(mark)
		l.events.rollback(events)
		return false, &InvalidError{Kind: InvalidBadProof}
	}
	l.extrinsics++
	l.emit(SystemEvent{ExtrinsicSuccess: &ExtrinsicSuccess{dispatchInfo(class, true)}})
	l.s.undo = l.s.undo[:0]
	return true, nil
}

// Dispatch carries out c for origin at once, without signature, nonce or fee,
// for simulations. It fails whole or not at all. The error is a [Failure].
func (l *Ledger) Dispatch(who [32]byte, c Call) error {
	l.events.enter(l.extrinsics)
	err := l.run(c, origin{who: who})
	l.s.undo = l.s.undo[:0]
	return err
}

// DispatchRoot is [Ledger.Dispatch] with the powers of root, as inside a
// [Sudo].
func (l *Ledger) DispatchRoot(c Call) error {
	l.events.enter(l.extrinsics)
	err := l.run(c, origin{root: true})
	l.s.undo = l.s.undo[:0]
	return err
}
