package connito

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"

	"adit/internal/subnet"
)

// frozen returns the round of a cycle: as it was frozen before a restart, or else
// frozen now.
func (v *validator) frozen(ctx context.Context, cycle uint64) (*round, error) {
	r, err := v.loadRound(cycle)
	if err == nil {
		v.Note("resumed", "round goes on", slog.Uint64("cycle", cycle))
		return r, nil
	}
	if !errors.Is(err, subnet.ErrNotFound) {
		v.Warn("round", "the round begins anew", err, slog.Uint64("cycle", cycle))
	}
	if r, err = v.freeze(ctx, cycle); err != nil {
		return nil, err
	}
	v.stage(cycle, stageFrozen)
	v.Say("frozen", "Round frozen", slog.Uint64("cycle", cycle), slog.Uint64("round_id", r.ID), slog.Int("groups", len(r.Groups)))
	return r, v.save(r)
}

// A frame is what the chain says when a round is frozen.
type frame struct {
	at       subnet.Block
	meta     *subnet.Metagraph
	first    map[subnet.Hotkey]subnet.Commitment // after the first commit phase
	second   []subnet.Commitment                 // after the second, in storage order
	revealed map[subnet.Hotkey][]Commit
	seconds  map[subnet.Hotkey]subnet.Block
	untold   map[subnet.Hotkey]untold // nil until somebody asks
}

// frame reads the chain as it stood after the miners' commit phases.
func (n *neuron) frame(ctx context.Context, cycle uint64) (*frame, error) {
	one, two := n.rules.Schedule.commitReads(cycle, MinerCommit1)
	if err := n.Chain.Wait(ctx, two); err != nil {
		return nil, err
	}
	first, err := n.Chain.Commitments(ctx, one)
	if err != nil {
		return nil, fmt.Errorf("read the first commitments: %w", err)
	}
	f := &frame{at: two, first: make(map[subnet.Hotkey]subnet.Commitment), revealed: make(map[subnet.Hotkey][]Commit), seconds: make(map[subnet.Hotkey]subnet.Block)}
	if f.second, err = n.Chain.Commitments(ctx, two); err != nil {
		return nil, fmt.Errorf("read the second commitments: %w", err)
	}
	if f.meta, err = n.Chain.Metagraph(ctx, two); err != nil {
		return nil, fmt.Errorf("read the metagraph: %w", err)
	}
	for _, c := range first {
		f.first[c.Hotkey] = c
	}
	for _, c := range f.second {
		f.revealed[c.Hotkey], f.seconds[c.Hotkey] = parseCommits(c.Fields), c.Block
	}
	return f, nil
}

// judge says whether a neuron is a validator in the frame.
//
// Unlike upstream, one that has not set weights yet is a validator too: in a new
// network nobody could ever be.
func (n *neuron) judge(f *frame, who subnet.Neuron) bool {
	listed := []subnet.Hotkey{}
	for _, h := range n.cfg.Cycle.ValidatorWhitelist {
		listed = append(listed, subnet.Hotkey(h))
	}
	if len(listed) == 0 && who.Permit { // nobody keeps a list
		listed = append(listed, who.Hotkey)
	}
	if len(who.Weights) == 0 {
		who.LastUpdate = f.at
	}
	return n.rules.isValidator(who, f.revealed[who.Hotkey], listed, f.at)
}

// unscored says whether a neuron is no miner. A miner that nobody lists is one even
// if it claims a seed: it may not have one by itself, but whom the owner lists is
// never scored.
func (n *neuron) unscored(f *frame, who subnet.Neuron) bool {
	return n.judge(f, who) || slices.Contains(n.cfg.Cycle.ValidatorWhitelist, string(who.Hotkey))
}

// judges returns the validators of an expert group and the seeds that they
// committed to, in the order of the chain's storage.
func (n *neuron) judges(f *frame, group int) (judges []Judge, neurons []subnet.Neuron) {
	for _, c := range f.second {
		who, ok := f.meta.ByHotkey(c.Hotkey)
		if !ok || !n.judge(f, who) {
			continue
		}
		for _, commit := range f.revealed[c.Hotkey] {
			if commit.Group == nil || *commit.Group != group {
				continue
			}
			j := Judge{Hotkey: c.Hotkey}
			if commit.Seed != nil {
				j.Seed = *commit.Seed
			}
			judges, neurons = append(judges, j), append(neurons, who)
			break
		}
	}
	return judges, neurons
}

// freeze makes a cycle's round of what the chain says.
func (v *validator) freeze(ctx context.Context, cycle uint64) (*round, error) {
	f, err := v.frame(ctx, cycle)
	if err != nil {
		return nil, err
	}
	r := &round{Schema: roundSchema, ID: v.rules.roundID(cycle), Cycle: cycle, Rules: v.rules.Name, FrozenAt: f.at}
	strangers := &groupRound{Group: -1}
	of := make(map[int]*groupRound)
	for _, g := range v.cfg.Task.Groups {
		group := &groupRound{Group: g.ID}
		r.Groups, of[g.ID] = append(r.Groups, group), group
	}
	for _, neuron := range f.meta.Neurons {
		if neuron.Hotkey == v.Me || v.unscored(f, neuron) {
			continue
		}
		m, group := v.enrol(f, neuron, cycle)
		switch {
		case of[group] != nil:
			of[group].Miners = append(of[group].Miners, m)
		case group < 0:
			strangers.Miners = append(strangers.Miners, m)
		}
	}
	for _, g := range v.cfg.Task.Groups {
		if err := v.divide(ctx, f, of[g.ID], g, cycle); err != nil {
			return nil, err
		}
	}
	if len(strangers.Miners) > 0 {
		r.Groups = append(r.Groups, strangers)
	}
	if v.rules.Groups != (GroupSizes{}) {
		g := r.Groups[0]
		v.cohort = cohortOf(v.cohort, g.Group, r.ID, cycle, groups{A: g.A, B: g.B, C: g.C, Foreground: g.Foreground})
		if err := v.writeBytes(cohortFile, v.cohort.encode()); err != nil {
			return nil, fmt.Errorf("save %s: %w", cohortFile, err)
		}
		v.Note("cohort-made", "groups of miners", slog.Uint64("cycle", cycle), slog.Uint64("cohort_epoch", v.cohort.Epoch))
	}
	return r, nil
}

