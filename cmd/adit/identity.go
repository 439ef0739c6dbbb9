package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// A identityField is one thing that somebody says about itself.
type identityField struct {
	name  string // as the chain has it
	most  int    // bytes
	value *string
	to    *string // what it is to be, nil if it stays
}

// changed puts what is new into the fields, and returns what a person is told of
// that.
func changed(fields []identityField) (told [][2]string, err error) {
	given := false
	for _, f := range fields {
		if f.to == nil {
			if *f.value != "" {
				told = append(told, [2]string{f.name, *f.value})
			}
			continue
		}
		given = true
		if len(*f.to) > f.most {
			return nil, subnet.WithHint(fmt.Errorf("%s has %d bytes, and the chain takes %d at most", f.name, len(*f.to), f.most), "make it shorter")
		}
		line := *f.to
		if *f.value != "" && *f.value != line {
			line = *f.value + " → " + line
		}
		told = append(told, [2]string{f.name, line})
		*f.value = *f.to
	}
	if !given {
		return nil, subnet.WithHint(errors.New("what is to be said? each flag is one thing"), "what is not named stays as it is; --help lists the flags")
	}
	return told, nil
}

// shownPairs are the fields that are not empty.
func shownPairs(fields []identityField) (pairs [][2]string) {
	for _, f := range fields {
		if *f.value != "" {
			pairs = append(pairs, [2]string{f.name, *f.value})
		}
	}
	return pairs
}

// An ownIdentity is what a coldkey says about itself, as JSON.
type ownIdentity struct{ subtensor.Identity }

// MarshalJSON implements [json.Marshaler], with the chain's names.
func (i ownIdentity) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"name": i.Name, "url": i.URL, "github_repo": i.Repo, "image": i.Image, "discord": i.Discord,
		"description": i.Description, "additional": i.Additional})
}

// WalletSetIdentityCommand says who a coldkey is.
type WalletSetIdentityCommand struct {
	ownerFlags
	IDName      *string `name:"id-name" aliases:"id_name" placeholder:"TEXT" help:"Who it is."`
	URL         *string `name:"web-url" aliases:"web_url,url" placeholder:"URL" help:"Its site."`
	Repo        *string `name:"github" aliases:"github-repo,github_repo" placeholder:"URL" help:"Its code."`
	Image       *string `name:"image-url" aliases:"image_url,image" placeholder:"URL" help:"Its picture."`
	Discord     *string `aliases:"discord-handle" placeholder:"NAME" help:"Its name on Discord."`
	Description *string `placeholder:"TEXT" help:"What it does."`
	Additional  *string `aliases:"additional-info" placeholder:"TEXT" help:"What else there is to say."`
}

// Help shows examples.
func (WalletSetIdentityCommand) Help() string {
	return `Says on the chain, for everybody to read, who the wallet's coldkey is. What is not
named stays as it is; "" takes something back. One of its hotkeys must be registered.

Examples:
  adit wallet set-identity --id-name "Mine Ltd" --web-url https://example.org
  adit wallet set-identity --discord ""`
}

// The most bytes of each part, which are the chain's.
const (
	maxIdentityShort = 256
	maxIdentityLong  = 1024
)

func (c WalletSetIdentityCommand) fields(id *subtensor.Identity) []identityField {
	return []identityField{{"name", maxIdentityShort, &id.Name, c.IDName}, {"url", maxIdentityShort, &id.URL, c.URL},
		{"github_repo", maxIdentityShort, &id.Repo, c.Repo}, {"image", maxIdentityLong, &id.Image, c.Image},
		{"discord", maxIdentityShort, &id.Discord, c.Discord}, {"description", maxIdentityLong, &id.Description, c.Description},
		{"additional", maxIdentityLong, &id.Additional, c.Additional}}
}

// Run says it.
func (c WalletSetIdentityCommand) Run(ctx context.Context, t terminal) error {
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	id, _, err := o.Identity(ctx, o.who)
	if err != nil {
		return err
	}
	told, err := changed(c.fields(&id))
	if err != nil {
		return err
	}
	r, err := c.deal(ctx, t, o.client, deal{signer: o.files, call: subtensor.SetIdentity(id), title: "say who " + keys.Address(o.who) + " is", told: told})
	if err != nil {
		return err
	}
	r.Message = "Said who " + keys.Address(o.who) + " is"
	return c.print(t, r, ownIdentity{id})
}

// WalletGetIdentityCommand shows who a coldkey says it is.
type WalletGetIdentityCommand struct {
	readFlags
	coldkeyFlags
	Address string `arg:"" optional:"" help:"The coldkey, if it is not the wallet's."`
	SS58    string `name:"ss58" aliases:"key,coldkey-ss58" short:"k" placeholder:"ADDRESS" help:"The same."`
}

// Help shows examples.
func (WalletGetIdentityCommand) Help() string {
	return `Shows who a coldkey says it is. Nobody has checked that.

Examples:
  adit wallet get-identity
  adit wallet get-identity 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --json`
}

