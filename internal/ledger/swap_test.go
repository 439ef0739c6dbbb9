package ledger

import (
	"testing"

	"adit/internal/scale"
)

func TestSwapHotkey(t *testing.T) {
	c := twoSubnets(t)
	alice, bob := dev("Alice"), dev("Bob")
	everywhere := scale.Option[uint16]{}
	c.root(&SetPendingChildkeyCooldown{0})
	c.must(bob, &AddStake{key(1), 1, 50 * tao})
	c.must(alice, &RootRegister{key(1)}, &AddStake{key(1), 0, 100 * tao}, &SetChildren{key(1), 1, []kin{lend(half, key(2))}})
	c.epochs(2)
	stake, bobs := c.Stake(key(1), alice, 1), c.Stake(key(1), bob, 1)
	free := c.Balance(alice)
	c.try(
		attempt{"not one's own", bob, &SwapHotkey{key(1), key(70), everywhere}, ErrNonAssociatedColdKey},
		attempt{"the same", alice, &SwapHotkey{key(1), key(1), everywhere}, ErrNewHotKeyIsSameWithOld},
		attempt{"registered", alice, &SwapHotkey{key(1), key(2), everywhere}, ErrHotKeyAlreadyRegisteredInSubNet},
		attempt{"another's", alice, &SwapHotkey{key(1), key(50), scale.SomeOf(uint16(1))}, ErrNonAssociatedColdKey},
		attempt{"on one subnet too soon", alice, &SwapHotkey{key(1), key(70), scale.SomeOf(uint16(1))}, ErrHotKeySwapOnSubnetInterval},
		attempt{"fine", alice, &SwapHotkey{key(1), key(70), everywhere}, nil},
		attempt{"too soon", alice, &SwapHotkey{key(70), key(71), everywhere}, ErrHotKeySetTxRateLimitExceeded},
	)
	if got := free - c.Balance(alice); got != keySwapCost {
		t.Errorf("it cost %d", got)
	}
	if got := c.Stake(key(70), alice, 1); got+9 < stake || got > stake+9 {
		t.Errorf("Alice's stake is %d, was %d", got, stake)
	}
	if got := c.Stake(key(70), bob, 1); got+9 < bobs || got > bobs+9 {
		t.Errorf("Bob's stake is %d, was %d", got, bobs)
	}
	for netuid := range uint16(2) {
		if _, ok := sub.Uids.lookup(c.s, netuid, key(70)); !ok || sub.Uids.has(c.s, netuid, key(1)) {
			t.Errorf("uids of network %d", netuid)
		}
	}
	if kids := sub.ChildKeys.get(c.s, key(70), 1); len(kids) != 1 || sub.ParentKeys.get(c.s, key(2), 1)[0].F1 != key(70) {
		t.Errorf("children %v", kids)
	}
	if c.owns(alice, key(1)) || !c.owns(alice, key(70)) {
		t.Error("ownership has not moved")
	}
	c.root(&SetTxRateLimit{0})
	c.must(alice, &SwapHotkeyV2{key(70), key(71), everywhere, true})
	if c.Stake(key(70), alice, 1) == 0 || !c.owns(alice, key(70)) || !sub.Uids.has(c.s, 1, key(71)) {
		t.Error("the stake did not stay")
	}
	c.must(alice, &UnstakeAll{key(70)})
	conserved(t, c.Ledger)
}

func TestSwapColdkey(t *testing.T) {
	c := twoSubnets(t)
	alice, next := dev("Alice"), key(500)
	stake, free := c.Stake(key(1), alice, 1), c.Balance(alice)
	c.root(&SetColdkeySwapDelay{10}, &SetColdkeyReannounceDelay{5})
	c.try(
		attempt{"nothing announced", alice, &SwapColdkeyAnnounced{next}, ErrColdkeySwapNotFound},
		attempt{"poor", key(9), &AnnounceColdkeySwap{ColdkeyHash(next)}, ErrNotEnoughBalanceToPaySwapColdKey},
		attempt{"announced", alice, &AnnounceColdkeySwap{ColdkeyHash(next)}, nil},
		attempt{"again", alice, &AnnounceColdkeySwap{ColdkeyHash(next)}, ErrColdkeySwapReannouncedTooEarly},
		attempt{"another", alice, &SwapColdkeyAnnounced{key(501)}, ErrAnnouncedColdkeyHash},
		attempt{"too early", alice, &SwapColdkeyAnnounced{next}, ErrColdkeySwapTooEarly},
		attempt{"taken back too early", alice, &ClearColdkeySwapAnnouncement{}, ErrColdkeySwapClearTooEarly},
	)
	var invalid *InvalidError
	if err := c.swapping(&Remark{}, alice); err == nil {
		t.Error("calls go on")
	} else if invalid = err.(*InvalidError); invalid.Custom != 0 {
		t.Errorf("%v", invalid)
	}
	c.must(alice, &DisputeColdkeySwap{})
	if err := c.swapping(&DisputeColdkeySwap{}, alice); err == nil || err.(*InvalidError).Custom != 21 {
		t.Errorf("disputed: %v", err)
	}
	c.run(10)
	c.try(attempt{"disputed", alice, &SwapColdkeyAnnounced{next}, ErrColdkeySwapDisputed})
	c.root(&ResetColdkeySwap{alice})
	c.must(alice, &AnnounceColdkeySwap{ColdkeyHash(next)})
	c.run(10)
	c.must(alice, &SwapColdkeyAnnounced{next})
	if got := c.Stake(key(1), next, 1); got < stake {
		t.Errorf("stake is %d, was %d", got, stake)
	}
	if got := c.Balance(next); got != free-2*keySwapCost || c.Balance(alice) != 0 {
		t.Errorf("balance is %d, was %d", got, free)
	}
	if sub.SubnetOwner.get(c.s, 1) != next || !c.owns(next, key(1)) {
		t.Error("ownership has not moved")
	}
	c.try(attempt{"a hotkey", next, &AnnounceColdkeySwap{}, nil})
	if err := c.DispatchRoot(&SwapColdkey{dev("Bob"), key(1), 0}); err != ErrNewColdKeyIsHotkey {
		t.Errorf("to a hotkey: %v", err)
	}
	if err := c.DispatchRoot(&SwapColdkey{dev("Bob"), next, 0}); err != ErrColdKeyAlreadyAssociated {
		t.Errorf("to one that stakes: %v", err)
	}
	conserved(t, c.Ledger)
}

