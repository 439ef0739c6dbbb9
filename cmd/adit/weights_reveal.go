package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// WeightsRevealCommand reveals weights.
type WeightsRevealCommand struct {
	actorFlags
	mechanismFlag
	File string `arg:"" optional:"" help:"The file that 'adit weights commit' has written. Without it, the one in ~/.adit/commits that is due."`
	Wait bool   `help:"If it is too early, wait."`
}

// Help shows examples.
func (WeightsRevealCommand) Help() string {
	return `Shows the weights that were committed to with 'adit weights commit'. That is
possible in one epoch only, which is so many after that of the commitment as the
subnet's reveal period says. What was committed earlier and is not revealed yet is
dropped by it.

Examples:
  adit weights reveal --netuid 1
  adit weights reveal weights.json --wait --yes`
}

// Run reveals them.
func (c WeightsRevealCommand) Run(ctx context.Context, t terminal) error {
	var kept *keptWeights
	if c.File != "" {
		var err error
		if kept, err = loadWeights(c.File); err != nil {
			return err
		}
		if n := subnet.NetUID(kept.Netuid); c.Netuid == nil || *c.Netuid == n {
			c.Netuid, c.Mechid = &n, kept.Mechid
		}
	}
	w, err := c.weigher(ctx, c.Mechid)
	if err != nil {
		return err
	}
	defer w.client.Close()
	if err := c.among(w.netuid, w.Mechanisms); err != nil {
		return err
	}
	like := keptWeights{Genesis: genesisText(w.client), Hotkey: keys.Address(w.who), Netuid: uint16(w.netuid), Mechid: c.Mechid}
	if kept != nil {
		if err := kept.belongs(like); err != nil {
			return err
		}
	}
	kept, epoch, err := w.revealable(ctx, kept, like)
	if err != nil {
		return err
	}
	if err := w.revealDue(ctx, t, epoch, c.Wait && !c.DryRun); err != nil {
		return err
	}
	x := weighed{Weights: kept.weights()}
	x.share()
	if err := x.list(t, c.JSON); err != nil {
		return err
	}
	r, err := c.deal(ctx, t, w.client, deal{signer: w.files, call: subtensor.RevealWeights(x.Weights, kept.Salt),
		title: "reveal these weights", told: append(w.told(), [2]string{"file", kept.name})})
	if err != nil {
		return err
	}
	result := w.result(x)
	result.Hash, result.File = kept.Hash, kept.name
	r.Message = fmt.Sprintf("Revealed weights of uid %d on subnet %d", w.UID, w.netuid)
	return c.print(t, r, result, [2]string{"weights", "set"})
}

// belongs returns an error if the file is another's.
func (k *keptWeights) belongs(like keptWeights) error {
	switch {
	case k.Genesis != like.Genesis:
		return subnet.WithHint(fmt.Errorf("the weights in %s are for another chain", k.name), "--network tells which chain is meant")
	case k.Hotkey != like.Hotkey:
		return subnet.WithHint(fmt.Errorf("the weights in %s are of the hotkey %s", k.name, k.Hotkey), "--wallet-name and --hotkey tell which one signs")
	case k.Netuid != like.Netuid || k.Mechid != like.Mechid:
		return subnet.WithHint(fmt.Errorf("the weights in %s are for mechanism %d of subnet %d", k.name, k.Mechid, k.Netuid), "leave --netuid and --mechid out")
	}
	return nil
}

// revealable returns the weights to reveal, which are those of a file if there is
// one, and the epoch in which they can be.
func (w *weigher) revealable(ctx context.Context, kept *keptWeights, like keptWeights) (*keptWeights, uint64, error) {
	all, err := w.View.WeightsCommits(ctx, w.netuid, like.Mechid)
	if err != nil {
		return nil, 0, err
	}
	var waiting []subtensor.WeightsCommit
	for _, c := range all {
		if c.Hotkey == w.who && c.Round == 0 && c.Epoch+w.RevealPeriod >= w.Epoch {
			waiting = append(waiting, c)
		}
	}
	if kept != nil {
		for _, c := range waiting {
			if hashText(c.Hash) == kept.Hash {
				return kept, c.Epoch + w.RevealPeriod, nil
			}
		}
		return nil, 0, subnet.WithHint(fmt.Errorf("the chain waits for no weights with the hash %s", kept.Hash),
			"they have been revealed, were never committed, or their epoch is over: then commit again")
	}
	if len(waiting) == 0 {
		return nil, 0, subnet.WithHint(fmt.Errorf("the chain waits for no weights of uid %d on subnet %d", w.UID, w.netuid),
			"'adit weights commit' commits to some; those of 'adit weights set' the chain reveals by itself; some may have expired")
	}
	dir, err := commitsDir()
	if err != nil {
		return nil, 0, err
	}
	files, err := findWeights(dir, like)
	if err != nil {
		return nil, 0, err
	}
	// Of those that are due the newest, and if none is, the first that will be.
	var best *subtensor.WeightsCommit
	for i, c := range waiting {
		if files[hashText(c.Hash)] != nil && (best == nil || c.Epoch+w.RevealPeriod == w.Epoch) {
			best = &waiting[i]
		}
	}
	if best == nil {
		return nil, 0, subnet.WithHint(errors.New("no file there has weights that the chain waits for"), "name the file that 'adit weights commit' has written; it looked in "+dir)
	}
	return files[hashText(best.Hash)], best.Epoch + w.RevealPeriod, nil
}

func hashText(h [32]byte) string { return "0x" + hex.EncodeToString(h[:]) }

// revealDue returns an error if it is too early for weights of an epoch, or waits.
func (w *weigher) revealDue(ctx context.Context, t terminal, epoch uint64, wait bool) error {
	if epoch > w.Epoch && !wait {
		at := w.EpochBlock(epoch)
		return subnet.WithHint(fmt.Errorf("it is too early: these weights can be revealed from about block %d on", at),
			fmt.Sprintf("%s are left; --wait waits for them", counted(int(at-min(at, w.View.Block)), "block")))
	}
	for told := false; epoch > w.Epoch; told = true {
		if at := w.EpochBlock(epoch); !told {
			fmt.Fprintf(t.err, "adit: waiting for about block %d, %s from now\n", at, counted(int(at-min(at, w.View.Block)), "block"))
		}
		if err := w.client.Wait(ctx, max(w.View.Block+1, w.EpochBlock(epoch))); err != nil {
			return err
		}
		if err := w.refresh(ctx); err != nil {
			return err
		}
	}
	return nil
}
