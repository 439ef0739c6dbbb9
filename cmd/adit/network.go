package main

import (
	"context"
	"fmt"
	"strings"

	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// A networkFlags says which chain is meant.
type networkFlags struct {
	Network []string `sep:"none" aliases:"subtensor.network,subtensor.chain_endpoint,chain-endpoint,chain_endpoint,chain" env:"BT_SUBTENSOR_CHAIN_ENDPOINT,BT_SUBTENSOR_NETWORK,BT_NETWORK" default:"finney" placeholder:"NAME|URL" help:"The chain: finney, test, archive, local, or a WebSocket URL; several, the best first, with commas between them."`
}

// network returns the endpoints. Where the flag is there more than once, under
// whatever names, the first value that is a URL says it, and else the last.
func (f networkFlags) network() (subtensor.Network, error) {
	chosen := f.Network[len(f.Network)-1]
	for _, v := range f.Network {
		if strings.Contains(v, ":") {
			chosen = v
			break
		}
	}
	var parts []string
	for part := range strings.SplitSeq(chosen, ",") {
		if part = strings.TrimSpace(part); strings.Contains(part, ":") && !strings.Contains(part, "://") {
			part = "ws://" + part // as old programs write a host and a port
		}
		parts = append(parts, part)
	}
	return subtensor.ParseNetwork(strings.Join(parts, ","))
}

// dial connects to the chain. The caller closes the client.
func (f networkFlags) dial(ctx context.Context) (*subtensor.Client, error) {
	n, err := f.network()
	if err != nil {
		return nil, err
	}
	return subtensor.Dial(ctx, subtensor.Options{Endpoints: n.Endpoints, Genesis: n.Genesis})
}

// head connects to the chain and returns its newest state beside the client.
func (f networkFlags) head(ctx context.Context) (*subtensor.Client, *subtensor.View, error) {
	client, err := f.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	v, err := client.At(ctx, subnet.Latest)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return client, v, nil
}

// A netuidFlag says which subnet is meant.
type netuidFlag struct {
	Netuid *subnet.NetUID `short:"n" env:"BT_NETUID" placeholder:"N" help:"The subnet."`
}

func (f netuidFlag) netuid() (subnet.NetUID, error) {
	if f.Netuid == nil {
		return 0, subnet.WithHint(fmt.Errorf("which subnet is meant? --netuid tells"), "'adit subnet list' shows those that there are; BT_NETUID sets a default")
	}
	return *f.Netuid, nil
}
