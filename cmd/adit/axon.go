package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// AxonCommand is about where neurons serve.
type AxonCommand struct {
	Show  AxonShowCommand  `cmd:"" help:"Show where the neurons of a subnet serve."`
	Set   AxonSetCommand   `cmd:"" help:"Publish where a neuron serves."`
	Reset AxonResetCommand `cmd:"" help:"Publish that a neuron serves nowhere."`
}

// AxonSetCommand publishes an axon.
type AxonSetCommand struct {
	actorFlags
	IP             netip.Addr `required:"" aliases:"axon.ip,axon.external_ip" placeholder:"ADDRESS" help:"The address under which others reach the neuron."`
	Port           uint16     `aliases:"axon.port,axon.external_port" placeholder:"N" help:"Its port."`
	IPType         uint8      `name:"ip-type" aliases:"ip_type" placeholder:"4|6" help:"The version of the Internet Protocol, which the address tells anyway."`
	Protocol       uint8      `default:"4" placeholder:"N" help:"What the chain is told of the axon's protocol (${default})."`
	AxonVersion    uint32     `name:"axon-version" default:"1" placeholder:"N" help:"What it is told of the software's version (${default})."`
	PrometheusPort uint16     `aliases:"prometheus_port,prometheus.port" placeholder:"N" help:"Publish also that metrics are at this port of the address."`
}

// Help shows examples.
func (AxonSetCommand) Help() string {
	return `Publishes where other neurons reach the hotkey's. The hotkey signs, and there is no
fee, but a subnet lets the address be changed only every so many blocks.

Examples:
  adit axon set --netuid 1 --ip 203.0.113.7 --port 8091
  adit axon set --netuid 1 --ip 2001:db8::7 --port 8091 --prometheus-port 9090`
}

// Validate checks what needs no chain.
func (c AxonSetCommand) Validate() error {
	kind := uint8(6)
	if c.IP.Unmap().Is4() {
		kind = 4
	}
	switch {
	case !c.IP.IsValid():
		return nil // kong says that it is missing
	case c.IPType != 0 && c.IPType != kind:
		return fmt.Errorf("%v is an address of version %d, not %d", c.IP, kind, c.IPType)
	case c.Port == 0 && c.PrometheusPort == 0:
		return errors.New("which port? --port tells")
	case c.IP.Unmap() == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || c.IP.IsMulticast() || c.IP.IsUnspecified() || c.IP.Zone() != "":
		return subnet.WithHint(fmt.Errorf("nobody else reaches a neuron at %v", c.IP), "--ip is the address under which others reach it; 'adit axon reset' says that it serves nowhere")
	}
	return nil
}

// An axonResult is what became of an axon. The names are btcli's.
type axonResult struct {
	Netuid     uint16 `json:"netuid"`
	Hotkey     string `json:"hotkey"`
	IP         string `json:"ip"`
	Port       uint16 `json:"port"`
	Prometheus uint16 `json:"prometheus_port,omitempty"`
	Changed    bool   `json:"changed"` // not if the chain had it already
}

// Run publishes it.
func (c AxonSetCommand) Run(ctx context.Context, t terminal) error {
	ip := c.IP.Unmap()
	switch {
	case ip.IsLoopback():
		fmt.Fprintf(t.err, "adit: %v is this machine itself: chains refuse that, but for a local one that runs with --allow-loopback-axons\n", ip)
	case ip.IsPrivate() || ip.IsLinkLocalUnicast():
		fmt.Fprintf(t.err, "adit: %v is an address of a private network: only who is in it reaches the neuron\n", ip)
	}
	return c.serve(ctx, t, "serve", subtensor.Axon{Addr: netip.AddrPortFrom(ip, c.Port), Version: c.AxonVersion, Protocol: c.Protocol}, c.PrometheusPort)
}

