package ledger

import "adit/internal/scale"

func compact16(v uint16) c16 { return c16{V: v} }
func compact64(v uint64) c64 { return c64{V: v} }

func compact16s(v []uint16) []c16 {
	out := make([]c16, len(v))
	for i, x := range v {
		out[i].V = x
	}
	return out
}

func compact64s(v []uint64) []c64 {
	out := make([]c64, len(v))
	for i, x := range v {
		out[i].V = x
	}
	return out
}

// Neurons returns the neurons of a subnet, by uid; none if there is no such
// subnet.
func (l *Ledger) Neurons(netuid uint16) []NeuronInfo {
	v := l.viewOf(netuid)
	out := make([]NeuronInfo, v.n)
	for i := range out {
		out[i] = l.neuron(&v, uint16(i))
	}
	return out
}

// Neuron returns the neuron with a uid.
func (l *Ledger) Neuron(netuid, uid uint16) scale.Option[NeuronInfo] {
	v := l.viewOf(netuid)
	if int(uid) >= v.n {
		return scale.Option[NeuronInfo]{}
	}
	return scale.SomeOf(l.neuron(&v, uid))
}

// NeuronsLite is [Ledger.Neurons] without weights and bonds.
func (l *Ledger) NeuronsLite(netuid uint16) []NeuronInfoLite {
	v := l.viewOf(netuid)
	out := make([]NeuronInfoLite, v.n)
	for i := range out {
		out[i] = l.neuronLite(&v, uint16(i))
	}
	return out
}

// NeuronLite is [Ledger.Neuron] without weights and bonds.
func (l *Ledger) NeuronLite(netuid, uid uint16) scale.Option[NeuronInfoLite] {
	v := l.viewOf(netuid)
	if int(uid) >= v.n {
		return scale.Option[NeuronInfoLite]{}
	}
	return scale.SomeOf(l.neuronLite(&v, uid))
}

// A subnetView has the vectors of a subnet, each read once.
type subnetView struct {
	netuid                                 uint16
	n                                      int
	active, permit                         []bool
	consensus, incentive, dividends, trust []uint16
	emission, update                       []uint64
}

func (l *Ledger) viewOf(netuid uint16) subnetView {
	s := l.s
	return subnetView{
		netuid: netuid, n: int(sub.SubnetworkN.get(s, netuid)),
		active: sub.Active.get(s, netuid), permit: sub.ValidatorPermit.get(s, netuid),
		consensus: sub.Consensus.get(s, netuid), incentive: sub.Incentive.get(s, netuid),
		dividends: sub.Dividends.get(s, netuid), trust: sub.ValidatorTrust.get(s, netuid),
		emission: sub.Emission.get(s, netuid), update: sub.LastUpdate.get(s, netuid),
	}
}

// neuronLite fills in a neuron. Rank, trust and pruning score are no longer
// kept, as on the chain, and are 0.
func (l *Ledger) neuronLite(v *subnetView, uid uint16) NeuronInfoLite {
	s, i := l.s, int(uid)
	hotkey := sub.Keys.get(s, v.netuid, uid)
	coldkey := sub.Owner.get(s, hotkey)
	return NeuronInfoLite{
		Hotkey: hotkey, Coldkey: coldkey, UID: compact16(uid), Netuid: compact16(v.netuid), Active: at(v.active, i),
		AxonInfo: l.axonOf(v.netuid, hotkey), PrometheusInfo: l.prometheusOf(v.netuid, hotkey),
		Stake:    []scale.Tuple2[AccountID, c64]{{F0: coldkey, F1: compact64(sub.TotalHotkeyAlpha.get(s, hotkey, v.netuid))}},
		Emission: compact64(at(v.emission, i)), Incentive: compact16(at(v.incentive, i)), Consensus: compact16(at(v.consensus, i)),
		ValidatorTrust: compact16(at(v.trust, i)), Dividends: compact16(at(v.dividends, i)),
		LastUpdate: compact64(at(v.update, i)), ValidatorPermit: at(v.permit, i),
	}
}

func (l *Ledger) neuron(v *subnetView, uid uint16) NeuronInfo {
	x := l.neuronLite(v, uid)
	return NeuronInfo{
		Hotkey: x.Hotkey, Coldkey: x.Coldkey, UID: x.UID, Netuid: x.Netuid, Active: x.Active,
		AxonInfo: x.AxonInfo, PrometheusInfo: x.PrometheusInfo, Stake: x.Stake,
		Emission: x.Emission, Incentive: x.Incentive, Consensus: x.Consensus,
		ValidatorTrust: x.ValidatorTrust, Dividends: x.Dividends, LastUpdate: x.LastUpdate, ValidatorPermit: x.ValidatorPermit,
		Weights: compactRow(sub.Weights.get(l.s, v.netuid, uid)), Bonds: compactRow(sub.Bonds.get(l.s, v.netuid, uid)),
	}
}

func compactRow(row []pair) []scale.Tuple2[c16, c16] {
	out := make([]scale.Tuple2[c16, c16], 0, len(row))
	for _, p := range row {
		if p.F1 > 0 {
			out = append(out, scale.Tuple2[c16, c16]{F0: compact16(p.F0), F1: compact16(p.F1)})
		}
	}
	return out
}

// axonOf returns where a neuron is reached, all zero if it has not said.
func (l *Ledger) axonOf(netuid uint16, hotkey AccountID) AxonInfo {
	a, _ := sub.Axons.lookup(l.s, netuid, hotkey)
	return a
}

func (l *Ledger) prometheusOf(netuid uint16, hotkey AccountID) PrometheusInfo {
	p, _ := sub.Prometheus.lookup(l.s, netuid, hotkey)
	return p
}
