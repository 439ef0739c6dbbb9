package main

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// StakeRemoveCommand unstakes.
type StakeRemoveCommand struct {
	ownerFlags
	netuidFlag
	holderFlag
	UID        *subnet.UID `name:"uid" placeholder:"N" help:"The hotkey is that of the subnet's neuron of this number, instead."`
	Amount     taoFlag     `short:"a" xor:"amount" placeholder:"ALPHA" help:"How much, in the subnet's alpha."`
	All        bool        `xor:"amount" aliases:"unstake-all" help:"All that the hotkey holds for the coldkey on the subnet."`
	AllNetuids bool        `xor:"amount" aliases:"all_netuids" help:"All that it holds on every subnet. The chain has no limit of prices for that."`
	AllAlpha   bool        `xor:"amount" aliases:"all_alpha" help:"All that it holds on every subnet but root, where the TAO are staked. Without limits too."`
	tradeFlags
}

// Help shows examples.
func (StakeRemoveCommand) Help() string {
	return `Sells a subnet's alpha that a hotkey holds for the coldkey. You see the price, what
you get, and how far your own sale moves the price, before you are asked. The price
that alpha must have when it is done is limited, and the limit is rounded up.

Examples:
  adit stake remove --netuid 1 --amount 10
  adit stake remove --netuid 1 --all --hotkey 5DAA… --tolerance 0.02
  adit stake remove --all-netuids --dry-run
  adit unstake --netuid 1 --all`
}

// Run unstakes.
func (c StakeRemoveCommand) Run(ctx context.Context, t terminal) error {
	if c.AllNetuids || c.AllAlpha {
		return c.everywhere(ctx, t)
	}
	if c.Amount == 0 && !c.All {
		return subnet.WithHint(errors.New("how much is to be taken out?"), "--amount tells, in the subnet's alpha, or --all, or --all-netuids")
	}
	n, err := c.netuid()
	if err != nil {
		return err
	}
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	hotkey, name, err := o.hotkey(ctx, c.coldkeyFlags, c.holderFlag, n, c.UID)
	if err != nil {
		return err
	}
	result := staked{NetUID: n, Hotkey: keys.Address(hotkey), Coldkey: keys.Address(o.who), Alpha: uint64(c.Amount)}
	if err := result.begin(ctx, o, hotkey); err != nil {
		return err
	}
	if result.Alpha, err = o.holding(ctx, hotkey, n, result.Alpha); err != nil {
		return err
	}
	c.SafeStaking = c.SafeStaking && n != 0 // root's price is 1
	if c.safe() {
		if result.Limit, err = c.Tolerance.least(result.Price); err != nil {
			return err
		}
	}
	q, err := o.QuoteSell(ctx, n, result.Alpha)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	result.Expected, result.Slippage, result.PoolFee = q.TAO, q.TAOSlippage, q.AlphaFee
	d := deal{signer: o.files, title: "unstake", stake: true, call: c.call(hotkey, n, &result)}
	d.told = [][2]string{{"subnet", o.subnetName(ctx, n)}, {"hotkey", name},
		{"amount", fmt.Sprintf("%s of %s %s", formatTAO(result.Alpha), formatTAO(result.StakeBefore), unitOf(n))}}
	d.told = append(d.told, c.terms(&result, false)...)
	r, err := c.deal(ctx, t, o.client, d)
	if err != nil {
		return err
	}
	return c.printStaked(ctx, t, o, r, hotkey, &result)
}

// call returns what sells the alpha. All of it is what there is when it is done,
// unless a part would do.
func (c StakeRemoveCommand) call(hotkey subtensor.Account, n subnet.NetUID, s *staked) subtensor.Call {
	switch {
	case c.All && !c.safe():
		return subtensor.RemoveStakeFull(hotkey, n, scale.Option[uint64]{})
	case c.All && !c.Partial:
		return subtensor.RemoveStakeFull(hotkey, n, scale.SomeOf(s.Limit))
	case c.safe():
		return subtensor.RemoveStakeLimit(hotkey, n, s.Alpha, s.Limit, c.Partial)
	}
	return subtensor.RemoveStake(hotkey, n, s.Alpha)
}

// holding checks that a hotkey holds so much alpha for the coldkey that can be
// taken out, or returns all that it does if 0 is asked for.
func (o *owner) holding(ctx context.Context, hotkey subtensor.Account, n subnet.NetUID, alpha uint64) (uint64, error) {
	s, err := o.Stake(ctx, hotkey, o.who, n)
	if err != nil {
		return 0, err
	}
	free := s.Amount - min(s.Amount, s.Locked)
	if alpha == 0 {
		alpha = free
	}
	if free == 0 || alpha > free {
		err := fmt.Errorf("%s holds %s %s on subnet %d for %s", keys.Address(hotkey), formatTAO(s.Amount), unitOf(n), n, keys.Address(o.who))
		if s.Locked > 0 {
			err = fmt.Errorf("%w, of which %s are locked", err, formatTAO(s.Locked))
		}
		return 0, subnet.WithHint(err, "'adit stake list' shows what there is; take less, or name another hotkey")
	}
	return alpha, nil
}

// unitOf is what stake on a subnet is counted in.
func unitOf(n subnet.NetUID) string {
	if n == 0 {
		return "TAO"
	}
	return "alpha"
}

// An unstaked is the result of a hotkey's stakes that were all taken out.
type unstaked struct {
	Hotkey        string         `json:"hotkey_ss58"`
	Coldkey       string         `json:"coldkey_ss58"`
	Subnets       []unstakedFrom `json:"subnets"` // what is there, and of a dry run would be sold
	BalanceBefore uint64         `json:"balance_before"`
	BalanceAfter  uint64         `json:"balance_after"`
}

