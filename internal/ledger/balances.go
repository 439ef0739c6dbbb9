package ledger

import "adit/internal/scale"

// existentialDeposit is the least an account holds, in RAO. Below it the
// account is removed and the rest is lost.
const existentialDeposit = 500

// BalancesCall is a call of the Balances pallet.
type BalancesCall struct {
	scale.Enum
	TransferAllowDeath *TransferAllowDeath `scale:"0"`
	ForceTransfer      *ForceTransfer      `scale:"2"`
	TransferKeepAlive  *TransferKeepAlive  `scale:"3"`
	TransferAll        *TransferAll        `scale:"4"`
	ForceSetBalance    *ForceSetBalance    `scale:"8"`
	Burn               *BurnBalance        `scale:"10"`
}

// TransferAllowDeath moves RAO, even if the sender's account is removed by it.
type TransferAllowDeath struct {
	Dest  MultiAddress          `type:"AccountIdLookupOf<T>"`
	Value scale.Compact[uint64] `type:"T::Balance"`
}

func (c *TransferAllowDeath) dispatch(l *Ledger, o origin) error {
	return l.transferTo(o, c.Dest, func(uint64) uint64 { return c.Value.V }, false)
}

// TransferKeepAlive moves RAO unless the sender's account would be removed.
type TransferKeepAlive struct {
	Dest  MultiAddress          `type:"AccountIdLookupOf<T>"`
	Value scale.Compact[uint64] `type:"T::Balance"`
}

func (c *TransferKeepAlive) dispatch(l *Ledger, o origin) error {
	return l.transferTo(o, c.Dest, func(uint64) uint64 { return c.Value.V }, true)
}

// TransferAll moves all there is, or all but the existential deposit.
type TransferAll struct {
	Dest      MultiAddress `type:"AccountIdLookupOf<T>"`
	KeepAlive bool         `type:"bool"`
}

func (c *TransferAll) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	return l.transferTo(o, c.Dest, func(free uint64) uint64 {
		if c.KeepAlive {
			return satSub(free, existentialDeposit)
		}
		return l.spendable(who)
	}, c.KeepAlive)
}

func (l *Ledger) transferTo(o origin, to MultiAddress, amount func(free uint64) uint64, keepAlive bool) error {
	from, err := o.signer()
	if err != nil {
		return err
	}
	dest, err := to.lookup()
	if err != nil {
		return err
	}
	value := amount(l.free(from))
	if from == dest {
		if value > l.free(from) {
			return ErrFundsUnavailable
		}
	} else {
		if err := l.withdraw(from, value, keepAlive); err != nil {
			return err
		}
		if err := l.deposit(dest, value); err != nil {
			return err
		}
	}
	l.emit(BalancesEvent{Transfer: &Transferred{from, dest, value}})
	return nil
}

// free returns what an account can spend, in RAO.
func (l *Ledger) free(who AccountID) uint64 { return system.Account.get(l.s, who).Data.Free }

// spendable returns what an account can spend if it need not live on, in RAO.
func (l *Ledger) spendable(who AccountID) uint64 {
	a := system.Account.get(l.s, who)
	if a.Data.Reserved > 0 {
		return satSub(a.Data.Free, existentialDeposit)
	}
	return a.Data.Free
}

// reserve changes an account's deposit for something from old to now.
func (l *Ledger) reserve(who AccountID, old, now uint64) error {
	a := system.Account.get(l.s, who)
	switch {
	case now > old:
		if satSub(a.Data.Free, existentialDeposit) < now-old {
			return ErrInsufficientBalance
		}
		a.Data.Free, a.Data.Reserved = a.Data.Free-(now-old), a.Data.Reserved+(now-old)
		l.emit(BalancesEvent{Reserved: &WhoAmount{who, now - old}})
	case now < old:
		back := min(old-now, a.Data.Reserved)
		if back == 0 {
			return nil // what another has deposited for it, or nothing at all
		}
		a.Data.Free, a.Data.Reserved = a.Data.Free+back, a.Data.Reserved-back
		l.emit(BalancesEvent{Unreserved: &WhoAmount{who, back}})
	default:
		return nil
	}
	system.Account.set(l.s, who, a)
	return nil
}

// withdraw takes RAO out of an account; the caller puts them somewhere. What
// remains below the existential deposit is lost with the account, unless
// keepAlive forbids it.
func (l *Ledger) withdraw(who AccountID, amount uint64, keepAlive bool) error {
	if amount == 0 {
		return nil
	}
	a := system.Account.get(l.s, who)
	if a.Data.Free < amount {
		return ErrFundsUnavailable
	}
	a.Data.Free -= amount
	if a.Data.Free >= existentialDeposit {
		system.Account.set(l.s, who, a)
		return nil
	}
	if keepAlive {
		return ErrNotExpendable
	}
	if a.Data.Reserved > 0 {
		return ErrFundsUnavailable // its deposits keep the account
	}
	system.Account.delete(l.s, who)
	l.emit(SystemEvent{KilledAccount: &AccountEvent{who}})
	if dust := a.Data.Free; dust > 0 {
		l.unissue(dust)
		l.emit(BalancesEvent{DustLost: &AccountAmount{who, dust}})
	}
	return nil
}

// deposit gives an account RAO that were taken from somewhere.
func (l *Ledger) deposit(who AccountID, amount uint64) error {
	if amount == 0 {
		return nil
	}
	a, exists := system.Account.lookup(l.s, who)
	if !exists {
		a = system.Account.get(l.s, who)
	}
	free := a.Data.Free + amount
	if free < amount {
		return ErrOverflow
	}
	if free < existentialDeposit {
		return ErrBelowMinimum
	}
	created := a.Providers == 0
	a.Data.Free, a.Providers = free, 1
	system.Account.set(l.s, who, a)
	if created {
		l.emit(SystemEvent{NewAccount: &AccountEvent{who}})
		l.emit(BalancesEvent{Endowed: &Endowed{who, free}})
	}
	return nil
}

// unissue takes RAO out of existence that an account no longer holds.
func (l *Ledger) unissue(amount uint64) {
	balances.TotalIssuance.set(l.s, satSub(balances.TotalIssuance.get(l.s), amount))
	sub.TotalIssuance.set(l.s, satSub(sub.TotalIssuance.get(l.s), amount))
}

// toPool moves RAO that an account no longer holds into a subnet's pool.
// Pools count in SubtensorModule's issuance, but not in that of Balances.
func (l *Ledger) toPool(netuid uint16, amount uint64) {
	balances.TotalIssuance.set(l.s, satSub(balances.TotalIssuance.get(l.s), amount))
	sub.SubnetTAO.set(l.s, netuid, sub.SubnetTAO.get(l.s, netuid)+amount)
	sub.TotalStake.set(l.s, sub.TotalStake.get(l.s)+amount)
}
