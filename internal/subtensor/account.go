package subtensor

import (
	"context"
	"fmt"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
)

// An AccountState is an account's money, in RAO, and how often it has signed.
type AccountState struct {
	Nonce                  uint32
	Free, Reserved, Frozen uint64 // free may be spent, but for what is frozen
}

// Account reads an account. One that does not exist is the zero value.
func (v *View) Account(ctx context.Context, who Account) (AccountState, error) {
	all, err := v.Accounts(ctx, who)
	if err != nil {
		return AccountState{}, err
	}
	return all[0], nil
}

// Accounts reads many accounts in one round trip, in the order they are given.
func (v *View) Accounts(ctx context.Context, who ...Account) ([]AccountState, error) {
	es := make([]Entry, len(who))
	for i, a := range who {
		es[i] = Entry{"System", "Account", []any{a}}
	}
	vs, err := v.GetAll(ctx, es)
	if err != nil {
		return nil, err
	}
	out := make([]AccountState, len(who))
	for i := range vs {
		var info struct {
			Nonce uint32
			Data  struct{ Free, Reserved, Frozen uint64 }
		}
		if err := scale.Assign(&info, vs[i]); err != nil {
			return nil, fmt.Errorf("read account %s: %w", keys.Address(who[i]), err)
		}
		out[i] = AccountState{info.Nonce, info.Data.Free, info.Data.Reserved, info.Data.Frozen}
	}
	return out, nil
}

// Balance returns an account's free balance, in RAO.
func (c *Client) Balance(ctx context.Context, address string) (uint64, error) {
	pub, err := keys.ParseAddress(address)
	if err != nil {
		return 0, fmt.Errorf("read balance: %w", err)
	}
	v, err := c.At(ctx, subnet.Latest)
	if err != nil {
		return 0, fmt.Errorf("read balance: %w", err)
	}
	a, err := v.Account(ctx, pub)
	if err != nil {
		return 0, fmt.Errorf("read balance: %w", err)
	}
	return a.Free, nil
}

// ExistentialDeposit returns, in RAO, the least that an account may hold: with
// less it ceases to be, and what it held is lost.
func (r *Runtime) ExistentialDeposit() (uint64, error) {
	v, err := r.Constant("Balances", "ExistentialDeposit")
	if err != nil {
		return 0, err
	}
	var rao uint64
	if err := scale.Assign(&rao, v); err != nil {
		return 0, fmt.Errorf("read the existential deposit: %w", err)
	}
	return rao, nil
}
