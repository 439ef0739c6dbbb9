package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
)

const tao = 1_000_000_000

// chain drives a ledger block by block, with hashes made of the numbers.
type chain struct {
	*Ledger
	t testing.TB
	n uint32
}

func hashOf(n uint32) [32]byte { return sha256.Sum256(binary.LittleEndian.AppendUint32(nil, n)) }

func newChain(t testing.TB) *chain {
	c := &chain{Ledger: New(DevGenesis()), t: t}
	c.End()
	c.Seal(hashOf(0))
	c.next()
	return c
}

// next finishes the open block, if any, and begins another.
func (c *chain) next() []Change {
	var changes []Change
	if c.n > 0 {
		changes = c.End()
		c.Seal(hashOf(c.n))
	}
	c.n++
	c.Begin(c.n, hashOf(c.n-1), uint64(c.n)*12_000)
	return changes
}

func (c *chain) run(blocks int) {
	for range blocks {
		c.next()
	}
}

func (c *chain) must(who AccountID, calls ...Call) {
	c.t.Helper()
	for _, call := range calls {
		if err := c.Dispatch(who, call); err != nil {
			c.t.Fatalf("block %d: %T: %v", c.n, call, err)
		}
	}
}

func (c *chain) root(calls ...Call) {
	c.t.Helper()
	for _, call := range calls {
		if err := c.DispatchRoot(call); err != nil {
			c.t.Fatalf("block %d: %T: %v", c.n, call, err)
		}
	}
}

// key is a hotkey of a test, by number.
func key(n int) AccountID { return sha256.Sum256([]byte{'k', byte(n), byte(n >> 8)}) }

// network founds subnet 1 owned by Alice, with hotkey 0, and registers hotkeys
// 1 to n-1 for her.
func network(t testing.TB, n int) *chain {
	c := newChain(t)
	alice := dev("Alice")
	c.must(alice, &RegisterNetwork{key(0)}, &StartCall{1})
	c.root(
		&SetTempo{1, 10}, &SetCommitRevealEnabled{1, false}, &SetWeightsSetRateLimit{1, 0},
		&SetMinBurn{1, 0}, &SetMaxBurn{1, 100_000_000}, &SetServingRateLimit{1, 0},
	)
	for i := 1; i < n; i++ {
		c.must(alice, &BurnedRegister{1, key(i)})
	}
	return c
}

// TestLife walks through the life of a subnet: founding, registration, stake,
// weights, an epoch and its payment.
func TestLife(t *testing.T) {
	c := network(t, 4)
	alice := dev("Alice")
	c.must(alice, &AddStake{key(1), 1, 100 * tao})
	c.run(11)
	m, ok := c.Metagraph(1)
	if !ok || !m.Neurons[1].Permit {
		t.Fatalf("after an epoch the staker has no permit: %+v", m)
	}
	if m.Neurons[2].Permit {
		t.Error("a neuron without stake has a permit")
	}
	c.must(key(1), &SetWeights{1, []uint16{2, 3}, []uint16{10, 20}, 0})
	m, _ = c.Metagraph(1)
	want := []subnet.Weight{{UID: 2, Value: 32768. / (32768 + 65535)}, {UID: 3, Value: 65535. / (32768 + 65535)}}
	if diff := cmp.Diff(want, m.Neurons[1].Weights); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
	before := c.Stake(key(3), alice, 1)
	c.run(10)
	m, _ = c.Metagraph(1)
	if n := m.Neurons[3]; n.Incentive < 0.66 || n.Incentive > 0.67 {
		t.Errorf("incentive = %v, want two thirds", n.Incentive)
	}
	if got := c.Stake(key(3), alice, 1) - before; got != m.Neurons[3].Emission {
		t.Errorf("the miner got %d, its emission is %d", got, m.Neurons[3].Emission)
	}
	if m.Neurons[1].Dividends < 0.9999 {
		t.Errorf("dividends = %v, want 1", m.Neurons[1].Dividends)
	}
	stake := c.Stake(key(1), alice, 1)
	c.must(alice, &RemoveStake{key(1), 1, stake})
	if got := c.Stake(key(1), alice, 1); got != 0 {
		t.Errorf("%d remain of the stake", got)
	}
	conserved(t, c.Ledger)
}

