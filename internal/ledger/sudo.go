package ledger

import "adit/internal/scale"

// SudoCall is a call of the Sudo pallet.
type SudoCall struct {
	scale.Enum
	Sudo *Sudo `scale:"0"`
}

// Sudo runs a call with the powers of root. It is for the holder of the sudo
// key alone, and succeeds whatever becomes of the call: the event tells.
type Sudo struct {
	Call *RuntimeCall `type:"Box<<T as Config>::RuntimeCall>"`
}

func (c *Sudo) dispatch(l *Ledger, o origin) error {
	key, ok := sudo.Key.lookup(l.s)
	if !ok || o.root || o.who != key {
		return ErrRequireSudo
	}
	err := l.run(c.Call.Call(), origin{root: true})
	l.emit(SudoEvent{Sudid: &Sudid{dispatchResult(err)}})
	return nil
}
