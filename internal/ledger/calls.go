package ledger

import (
	"reflect"

	"adit/internal/scale"
)

// A Call is one thing an account can ask the chain to do: a pointer to one of
// the structs that the enums below list. Its fields are the arguments on the
// wire.
type Call interface {
	dispatch(l *Ledger, o origin) error
}

// An origin is on whose behalf a call runs.
type origin struct {
	root bool
	none bool      // nobody: an unsigned extrinsic
	who  AccountID // unless root or none
	// filter limits what a proxy may do, in what it wraps too; nil: nothing.
	filter *ProxyType
}

// signer returns the account that signed, or ErrBadOrigin.
func (o origin) signer() (AccountID, error) {
	if o.root || o.none {
		return AccountID{}, ErrBadOrigin
	}
	return o.who, nil
}

// RuntimeCall is any call of any pallet, as it stands in extrinsics.
type RuntimeCall struct {
	scale.Enum
	System          *SystemCall      `scale:"0"`
	Timestamp       *TimestampCall   `scale:"2"`
	Balances        *BalancesCall    `scale:"5"`
	SubtensorModule *SubtensorCall   `scale:"7"`
	Utility         *UtilityCall     `scale:"11"`
	Sudo            *SudoCall        `scale:"12"`
	Proxy           *ProxyCall       `scale:"16"`
	Commitments     *CommitmentsCall `scale:"18"`
	AdminUtils      *AdminCall       `scale:"19"`
	Drand           *DrandCall       `scale:"26"`
	Swap            *SwapCall        `scale:"28"`
	MevShield       *ShieldCall      `scale:"30"`
}

// ScaleName implements [scale.Named].
func (RuntimeCall) ScaleName() string { return "node_subtensor_runtime::RuntimeCall" }

// Call returns the call itself, nil if there is none.
func (c *RuntimeCall) Call() Call {
	pallet := chosen(reflect.ValueOf(c).Elem())
	if !pallet.IsValid() {
		return nil
	}
	call := chosen(pallet.Elem())
	if !call.IsValid() {
		return nil
	}
	return call.Interface().(Call)
}

// chosen returns the variant of an enum that is set.
func chosen(enum reflect.Value) reflect.Value {
	for i := 1; i < enum.NumField(); i++ {
		if f := enum.Field(i); !f.IsNil() {
			return f
		}
	}
	return reflect.Value{}
}

// Wrap returns c as a RuntimeCall. It panics if c is not in its pallet's enum.
func Wrap(c Call) RuntimeCall {
	var out RuntimeCall
	want := reflect.TypeOf(c)
	v := reflect.ValueOf(&out).Elem()
	for i := 1; i < v.NumField(); i++ {
		pallet := v.Field(i).Type().Elem()
		for j := 1; j < pallet.NumField(); j++ {
			if pallet.Field(j).Type == want {
				p := reflect.New(pallet)
				p.Elem().Field(j).Set(reflect.ValueOf(c))
				v.Field(i).Set(p)
				return out
			}
		}
	}
	panic("ledger: no pallet has the call " + want.String())
}

// Encode returns the SCALE bytes of c: pallet, index, arguments.
func Encode(c Call) []byte {
	w := Wrap(c)
	return must(scale.Marshal(&w))
}

// run dispatches c so that it happens whole or not at all. Calls nest through
// batches and sudo, and a deep enough nest would exhaust the stack.
func (l *Ledger) run(c Call, o origin) error {
	const maxNesting = 32
	if c == nil || l.depth >= maxNesting {
		return ErrExhausted
	}
	if o.filter != nil && !o.filter.allows(c) {
		return ErrCallFiltered
	}
	l.depth++
	defer func() { l.depth-- }()
	mark, events := l.s.mark(), l.events.mark()
	if err := c.dispatch(l, o); err != nil {
		l.s.rollback(mark)
		l.events.rollback(events)
		return err
	}
	return nil
}
