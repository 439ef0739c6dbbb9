package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
)

// twoSubnets is network with a second subnet of Bob's, and stake of Alice's in
// the first.
func twoSubnets(t testing.TB) *chain {
	c := network(t, 4)
	c.root(&SetNetworkRateLimit{0})
	c.must(dev("Bob"), &RegisterNetwork{key(50)}, &StartCall{2}, &AddStake{key(50), 2, 200 * tao})
	c.must(dev("Alice"), &AddStake{key(1), 1, 100 * tao})
	return c
}

type attempt struct {
	what string
	who  AccountID
	call Call
	want error
}

func (c *chain) try(attempts ...attempt) {
	c.t.Helper()
	for _, a := range attempts {
		if err := c.Dispatch(a.who, a.call); err != a.want {
			c.t.Errorf("%s: %v, want %v", a.what, err, a.want)
		}
	}
}

func TestFees(t *testing.T) {
	c := network(t, 2)
	alice := dev("Alice")
	sub.SubnetTAO.set(c.s, 1, 1000*tao)
	sub.SubnetAlphaIn.set(c.s, 1, 1000*tao)
	sub.TotalStake.set(c.s, 1000*tao)
	free := c.Balance(alice)
	c.must(alice, &AddStake{key(1), 1, 100 * tao})
	// 33/65535 of 100 TAO stay in the pool; the rest trades.
	fee := uint64(100*tao) * 33 / 65535
	net := 100*tao - fee
	want := mulDiv(1000*tao, net, 1000*tao+net)
	if got := c.Stake(key(1), alice, 1); got != want {
		t.Errorf("%d alpha, want %d", got, want)
	}
	if got := sub.SubnetTAO.get(c.s, 1); got != 1100*tao {
		t.Errorf("pool of %d", got)
	}
	c.must(alice, &RemoveStake{key(1), 1, want})
	if lost := free - c.Balance(alice); lost < fee*3/2 || lost > 2*fee {
		t.Errorf("there and back costs %d, a trade %d", lost, fee)
	}
	c.root(&SetFeeRate{1, 0})
	c.try(
		attempt{"a stranger's rate", dev("Bob"), &SetFeeRate{1, 5}, ErrBadOrigin},
		attempt{"too high", alice, &SetFeeRate{1, maxFeeRate + 1}, ErrFeeRateTooHigh},
	)
	if fee := c.tradeFee(1, tao); fee != 0 {
		t.Errorf("fee of %d", fee)
	}
}

func TestStakeChecks(t *testing.T) {
	c := twoSubnets(t)
	alice, bob := dev("Alice"), dev("Bob")
	price := c.Price(1)
	have := c.Stake(key(1), alice, 1)
	c.try(
		attempt{"no subnet", alice, &AddStake{key(1), 9, tao}, ErrSubnetNotExists},
		attempt{"too little", alice, &AddStake{key(1), 1, minStake - 1}, ErrAmountTooLow},
		attempt{"nobody's hotkey", alice, &AddStake{key(99), 1, tao}, ErrHotKeyAccountNotExists},
		attempt{"poor", key(5), &AddStake{key(1), 1, tao}, ErrNotEnoughBalanceToStake},
		attempt{"limit below the price", alice, &AddStakeLimit{key(1), 1, tao, price - 1, true}, ErrPriceLimitExceeded},
		attempt{"beyond the limit", alice, &AddStakeLimit{key(1), 1, 500 * tao, price + price/100, false}, ErrSlippageTooHigh},
		attempt{"partly", alice, &AddStakeLimit{key(1), 1, 500 * tao, price + price/100, true}, nil},
		attempt{"unstake without stake", bob, &RemoveStake{key(1), 1, tao}, ErrAmountTooLow},
		attempt{"sell above the price", alice, &RemoveStakeLimit{key(1), 1, tao, 2 * price, true}, ErrPriceLimitExceeded},
		attempt{"sell too much", alice, &RemoveStakeLimit{key(1), 1, 50 * tao, c.Price(1) - c.Price(1)/100, false}, ErrSlippageTooHigh},
		attempt{"no such root price", alice, &AddStakeLimit{key(1), 0, tao, priceUnit - 1, true}, ErrPriceLimitExceeded},
		attempt{"root", alice, &AddStakeLimit{key(1), 0, tao, priceUnit, false}, nil},
	)
	// The partial purchase went right up to the limit.
	limit := price + price/100
	if got := c.Price(1); got > limit+limit/10_000 || got < limit-limit/1000 {
		t.Errorf("price = %d, limit %d", got, limit)
	}
	if c.Stake(key(1), alice, 1) <= have {
		t.Error("nothing was bought")
	}
	limit = c.Price(1) - c.Price(1)/100
	c.try(attempt{"sell partly", alice, &RemoveStakeLimit{key(1), 1, have, limit, true}, nil})
	if got := c.Price(1); got < limit-limit/1000 || got > limit+limit/1000 {
		t.Errorf("price = %d, limit %d", got, limit)
	}
	c.try(
		attempt{"all, limited", alice, &RemoveStakeFullLimit{key(1), 1, scale.SomeOf(uint64(1))}, nil},
		attempt{"nothing left", alice, &RemoveStakeFullLimit{key(1), 1, scale.Option[uint64]{}}, ErrAmountTooLow},
	)
	c.root(&SetSubtokenEnabled{2, false})
	c.try(attempt{"not traded", bob, &AddStake{key(50), 2, tao}, ErrSubtokenDisabled})
	conserved(t, c.Ledger)
}

