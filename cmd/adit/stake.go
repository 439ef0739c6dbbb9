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

// StakeCommand is about what lies with hotkeys.
type StakeCommand struct {
	List     StakeListCommand     `cmd:"" help:"Show what a coldkey has staked."`
	Add      StakeAddCommand      `cmd:"" default:"withargs" help:"Stake: buy a subnet's alpha for TAO, for a hotkey to hold."`
	Remove   StakeRemoveCommand   `cmd:"" help:"Unstake: sell alpha for TAO."`
	Move     StakeMoveCommand     `cmd:"" help:"Move stake to another hotkey."`
	Swap     StakeSwapCommand     `cmd:"" help:"Move stake to another subnet."`
	Transfer StakeTransferCommand `cmd:"" help:"Give stake to another coldkey."`
	Child    StakeChildCommand    `cmd:"" help:"Let other hotkeys work with a hotkey's stake."`
	Take     StakeTakeCommand     `cmd:"" help:"Show or set what a hotkey keeps of its nominators' rewards."`
}

// A tradeFlags says at which price a subnet's alpha is bought and sold.
type tradeFlags struct {
	Tolerance   toleranceFlag `aliases:"rate-tolerance,rate_tolerance,limit" default:"0.005" placeholder:"PART" help:"By which part the price may get worse (${default})."`
	SafeStaking bool          `aliases:"safe_staking,safe" default:"true" negatable:"" help:"Refuse a price that is worse than that."`
	Unsafe      bool          `aliases:"no_safe_staking,no-safe" hidden:"" help:"See --no-safe-staking."`
	Partial     bool          `aliases:"allow-partial-stake,allow_partial_stake,allow-partial" negatable:"" help:"Do as much as can be done at that price, rather than all or nothing."`
}

func (f tradeFlags) safe() bool { return f.SafeStaking && !f.Unsafe }

// StakeAddCommand stakes.
type StakeAddCommand struct {
	ownerFlags
	netuidFlag
	holderFlag
	UID    *subnet.UID `name:"uid" placeholder:"N" help:"The hotkey is that of the subnet's neuron of this number, instead."`
	Amount taoFlag     `short:"a" xor:"amount" placeholder:"TAO" help:"How much."`
	All    bool        `xor:"amount" aliases:"stake-all" help:"All there is, but for the fee and the existential deposit."`
	tradeFlags
}

// Help shows examples.
func (StakeAddCommand) Help() string {
	return `Buys a subnet's alpha for TAO of the coldkey, for a hotkey to hold. You see the
price, what you get for the amount, and how far your own purchase moves the price,
before you are asked. The price that alpha may have when it is done is limited, and
the limit is rounded down. On subnet 0 alpha is TAO.

Examples:
  adit stake add --netuid 1 --amount 10
  adit stake add --netuid 1 --amount 10 --hotkey 5DAA… --tolerance 0.02 --partial
  adit stake --netuid 1 --uid 3 --all --dry-run`
}

// A staked is the result of a stake added or removed. Amounts are in RAO, or in the
// smallest unit of alpha.
type staked struct {
	NetUID   subnet.NetUID `json:"netuid"`
	Hotkey   string        `json:"hotkey_ss58"`
	Coldkey  string        `json:"coldkey_ss58"`
	Price    uint64        `json:"price"`                 // RAO for one alpha, before
	Limit    uint64        `json:"limit_price,omitempty"` // RAO for one alpha; 0 if there is none
	Expected uint64        `json:"expected,omitempty"`    // alpha or TAO that it would bring, where the chain tells
	Slippage uint64        `json:"slippage,omitempty"`    // of that: how much less than at the price before

	TAO     uint64 `json:"tao"`      // paid or got; of a dry run, what would be paid
	Alpha   uint64 `json:"alpha"`    // got or sold; of a dry run, what would be sold
	PoolFee uint64 `json:"pool_fee"` // of what is paid or sold

	StakeBefore   uint64 `json:"stake_before"`
	StakeAfter    uint64 `json:"stake_after"`
	BalanceBefore uint64 `json:"balance_before"`
	BalanceAfter  uint64 `json:"balance_after"`
}

