package ledger

import "adit/internal/scale"

// DecreaseTake lowers a delegate's part of what its nominators earn, of 65535.
type DecreaseTake struct {
	Hotkey AccountID `type:"T::AccountId"`
	Take   uint16    `type:"u16"`
}

func (c *DecreaseTake) precheck(l *Ledger, who AccountID) error { return c.check(l, who) }

func (c *DecreaseTake) check(l *Ledger, who AccountID) error {
	switch {
	case !l.owns(who, c.Hotkey):
		return ErrNonAssociatedColdKey
	case c.Take >= sub.Delegates.get(l.s, c.Hotkey), c.Take < sub.MinDelegateTake.get(l.s):
		return ErrDelegateTakeTooLow
	}
	return nil
}

func (c *DecreaseTake) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	if err := c.check(l, who); err != nil {
		return err
	}
	sub.Delegates.set(l.s, c.Hotkey, c.Take)
	l.emit(SubtensorEvent{TakeDecreased: &scale.Tuple3[AccountID, AccountID, uint16]{F0: who, F1: c.Hotkey, F2: c.Take}})
	return nil
}

// IncreaseTake raises that part. It has a rate limit.
type IncreaseTake struct {
	Hotkey AccountID `type:"T::AccountId"`
	Take   uint16    `type:"u16"`
}

func (c *IncreaseTake) precheck(l *Ledger, who AccountID) error { return c.check(l, who) }

func (c *IncreaseTake) check(l *Ledger, who AccountID) error {
	last := sub.LastRateLimitedBlock.get(l.s, RateLimitKey{LastTxBlockDelegateTake: &c.Hotkey})
	switch {
	case !l.owns(who, c.Hotkey):
		return ErrNonAssociatedColdKey
	case c.Take <= sub.Delegates.get(l.s, c.Hotkey):
		return ErrDelegateTakeTooLow
	case c.Take > sub.MaxDelegateTake.get(l.s):
		return ErrDelegateTakeTooHigh
	case last != 0 && satSub(l.number, last) <= sub.TxDelegateTakeRateLimit.get(l.s):
		return ErrDelegateTxRateLimitExceeded
	}
	return nil
}

func (c *IncreaseTake) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	if err := c.check(l, who); err != nil {
		return err
	}
	sub.LastRateLimitedBlock.set(l.s, RateLimitKey{LastTxBlockDelegateTake: &c.Hotkey}, l.number)
	sub.Delegates.set(l.s, c.Hotkey, c.Take)
	l.emit(SubtensorEvent{TakeIncreased: &scale.Tuple3[AccountID, AccountID, uint16]{F0: who, F1: c.Hotkey, F2: c.Take}})
	return nil
}
