package subtensor

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
)

// Transfer moves rao from the signer's account to another, given as an address.
// The signer's account is kept alive.
func (c *Client) Transfer(ctx context.Context, s Signer, to string, rao uint64) error {
	pub, err := keys.ParseAddress(to)
	if err != nil {
		return fmt.Errorf("transfer: %w", err)
	}
	_, err = c.Do(ctx, s, TransferKeepAlive(pub, rao), SubmitOptions{})
	return err
}

// RegisterNetwork creates a subnet that the signing coldkey owns and the hotkey
// is the first neuron of, and returns its number.
func (c *Client) RegisterNetwork(ctx context.Context, coldkey Signer, hotkey [32]byte) (subnet.NetUID, error) {
	in, err := c.Do(ctx, coldkey, RegisterNetwork(hotkey), SubmitOptions{})
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
	_, err := c.Do(ctx, owner, StartCall(n), SubmitOptions{})
	return err
}

// BurnedRegister makes the hotkey a neuron of the subnet, for a fee that the
// signing coldkey pays, whatever it is; see [Client.Register].
func (c *Client) BurnedRegister(ctx context.Context, coldkey Signer, n subnet.NetUID, hotkey [32]byte) error {
	_, err := c.Do(ctx, coldkey, BurnedRegister(n, hotkey), SubmitOptions{})
	return err
}

// AddStake puts rao of the signing coldkey's balance on the hotkey, as alpha of the
// subnet.
func (c *Client) AddStake(ctx context.Context, coldkey Signer, n subnet.NetUID, hotkey [32]byte, rao uint64) error {
	_, err := c.Do(ctx, coldkey, AddStake(hotkey, n, rao), SubmitOptions{})
	return err
}

// Sudo executes a call, in SCALE, as root. The chain's sudo key signs.
func (c *Client) Sudo(ctx context.Context, sudo Signer, call []byte) (Inclusion, error) {
	return c.Do(ctx, sudo, Call{"Sudo", "sudo", scale.Args{"call": scale.Raw(call)}}, SubmitOptions{})
}
