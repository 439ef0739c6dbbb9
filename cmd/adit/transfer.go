package main

import (
	"context"
	"errors"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// TransferCommand sends TAO.
type TransferCommand struct {
	coldkeyFlags
	networkFlags
	dealFlags
	Dest       string  `required:"" short:"d" aliases:"destination" placeholder:"ADDRESS" help:"Who gets it: an address, or the 64 hexadecimal digits of a public key."`
	Amount     taoFlag `short:"a" xor:"amount" placeholder:"TAO" help:"How much."`
	All        bool    `xor:"amount" help:"All there is, but for the fee and, without --allow-death, the existential deposit."`
	AllowDeath bool    `aliases:"allow_death" help:"Let the account end if too little is left in it."`
}

// Help shows examples.
func (TransferCommand) Help() string {
	return `Sends TAO from the coldkey's account, and waits until it is in a block. You see
the amount, the fee and what is left before you are asked.

Examples:
  adit transfer --dest 5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy --amount 1.5
  adit wallet transfer --wallet-name cold --dest 5DAA… --amount 1.5 --dry-run
  adit wallet transfer --dest 5DAA… --all --yes --network local`
}

// A transferred is the result of a transfer, in RAO.
type transferred struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Amount uint64 `json:"amount"`
	Before uint64 `json:"balance_before"`
	After  uint64 `json:"balance_after"`
}

// Run sends it.
func (c TransferCommand) Run(ctx context.Context, t terminal) error {
	if c.Amount == 0 && !c.All {
		return subnet.WithHint(errors.New("how much is to be sent?"), "--amount tells, in TAO, or --all")
	}
	to, err := parseAccount(c.Dest)
	if err != nil {
		return err
	}
	f, err := c.coldkey()
	if err != nil {
		return err
	}
	key, err := f.PublicKey()
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	before, err := v.Account(ctx, key.Public())
	if err != nil {
		return err
	}
	result := transferred{From: key.Address(), To: keys.Address(to), Amount: uint64(c.Amount), Before: before.Free}
	d := deal{signer: f, title: "transfer", spends: uint64(c.Amount), told: [][2]string{
		{"to", result.To}, {"amount", formatTAO(result.Amount) + " TAO"}, {"balance", formatTAO(before.Free) + " TAO"},
	}}
	switch {
	case c.All:
		d.call, d.told[1][1] = subtensor.TransferAll(to, !c.AllowDeath), "all of it"
	case c.AllowDeath:
		d.call = subtensor.TransferAllowDeath(to, result.Amount)
	default:
		d.call = subtensor.TransferKeepAlive(to, result.Amount)
	}
	r, err := c.deal(ctx, t, client, d)
	if err != nil {
		return err
	}
	if result.After = before.Free; !r.DryRun {
		if result.After, err = client.Balance(ctx, result.From); err != nil {
			return err
		}
	}
	return c.print(t, r, result, [2]string{"balance", formatTAO(result.Before) + " → " + formatTAO(result.After) + " TAO"})
}
