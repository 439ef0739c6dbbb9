package subtensor

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// BurnedRegister makes the hotkey a neuron of the subnet, whatever the price is
// when the call is carried out. The coldkey signs and pays.
func BurnedRegister(n subnet.NetUID, hotkey Account) Call {
	return Call{module, "burned_register", scale.Args{"netuid": n, "hotkey": hotkey}}
}

// RegisterLimit is [BurnedRegister] for at most a price in RAO; else it fails with
// RegistrationPriceLimitExceeded. Older runtimes do not have it.
func RegisterLimit(n subnet.NetUID, hotkey Account, rao uint64) Call {
	return Call{module, "register_limit", scale.Args{"netuid": n, "hotkey": hotkey, "limit_price": rao}}
}

// RootRegister makes the hotkey a member of root, if it has stake enough to
// replace the last.
func RootRegister(hotkey Account) Call {
	return Call{module, "root_register", scale.Args{"hotkey": hotkey}}
}

// RegisterNetwork creates a subnet for [View.NetworkPrice], which the coldkey that
// signs will own. The hotkey is its first neuron.
func RegisterNetwork(hotkey Account) Call {
	return Call{module, "register_network", scale.Args{"hotkey": hotkey}}
}

// RegisterNetworkAs is [RegisterNetwork] of a subnet that something is said about.
func RegisterNetworkAs(hotkey Account, id SubnetIdentity) Call {
	return Call{module, "register_network_with_identity", scale.Args{"hotkey": hotkey, "identity": scale.SomeOf(scale.Args{
		"subnet_name": id.Name, "github_repo": id.Repo, "subnet_contact": id.Contact, "subnet_url": id.URL, "discord": id.Discord,
		"description": id.Description, "logo_url": id.Logo, "additional": id.Additional})}}
}

// StartCall lets a subnet's emission and staking begin. Its owner signs.
func StartCall(n subnet.NetUID) Call {
	return Call{module, "start_call", scale.Args{"netuid": n}}
}

// AssociateHotkey makes the coldkey that signs the owner of a hotkey that has
// none.
func AssociateHotkey(hotkey Account) Call {
	return Call{module, "try_associate_hotkey", scale.Args{"hotkey": hotkey}}
}

// RegistrationPrice returns what a neuron's registration costs on a subnet after
// the view's block, in RAO. It falls with every block and rises by about a quarter
// with every registration, so it will be another when a call is carried out: show
// it, and use [Client.Register] with a limit.
func (v *View) RegistrationPrice(ctx context.Context, n subnet.NetUID) (uint64, error) {
	vs, err := v.GetAll(ctx, []Entry{{module, "NetworksAdded", []any{n}}, {module, "Burn", []any{n}}})
	if err != nil {
		return 0, err
	}
	if vs[0] != true {
		return 0, fmt.Errorf("there is no subnet %d: %w", n, subnet.ErrNotFound)
	}
	var rao uint64
	err = scale.Assign(&rao, vs[1])
	return rao, err
}

// UID reads which neuron of a subnet a hotkey is; false if it is none.
func (v *View) UID(ctx context.Context, n subnet.NetUID, hotkey Account) (subnet.UID, bool, error) {
	got, err := v.Get(ctx, module, "Uids", n, hotkey)
	if err != nil || got == nil {
		return 0, false, err
	}
	var uid subnet.UID
	err = scale.Assign(&uid, got)
	return uid, err == nil, err
}

// HotkeyOf reads the hotkey of a subnet's neuron. A uid that nobody has wraps
// [subnet.ErrNotFound].
func (v *View) HotkeyOf(ctx context.Context, n subnet.NetUID, uid subnet.UID) (Account, error) {
	vs, err := v.GetAll(ctx, []Entry{{module, "SubnetworkN", []any{n}}, {module, "Keys", []any{n, uid}}})
	if err != nil {
		return Account{}, err
	}
	var count uint16
	var who Account
	if err := scale.Assign(&count, vs[0]); err != nil {
		return Account{}, err
	}
	if uint16(uid) >= count {
		return Account{}, fmt.Errorf("subnet %d has no uid %d: %w", n, uid, subnet.ErrNotFound)
	}
	err = scale.Assign(&who, vs[1])
	return who, err
}

