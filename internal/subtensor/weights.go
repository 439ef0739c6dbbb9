package subtensor

import (
	"context"
	"errors"
	"fmt"
	"math"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// Weights are a validator's opinion of a subnet's neurons as the chain takes it.
type Weights struct {
	NetUID    subnet.NetUID
	Mechanism uint8 // of the subnet; most have only number 0
	// UIDs and Values go together. The largest value is usually 65535: the chain
	// scales them so that it is.
	UIDs, Values []uint16
	VersionKey   uint64 // of the validator's software; at least what the subnet demands
}

// NewWeights scales weights for the chain: the largest is 65535, and what is not
// positive, or too small beside the largest, is left out.
func NewWeights(n subnet.NetUID, weights []subnet.Weight) (Weights, error) {
	largest := 0.0
	for _, w := range weights {
		if math.IsInf(w.Value, 0) {
			return Weights{}, fmt.Errorf("weight of uid %d is infinite", w.UID)
		}
		if w.Value > largest { // a NaN is not
			largest = w.Value
		}
	}
	out := Weights{NetUID: n}
	for _, w := range weights {
		if v := math.RoundToEven(w.Value / largest * math.MaxUint16); w.Value > 0 && v >= 1 {
			out.UIDs = append(out.UIDs, uint16(w.UID))
			out.Values = append(out.Values, uint16(v))
		}
	}
	if len(out.UIDs) == 0 {
		return Weights{}, errors.New("no weight is positive")
	}
	return out, nil
}

// call returns the call for a subnet's first mechanism, or with its number that
// for any.
func (w Weights) call(first, any string, args scale.Args) Call {
	args["netuid"] = w.NetUID
	if w.Mechanism == 0 {
		return Call{module, first, args}
	}
	args["mecid"] = w.Mechanism
	return Call{module, any, args}
}

// SetWeights puts weights on chain for everybody to see. Where a subnet wants them
// committed first, it fails with CommitRevealEnabled. The hotkey signs; there is
// no fee.
func SetWeights(w Weights) Call {
	return w.call("set_weights", "set_mechanism_weights", scale.Args{"dests": w.UIDs, "weights": w.Values, "version_key": w.VersionKey})
}

// BatchSetWeights sets weights on several subnets, on the first mechanism of each.
// What fails for one subnet is only told in an event.
func BatchSetWeights(all ...Weights) Call {
	netuids, rows, versions := make([]any, len(all)), make([]any, len(all)), make([]any, len(all))
	for i, w := range all {
		row := make([]any, min(len(w.UIDs), len(w.Values)))
		for j := range row {
			row[j] = []any{w.UIDs[j], w.Values[j]}
		}
		netuids[i], rows[i], versions[i] = w.NetUID, row, w.VersionKey
	}
	return Call{module, "batch_set_weights", scale.Args{"netuids": netuids, "weights": rows, "version_keys": versions}}
}

// index is under which number the chain stores a mechanism's weights.
func (w Weights) index() uint16 { return uint16(w.NetUID) + 4096*uint16(w.Mechanism) }

// Hash returns the hash by which a hotkey commits to weights. The salt makes that
// nobody can find them by trying: eight random numbers are customary. Whoever
// loses salt or weights cannot reveal them.
func (w Weights) Hash(hotkey Account, salt []uint16) ([32]byte, error) {
	b, err := scale.Marshal(struct {
		Hotkey             Account
		Index              uint16
		UIDs, Values, Salt []uint16
		VersionKey         uint64
	}{hotkey, w.index(), w.UIDs, w.Values, salt, w.VersionKey})
	return scale.Blake2b256(b), err
}

// CommitWeights commits the hotkey that signs to weights by their
// [Weights.Hash]. They must be revealed in the epoch that is the subnet's reveal
// period after this one, not before and not after. There is no fee.
func CommitWeights(w Weights, hash [32]byte) Call {
	return w.call("commit_weights", "commit_mechanism_weights", scale.Args{"commit_hash": hash})
}

// BatchCommitWeights commits the hotkey that signs on several subnets, on the first
// mechanism of each; hashes go with the weights. What fails for one subnet is only
// told in an event.
func BatchCommitWeights(all []Weights, hashes [][32]byte) (Call, error) {
	if len(all) == 0 || len(all) != len(hashes) {
		return Call{}, fmt.Errorf("commit weights: %d weights and %d hashes", len(all), len(hashes))
	}
	netuids := make([]any, len(all))
	for i, w := range all {
		if w.Mechanism != 0 {
			return Call{}, fmt.Errorf("commit weights: mechanism %d of subnet %d is not the first", w.Mechanism, w.NetUID)
		}
		netuids[i] = w.NetUID
	}
	return Call{module, "batch_commit_weights", scale.Args{"netuids": netuids, "commit_hashes": hashes}}, nil
}

// RevealWeights shows the weights that were committed to. The hotkey signs; there
// is no fee.
func RevealWeights(w Weights, salt []uint16) Call {
	return w.call("reveal_weights", "reveal_mechanism_weights",
		scale.Args{"uids": w.UIDs, "values": w.Values, "salt": salt, "version_key": w.VersionKey})
}

// BatchRevealWeights is [RevealWeights] for several commitments on the first
// mechanism of one subnet.
func BatchRevealWeights(all []Weights, salts [][]uint16) (Call, error) {
	if len(all) == 0 || len(all) != len(salts) {
		return Call{}, fmt.Errorf("reveal weights: %d weights and %d salts", len(all), len(salts))
	}
	var uids, values [][]uint16
	var versions []uint64
	for _, w := range all {
		if w.NetUID != all[0].NetUID || w.Mechanism != 0 {
			return Call{}, errors.New("reveal weights: they are not all for one subnet")
		}
		uids, values, versions = append(uids, w.UIDs), append(values, w.Values), append(versions, w.VersionKey)
	}
	return Call{module, "batch_reveal_weights", scale.Args{"netuid": all[0].NetUID, "uids_list": uids, "values_list": values,
		"salts_list": salts, "version_keys": versions}}, nil
}

// A WeightsReceipt says how weights were put on chain.
type WeightsReceipt struct {
	Block subnet.Block
	// Round is that of the beacon in which the chain reveals weights that were
	// committed, and Reveals about when that is. 0 if they were set at once.
	Round   uint64
	Reveals subnet.Block
}

// PutWeights puts weights on chain in the way that the subnet wants: set at once,
// or committed so that the chain reveals them by itself. A very old runtime that
// only knows commitments which are revealed by hand is an error: then use
// [CommitWeights] and [RevealWeights]. A version key of 0 is replaced by the one
// the subnet demands. The hotkey signs; there is no fee.
func (c *Client) PutWeights(ctx context.Context, hotkey Signer, w Weights, o SubmitOptions) (WeightsReceipt, error) {
	v, err := c.At(ctx, subnet.Latest)
	if err != nil {
		return WeightsReceipt{}, fmt.Errorf("set weights: %w", err)
	}
	k, r, err := v.WeightsCall(ctx, hotkey.Public(), w)
	if err != nil {
		return WeightsReceipt{}, err
	}
	in, err := c.Do(ctx, hotkey, k, o)
	r.Block = in.Block
	return r, err
}

// WeightsCall returns the call that [Client.PutWeights] would sign for a hotkey in
// the next block, and its receipt as far as it is known. A call that commits is
// good until the subnet's next epoch begins.
func (v *View) WeightsCall(ctx context.Context, hotkey Account, w Weights) (Call, WeightsReceipt, error) {
	vs, err := v.GetAll(ctx, []Entry{{module, "WeightsVersionKey", []any{w.NetUID}}, {module, "CommitRevealWeightsEnabled", []any{w.NetUID}}})
	if err != nil {
		return Call{}, WeightsReceipt{}, fmt.Errorf("set weights: %w", err)
	}
	if w.VersionKey == 0 {
		w.VersionKey = number(vs[0])
	}
	if vs[1] != true {
		return SetWeights(w), WeightsReceipt{}, nil
	}
	k, r, err := v.lockWeights(ctx, hotkey, w)
	if err != nil {
		return Call{}, WeightsReceipt{}, fmt.Errorf("commit weights: %w", err)
	}
	return k, r, nil
}

// SetWeights implements [subnet.Chain]. Where the subnet wants weights committed
// first, they are, time-locked, and the chain reveals them.
func (c chain) SetWeights(ctx context.Context, weights []subnet.Weight) (subnet.Block, error) {
	w, err := NewWeights(c.netuid, weights)
	if err != nil {
		return 0, fmt.Errorf("set weights: %w", err)
	}
	if c.signer == nil {
		return 0, fmt.Errorf("set weights: %w", errNoHotkey)
	}
	r, err := c.PutWeights(ctx, c.signer, w, SubmitOptions{})
	return r.Block, err
}
