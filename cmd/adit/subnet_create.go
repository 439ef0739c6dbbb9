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
	o, hotkey, err := c.openFor(ctx, c.holderFlag)
	if err != nil {
		return err
	}
	defer o.client.Close()
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