func TestMoves(t *testing.T) {
	c := twoSubnets(t)
	alice, bob := dev("Alice"), dev("Bob")
	have := c.Stake(key(1), alice, 1)
	c.try(
		attempt{"to itself", alice, &SwapStake{key(1), 1, 1, tao}, ErrSameNetuid},
		attempt{"no subnet", alice, &SwapStake{key(1), 1, 7, tao}, ErrSubnetNotExists},
		attempt{"no hotkey", alice, &MoveStake{key(1), key(99), 1, 1, tao}, ErrHotKeyAccountNotExists},
		attempt{"too little", alice, &MoveStake{key(1), key(2), 1, 1, 5}, ErrAmountTooLow},
		attempt{"within", alice, &MoveStake{key(1), key(2), 1, 1, have / 2}, nil},
		attempt{"to Bob", alice, &TransferStake{bob, key(2), 1, 1, have / 4}, nil},
		attempt{"across", alice, &SwapStake{key(2), 1, 2, have / 8}, nil},
		attempt{"to root", alice, &SwapStake{key(2), 1, 0, have / 16}, nil},
		attempt{"price", alice, &SwapStakeLimit{key(2), 1, 2, have / 32, 2 * priceUnit, true}, ErrPriceLimitExceeded},
	)
	relative := mulDiv(c.Price(1), priceUnit, c.Price(2)) * 98 / 100
	c.try(
		attempt{"too much", alice, &SwapStakeLimit{key(1), 1, 2, have / 2, relative, false}, ErrSlippageTooHigh},
		attempt{"partly", alice, &SwapStakeLimit{key(1), 1, 2, have / 2, relative, true}, nil},
	)
	if got := mulDiv(c.Price(1), priceUnit, c.Price(2)); got < relative-relative/1000 || got > relative+relative/1000 {
		t.Errorf("price = %d, limit %d", got, relative)
	}
	for _, tt := range []struct {
		what       string
		hot, cold  AccountID
		netuid     uint16
		least, max uint64
	}{
		{"moved", key(2), alice, 1, have/16 - 9, have/16 + 9},
		{"given", key(2), bob, 1, have/4 - 9, have / 4},
		{"swapped", key(2), alice, 2, have / 40, have / 4},
		{"in root", key(2), alice, 0, have / 40, have / 8},
		{"partly swapped", key(1), alice, 2, 1, have / 2},
	} {
		if got := c.stakeOf(tt.hot, tt.cold, tt.netuid); got < tt.least || got > tt.max {
			t.Errorf("%s: %d, want within [%d, %d]", tt.what, got, tt.least, tt.max)
		}
	}
	if !sub.Delegates.has(c.s, key(2)) {
		t.Error("a hotkey with another's stake is no delegate")
	}
	sub.TransferToggle.set(c.s, 1, false)
	c.try(attempt{"forbidden", bob, &TransferStake{alice, key(2), 1, 1, have / 8}, ErrTransferDisallowed})
	conserved(t, c.Ledger)

	c.try(
		attempt{"all of it", alice, &UnstakeAllAlpha{key(2)}, nil},
		attempt{"none left", alice, &UnstakeAllAlpha{key(2)}, ErrAmountTooLow},
		attempt{"no hotkey", alice, &UnstakeAll{key(99)}, ErrHotKeyAccountNotExists},
		attempt{"root too", alice, &UnstakeAll{key(2)}, nil},
	)
	for netuid := range uint16(3) {
		if got := c.stakeOf(key(2), alice, netuid); got != 0 {
			t.Errorf("%d alpha remain in %d", got, netuid)
		}
	}
	conserved(t, c.Ledger)
}