func TestIdentity(t *testing.T) {
	c := twoSubnets(t)
	alice, bob := dev("Alice"), dev("Bob")
	long := make([]byte, 2000)
	c.try(
		attempt{"no neuron", key(9), &SetIdentity{}, ErrHotKeyNotRegisteredInNetwork},
		attempt{"too long", alice, &SetIdentity{Name: long}, ErrInvalidIdentity},
		attempt{"fine", alice, &SetIdentity{Name: []byte("a")}, nil},
		attempt{"not one's own", bob, &SetSubnetIdentity{Netuid: 1}, ErrNotSubnetOwner},
		attempt{"subnet too long", alice, &SetSubnetIdentity{Netuid: 1, SubnetName: long}, ErrInvalidIdentity},
		attempt{"subnet", alice, &SetSubnetIdentity{Netuid: 1, SubnetName: []byte("one")}, nil},
		attempt{"no symbol", alice, &UpdateSymbol{1, []byte("xy")}, ErrSymbolDoesNotExist},
		attempt{"taken", alice, &UpdateSymbol{1, []byte("β")}, ErrSymbolAlreadyInUse},
		attempt{"symbol", alice, &UpdateSymbol{1, []byte("ω")}, nil},
		attempt{"a third", alice, &RegisterNetworkWithIdentity{key(80), scale.SomeOf(SubnetIdentity{SubnetName: []byte("three")})}, nil},
	)
	if got := string(sub.SubnetIdentitiesV3.get(c.s, 3).SubnetName); got != "three" {
		t.Errorf("name = %q", got)
	}
	if got := string(c.symbolOf(1)) + string(c.symbolOf(2)); got != "ωβ" {
		t.Errorf("symbols = %s", got)
	}
}

func TestOwnerSettings(t *testing.T) {
	c := network(t, 2)
	alice := dev("Alice")
	c.root(&SetAdminFreezeWindow{0})
	c.try(
		attempt{"tempo", alice, &SetOwnerTempo{1, 400}, nil},
		attempt{"short", alice, &SetOwnerTempo{1, 359}, ErrTempoOutOfBounds},
		attempt{"no subnet's owner", dev("Bob"), &SetOwnerTempo{1, 400}, ErrBadOrigin},
		attempt{"hidden too long", alice, &SetCommitRevealInterval{1, 101}, ErrRevealPeriodTooLarge},
		attempt{"not hidden", alice, &SetCommitRevealInterval{1, 0}, ErrRevealPeriodTooSmall},
		attempt{"hidden", alice, &SetCommitRevealInterval{1, 3}, nil},
		attempt{"commit-reveal", alice, &SetCommitRevealEnabled{1, true}, nil},
		attempt{"tempo with it", alice, &SetOwnerTempo{1, 400}, ErrDynamicTempoBlockedByCommitReveal},
		attempt{"hotkey", alice, &SetSNOwnerHotkey{1, key(1)}, nil},
		attempt{"hotkey again", alice, &SetSNOwnerHotkey{1, key(0)}, ErrTxRateLimitExceeded},
		attempt{"root's alone", alice, &SetOwnerHotkey{1, key(0)}, ErrBadOrigin},
		attempt{"toggle", alice, &SetToggleTransfer{1, false}, nil},
		attempt{"version", alice, &SetCommitRevealVersion{5}, ErrBadOrigin},
		attempt{"difficulty", alice, &SetDifficulty{1, 5}, ErrBadOrigin},
		attempt{"associate", alice, &TryAssociateHotkey{key(90)}, nil},
		attempt{"burn", alice, &BurnBalance{scale.Compact[uint64]{V: tao}, true}, nil},
		attempt{"force", alice, &ForceTransfer{AddressOf(dev("Bob")), AddressOf(alice), scale.Compact[uint64]{V: 1}}, ErrBadOrigin},
	)
	c.root(&SetCommitRevealVersion{5}, &ForceTransfer{AddressOf(dev("Bob")), AddressOf(alice), scale.Compact[uint64]{V: tao}},
		&ForceSetBalance{AddressOf(key(33)), scale.Compact[uint64]{V: 7 * tao}}, &ForceSetBalance{AddressOf(dev("Eve")), scale.Compact[uint64]{}})
	if c.Balance(key(33)) != 7*tao || c.Balance(dev("Eve")) != 0 || sub.CommitRevealWeightsVersion.get(c.s) != 5 {
		t.Error("root's settings")
	}
	conserved(t, c.Ledger)
}
