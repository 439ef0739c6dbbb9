package subtensor

import (
	"context"
	"fmt"

	"adit/internal/keys"
	"adit/internal/subnet"
)

// chain is one subnet as one hotkey sees it.
type chain struct {
	*Client
	netuid subnet.NetUID
	signer Signer
}

var _ subnet.Chain = chain{}

// Subnet returns the chain as protocols see it. Without a signer it can only
// be read.
func (c *Client) Subnet(netuid subnet.NetUID, s Signer) subnet.Chain { return chain{c, netuid, s} }

// do carries out a call of the hotkey.
func (c chain) do(ctx context.Context, k Call) (subnet.Block, error) {
	if c.signer == nil {
		return 0, fmt.Errorf("%s: %w", k.Name, errNoHotkey)
	}
	in, err := c.Do(ctx, c.signer, k, SubmitOptions{})
	if err != nil {
		return 0, err
	}
	return in.Block, nil
}

func address(v any) (string, error) {
	b, ok := v.([]byte)
	if !ok || len(b) != 32 {
		return "", fmt.Errorf("%v is no account", v)
	}
	return keys.Address([32]byte(b)), nil
}