func TestGiveUpAlpha(t *testing.T) {
	c := twoSubnets(t)
	alice := dev("Alice")
	out := sub.SubnetAlphaOut.get(c.s, 1)
	have := c.Stake(key(1), alice, 1)
	c.try(
		attempt{"in root", alice, &BurnAlpha{key(1), 5, 0}, ErrCannotBurnOrRecycleOnRoot},
		attempt{"no subnet", alice, &BurnAlpha{key(1), 5, 9}, ErrSubnetNotExists},
		attempt{"nobody's", alice, &RecycleAlpha{key(99), 5, 1}, ErrHotKeyAccountNotExists},
		attempt{"none", dev("Bob"), &RecycleAlpha{key(1), 5, 1}, ErrNotEnoughStakeToWithdraw},
		attempt{"burn", alice, &BurnAlpha{key(1), tao, 1}, nil},
		attempt{"recycle", alice, &RecycleAlpha{key(1), tao, 1}, nil},
	)
	if got := c.Stake(key(1), alice, 1); got > have-2*tao || got < have-2*tao-9 {
		t.Errorf("%d alpha remain of %d", got, have)
	}
	if got := sub.SubnetAlphaOut.get(c.s, 1); got != out-tao {
		t.Errorf("%d issued, want %d", got, out-tao)
	}
	conserved(t, c.Ledger)
}

func TestTake(t *testing.T) {
	c := network(t, 2)
	alice := dev("Alice")
	c.try(
		attempt{"a stranger", dev("Bob"), &DecreaseTake{key(1), 1}, ErrNonAssociatedColdKey},
		attempt{"no lower", alice, &DecreaseTake{key(1), 11796}, ErrDelegateTakeTooLow},
		attempt{"lower", alice, &DecreaseTake{key(1), 100}, nil},
		attempt{"no higher", alice, &IncreaseTake{key(1), 100}, ErrDelegateTakeTooLow},
		attempt{"too high", alice, &IncreaseTake{key(1), 11797}, ErrDelegateTakeTooHigh},
		attempt{"higher", alice, &IncreaseTake{key(1), 200}, nil},
		attempt{"too soon", alice, &IncreaseTake{key(1), 300}, ErrDelegateTxRateLimitExceeded},
	)
	if got := sub.Delegates.get(c.s, key(1)); got != 200 {
		t.Errorf("take = %d", got)
	}
}

const half = 1 << 63

func lend(proportion uint64, who AccountID) kin { return kin{F0: proportion, F1: who} }

