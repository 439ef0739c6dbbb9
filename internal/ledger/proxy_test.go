package ledger

import (
	"testing"

	"adit/internal/scale"
)

func proxied(real AccountID, kind scale.Option[ProxyType], c Call) *ProxyDispatch {
	return &ProxyDispatch{AddressOf(real), kind, ptr(Wrap(c))}
}

// outcome returns what became of the last call by proxy for an account.
func (c *chain) outcome(real AccountID) string {
	r := proxies.LastCallResult.get(c.s, real)
	switch {
	case r.Ok != nil:
		return "ok"
	case r.Err.Module != nil:
		return failureNames[Failure(r.Err.Module.Index)<<8|Failure(r.Err.Module.Error[0])]
	}
	return "other"
}

func TestProxy(t *testing.T) {
	c := twoSubnets(t)
	alice, bob, eve := dev("Alice"), dev("Bob"), dev("Eve")
	staking, small := ProxyType{Staking: &scale.Unit{}}, ProxyType{SmallTransfer: &scale.Unit{}}
	nonTransfer := ProxyType{NonTransfer: &scale.Unit{}}
	none := scale.Option[ProxyType]{}
	pay := func(n uint64) Call { return &TransferKeepAlive{AddressOf(eve), scale.Compact[uint64]{V: n}} }
	free := c.Balance(alice)
	c.try(
		attempt{"oneself", alice, &AddProxy{AddressOf(alice), staking, 0}, ErrNoSelfProxy},
		attempt{"fine", alice, &AddProxy{AddressOf(bob), staking, 0}, nil},
		attempt{"again", alice, &AddProxy{AddressOf(bob), staking, 0}, ErrDuplicateProxy},
		attempt{"poor", key(5), &AddProxy{AddressOf(bob), staking, 0}, ErrInsufficientBalance},
		attempt{"not held", alice, &RemoveProxy{AddressOf(eve), staking, 0}, ErrProxyNotFound},
		attempt{"a stranger", eve, proxied(alice, none, pay(1)), ErrNotProxy},
		attempt{"another kind", bob, proxied(alice, scale.SomeOf(small), pay(1)), ErrNotProxy},
	)
	if got := free - c.Balance(alice); got != proxyDepositBase+proxyDepositFactor {
		t.Errorf("deposit of %d", got)
	}
	for _, tt := range []struct {
		call Call
		want string
	}{
		{&AddStake{key(1), 1, tao}, "ok"},
		{&AddStake{key(1), 9, tao}, "SubnetNotExists"},
		{pay(1), "CallFiltered"},
		{&BatchAll{[]RuntimeCall{Wrap(pay(1))}}, "CallFiltered"},
		{&AddProxy{AddressOf(eve), ProxyType{Any: &scale.Unit{}}, 0}, "CallFiltered"},
		{&RemoveProxies{}, "CallFiltered"},
	} {
		c.must(bob, proxied(alice, none, tt.call))
		if got := c.outcome(alice); got != tt.want {
			t.Errorf("%T: %s, want %s", tt.call, got, tt.want)
		}
	}
	c.must(alice, &AddProxy{AddressOf(eve), small, 0}, &AddProxy{AddressOf(eve), nonTransfer, 0})
	for _, tt := range []struct {
		kind ProxyType
		call Call
		want string
	}{
		{small, pay(smallTransfer - 1), "ok"},
		{small, pay(smallTransfer), "CallFiltered"},
		{nonTransfer, pay(1), "CallFiltered"},
		{nonTransfer, &BatchAll{[]RuntimeCall{Wrap(&Remark{}), Wrap(pay(1))}}, "CallFiltered"},
		{nonTransfer, &BatchAll{[]RuntimeCall{Wrap(&Remark{})}}, "ok"},
		{nonTransfer, &AddProxy{AddressOf(bob), small, 0}, "CallFiltered"},
		{nonTransfer, &SetKappa{1, 5}, "ok"},
	} {
		c.must(eve, proxied(alice, scale.SomeOf(tt.kind), tt.call))
		if got := c.outcome(alice); got != tt.want {
			t.Errorf("%T: %s, want %s", tt.call, got, tt.want)
		}
	}
	c.try(attempt{"all with deposits", alice, &TransferAll{AddressOf(eve), false}, nil})
	if got := c.Balance(alice); got != existentialDeposit {
		t.Errorf("%d remain beside the deposits", got)
	}
	c.must(alice, &RemoveProxies{})
	if a := system.Account.get(c.s, alice); a.Data.Reserved != 0 || a.Data.Free != existentialDeposit+proxyDepositBase+3*proxyDepositFactor {
		t.Errorf("account %+v", a.Data)
	}
	conserved(t, c.Ledger)
}

func TestProxyAnnounced(t *testing.T) {
	c := twoSubnets(t)
	alice, bob, eve := dev("Alice"), dev("Bob"), dev("Eve")
	anyCall, none := ProxyType{Any: &scale.Unit{}}, scale.Option[ProxyType]{}
	call := &TransferKeepAlive{AddressOf(eve), scale.Compact[uint64]{V: 5}}
	hash := CallHash(call)
	later := &ProxyAnnounced{AddressOf(bob), AddressOf(alice), none, ptr(Wrap(call))}
	c.must(alice, &AddProxy{AddressOf(bob), anyCall, 3})
	c.try(
		attempt{"at once", bob, proxied(alice, none, call), ErrUnannounced},
		attempt{"unannounced", bob, later, ErrUnannounced},
		attempt{"no proxy", eve, &Announce{AddressOf(alice), hash}, ErrNotProxy},
		attempt{"announced", bob, &Announce{AddressOf(alice), hash}, nil},
		attempt{"too early", bob, later, ErrUnannounced},
	)
	c.run(3)
	held := c.Balance(eve)
	c.try(attempt{"in time", eve, later, nil})
	if got := c.Balance(eve) - held; got != 5 || c.outcome(alice) != "ok" {
		t.Errorf("Eve got %d: %s", got, c.outcome(alice))
	}
	c.must(bob, &Announce{AddressOf(alice), hash}, &RemoveAnnouncement{AddressOf(alice), hash}, &Announce{AddressOf(alice), hash})
	c.try(
		attempt{"rejected", alice, &RejectAnnouncement{AddressOf(bob), hash}, nil},
		attempt{"none left", bob, &RemoveAnnouncement{AddressOf(alice), hash}, ErrProxyNotFound},
	)
	if a := system.Account.get(c.s, bob); a.Data.Reserved != 0 {
		t.Errorf("%d still reserved", a.Data.Reserved)
	}
	conserved(t, c.Ledger)
}
