package subtensor_test

import (
	"errors"
	"testing"

	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// What is told of a trade, of a subnet's start and of keys, before anything is
// signed, is what then happens.
func TestToldBefore(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	ctx := t.Context()
	id := subtensor.SubnetIdentity{Name: "mine", Contact: "me@example.org"}
	c.do(c.alice, subtensor.RegisterNetworkAs(c.owner.Public(), id))
	netuids, err := c.view().NetUIDs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n := netuids[len(netuids)-1]
	if got, ok, err := c.view().SubnetIdentity(ctx, n); err != nil || !ok || got != id {
		t.Errorf("identity %+v, %v, %v", got, ok, err)
	}
	s, err := c.view().SubnetStart(ctx, n)
	if err != nil || s.Owner != c.alice.Public() || s.Registered == 0 || s.Allowed < s.Registered || s.Emission != 0 {
		t.Errorf("start %+v, %v", s, err)
	}
	if _, err := c.view().SubnetStart(ctx, n+1); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("start of no subnet: %v", err)
	}
	c.wait(s.Allowed)
	in := c.do(c.alice, subtensor.StartCall(n))
	if s, err := c.view().SubnetStart(ctx, n); err != nil || s.Emission != in.Block+1 {
		t.Errorf("started %+v in %d, %v", s, in.Block, err)
	}

	v := c.view()
	if uid, is, err := v.UID(ctx, n, c.owner.Public()); err != nil || !is || uid != 0 {
		t.Errorf("uid %d, %v, %v", uid, is, err)
	}
	if _, is, err := v.UID(ctx, n, c.hot.Public()); err != nil || is {
		t.Errorf("a stranger is a neuron: %v", err)
	}
	if who, err := v.HotkeyOf(ctx, n, 0); err != nil || who != c.owner.Public() {
		t.Errorf("hotkey %x, %v", who, err)
	}
	if _, err := v.HotkeyOf(ctx, n, 1); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("hotkey of nobody: %v", err)
	}
	if who, is, err := v.Owner(ctx, c.owner.Public()); err != nil || !is || who != c.alice.Public() {
		t.Errorf("owner %x, %v, %v", who, is, err)
	}
	if _, is, err := v.Owner(ctx, c.hot.Public()); err != nil || is {
		t.Errorf("a stranger has an owner: %v", err)
	}

	had := func() uint64 {
		t.Helper()
		s, err := c.view().Stake(ctx, c.owner.Public(), c.alice.Public(), n)
		if err != nil || s.Hotkey != c.owner.Public() || s.NetUID != n {
			t.Fatalf("stake %+v, %v", s, err)
		}
		return s.Amount
	}
	q, err := v.QuoteBuy(ctx, n, 10*tao)
	if err != nil || q.TAO+q.TAOFee != 10*tao || q.TAOFee == 0 || q.AlphaSlippage == 0 {
		t.Fatalf("quote %+v, %v", q, err)
	}
	before := had()
	c.do(c.alice, subtensor.AddStake(c.owner.Public(), n, 10*tao))
	if got := had() - before; got < q.Alpha-q.Alpha/1000 || got > q.Alpha+q.Alpha/1000 {
		t.Errorf("bought %d, not %d", got, q.Alpha)
	}
	if q, err := c.view().QuoteSell(ctx, n, tao); err != nil || q.Alpha+q.AlphaFee != tao || q.TAO == 0 || q.TAOSlippage == 0 {
		t.Errorf("quote %+v, %v", q, err)
	}
	if q, err := c.view().QuoteSell(ctx, 0, tao); err != nil || q != (subtensor.Quote{TAO: tao, Alpha: tao}) {
		t.Errorf("quote on root %+v, %v", q, err)
	}

	child := subtensor.Child{Proportion: 1 << 62, Hotkey: c.hot.Public()}
	if list, at, err := c.view().PendingChildren(ctx, c.owner.Public(), n); err != nil || len(list) != 0 || at != 0 {
		t.Errorf("children to come %v in %d, %v", list, at, err)
	}
	c.do(c.alice, subtensor.SetChildren(c.owner.Public(), n, child))
	if list, at, err := c.view().PendingChildren(ctx, c.owner.Public(), n); err != nil || len(list) != 1 || list[0] != child || at <= c.view().Block {
		t.Errorf("children to come %v in %d, %v", list, at, err)
	}
	c.do(c.alice, subtensor.SetChildTake(c.owner.Public(), n, 700))
	if take, err := c.view().ChildTake(ctx, c.owner.Public(), n); err != nil || take != 700 {
		t.Errorf("take %d, %v", take, err)
	}
}
