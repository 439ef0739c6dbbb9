package ledger

import (
	"testing"

	"adit/internal/scale"
)

func TestPureProxy(t *testing.T) {
	c := twoSubnets(t)
	alice, bob := dev("Alice"), dev("Bob")
	anything, none := ProxyType{Any: &scale.Unit{}}, scale.Option[ProxyType]{}
	free := c.Balance(alice)
	made := func() AccountID {
		return pureAccount(alice, uint32(c.number), satSub32(c.extrinsics, 1), anything, 7)
	}
	pure := made()
	height, index := scale.Compact[uint32]{V: uint32(c.number)}, scale.Compact[uint32]{V: satSub32(c.extrinsics, 1)}
	kill := &KillPure{AddressOf(alice), anything, 7, height, index}
	c.try(
		attempt{"made", alice, &CreatePure{anything, 0, 7}, nil},
		attempt{"twice", alice, &CreatePure{anything, 0, 7}, ErrDuplicateProxy},
		attempt{"funded", bob, &TransferKeepAlive{AddressOf(pure), scale.Compact[uint64]{V: 5 * tao}}, nil},
		attempt{"a stranger", bob, proxied(pure, none, &Remark{}), ErrNotProxy},
		attempt{"its maker", alice, proxied(pure, none, &TransferKeepAlive{AddressOf(bob), scale.Compact[uint64]{V: tao}}), nil},
		attempt{"given up by another", bob, kill, ErrProxyNoPermission},
	)
	if got := c.Balance(pure); got != 4*tao {
		t.Errorf("the pure proxy has %d", got)
	}
	if held := system.Account.get(c.s, alice).Data.Reserved; held != proxyDepositBase+proxyDepositFactor {
		t.Errorf("%d reserved", held)
	}
	c.must(alice, proxied(pure, none, kill))
	if c.outcome(pure) != "ok" || c.Balance(alice) != free {
		t.Errorf("given up: %s, %d of %d back", c.outcome(pure), c.Balance(alice), free)
	}
	c.try(attempt{"gone", alice, proxied(pure, none, &Remark{}), ErrNotProxy})
	conserved(t, c.Ledger)
}
