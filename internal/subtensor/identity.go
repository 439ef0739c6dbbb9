package subtensor

import (
	"context"
	"fmt"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// A SubnetIdentity is what a subnet's owner says about it.
type SubnetIdentity struct {
	Name, Repo, Contact, URL, Discord, Description, Logo, Additional string
}

// SetSubnetIdentity replaces what is said about a subnet. Its owner signs.
func SetSubnetIdentity(n subnet.NetUID, id SubnetIdentity) Call {
	return Call{module, "set_subnet_identity", scale.Args{"netuid": n, "subnet_name": id.Name, "github_repo": id.Repo, "subnet_contact": id.Contact,
		"subnet_url": id.URL, "discord": id.Discord, "description": id.Description, "logo_url": id.Logo, "additional": id.Additional}}
}

// subnetIdentity is a SubnetIdentity as the chain has it. Older runtimes know
// fewer fields.
type subnetIdentity struct {
	SubnetName, GithubRepo, SubnetContact, SubnetURL, Discord, Description, LogoURL, Additional scale.Option[[]byte]
}

func (x *subnetIdentity) plain() SubnetIdentity {
	return SubnetIdentity{string(x.SubnetName.V), string(x.GithubRepo.V), string(x.SubnetContact.V), string(x.SubnetURL.V),
		string(x.Discord.V), string(x.Description.V), string(x.LogoURL.V), string(x.Additional.V)}
}

// SubnetIdentity reads what is said about a subnet; false if nothing is.
func (v *View) SubnetIdentity(ctx context.Context, n subnet.NetUID) (SubnetIdentity, bool, error) {
	item := "SubnetIdentitiesV3"
	if _, err := v.StorageKey(module, item, n); err != nil {
		item = "SubnetIdentitiesV2"
	}
	got, err := v.Get(ctx, module, item, n)
	if err != nil || got == nil {
		return SubnetIdentity{}, false, err
	}
	var id subnetIdentity
	if err := scale.Assign(&id, got); err != nil {
		return SubnetIdentity{}, false, fmt.Errorf("read the identity of subnet %d: %w", n, err)
	}
	return id.plain(), true, nil
}

// An Identity is what a coldkey says about itself.
type Identity struct {
	Name, URL, Repo, Image, Discord, Description, Additional string
}

// SetIdentity replaces what the coldkey that signs says about itself. One of its
// hotkeys must be registered.
func SetIdentity(id Identity) Call {
	return Call{module, "set_identity", scale.Args{"name": id.Name, "url": id.URL, "github_repo": id.Repo, "image": id.Image,
		"discord": id.Discord, "description": id.Description, "additional": id.Additional}}
}

// identity is an Identity as the chain has it.
type identity struct {
	Name, URL, GithubRepo, Image, Discord, Description, Additional []byte
}

func (x *identity) plain() Identity {
	return Identity{string(x.Name), string(x.URL), string(x.GithubRepo), string(x.Image), string(x.Discord), string(x.Description), string(x.Additional)}
}

// Identity reads what a coldkey says about itself; false if nothing.
func (v *View) Identity(ctx context.Context, coldkey Account) (Identity, bool, error) {
	got, err := v.Get(ctx, module, "IdentitiesV2", coldkey)
	if err != nil || got == nil {
		return Identity{}, false, err
	}
	var id identity
	if err := scale.Assign(&id, got); err != nil {
		return Identity{}, false, fmt.Errorf("read an identity: %w", err)
	}
	return id.plain(), true, nil
}
