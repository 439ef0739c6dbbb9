package ledger

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"adit/internal/drand"
	"adit/internal/scale"
)

// TestSetWeightsChecks breaks one rule after another, in the chain's order:
// each case also breaks all the later ones that it can.
func TestSetWeightsChecks(t *testing.T) {
	setup := func() *chain {
		c := network(t, 5)
		c.must(dev("Alice"), &AddStake{key(1), 1, 100 * tao}, &AddStake{key(2), 1, 50 * tao})
		c.run(11)
		c.root(&SetWeightsVersionKey{1, 7}, &SetWeightsSetRateLimit{1, 5}, &SetMinAllowedWeights{1, 2})
		return c
	}
	ok := SetWeights{1, []uint16{2, 3}, []uint16{1, 2}, 7}
	for _, tt := range []struct {
		name  string
		who   int
		call  SetWeights
		setup func(c *chain)
		want  error
	}{
		{"fine", 1, ok, nil, nil},
		{"commit-reveal", 9, SetWeights{1, nil, nil, 0}, func(c *chain) { c.root(&SetCommitRevealEnabled{1, true}) }, ErrCommitRevealEnabled},
		{"root", 9, SetWeights{0, []uint16{1}, nil, 0}, func(c *chain) { sub.CommitRevealWeightsEnabled.set(c.s, 0, false) }, ErrCanNotSetRootNetworkWeights},
		{"lengths", 9, SetWeights{1, []uint16{9, 9}, nil, 0}, nil, ErrWeightVecNotEqualSize},
		{"no subnet", 9, SetWeights{8, []uint16{9, 9}, []uint16{0, 0}, 0}, func(c *chain) { sub.CommitRevealWeightsEnabled.set(c.s, 8, false) }, ErrSubnetNotExists},
		{"too many", 9, SetWeights{1, make([]uint16, 6), make([]uint16, 6), 0}, nil, ErrUidsLengthExceedUidsInSubNet},
		{"unregistered", 9, SetWeights{1, []uint16{9, 9}, []uint16{0, 0}, 0}, nil, ErrHotKeyNotRegisteredInSubNet},
		{"stake", 3, SetWeights{1, []uint16{9, 9}, []uint16{0, 0}, 0}, func(c *chain) { c.root(&SetStakeThreshold{tao}) }, ErrNotEnoughStakeToSetWeights},
		{"version", 3, SetWeights{1, []uint16{9, 9}, []uint16{0, 0}, 6}, nil, ErrIncorrectWeightVersionKey},
		{"too fast", 3, SetWeights{1, []uint16{9, 9}, []uint16{0, 0}, 7}, func(c *chain) { c.root(&SetWeightsSetRateLimit{1, 100}) }, ErrSettingWeightsTooFast},
		{"no permit", 3, SetWeights{1, []uint16{9, 9}, []uint16{0, 0}, 7}, nil, ErrNeuronNoValidatorPermit},
		{"self without permit", 3, SetWeights{1, []uint16{3}, []uint16{1}, 7}, nil, nil},
		{"owner without stake", 0, SetWeights{1, []uint16{2, 3}, []uint16{1, 1}, 7}, func(c *chain) { c.root(&SetStakeThreshold{1 << 60}) }, nil},
		{"twice the same", 1, SetWeights{1, []uint16{9, 9}, []uint16{0, 0}, 7}, nil, ErrDuplicateUids},
		{"unknown uid", 1, SetWeights{1, []uint16{9}, []uint16{0}, 7}, nil, ErrUidVecContainInvalidOne},
		{"too few", 1, SetWeights{1, []uint16{2}, []uint16{1}, 7}, nil, ErrWeightVecLengthIsLow},
		{"too heavy", 1, ok, func(c *chain) { sub.MaxWeightsLimit.set(c.s, 1, 32768) }, ErrMaxWeightExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := setup()
			if tt.setup != nil {
				tt.setup(c)
			}
			if err := c.Dispatch(key(tt.who), &tt.call); err != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestServe(t *testing.T) {
	c := network(t, 2)
	serve := func(addr string, port uint16) *ServeAxon {
		ip, kind := AxonIP(netip.MustParseAddr(addr))
		return &ServeAxon{Netuid: 1, Version: 1, IP: ip, Port: port, IPType: kind, Protocol: 4}
	}
	for _, tt := range []struct {
		name string
		who  AccountID
		call Call
		want error
	}{
		{"fine", key(1), serve("8.8.8.8", 8091), nil},
		{"private", key(1), serve("192.168.1.2", 8091), nil},
		{"six", key(1), serve("2001:db8::1", 8091), nil},
		{"no more", key(1), serve("0.0.0.0", 8091), nil},
		{"a stranger", key(9), serve("127.0.0.1", 0), ErrHotKeyNotRegisteredInNetwork},
		{"type", key(1), &ServeAxon{Netuid: 1, IPType: 5}, ErrInvalidIPType},
		{"loopback", key(1), serve("127.0.0.1", 0), ErrInvalidIPAddress},
		{"loopback six", key(1), serve("::1", 0), ErrInvalidIPAddress},
		{"broadcast", key(1), serve("255.255.255.255", 0), ErrInvalidIPAddress},
		{"too long for four", key(1), &ServeAxon{Netuid: 1, IPType: 4, IP: scale.U128{Hi: 1}}, ErrInvalidIPAddress},
		{"port", key(1), serve("8.8.8.8", 0), ErrInvalidPort},
		{"prometheus", key(1), &ServePrometheus{1, 1, scale.U128From(0x08080808), 9100, 4}, nil},
		{"prometheus at 0", key(1), &ServePrometheus{1, 1, scale.U128{}, 9100, 4}, ErrInvalidIPAddress},
	} {
		if err := c.Dispatch(tt.who, tt.call); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	c.must(key(1), serve("8.8.4.4", 1234))
	m, _ := c.Metagraph(1)
	if got, want := m.Neurons[1].Axon, netip.MustParseAddrPort("8.8.4.4:1234"); got != want {
		t.Errorf("axon = %v, want %v", got, want)
	}
	c.root(&SetServingRateLimit{1, 50})
	if err := c.Dispatch(key(1), serve("8.8.8.8", 1)); err != ErrServingRateLimitExceeded {
		t.Errorf("served twice: %v", err)
	}
	c.allowLoopback = true
	c.root(&SetServingRateLimit{1, 0})
	c.must(key(1), serve("127.0.0.1", 1), serve("::1", 1))
}

func TestRegistration(t *testing.T) {
	c := network(t, 3)
	alice, bob := dev("Alice"), dev("Bob")
	for _, tt := range []struct {
		name string
		who  AccountID
		call Call
		want error
	}{
		{"root", alice, &BurnedRegister{0, key(1)}, ErrRegistrationNotPermittedOnRoot},
		{"no subnet", alice, &BurnedRegister{9, key(1)}, ErrSubnetNotExists},
		{"again", alice, &BurnedRegister{1, key(1)}, ErrHotKeyAlreadyRegisteredInSubNet},
		{"too dear", alice, &RegisterLimit{1, key(7), 0}, ErrRegistrationPriceLimitExceeded},
		{"poor", key(5), &BurnedRegister{1, key(7)}, ErrNotEnoughBalanceToStake},
	} {
		if err := c.Dispatch(tt.who, tt.call); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	// The price rises by 1.26 and halves in 360 blocks.
	c.root(&SetMaxBurn{1, 100 * tao}, &SetMinBurn{1, 1000})
	sub.Burn.set(c.s, 1, tao)
	c.must(bob, &BurnedRegister{1, key(7)})
	if got := sub.Burn.get(c.s, 1); got < 1_259_999_998 || got > 1_260_000_000 {
		t.Errorf("burn = %d, want 1.26 TAO", got)
	}
	if err := c.Dispatch(alice, &RegisterNetwork{key(7)}); err != ErrNonAssociatedColdKey {
		t.Errorf("somebody else's hotkey: %v", err)
	}
	c.run(360)
	if got := sub.Burn.get(c.s, 1); got < 629_999_000 || got > 630_001_000 {
		t.Errorf("burn = %d after 360 blocks, want 0.63 TAO", got)
	}
	c.root(&SetRegistrationAllowed{1, false})
	if err := c.Dispatch(alice, &BurnedRegister{1, key(8)}); err != ErrSubNetRegistrationDisabled {
		t.Errorf("closed: %v", err)
	}
	conserved(t, c.Ledger)
}

// TestPruning fills a subnet of four and looks who has to go.
func TestPruning(t *testing.T) {
	c := network(t, 4)
	alice := dev("Alice")
	c.root(&SetMaxAllowedUids{1, 4}, &SetImmunityPeriod{1, 20})
	c.must(key(2), &ServeAxon{Netuid: 1, IP: scale.U128From(0x08080808), Port: 1, IPType: 4})
	sub.Emission.set(c.s, 1, []uint64{0, 5, 3, 3})
	// All are immune: the lowest emission goes, of equals the lower uid. The
	// owner's hotkey has none and stays.
	c.must(alice, &BurnedRegister{1, key(10)})
	if uid, ok := c.UID(1, key(10)); !ok || uid != 2 {
		t.Errorf("uid = %d, want 2", uid)
	}
	if _, ok := c.UID(1, key(2)); ok {
		t.Error("the neuron that had to go is still there")
	}
	if sub.Axons.has(c.s, 1, key(2)) || c.registeredAnywhere(key(2)) {
		t.Error("it has left something behind")
	}
	if err := c.Dispatch(key(2), &SetCommitment{1, CommitmentInfo{}}); err != ErrAccountNotAllowedCommit {
		t.Errorf("it commits: %v", err)
	}
	// Later the others are immune no more; the newest is, with no emission.
	sub.BlockAtRegistration.set(c.s, 1, 2, uint64(c.n)+15)
	c.run(25)
	sub.Emission.set(c.s, 1, []uint64{0, 5, 0, 3})
	c.must(alice, &BurnedRegister{1, key(11)})
	if uid, _ := c.UID(1, key(11)); uid != 3 {
		t.Errorf("uid = %d, want 3", uid)
	}
}

func TestBatches(t *testing.T) {
	c := newChain(t)
	alice, bob := dev("Alice"), dev("Bob")
	pay := Wrap(&TransferKeepAlive{AddressOf(bob), scale.Compact[uint64]{V: tao}})
	bad := Wrap(&StartCall{9})
	for _, tt := range []struct {
		call Call
		paid uint64
		want error
	}{
		{&Batch{[]RuntimeCall{pay, bad, pay}}, 1, nil},
		{&ForceBatch{[]RuntimeCall{pay, bad, pay}}, 2, nil},
		{&BatchAll{[]RuntimeCall{pay, bad, pay}}, 0, ErrSubnetNotExists},
		{&BatchAll{[]RuntimeCall{pay, pay}}, 2, nil},
		{&Sudo{&bad}, 0, nil},
	} {
		before := c.Balance(bob)
		if err := c.Dispatch(alice, tt.call); err != tt.want {
			t.Errorf("%T: %v, want %v", tt.call, err, tt.want)
		}
		if got := (c.Balance(bob) - before) / tao; got != tt.paid {
			t.Errorf("%T paid %d, want %d", tt.call, got, tt.paid)
		}
	}
	if err := c.Dispatch(bob, &Sudo{&pay}); err != ErrRequireSudo {
		t.Errorf("Bob's sudo: %v", err)
	}
	deep := pay
	for range 200 {
		deep = Wrap(&BatchAll{[]RuntimeCall{deep}})
	}
	if err := c.Dispatch(alice, deep.Call()); err != ErrExhausted {
		t.Errorf("a deep nest: %v", err)
	}
}

func TestEpochClock(t *testing.T) {
	c := network(t, 2)
	last := sub.LastEpochBlock.get(c.s, 1)
	next, ok := c.NextEpoch(1)
	if !ok || next != last+10 {
		t.Errorf("next epoch in block %d, want %d", next, last+10)
	}
	c.run(9)
	if got := sub.SubnetEpochIndex.get(c.s, 1); got != 0 {
		t.Errorf("epoch %d too early", got)
	}
	c.run(1)
	if got := sub.SubnetEpochIndex.get(c.s, 1); got != 1 || sub.LastEpochBlock.get(c.s, 1) != uint64(c.n) || sub.BlocksSinceLastStep.get(c.s, 1) != 0 {
		t.Errorf("epoch index = %d in block %d", got, c.n)
	}
	c.root(&SetTempo{1, 100}, &SetAdminFreezeWindow{3})
	c.must(dev("Alice"), &TriggerEpoch{1})
	if err := c.Dispatch(dev("Alice"), &TriggerEpoch{1}); err != ErrEpochTriggerAlreadyPending {
		t.Errorf("triggered twice: %v", err)
	}
	if err := c.Dispatch(dev("Bob"), &SetKappa{1, 1}); err != ErrBadOrigin {
		t.Errorf("not the owner: %v", err)
	}
	c.run(1)
	if err := c.Dispatch(dev("Alice"), &SetKappa{1, 1}); err != ErrAdminActionProhibited {
		t.Errorf("in the frozen window: %v", err)
	}
	c.run(2)
	if got := sub.SubnetEpochIndex.get(c.s, 1); got != 2 {
		t.Errorf("epoch index = %d, want 2", got)
	}
}

func FuzzApply(f *testing.F) {
	c := network(f, 3)
	alice := pairOf(f, "//Alice")
	raw, _ := RawData("x")
	for i, call := range []Call{
		&Remark{[]byte("hello")}, &SetCommitment{1, CommitmentInfo{Fields{raw}}}, &BatchAll{[]RuntimeCall{Wrap(&Remark{})}},
		&SetWeights{1, []uint16{1}, []uint16{1}, 0}, &Sudo{ptr(Wrap(&SetTempo{1, 3}))},
	} {
		f.Add(c.sign(alice, uint32(i), Era{}, call))
		f.Add(Encode(call))
	}
	f.Add(PulseExtrinsic(1, drand.NewBeacon([32]byte{1}).Pulse(1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = c.Validate(b)
		_, _ = c.Apply(b)
		// The same bytes as a call that somebody has signed.
		var call RuntimeCall
		if scale.Unmarshal(b, &call) == nil {
			var who AccountID
			binary.LittleEndian.PutUint64(who[:], uint64(len(b)))
			for _, o := range []origin{{who: dev("Alice")}, {who: key(1)}, {who: who}, {root: true}} {
				mark := c.s.mark()
				_ = c.Ledger.run(call.Call(), o)
				c.s.rollback(mark)
			}
			c.events.rollback(eventMark{})
		}
	})
}

func BenchmarkIdleBlock(b *testing.B) {
	c := network(b, 4)
	c.root(&SetTempo{1, 50000})
	for b.Loop() {
		c.next()
	}
}

func BenchmarkSetWeights(b *testing.B) {
	c := network(b, 64)
	c.must(dev("Alice"), &AddStake{key(1), 1, 100 * tao})
	c.run(11)
	call := &SetWeights{Netuid: 1}
	for i := range 64 {
		call.Dests, call.Weights = append(call.Dests, uint16(i)), append(call.Weights, uint16(1+i))
	}
	for b.Loop() {
		c.must(key(1), call)
	}
}

func BenchmarkEpoch(b *testing.B) {
	c := network(b, 256)
	for i := range 64 {
		c.must(dev("Alice"), &AddStake{key(i), 1, uint64(100+i) * tao})
	}
	c.run(11)
	call := &SetWeights{Netuid: 1}
	for i := range 256 {
		call.Dests, call.Weights = append(call.Dests, uint16(i)), append(call.Weights, uint16(1+i))
	}
	for i := range 64 {
		c.must(key(i), call)
	}
	for b.Loop() {
		c.runEpoch(1)
		c.s.undo = c.s.undo[:0]
	}
}