// Run stakes.
func (c StakeAddCommand) Run(ctx context.Context, t terminal) error {
	if c.Amount == 0 && !c.All {
		return subnet.WithHint(errors.New("how much is to be staked?"), "--amount tells, in TAO, or --all")
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
	d := deal{signer: o.files, title: "stake", keeps: true}
	rao, result := uint64(c.Amount), staked{NetUID: n, Hotkey: keys.Address(hotkey), Coldkey: keys.Address(o.who)}
	if err := result.begin(ctx, o, hotkey); err != nil {
		return err
	}
	c.SafeStaking = c.SafeStaking && n != 0 // root's price is 1
	if c.safe() {
		if result.Limit, err = c.Tolerance.most(result.Price); err != nil {
			return err
		}
	}
	call := func(rao uint64) subtensor.Call {
		if c.safe() {
			return subtensor.AddStakeLimit(hotkey, n, rao, result.Limit, c.Partial)
		}
		return subtensor.AddStake(hotkey, n, rao)
	}
	if c.All {
		if rao, err = c.all(ctx, o, call(0)); err != nil {
			return err
		}
	}
	d.call, d.spends, result.TAO = call(rao), rao, rao
	owned, err := o.ownership(ctx, hotkey)
	if err != nil {
		return err
	}
	q, err := o.QuoteBuy(ctx, n, rao)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	result.Expected, result.Slippage, result.PoolFee = q.Alpha, q.AlphaSlippage, q.TAOFee
	d.told = [][2]string{{"subnet", o.subnetName(ctx, n)}, {"hotkey", name}}
	d.told = append(append(d.told, owned...), [2]string{"amount", formatTAO(rao) + " TAO"})
	d.told = append(d.told, c.terms(&result, true)...)
	d.told = append(d.told, [2]string{"balance", formatTAO(result.BalanceBefore) + " TAO"})
	r, err := c.deal(ctx, t, o.client, d)
	if err != nil {
		return err
	}
	return c.printStaked(ctx, t, o, r, hotkey, &result)
}

// begin reads how it is before.
func (s *staked) begin(ctx context.Context, o *owner, hotkey subtensor.Account) error {
	has, err := o.Account(ctx, o.who)
	if err != nil {
		return err
	}
	stake, err := o.Stake(ctx, hotkey, o.who, s.NetUID)
	if err != nil {
		return err
	}
	s.BalanceBefore, s.BalanceAfter, s.StakeBefore, s.StakeAfter = has.Free, has.Free, stake.Amount, stake.Amount
	s.Price, err = o.AlphaPrice(ctx, s.NetUID)
	return err
}

// terms is what a person is told of a trade: of a purchase, or of a sale.
func (f tradeFlags) terms(s *staked, buys bool) [][2]string {
	if s.NetUID == 0 { // nothing is traded
		return nil
	}
	told := [][2]string{{"price", formatTAO(s.Price) + " TAO for one alpha"}}
	takes, brings, sign := "TAO", "alpha", "+"
	if !buys {
		takes, brings, sign = brings, takes, "-"
	}
	move := 0.0
	if s.Expected > 0 {
		move = priceMove(s.Slippage, s.Expected+s.Slippage, buys)
		told = append(told, [2]string{"brings", fmt.Sprintf("about %s %s", formatTAO(s.Expected), brings)},
			[2]string{"slippage", fmt.Sprintf("%s, %s %s less than at this price", formatParts(s.Slippage, s.Expected+s.Slippage), formatTAO(s.Slippage), brings)},
			[2]string{"pool's fee", fmt.Sprintf("%s %s, of the amount", formatTAO(s.PoolFee), takes)})
	}
	if !f.safe() {
		return append(told, [2]string{"limit", noLimit})
	}
	rest := "all or nothing"
	if f.Partial {
		rest = "as much as can be had"
	}
	told = append(told, [2]string{"limit", fmt.Sprintf("%s TAO for one alpha (%s%s), %s", formatTAO(s.Limit), sign, f.Tolerance.percent(), rest)})
	if move > float64(f.Tolerance)/billion {
		what := "the chain will refuse it"
		if f.Partial {
			what = "a part will be done"
		}
		told = append(told, [2]string{"past it", fmt.Sprintf("this moves the price by about %s%s itself: %s", sign, formatParts(uint64(move*billion), billion), what)})
	}
	return told
}

const noLimit = "none: whatever the price is when it is done"

// priceMove returns by about which part a trade moves the price, from how much less
// it brings than at the price before it: twice as far, as pools with a constant
// product have it.
func priceMove(slippage, flat uint64, buys bool) float64 {
	left := 1 - float64(slippage)/float64(flat)
	if buys {
		return 1/(left*left) - 1
	}
	return 1 - left*left
}

// printStaked tells what has become of a trade.
func (f dealFlags) printStaked(ctx context.Context, t terminal, o *owner, r *receipt, hotkey subtensor.Account, s *staked) error {
	var changed [][2]string
	if !r.DryRun {
		v, err := o.client.At(ctx, subnet.Block(r.Block))
		if err != nil {
			return err
		}
		after := *s
		if err := after.begin(ctx, &owner{who: o.who, View: v}, hotkey); err != nil {
			return err
		}
		s.StakeAfter, s.BalanceAfter = after.StakeBefore, after.BalanceBefore
		s.TAO, s.Alpha, s.PoolFee = 0, 0, 0
		for _, e := range trades(r.events) {
			if e.netuid == s.NetUID {
				s.TAO, s.Alpha, s.PoolFee = s.TAO+e.tao, s.Alpha+e.alpha, s.PoolFee+e.fee
			}
		}
		trade := formatTAO(s.TAO) + " TAO for " + formatTAO(s.Alpha) + " alpha"
		if s.NetUID == 0 {
			trade = formatTAO(s.TAO) + " TAO"
		}
		changed = [][2]string{{"traded", trade},
			{"stake", formatTAO(s.StakeBefore) + " → " + formatTAO(s.StakeAfter)},
			{"balance", formatTAO(s.BalanceBefore) + " → " + formatTAO(s.BalanceAfter) + " TAO"}}
	}
	return f.print(t, r, s, changed...)
}

// A trade is what the chain says of alpha that was bought or sold.
type trade struct {
	bought          bool
	tao, alpha, fee uint64
	netuid          subnet.NetUID
}

// trades reads events. The fields of StakeAdded and StakeRemoved are coldkey, hotkey,
// TAO, alpha, netuid and the pool's fee; most runtimes have no names for them.
func trades(events []scale.Event) []trade {
	var out []trade
	for _, e := range events {
		if e.Pallet != "SubtensorModule" || e.Name != "StakeAdded" && e.Name != "StakeRemoved" {
			continue
		}
		x := trade{bought: e.Name == "StakeAdded"}
		ok := true
		for i, f := range []struct {
			name string
			to   any
		}{{"tao", &x.tao}, {"alpha", &x.alpha}, {"netuid", &x.netuid}, {"fee", &x.fee}} {
			v := e.At(2 + i)
			if v == nil {
				v = e.Get(f.name)
			}
			ok = ok && scale.Assign(f.to, v) == nil
		}
		if ok {
			out = append(out, x)
		}
	}
	return out
}

// hotkey returns the hotkey that is meant on a subnet: that of a uid, or one by its
// name or address; and what a person is told of it. There must be such a subnet.
func (o *owner) hotkey(ctx context.Context, in coldkeyFlags, f holderFlag, n subnet.NetUID, uid *subnet.UID) (subtensor.Account, string, error) {
	if err := o.exists(ctx, n); err != nil {
		return subtensor.Account{}, "", err
	}
	if uid == nil {
		who, err := in.hotkeyNamed(f.Hotkey)
		return who, shownHotkey(f, who), err
	}
	who, err := o.HotkeyOf(ctx, n, *uid)
	if errors.Is(err, subnet.ErrNotFound) {
		err = subnet.WithHint(err, fmt.Sprintf("'adit metagraph --netuid %d' shows those that there are", n))
	}
	return who, fmt.Sprintf("uid %d, %s", *uid, keys.Address(who)), err
}

// ownership tells whose a hotkey is, and what it keeps of others' rewards. One that
// the chain does not know cannot hold stake.
func (o *owner) ownership(ctx context.Context, hotkey subtensor.Account) ([][2]string, error) {
	coldkey, is, err := o.Owner(ctx, hotkey)
	switch {
	case err != nil:
		return nil, err
	case !is:
		return nil, subnet.WithHint(fmt.Errorf("the chain does not know the hotkey %s", keys.Address(hotkey)), "'adit subnet register' makes it a neuron; 'adit wallet associate-hotkey' only makes it known")
	case coldkey == o.who:
		return [][2]string{{"owner", "you"}}, nil
	}
	take, err := o.Take(ctx, hotkey)
	return [][2]string{{"owner", keys.Address(coldkey)}, {"take", formatParts(uint64(take), 65535) + " of the rewards stay with the owner"}}, err
}

// subnetName is what a person calls a subnet.
func (o *owner) subnetName(ctx context.Context, n subnet.NetUID) string {
	if n == 0 {
		return "0, root"
	}
	text := fmt.Sprint(n)
	if info, err := o.SubnetInfo(ctx, n); err == nil && info.Name != "" && info.Name != "unknown" { // it is only a name
		text += ", " + info.Name
	}
	return text
}