// TestEmission is the distribution that was seen on a chain of runtime 293
// whose epoch had gathered eleven blocks: half to the validator, and the other
// half 2:1 to two miners, after the owner's 18%.
func TestEmission(t *testing.T) {
	c := network(t, 4)
	c.root(&SetTempo{1, 11})
	c.must(dev("Alice"), &AddStake{key(1), 1, 100 * tao})
	c.run(11)
	c.must(key(1), &SetWeights{1, []uint16{2, 3}, []uint16{65535, 32768}, 0})
	c.run(11)
	m, _ := c.Metagraph(1)
	for uid, want := range map[int]float64{1: 4.51, 2: 3.0066, 3: 1.5034} {
		if got := float64(m.Neurons[uid].Emission) / tao; got < want-0.001 || got > want+0.001 {
			t.Errorf("emission of uid %d = %v, want %v", uid, got, want)
		}
	}
}

// conserved checks that nothing has come from nowhere or gone there:
//
//   - all TAO that accounts hold, free or reserved, are Balances.TotalIssuance;
//   - with those in the pools they are SubtensorModule.TotalIssuance, and those
//     in the pools are TotalStake;
//   - root's TAO are those that are staked in it, one share each;
//   - the alpha out of a subnet's pool is staked, pending, burnt, or what root's
//     stakers have yet to claim, which is no less than what they are owed.
func conserved(t interface{ Errorf(string, ...any) }, l *Ledger) {
	total := func(what string, parts ...uint64) (sum uint64) {
		for _, n := range parts {
			if n > 2*maxSupply {
				t.Errorf("%s: %d is less than nothing", what, n)
			}
			sum = satAdd(sum, n)
		}
		return sum
	}
	var free, pools uint64
	system.Account.each(l.s, func(_ AccountID, a AccountInfo) { free = total("account", free, a.Data.Free, a.Data.Reserved) })
	sub.SubnetTAO.each(l.s, func(_ uint16, n uint64) { pools = total("pool", pools, n) })
	if got := balances.TotalIssuance.get(l.s); got != free {
		t.Errorf("Balances.TotalIssuance = %d, accounts hold %d", got, free)
	}
	if got := sub.TotalIssuance.get(l.s); got != free+pools {
		t.Errorf("SubtensorModule.TotalIssuance = %d, there are %d", got, free+pools)
	}
	if got := sub.TotalStake.get(l.s); got != pools {
		t.Errorf("TotalStake = %d, pools hold %d", got, pools)
	}
	staked := map[uint16]uint64{}
	for _, k := range l.s.under(sub.TotalHotkeyAlpha.prefix, "", -1) {
		var who AccountID
		var id uint16
		unkey(k[len(sub.TotalHotkeyAlpha.prefix):], sub.TotalHotkeyAlpha.hashers, &who, &id)
		staked[id] = total("stake", staked[id], decode[uint64](l.s.values[k]))
	}
	if tao, out := sub.SubnetTAO.get(l.s, rootNetuid), sub.SubnetAlphaOut.get(l.s, rootNetuid); tao != staked[rootNetuid] || out != tao {
		t.Errorf("root has %d TAO and %d shares, %d are staked", tao, out, staked[rootNetuid])
	}
	owed := map[uint16]uint64{}
	sub.RootClaimable.each(l.s, func(hotkey AccountID, rates claimRates) {
		for _, coldkey := range l.stakers(hotkey, rootNetuid) {
			for _, r := range rates {
				owed[r.F0] += l.owed(hotkey, coldkey, r)
			}
		}
	})
	l.subnets(func(netuid uint16) {
		total("alpha in", sub.SubnetAlphaIn.get(l.s, netuid))
		known := total("alpha", staked[netuid], sub.PendingServerEmission.get(l.s, netuid), sub.PendingValidatorEmission.get(l.s, netuid),
			sub.PendingRootAlphaDivs.get(l.s, netuid), sub.PendingOwnerCut.get(l.s, netuid), alphaAssets.AlphaBurned.get(l.s, netuid))
		out := sub.SubnetAlphaOut.get(l.s, netuid)
		if known+owed[netuid] > out {
			t.Errorf("subnet %d: %d alpha known and %d owed, %d issued", netuid, known, owed[netuid], out)
		}
		if l.noClaims(netuid) && known != out {
			t.Errorf("subnet %d: %d alpha known, %d issued", netuid, known, out)
		}
	})
}

