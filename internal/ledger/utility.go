package ledger

import "adit/internal/scale"

// maxBatch is how many calls a batch may hold.
const maxBatch = 10922

// UtilityCall is a call of the Utility pallet.
type UtilityCall struct {
	scale.Enum
	Batch      *Batch      `scale:"0"`
	BatchAll   *BatchAll   `scale:"2"`
	ForceBatch *ForceBatch `scale:"4"`
}

// Batch runs calls until one fails; those before it stand.
type Batch struct {
	Calls []RuntimeCall `type:"Vec<<T as Config>::RuntimeCall>"`
}

func (c *Batch) dispatch(l *Ledger, o origin) error {
	if len(c.Calls) > maxBatch {
		return ErrTooManyCalls
	}
	for i := range c.Calls {
		if err := l.run(c.Calls[i].Call(), o); err != nil {
			l.emit(UtilityEvent{BatchInterrupted: &BatchInterrupted{uint32(i), dispatchError(err)}})
			return nil
		}
		l.emit(UtilityEvent{ItemCompleted: &scale.Unit{}})
	}
	l.emit(UtilityEvent{BatchCompleted: &scale.Unit{}})
	return nil
}

// BatchAll runs calls, all or none.
type BatchAll struct {
	Calls []RuntimeCall `type:"Vec<<T as Config>::RuntimeCall>"`
}

func (c *BatchAll) dispatch(l *Ledger, o origin) error {
	if len(c.Calls) > maxBatch {
		return ErrTooManyCalls
	}
	for i := range c.Calls {
		if err := l.run(c.Calls[i].Call(), o); err != nil {
			return err
		}
		l.emit(UtilityEvent{ItemCompleted: &scale.Unit{}})
	}
	l.emit(UtilityEvent{BatchCompleted: &scale.Unit{}})
	return nil
}

// ForceBatch runs calls, whatever becomes of each.
type ForceBatch struct {
	Calls []RuntimeCall `type:"Vec<<T as Config>::RuntimeCall>"`
}

func (c *ForceBatch) dispatch(l *Ledger, o origin) error {
	if len(c.Calls) > maxBatch {
		return ErrTooManyCalls
	}
	failed := false
	for i := range c.Calls {
		if err := l.run(c.Calls[i].Call(), o); err != nil {
			failed = true
			l.emit(UtilityEvent{ItemFailed: &ItemFailed{dispatchError(err)}})
			continue
		}
		l.emit(UtilityEvent{ItemCompleted: &scale.Unit{}})
	}
	if failed {
		l.emit(UtilityEvent{BatchCompletedWithErrors: &scale.Unit{}})
	} else {
		l.emit(UtilityEvent{BatchCompleted: &scale.Unit{}})
	}
	return nil
}
