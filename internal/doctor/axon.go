package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"syscall"

	"adit/internal/journal"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

func (p *patient) ofAxon() []Check {
	const topic = "axon"
	return []Check{
		{topic, "axon's address", []string{"values of settings"}, p.address},
		{topic, "axon's port", []string{"values of settings"}, p.port},
	}
}

// address says whether others could call it.
func (p *patient) address(context.Context) subnet.Finding {
	a := p.services.Axon
	if !a.IsValid() {
		return p.noAxon()
	}
	ip := a.Addr()
	if ip.IsGlobalUnicast() && !ip.IsPrivate() {
		return subnet.Fine("%s can be reached from everywhere, if nothing stands before it", a)
	}
	if slices.ContainsFunc(p.services.Endpoints, local) {
		return subnet.Fine("%s, as the chain is on this machine too", a)
	}
	return subnet.Doubt("set "+p.services.Names.AxonIP+" to the address under which others see this machine, or to none", "nobody outside can reach %s", a)
}

func (p *patient) noAxon() subnet.Finding {
	if ip := p.services.Names.AxonIP; ip != "" {
		return subnet.Skip("no axon is put on chain: %s is not set", ip)
	}
	return subnet.Skip("nobody calls a neuron of this network")
}

// local says whether an endpoint, which may be a network's name, is on this machine.
func local(endpoint string) bool {
	n, err := subtensor.ParseNetwork(endpoint)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(n.Endpoints, func(e string) bool {
		u, err := url.Parse(e)
		if err != nil {
			return false
		}
		ip, err := netip.ParseAddr(u.Hostname())
		return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	})
}

// port listens there for an instant.
func (p *patient) port(ctx context.Context) subnet.Finding {
	a := p.services.Axon
	if !a.IsValid() {
		return p.noAxon()
	}
	at := netip.AddrPortFrom(netip.IPv6Unspecified(), a.Port())
	if a.Addr().IsLoopback() {
		at = a
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at.String())
	if errors.Is(err, syscall.EADDRINUSE) && p.running() {
		return subnet.Fine("port %d is taken, probably by this neuron, which is running", a.Port())
	} else if err != nil {
		return fault(err, "set "+p.services.Names.AxonPort+" to a free one, or end the program that has it")
	}
	if err := l.Close(); err != nil {
		return fault(err, "set "+p.services.Names.AxonPort+" to another one")
	}
	return subnet.Fine("port %d is free", a.Port())
}

// running says whether a process plays a part of the role in the directory.
func (p *patient) running() bool {
	return slices.ContainsFunc(p.role.Parts, func(part string) bool {
		_, held, _ := journal.Holder(p.settings.Dir, part)
		return held
	})
}
