package ledger

import "adit/internal/scale"

// ServeAxon tells where a neuron can be reached.
type ServeAxon struct {
	Netuid       uint16     `type:"NetUid"`
	Version      uint32     `type:"u32"`
	IP           scale.U128 `scale:"ip" type:"u128"`
	Port         uint16     `type:"u16"`
	IPType       uint8      `scale:"ip_type" type:"u8"`
	Protocol     uint8      `type:"u8"`
	Placeholder1 uint8      `scale:"placeholder1" type:"u8"`
	Placeholder2 uint8      `scale:"placeholder2" type:"u8"`
}

func (c *ServeAxon) free() {}

func (c *ServeAxon) precheck(l *Ledger, who AccountID) error {
	return l.checkServe(who, c.Netuid, c.IP, c.Port, c.IPType, true, sub.Axons.get(l.s, c.Netuid, who).Block)
}

func (c *ServeAxon) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	if err := c.precheck(l, who); err != nil {
		return err
	}
	sub.Axons.set(l.s, c.Netuid, who, AxonInfo{
		Block: l.number, Version: c.Version, IP: c.IP, Port: c.Port, IPType: c.IPType,
		Protocol: c.Protocol, Placeholder1: c.Placeholder1, Placeholder2: c.Placeholder2,
	})
	l.emit(SubtensorEvent{AxonServed: &netAccount{F0: c.Netuid, F1: who}})
	return nil
}

// ServeAxonTLS is [ServeAxon] with the key of the endpoint's certificate: a
// byte for the algorithm and up to 64 of key.
type ServeAxonTLS struct {
	Netuid       uint16     `type:"NetUid"`
	Version      uint32     `type:"u32"`
	IP           scale.U128 `scale:"ip" type:"u128"`
	Port         uint16     `type:"u16"`
	IPType       uint8      `scale:"ip_type" type:"u8"`
	Protocol     uint8      `type:"u8"`
	Placeholder1 uint8      `scale:"placeholder1" type:"u8"`
	Placeholder2 uint8      `scale:"placeholder2" type:"u8"`
	Certificate  []byte     `type:"Vec<u8>"`
}

func (c *ServeAxonTLS) free() {}

func (c *ServeAxonTLS) axon() *ServeAxon {
	return &ServeAxon{c.Netuid, c.Version, c.IP, c.Port, c.IPType, c.Protocol, c.Placeholder1, c.Placeholder2}
}

func (c *ServeAxonTLS) precheck(l *Ledger, who AccountID) error { return c.axon().precheck(l, who) }

func (c *ServeAxonTLS) dispatch(l *Ledger, o origin) error {
	if err := c.axon().dispatch(l, o); err != nil {
		return err
	}
	if n := len(c.Certificate); n > 1 && n <= 65 {
		sub.NeuronCertificates.set(l.s, c.Netuid, o.who, Certificate{PublicKey: c.Certificate[1:], Algorithm: c.Certificate[0]})
	}
	return nil
}

// ServePrometheus tells where a neuron's metrics can be read.
type ServePrometheus struct {
	Netuid  uint16     `type:"NetUid"`
	Version uint32     `type:"u32"`
	IP      scale.U128 `scale:"ip" type:"u128"`
	Port    uint16     `type:"u16"`
	IPType  uint8      `scale:"ip_type" type:"u8"`
}

func (c *ServePrometheus) free() {}

func (c *ServePrometheus) precheck(l *Ledger, who AccountID) error {
	return l.checkServe(who, c.Netuid, c.IP, c.Port, c.IPType, false, sub.Prometheus.get(l.s, c.Netuid, who).Block)
}

func (c *ServePrometheus) dispatch(l *Ledger, o origin) error {
	who, err := o.signer()
	if err != nil {
		return err
	}
	if err := c.precheck(l, who); err != nil {
		return err
	}
	sub.Prometheus.set(l.s, c.Netuid, who, PrometheusInfo{l.number, c.Version, c.IP, c.Port, c.IPType})
	l.emit(SubtensorEvent{PrometheusServed: &netAccount{F0: c.Netuid, F1: who}})
	return nil
}

// checkServe makes the checks of serving in the chain's order. last is the
// block of the last such call, 0 if there was none.
func (l *Ledger) checkServe(who AccountID, netuid uint16, ip scale.U128, port uint16, ipType uint8, zeroOK bool, last uint64) error {
	if !l.registeredAnywhere(who) {
		return ErrHotKeyNotRegisteredInNetwork
	}
	if ipType != 4 && ipType != 6 {
		return ErrInvalidIPType
	}
	if !l.validIP(ip, ipType, zeroOK) {
		return ErrInvalidIPAddress
	}
	if limit := sub.ServingRateLimit.get(l.s, netuid); limit > 0 && last > 0 && satSub(l.number, last) < limit {
		return ErrServingRateLimitExceeded
	}
	if port == 0 {
		return ErrInvalidPort
	}
	return nil
}

// validIP refuses broadcast and loopback addresses. Private ones are allowed,
// and so is 0 for an axon: it says that the neuron serves no more. A network
// on one machine has nothing but loopback, so that [Genesis] may allow it.
func (l *Ledger) validIP(ip scale.U128, ipType uint8, zeroOK bool) bool {
	if ip == (scale.U128{}) {
		return zeroOK
	}
	const v4Loopback, v4Broadcast = 0x7f000001, 0xffffffff
	if ipType == 4 {
		if ip.Hi != 0 || ip.Lo >= v4Broadcast {
			return false
		}
		return ip.Lo != v4Loopback || l.allowLoopback
	}
	if ip.Hi == 1<<64-1 && ip.Lo == 1<<64-1 {
		return false
	}
	return ip != scale.U128From(1) || l.allowLoopback
}

// registeredAnywhere reports whether who has a uid in any subnet.
func (l *Ledger) registeredAnywhere(who AccountID) bool {
	found := false
	sub.IsNetworkMember.each(l.s, who, func(_ uint16, is bool) { found = found || is })
	return found
}
