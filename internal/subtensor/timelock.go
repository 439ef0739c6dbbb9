package subtensor

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"adit/internal/drand"
	"adit/internal/scale"
	"adit/internal/subnet"
)

// A clock is what must be known to tell when a block will be.
type clock struct {
	head      subnet.Block
	now       float64 // seconds since 1970, in the head's block
	blockTime float64 // seconds
}

// measured is over how many blocks the time between them is measured.
const measured = 32

// BlockTime returns the time between two blocks: what the runtime says, or where
// it says nothing, or the chain is run much faster or slower than that, as on
// networks for development, what it was over the last blocks.
func (c *Client) BlockTime(ctx context.Context) (time.Duration, error) {
	v, err := c.At(ctx, subnet.Latest)
	if err != nil {
		return 0, fmt.Errorf("read the block time: %w", err)
	}
	k, err := v.clock(ctx)
	return time.Duration(k.blockTime * float64(time.Second)), err
}

// clock reads the chain's own clock, which may run before or behind this
// machine's.
func (v *View) clock(ctx context.Context) (clock, error) {
	now, err := v.timestamp(ctx)
	if err != nil {
		return clock{}, err
	}
	k := clock{head: v.Block, now: now, blockTime: v.declaredBlockTime()}
	back := min(v.Block, measured)
	if back < 2 {
		if k.blockTime == 0 {
			k.blockTime = 12
		}
		return k, nil
	}
	past, err := v.c.At(ctx, v.Block-back+1) // block 0 has no time
	if err != nil {
		return clock{}, err
	}
	then, err := past.timestamp(ctx)
	if err != nil {
		return clock{}, err
	}
	real := (now - then) / float64(back-1)
	if real > 0 && (k.blockTime == 0 || real < k.blockTime/2 || real > k.blockTime*2) {
		k.blockTime = real
	}
	return k, nil
}

// declaredBlockTime returns what the runtime's constants say, 0 if nothing.
func (v *View) declaredBlockTime() float64 {
	if ms, err := v.Constant("Aura", "SlotDuration"); err == nil {
		return float64(number(ms)) / 1000
	}
	if ms, err := v.Constant("Timestamp", "MinimumPeriod"); err == nil {
		return float64(number(ms)) / 500
	}
	return 0
}

// timestamp returns the time of the view's block, in seconds since 1970.
func (v *View) timestamp(ctx context.Context) (float64, error) {
	ms, err := v.Get(ctx, "Timestamp", "Now")
	return float64(number(ms)) / 1000, err
}

// beacon returns the beacon whose pulses the chain takes. Of the public chains it
// is known; asked, a dishonest node could name one of its own, and read everything.
func (v *View) beacon(ctx context.Context) (drand.Chain, error) {
	quicknet := drand.Quicknet()
	switch genesis := v.c.Genesis(); {
	case genesis == genesisOf(finneyGenesis), genesis == genesisOf(testGenesis):
		return quicknet, nil
	case !v.has("Drand", "BeaconConfig"):
		return quicknet, nil
	}
	got, err := v.Get(ctx, "Drand", "BeaconConfig")
	if err != nil {
		return drand.Chain{}, err
	}
	var config struct {
		PublicKey           []byte
		Period, GenesisTime uint32
	}
	if err := scale.Assign(&config, got); err != nil {
		return drand.Chain{}, fmt.Errorf("read the beacon: %w", err)
	}
	chain := drand.Chain{Genesis: uint64(config.GenesisTime), Period: uint64(config.Period)}
	if copy(chain.Public[:], config.PublicKey) != len(config.PublicKey) || len(config.PublicKey) != len(chain.Public) || chain.Period == 0 {
		return drand.Chain{}, fmt.Errorf("read the beacon: a key of %d bytes, a period of %d s", len(config.PublicKey), chain.Period)
	}
	return chain, nil
}

// has reports whether the runtime stores an item, by these keys.
func (v *View) has(pallet, item string, keys ...any) bool {
	_, err := v.StorageKey(pallet, item, keys...)
	return err == nil
}

// lock encrypts for the beacon's round in a number of blocks.
func (v *View) lock(ctx context.Context, plaintext []byte, blocks uint64) (ciphertext []byte, round uint64, err error) {
	beacon, err := v.beacon(ctx)
	if err != nil {
		return nil, 0, err
	}
	k, err := v.clock(ctx)
	if err != nil {
		return nil, 0, err
	}
	round = beacon.RevealRound(k.now, blocks, k.blockTime)
	ciphertext, err = beacon.Encrypt(plaintext, round, rand.Reader)
	return ciphertext, round, err
}