// Owner reads the coldkey that owns a hotkey; false if none does.
func (v *View) Owner(ctx context.Context, hotkey Account) (Account, bool, error) {
	got, err := v.Get(ctx, module, "Owner", hotkey)
	if err != nil || got == nil {
		return Account{}, false, err
	}
	var owner Account
	err = scale.Assign(&owner, got)
	// Where the item has a default, that is 32 zeros: nobody's key.
	return owner, err == nil && owner != Account{}, err
}

// A SubnetStart says when a subnet may be started, and by whom.
type SubnetStart struct {
	Owner      Account      // its coldkey
	Registered subnet.Block // that created the subnet
	Allowed    subnet.Block // the first in which it may be started
	Emission   subnet.Block // from which on there is some; 0 if it has not been started
}

// SubnetStart reads when a subnet may be started with [StartCall].
func (v *View) SubnetStart(ctx context.Context, n subnet.NetUID) (SubnetStart, error) {
	es := []Entry{{module, "NetworksAdded", []any{n}}, {module, "SubnetOwner", []any{n}}, {module, "NetworkRegisteredAt", []any{n}},
		{module, "FirstEmissionBlockNumber", []any{n}}}
	delayed := v.has(module, "StartCallDelay")
	if delayed {
		es = append(es, Entry{module, "StartCallDelay", nil})
	}
	vs, err := v.GetAll(ctx, es)
	if err == nil && vs[0] != true {
		err = fmt.Errorf("there is no such subnet: %w", subnet.ErrNotFound)
	}
	var s SubnetStart
	if err == nil {
		err = scale.Assign(&s.Owner, vs[1])
	}
	if err == nil {
		var delay any
		if delayed {
			delay = vs[4]
		} else { // older runtimes have it in their code
			delay, err = v.Constant(module, "DurationOfStartCall")
		}
		s.Registered = subnet.Block(number(vs[2]))
		s.Allowed, s.Emission = s.Registered+subnet.Block(number(delay)), subnet.Block(number(vs[3]))
	}
	if err != nil {
		return SubnetStart{}, fmt.Errorf("read the start of subnet %d: %w", n, err)
	}
	return s, nil
}

// NetworkPrice returns what creating a subnet costs after the view's block, in
// RAO.
func (v *View) NetworkPrice(ctx context.Context) (uint64, error) {
	var rao uint64
	_, err := v.askInto(ctx, &rao, "SubnetRegistrationRuntimeApi", "get_network_registration_cost")
	return rao, err
}

// Register makes the hotkey a neuron of the subnet for at most limit RAO, and
// returns its uid. The coldkey signs and pays. Where the runtime has no call with
// a limit, the price is read just before, and may have moved by a registration in
// the same block.
func (c *Client) Register(ctx context.Context, coldkey Signer, n subnet.NetUID, hotkey Account, limit uint64) (subnet.UID, error) {
	v, err := c.At(ctx, subnet.Latest)
	if err != nil {
		return 0, fmt.Errorf("register: %w", err)
	}
	k := RegisterLimit(n, hotkey, limit)
	if _, err := k.encode(v.Runtime); err != nil {
		k = BurnedRegister(n, hotkey)
		price, err := v.RegistrationPrice(ctx, n)
		if err != nil {
			return 0, fmt.Errorf("register: %w", err)
		}
		if price > limit {
			return 0, fmt.Errorf("register: it costs %d RAO, more than %d", price, limit)
		}
	}
	in, err := c.Do(ctx, coldkey, k, SubmitOptions{})
	if err != nil {
		return 0, err
	}
	uid, err := c.Query(ctx, in.Block, module, "Uids", n, hotkey)
	if err != nil {
		return 0, fmt.Errorf("register: %w", err)
	}
	if uid == nil {
		return 0, errors.New("register: the hotkey has no uid afterwards")
	}
	var u subnet.UID
	err = scale.Assign(&u, uid)
	return u, err
}