func TestChildren(t *testing.T) {
	c := network(t, 8)
	alice := dev("Alice")
	c.must(alice, &AddStake{key(1), 1, 100 * tao}, &AddStake{key(1), 0, 100 * tao})
	set := func(n int, kids ...kin) *SetChildren { return &SetChildren{key(n), 1, kids} }
	many := []kin{}
	for i := range 6 {
		many = append(many, kin{F0: 1, F1: key(10 + i)})
	}
	c.try(
		attempt{"root", alice, &SetChildren{key(1), 0, nil}, ErrRegistrationNotPermittedOnRoot},
		attempt{"no subnet", alice, &SetChildren{key(1), 7, nil}, ErrSubnetNotExists},
		attempt{"a stranger", dev("Bob"), set(1, lend(1, key(2))), ErrNonAssociatedColdKey},
		attempt{"itself", alice, set(1, lend(1, key(1))), ErrInvalidChild},
		attempt{"twice", alice, set(1, lend(1, key(2)), lend(1, key(2))), ErrDuplicateChild},
		attempt{"too many", alice, set(1, many...), ErrTooManyChildren},
		attempt{"too much", alice, set(1, lend(half, key(2)), lend(half, key(3))), ErrProportionOverflow},
		attempt{"half", alice, set(1, lend(half, key(2)), lend(half/2, key(3))), nil},
		attempt{"again", alice, set(1), ErrTxRateLimitExceeded},
		attempt{"cool-down of a stranger", alice, &SetPendingChildkeyCooldown{1}, ErrBadOrigin},
	)
	c.run(20)
	if a, _ := c.inherited(key(2), 1); a != 0 {
		t.Error("children before the cool-down is over")
	}
	c.root(&SetPendingChildkeyCooldown{0})
	c.run(150)
	c.must(alice, set(1, lend(half, key(2)), lend(half/2, key(3))))
	c.epochs(2)
	if diff := cmp.Diff([]kin{lend(half, key(1))}, sub.ParentKeys.get(c.s, key(2), 1)); diff != "" {
		t.Fatal(diff)
	}
	total := sub.TotalHotkeyAlpha.get(c.s, key(1), 1)
	root := sub.TotalHotkeyAlpha.get(c.s, key(1), 0)
	for n, part := range map[int]uint64{1: 4, 2: 2, 3: 4} {
		alpha, tao := c.inherited(key(n), 1)
		want := total / part
		if n != 1 {
			want += sub.TotalHotkeyAlpha.get(c.s, key(n), 1)
		}
		if alpha+2 < want || alpha > want+2 || tao+2 < root/part || tao > root/part+2 {
			t.Errorf("hotkey %d has %d alpha and %d TAO, of %d and %d", n, alpha, tao, total, root)
		}
	}
	c.try(attempt{"a parent as child", alice, set(2, lend(1, key(1))), ErrChildParentInconsistency})

	// The parent earns for what its children do.
	c.root(&SetCommitRevealEnabled{1, false})
	c.must(key(2), &SetWeights{1, []uint16{4, 5}, []uint16{1, 1}, 0})
	parent, child := total, sub.TotalHotkeyAlpha.get(c.s, key(2), 1)
	c.epochs(1)
	parent = sub.TotalHotkeyAlpha.get(c.s, key(1), 1) - parent
	child = sub.TotalHotkeyAlpha.get(c.s, key(2), 1) - child
	if parent == 0 || child != 0 && parent < 10*child {
		t.Errorf("the parent earned %d, the child %d", parent, child)
	}
	conserved(t, c.Ledger)
}

func TestChildkeyTake(t *testing.T) {
	c := network(t, 3)
	alice := dev("Alice")
	c.try(
		attempt{"a stranger", dev("Bob"), &SetChildkeyTake{key(1), 1, 5}, ErrNonAssociatedColdKey},
		attempt{"too high", alice, &SetChildkeyTake{key(1), 1, 20_000}, ErrInvalidChildkeyTake},
		attempt{"fine", alice, &SetChildkeyTake{key(1), 1, 5000}, nil},
		attempt{"lower", alice, &SetChildkeyTake{key(1), 1, 4000}, nil},
		attempt{"higher too soon", alice, &SetChildkeyTake{key(1), 1, 5000}, ErrTxChildkeyTakeRateLimit},
	)
	// Of a parent's dividend another coldkey's child keeps its take.
	c.root(&SetSubtokenEnabled{1, false})
	c.must(dev("Bob"), &BurnedRegister{1, key(60)})
	c.must(alice, &SetChildren{key(2), 1, []kin{lend(half, key(60))}})
	c.must(dev("Bob"), &SetChildkeyTake{key(60), 1, 6553})
	c.root(&SetSubtokenEnabled{1, true})
	c.must(alice, &AddStake{key(2), 1, 100 * tao})
	shares := c.shareDividend(key(60), 1, 1_000_000)
	if len(shares) != 2 || shares[0].who != key(2) || shares[0].n < 899_000 || shares[0].n > 901_000 || shares[0].n+shares[1].n != 1_000_000 {
		t.Errorf("shares %+v", shares)
	}
}

