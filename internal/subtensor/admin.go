package subtensor

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
)

// do encodes a call and submits it.
func (c *Client) do(ctx context.Context, s Signer, pallet, name string, args ...any) (Inclusion, error) {
	call, err := c.Call(ctx, pallet, name, args...)
	if err != nil {
		return Inclusion{}, err
	}
	in, err := c.Submit(ctx, s, call, SubmitOptions{})
	if err != nil {
		return in, fmt.Errorf("%s: %w", name, err)
	}
	return in, nil
}

// Transfer moves rao from the signer's account to another, given as an address.
// The signer's account is kept alive.
func (c *Client) Transfer(ctx context.Context, s Signer, to string, rao uint64) error {
	pub, err := keys.ParseAddress(to)
	if err != nil {
		return fmt.Errorf("transfer: %w", err)
	}
	_, err = c.do(ctx, s, "Balances", "transfer_keep_alive", pub, rao)
	return err
}

// RegisterNetwork creates a subnet that the signing coldkey owns and the hotkey
// is the first neuron of, and returns its number.
func (c *Client) RegisterNetwork(ctx context.Context, coldkey Signer, hotkey [32]byte) (subnet.NetUID, error) {
	in, err := c.do(ctx, coldkey, module, "register_network", hotkey)
	if err != nil {
		return 0, err
	}
	for _, e := range in.Events {
		if e.String() == module+".NetworkAdded" {
			if n, ok := e.At(0).(uint64); ok {
				return subnet.NetUID(n), nil
			}
		}
	}
	return 0, errors.New("register_network: no event tells the subnet's number")
}

// StartCall lets a subnet's emission and staking begin. Its owner signs.
func (c *Client) StartCall(ctx context.Context, owner Signer, n subnet.NetUID) error {
	_, err := c.do(ctx, owner, module, "start_call", n)
	return err
}

// BurnedRegister makes the hotkey a neuron of the subnet, for a fee that the
// signing coldkey pays.
func (c *Client) BurnedRegister(ctx context.Context, coldkey Signer, n subnet.NetUID, hotkey [32]byte) error {
	_, err := c.do(ctx, coldkey, module, "burned_register", n, hotkey)
	return err
}

// AddStake puts rao of the signing coldkey's balance on the hotkey, as alpha of the
// subnet.
func (c *Client) AddStake(ctx context.Context, coldkey Signer, n subnet.NetUID, hotkey [32]byte, rao uint64) error {
	_, err := c.do(ctx, coldkey, module, "add_stake", hotkey, n, rao)
	return err
}

// Sudo executes a call as root. The chain's sudo key signs.
func (c *Client) Sudo(ctx context.Context, sudo Signer, call []byte) (Inclusion, error) {
	return c.do(ctx, sudo, "Sudo", "sudo", scale.Raw(call))
}
