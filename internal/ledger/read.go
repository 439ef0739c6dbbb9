package ledger

import (
	"encoding/binary"
	"net/netip"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
)

// Metagraph returns the state of a subnet as of now, or false if there is no
// such subnet.
func (l *Ledger) Metagraph(netuid subnet.NetUID) (*subnet.Metagraph, bool) {
	s, id := l.s, uint16(netuid)
	if !l.exists(id) {
		return nil, false
	}
	n := int(sub.SubnetworkN.get(s, id))
	m := &subnet.Metagraph{
		NetUID: netuid, Block: subnet.Block(l.number),
		Tempo: subnet.Block(sub.Tempo.get(s, id)), Neurons: make([]subnet.Neuron, n),
	}
	permit, update := sub.ValidatorPermit.get(s, id), sub.LastUpdate.get(s, id)
	incentive, dividends := sub.Incentive.get(s, id), sub.Dividends.get(s, id)
	consensus, emission := sub.Consensus.get(s, id), sub.Emission.get(s, id)
	for i := range n {
		uid := uint16(i)
		hotkey := sub.Keys.get(s, id, uid)
		m.Neurons[i] = subnet.Neuron{
			UID: subnet.UID(uid), Hotkey: subnet.Hotkey(keys.Address(hotkey)), Coldkey: keys.Address(sub.Owner.get(s, hotkey)),
			Permit: at(permit, i), Stake: l.weightOf(hotkey, id), LastUpdate: subnet.Block(at(update, i)),
			RegisteredAt: subnet.Block(sub.BlockAtRegistration.get(s, id, uid)),
			Incentive:    float64(at(incentive, i)) / 65535, Dividends: float64(at(dividends, i)) / 65535,
			Consensus: float64(at(consensus, i)) / 65535, Emission: at(emission, i),
			Weights: shares(sub.Weights.get(s, id, uid)),
		}
		if a, ok := sub.Axons.lookup(s, id, hotkey); ok {
			m.Neurons[i].Axon = a.addrPort()
		}
	}
	return m, true
}

// shares returns weights divided by their sum.
func shares(row []pair) []subnet.Weight {
	sum := 0
	for _, p := range row {
		sum += int(p.F1)
	}
	if sum == 0 {
		return nil
	}
	out := make([]subnet.Weight, len(row))
	for i, p := range row {
		out[i] = subnet.Weight{UID: subnet.UID(p.F0), Value: float64(p.F1) / float64(sum)}
	}
	return out
}

// addrPort returns where the axon is, or the zero value if it says 0.
func (a AxonInfo) addrPort() netip.AddrPort {
	if a.IP == (scale.U128{}) || a.Port == 0 {
		return netip.AddrPort{}
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.IP.Hi)
	binary.BigEndian.PutUint64(b[8:], a.IP.Lo)
	addr := netip.AddrFrom16(b)
	if a.IPType == 4 {
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	return netip.AddrPortFrom(addr, a.Port)
}

// AxonIP returns an address as [ServeAxon] wants it.
func AxonIP(addr netip.Addr) (ip scale.U128, ipType uint8) {
	addr = addr.Unmap()
	b := addr.As16()
	ip = scale.U128{Hi: binary.BigEndian.Uint64(b[:8]), Lo: binary.BigEndian.Uint64(b[8:])}
	if addr.Is4() {
		return scale.U128{Lo: ip.Lo & 0xffffffff}, 4
	}
	return ip, 6
}

// Commitments returns all commitments of a subnet in storage order. Fields
// that are not plain bytes are left out.
func (l *Ledger) Commitments(netuid subnet.NetUID) []subnet.Commitment {
	var list []subnet.Commitment
	commitments.CommitmentOf.each(l.s, uint16(netuid), func(who AccountID, r Registration) {
		c := subnet.Commitment{Hotkey: subnet.Hotkey(keys.Address(who)), Block: subnet.Block(r.Block)}
		for _, f := range r.Info.Fields {
			if f.Kind == DataRaw || f.Kind == DataBigRaw {
				c.Fields = append(c.Fields, string(f.Bytes))
			}
		}
		list = append(list, c)
	})
	return list
}

// Balance returns what an account can spend, in RAO.
func (l *Ledger) Balance(who [32]byte) uint64 { return l.free(who) }

// Nonce returns the nonce of an account's next extrinsic.
func (l *Ledger) Nonce(who [32]byte) uint32 { return system.Account.get(l.s, who).Nonce }

// Stake returns a coldkey's alpha with a hotkey in a subnet, in RAO.
func (l *Ledger) Stake(hotkey, coldkey [32]byte, netuid subnet.NetUID) uint64 {
	return l.stakeOf(hotkey, coldkey, uint16(netuid))
}

// UID returns a hotkey's uid in a subnet, or false.
func (l *Ledger) UID(netuid subnet.NetUID, hotkey [32]byte) (subnet.UID, bool) {
	uid, ok := sub.Uids.lookup(l.s, uint16(netuid), hotkey)
	return subnet.UID(uid), ok
}
