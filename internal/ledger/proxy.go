package ledger

import (
	"bytes"
	"cmp"
	"slices"

	"adit/internal/scale"
)

// An account can let others, its proxies, act for it: in everything, or in
// calls of one kind, and at once, or after an announcement and a delay.

// ProxyCall is a call of the Proxy pallet.
type ProxyCall struct {
	scale.Enum
	Proxy              *ProxyDispatch      `scale:"0"`
	AddProxy           *AddProxy           `scale:"1"`
	RemoveProxy        *RemoveProxy        `scale:"2"`
	RemoveProxies      *RemoveProxies      `scale:"3"`
	CreatePure         *CreatePure         `scale:"4"`
	KillPure           *KillPure           `scale:"5"`
	Announce           *Announce           `scale:"6"`
	RemoveAnnouncement *RemoveAnnouncement `scale:"7"`
	RejectAnnouncement *RejectAnnouncement `scale:"8"`
	ProxyAnnounced     *ProxyAnnounced     `scale:"9"`
}

type proxyStorage struct {
	Proxies        table[AccountID, deposited[ProxyDefinition]] `hash:"twox_64_concat"`
	Announcements  table[AccountID, deposited[Announcement]]    `hash:"twox_64_concat"`
	LastCallResult table[AccountID, DispatchResult]             `hash:"twox_64_concat" optional:"true"`
}

// deposited is a list and what its owner has deposited for it, in RAO.
type deposited[T any] = scale.Tuple2[[]T, uint64]

// ProxyDefinition is one proxy of an account.
type ProxyDefinition struct {
	Delegate  AccountID
	ProxyType ProxyType
	Delay     uint32 // blocks between announcement and call
}

// ScaleName implements [scale.Named].
func (ProxyDefinition) ScaleName() string { return "pallet_subtensor_proxy::ProxyDefinition" }

// Announcement says that a proxy is going to make a call.
type Announcement struct {
	Real     AccountID
	CallHash Hash
	Height   uint32
}

// ScaleName implements [scale.Named].
func (Announcement) ScaleName() string { return "pallet_subtensor_proxy::Announcement" }

// The deposits and limits of the pallet.
const (
	proxyDepositBase          = 60_000_000 // RAO
	proxyDepositFactor        = 33_000_000
	announcementDepositBase   = 36_000_000
	announcementDepositFactor = 68_000_000
	maxProxies                = 20
	maxPending                = 75
)

// proxyPallet describes the pallet for the metadata.
func proxyPallet() scale.PalletDef {
	return scale.PalletDef{
		Name: "Proxy", Index: inProxy, Calls: ProxyCall{}, Events: ProxyEvent{}, Errors: failures(inProxy), Storage: items(proxies),
		Constants: []scale.ConstantDef{
			{Name: "ProxyDepositBase", Value: uint64(proxyDepositBase)}, {Name: "ProxyDepositFactor", Value: uint64(proxyDepositFactor)},
			{Name: "MaxProxies", Value: uint32(maxProxies)}, {Name: "MaxPending", Value: uint32(maxPending)},
			{Name: "AnnouncementDepositBase", Value: uint64(announcementDepositBase)},
			{Name: "AnnouncementDepositFactor", Value: uint64(announcementDepositFactor)},
		},
	}
}

// AddProxy lets Delegate act for the signer, for a deposit.
type AddProxy struct {
	Delegate  MultiAddress `type:"AccountIdLookupOf<T>"`
	ProxyType ProxyType    `type:"T::ProxyType"`
	Delay     uint32       `type:"BlockNumberFor<T>"`
}

func (c *AddProxy) dispatch(l *Ledger, o origin) error {
	return l.changeProxy(o, c.Delegate, c.ProxyType, c.Delay, true)
}

// RemoveProxy takes that back.
type RemoveProxy struct {
	Delegate  MultiAddress `type:"AccountIdLookupOf<T>"`
	ProxyType ProxyType    `type:"T::ProxyType"`
	Delay     uint32       `type:"BlockNumberFor<T>"`
}

func (c *RemoveProxy) dispatch(l *Ledger, o origin) error {
	return l.changeProxy(o, c.Delegate, c.ProxyType, c.Delay, false)
}

