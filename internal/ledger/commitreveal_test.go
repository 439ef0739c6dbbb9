package ledger

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/drand"
	"adit/internal/keys"
	"adit/internal/scale"
)

// TestCommitHash is the hash that the reference client commits.
func TestCommitHash(t *testing.T) {
	b, err := os.ReadFile("testdata/weights.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Commit struct {
			Hash, Hotkey       string
			Netuid             uint16
			Salt, UIDs, Values []uint16
			VersionKey         uint64 `json:"version_key"`
		}
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	c := v.Commit
	hotkey, err := keys.ParseAddress(c.Hotkey)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := CommitHash(hotkey, c.Netuid, c.UIDs, c.Values, c.Salt, c.VersionKey), Hash(unhex(t, c.Hash)); got != want {
		t.Errorf("hash %x, want %x", got, want)
	}
}

// secret is network with commit-reveal on, a validator at uid 1, and an epoch
// just over. Epochs are 10 blocks long.
func secret(t testing.TB) *chain {
	c := network(t, 5)
	c.must(dev("Alice"), &AddStake{key(1), 1, 100 * tao}, &AddStake{key(2), 1, 50 * tao})
	c.root(&SetCommitRevealEnabled{1, true})
	c.run(11)
	return c
}

// epochs runs until n more epochs have begun.
func (c *chain) epochs(n int) {
	for end := sub.SubnetEpochIndex.get(c.s, 1) + uint64(n); sub.SubnetEpochIndex.get(c.s, 1) < end; {
		c.next()
	}
}

func (c *chain) weights(uid uint16) []pair {
	row, _ := sub.Weights.lookup(c.s, 1, uid)
	return row
}