// Run shows it.
func (c WalletGetIdentityCommand) Run(ctx context.Context, t terminal) error {
	if c.Address == "" {
		c.Address = c.SS58
	}
	who, err := c.account(c.Address)
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	id, is, err := v.Identity(ctx, who)
	if err != nil {
		return err
	}
	if c.JSON {
		out := struct {
			Address  string       `json:"address"`
			Identity *ownIdentity `json:"identity"` // null if it says nothing
		}{Address: keys.Address(who)}
		if is {
			out.Identity = &ownIdentity{id}
		}
		return printJSON(t, out)
	}
	if !is {
		fmt.Fprintf(t.err, "adit: %s says nothing about itself\nhint: 'adit wallet set-identity' says something\n", keys.Address(who))
		return nil
	}
	return printPairs(t, keys.Address(who), shownPairs(WalletSetIdentityCommand{}.fields(&id)))
}

// SubnetSetIdentityCommand says what a subnet is.
type SubnetSetIdentityCommand struct {
	ownerFlags
	netuidFlag
	SubnetName  *string `aliases:"subnet_name,sn-name" placeholder:"TEXT" help:"Its name."`
	Repo        *string `name:"github-repo" aliases:"github_repo,repo,github" placeholder:"URL" help:"Its code."`
	Contact     *string `name:"subnet-contact" aliases:"subnet_contact,contact,email" placeholder:"TEXT" help:"How to reach its owner."`
	URL         *string `name:"subnet-url" aliases:"subnet_url,url" placeholder:"URL" help:"Its site."`
	Discord     *string `aliases:"discord-handle" placeholder:"NAME" help:"Where it is on Discord."`
	Description *string `placeholder:"TEXT" help:"What it does."`
	Logo        *string `name:"logo-url" aliases:"logo_url,logo" placeholder:"URL" help:"Its picture."`
	Additional  *string `aliases:"additional-info" placeholder:"TEXT" help:"What else there is to say."`
}

// Help shows examples.
func (SubnetSetIdentityCommand) Help() string {
	return `Says on the chain, for everybody to read, what a subnet is. Its owner signs. What is
not named stays as it is; "" takes something back.

Examples:
  adit subnet set-identity --netuid 1 --subnet-name tunnel --github-repo https://example.org/tunnel
  adit subnet set-identity --netuid 1 --description "" --yes`
}

func (c SubnetSetIdentityCommand) fields(id *subtensor.SubnetIdentity) []identityField {
	return []identityField{{"subnet_name", maxIdentityShort, &id.Name, c.SubnetName}, {"github_repo", maxIdentityLong, &id.Repo, c.Repo},
		{"subnet_contact", maxIdentityLong, &id.Contact, c.Contact}, {"subnet_url", maxIdentityLong, &id.URL, c.URL},
		{"discord", maxIdentityShort, &id.Discord, c.Discord}, {"description", maxIdentityLong, &id.Description, c.Description},
		{"logo_url", maxIdentityLong, &id.Logo, c.Logo}, {"additional", maxIdentityLong, &id.Additional, c.Additional}}
}

// Run says it.
func (c SubnetSetIdentityCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	if err := o.exists(ctx, n); err != nil {
		return err
	}
	if err := o.mayset(ctx, n, false); err != nil {
		return err
	}
	id, _, err := o.SubnetIdentity(ctx, n)
	if err != nil {
		return err
	}
	told, err := changed(c.fields(&id))
	if err != nil {
		return err
	}
	r, err := c.deal(ctx, t, o.client, deal{signer: o.files, call: subtensor.SetSubnetIdentity(n, id), title: fmt.Sprintf("say what subnet %d is", n), told: told})
	if err != nil {
		return err
	}
	r.Message = fmt.Sprintf("Said what subnet %d is", n)
	return c.print(t, r, subnetIdentity{id})
}

// SubnetGetIdentityCommand shows what a subnet is said to be.
type SubnetGetIdentityCommand struct {
	readFlags
	netuidFlag
}

// Help shows examples.
func (SubnetGetIdentityCommand) Help() string {
	return `Shows what a subnet's owner says about it. Nobody has checked that.

Examples:
  adit subnet get-identity --netuid 1
  adit subnet get-identity --netuid 1 --json`
}

// Run shows it.
func (c SubnetGetIdentityCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	id, is, err := v.SubnetIdentity(ctx, n)
	if err != nil {
		return err
	}
	if !is {
		if _, err := v.Hyperparameters(ctx, n); err != nil { // there may be no such subnet
			return subnetHint(err)
		}
	}
	if c.JSON {
		out := struct {
			Netuid   subnet.NetUID   `json:"netuid"`
			Identity *subnetIdentity `json:"identity"` // null if nothing is said
		}{Netuid: n}
		if is {
			out.Identity = &subnetIdentity{id}
		}
		return printJSON(t, out)
	}
	if !is {
		fmt.Fprintf(t.err, "adit: nothing is said about subnet %d\nhint: its owner does, with 'adit subnet set-identity'\n", n)
		return nil
	}
	return printPairs(t, fmt.Sprintf("subnet %d", n), shownPairs(SubnetSetIdentityCommand{}.fields(&id)))
}