// noClaims reports whether no hotkey has ever earned a subnet's alpha in root.
func (l *Ledger) noClaims(netuid uint16) bool {
	none := true
	sub.RootClaimable.each(l.s, func(_ AccountID, rates claimRates) {
		for _, r := range rates {
			none = none && r.F0 != netuid
		}
	})
	return none
}

// sign makes a signed extrinsic of c.
func (c *chain) sign(p *keys.Pair, nonce uint32, era Era, call Call) []byte {
	c.t.Helper()
	x := extrinsic{era: era, callBytes: Encode(call)}
	x.extra = must(era.AppendSCALE(nil))
	x.extra = append(scale.AppendCompact(scale.AppendCompact(x.extra, uint64(nonce)), 0), 0)
	birth := hashOf(0)
	if !era.immortal() {
		birth = hashOf(uint32(era.birth(uint64(c.n))))
	}
	sig := must(p.Sign(x.payload(424, 1, hashOf(0), birth)))
	pub := p.Public()
	body := append([]byte{0x84, 0}, pub[:]...)
	body = append(append(body, 1), sig...)
	body = append(append(body, x.extra...), x.callBytes...)
	return append(scale.AppendCompact(nil, uint64(len(body))), body...)
}

func pairOf(t testing.TB, uri string) *keys.Pair {
	t.Helper()
	p, err := keys.FromURI(uri)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExtrinsics(t *testing.T) {
	c := newChain(t)
	alice, bob := pairOf(t, "//Alice"), dev("Bob")
	pay := func(n uint64) Call { return &TransferKeepAlive{AddressOf(bob), scale.Compact[uint64]{V: n}} }
	mortal := Era{Period: 64, Phase: uint64(c.n-1) % 64}

	good := c.sign(alice, 0, mortal, pay(tao))
	v, err := c.Validate(good)
	if err != nil {
		t.Fatal(err)
	}
	if v.Provides.Nonce != 0 || v.Requires != nil || v.Longevity == 0 || v.Longevity > 64 {
		t.Errorf("validity = %+v", v)
	}
	held := c.Balance(bob)
	if ok, err := c.Apply(good); !ok || err != nil {
		t.Fatalf("apply: %v, %v", ok, err)
	}
	if got := c.Balance(bob); got != held+tao {
		t.Errorf("Bob has %d, want %d", got, held+tao)
	}
	if got := c.Nonce(alice.Public()); got != 1 {
		t.Errorf("nonce = %d, want 1", got)
	}

	forged := c.sign(alice, 1, Era{}, pay(1))
	forged[50] ^= 1
	for _, tt := range []struct {
		name string
		xt   []byte
		want InvalidError
	}{
		{"again", good, InvalidError{Kind: InvalidStale}},
		{"forged", forged, InvalidError{Kind: InvalidBadProof}},
		{"too early", c.sign(alice, 2, Era{}, pay(1)), InvalidError{Kind: InvalidFuture}},
		{"poor", c.sign(pairOf(t, "//Nobody"), 0, Era{}, pay(1)), InvalidError{Kind: InvalidPayment}},
		{"no sudo", c.sign(pairOf(t, "//Bob"), 0, Era{}, &Sudo{ptr(Wrap(&SetTempo{1, 5}))}), InvalidError{Kind: InvalidBadSigner}},
		{"unregistered", c.sign(alice, 1, Era{}, &ServeAxon{1, 1, scale.U128From(0x08080808), 1, 4, 4, 0, 0}), InvalidError{InvalidCustom, 10}},
		{"a clock", c.sign(alice, 1, Era{}, &SetTimestamp{}), InvalidError{Kind: InvalidCall}},
	} {
		before := maps.Clone(c.s.values)
		_, err := c.Apply(tt.xt)
		if e, ok := errors.AsType[*InvalidError](err); !ok || *e != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, &tt.want)
		}
		if !cmp.Equal(before, c.s.values) {
			t.Errorf("%s: the state has changed", tt.name)
		}
	}
	if v, err := c.Validate(c.sign(alice, 2, Era{}, pay(1))); err != nil || len(v.Requires) != 1 || v.Requires[0].Nonce != 1 {
		t.Errorf("an extrinsic from the future: %+v, %v", v, err)
	}

	// A call that fails changes nonce and fee, no more.
	before := maps.Clone(c.s.values)
	ok, err := c.Apply(c.sign(alice, 1, Era{}, &BatchAll{[]RuntimeCall{Wrap(pay(5)), Wrap(&StartCall{9})}}))
	if ok || err != nil {
		t.Fatalf("a batch that must fail: %v, %v", ok, err)
	}
	for k, v := range c.s.values {
		if string(before[k]) != string(v) && k != system.Account.key(alice.Public()) &&
			k != balances.TotalIssuance.prefix && k != sub.TotalIssuance.prefix {
			t.Errorf("%x has changed", k)
		}
	}
	if len(before) != len(c.s.values) {
		t.Error("keys came or went")
	}
	conserved(t, c.Ledger)
	c.End()
	events := system.Events.get(c.s)
	last := events[len(events)-1]
	if f := last.Event.System.ExtrinsicFailed; f == nil || f.DispatchError.Module.Error[0] != 76 {
		t.Errorf("last event: %+v, want ExtrinsicFailed with SubnetNotExists", last.Event.System)
	}
	if *last.Phase.ApplyExtrinsic != 2 {
		t.Errorf("phase = %d, want 2", *last.Phase.ApplyExtrinsic)
	}
}

