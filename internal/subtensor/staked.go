package subtensor

import (
	"context"
	"fmt"
	"net/netip"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// A Stake is what a coldkey has with a hotkey on a subnet, in the smallest unit
// of alpha, or in RAO on root.
type Stake struct {
	Hotkey, Coldkey Account
	NetUID          subnet.NetUID
	Amount          uint64
	Locked          uint64 // of it, not to be taken out
	Emission        uint64 // of the last epoch
	Registered      bool   // the hotkey, on the subnet
}

type rawStake struct {
	Hotkey, Coldkey Account
	Netuid          subnet.NetUID
	Stake, Emission uint64
	Locked          opt[uint64]
	IsRegistered    bool
}

// Stakes reads all that a coldkey has staked, in one round trip.
func (v *View) Stakes(ctx context.Context, coldkey Account) ([]Stake, error) {
	var raw []rawStake
	if _, err := v.askInto(ctx, &raw, "StakeInfoRuntimeApi", "get_stake_info_for_coldkey", coldkey); err != nil {
		return nil, fmt.Errorf("read stakes: %w", err)
	}
	out := make([]Stake, len(raw))
	for i := range raw {
		out[i] = raw[i].plain()
	}
	return out, nil
}

func (r *rawStake) plain() Stake {
	return Stake{r.Hotkey, r.Coldkey, r.Netuid, r.Stake, r.Locked.V, r.Emission, r.IsRegistered}
}

// Stake reads what a coldkey has with a hotkey on a subnet; all 0 if nothing.
func (v *View) Stake(ctx context.Context, hotkey, coldkey Account, n subnet.NetUID) (Stake, error) {
	var raw rawStake
	is, err := v.askInto(ctx, &raw, "StakeInfoRuntimeApi", "get_stake_info_for_hotkey_coldkey_netuid", hotkey, coldkey, n)
	if err != nil {
		return Stake{}, fmt.Errorf("read the stake on subnet %d: %w", n, err)
	}
	if !is {
		return Stake{Hotkey: hotkey, Coldkey: coldkey, NetUID: n}, nil
	}
	return raw.plain(), nil
}

// OwnedHotkeys reads which hotkeys belong to a coldkey.
func (v *View) OwnedHotkeys(ctx context.Context, coldkey Account) ([]Account, error) {
	got, err := v.Get(ctx, module, "OwnedHotkeys", coldkey)
	if err != nil {
		return nil, err
	}
	var out []Account
	err = scale.Assign(&out, got)
	return out, err
}

// A Delegate is a hotkey that others have staked with.
type Delegate struct {
	Hotkey, Owner  Account
	Take           uint16 // which part of their rewards it keeps, of 65535
	Nominators     []Nominator
	Registrations  []subnet.NetUID
	Permits        []subnet.NetUID // where it may set weights
	ReturnPer1000  uint64          // RAO in a day for 1000 TAO
	TotalDayReturn uint64          // RAO
}

// A Nominator is a coldkey that has staked with a delegate.
type Nominator struct {
	Coldkey Account
	Stakes  []NominatorStake
}

// A NominatorStake is what a nominator has on one subnet.
type NominatorStake struct {
	NetUID subnet.NetUID
	Amount uint64
}

type rawDelegate struct {
	Delegate         Account `scale:"delegate_ss58"`
	Owner            Account `scale:"owner_ss58"`
	Take             uint16
	Nominators       []scale.Tuple2[Account, []scale.Tuple2[subnet.NetUID, uint64]]
	Registrations    []subnet.NetUID
	ValidatorPermits []subnet.NetUID
	ReturnPer1000    uint64 `scale:"return_per_1000"`
	TotalDailyReturn uint64
}

// Delegates reads all delegates. On the main network that is some megabytes.
func (v *View) Delegates(ctx context.Context) ([]Delegate, error) {
	var raw []rawDelegate
	if _, err := v.askInto(ctx, &raw, "DelegateInfoRuntimeApi", "get_delegates"); err != nil {
		return nil, fmt.Errorf("read delegates: %w", err)
	}
	out := make([]Delegate, len(raw))
	for i, r := range raw {
		d := Delegate{Hotkey: r.Delegate, Owner: r.Owner, Take: r.Take, Registrations: r.Registrations, Permits: r.ValidatorPermits,
			ReturnPer1000: r.ReturnPer1000, TotalDayReturn: r.TotalDailyReturn}
		for _, n := range r.Nominators {
			who := Nominator{Coldkey: n.F0}
			for _, s := range n.F1 {
				who.Stakes = append(who.Stakes, NominatorStake{s.F0, s.F1})
			}
			d.Nominators = append(d.Nominators, who)
		}
		out[i] = d
	}
	return out, nil
}

// A NeuronLite is a neuron without weights and bonds.
type NeuronLite struct {
	UID                                                                   subnet.UID
	Hotkey, Coldkey                                                       Account
	Active, Permit                                                        bool
	Axon, Prometheus                                                      netip.AddrPort
	Stake                                                                 uint64 // of all coldkeys, in the smallest unit of alpha
	Emission                                                              uint64
	Rank, Incentive, Consensus, Trust, ValidatorTrust, Dividends, Pruning uint16 // of 65535
	LastUpdate                                                            subnet.Block
}

type rawNeuron struct {
	Hotkey, Coldkey                                                            Account
	UID                                                                        subnet.UID
	Active, ValidatorPermit                                                    bool
	AxonInfo, PrometheusInfo                                                   rawServer
	Stake                                                                      []scale.Tuple2[Account, uint64]
	Rank, Incentive, Consensus, Trust, ValidatorTrust, Dividends, PruningScore uint16
	Emission                                                                   uint64
	LastUpdate                                                                 subnet.Block
}

// NeuronsLite reads a subnet's neurons, in one round trip.
func (v *View) NeuronsLite(ctx context.Context, n subnet.NetUID) ([]NeuronLite, error) {
	var raw []rawNeuron
	if _, err := v.askInto(ctx, &raw, "NeuronInfoRuntimeApi", "get_neurons_lite", n); err != nil {
		return nil, fmt.Errorf("read neurons of subnet %d: %w", n, err)
	}
	out := make([]NeuronLite, len(raw))
	for i, r := range raw {
		out[i] = NeuronLite{UID: r.UID, Hotkey: r.Hotkey, Coldkey: r.Coldkey, Active: r.Active, Permit: r.ValidatorPermit,
			Axon: r.AxonInfo.addr(), Prometheus: r.PrometheusInfo.addr(), Emission: r.Emission, Rank: r.Rank, Incentive: r.Incentive,
			Consensus: r.Consensus, Trust: r.Trust, ValidatorTrust: r.ValidatorTrust, Dividends: r.Dividends, Pruning: r.PruningScore, LastUpdate: r.LastUpdate}
		for _, s := range r.Stake {
			out[i].Stake += s.F1
		}
	}
	return out, nil
}
