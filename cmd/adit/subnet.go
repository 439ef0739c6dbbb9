package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"adit/internal/subtensor"
)

// SubnetCommand is about subnets as a whole.
type SubnetCommand struct {
	List            SubnetListCommand        `cmd:"" help:"List subnets."`
	Metagraph       MetagraphCommand         `cmd:"" help:"Show all neurons of a subnet."`
	Show            MetagraphCommand         `cmd:"" hidden:"" help:"See subnet metagraph."`
	Hyperparameters HyperparametersCommand   `cmd:"" aliases:"hyperparams" help:"Show a subnet's settings."`
	Price           SubnetPriceCommand       `cmd:"" help:"Tell what creating a subnet, registering and alpha cost."`
	BurnCost        SubnetPriceCommand       `cmd:"" name:"burn-cost" aliases:"burn_cost,lock-cost,lock_cost" hidden:"" help:"See subnet price."`
	Register        SubnetRegisterCommand    `cmd:"" help:"Make a hotkey a neuron of a subnet."`
	Create          SubnetCreateCommand      `cmd:"" help:"Create a subnet."`
	Start           SubnetStartCommand       `cmd:"" help:"Let a subnet's emission and trade begin."`
	CheckStart      SubnetCheckStartCommand  `cmd:"" name:"check-start" help:"Tell when a subnet may be started."`
	SetIdentity     SubnetSetIdentityCommand `cmd:"" name:"set-identity" help:"Say what a subnet is."`
	GetIdentity     SubnetGetIdentityCommand `cmd:"" name:"get-identity" help:"Show what a subnet is said to be."`
	Set             SubnetSetCommand         `cmd:"" help:"Change a setting, as its owner or as root."`
}

// A subnetIdentity is what an owner says of a subnet, as JSON.
type subnetIdentity struct{ subtensor.SubnetIdentity }

// MarshalJSON implements [json.Marshaler], with the chain's names.
func (s subnetIdentity) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"subnet_name": s.Name, "github_repo": s.Repo, "subnet_contact": s.Contact, "subnet_url": s.URL,
		"discord": s.Discord, "description": s.Description, "logo_url": s.Logo, "additional": s.Additional})
}

// printParts prints a sentence of parts, in lines that fit the terminal.
func printParts(t terminal, parts []string) error {
	width := outWidth(t)
	var b strings.Builder
	line := 0
	for i, p := range parts {
		p = plainText(p)
		if i < len(parts)-1 {
			p += ", "
		}
		if n := len([]rune(p)); width > 0 && line > 0 && line+len([]rune(strings.TrimRight(p, " "))) > width {
			b.WriteString("\n  ")
			line = 2 + n
		} else {
			line += n
		}
		b.WriteString(p)
	}
	_, err := fmt.Fprintln(t.out, b.String())
	return err
}