// serve publishes an axon, if its port is not 0, and metrics, if theirs is not.
func (f actorFlags) serve(ctx context.Context, t terminal, title string, axon subtensor.Axon, metrics uint16) error {
	a, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer a.client.Close()
	if err := a.registered(ctx); err != nil {
		return err
	}
	now, err := a.Serving(ctx, a.netuid, a.who)
	if err != nil {
		return err
	}
	var was subtensor.Served
	if len(now) > 0 {
		was = now[0]
	}
	ip := axon.Addr.Addr()
	result := axonResult{uint16(a.netuid), keys.Address(a.who), ip.String(), axon.Addr.Port(), metrics, true}
	told := [][2]string{{"subnet", fmt.Sprint(a.netuid)}, {"neuron", result.Hotkey}}
	var calls []subtensor.Call
	reset := ip.IsUnspecified()
	same := was.Axon == axon || reset && !was.Axon.Addr.IsValid()
	if axon.Addr.Port() != 0 && !same {
		if err := a.servable(ctx, was.Block); err != nil {
			return err
		}
		calls = append(calls, subtensor.ServeAxon(a.netuid, axon))
		told = append(told, [2]string{"now", axonText(was.Axon.Addr)}, [2]string{"then", axonText(axon.Addr)})
	}
	if addr := netip.AddrPortFrom(ip, metrics); metrics != 0 && was.Prometheus != addr {
		if err := a.servable(ctx, was.PrometheusBlock); err != nil {
			return err
		}
		calls = append(calls, subtensor.ServePrometheus(a.netuid, addr))
		told = append(told, [2]string{"metrics", addr.String()})
	}
	if len(calls) == 0 {
		result.Changed = false
		if f.JSON {
			return printJSON(t, receipt{Success: true, Result: result})
		}
		_, err := fmt.Fprintln(t.out, "the chain has that already: nothing is left to do")
		return err
	}
	r, err := f.deal(ctx, t, a.client, deal{signer: a.files, call: calls[0], title: title, told: told})
	if err != nil {
		return err
	}
	// The second has been agreed to with the first. They are not one batch, which
	// would cost a fee, and hotkeys seldom have money.
	if second := f.dealFlags; len(calls) > 1 && !f.DryRun {
		second.Yes, second.JSON = true, true
		if _, err := second.deal(ctx, t, a.client, deal{signer: a.files, call: calls[1]}); err != nil {
			return fmt.Errorf("the axon is published, but its metrics are not: %w", err)
		}
	}
	r.Message = fmt.Sprintf("Published where %s serves on subnet %d", result.Hotkey, a.netuid)
	return f.print(t, r, result, [2]string{"axon", axonText(axon.Addr)})
}

// servable returns an error if the hotkey last published something too recently.
func (a *actor) servable(ctx context.Context, last subnet.Block) error {
	got, err := a.Get(ctx, "SubtensorModule", "ServingRateLimit", a.netuid)
	if err != nil {
		return err
	}
	limit, _ := got.(uint64)
	if due := last + subnet.Block(limit); last > 0 && due > a.Block {
		return subnet.WithHint(fmt.Errorf("it is too early: subnet %d lets an address be changed every %s, and the last change is of block %d", a.netuid, counted(int(limit), "block"), last),
			fmt.Sprintf("%s are left", counted(int(due-a.Block), "block")))
	}
	return nil
}

// AxonResetCommand takes an axon back.
type AxonResetCommand struct{ actorFlags }

// Help shows examples.
func (AxonResetCommand) Help() string {
	return `Publishes that the hotkey's neuron serves nowhere any more, so that nobody asks it.

Examples:
  adit axon reset --netuid 1
  adit axon reset --netuid 1 --wallet-name miner --hotkey hk1 --yes`
}

// Run takes it back: the chain has no call for that, and clients write the address 0
// with a port that nobody uses.
func (c AxonResetCommand) Run(ctx context.Context, t terminal) error {
	return c.serve(ctx, t, "serve no more", subtensor.Axon{Addr: netip.AddrPortFrom(netip.IPv4Unspecified(), 1), Protocol: 4}, 0)
}
