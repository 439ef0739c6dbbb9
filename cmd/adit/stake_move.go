package main

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// A moveFlags says which stake goes to which subnet.
type moveFlags struct {
	ownerFlags
	Netuid     *subnet.NetUID `short:"n" aliases:"origin-netuid,origin_netuid" env:"BT_NETUID" placeholder:"N" help:"The subnet it is on."`
	DestNetuid *subnet.NetUID `aliases:"dest_netuid,destination-netuid" placeholder:"N" help:"The subnet it goes to, if that is another."`
	Amount     taoFlag        `short:"a" xor:"amount" placeholder:"ALPHA" help:"How much, in the alpha of the subnet it is on."`
	All        bool           `xor:"amount" aliases:"stake-all" help:"All that the hotkey holds for the coldkey there."`
}

// A moved is the result of stake that went elsewhere. Amounts are in RAO, or in the
// smallest unit of alpha.
type moved struct {
	From     place  `json:"origin"`
	To       place  `json:"destination"`
	Limit    uint64 `json:"limit_ratio,omitempty"` // what one alpha must bring of the other, times 10^9; 0 if there is no limit
	Expected uint64 `json:"expected,omitempty"`    // alpha that it would bring, where the chain tells
	Alpha    uint64 `json:"amount"`                // that left; of a dry run, that would leave
	TAO      uint64 `json:"tao"`                   // what it was worth on the way; of a dry run, what it would be
	Got      uint64 `json:"received"`              // alpha that arrived
}

// A place is whose stake it is, with whom, and where.
type place struct {
	NetUID  subnet.NetUID `json:"netuid"`
	Hotkey  string        `json:"hotkey_ss58"`
	Coldkey string        `json:"coldkey_ss58"`
	Price   uint64        `json:"price"` // RAO for one alpha, before
	Before  uint64        `json:"stake_before"`
	After   uint64        `json:"stake_after"`

	hotkey, coldkey subtensor.Account
}

func (p *place) begin(ctx context.Context, v *subtensor.View) error {
	p.Hotkey, p.Coldkey = keys.Address(p.hotkey), keys.Address(p.coldkey)
	s, err := v.Stake(ctx, p.hotkey, p.coldkey, p.NetUID)
	if err != nil {
		return err
	}
	p.Before, p.After = s.Amount, s.Amount
	p.Price, err = v.AlphaPrice(ctx, p.NetUID)
	return err
}

// plan reads what is to be moved, and says what a person should know of it. What
// goes to another subnet is sold there and bought here.
func (f moveFlags) plan(ctx context.Context, o *owner, m *moved, d *deal) error {
	d.signer, d.stake = o.files, true
	for _, p := range []*place{&m.From, &m.To} {
		if err := o.exists(ctx, p.NetUID); err != nil {
			return err
		}
		if err := p.begin(ctx, o.View); err != nil {
			return err
		}
	}
	if m.From == m.To {
		return subnet.WithHint(errors.New("it would stay where it is"), "--dest-netuid names another subnet")
	}
	if _, err := o.ownership(ctx, m.To.hotkey); err != nil {
		return err
	}
	var err error
	if m.Alpha, err = o.holding(ctx, m.From.hotkey, m.From.NetUID, uint64(f.Amount)); err != nil {
		return err
	}
	to := o.subnetName(ctx, m.To.NetUID)
	d.told = append(d.told, [2]string{"from", "subnet " + o.subnetName(ctx, m.From.NetUID)}, [2]string{"", "hotkey " + m.From.Hotkey}, [2]string{"to", "subnet " + to})
	if m.To.hotkey != m.From.hotkey {
		d.told = append(d.told, [2]string{"", "hotkey " + m.To.Hotkey})
	}
	if m.To.coldkey != m.From.coldkey {
		d.told = append(d.told, [2]string{"", "coldkey " + m.To.Coldkey})
	}
	d.told = append(d.told, [2]string{"amount", fmt.Sprintf("%s of %s %s", formatTAO(m.Alpha), formatTAO(m.From.Before), unitOf(m.From.NetUID))})
	return f.quote(ctx, o, m, d)
}

