package connito

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"adit/internal/subnet"
)

// An account is an explanation as it grows, gate by gate.
type account struct {
	*neuron
	subnet.Explanation
	miner subnet.Neuron
	cycle uint64
	head  subnet.Block
	meta  *subnet.Metagraph // after the second commitments were read
	// equals are the others that committed to the same hash, and when.
	equals map[subnet.Hotkey]subnet.Block
	first  subnet.Block // in which the first commitment came
}

// scratchDir is where an explanation keeps what it downloads, while it does. It is
// hidden from all that looks for checkpoints.
const scratchDir = ".tmp_why"

// explainRound tells what came of a submission, by the functions that score, or,
// of a round whose submissions are not fixed yet, what would come of it.
func explainRound(ctx context.Context, env subnet.Env, o subnet.ExplainOptions) (subnet.Explanation, error) {
	if env.Emit == nil {
		env.Emit = func(subnet.Event) {}
	}
	n, err := newNeuron(env)
	if err == nil && n.cfg.Cycle.OwnerURL != "" {
		// As the neuron does: by what the owner told last, or else tells now.
		f := &follower{neuron: n}
		var head subnet.Block
		if head, err = f.begin(ctx); err == nil {
			env.Config = f.settings(f.at(head))
			n, err = newNeuron(env)
		}
	}
	if err != nil {
		return subnet.Explanation{}, err
	}
	a := &account{neuron: n}
	if a.head, err = n.Chain.Head(ctx); err != nil {
		return a.Explanation, fmt.Errorf("read head: %w", err)
	}
	next, err := a.settle(o.Round)
	if err != nil {
		return a.Explanation, err
	}
	a.Round = a.cycle
	at := subnet.Latest
	if !next {
		_, at = n.rules.Schedule.commitReads(a.cycle, MinerCommit1)
	}
	meta, err := n.Chain.Metagraph(ctx, at)
	if err != nil {
		return a.Explanation, fmt.Errorf("read metagraph: %w", err)
	}
	a.meta = meta
	if err := a.find(meta, o.Who); err != nil {
		return a.Explanation, err
	}
	defer n.Dir.Remove(scratchDir)
	if next {
		if a.Hotkey != n.me {
			return a.Explanation, subnet.WithHint(errors.New("what others will submit is on their machines alone"), "leave out whose round it is, or ask for one that is over")
		}
		err = a.before(ctx)
	} else {
		err = a.after(ctx)
	}
	return a.Explanation, err
}

// settle finds the cycle that is meant, and whether its submissions are still to be
// fixed.
func (a *account) settle(round string) (next bool, err error) {
	s := a.rules.Schedule
	now := s.At(a.head).Cycle
	newest, any := s.readCycle(a.head, MinerCommit1)
	switch round {
	case "":
		if !any {
			return false, subnet.WithHint(fmt.Errorf("at block %d no round is over yet", a.head), "'adit why next' tells what would come of the next submission")
		}
		a.cycle = newest
		return false, nil
	case "next":
		a.cycle = now
		if any && newest == now {
			a.cycle++
		}
		return true, nil
	}
	n, err := strconv.ParseUint(round, 10, 63)
	if err != nil {
		return false, subnet.WithHint(fmt.Errorf("%q is no round", round), "give a cycle's number as the log has it, or 'next', or nothing for the newest that is over")
	}
	// The log calls rounds by their cycle, upstream's by the block at which
	// Submission began.
	if cycle := n / uint64(s.Cycle()); n > now+1 && cycle <= now && a.rules.roundID(cycle) == n {
		n = cycle
	}
	if n > now && !(n == now+1 && any && newest == now) {
		return false, fmt.Errorf("round %d has not begun: the chain is in cycle %d", n, now)
	}
	a.cycle = n
	return !any || n > newest, nil
}

// find settles whose submission it is.
func (a *account) find(meta *subnet.Metagraph, who string) error {
	a.Hotkey = subnet.Hotkey(who)
	if who == "" {
		a.Hotkey = a.me
	} else if uid, err := strconv.ParseUint(who, 10, 16); err == nil {
		i := slices.IndexFunc(meta.Neurons, func(v subnet.Neuron) bool { return v.UID == subnet.UID(uid) })
		if i < 0 {
			return fmt.Errorf("subnet %d had no uid %d at block %d", meta.NetUID, uid, meta.Block)
		}
		a.Hotkey = meta.Neurons[i].Hotkey
	}
	v, ok := meta.ByHotkey(a.Hotkey)
	if !ok {
		a.gate("registered", subnet.Stopped, fmt.Sprintf("%s had no uid on subnet %d at block %d", a.Hotkey, meta.NetUID, meta.Block))
		return nil
	}
	a.miner, a.UID = v, &v.UID
	if slices.Contains(a.cfg.Cycle.ValidatorWhitelist, string(v.Hotkey)) || a.scores() != nil && v.Hotkey == a.me {
		return subnet.WithHint(fmt.Errorf("uid %d is a validator, and submits nothing", v.UID), "say whose submission is meant with --uid or --hotkey")
	}
	a.gate("registered", subnet.Passed, "", Fact{"uid", fmt.Sprint(v.UID)}, Fact{"block", fmt.Sprint(meta.Block)})
	return nil
}

