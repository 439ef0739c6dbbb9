package ledger

import "adit/internal/scale"

// A pure proxy is an account that nobody has a key for: only its proxies act
// for it, first of all who made it.

// CreatePure makes such an account, whose proxy is the signer, for a deposit.
type CreatePure struct {
	ProxyType ProxyType `type:"T::ProxyType"`
	Delay     uint32    `type:"BlockNumberFor<T>"`
	Index     uint16    `type:"u16"` // tells apart those made by one extrinsic
}

func (c *CreatePure) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	pure := pureAccount(who, uint32(l.number), satSub32(l.extrinsics, 1), c.ProxyType, c.Index)
	if _, ok := proxies.Proxies.lookup(l.s, pure); ok {
		return ErrDuplicateProxy
	}
	const deposit = proxyDepositBase + proxyDepositFactor
	if err := l.reserve(who, 0, deposit); err != nil {
		return err
	}
	held := deposited[ProxyDefinition]{F0: []ProxyDefinition{{who, c.ProxyType, c.Delay}}, F1: deposit}
	proxies.Proxies.set(l.s, pure, held)
	l.emit(ProxyEvent{PureCreated: &PureCreated{pure, who, c.ProxyType, c.Index}})
	return nil
}

// KillPure gives such an account up, with all it has. It is for the account
// itself, that is for a proxy of it. The deposit goes back to who made it.
type KillPure struct {
	Spawner   MultiAddress          `type:"AccountIdLookupOf<T>"`
	ProxyType ProxyType             `type:"T::ProxyType"`
	Index     uint16                `type:"u16"`
	Height    scale.Compact[uint32] `type:"BlockNumberFor<T>"` // the block in which it was made
	ExtIndex  scale.Compact[uint32] `type:"u32"`               // and the extrinsic
}

func (c *KillPure) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	spawner, err := c.Spawner.lookup()
	if err != nil {
		return err
	}
	if pureAccount(spawner, c.Height.V, c.ExtIndex.V, c.ProxyType, c.Index) != who {
		return ErrProxyNoPermission
	}
	held := proxies.Proxies.get(l.s, who)
	proxies.Proxies.delete(l.s, who)
	if err := l.reserve(spawner, held.F1, 0); err != nil {
		return err
	}
	l.emit(ProxyEvent{PureKilled: &PureKilled{who, spawner, c.ProxyType, c.Index}})
	return nil
}

// pureAccount returns the account that spawner makes in an extrinsic.
func pureAccount(spawner AccountID, block, extrinsic uint32, kind ProxyType, index uint16) AccountID {
	b := append([]byte("modlpy/proxy____"), spawner[:]...)
	b = must(scale.Append(b, block))
	b = must(scale.Append(b, extrinsic))
	b = must(scale.Append(b, kind))
	return scale.Blake2b256(must(scale.Append(b, index)))
}

func satSub32(a, b uint32) uint32 { return a - min(a, b) }

// The contents of Proxy's events about pure proxies.
type (
	PureCreated struct {
		Pure                AccountID
		Who                 AccountID
		ProxyType           ProxyType
		DisambiguationIndex uint16
	}
	PureKilled struct {
		Pure                AccountID
		Spawner             AccountID
		ProxyType           ProxyType
		DisambiguationIndex uint16
	}
)