func (l *Ledger) changeProxy(o origin, to MultiAddress, kind ProxyType, delay uint32, insert bool) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	delegate, err := to.lookup()
	if err != nil {
		return err
	}
	held := proxies.Proxies.get(l.s, who)
	def := ProxyDefinition{delegate, kind, delay}
	at, found := slices.BinarySearchFunc(held.F0, def, compareProxies)
	switch {
	case insert && delegate == who:
		return ErrNoSelfProxy
	case insert && found:
		return ErrDuplicateProxy
	case insert && len(held.F0) >= maxProxies:
		return ErrTooManyProxies
	case insert:
		held.F0 = slices.Insert(held.F0, at, def)
	case !found:
		return ErrProxyNotFound
	default:
		held.F0 = slices.Delete(held.F0, at, at+1)
	}
	if err := putDeposited(l, &proxies.Proxies, who, held, proxyDepositBase, proxyDepositFactor); err != nil {
		return err
	}
	changed := &ProxyChanged{who, delegate, kind, delay}
	if insert {
		l.emit(ProxyEvent{ProxyAdded: changed})
	} else {
		l.emit(ProxyEvent{ProxyRemoved: changed})
	}
	return nil
}

func compareProxies(a, b ProxyDefinition) int {
	return cmp.Or(bytes.Compare(a.Delegate[:], b.Delegate[:]), cmp.Compare(a.ProxyType.kind(), b.ProxyType.kind()), cmp.Compare(a.Delay, b.Delay))
}

// putDeposited stores a list with the deposit that its length asks for.
func putDeposited[T any](l *Ledger, d *table[AccountID, deposited[T]], who AccountID, held deposited[T], base, factor uint64) error {
	deposit := base + factor*uint64(len(held.F0))
	if len(held.F0) == 0 {
		deposit = 0
	}
	if err := l.reserve(who, held.F1, deposit); err != nil {
		return err
	}
	if held.F1 = deposit; deposit == 0 {
		d.delete(l.s, who)
	} else {
		d.set(l.s, who, held)
	}
	return nil
}

// RemoveProxies takes it all back.
type RemoveProxies struct{}

func (c *RemoveProxies) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	held := proxies.Proxies.get(l.s, who)
	held.F0 = nil
	return putDeposited(l, &proxies.Proxies, who, held, proxyDepositBase, proxyDepositFactor)
}

// ProxyDispatch makes a call for Real.
type ProxyDispatch struct {
	Real           MultiAddress            `type:"AccountIdLookupOf<T>"`
	ForceProxyType scale.Option[ProxyType] `type:"Option<T::ProxyType>"`
	Call           *RuntimeCall            `type:"Box<<T as Config>::RuntimeCall>"`
}

func (c *ProxyDispatch) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	real, err := c.Real.lookup()
	if err != nil {
		return err
	}
	def, err := l.proxyOf(real, who, c.ForceProxyType)
	if err != nil {
		return err
	}
	if def.Delay != 0 {
		return ErrUnannounced
	}
	return l.actFor(real, def.ProxyType, c.Call)
}

// proxyOf returns how delegate may act for real.
func (l *Ledger) proxyOf(real, delegate AccountID, kind scale.Option[ProxyType]) (ProxyDefinition, error) {
	for _, def := range proxies.Proxies.get(l.s, real).F0 {
		if def.Delegate == delegate && (!kind.Some || def.ProxyType.kind() == kind.V.kind()) {
			return def, nil
		}
	}
	return ProxyDefinition{}, ErrNotProxy
}

// actFor makes a call for real. What becomes of it only an event tells.
func (l *Ledger) actFor(real AccountID, kind ProxyType, call *RuntimeCall) error {
	err := l.run(call.Call(), origin{who: real, filter: &kind})
	result := dispatchResult(err)
	proxies.LastCallResult.set(l.s, real, result)
	l.emit(ProxyEvent{ProxyExecuted: &ProxyExecuted{result}})
	return nil
}

// CallHash returns the hash by which a call is announced.
func CallHash(c Call) Hash { return scale.Blake2b256(Encode(c)) }

// Announce tells that the signer is going to make a call for Real.
type Announce struct {
	Real     MultiAddress `type:"AccountIdLookupOf<T>"`
	CallHash Hash         `type:"CallHashOf<T>"`
}