// Lock returns data as a field of a commitment that the chain decrypts, for
// everybody to see, after about that many blocks. What it then shows is the data
// in SCALE, as upstream's clients write and read it. At most about 780 bytes fit.
func (c *Client) Lock(ctx context.Context, data []byte, blocks uint64) (Field, error) {
	v, err := c.At(ctx, subnet.Latest)
	if err != nil {
		return Field{}, fmt.Errorf("lock: %w", err)
	}
	plaintext, err := scale.Marshal(data)
	if err != nil {
		return Field{}, fmt.Errorf("lock: %w", err)
	}
	b, round, err := v.lock(ctx, plaintext, blocks)
	if err != nil {
		return Field{}, fmt.Errorf("lock: %w", err)
	}
	return LockedField(b, round), nil
}

// weightsVersion is the version of time-locked weights that is known here. The
// one before it lacks the hotkey.
const weightsVersion = 4

// lockWeights returns the call that commits a hotkey to weights until their epoch,
// when the chain reveals them.
func (v *View) lockWeights(ctx context.Context, hotkey Account, w Weights) (Call, WeightsReceipt, error) {
	version := uint64(weightsVersion - 1)
	if v.has(module, "CommitRevealWeightsVersion") {
		got, err := v.Get(ctx, module, "CommitRevealWeightsVersion")
		if err != nil {
			return Call{}, WeightsReceipt{}, err
		}
		version = number(got)
	}
	if version > weightsVersion {
		return Call{}, WeightsReceipt{}, subnet.WithHint(fmt.Errorf("the chain wants version %d of time-locked weights; %d is known here", version, weightsVersion), "update adit")
	}
	plaintext, err := drand.Weights{Hotkey: hotkey[:], UIDs: w.UIDs, Values: w.Values, VersionKey: w.VersionKey}.Encode()
	if version < weightsVersion {
		plaintext, err = scale.Marshal(scale.Tuple3[[]uint16, []uint16, uint64]{F0: w.UIDs, F1: w.Values, F2: w.VersionKey})
	}
	if err != nil {
		return Call{}, WeightsReceipt{}, err
	}
	reveals, err := v.revealBlock(ctx, w.NetUID)
	if err != nil {
		return Call{}, WeightsReceipt{}, err
	}
	commit, round, err := v.lock(ctx, plaintext, uint64(reveals-min(v.Block, reveals)))
	if err != nil {
		return Call{}, WeightsReceipt{}, err
	}
	args := scale.Args{"commit": commit, "reveal_round": round, "commit_reveal_version": version}
	k := w.call("commit_timelocked_weights", "commit_timelocked_mechanism_weights", args)
	if _, err := k.encode(v.Runtime); err != nil {
		delete(args, "commit_reveal_version")
		old := w.call("commit_crv3_weights", "commit_crv3_mechanism_weights", args)
		if _, tooOld := old.encode(v.Runtime); tooOld != nil {
			return Call{}, WeightsReceipt{}, subnet.WithHint(err, "commit the weights by their hash, and reveal them by hand")
		}
		k = old
	}
	return k, WeightsReceipt{Round: round, Reveals: reveals}, nil
}

// revealBlock returns the block in which weights shall be readable that are
// committed in the next.
func (v *View) revealBlock(ctx context.Context, n subnet.NetUID) (subnet.Block, error) {
	items := []string{"Tempo", "RevealPeriodEpochs", "LastEpochBlock", "PendingEpochAt", "BlocksSinceLastStep"}
	stateful := v.has(module, "LastEpochBlock")
	if !stateful {
		items = items[:2]
	}
	es := make([]Entry, len(items))
	for i, item := range items {
		es[i] = Entry{module, item, []any{n}}
	}
	vs, err := v.GetAll(ctx, es)
	if err != nil {
		return 0, err
	}
	tempo, period := uint16(number(vs[0])), number(vs[1])
	if !stateful {
		return subnet.Block(drand.ModuloRevealBlock(uint64(v.Block), uint16(n), tempo, period)), nil
	}
	s := drand.Schedule{Block: uint64(v.Block), Tempo: tempo, LastEpochBlock: number(vs[2]), PendingEpochAt: number(vs[3]), BlocksSinceLastStep: number(vs[4])}
	b, ok := s.RevealBlock(period)
	if !ok {
		return 0, fmt.Errorf("subnet %d has no epochs", n)
	}
	return subnet.Block(b), nil
}