// stopped says whether a gate stopped the submission.
func (a *account) stopped() bool {
	return slices.ContainsFunc(a.Gates, func(g subnet.Gate) bool { return g.Outcome == subnet.Stopped })
}

func (a *account) gate(name string, outcome subnet.Outcome, text string, facts ...Fact) {
	g := subnet.Gate{Name: name, Outcome: outcome, Text: text}
	for _, f := range facts {
		g.Facts = append(g.Facts, subnet.Fact(f))
	}
	a.Gates = append(a.Gates, g)
}

// add takes in gates as scoring has them.
func (a *account) add(w Why) {
	for _, g := range w {
		outcome := subnet.Passed
		if !g.Passed {
			outcome = subnet.Stopped
		}
		a.gate(g.Name, outcome, g.Reason, g.Facts...)
	}
}

// after explains a round whose submissions are fixed.
func (a *account) after(ctx context.Context) error {
	s := a.rules.Schedule
	a.Text = fmt.Sprintf("cycle %d, blocks %d to %d: what came of the submission", a.cycle, s.Start(a.cycle, Distribute), s.Start(a.cycle+1, Distribute)-1)
	if a.stopped() {
		return nil
	}
	if known, err := a.recorded(); known || err != nil {
		return err
	}
	commit, err := a.admitted(ctx)
	if err != nil || a.stopped() {
		return errors.Join(err, a.paid(ctx))
	}
	loss, err := a.evaluated(ctx, commit)
	if err != nil {
		return err
	}
	if !a.stopped() {
		a.ranked(loss)
	}
	return a.paid(ctx)
}

// admitted passes the submission's commitments through the gates that stand before
// its download.
func (a *account) admitted(ctx context.Context) (Commit, error) {
	one, two := a.rules.Schedule.commitReads(a.cycle, MinerCommit1)
	firsts, err := a.Chain.Commitments(ctx, one)
	if err != nil {
		return Commit{}, fmt.Errorf("read commitments at block %d: %w", one, err)
	}
	seconds, err := a.Chain.Commitments(ctx, two)
	if err != nil {
		return Commit{}, fmt.Errorf("read commitments at block %d: %w", two, err)
	}
	var c claim
	when := make(map[subnet.Hotkey]subnet.Block)
	for _, k := range firsts {
		when[k.Hotkey] = k.Block
		if k.Hotkey == a.Hotkey {
			c.First, c.FirstAt, a.first = parseCommits(k.Fields), k.Block, k.Block
		}
	}
	hashes := make(map[subnet.Hotkey]string)
	for _, k := range seconds {
		commits := parseCommits(k.Fields)
		if k.Hotkey == a.Hotkey {
			c.Second, c.SecondAt = commits, k.Block
		}
		if len(commits) > 0 {
			hashes[k.Hotkey] = commits[0].Hash
		}
	}
	a.equals = make(map[subnet.Hotkey]subnet.Block)
	for who, hash := range hashes {
		if who != a.Hotkey && hash != "" && hash == hashes[a.Hotkey] {
			a.equals[who] = when[who]
		}
	}
	c.Signed = func(hash string, first []Commit) bool { return a.signedBy(a.Hotkey, hash, first) }
	commit, why := a.rules.admit(c, a.cycle)
	a.add(why)
	return commit, nil
}

// A measure is what an evaluation came to.
type measure struct{ baseline, loss float64 }

