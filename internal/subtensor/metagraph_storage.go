package subtensor

import (
	"context"
	"fmt"
	"math"

	"adit/internal/subnet"
)

// A metagraphReader puts a metagraph together from storage, for runtimes and nodes
// that do not answer for it. It takes three round trips, whatever the size: the
// subnet's own items, each uid's, and each hotkey's.
type metagraphReader struct {
	*View
	netuid subnet.NetUID
}

func (r *metagraphReader) entry(item string, keys ...any) Entry { return Entry{module, item, keys} }

// The subnet's own items, in the order they are asked for.
var subnetItems = [...]string{"NetworksAdded", "Tempo", "SubnetworkN", "ValidatorPermit", "LastUpdate", "Incentive", "Dividends", "Consensus", "Emission"}

func (r *metagraphReader) read(ctx context.Context) (*subnet.Metagraph, error) {
	var es []Entry
	for _, item := range subnetItems {
		es = append(es, r.entry(item, r.netuid))
	}
	vs, err := r.GetAll(ctx, es)
	if err != nil {
		return nil, err
	}
	if vs[0] != true {
		return nil, fmt.Errorf("there is no such subnet: %w", subnet.ErrNotFound)
	}
	m := &subnet.Metagraph{NetUID: r.netuid, Block: r.Block, Tempo: subnet.Block(number(vs[1]))}
	n := int(number(vs[2]))
	if n > math.MaxUint16 {
		return nil, fmt.Errorf("%d neurons", n)
	}
	m.Neurons = make([]subnet.Neuron, n)
	for i := range m.Neurons {
		x := &m.Neurons[i]
		x.UID = subnet.UID(i)
		x.Permit = element(vs[3], i) == true
		x.LastUpdate = subnet.Block(number(element(vs[4], i)))
		x.Incentive = share(element(vs[5], i))
		x.Dividends = share(element(vs[6], i))
		x.Consensus = share(element(vs[7], i))
		x.Emission = number(element(vs[8], i))
	}
	accounts, err := r.byUID(ctx, m.Neurons)
	if err != nil {
		return nil, err
	}
	return m, r.byHotkey(ctx, m.Neurons, accounts)
}

// byUID fills in what is stored under uids, and returns the hotkeys.
func (r *metagraphReader) byUID(ctx context.Context, neurons []subnet.Neuron) ([]any, error) {
	var es []Entry
	for _, x := range neurons {
		uid := uint16(x.UID)
		es = append(es, r.entry("Keys", r.netuid, uid), r.entry("BlockAtRegistration", r.netuid, uid), r.entry("Weights", r.netuid, uid))
	}
	vs, err := r.GetAll(ctx, es)
	if err != nil {
		return nil, err
	}
	accounts := make([]any, len(neurons))
	for i := range neurons {
		x, got := &neurons[i], vs[3*i:]
		hotkey, err := address(got[0])
		if err != nil {
			return nil, err
		}
		accounts[i] = got[0]
		x.Hotkey = subnet.Hotkey(hotkey)
		x.RegisteredAt = subnet.Block(number(got[1]))
		x.Weights = normalized(got[2])
	}
	return accounts, nil
}

// byHotkey fills in what is stored under hotkeys.
func (r *metagraphReader) byHotkey(ctx context.Context, neurons []subnet.Neuron, accounts []any) error {
	var es []Entry
	for _, hotkey := range accounts {
		es = append(es, r.entry("Owner", hotkey), r.entry("Axons", r.netuid, hotkey), r.entry("TotalHotkeyAlpha", hotkey, r.netuid))
	}
	vs, err := r.GetAll(ctx, es)
	if err != nil {
		return err
	}
	for i := range neurons {
		x, got := &neurons[i], vs[3*i:]
		if x.Coldkey, err = address(got[0]); err != nil {
			return err
		}
		x.Axon = axon(got[1])
		x.Stake = number(got[2])
	}
	return nil
}

// number returns a decoded integer, 0 if it is none.
func number(v any) uint64 {
	n, _ := v.(uint64)
	return n
}

// element returns the i-th of a decoded list. The lists of an epoch are shorter
// than the subnet until the next epoch.
func element(v any, i int) any {
	if vs, _ := v.([]any); i < len(vs) {
		return vs[i]
	}
	return nil
}

// share turns the chain's fractions of 65535 into [0, 1].
func share(v any) float64 { return float64(number(v)) / math.MaxUint16 }

func fraction(n uint16) float64 { return float64(n) / math.MaxUint16 }

// normalized returns weights as stored, divided by their sum.
func normalized(v any) []subnet.Weight {
	rows, _ := v.([]any)
	var out []subnet.Weight
	sum := 0.0
	for i := range rows {
		w := subnet.Weight{UID: subnet.UID(number(element(rows[i], 0))), Value: float64(number(element(rows[i], 1)))}
		sum += w.Value
		out = append(out, w)
	}
	for i := range out {
		if sum > 0 {
			out[i].Value /= sum
		}
	}
	return out
}
