package subtensor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// The axon's fields that the chain only keeps: the protocol is what Bittensor's
// SDK writes there.
const (
	axonVersion  = 1
	axonProtocol = 4
)

// An Axon is where a neuron serves, and what it says of itself there.
type Axon struct {
	Addr         netip.AddrPort
	Version      uint32 // of the neuron's software
	Protocol     uint8
	Placeholders [2]uint8
}

// ServeAxon publishes where a neuron serves. The hotkey signs; there is no fee.
// The chain refuses loopback and port 0, and an address may be changed only every
// so many blocks.
func ServeAxon(n subnet.NetUID, a Axon) Call {
	ip, kind := ipNumber(a.Addr.Addr().Unmap())
	return Call{module, "serve_axon", scale.Args{"netuid": n, "version": a.Version, "ip": ip, "port": a.Addr.Port(), "ip_type": kind,
		"protocol": a.Protocol, "placeholder1": a.Placeholders[0], "placeholder2": a.Placeholders[1]}}
}

// ServeAxonTLS is [ServeAxon] with a certificate of at most 65 bytes: a kind and a
// public key.
func ServeAxonTLS(n subnet.NetUID, a Axon, certificate []byte) Call {
	k := ServeAxon(n, a)
	k.Name = "serve_axon_tls"
	k.Args["certificate"] = certificate
	return k
}

// ServePrometheus publishes where a neuron's metrics are. The hotkey signs; there
// is no fee.
func ServePrometheus(n subnet.NetUID, addr netip.AddrPort) Call {
	ip, kind := ipNumber(addr.Addr().Unmap())
	return Call{module, "serve_prometheus", scale.Args{"netuid": n, "version": axonVersion, "ip": ip, "port": addr.Port(), "ip_type": kind}}
}

// ServeAxon implements [subnet.Chain]. An address that already stands there is
// not written again: the chain limits how often it may be.
func (c chain) ServeAxon(ctx context.Context, addr netip.AddrPort) error {
	return c.serve(ctx, addr, "Axons", ServeAxon(c.netuid, Axon{Addr: addr, Version: axonVersion, Protocol: axonProtocol}))
}

// ServePrometheus publishes where the neuron's metrics are, as ServeAxon does for
// the neuron.
func (c chain) ServePrometheus(ctx context.Context, addr netip.AddrPort) error {
	return c.serve(ctx, addr, "Prometheus", ServePrometheus(c.netuid, addr))
}

func (c chain) serve(ctx context.Context, addr netip.AddrPort, item string, k Call) error {
	ip := addr.Addr().Unmap()
	if !ip.IsValid() || ip.Zone() != "" {
		return fmt.Errorf("%s: %v is no address others can reach", k.Name, addr)
	}
	if c.signer == nil {
		return fmt.Errorf("%s: %w", k.Name, errNoHotkey)
	}
	now, err := c.Query(ctx, subnet.Latest, module, item, c.netuid, c.signer.Public())
	if err != nil {
		return fmt.Errorf("%s: %w", k.Name, err)
	}
	if axon(now) == netip.AddrPortFrom(ip, addr.Port()) {
		return nil
	}
	_, err = c.do(ctx, k)
	return err
}

var errNoHotkey = errors.New("no hotkey to sign with")

// A Served is what a hotkey has published of an axon on a subnet.
type Served struct {
	Hotkey     Account
	Block      subnet.Block // in which it did so, 0 if it has not
	Axon       Axon         // without an address if it serves none
	Prometheus netip.AddrPort
	// When the hotkey last published its Prometheus, 0 if never.
	PrometheusBlock subnet.Block
}

// Serving reads what hotkeys have published on a subnet, sorted by hotkey, or what
// the given ones have.
func (v *View) Serving(ctx context.Context, n subnet.NetUID, hotkeys ...Account) ([]Served, error) {
	of := map[Account]*Served{}
	for _, item := range []string{"Axons", "Prometheus"} {
		pairs, err := v.served(ctx, item, n, hotkeys)
		if err != nil {
			return nil, fmt.Errorf("read where neurons serve: %w", err)
		}
		for who, info := range pairs {
			s := of[who]
			if s == nil {
				s = &Served{Hotkey: who}
				of[who] = s
			}
			at := subnet.Block(number(info["block"]))
			if item == "Prometheus" {
				s.Prometheus, s.PrometheusBlock = axon(info), at
				continue
			}
			s.Block, s.Axon = at, Axon{axon(info), uint32(number(info["version"])), uint8(number(info["protocol"])),
				[2]uint8{uint8(number(info["placeholder1"])), uint8(number(info["placeholder2"]))}}
		}
	}
	return slices.SortedFunc(func(yield func(Served) bool) {
		for _, s := range of {
			if !yield(*s) {
				return
			}
		}
	}, func(a, b Served) int { return slices.Compare(a.Hotkey[:], b.Hotkey[:]) }), nil
}

// served reads the entries of a map of a subnet's hotkeys, of all or of some.
func (v *View) served(ctx context.Context, item string, n subnet.NetUID, hotkeys []Account) (map[Account]map[string]any, error) {
	out := map[Account]map[string]any{}
	if len(hotkeys) > 0 {
		es := make([]Entry, len(hotkeys))
		for i, who := range hotkeys {
			es[i] = Entry{module, item, []any{n, who}}
		}
		vs, err := v.GetAll(ctx, es)
		for i, x := range vs {
			if info, ok := x.(map[string]any); ok {
				out[hotkeys[i]] = info
			}
		}
		return out, err
	}
	pairs, err := v.Pairs(ctx, module, item, n)
	for _, p := range pairs {
		var who Account
		if err := scale.Assign(&who, p.Keys[1]); err != nil {
			return nil, err
		}
		if info, ok := p.Value.(map[string]any); ok {
			out[who] = info
		}
	}
	return out, err
}

// ipNumber returns an address as the chain writes it: as a big-endian number,
// with 4 or 6.
func ipNumber(ip netip.Addr) (n scale.U128, kind int) {
	b := ip.As16()
	if ip.Is4() {
		v4 := ip.As4()
		b = [16]byte{}
		copy(b[12:], v4[:])
		kind = 4
	} else {
		kind = 6
	}
	for i := range 8 {
		n.Hi = n.Hi<<8 | uint64(b[i])
		n.Lo = n.Lo<<8 | uint64(b[8+i])
	}
	return n, kind
}

// ipAddr is the reverse of ipNumber. An address of 0 with a port is one that is
// not served.
func ipAddr(n scale.U128, kind, port uint64) netip.AddrPort {
	if port == 0 || port > math.MaxUint16 || n == (scale.U128{}) {
		return netip.AddrPort{}
	}
	var b [16]byte
	for i := range 8 {
		b[i] = byte(n.Hi >> (56 - 8*i))
		b[8+i] = byte(n.Lo >> (56 - 8*i))
	}
	ip := netip.AddrFrom16(b)
	if kind == 4 {
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	return netip.AddrPortFrom(ip, uint16(port))
}

// axon returns the address in an AxonInfo or PrometheusInfo, the zero value if
// there is none.
func axon(v any) netip.AddrPort {
	info, _ := v.(map[string]any)
	n, ok := info["ip"].(scale.U128)
	if !ok {
		return netip.AddrPort{}
	}
	return ipAddr(n, number(info["ip_type"]), number(info["port"]))
}