type unstakedFrom struct {
	NetUID   subnet.NetUID `json:"netuid"`
	Alpha    uint64        `json:"stake"`              // before
	Expected uint64        `json:"expected,omitempty"` // RAO that it would bring, where the chain tells
	Slippage uint64        `json:"slippage,omitempty"` // of that: how much less than at the price before
	TAO      uint64        `json:"tao"`                // RAO that it brought
}

// everywhere unstakes from all subnets at once.
func (c StakeRemoveCommand) everywhere(ctx context.Context, t terminal) error {
	if c.UID != nil {
		return subnet.WithHint(errors.New("a uid names a hotkey on one subnet, and all of them are meant"), "--hotkey takes a name or an address")
	}
	o, hotkey, err := c.openFor(ctx, c.holderFlag)
	if err != nil {
		return err
	}
	defer o.client.Close()
	result := unstaked{Hotkey: keys.Address(hotkey), Coldkey: keys.Address(o.who), Subnets: []unstakedFrom{}}
	d := deal{signer: o.files, title: "unstake everything", stake: true, call: subtensor.UnstakeAll(hotkey), told: [][2]string{{"hotkey", shownHotkey(c.holderFlag, hotkey)}}}
	brings := "TAO"
	if c.AllAlpha {
		d.title, d.call, brings = "unstake from all subnets, and stake the TAO on root", subtensor.UnstakeAllAlpha(hotkey), "TAO on root"
	}
	if result.Subnets, err = c.holdings(ctx, o.View, hotkey, o.who); err != nil {
		return err
	}
	for _, s := range result.Subnets {
		text := formatTAO(s.Alpha) + " " + unitOf(s.NetUID)
		if s.NetUID != 0 && s.Expected > 0 {
			text += fmt.Sprintf(", brings about %s %s, slippage %s", formatTAO(s.Expected), brings, formatParts(s.Slippage, s.Expected+s.Slippage))
		}
		d.told = append(d.told, [2]string{fmt.Sprintf("subnet %d", s.NetUID), text})
	}
	if len(result.Subnets) == 0 {
		return subnet.WithHint(fmt.Errorf("%s holds nothing for %s", result.Hotkey, result.Coldkey), "'adit stake list' shows what there is; --hotkey names another hotkey")
	}
	d.told = append(d.told, c.unlimited(o, hotkey, &d, result.Subnets), [2]string{"note", "what cannot be sold, such as very little, stays"})
	before, err := o.Account(ctx, o.who)
	if err != nil {
		return err
	}
	result.BalanceBefore, result.BalanceAfter = before.Free, before.Free
	r, err := c.deal(ctx, t, o.client, d)
	if err != nil {
		return err
	}
	if r.DryRun {
		return c.print(t, r, result)
	}
	sold, total := result.sold(r)
	v, err := o.client.At(ctx, subnet.Block(r.Block))
	if err != nil {
		return err
	}
	after, err := v.Account(ctx, o.who)
	if err != nil {
		return err
	}
	result.BalanceAfter = after.Free
	return c.print(t, r, result, [2]string{"sold", fmt.Sprintf("on %d of %d subnets, for %s %s", sold, len(result.Subnets), formatTAO(total), brings)},
		[2]string{"balance", formatTAO(result.BalanceBefore) + " → " + formatTAO(result.BalanceAfter) + " TAO"})
}

// holdings reads what would be sold, and what that would bring.
func (c StakeRemoveCommand) holdings(ctx context.Context, v *subtensor.View, hotkey, coldkey subtensor.Account) ([]unstakedFrom, error) {
	stakes, err := v.Stakes(ctx, coldkey)
	if err != nil {
		return nil, err
	}
	out := []unstakedFrom{}
	for _, s := range stakes {
		if s.Hotkey != hotkey || s.Amount == 0 || c.AllAlpha && s.NetUID == 0 {
			continue
		}
		q, err := v.QuoteSell(ctx, s.NetUID, s.Amount)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return nil, err
		}
		out = append(out, unstakedFrom{NetUID: s.NetUID, Alpha: s.Amount, Expected: q.TAO, Slippage: q.TAOSlippage})
	}
	return out, nil
}

// unlimited makes the sale of everything, for which the chain has no limit, wait for
// one: nothing is signed if it brings less by then than the tolerance allows.
func (c StakeRemoveCommand) unlimited(o *owner, hotkey subtensor.Account, d *deal, told []unstakedFrom) [2]string {
	total := func(list []unstakedFrom) (rao uint64) {
		for _, s := range list {
			rao += s.Expected
		}
		return rao
	}
	least, err := c.Tolerance.least(total(told))
	if !c.safe() || err != nil { // or the chain does not tell what it brings
		return [2]string{"limit", noLimit}
	}
	call := d.call
	d.ready = func(ctx context.Context) (subtensor.Call, error) {
		v, err := o.client.At(ctx, subnet.Latest)
		if err != nil {
			return call, err
		}
		now, err := c.holdings(ctx, v, hotkey, o.who)
		if err == nil && total(now) < least {
			err = subnet.WithHint(fmt.Errorf("it brings only about %s TAO meanwhile", formatTAO(total(now))), "nothing was signed; ask again")
		}
		return call, err
	}
	return [2]string{"limit", "none on the chain; nothing is signed if it brings less by " + c.Tolerance.percent()}
}

// sold notes what the chain says was sold, and returns on how many subnets and for
// how many RAO.
func (u *unstaked) sold(r *receipt) (subnets int, rao uint64) {
	for _, e := range trades(r.events) {
		for i := range u.Subnets {
			if s := &u.Subnets[i]; !e.bought && s.NetUID == e.netuid {
				s.TAO += e.tao
				rao += e.tao
				subnets++
			}
		}
	}
	return subnets, rao
}
