package connito

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"adit/internal/subnet"
)

// An account is an explanation as it grows, gate by gate.
type account struct {
	*neuron
	subnet.Explanation
	miner subnet.Neuron
	cycle uint64
	head  subnet.Block
	// frozen is what the chain said of the round, once its submissions were fixed.
	frozen *frame
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
	if err := a.find(meta, o.Who); err != nil {
		return a.Explanation, err
	}
	defer n.Dir.Remove(scratchDir)
	if next {
		if a.Hotkey != n.Me {
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
		a.Hotkey = a.Me
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
	if slices.Contains(a.cfg.Cycle.ValidatorWhitelist, string(v.Hotkey)) || a.scores() != nil && v.Hotkey == a.Me {
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
// its download, as the validator does when it freezes a round.
func (a *account) admitted(ctx context.Context) (Commit, error) {
	var err error
	if a.frozen, err = a.frame(ctx, a.cycle); err != nil {
		return Commit{}, err
	}
	m, _ := (&validator{neuron: a.neuron}).enrol(a.frozen, a.miner, a.cycle)
	a.add(m.Why)
	return m.Commit, nil
}
