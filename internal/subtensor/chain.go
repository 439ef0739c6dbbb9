package subtensor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"

	"adit/internal/keys"
	"adit/internal/scale"
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

func (c chain) submit(ctx context.Context, pallet, name string, args ...any) (subnet.Block, error) {
	if c.signer == nil {
		return 0, fmt.Errorf("%s: no hotkey to sign with", name)
	}
	call, err := c.Call(ctx, pallet, name, args...)
	if err != nil {
		return 0, err
	}
	in, err := c.Submit(ctx, c.signer, call, SubmitOptions{})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return in.Block, nil
}

// maxFields, maxRaw and maxBigRaw are the bounds of a commitment: fields, bytes
// in one, and bytes in one of the large kind.
const (
	maxFields = 3
	maxRaw    = 128
	maxBigRaw = 512
)

// Commit implements [subnet.Chain].
func (c chain) Commit(ctx context.Context, fields ...string) (subnet.Block, error) {
	if len(fields) > maxFields {
		return 0, fmt.Errorf("commit: %d fields, at most %d fit", len(fields), maxFields)
	}
	data := make([]any, len(fields))
	for i, f := range fields {
		switch {
		case len(f) <= maxRaw:
			data[i] = scale.V(fmt.Sprintf("Raw%d", len(f)), []byte(f))
		case len(f) <= maxBigRaw:
			data[i] = scale.V("BigRaw", []byte(f))
		default:
			return 0, fmt.Errorf("commit: field of %d bytes, at most %d fit", len(f), maxBigRaw)
		}
	}
	return c.submit(ctx, "Commitments", "set_commitment", c.netuid, scale.Args{"fields": data})
}

// Commitments implements [subnet.Chain]. Of a commitment's fields, those that
// are text or bytes are returned, not hashes nor what is still encrypted.
func (c chain) Commitments(ctx context.Context, at subnet.Block) ([]subnet.Commitment, error) {
	v, err := c.At(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("read commitments: %w", err)
	}
	pairs, err := v.Pairs(ctx, "Commitments", "CommitmentOf", c.netuid)
	if err != nil {
		return nil, err
	}
	out := make([]subnet.Commitment, 0, len(pairs))
	for _, p := range pairs {
		hotkey, err := address(p.Keys[1])
		if err != nil {
			return nil, fmt.Errorf("read commitments: %w", err)
		}
		registration, _ := p.Value.(map[string]any)
		block, ok := registration["block"].(uint64)
		info, _ := registration["info"].(map[string]any)
		data, ok2 := info["fields"].([]any)
		if !ok || !ok2 {
			return nil, fmt.Errorf("commitment of %s has an unknown shape", hotkey)
		}
		m := subnet.Commitment{Hotkey: subnet.Hotkey(hotkey), Block: subnet.Block(block), Fields: []string{}}
		for _, d := range data {
			if field, ok := d.(scale.Variant); ok && (strings.HasPrefix(field.Name, "Raw") || field.Name == "BigRaw") {
				b, _ := field.At(0).([]byte)
				m.Fields = append(m.Fields, string(b))
			}
		}
		out = append(out, m)
	}
	return out, nil
}

func address(v any) (string, error) {
	b, ok := v.([]byte)
	if !ok || len(b) != 32 {
		return "", fmt.Errorf("%v is no account", v)
	}
	return keys.Address([32]byte(b)), nil
}

// SetWeights implements [subnet.Chain].
func (c chain) SetWeights(ctx context.Context, weights []subnet.Weight) (subnet.Block, error) {
	uids, values, err := scaleWeights(weights)
	if err != nil {
		return 0, fmt.Errorf("set weights: %w", err)
	}
	version, err := c.Query(ctx, subnet.Latest, "SubtensorModule", "WeightsVersionKey", c.netuid)
	if err != nil {
		return 0, fmt.Errorf("set weights: %w", err)
	}
	return c.submit(ctx, "SubtensorModule", "set_weights", c.netuid, uids, values, version)
}

// scaleWeights turns weights into the chain's numbers: the largest is 65535, and
// what is not positive, or too small beside the largest, is left out.
func scaleWeights(weights []subnet.Weight) (uids, values []uint16, err error) {
	largest := 0.0
	for _, w := range weights {
		if math.IsInf(w.Value, 0) {
			return nil, nil, fmt.Errorf("weight of uid %d is infinite", w.UID)
		}
		if w.Value > largest { // a NaN is not
			largest = w.Value
		}
	}
	for _, w := range weights {
		if n := math.RoundToEven(w.Value / largest * math.MaxUint16); w.Value > 0 && n >= 1 {
			uids = append(uids, uint16(w.UID))
			values = append(values, uint16(n))
		}
	}
	if len(uids) == 0 {
		return nil, nil, errors.New("no weight is positive")
	}
	return uids, values, nil
}

// The axon's fields that the chain only keeps: the protocol is what Bittensor's
// SDK writes there.
const (
	axonVersion  = 1
	axonProtocol = 4
)

// ServeAxon implements [subnet.Chain]. An address that already stands there is
// not written again: the chain limits how often it may be.
func (c chain) ServeAxon(ctx context.Context, addr netip.AddrPort) error {
	ip := addr.Addr().Unmap()
	if !ip.IsValid() || ip.Zone() != "" {
		return fmt.Errorf("serve axon: %v is no address others can reach", addr)
	}
	addr = netip.AddrPortFrom(ip, addr.Port())
	if c.signer == nil {
		return errors.New("serve axon: no hotkey to sign with")
	}
	now, err := c.Query(ctx, subnet.Latest, "SubtensorModule", "Axons", c.netuid, c.signer.Public())
	if err != nil {
		return fmt.Errorf("serve axon: %w", err)
	}
	if axon(now) == addr {
		return nil
	}
	number, kind := ipNumber(ip)
	_, err = c.submit(ctx, "SubtensorModule", "serve_axon", c.netuid, axonVersion, number, addr.Port(), kind, axonProtocol, 0, 0)
	return err
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

// axon returns the address in an AxonInfo, the zero value if there is none.
func axon(v any) netip.AddrPort {
	info, _ := v.(map[string]any)
	n, ok := info["ip"].(scale.U128)
	port, _ := info["port"].(uint64)
	kind, _ := info["ip_type"].(uint64)
	if !ok || port == 0 || port > math.MaxUint16 || n == (scale.U128{}) {
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
