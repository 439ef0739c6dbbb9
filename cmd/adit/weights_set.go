package main

import (
	"context"
	"fmt"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// WeightsSetCommand sets weights.
type WeightsSetCommand struct {
	weighFlags
	actorFlags
	Wait bool `help:"If the last weights are too recent, wait until others are taken."`
}

// Help shows examples.
func (WeightsSetCommand) Help() string {
	return `Sets what the hotkey, a validator, thinks of the neurons of a subnet. Weights are
scaled so that the largest is 65535; you see them as they will be before you are asked.
Where the subnet wants weights committed, they are encrypted, and the chain itself
reveals them later: 'adit weights commit' is for those that you reveal by hand.

Examples:
  adit weights set --netuid 1 --uids 1,2,3 --weights 0.2,0.3,0.5
  adit set_weights --netuid 1 --uids 1 2 3 --weights 0.2 0.3 0.5 --no_prompt
  adit weights set --netuid 1 --uids 1,2 --weights 1,3 --fit --dry-run`
}

// A weightsResult is what became of weights.
type weightsResult struct {
	Netuid     uint16    `json:"netuid"`
	Mechid     uint8     `json:"mechid"`
	Hotkey     string    `json:"hotkey"`
	UID        uint16    `json:"uid"`
	UIDs       []uint16  `json:"uids"`
	Weights    []float64 `json:"weights"` // their shares
	Values     []uint16  `json:"values"`  // as the chain has them
	VersionKey uint64    `json:"version_key"`
	Committed  bool      `json:"committed"`              // not set yet, but revealed later
	Round      uint64    `json:"reveal_round,omitempty"` // of the beacon
	Reveals    uint64    `json:"reveal_block,omitempty"` // about
	File       string    `json:"file,omitempty"`         // of what must be revealed by hand
	Hash       string    `json:"commit_hash,omitempty"`
}

func (w *weigher) result(x weighed) weightsResult {
	return weightsResult{Netuid: uint16(w.netuid), Mechid: x.Mechanism, Hotkey: keys.Address(w.who), UID: uint16(w.UID),
		UIDs: x.UIDs, Weights: x.shares, Values: x.Values, VersionKey: x.VersionKey}
}

// told is what a person is told of weights before they are signed, besides the
// table of them.
func (w *weigher) told() [][2]string {
	return [][2]string{{"subnet", fmt.Sprint(w.netuid)}, {"by", fmt.Sprintf("uid %d, %s", w.UID, keys.Address(w.who))}}
}

// list shows the weights themselves to a person.
func (x *weighed) list(t terminal, asJSON bool) error {
	if asJSON {
		return nil
	}
	_, err := fmt.Fprintln(t.err, strings.Join(x.table().Lines(0), "\n"))
	return err
}

// Run sets them.
func (c WeightsSetCommand) Run(ctx context.Context, t terminal) error {
	given, err := c.read(ctx, t)
	if err != nil {
		return err
	}
	w, err := c.weigher(ctx, c.Mechid)
	if err != nil {
		return err
	}
	defer w.client.Close()
	weights, err := c.weigh(w.netuid, w.WeightTerms, given)
	if err != nil {
		return err
	}
	if err := w.due(ctx, t, c.Wait && !c.DryRun); err != nil {
		return err
	}
	call, how, err := w.View.WeightsCall(ctx, w.who, weights.Weights)
	if err != nil {
		return err
	}
	result := w.result(weights)
	tell := func() string {
		result.Committed, result.Round, result.Reveals = how.Round > 0, how.Round, uint64(how.Reveals)
		if !result.Committed {
			return "set at once"
		}
		return fmt.Sprintf("committed, revealed by the chain about block %d (drand round %d)", how.Reveals, how.Round)
	}
	if err := weights.list(t, c.JSON); err != nil {
		return err
	}
	d := deal{signer: w.files, call: call, title: "weights", told: append(w.told(), [2]string{"way", tell()})}
	d.ready = func(ctx context.Context) (subtensor.Call, error) {
		v, err := w.client.At(ctx, subnet.Latest)
		if err != nil {
			return subtensor.Call{}, err
		}
		call, how, err = v.WeightsCall(ctx, w.who, weights.Weights)
		return call, err
	}
	r, err := c.deal(ctx, t, w.client, d)
	if err != nil {
		return err
	}
	way := tell()
	r.Message = fmt.Sprintf("Set weights of uid %d on subnet %d", w.UID, w.netuid)
	if result.Committed {
		r.Message = fmt.Sprintf("Committed weights of uid %d on subnet %d", w.UID, w.netuid)
	}
	return c.print(t, r, &result, [2]string{"weights", way})
}