// quote tells what a move to another subnet brings.
func (f moveFlags) quote(ctx context.Context, o *owner, m *moved, d *deal) error {
	if m.From.NetUID == m.To.NetUID {
		m.Expected = m.Alpha
		return nil
	}
	d.told = append(d.told, [2]string{"prices", fmt.Sprintf("%s TAO on subnet %d, %s TAO on subnet %d", formatTAO(m.From.Price), m.From.NetUID, formatTAO(m.To.Price), m.To.NetUID)})
	sold, err := o.QuoteSell(ctx, m.From.NetUID, m.Alpha)
	var bought subtensor.Quote
	if err == nil {
		bought, err = o.QuoteBuy(ctx, m.To.NetUID, sold.TAO)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	m.TAO, m.Expected = sold.TAO, bought.Alpha
	d.told = append(d.told, [2]string{"brings", fmt.Sprintf("about %s %s, by way of %s TAO", formatTAO(bought.Alpha), unitOf(m.To.NetUID), formatTAO(sold.TAO))})
	d.told = append(d.told, [2]string{"slippage", fmt.Sprintf("%s on subnet %d, %s on subnet %d",
		formatParts(sold.TAOSlippage, sold.TAO+sold.TAOSlippage), m.From.NetUID, formatParts(bought.AlphaSlippage, bought.Alpha+bought.AlphaSlippage), m.To.NetUID)})
	return nil
}

// unlimited makes a move that the chain has no limit for wait for one: nothing is
// signed if it brings less by then than the tolerance allows.
func (f moveFlags) unlimited(o *owner, m *moved, d *deal, tolerance toleranceFlag) error {
	if m.From.NetUID == m.To.NetUID {
		return nil
	}
	least, err := tolerance.leastRatio(m.From.Price, m.To.Price)
	if err != nil {
		return err
	}
	d.told = append(d.told, [2]string{"limit", "none on the chain; nothing is signed if prices are worse by " + tolerance.percent()})
	call := d.call
	d.ready = func(ctx context.Context) (subtensor.Call, error) {
		v, err := o.client.At(ctx, subnet.Latest)
		if err != nil {
			return call, err
		}
		from, to := m.From, m.To
		if err := from.begin(ctx, v); err != nil {
			return call, err
		}
		if err := to.begin(ctx, v); err != nil {
			return call, err
		}
		if now, err := toleranceFlag(0).leastRatio(from.Price, to.Price); err != nil || now < least {
			return call, subnet.WithHint(errors.New("the prices have become worse meanwhile"), "nothing was signed; ask again")
		}
		return call, nil
	}
	return nil
}

// finish tells what has become of a move.
func (f moveFlags) finish(ctx context.Context, t terminal, o *owner, m *moved, d deal) error {
	r, err := f.deal(ctx, t, o.client, d)
	if err != nil {
		return err
	}
	if r.DryRun {
		return f.print(t, r, m)
	}
	v, err := o.client.At(ctx, subnet.Block(r.Block))
	if err != nil {
		return err
	}
	from, to := m.From, m.To
	if err := errors.Join(from.begin(ctx, v), to.begin(ctx, v)); err != nil {
		return err
	}
	m.From.After, m.To.After = from.Before, to.Before
	m.Got, m.TAO = 0, 0
	for _, e := range trades(r.events) {
		if e.bought && e.netuid == m.To.NetUID {
			m.Got += e.alpha
		} else if !e.bought && e.netuid == m.From.NetUID {
			m.Alpha, m.TAO = e.alpha, e.tao
		}
	}
	if m.Got == 0 && m.From.NetUID == m.To.NetUID { // some runtimes tell of no trade then
		m.Got = m.Alpha
	}
	return f.print(t, r, m, [2]string{"moved", fmt.Sprintf("%s %s, %s %s arrived", formatTAO(m.Alpha), unitOf(m.From.NetUID), formatTAO(m.Got), unitOf(m.To.NetUID))},
		[2]string{"from", formatTAO(m.From.Before) + " → " + formatTAO(m.From.After)},
		[2]string{"to", formatTAO(m.To.Before) + " → " + formatTAO(m.To.After)})
}

var errAmountMoved = subnet.WithHint(errors.New("how much is to be moved?"), "--amount tells, in the subnet's alpha, or --all")

// begin reads the flags and connects. The caller closes the client.
func (f moveFlags) begin(ctx context.Context) (o *owner, from, to subnet.NetUID, err error) {
	if f.Amount == 0 && !f.All {
		return nil, 0, 0, errAmountMoved
	}
	if from, err = (netuidFlag{f.Netuid}).netuid(); err != nil {
		return nil, 0, 0, err
	}
	if to = from; f.DestNetuid != nil {
		to = *f.DestNetuid
	}
	o, err = f.open(ctx)
	return o, from, to, err
}

// StakeMoveCommand moves stake to another hotkey.
type StakeMoveCommand struct {
	moveFlags
	holderFlag
	Dest      string        `aliases:"dest-hotkey,dest_hotkey,dest-ss58" short:"d" required:"" placeholder:"NAME|ADDRESS" help:"The hotkey it goes to: its name in the wallet, or its address."`
	Tolerance toleranceFlag `aliases:"rate-tolerance,rate_tolerance,limit" default:"0.005" placeholder:"PART" help:"By which part the price may get worse until it is signed (${default})."`
}

// Help shows examples.
func (StakeMoveCommand) Help() string {
	return `Moves stake from one hotkey to another, for the same coldkey. On the same subnet
nothing is traded. To another subnet it is sold and bought, for which the chain has
no limit of prices: 'adit stake swap' has one, and keeps the hotkey.

Examples:
  adit stake move --netuid 1 --hotkey first --dest second --all
  adit stake move --netuid 1 --dest 5DAA… --amount 10 --dry-run`
}

// Run moves it.
func (c StakeMoveCommand) Run(ctx context.Context, t terminal) error {
	o, from, to, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	m := &moved{From: place{NetUID: from, coldkey: o.who}, To: place{NetUID: to, coldkey: o.who}}
	if m.From.hotkey, err = c.hotkeyNamed(c.Hotkey); err != nil {
		return err
	}
	if m.To.hotkey, err = c.hotkeyNamed(c.Dest); err != nil {
		return err
	}
	d := deal{title: "move stake"}
	if err := c.plan(ctx, o, m, &d); err != nil {
		return err
	}
	d.call = subtensor.MoveStake(subtensor.Place{Hotkey: m.From.hotkey, NetUID: from}, subtensor.Place{Hotkey: m.To.hotkey, NetUID: to}, m.Alpha)
	if err := c.unlimited(o, m, &d, c.Tolerance); err != nil {
		return err
	}
	return c.finish(ctx, t, o, m, d)
}

// StakeTransferCommand gives stake to another coldkey.
type StakeTransferCommand struct {
	moveFlags
	holderFlag
	Dest      string        `aliases:"dest-coldkey,dest-ss58,dest_ss58" short:"d" required:"" placeholder:"ADDRESS" help:"The coldkey that gets it."`
	Tolerance toleranceFlag `aliases:"rate-tolerance,rate_tolerance,limit" default:"0.005" placeholder:"PART" help:"By which part the price may get worse until it is signed (${default})."`
}

// Help shows examples.
func (StakeTransferCommand) Help() string {
	return `Gives stake to another coldkey. It stays with its hotkey. On the same subnet nothing
is traded. To another subnet it is sold and bought, without a limit of prices on the
chain.

Examples:
  adit stake transfer --netuid 1 --dest 5DAA… --amount 10
  adit stake transfer --netuid 1 --hotkey first --dest 5DAA… --all --dry-run`
}

// Run gives it.
func (c StakeTransferCommand) Run(ctx context.Context, t terminal) error {
	dest, err := parseAccount(c.Dest)
	if err != nil {
		return err
	}
	o, from, to, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	m := &moved{From: place{NetUID: from, coldkey: o.who}, To: place{NetUID: to, coldkey: dest}}
	if m.From.hotkey, err = c.hotkeyNamed(c.Hotkey); err != nil {
		return err
	}
	m.To.hotkey = m.From.hotkey
	d := deal{title: "give stake away"}
	if err := c.plan(ctx, o, m, &d); err != nil {
		return err
	}
	d.call = subtensor.TransferStake(dest, m.From.hotkey, from, to, m.Alpha)
	if err := c.unlimited(o, m, &d, c.Tolerance); err != nil {
		return err
	}
	return c.finish(ctx, t, o, m, d)
}

// StakeSwapCommand moves stake to another subnet.
type StakeSwapCommand struct {
	moveFlags
	holderFlag
	tradeFlags
}

// Help shows examples.
func (StakeSwapCommand) Help() string {
	return `Sells alpha of one subnet for that of another, with the same hotkey. What one alpha
must bring of the other is limited, and the limit is rounded up.

Examples:
  adit stake swap --netuid 1 --dest-netuid 2 --amount 10
  adit stake swap --netuid 1 --dest-netuid 2 --all --tolerance 0.02 --dry-run`
}

// Run swaps it.
func (c StakeSwapCommand) Run(ctx context.Context, t terminal) error {
	if c.DestNetuid == nil {
		return subnet.WithHint(errors.New("which subnet does it go to?"), "--dest-netuid tells")
	}
	o, from, to, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	m := &moved{From: place{NetUID: from, coldkey: o.who}, To: place{NetUID: to, coldkey: o.who}}
	if m.From.hotkey, err = c.hotkeyNamed(c.Hotkey); err != nil {
		return err
	}
	m.To.hotkey = m.From.hotkey
	d := deal{title: "swap stake"}
	if err := c.plan(ctx, o, m, &d); err != nil {
		return err
	}
	if !c.safe() {
		d.call = subtensor.SwapStake(m.From.hotkey, from, to, m.Alpha)
		d.told = append(d.told, [2]string{"limit", noLimit})
		return c.finish(ctx, t, o, m, d)
	}
	if m.Limit, err = c.Tolerance.leastRatio(m.From.Price, m.To.Price); err != nil {
		return err
	}
	rest := "all or nothing"
	if c.Partial {
		rest = "as much as can be had"
	}
	d.call = subtensor.SwapStakeLimit(m.From.hotkey, from, to, m.Alpha, m.Limit, c.Partial)
	d.told = append(d.told, [2]string{"limit", fmt.Sprintf("%s %s for one (-%s), %s", formatTAO(m.Limit), unitOf(to), c.Tolerance.percent(), rest)})
	return c.finish(ctx, t, o, m, d)
}
