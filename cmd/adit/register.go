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

// SubnetRegisterCommand makes a hotkey a neuron.
type SubnetRegisterCommand struct {
	ownerFlags
	netuidFlag
	holderFlag
	SafeRegister   bool          `aliases:"safe_register" default:"true" negatable:"" help:"Refuse a price that is higher than the tolerance allows."`
	UnsafeRegister bool          `aliases:"unsafe_register" help:"Pay whatever the price is."`
	Tolerance      toleranceFlag `aliases:"rate-tolerance,rate_tolerance,limit" default:"0.005" placeholder:"PART" help:"By which part the price may rise (${default})."`
}

// Help shows examples.
func (SubnetRegisterCommand) Help() string {
	return `Buys a hotkey a place on a subnet. You see the price, and the highest price that you
would pay, before you are asked. The coldkey pays and owns the hotkey. A hotkey that
has its place already keeps it, and nothing is paid. Subnet 0, root, costs nothing,
but takes stake.

Examples:
  adit subnet register --netuid 1
  adit subnet register --netuid 1 --hotkey second --tolerance 0.02 --dry-run
  adit register --netuid 1 --wallet.name cold --wallet.hotkey hot`
}

// A registered is the result of a registration.
type registered struct {
	NetUID  subnet.NetUID `json:"netuid"`
	UID     *subnet.UID   `json:"uid"` // null of a dry run
	Hotkey  string        `json:"hotkey_ss58"`
	Coldkey string        `json:"coldkey_ss58"`
	Already bool          `json:"already_registered"`
	Price   uint64        `json:"price"`                 // RAO, before
	Limit   uint64        `json:"limit_price,omitempty"` // RAO that would be paid at most; 0 if there is no limit
	Before  uint64        `json:"balance_before"`
	After   uint64        `json:"balance_after"`
}

// Run registers.
func (c SubnetRegisterCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	hotkey, name, err := o.hotkey(ctx, c.coldkeyFlags, c.holderFlag, n, nil)
	if err != nil {
		return err
	}
	has, err := o.Account(ctx, o.who)
	if err != nil {
		return err
	}
	result := registered{NetUID: n, Hotkey: keys.Address(hotkey), Coldkey: keys.Address(o.who), Before: has.Free, After: has.Free}
	of, known, err := o.Owner(ctx, hotkey)
	if err != nil {
		return err
	}
	uid, already, err := o.UID(ctx, n, hotkey)
	if err != nil {
		return err
	}
	if already {
		if known && of != o.who {
			fmt.Fprintf(t.err, "adit: the hotkey belongs to another coldkey, %s\n", keys.Address(of))
		}
		return c.already(t, &receipt{Signer: keys.Address(o.signer)}, result, uid)
	}
	if known && of != o.who {
		return subnet.WithHint(fmt.Errorf("the hotkey %s belongs to another coldkey, %s", result.Hotkey, keys.Address(of)), "only its owner may register it; take another hotkey, or that wallet")
	}
	d := deal{signer: o.files, title: "register", keeps: true, told: [][2]string{{"subnet", o.subnetName(ctx, n)}, {"hotkey", name}}}
	if err := c.price(ctx, o, hotkey, &d, &result); err != nil {
		return err
	}
	d.told = append(d.told, [2]string{"balance", formatTAO(has.Free) + " TAO"})
	r, err := c.deal(ctx, t, o.client, d)
	if wrong, is := errors.AsType[*scale.ModuleError](err); is && wrong.Name == "HotKeyAlreadyRegisteredInSubNet" {
		// Another process was faster. It is as it should be.
		if v, lost := o.client.At(ctx, subnet.Latest); lost == nil {
			if uid, is, lost := v.UID(ctx, n, hotkey); lost == nil && is {
				return c.already(t, &receipt{Call: d.call.String(), Signer: keys.Address(o.signer)}, result, uid)
			}
		}
	}
	if err != nil {
		return err
	}
	return c.printRegistered(ctx, t, o, r, hotkey, result)
}

// price fills in what it costs, and the call.
func (c SubnetRegisterCommand) price(ctx context.Context, o *owner, hotkey subtensor.Account, d *deal, result *registered) (err error) {
	n := result.NetUID
	if n == 0 {
		d.call = subtensor.RootRegister(hotkey)
		d.told = append(d.told, [2]string{"price", "none, but the fee"})
		return nil
	}
	if allowed, err := o.Get(ctx, "SubtensorModule", "NetworkRegistrationAllowed", n); err != nil || allowed == false {
		if err == nil {
			err = subnet.WithHint(fmt.Errorf("subnet %d takes no registrations", n), "its owner has closed them; 'adit subnet list' shows other subnets")
		}
		return err
	}
	if result.Price, err = o.RegistrationPrice(ctx, n); err != nil {
		return err
	}
	d.spends = result.Price
	d.told = append(d.told, [2]string{"price", formatTAO(result.Price) + " TAO, which are gone"})
	if !c.SafeRegister || c.UnsafeRegister {
		d.call = subtensor.BurnedRegister(n, hotkey)
		d.told = append(d.told, [2]string{"limit", "none: whatever the price is when it is done"})
		return nil
	}
	if result.Limit, err = c.Tolerance.most(result.Price); err != nil {
		return err
	}
	d.call = subtensor.RegisterLimit(n, hotkey, result.Limit)
	d.told = append(d.told, [2]string{"limit", fmt.Sprintf("%s TAO (+%s)", formatTAO(result.Limit), c.Tolerance.percent())})
	if _, err := o.client.Encode(ctx, d.call); err != nil {
		return subnet.WithHint(fmt.Errorf("this chain knows no limit of the price: %w", err), "--unsafe-register pays whatever the price is")
	}
	return nil
}

// already tells that there is nothing to do.
func (c SubnetRegisterCommand) already(t terminal, r *receipt, result registered, uid subnet.UID) error {
	r.Success, r.Message = true, fmt.Sprintf("Already registered on netuid %d with UID %d", result.NetUID, uid)
	result.UID, result.Already = &uid, true
	if c.JSON {
		r.Result = result
		return printJSON(t, r)
	}
	return printPairs(t, r.Message, [][2]string{{"hotkey", result.Hotkey}})
}

func (c SubnetRegisterCommand) printRegistered(ctx context.Context, t terminal, o *owner, r *receipt, hotkey subtensor.Account, result registered) error {
	if r.DryRun {
		return c.print(t, r, result)
	}
	v, err := o.client.At(ctx, subnet.Block(r.Block))
	if err != nil {
		return err
	}
	uid, is, err := v.UID(ctx, result.NetUID, hotkey)
	if err == nil && !is {
		err = errors.New("the hotkey has no uid after its registration: another has taken its place in the same block")
	}
	if err != nil {
		return err
	}
	has, err := v.Account(ctx, o.who)
	if err != nil {
		return err
	}
	result.UID, result.After = &uid, has.Free
	r.Message = fmt.Sprintf("Registered on netuid %d with UID %d", result.NetUID, uid)
	return c.print(t, r, result, [2]string{"hotkey", result.Hotkey},
		[2]string{"balance", formatTAO(result.Before) + " → " + formatTAO(result.After) + " TAO"})
}