// claim returns what the frame says of a neuron's submission.
func (n *neuron) claim(f *frame, who subnet.Hotkey) claim {
	first := f.first[who]
	return claim{
		First: parseCommits(first.Fields), FirstAt: first.Block,
		Second: f.revealed[who], SecondAt: f.seconds[who],
		Signed: func(hash string, first []Commit) bool { return n.signedBy(who, hash, first) },
		Copied: func(hash string) bool { return n.signedBefore(f, who, hash, first.Block) },
	}
}

// signedBefore says whether another neuron signed a hash in an earlier block and never
// told it: its signature shows all the same whose model that is. Where the other told
// it, the two are equal submissions, which the ranks are for.
func (n *neuron) signedBefore(f *frame, who subnet.Hotkey, hash string, block subnet.Block) bool {
	if f.untold == nil {
		f.untold = make(map[subnet.Hotkey]untold)
		for other, c := range f.first {
			// Who signed what it told, signed nothing else.
			first := parseCommits(c.Fields)
			if !slices.ContainsFunc(f.revealed[other], func(c Commit) bool { return c.Hash != "" && n.signedBy(other, c.Hash, first) }) {
				f.untold[other] = untold{c.Block, first}
			}
		}
	}
	for other, c := range f.untold {
		if other != who && c.at < block && n.signedBy(other, hash, c.first) {
			return true
		}
	}
	return false
}

// untold is a first commitment whose second did not come to be.
type untold struct {
	at    subnet.Block
	first []Commit
}

// enrol returns a neuron's part in a round, and its expert group, or -1 if nobody
// knows it. The gates say why it is out of the round, if it is.
func (v *validator) enrol(f *frame, n subnet.Neuron, cycle uint64) (*minerRound, int) {
	c := v.claim(f, n.Hotkey)
	commit, why := v.rules.admit(c, cycle)
	m := &minerRound{UID: n.UID, Hotkey: n.Hotkey, Committed: c.FirstAt, Commit: commit, State: statePending, Why: why}
	if _, bad := why.failed(); bad {
		m.State = stateRefused
	}
	if commit.Group != nil {
		return m, *commit.Group
	} else if h := v.scores[n.UID]; h != nil && h.Hotkey == n.Hotkey {
		return m, h.Group // it loses this round in the group it was in
	}
	return m, -1
}

// divide sets a group's seed, its baseline, and who is evaluated when.
func (v *validator) divide(ctx context.Context, f *frame, r *groupRound, g Group, cycle uint64) error {
	judges, neurons := v.judges(f, g.ID)
	view := roundView{Me: v.Me, Judges: judges, Validators: neurons, LastEvaluated: make(map[subnet.UID]subnet.Block), Average: make(map[subnet.UID]float64)}
	for _, m := range r.Miners {
		if m.State != statePending {
			continue
		}
		n := f.meta.Neurons[slices.IndexFunc(f.meta.Neurons, func(n subnet.Neuron) bool { return n.UID == m.UID })]
		view.Candidates = append(view.Candidates, Candidate{UID: m.UID, Hotkey: m.Hotkey, Incentive: n.Incentive})
		if h := v.scores[m.UID]; h != nil && h.Hotkey == m.Hotkey && len(h.Points) > 0 {
			view.LastEvaluated[m.UID] = subnet.Block(h.Points[len(h.Points)-1].Round)
			view.Average[m.UID] = h.average(v.rules.ScoreWindow)
		}
	}
	var err error
	if r.Seed, err = v.seedBy(ctx, judges, cycle); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if r.Base, err = v.base(g); err != nil {
		return fmt.Errorf("baseline of group %d: %w", g.ID, err)
	}
	lots := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(string(v.Me) + r.Seed))))
	made := v.rules.group(view, lots)
	r.A, r.B, r.C, r.Foreground, r.Background = made.A, made.B, made.C, made.Foreground, made.Background
	r.Elsewhere = v.rules.elsewhere(view, made)
	if !v.rules.has(HubTransport) {
		r.Background = nil // what others evaluate is sent to them alone
	}
	return nil
}

// seedBy returns the seed, given the validators of the group.
func (v *validator) seedBy(ctx context.Context, judges []Judge, cycle uint64) (string, error) {
	if v.rules.Seed == SeedFromBlock {
		hash, err := v.Chain.Hash(ctx, v.rules.Schedule.End(cycle, MinerCommit2))
		if err != nil {
			return "", err
		}
		return blockSeed(hash), nil
	}
	seeds := make(map[subnet.Hotkey]uint64)
	for _, j := range judges {
		seeds[j.Hotkey] = j.Seed
	}
	return combinedSeed(seeds), nil
}

// base returns what a group's submissions are measured against.
func (v *validator) base(g Group) (string, error) {
	if v.rules.Baseline == PretrainedBaseline {
		return v.pretrained(g)
	}
	return v.baselineShard(g)
}
