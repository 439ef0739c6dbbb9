package main

import (
	"context"

	"adit/internal/subnet"
)

// SubnetPriceCommand tells what things cost.
type SubnetPriceCommand struct {
	readFlags
	netuidFlag
}

// Help shows examples.
func (SubnetPriceCommand) Help() string {
	return `Tells what creating a subnet costs and, of one that there is, what a neuron's
registration and its alpha cost. All of them are other with the next block.

Examples:
  adit subnet price
  adit subnet price --netuid 1
  adit subnet burn-cost --json`
}

// The shapes of the JSON: what btcli has of it, it has so.
type (
	shownPrices struct {
		BurnCost shownAmount    `json:"burn_cost"` // of creating a subnet
		Error    string         `json:"error"`     // always "": an error is one of the command
		NetUID   *subnet.NetUID `json:"netuid,omitempty"`
		Register *shownAmount   `json:"registration_cost,omitempty"`
		Alpha    *shownAmount   `json:"price,omitempty"`
	}
	shownAmount struct {
		RAO uint64  `json:"rao"`
		TAO jsonTAO `json:"tao"`
	}
)

func amount(rao uint64) shownAmount { return shownAmount{rao, jsonTAO(rao)} }

// Run prints them.
func (c SubnetPriceCommand) Run(ctx context.Context, t terminal) error {
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	create, err := v.NetworkPrice(ctx)
	if err != nil {
		return err
	}
	out := shownPrices{BurnCost: amount(create), NetUID: c.Netuid}
	lines := [][2]string{{"create a subnet", formatTAO(create) + " TAO"}}
	if c.Netuid != nil {
		register, err := v.RegistrationPrice(ctx, *c.Netuid)
		if err != nil {
			return subnetHint(err)
		}
		alpha, err := v.AlphaPrice(ctx, *c.Netuid)
		if err != nil {
			return err
		}
		x, y := amount(register), amount(alpha)
		out.Register, out.Alpha = &x, &y
		lines = append(lines, [2]string{"register", formatTAO(register) + " TAO"}, [2]string{"one alpha", formatTAO(alpha) + " TAO"})
	}
	if c.JSON {
		return printJSON(t, out)
	}
	return printPairs(t, "", lines)
}
