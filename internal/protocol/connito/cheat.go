package connito

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"adit/internal/checkpoint"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// Cheats are the rules that a miner can be told to break on a local network, to
// see that breaking them earns nothing:
//
//   - copy: submits what another miner has just published
//   - late: signs its hash only when the others' models are public
//   - mismatch: publishes another model than it committed to
//   - nan: submits weights that are not numbers
//   - random: submits random weights
//   - silent: signs a hash and never shows the model
var Cheats = []string{"copy", "late", "mismatch", "nan", "random", "silent"}

func isCheat(name string) bool { return slices.Contains(Cheats, name) }

// cheat is a miner that breaks one rule in every cycle.
func cheat(ctx context.Context, env subnet.Env) error {
	n, err := newNeuron(env)
	if err != nil {
		return err
	}
	if base, _, scaled := strings.Cut(n.rules.Name, "/"); base != Local.Name && !scaled {
		return fmt.Errorf("cheat %q: only a network on one machine may be tested so, with rules %s or, for example, %s/120", n.cfg.Cheat, Local.Name, n.rules.Name)
	}
	pos, _, err := n.now(ctx)
	if err != nil {
		return actor.Ended(ctx, err)
	}
	for cycle := pos.Cycle; ; cycle++ {
		if err := n.Chain.Wait(ctx, n.rules.Schedule.Start(cycle, Distribute)); err != nil {
			return actor.Ended(ctx, err)
		}
		err := n.downloadJob(ctx, cycle)
		if err == nil {
			err = n.cheatJob(ctx, cycle)
		}
		if err != nil && ctx.Err() == nil {
			n.Warn("lost", "the cheat did not go through", err, slog.Uint64("cycle", cycle))
		}
		if err := n.Chain.Wait(ctx, n.rules.Schedule.Start(cycle+1, Distribute)); err != nil {
			return actor.Ended(ctx, err)
		}
	}
}

// cheatJob is a commitJob with something wrong in it.
func (n *neuron) cheatJob(ctx context.Context, cycle uint64) error {
	g := n.cfg.Task.Groups[0]
	inTime, cancel := actor.Until(ctx, n.Chain, n.trainEnd(cycle))
	defer cancel()
	p, name, err := n.waitForBaseline(inTime, cycle, g)
	if err != nil {
		return err
	}
	base, err := n.tensors(name)
	if err != nil {
		return err
	}
	if err := n.Chain.Wait(ctx, n.rules.Schedule.Start(cycle, MinerCommit1)); err != nil {
		return err
	}
	shown, promised := n.forge(base, 1), tensor.Dict(nil)
	switch n.cfg.Cheat {
	case "copy":
		if shown, err = n.steal(ctx, cycle, g); err != nil {
			return err
		}
	case "nan":
		key := shown.Keys()[0]
		vals := make([]float32, shown[key].Numel())
		vals[0] = float32(math.NaN())
		shown[key] = tensor.FromFloats(shown[key].DType, shown[key].Shape, vals)
	case "mismatch":
		promised = n.forge(base, 2)
	}
	if promised == nil {
		promised = shown
	}
	path := ".tmp_cheat/" + shardFile(g.ID, n.rules.Formats[0])
	if err := n.Write(path, func(w io.Writer) error { return checkpoint.Write(w, n.rules.Formats[0], shown) }); err != nil {
		return err
	}
	hash := contentsOf(promised, promised.Keys()).Hash
	sig, err := n.Signer.Sign(ctx, []byte(hash))
	if err != nil {
		return err
	}
	sub := submission{Path: path, Hash: hash, Version: p.version, Sig: sig}
	told := publication{
		cycle: cycle, first: MinerCommit1, message: "cheat", files: []string{path},
		signed: []string{n.rules.signedCommit(sig)},
		reveal: func(revision string) []string {
			repo := n.cfg.HF.CheckpointRepo
			if revision == "" {
				repo = ""
			}
			return []string{n.rules.minerCommit2(g.ID, hash, p.version, repo, revision)}
		},
	}
	n.Say("cheat", "breaking a rule", slog.String("cheat", n.cfg.Cheat), slog.Uint64("cycle", cycle), slog.String("hash", hash))
	switch n.cfg.Cheat {
	case "silent":
		first := told.signed
		if !n.rules.TwoCommits() {
			first = told.reveal("")
		}
		_, err = n.Chain.Commit(ctx, first...)
		return err
	case "late":
		return n.tooLate(ctx, told)
	}
	// All else is as it should be.
	key := fmt.Sprintf("cycle/%d/submission", cycle)
	if _, err := n.Journal.Intend(key, actor.JSON(sub)); err != nil {
		return err
	}
	if err := n.Journal.Done(key, hash); err != nil {
		return err
	}
	return errors.Join(n.publish(ctx, told), n.submitJob(ctx, cycle))
}