func TestRootRegister(t *testing.T) {
	c := network(t, 3)
	alice := dev("Alice")
	c.try(
		attempt{"first", alice, &RootRegister{key(1)}, nil},
		attempt{"again", alice, &RootRegister{key(1)}, ErrHotKeyAlreadyRegisteredInSubNet},
		attempt{"a stranger", dev("Bob"), &RootRegister{key(2)}, ErrNonAssociatedColdKey},
	)
	c.must(alice, &AddStake{key(1), 0, 10 * tao})
	for i := range 63 {
		c.must(alice, &RootRegister{key(100 + i)})
	}
	c.try(attempt{"full", alice, &RootRegister{key(2)}, ErrStakeTooLowForRoot})
	c.must(alice, &AddStake{key(2), 0, tao}, &RootRegister{key(2)})
	if uid, ok := sub.Uids.lookup(c.s, 0, key(2)); !ok || uid != 1 {
		t.Errorf("uid %d, %v", uid, ok)
	}
	if sub.Uids.has(c.s, 0, key(100)) {
		t.Error("the least of root has kept its place")
	}
}

func TestRootClaim(t *testing.T) {
	c := network(t, 4)
	alice, bob := dev("Alice"), dev("Bob")
	c.root(&SetNumRootClaims{0}, &SetRootClaimThreshold{1, 0})
	c.must(alice, &RootRegister{key(1)}, &AddStake{key(1), 1, 100 * tao}, &AddStake{key(1), 0, 300_000 * tao})
	c.must(bob, &AddStake{key(1), 0, 100_000 * tao}, &SetRootClaimType{RootClaimType{Keep: &scale.Unit{}}})
	// Prices above 1 in sum let root earn.
	sub.SubnetMovingPrice.set(c.s, 1, FixedI128{scale.I128{Lo: 2 << 32}})
	c.epochs(1)
	c.must(key(1), &SetWeights{1, []uint16{2, 3}, []uint16{1, 1}, 0})
	c.epochs(2)
	rates := c.claimRates(key(1))
	if len(rates) != 1 || rates[0].F0 != 1 || rateOf(rates[0]) == 0 {
		t.Fatalf("rates %+v", rates)
	}
	owedAlice, owedBob := c.owed(key(1), alice, rates[0]), c.owed(key(1), bob, rates[0])
	if owedAlice < 3*owedBob-9 || owedAlice > 3*owedBob+9 || owedBob == 0 {
		t.Errorf("Alice is owed %d, Bob %d", owedAlice, owedBob)
	}
	// A late staker has no part in it.
	c.must(dev("Eve"), &AddStake{key(1), 0, 1000 * tao})
	if n := c.owed(key(1), dev("Eve"), rates[0]); n != 0 {
		t.Errorf("a late staker is owed %d", n)
	}
	root := c.Stake(key(1), alice, 0)
	c.must(bob, &ClaimRoot{[]uint16{1}})
	c.must(alice, &ClaimRoot{[]uint16{1}})
	if got := c.Stake(key(1), bob, 1); got < owedBob-5 || got > owedBob {
		t.Errorf("Bob has %d alpha, was owed %d", got, owedBob)
	}
	if got := c.Stake(key(1), alice, 0); got <= root {
		t.Errorf("Alice has %d TAO in root, before %d", got, root)
	}
	for _, who := range []AccountID{alice, bob} {
		if n := c.owed(key(1), who, rates[0]); n > 5 {
			t.Errorf("still owed: %d", n)
		}
	}
	before := c.Stake(key(1), bob, 1)
	c.must(bob, &ClaimRoot{[]uint16{1}})
	if got := c.Stake(key(1), bob, 1); got > before+5 {
		t.Error("claimed twice")
	}
	c.must(bob, &RemoveStake{key(1), 0, 50_000 * tao})
	conserved(t, c.Ledger)
	c.try(
		attempt{"none named", bob, &ClaimRoot{nil}, ErrInvalidSubnetNumber},
		attempt{"too many", bob, &ClaimRoot{[]uint16{1, 2, 3, 4, 5, 6}}, ErrInvalidSubnetNumber},
		attempt{"no subnets kept", bob, &SetRootClaimType{RootClaimType{KeepSubnets: &KeepSubnets{}}}, ErrInvalidSubnetNumber},
	)
	// Blocks claim by themselves.
	c.root(&SetNumRootClaims{5})
	c.epochs(3)
	c.next()
	conserved(t, c.Ledger)
}
