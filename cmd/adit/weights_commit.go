package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// WeightsCommitCommand commits to weights.
type WeightsCommitCommand struct {
	weighFlags
	actorFlags
	Out  string   `short:"o" placeholder:"FILE" help:"Where to keep the weights and their salt until they are revealed (a file of its own in ~/.adit/commits)."`
	Salt listFlag `placeholder:"N…" help:"The salt, numbers from 0 to 65535 (eight at random)."`
	Wait bool     `help:"If the last weights are too recent, wait until others are taken."`
}

// Help shows examples.
func (WeightsCommitCommand) Help() string {
	return `Puts only the hash of weights on chain. Reveal them some epochs later, with
'adit weights reveal': you are told when. Weights and salt are kept in a file, which is
written before anything is sent; without it they cannot be revealed.
Most subnets want weights that the chain reveals by itself: 'adit weights set'.

Examples:
  adit weights commit --netuid 1 --uids 1,2,3 --weights 0.2,0.3,0.5
  adit weights commit --netuid 1 --uids 1,2 --weights 1,3 --out weights.json --yes`
}

// saltLength is how many numbers are customary.
const saltLength = 8

func (c WeightsCommitCommand) salt() ([]uint16, error) {
	if len(c.Salt) == 0 {
		b := make([]byte, 2*saltLength)
		rand.Read(b)
		salt := make([]uint16, saltLength)
		for i := range salt {
			salt[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
		return salt, nil
	}
	var salt []uint16
	for _, text := range c.Salt {
		var n uint16
		if _, err := fmt.Sscan(text, &n); err != nil {
			return nil, fmt.Errorf("%q is no part of a salt: a number from 0 to 65535", text)
		}
		salt = append(salt, n)
	}
	return salt, nil
}

// Run commits.
func (c WeightsCommitCommand) Run(ctx context.Context, t terminal) error {
	given, err := c.read(ctx, t)
	if err != nil {
		return err
	}
	w, err := c.weigher(ctx, c.Mechid)
	if err != nil {
		return err
	}
	defer w.client.Close()
	if !w.CommitReveal {
		return subnet.WithHint(fmt.Errorf("subnet %d takes weights as they are, without a commitment", w.netuid), "'adit weights set' sets them")
	}
	weights, err := c.weigh(w.netuid, w.WeightTerms, given)
	if err != nil {
		return err
	}
	if err := w.due(ctx, t, c.Wait && !c.DryRun); err != nil {
		return err
	}
	kept, hash, err := c.keep(w, weights)
	if err != nil {
		return err
	}
	when := fmt.Sprintf("about block %d, %s from now", w.EpochBlock(w.Epoch+w.RevealPeriod), counted(int(w.RevealPeriod), "epoch"))
	if err := weights.list(t, c.JSON); err != nil {
		return err
	}
	call := subtensor.CommitWeights(weights.Weights, hash)
	r, err := c.deal(ctx, t, w.client, deal{signer: w.files, call: call, title: "commit to these weights",
		told: append(w.told(), [2]string{"file", kept.name}, [2]string{"reveal", when}),
		ready: func(context.Context) (subtensor.Call, error) {
			return call, kept.save()
		}})
	if err != nil {
		return err
	}
	result := w.result(weights)
	result.Committed, result.Hash, result.Reveals = true, kept.Hash, uint64(w.EpochBlock(w.Epoch+w.RevealPeriod))
	if !r.DryRun {
		result.File = kept.name
	}
	r.Message = fmt.Sprintf("Committed to weights of uid %d on subnet %d", w.UID, w.netuid)
	return c.print(t, r, result, [2]string{"hash", kept.Hash}, [2]string{"file", kept.name}, [2]string{"reveal", when})
}

// keep returns what is to be kept of weights.
func (c WeightsCommitCommand) keep(w *weigher, x weighed) (*keptWeights, [32]byte, error) {
	salt, err := c.salt()
	if err != nil {
		return nil, [32]byte{}, err
	}
	hash, err := x.Hash(w.who, salt)
	if err != nil {
		return nil, hash, err
	}
	k := &keptWeights{Genesis: genesisText(w.client), Hotkey: keys.Address(w.who), Netuid: uint16(w.netuid), Mechid: x.Mechanism,
		UIDs: x.UIDs, Values: x.Values, Salt: salt, VersionKey: x.VersionKey, Hash: "0x" + hex.EncodeToString(hash[:]), name: c.Out}
	if k.name == "" {
		dir, err := commitsDir()
		if err != nil {
			return nil, hash, err
		}
		k.name = filepath.Join(dir, fmt.Sprintf("subnet%d-%s-%s.json", k.Netuid, k.Hotkey[:8], k.Hash[2:18]))
	}
	if _, err := os.Lstat(k.name); err == nil {
		return nil, hash, fileTaken(k.name)
	}
	return k, hash, nil
}

func genesisText(c *subtensor.Client) string {
	genesis := c.Genesis()
	return "0x" + hex.EncodeToString(genesis[:])
}
