package subtensor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"

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