// evaluated downloads what was published and measures it, on the text of the
// round's seed.
func (a *account) evaluated(ctx context.Context, c Commit) (measure, error) {
	i := slices.IndexFunc(a.cfg.Task.Groups, func(g Group) bool { return g.ID == *c.Group })
	if i < 0 {
		a.gate(gateDownload, subnet.Unknown, fmt.Sprintf("it is of expert group %d, whose experts are not among these settings", *c.Group))
		return measure{}, nil
	}
	g := a.cfg.Task.Groups[i]
	shard, err := a.obtain(ctx, g, c)
	if ctx.Err() != nil {
		return measure{}, ctx.Err()
	}
	if errors.Is(err, errNotPublic) {
		a.gate(gateDownload, subnet.Unknown, err.Error())
		return measure{}, nil
	} else if err != nil {
		a.add(whyNot(err))
		return measure{}, nil
	}
	a.gate(gateDownload, subnet.Passed, "", Fact{"repository", c.Repo}, Fact{"revision", c.Revision})
	a.add(inspected(c))
	seed, err := a.seedOf(ctx)
	if err != nil {
		return measure{}, fmt.Errorf("seed: %w", err)
	}
	base, facts, err := a.comparedWith(ctx, g)
	if err != nil {
		a.gate(gateMeasured, subnet.Unknown, fmt.Sprintf("the baseline that it is compared with cannot be had any more: %v", err))
		return measure{}, nil
	}
	return a.measure(ctx, g, base, shard, seed, facts)
}

// contents reads a shard of the directory, and returns what its verdict depends on.
func (a *account) contents(ctx context.Context, name string) (Contents, error) {
	f, err := a.Dir.Open(name)
	if err != nil {
		return Contents{}, err
	}
	defer f.Close()
	return a.digest(ctx, f)
}

// errNotPublic is why what was submitted cannot be looked at.
var errNotPublic = errors.New("it went to a validator alone, and no file with its hash is here any more")

// obtain returns the file of a submission: as everybody can download it, or,
// where it was sent to one validator, the neuron's own.
func (a *account) obtain(ctx context.Context, g Group, c Commit) (string, error) {
	if c.Repo != "" && c.Revision != "" {
		return a.fetch(ctx, scratchDir+"/submission", g, c)
	}
	own, err := a.places("")
	if err != nil {
		return "", err
	}
	for _, p := range own {
		if name, ok := a.shardIn(p, g.ID); ok {
			if got, err := a.contents(ctx, name); err == nil && got.Hash == c.Hash {
				return name, nil
			}
		}
	}
	return "", errNotPublic
}

// seedOf returns the seed of the cycle's evaluation, which everybody can work out
// once its submissions are fixed.
func (a *account) seedOf(ctx context.Context) (string, error) {
	return (&validator{neuron: a.neuron}).seed(ctx, a.cycle)
}

// comparedWith returns the shard that submissions of the cycle are compared with;
// "" is the base model's own.
func (a *account) comparedWith(ctx context.Context, g Group) (string, []Fact, error) {
	if a.rules.Baseline == PretrainedBaseline {
		return "", []Fact{{"baseline of", "the pretrained model"}}, nil
	}
	b, err := a.newest(ctx, a.cycle, g)
	if err != nil {
		return "", nil, err
	}
	if b.Hash == "" {
		return "", []Fact{{"baseline of", "the base model, as no validator had committed to one"}}, nil
	}
	facts := []Fact{{"baseline of", fmt.Sprintf("uid %d, version %d", b.neuron.UID, *b.Version)}}
	if name, ok := a.shardIn(place{name: baselineName(b.neuron.UID, b.neuron.Hotkey, *b.Version)}, g.ID); ok {
		return name, facts, nil
	}
	name, err := a.fetch(ctx, scratchDir+"/baseline", g, b.Commit)
	return name, facts, err
}

// measure evaluates a shard and the baseline as the validator does.
func (a *account) measure(ctx context.Context, g Group, base, shard, seed string, facts []Fact) (measure, error) {
	model, err := a.Engine.Open(ctx)
	if err != nil {
		return measure{}, fmt.Errorf("load base model: %w", err)
	}
	defer model.Close()
	model.Route(g.Assignment.Experts())
	sample := subnet.Sample{Domain: g.ID, Seed: seed, Sequences: a.cfg.Evaluation.Sequences}
	var losses [2]subnet.Loss
	for i, name := range []string{base, shard} {
		if name != "" {
			if err := a.load(model, name); err != nil {
				if i == 1 {
					a.add(Why{{Name: gateParse, Reason: err.Error()}})
					return measure{}, nil
				}
				return measure{}, err
			}
		}
		if losses[i], err = model.Loss(ctx, sample); err != nil {
			return measure{}, fmt.Errorf("evaluate: %w", err)
		}
	}
	w := measured(losses[1])
	w.Facts = append(append(w.Facts, fact("sequences", float64(len(losses[1].Sequences))), Fact{"seed", seed}), facts...)
	a.add(Why{w})
	m := measure{losses[0].Mean, losses[1].Mean}
	if !w.Passed {
		return m, nil
	}
	baseline, ok := a.rules.baselineLoss(m.baseline)
	if !ok {
		a.gate(gateLoss, subnet.Unknown, "the baseline's loss is not finite, and there is nothing to compare with")
		return m, nil
	}
	// Alone it is the first of its group: whether it was is another question.
	alone := []Entry{{UID: a.miner.UID, Hotkey: a.Hotkey, Group: g.ID, Loss: m.loss}}
	a.rules.rank(baseline, alone)
	a.add(alone[0].Why[:1])
	return m, nil
}

