package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// SubnetCreateCommand creates a subnet.
type SubnetCreateCommand struct {
	ownerFlags
	holderFlag
	Name        string `name:"subnet-name" aliases:"subnet_name" placeholder:"TEXT" help:"What it is called. This and what follows is for everybody to see."`
	Repo        string `name:"github-repo" aliases:"repo,github_repo" placeholder:"URL" help:"Where its code is."`
	Contact     string `name:"subnet-contact" aliases:"contact,email,subnet_contact" placeholder:"TEXT" help:"How to reach its owner."`
	URL         string `name:"subnet-url" aliases:"url,subnet_url" placeholder:"URL" help:"Its site."`
	Discord     string `aliases:"discord-handle,discord_handle" placeholder:"TEXT" help:"Its owner there."`
	Description string `placeholder:"TEXT" help:"What it is for."`
	Logo        string `name:"logo-url" aliases:"logo_url" placeholder:"URL" help:"Its picture."`
	Additional  string `name:"additional-info" aliases:"additional,additional_info" placeholder:"TEXT" help:"What else there is to say."`
}

// Help shows examples.
func (SubnetCreateCommand) Help() string {
	return `Creates a subnet that the coldkey owns, with the hotkey as its first neuron. You see
the price before you are asked; nothing is signed if it has risen by then, but the chain takes
what it is when it is done. Once the subnet is created, its owner may start it.

Examples:
  adit subnet create --subnet-name mine --subnet-url https://example.org
  adit subnet create --wallet-name owner --hotkey first --dry-run`
}

// A created is the result of a subnet's creation.
type created struct {
	NetUID  *subnet.NetUID `json:"netuid"` // null of a dry run
	Hotkey  string         `json:"hotkey_ss58"`
	Coldkey string         `json:"coldkey_ss58"`
	Price   uint64         `json:"price"`                // RAO, before
	Start   uint64         `json:"start_from,omitempty"` // the first block in which it may be started
	Before  uint64         `json:"balance_before"`
	After   uint64         `json:"balance_after"`
}

// Run creates it.
func (c SubnetCreateCommand) Run(ctx context.Context, t terminal) error {
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	hotkey, err := c.hotkeyNamed(c.Hotkey)
	if err != nil {
		return err
	}
	if of, known, err := o.Owner(ctx, hotkey); err != nil || known && of != o.who {
		if err == nil {
			err = subnet.WithHint(fmt.Errorf("the hotkey %s belongs to another coldkey, %s", keys.Address(hotkey), keys.Address(of)), "take another hotkey, or that wallet")
		}
		return err
	}
	has, err := o.Account(ctx, o.who)
	if err != nil {
		return err
	}
	result := created{Hotkey: keys.Address(hotkey), Coldkey: keys.Address(o.who), Before: has.Free, After: has.Free}
	if result.Price, err = o.NetworkPrice(ctx); err != nil {
		return err
	}
	d := deal{signer: o.files, title: "create a subnet", call: subtensor.RegisterNetwork(hotkey), spends: result.Price, keeps: true,
		told: [][2]string{{"hotkey", shownHotkey(c.holderFlag, hotkey)}, {"price", formatTAO(result.Price) + " TAO, or what it is when it is done"}, {"balance", formatTAO(has.Free) + " TAO"}}}
	if id := c.identity(); id != (subtensor.SubnetIdentity{}) {
		d.call = subtensor.RegisterNetworkAs(hotkey, id)
		d.told = append(d.told, c.said()...)
	}
	// The chain has no limit for this price, which doubles when somebody else creates
	// one. What was agreed to is the most that is paid, but for the last block.
	d.ready = func(ctx context.Context) (subtensor.Call, error) {
		v, err := o.client.At(ctx, subnet.Latest)
		if err != nil {
			return d.call, err
		}
		price, err := v.NetworkPrice(ctx)
		if err == nil && price > result.Price {
			err = subnet.WithHint(fmt.Errorf("the price has risen to %s TAO meanwhile", formatTAO(price)), "nothing was signed; ask again")
		}
		return d.call, err
	}
	r, err := c.deal(ctx, t, o.client, d)
	if err != nil {
		return err
	}
	if r.DryRun {
		return c.print(t, r, result)
	}
	n, ok := createdSubnet(r.events)
	if !ok {
		return errors.New("the chain does not tell the new subnet's number: 'adit subnet list' shows it")
	}
	v, err := o.client.At(ctx, subnet.Block(r.Block))
	if err != nil {
		return err
	}
	if has, err = v.Account(ctx, o.who); err != nil {
		return err
	}
	start, err := v.SubnetStart(ctx, n)
	if err != nil {
		return err
	}
	result.NetUID, result.After, result.Start = &n, has.Free, uint64(start.Allowed)
	r.Message = fmt.Sprintf("Created subnet %d", n)
	return c.print(t, r, result, [2]string{"balance", formatTAO(result.Before) + " → " + formatTAO(result.After) + " TAO"},
		[2]string{"start", fmt.Sprintf("from block %d on, with 'adit subnet start --netuid %d'", start.Allowed, n)})
}

func (c SubnetCreateCommand) identity() subtensor.SubnetIdentity {
	return subtensor.SubnetIdentity{Name: c.Name, Repo: c.Repo, Contact: c.Contact, URL: c.URL, Discord: c.Discord, Description: c.Description, Logo: c.Logo, Additional: c.Additional}
}