func TestCommit(t *testing.T) {
	c := network(t, 3)
	raw, err := RawData("hf:org/model")
	if err != nil {
		t.Fatal(err)
	}
	call := &SetCommitment{1, CommitmentInfo{Fields{raw}}}
	c.must(key(1), call)
	want := []subnet.Commitment{{Hotkey: subnet.Hotkey(keys.Address(key(1))), Block: 1, Fields: []string{"hf:org/model"}}}
	if diff := cmp.Diff(want, c.Commitments(1)); diff != "" {
		t.Errorf("commitments (-want +got):\n%s", diff)
	}
	if err := c.Dispatch(key(9), call); err != ErrAccountNotAllowedCommit {
		t.Errorf("a stranger's commitment: %v", err)
	}
	for range 30 {
		c.must(key(1), call)
	}
	if err := c.Dispatch(key(1), call); err != ErrSpaceLimitExceeded {
		t.Errorf("the 32nd commitment of an epoch: %v", err)
	}
	c.run(10)
	c.must(key(1), call)
}

// TestReplay lets two ledgers live the same life. The second is restored in the
// middle of it from what its blocks had changed.
func TestReplay(t *testing.T) {
	live := func(c *chain, from, to int, values map[string][]byte) {
		for i := from; i < to; i++ {
			c.must(dev("Alice"), &AddStake{key(1 + i%3), 1, uint64(1+i) * tao})
			_ = c.Dispatch(key(1), &SetWeights{1, []uint16{2, 3}, []uint16{uint16(i + 1), 7}, 0})
			for _, ch := range c.next() {
				if values[string(ch.Key)] = ch.Value; ch.Value == nil {
					delete(values, string(ch.Key))
				}
			}
		}
	}
	a, b := network(t, 5), network(t, 5)
	live(a, 0, 40, map[string][]byte{})

	values := maps.Clone(b.s.values)
	live(b, 0, 20, values)
	r := &chain{Ledger: Restore(DevGenesis(), values), t: t, n: b.n}
	r.Seal(hashOf(r.n - 1))
	r.Begin(r.n, hashOf(r.n-1), uint64(r.n)*12_000)
	live(r, 20, 40, map[string][]byte{})

	a.End()
	r.End()
	if diff := cmp.Diff(a.s.values, r.s.values); diff != "" {
		t.Errorf("the restored chain went another way:\n%s", diff)
	}
}