func TestCommitReveal(t *testing.T) {
	c := secret(t)
	one := RevealWeights{1, []uint16{2, 3}, []uint16{10, 20}, []uint16{1, 2, 3}, 0}
	two := RevealWeights{1, []uint16{3}, []uint16{1}, []uint16{9}, 0}
	three := RevealWeights{1, []uint16{4}, []uint16{1}, []uint16{9}, 0}
	commit := func(r RevealWeights) *CommitWeights {
		return &CommitWeights{1, CommitHash(key(1), 1, r.UIDs, r.Values, r.Salt, r.VersionKey)}
	}
	try := func(what string, who AccountID, call Call, want error) {
		t.Helper()
		if err := c.Dispatch(who, call); err != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	try("plain weights", key(1), &SetWeights{1, []uint16{2}, []uint16{1}, 0}, ErrCommitRevealEnabled)
	try("nothing to reveal", key(1), &one, ErrNoWeightsCommitFound)
	try("a stranger", key(9), commit(one), ErrHotKeyNotRegisteredInSubNet)
	try("no mechanism", key(1), &CommitMechanismWeights{1, 1, Hash{}}, ErrMechanismDoesNotExist)
	try("first", key(1), commit(one), nil)
	if at(sub.LastUpdate.get(c.s, 1), 1) != c.number {
		t.Error("a commitment does not count as an update")
	}
	try("second", key(1), commit(two), nil)
	try("not yet", key(1), &two, ErrRevealTooEarly)
	try("another hash", key(1), &three, ErrInvalidRevealHash)
	c.root(&SetWeightsSetRateLimit{1, 100})
	try("too fast", key(1), commit(three), ErrCommittingWeightsTooFast)
	c.root(&SetWeightsSetRateLimit{1, 0})
	c.epochs(1)
	committed := at(sub.LastUpdate.get(c.s, 1), 1)
	try("in its epoch", key(1), &one, nil)
	if diff := cmp.Diff([]pair{{F0: 2, F1: 32768}, {F0: 3, F1: 65535}}, c.weights(1)); diff != "" {
		t.Error(diff)
	}
	if at(sub.LastUpdate.get(c.s, 1), 1) != committed {
		t.Error("the reveal counts as an update")
	}
	try("again", key(1), &one, ErrInvalidRevealHash)
	try("the other", key(1), &two, nil)
	try("all are gone", key(1), &two, ErrNoWeightsCommitFound)

	try("a third", key(1), commit(three), nil)
	c.epochs(2)
	try("too late", key(1), &three, ErrExpiredWeightCommit)
	for range maxCommits {
		try("many", key(1), commit(one), nil)
	}
	try("too many", key(1), commit(one), ErrTooManyUnrevealedCommits)
	c.root(&SetCommitRevealEnabled{1, false})
	try("turned off", key(1), commit(one), ErrCommitRevealDisabled)
	try("turned off, reveal", key(1), &one, ErrCommitRevealDisabled)
}

func TestBatchReveal(t *testing.T) {
	c := secret(t)
	all := &BatchRevealWeights{1, [][]uint16{{2}, {3}}, [][]uint16{{1}, {1}}, [][]uint16{{5}, {6}}, []uint64{0, 0}}
	hash := func(i int) Hash {
		return CommitHash(key(1), 1, all.UIDsList[i], all.ValuesList[i], all.SaltsList[i], 0)
	}
	batch := &BatchCommitWeights{pubs[uint16](1, 1, 8), []Hash{hash(0), hash(1), {}}}
	c.must(key(1), batch)
	if n := len(sub.WeightCommits.get(c.s, 1, key(1))); n != 2 {
		t.Fatalf("%d commitments", n)
	}
	for _, tt := range []struct {
		what string
		call Call
		want error
	}{
		{"lengths of commitments", &BatchCommitWeights{pubs[uint16](1), nil}, ErrInputLengthsUnequal},
		{"lengths of reveals", &BatchRevealWeights{Netuid: 1, VersionKeys: []uint64{1}}, ErrInputLengthsUnequal},
		{"too early", all, ErrRevealTooEarly},
	} {
		if err := c.Dispatch(key(1), tt.call); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
	}
	c.epochs(1)
	bad := *all
	bad.UIDsList = [][]uint16{{2}, {4}}
	if err := c.Dispatch(key(1), &bad); err != ErrInvalidRevealHash {
		t.Errorf("one that was not committed: %v", err)
	}
	c.must(key(1), all)
	if diff := cmp.Diff([]pair{{F0: 3, F1: 65535}}, c.weights(1)); diff != "" {
		t.Error(diff)
	}
	if sub.WeightCommits.has(c.s, 1, key(1)) {
		t.Error("commitments remain")
	}
}

// lock encrypts weights of uid 1 for a round.
func lock(t testing.TB, chain drand.Chain, w drand.Weights, round uint64) []byte {
	t.Helper()
	plain, err := w.Encode()
	if err != nil {
		t.Fatal(err)
	}
	ct, err := chain.Encrypt(plain, round, rand.NewChaCha8([32]byte{byte(round)}))
	if err != nil {
		t.Fatal(err)
	}
	return ct
}

func locked(t testing.TB) (*chain, *drand.Beacon, drand.Chain) {
	b := drand.NewBeacon([32]byte{7})
	chain := b.Chain(0, 3)
	c := secret(t)
	c.setBeacon(chain)
	return c, b, chain
}

func TestTimelockedWeights(t *testing.T) {
	c, b, chain := locked(t)
	who := key(1)
	commit := func(uid uint16, hotkey []byte, round uint64) *CommitTimelockedWeights {
		w := drand.Weights{Hotkey: hotkey, UIDs: []uint16{uid}, Values: []uint16{1}}
		return &CommitTimelockedWeights{1, lock(t, chain, w, round), round, 4}
	}
	good := commit(2, who[:], 100)
	for _, tt := range []struct {
		what string
		who  AccountID
		call Call
		want error
	}{
		{"version", key(9), &CommitTimelockedWeights{1, nil, 5, 3}, ErrIncorrectCommitRevealVersion},
		{"a stranger", key(9), good, ErrHotKeyNotRegisteredInSubNet},
		{"no subnet", who, &CommitTimelockedWeights{3, nil, 5, 3}, ErrMechanismDoesNotExist},
		{"no mechanism", who, &CommitCRV3MechanismWeights{1, 2, nil, 5}, ErrMechanismDoesNotExist},
		{"fine", who, good, nil},
	} {
		if err := c.Dispatch(tt.who, tt.call); err != tt.want {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
	}
	c.epochs(1)
	if c.weights(1) != nil {
		t.Fatal("revealed without a pulse")
	}
	c.next() // the pulse may come late, but not an epoch late
	if err := c.DispatchPulses(drand.Pulse{Round: 100}); err != ErrPulseVerification {
		t.Errorf("a forged pulse: %v", err)
	}
	if err := c.DispatchPulses(b.Pulse(99), b.Pulse(100)); err != nil {
		t.Fatal(err)
	}
	if err := c.DispatchPulses(b.Pulse(100)); err != ErrInvalidRoundNumber {
		t.Errorf("a pulse twice: %v", err)
	}
	c.next()
	if diff := cmp.Diff([]pair{{F0: 2, F1: 65535}}, c.weights(1)); diff != "" {
		t.Error(diff)
	}
	if n := len(sub.TimelockedWeightCommits.get(c.s, 1, sub.SubnetEpochIndex.get(c.s, 1)-1)); n != 0 {
		t.Errorf("%d commitments remain", n)
	}

	// Copied, unreadable and older ciphertexts, in one epoch.
	other := key(2)
	c.must(other, &CommitTimelockedWeights{1, good.Commit, 100, 4})
	c.must(other, &CommitTimelockedWeights{1, []byte("rubbish"), 100, 4})
	c.epochs(1)
	if c.weights(2) != nil {
		t.Error("a copied ciphertext was taken")
	}
	old := must(scale.Marshal(struct {
		UIDs, Values []uint16
		Version      uint64
	}{[]uint16{3}, []uint16{1}, 0}))
	ct, err := chain.Encrypt(old, 100, rand.NewChaCha8([32]byte{}))
	if err != nil {
		t.Fatal(err)
	}
	c.must(other, &CommitCRV3MechanismWeights{1, 0, ct, 100})
	late := commit(4, who[:], 5000)
	c.must(who, late)
	c.epochs(1)
	if diff := cmp.Diff([]pair{{F0: 3, F1: 65535}}, c.weights(2)); diff != "" {
		t.Error("the older layout:", diff)
	}
	c.epochs(1)
	if err := c.DispatchPulses(b.Pulse(5000)); err != nil {
		t.Fatal(err)
	}
	c.next()
	if diff := cmp.Diff([]pair{{F0: 2, F1: 65535}}, c.weights(1)); diff != "" {
		t.Error("after its epoch:", diff)
	}
	for range maxCommits {
		c.must(who, &CommitTimelockedWeights{1, nil, 9000, 4})
	}
	if err := c.Dispatch(who, &CommitTimelockedWeights{1, nil, 9000, 4}); err != ErrTooManyUnrevealedCommits {
		t.Errorf("the eleventh: %v", err)
	}
}

// TestCommittedBeforeRegistration: weights of a validator whose oldest
// commitment is older than a neuron do not count for that neuron.
func TestCommittedBeforeRegistration(t *testing.T) {
	c := secret(t)
	r := RevealWeights{1, []uint16{3, 4}, []uint16{1, 1}, nil, 0}
	commit := &CommitWeights{1, CommitHash(key(1), 1, r.UIDs, r.Values, r.Salt, 0)}
	c.must(key(1), commit)
	c.epochs(1)
	c.must(key(1), &r, &CommitWeights{1, Hash{1}})
	c.next()
	sub.BlockAtRegistration.set(c.s, 1, 4, c.number)
	putVector(c.Ledger, &sub.LastUpdate, 1, 1, c.number+1)
	c.epochs(1)
	if got := sub.Incentive.get(c.s, 1); got[3] == 0 || got[4] != 0 {
		t.Errorf("incentive %v", got)
	}
}

func TestPulseExtrinsic(t *testing.T) {
	c, b, _ := locked(t)
	xt := PulseExtrinsic(c.Number(), b.Pulse(3), b.Pulse(4))
	v, err := c.Validate(xt)
	if err != nil || v.Provides.Nonce != 4 {
		t.Fatalf("%+v, %v", v, err)
	}
	if ok, err := c.Apply(xt); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	if got := c.LastRound(); got != 4 {
		t.Errorf("last round = %d", got)
	}
	forged := b.Pulse(5)
	forged.Signature = b.Pulse(6).Signature
	for _, tt := range []struct {
		what string
		xt   []byte
		want InvalidKind
	}{
		{"again", xt, InvalidStale},
		{"forged", PulseExtrinsic(1, forged), InvalidBadProof},
		{"empty", PulseExtrinsic(1), InvalidCall},
		{"the clock", TimestampExtrinsic(5), InvalidCall},
		{"money", bareExtrinsic(&TransferAll{AddressOf(key(1)), false}), InvalidCall},
	} {
		before := c.s.mark()
		_, err := c.Apply(tt.xt)
		if e, ok := errors.AsType[*InvalidError](err); !ok || e.Kind != tt.want {
			t.Errorf("%s: %v", tt.what, err)
		}
		if c.s.mark() != before {
			t.Errorf("%s: the state has changed", tt.what)
		}
	}
	if err := c.Dispatch(dev("Alice"), writePulse(1, []drand.Pulse{b.Pulse(9)})); err != ErrBadOrigin {
		t.Errorf("signed: %v", err)
	}
}

func TestTimelockedCommitments(t *testing.T) {
	c, b, chain := locked(t)
	who := key(1)
	seal := func(s string, round uint64) Data {
		ct, err := chain.Encrypt([]byte(s), round, rand.NewChaCha8([32]byte{1}))
		if err != nil {
			t.Fatal(err)
		}
		return Data{Kind: DataTimelock, Bytes: ct, Round: round}
	}
	raw, _ := RawData("plain")
	c.must(who, &SetCommitment{1, CommitmentInfo{Fields{seal("one", 10), raw, seal("two", 20)}}})
	c.must(key(2), &SetCommitment{1, CommitmentInfo{Fields{seal("three", 10)}}})
	c.must(key(3), &SetCommitment{1, CommitmentInfo{Fields{{Kind: DataTimelock, Bytes: []byte{1}, Round: 10}}}})
	c.next()
	if commitments.RevealedCommitments.has(c.s, 1, who) {
		t.Fatal("revealed without a pulse")
	}
	reveal := func(round uint64) {
		if err := c.DispatchPulses(b.Pulse(round)); err != nil {
			t.Fatal(err)
		}
		c.next()
	}
	reveal(10)
	first := c.number
	if diff := cmp.Diff([]revealed{{F0: []byte("one"), F1: first}}, commitments.RevealedCommitments.get(c.s, 1, who)); diff != "" {
		t.Error(diff)
	}
	if fields := commitments.CommitmentOf.get(c.s, 1, who).Info.Fields; len(fields) != 2 || fields[0].Kind != DataRaw {
		t.Errorf("fields %+v", fields)
	}
	if commitments.CommitmentOf.has(c.s, 1, key(2)) || commitments.CommitmentOf.has(c.s, 1, key(3)) {
		t.Error("commitments without fields remain")
	}
	if commitments.RevealedCommitments.has(c.s, 1, key(3)) {
		t.Error("rubbish was revealed")
	}
	if set := commitments.TimelockedIndex.get(c.s); len(set) != 1 || set[0].F1 != who {
		t.Errorf("index %v", set)
	}
	reveal(20)
	if n := len(commitments.TimelockedIndex.get(c.s)); n != 0 {
		t.Errorf("%d in the index", n)
	}
	for i := range uint64(12) {
		c.root(&SetMaxSpace{1 << 20})
		c.must(who, &SetCommitment{1, CommitmentInfo{Fields{seal("x", 21+i)}}})
		reveal(21 + i)
	}
	if n := len(commitments.RevealedCommitments.get(c.s, 1, who)); n != keptReveals {
		t.Errorf("%d plaintexts kept", n)
	}
}

func TestBondsReset(t *testing.T) {
	c := network(t, 3)
	sub.Bonds.set(c.s, 1, 1, []pair{{F0: 1, F1: 5}, {F0: 2, F1: 7}})
	reset := &SetCommitment{1, CommitmentInfo{Fields{{Kind: DataResetBonds}}}}
	c.must(key(2), reset)
	if len(sub.Bonds.get(c.s, 1, 1)) != 2 {
		t.Error("reset although the subnet does not let it")
	}
	sub.BondsResetOn.set(c.s, 1, true)
	c.must(key(2), reset)
	if diff := cmp.Diff([]pair{{F0: 1, F1: 5}}, sub.Bonds.get(c.s, 1, 1)); diff != "" {
		t.Error(diff)
	}
}
