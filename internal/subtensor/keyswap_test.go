package subtensor_test

import (
	"testing"

	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// Keys take the place of others, for what is told before.
func TestKeySwaps(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	ctx := t.Context()
	c.found()
	spent := func(k subtensor.Call) uint64 {
		t.Helper()
		fee, err := c.Fee(ctx, c.alice.Public(), k)
		if err != nil {
			t.Fatal(err)
		}
		before, err := c.view().Account(ctx, c.alice.Public())
		if err != nil {
			t.Fatal(err)
		}
		c.do(c.alice, k)
		after, err := c.view().Account(ctx, c.alice.Public())
		if err != nil {
			t.Fatal(err)
		}
		return before.Free - after.Free - fee
	}
	c.wait(7300) // the chain lets nobody swap within a day of its birth
	c.do(c.alice, subtensor.AddStake(c.owner.Public(), c.netuid, 10*tao))
	next, last := key(t, "//Alice/next").Public(), key(t, "//Alice/last").Public()
	cost, err := c.view().HotkeySwapCost(false)
	if err != nil || cost == 0 {
		t.Fatalf("cost %d, %v", cost, err)
	}
	if got := spent(subtensor.SwapHotkeyOnly(c.owner.Public(), next, scale.SomeOf(c.netuid))); got != cost {
		t.Errorf("it costs %d, not %d", got, cost)
	}
	if uid, is, err := c.view().UID(ctx, c.netuid, next); err != nil || !is || uid != 0 {
		t.Errorf("uid %d, %v, %v", uid, is, err)
	}
	stake := func(hotkey subtensor.Account) uint64 {
		t.Helper()
		s, err := c.view().Stake(ctx, hotkey, c.alice.Public(), c.netuid)
		if err != nil {
			t.Fatal(err)
		}
		return s.Amount
	}
	if stake(c.owner.Public()) == 0 || stake(next) != 0 {
		t.Error("the stake went along")
	}
	if cost, err = c.view().HotkeySwapCost(true); err != nil {
		t.Fatal(err)
	}
	c.wait(c.view().Block + 1001)
	if got := spent(subtensor.SwapHotkey(c.owner.Public(), last, scale.Option[subnet.NetUID]{})); got != cost {
		t.Errorf("it costs %d, not %d", got, cost)
	}
	if stake(last) == 0 {
		t.Error("the stake did not go along")
	}

	if s, err := c.view().ColdkeySwap(ctx, c.alice.Public()); err != nil || s.Announced || s.Disputed || s.Delay == 0 {
		t.Errorf("swap %+v, %v", s, err)
	}
	if cost, err = c.view().ColdkeySwapCost(); err != nil {
		t.Fatal(err)
	}
	heir := key(t, "//Heir").Public()
	if got := spent(subtensor.AnnounceColdkeySwap(heir)); got != cost {
		t.Errorf("it costs %d, not %d", got, cost)
	}
	s, err := c.view().ColdkeySwap(ctx, c.alice.Public())
	if err != nil || !s.Is(heir) || s.Is(next) || s.From != c.view().Block+subnet.Block(s.Delay) || s.Clear <= s.From {
		t.Errorf("swap %+v, %v", s, err)
	}
}
