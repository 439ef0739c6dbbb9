package main

import (
	"context"
	"fmt"
	"strconv"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// AxonShowCommand shows axons.
type AxonShowCommand struct {
	readFlags
	netuidFlag
	All     bool     `short:"a" help:"Show neurons that serve nowhere too."`
	Neurons []string `arg:"" optional:"" name:"neuron" help:"These only: uids, or addresses of hotkeys."`
}

// Help shows examples.
func (AxonShowCommand) Help() string {
	return `Shows where the neurons of a subnet serve, as they have published it themselves:
whether anybody answers there, it does not say.

Examples:
  adit axon show --netuid 1
  adit axon show --netuid 1 0 7 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY
  adit axon show --netuid 1 --all --json`
}

// The shapes of the JSON.
type (
	shownAxons struct {
		Netuid uint16      `json:"netuid"`
		Block  uint64      `json:"block"`
		Axons  []shownAxon `json:"axons"`
	}
	shownAxon struct {
		UID        uint16 `json:"uid"`
		Hotkey     string `json:"hotkey"`
		Coldkey    string `json:"coldkey"`
		Axon       string `json:"axon"` // "none", or address and port
		IP         string `json:"ip,omitempty"`
		Port       uint16 `json:"port,omitempty"`
		Protocol   uint8  `json:"protocol"`
		Version    uint32 `json:"version"`
		Served     uint64 `json:"served_at,omitempty"` // block
		Prometheus string `json:"prometheus"`
	}
)

// Run shows them.
func (c AxonShowCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	neurons, err := neuronsNamed(ctx, v, n, c.Neurons)
	if err != nil {
		return err
	}
	serving, err := v.Serving(ctx, n)
	if err != nil {
		return err
	}
	by := map[subtensor.Account]subtensor.Served{}
	for _, s := range serving {
		by[s.Hotkey] = s
	}
	out := shownAxons{uint16(n), uint64(v.Block), []shownAxon{}}
	table := tui.Table{Columns: []tui.Column{{Head: "UID", Right: true}, {Head: "AXON"}, {Head: "HOTKEY", Brief: 13}, {Head: "PROTOCOL", Right: true, Drop: 2},
		{Head: "VERSION", Right: true, Drop: 3}, {Head: "BLOCK", Right: true, Drop: 1}, {Head: "PROMETHEUS", Drop: 4}}}
	for _, x := range neurons {
		s := by[x.Hotkey]
		serves := axonText(s.Axon.Addr) != "none" || axonText(s.Prometheus) != "none"
		if !serves && !c.All && len(c.Neurons) == 0 {
			continue
		}
		a := shownAxon{UID: uint16(x.UID), Hotkey: keys.Address(x.Hotkey), Coldkey: keys.Address(x.Coldkey), Axon: axonText(s.Axon.Addr),
			Protocol: s.Axon.Protocol, Version: s.Axon.Version, Served: uint64(s.Block), Prometheus: axonText(s.Prometheus)}
		if a.Axon != "none" {
			a.IP, a.Port = s.Axon.Addr.Addr().String(), s.Axon.Addr.Port()
		}
		out.Axons = append(out.Axons, a)
		table.Rows = append(table.Rows, []string{strconv.Itoa(int(a.UID)), a.Axon, a.Hotkey, strconv.Itoa(int(a.Protocol)), strconv.Itoa(int(a.Version)), strconv.Itoa(int(a.Served)), a.Prometheus})
	}
	if c.JSON {
		return printJSON(t, out)
	}
	if len(out.Axons) == 0 {
		fmt.Fprintf(t.err, "adit: none of the %s of subnet %d serves\nhint: --all lists them\n", counted(len(neurons), "neuron"), n)
		return nil
	}
	return printTable(t, table)
}

// neuronsNamed returns the neurons of a subnet that are named by uid or hotkey, or
// all.
func neuronsNamed(ctx context.Context, v *subtensor.View, n subnet.NetUID, names []string) ([]subtensor.NeuronLite, error) {
	all, err := v.NeuronsLite(ctx, n)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, noSubnet(n)
	}
	if len(names) == 0 {
		return all, nil
	}
	var out []subtensor.NeuronLite
	for _, name := range names {
		found := false
		for _, x := range all {
			if name == strconv.Itoa(int(x.UID)) || name == keys.Address(x.Hotkey) {
				out, found = append(out, x), true
			}
		}
		if !found {
			return nil, subnet.WithHint(fmt.Errorf("subnet %d has no neuron %s", n, plainText(name)), fmt.Sprintf("'adit metagraph --netuid %d' lists them", n))
		}
	}
	return out, nil
}