func (c SubnetCreateCommand) said() [][2]string {
	var told [][2]string
	for _, p := range [][2]string{{"name", c.Name}, {"repo", c.Repo}, {"contact", c.Contact}, {"url", c.URL}, {"discord", c.Discord},
		{"description", c.Description}, {"logo", c.Logo}, {"additional", c.Additional}} {
		if p[1] != "" {
			told = append(told, p)
		}
	}
	return told
}

// createdSubnet finds the number of a new subnet in events.
func createdSubnet(events []scale.Event) (n subnet.NetUID, ok bool) {
	for _, e := range events {
		if e.String() == "SubtensorModule.NetworkAdded" && scale.Assign(&n, e.At(0)) == nil {
			return n, true
		}
	}
	return 0, false
}

// SubnetStartCommand starts a subnet.
type SubnetStartCommand struct {
	ownerFlags
	netuidFlag
}

// Help shows examples.
func (SubnetStartCommand) Help() string {
	return `Lets a subnet's emission begin, and its alpha be bought. Its owner may do it once,
some time after its creation: 'adit subnet check-start' tells when.

Examples:
  adit subnet start --netuid 1
  adit subnet start --netuid 1 --wallet-name owner --yes`
}

// Run starts it.
func (c SubnetStartCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	s, err := readStart(ctx, o.client, o.View, n)
	switch {
	case err != nil:
		return err
	case s.Started:
		return subnet.WithHint(fmt.Errorf("subnet %d has been started already", n), "nothing is left to do")
	case s.Owner != keys.Address(o.who):
		return subnet.WithHint(fmt.Errorf("subnet %d belongs to %s", n, s.Owner), "only its owner may start it; --wallet-name tells which wallet is meant")
	case !s.Now:
		return subnet.WithHint(fmt.Errorf("subnet %d may be started from block %d on, in %s", n, s.Allowed, s.wait()), "wait until then; 'adit subnet check-start' tells how long")
	}
	r, err := c.deal(ctx, t, o.client, deal{signer: o.files, title: "start a subnet", call: subtensor.StartCall(n), told: [][2]string{{"subnet", o.subnetName(ctx, n)}}})
	if err != nil {
		return err
	}
	if !r.DryRun {
		v, err := o.client.At(ctx, subnet.Block(r.Block))
		if err != nil {
			return err
		}
		if s, err = readStart(ctx, o.client, v, n); err != nil {
			return err
		}
		r.Message = fmt.Sprintf("Started subnet %d", n)
	}
	return c.print(t, r, s, [2]string{"emission", fmt.Sprintf("from block %d on", s.Emission)})
}

// SubnetCheckStartCommand tells when a subnet may be started.
type SubnetCheckStartCommand struct {
	readFlags
	netuidFlag
}

// Help shows examples.
func (SubnetCheckStartCommand) Help() string {
	return `Tells when a subnet may be started, and by whom, or since when it has been.

Examples:
  adit subnet check-start --netuid 1
  adit subnet check-start --netuid 1 --json`
}

// A startState is when a subnet may be started.
type startState struct {
	NetUID     subnet.NetUID `json:"netuid"`
	Owner      string        `json:"owner_coldkey"`
	Block      subnet.Block  `json:"block"` // as of which this is so
	Registered subnet.Block  `json:"registered_at"`
	Allowed    subnet.Block  `json:"start_from"`
	Now        bool          `json:"may_start"` // in the next block
	Started    bool          `json:"started"`
	Emission   subnet.Block  `json:"emission_from,omitempty"`
	Seconds    float64       `json:"wait_seconds"` // about

	blockTime time.Duration
}

func readStart(ctx context.Context, client *subtensor.Client, v *subtensor.View, n subnet.NetUID) (startState, error) {
	s, err := v.SubnetStart(ctx, n)
	if err != nil {
		return startState{}, subnetHint(err)
	}
	out := startState{NetUID: n, Owner: keys.Address(s.Owner), Block: v.Block, Registered: s.Registered, Allowed: s.Allowed,
		Started: s.Emission > 0, Emission: s.Emission}
	out.Now = !out.Started && v.Block+1 >= s.Allowed
	if out.Started || out.Now {
		return out, nil
	}
	out.blockTime, err = client.BlockTime(ctx)
	out.Seconds = (out.blockTime * time.Duration(s.Allowed-v.Block)).Seconds()
	return out, err
}

// wait is how long it takes until it may be started, in words.
func (s startState) wait() string { return blocksText(s.Allowed-s.Block, s.blockTime) }

// blocksText is a number of blocks in words.
func blocksText(blocks subnet.Block, each time.Duration) string {
	took := each * time.Duration(blocks)
	switch {
	case took >= time.Hour:
		took = took.Round(time.Minute)
	case took >= time.Second:
		took = took.Round(time.Second)
	}
	return fmt.Sprintf("%d blocks, about %s", blocks, took)
}

// Run tells.
func (c SubnetCheckStartCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := readStart(ctx, client, v, n)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, s)
	}
	state := fmt.Sprintf("may be started from block %d on, in %s", s.Allowed, s.wait())
	switch {
	case s.Started:
		state = fmt.Sprintf("has been started: emission from block %d on", s.Emission)
	case s.Now:
		state = "may be started now"
	}
	return printPairs(t, fmt.Sprintf("subnet %d %s", n, state), [][2]string{{"owner", s.Owner}, {"created", fmt.Sprintf("in block %d", s.Registered)}})
}