// tooLate commits when the window is over and the others' models are public. Its
// second commitment follows at once: at the end of that phase it would be all there.
func (n *neuron) tooLate(ctx context.Context, p publication) error {
	if err := n.Chain.Wait(ctx, n.rules.Schedule.End(p.cycle, MinerCommit1)+1); err != nil {
		return err
	}
	revision := ""
	if n.rules.has(HubTransport) {
		store, err := n.stage(ctx, p.files)
		if err == nil {
			revision, err = store.Publish(ctx, p.message)
		}
		if err != nil {
			return err
		}
	}
	if n.rules.TwoCommits() {
		if _, err := n.Chain.Commit(ctx, p.signed...); err != nil {
			return err
		}
		from, _ := n.rules.Schedule.commit2Window(p.cycle, MinerCommit1)
		if err := n.Chain.Wait(ctx, from-1); err != nil {
			return err
		}
	}
	_, err := n.Chain.Commit(ctx, p.reveal(revision)...)
	return err
}

// forge returns random tensors of the same shapes.
func (n *neuron) forge(like tensor.Dict, scale float64) tensor.Dict {
	random := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(n.Me))))
	forged := make(tensor.Dict, len(like))
	for _, key := range like.Keys() {
		t := like[key]
		vals := make([]float32, t.Numel())
		for i := range vals {
			vals[i] = float32(random.NormFloat64() * scale)
		}
		forged[key] = tensor.FromFloats(t.DType, t.Shape, vals)
	}
	return forged
}

// steal returns the best model of its group that other miners publish early in
// this cycle. Where they publish is known from the cycle before.
func (n *neuron) steal(ctx context.Context, cycle uint64, g Group) (tensor.Dict, error) {
	if cycle == 0 {
		return nil, errors.New("nobody to copy from")
	}
	_, two := n.rules.Schedule.commitReads(cycle-1, MinerCommit1)
	known, err := n.Chain.Commitments(ctx, two)
	if err != nil {
		return nil, err
	}
	// Most publish as soon as their first commitment is in a block.
	if err := n.Chain.Wait(ctx, n.rules.Schedule.Start(cycle, MinerCommit1)+2); err != nil {
		return nil, err
	}
	var best tensor.Dict
	least := math.Inf(1)
	for _, k := range known {
		for _, c := range parseCommits(k.Fields) {
			if k.Hotkey == n.Me || c.complete() != "" || *c.Group != g.ID {
				continue
			}
			d, err := n.published(ctx, c.Repo, g)
			if err != nil || Hash(d) == c.Hash || checkShard(d, g.Assignment, true) != nil {
				continue
			}
			if loss, err := n.lossOfStolen(ctx, g, d); err == nil && loss < least {
				best, least = d, loss
			}
		}
	}
	if best == nil {
		return nil, errors.New("nobody has published yet")
	}
	return best, nil
}

// lossOfStolen evaluates stolen tensors.
func (n *neuron) lossOfStolen(ctx context.Context, g Group, d tensor.Dict) (float64, error) {
	const name = ".tmp_stolen/candidate"
	if err := n.Write(name, func(w io.Writer) error { return checkpoint.Write(w, subnet.Safetensors, d) }); err != nil {
		return 0, err
	}
	f, err := n.Dir.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	model, err := n.Engine.Open(ctx, f)
	if err != nil {
		return 0, err
	}
	defer model.Close()
	model.Route(g.Assignment.Experts())
	loss, err := model.Loss(ctx, subnet.Sample{Domain: g.ID, Seed: string(n.Me), Sequences: n.cfg.Ckpt.EvalSequences})
	return loss.Mean, err
}

// published reads the newest model of a repository.
func (n *neuron) published(ctx context.Context, repo string, g Group) (tensor.Dict, error) {
	store, err := n.Open("hf://" + repo)
	if err != nil {
		return nil, err
	}
	const name = ".tmp_stolen/model"
	var tried error
	for _, f := range []subnet.Format{subnet.Safetensors, subnet.Torch} {
		draft, err := n.Dir.Create(name)
		if err != nil {
			return nil, err
		}
		err = store.Get(ctx, "", shardFile(g.ID, f), draft, n.cfg.Ckpt.MaxBytes)
		if err == nil {
			d, err := checkpoint.Read(draftFile{draft, name}, n.cfg.Ckpt.MaxBytes)
			return d, errors.Join(err, draft.Close())
		}
		tried = errors.Join(tried, err, draft.Close())
	}
	return nil, tried
}