// ranked says what is known of the others' submissions away from the validators: who
// submitted the very same, and no more.
func (a *account) ranked(m measure) {
	if m == (measure{}) {
		return
	}
	for _, v := range a.meta.Neurons {
		at, equal := a.equals[v.Hotkey]
		switch {
		case !equal:
		case !a.rules.EarliestKeeps:
			a.gate(gateRank, subnet.Stopped, "equals another submission", Fact{"of uid", fmt.Sprint(v.UID)})
			return
		case at < a.first || at == a.first && v.UID < a.miner.UID:
			a.gate(gateRank, subnet.Stopped, "equals a submission that was committed earlier", Fact{"of uid", fmt.Sprint(v.UID)},
				Fact{"committed", fmt.Sprint(at)}, Fact{"this", fmt.Sprint(a.first)})
			return
		}
	}
	text := fmt.Sprintf("its score is %.4g; how many scored higher only the validators know", a.rules.delta(m.baseline, m.loss))
	if n := len(a.rules.RankPoints); n > 0 {
		text += fmt.Sprintf(", and the best %d of a group are paid", n)
	}
	if !a.rules.EarliestKeeps {
		text += "; equal submissions lose their points"
	}
	a.gate(gateRank, subnet.Unknown, text)
}

// paid says what weight validators gave the miner after the round.
func (a *account) paid(ctx context.Context) error {
	s := a.rules.Schedule
	at := s.Start(a.cycle+1, Distribute) - 1
	if a.rules.LateWeights {
		at = s.Start(a.cycle+1, MinerCommit1)
	}
	if at > a.head {
		a.gate(gateWeight, subnet.Unknown, fmt.Sprintf("weights count this round from about block %d on", at))
		return nil
	}
	meta, err := a.Chain.Metagraph(ctx, at)
	if err != nil {
		return fmt.Errorf("read weights at block %d: %w", at, err)
	}
	v, ok := meta.ByHotkey(a.Hotkey)
	if !ok {
		a.gate(gateWeight, subnet.Stopped, fmt.Sprintf("it had no uid any more at block %d", at))
		return nil
	}
	facts := []Fact{{"block", fmt.Sprint(at)}}
	var sum float64
	judges := 0
	for _, j := range meta.Neurons {
		if len(j.Weights) == 0 || !a.validator(j) {
			continue
		}
		judges++
		for _, w := range j.Weights {
			if w.UID == v.UID && w.Value > 0 {
				sum += w.Value
				facts = append(facts, fact(fmt.Sprintf("by uid %d", j.UID), math.Round(w.Value*1e4)/1e4))
			}
		}
	}
	facts = append(facts, fact("incentive", math.Round(v.Incentive*1e4)/1e4))
	switch {
	case judges == 0:
		a.gate(gateWeight, subnet.Unknown, "no validator has set weights that can be read; the subnet may have them committed first", facts...)
	case sum > 0:
		a.gate(gateWeight, subnet.Passed, "weight on chain, older rounds included", facts...)
	default:
		a.gate(gateWeight, subnet.Stopped, strings.TrimSpace("no validator gave it weight "+a.poolText()), facts...)
	}
	return nil
}

// poolText says what it takes to get weight.
func (a *account) poolText() string {
	var list []string
	for i, p := range a.rules.Pools {
		t := fmt.Sprintf("pool %d takes those with %d scored rounds", i+1, p.Records)
		if p.Recent {
			t += ", points in two rounds running"
		}
		if p.Rounds > 0 {
			t += fmt.Sprintf(", %d rounds in the last %d cycles", p.Rounds, p.Within)
		}
		list = append(list, t+" and an average above nought")
	}
	return "(" + strings.Join(list, "; ") + ")"
}

// scores returns the histories in a validator's directory, or nil in another's.
func (a *account) scores() Scores {
	data, err := a.read(scoresFile)
	if err != nil {
		return nil
	}
	scores, err := parseScores(data, a.cfg.Task.Groups[0].ID)
	if err != nil {
		return nil
	}
	return scores
}
