package subtensor_test

import (
	"errors"
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
	c.do(c.alice, subtensor.AddStake(c.owner.Public(), c.netuid, 10*tao))
	next := key(t, "//Alice/next").Public()
	cost, err := c.view().HotkeySwapCost(true)
	if err != nil || cost == 0 {
		t.Fatalf("cost %d, %v", cost, err)
	}
	if got := spent(subtensor.SwapHotkey(c.owner.Public(), next, scale.Option[subnet.NetUID]{})); got != cost {
		t.Errorf("it costs %d, not %d", got, cost)
	}
	if uid, is, err := c.view().UID(ctx, c.netuid, next); err != nil || !is || uid != 0 {
		t.Errorf("uid %d, %v, %v", uid, is, err)
	}
	if s, err := c.view().Stake(ctx, next, c.alice.Public(), c.netuid); err != nil || s.Amount == 0 {
		t.Errorf("the stake did not go along: %+v, %v", s, err)
	}
	// On one subnet it may be done once a day, which a test does not wait for.
	if one, err := c.view().HotkeySwapCost(false); err != nil || one == 0 || one >= cost {
		t.Errorf("one subnet costs %d, %v", one, err)
	}
	_, err = c.Do(ctx, c.alice, subtensor.SwapHotkeyOnly(next, c.hot.Public(), scale.SomeOf(c.netuid)), subtensor.SubmitOptions{})
	if wrong, is := errors.AsType[*scale.ModuleError](err); !is || wrong.Name != "HotKeySetTxRateLimitExceeded" {
		t.Errorf("swapped again at once: %v", err)
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