func (c *Announce) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	real, err := c.Real.lookup()
	if err != nil {
		return err
	}
	if _, err := l.proxyOf(real, who, scale.Option[ProxyType]{}); err != nil {
		return err
	}
	held := proxies.Announcements.get(l.s, who)
	if len(held.F0) >= maxPending {
		return ErrTooManyProxies
	}
	held.F0 = append(held.F0, Announcement{real, c.CallHash, uint32(l.number)})
	if err := putDeposited(l, &proxies.Announcements, who, held, announcementDepositBase, announcementDepositFactor); err != nil {
		return err
	}
	l.emit(ProxyEvent{Announced: &Announced{real, who, c.CallHash}})
	return nil
}

// RemoveAnnouncement takes an announcement back.
type RemoveAnnouncement struct {
	Real     MultiAddress `type:"AccountIdLookupOf<T>"`
	CallHash Hash         `type:"CallHashOf<T>"`
}

func (c *RemoveAnnouncement) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	real, err := c.Real.lookup()
	if err != nil {
		return err
	}
	return l.dropAnnouncements(who, func(a Announcement) bool { return a.Real == real && a.CallHash == c.CallHash })
}

// RejectAnnouncement forbids a call that was announced for the signer.
type RejectAnnouncement struct {
	Delegate MultiAddress `type:"AccountIdLookupOf<T>"`
	CallHash Hash         `type:"CallHashOf<T>"`
}

func (c *RejectAnnouncement) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	delegate, err := c.Delegate.lookup()
	if err != nil {
		return err
	}
	return l.dropAnnouncements(delegate, func(a Announcement) bool { return a.Real == who && a.CallHash == c.CallHash })
}

func (l *Ledger) dropAnnouncements(delegate AccountID, drop func(Announcement) bool) error {
	held := proxies.Announcements.get(l.s, delegate)
	n := len(held.F0)
	if held.F0 = slices.DeleteFunc(held.F0, drop); len(held.F0) == n {
		return ErrProxyNotFound
	}
	return putDeposited(l, &proxies.Announcements, delegate, held, announcementDepositBase, announcementDepositFactor)
}

// ProxyAnnounced makes a call for Real that Delegate has announced long enough
// ago. Anybody may send it.
type ProxyAnnounced struct {
	Delegate       MultiAddress            `type:"AccountIdLookupOf<T>"`
	Real           MultiAddress            `type:"AccountIdLookupOf<T>"`
	ForceProxyType scale.Option[ProxyType] `type:"Option<T::ProxyType>"`
	Call           *RuntimeCall            `type:"Box<<T as Config>::RuntimeCall>"`
}

func (c *ProxyAnnounced) dispatch(l *Ledger, o origin) error {
	if _, err := o.signer(); err != nil {
		return err
	}
	delegate, err := c.Delegate.lookup()
	if err != nil {
		return err
	}
	real, err := c.Real.lookup()
	if err != nil {
		return err
	}
	def, err := l.proxyOf(real, delegate, c.ForceProxyType)
	if err != nil {
		return err
	}
	call := c.Call.Call()
	if call == nil {
		return ErrExhausted
	}
	hash := CallHash(call)
	ripe := func(a Announcement) bool {
		return a.Real == real && a.CallHash == hash && l.number >= uint64(a.Height)+uint64(def.Delay)
	}
	if l.dropAnnouncements(delegate, ripe) != nil {
		return ErrUnannounced
	}
	return l.actFor(real, def.ProxyType, c.Call)
}

// ProxyEvent is an event of the Proxy pallet.
type ProxyEvent struct {
	scale.Enum
	ProxyExecuted *ProxyExecuted `scale:"0"`
	PureCreated   *PureCreated   `scale:"1"`
	PureKilled    *PureKilled    `scale:"2"`
	Announced     *Announced     `scale:"3"`
	ProxyAdded    *ProxyChanged  `scale:"4"`
	ProxyRemoved  *ProxyChanged  `scale:"5"`
}

// The contents of Proxy's events.
type (
	ProxyExecuted struct{ Result DispatchResult }
	Announced     struct {
		Real     AccountID
		Proxy    AccountID
		CallHash Hash
	}
	ProxyChanged struct {
		Delegator AccountID
		Delegatee AccountID
		ProxyType ProxyType
		Delay     uint32
	}
)
