package templar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"adit/internal/subnet"
)

// The names of the gates of a miner of the slices, in order.
const (
	gateRegistered = "registered"
	gateBucket     = "bucket"
	gateDelta      = "delta"
	gateWhole      = "whole"
	gateJudged     = "judged"
	gateScore      = "score"
	gateAverage    = "average"
	gateWeight     = "weight"
)

// A telling is an explanation as it grows, gate by gate.
type telling struct {
	subnet.Explanation
}

func (a *telling) gate(name string, outcome subnet.Outcome, text string, facts ...subnet.Fact) bool {
	a.Gates = append(a.Gates, subnet.Gate{Name: name, Outcome: outcome, Text: text, Facts: facts})
	return outcome == subnet.Passed
}

func fact(name string, v float64) subnet.Fact {
	return subnet.Fact{Name: name, Value: strconv.FormatFloat(v, 'g', 6, 64)}
}

// explainSlices tells what came of a miner's delta in a window: whether it is there
// and whole, which everybody can see; what a validator made of it, in whose directory
// alone that is written; and which weights the chain has.
func explainSlices(ctx context.Context, env subnet.Env, o subnet.ExplainOptions) (subnet.Explanation, error) {
	n, err := newNeuron(env)
	if err != nil {
		return subnet.Explanation{}, err
	}
	current, _, err := n.window(ctx)
	if err != nil {
		return subnet.Explanation{}, err
	}
	a := &telling{}
	w, err := n.windowMeant(o.Round, current)
	if err != nil {
		return a.Explanation, err
	}
	a.Round = uint64(w)
	meta, err := n.Chain.Metagraph(ctx, subnet.Latest)
	if err != nil {
		return a.Explanation, fmt.Errorf("read metagraph: %w", err)
	}
	who, known := find(meta, o.Who, n.Me)
	if !known && o.Who != "" && !isHotkey(o.Who) {
		return a.Explanation, fmt.Errorf("there is no neuron %q in subnet %d", o.Who, n.NetUID)
	}
	a.Hotkey = who.Hotkey
	a.Text = fmt.Sprintf("the delta of window %d, which was blocks %d to %d", w, n.rules.Start(w), n.rules.Start(w+1)-1)
	if !known {
		a.gate(gateRegistered, subnet.Stopped, "the hotkey is not registered")
		return a.Explanation, nil
	}
	a.UID = &who.UID
	a.gate(gateRegistered, subnet.Passed, fmt.Sprintf("uid %d", who.UID))
	if err := n.explainDelta(ctx, a, who, w, current); err != nil {
		return a.Explanation, err
	}
	n.explainWeight(a, meta, who)
	return a.Explanation, nil
}

// windowMeant returns the window of a number, the one that validators judge now, or
// the current one for "next".
func (n *neuron) windowMeant(round string, current Window) (Window, error) {
	switch round {
	case "":
		w, ok := n.rules.Judged(current)
		if !ok {
			return 0, subnet.WithHint(fmt.Errorf("in window %d none is over yet", current), "'adit why next' tells of the current one")
		}
		return w, nil
	case "next":
		return current, nil
	}
	v, ok := parseWindow(round)
	if !ok || v > current {
		return 0, subnet.WithHint(fmt.Errorf("%q is no window that has begun: the chain is in window %d", round, current), "give a window's number as the log has it, or 'next', or nothing for the one that is judged now")
	}
	return v, nil
}

// find returns the neuron that is meant by its hotkey or its uid in digits.
func find(meta *subnet.Metagraph, who string, me subnet.Hotkey) (subnet.Neuron, bool) {
	if who == "" {
		who = string(me)
	}
	for _, n := range meta.Neurons {
		if string(n.Hotkey) == who || strconv.Itoa(int(n.UID)) == who {
			return n, true
		}
	}
	return subnet.Neuron{Hotkey: subnet.Hotkey(who)}, false
}

// explainDelta goes from the bucket to the score.
func (n *neuron) explainDelta(ctx context.Context, a *telling, who subnet.Neuron, w, current Window) error {
	t, err := n.readRoster(ctx)
	if isUnregistered(err) {
		a.gate(gateBucket, subnet.Unknown, "the buckets are looked at by a registered neuron: the one whose settings these are is not")
		return nil
	} else if err != nil {
		return err
	}
	p, ok := t.peer(who.UID)
	if !ok {
		a.gate(gateBucket, subnet.Stopped, "it has committed to no bucket that can be read")
		return nil
	}
	if who.Hotkey == n.Me && !t.committed {
		a.gate(gateBucket, subnet.Stopped, "what it has committed to is not the bucket of these settings: others do not find it")
		return nil
	}
	a.gate(gateBucket, subnet.Passed, p.at.String())
	name := Name{Kind: DeltaObject, Window: w, Hotkey: who.Hotkey, Version: n.rules.Version}
	object, err := p.bucket.Stat(ctx, name.String())
	switch {
	case errors.Is(err, subnet.ErrNotFound) && w >= current:
		a.gate(gateDelta, subnet.Unknown, name.String()+" is not there yet: it is uploaded after the window's training")
		return nil
	case errors.Is(err, subnet.ErrNotFound) && n.rules.Stale(w, current):
		a.gate(gateDelta, subnet.Unknown, name.String()+" is not there: objects are removed after some windows")
	case errors.Is(err, subnet.ErrNotFound):
		a.gate(gateDelta, subnet.Stopped, name.String()+" is not there: nothing was uploaded in this window")
		return nil
	case err != nil:
		a.gate(gateDelta, subnet.Unknown, fmt.Sprintf("the bucket does not tell: %v", err))
		return nil
	default:
		a.gate(gateDelta, subnet.Passed, fmt.Sprintf("%s of %d bytes, uploaded at %s", name, object.Size, object.Modified.UTC().Format("15:04:05 UTC")))
		if !n.explainWhole(ctx, a, p, name) {
			return nil
		}
	}
	n.explainScore(a, who, w)
	return nil
}

// explainWhole reads the delta as a validator does.
func (n *neuron) explainWhole(ctx context.Context, a *telling, p peer, name Name) bool {
	model, err := n.Engine.Open(ctx)
	if err != nil {
		return a.gate(gateWhole, subnet.Unknown, fmt.Sprintf("the base model is not there to compare with: %v", err))
	}
	defer model.Close()
	x, err := DrawIndices(name.Window, model.Params(), int(n.rules.Slice.Compression))
	if err != nil {
		return a.gate(gateWhole, subnet.Unknown, err.Error())
	}
	file, _, err := n.get(ctx, order{p, name}, x.MaxBytes())
	if err != nil {
		return a.gate(gateWhole, subnet.Stopped, err.Error())
	}
	defer file.drop()
	slice, err := DecodeSlice(file, file.Size(), x.MaxBytes())
	if err == nil {
		err = NewSliceMerge(x, n.rules.EqualNorms).Add(slice.Values)
	}
	if err != nil {
		return a.gate(gateWhole, subnet.Stopped, err.Error())
	}
	return a.gate(gateWhole, subnet.Passed, "it has the values that its window asks for, and all are numbers", fact("values", float64(x.Len())), fact("norm", norm(slice.Values)))
}

// explainScore tells what is in the validator's book, if there is one here.
func (n *neuron) explainScore(a *telling, who subnet.Neuron, w Window) {
	var b book
	if err := n.ReadJSON(bookFile, &b); err != nil {
		a.gate(gateJudged, subnet.Unknown, "this is not the directory of a validator: what one makes of a delta is written in its own")
		return
	}
	m := b.Miners[who.UID]
	if m == nil || m.Hotkey != who.Hotkey {
		a.gate(gateJudged, subnet.Unknown, "this validator has not met it yet")
		return
	}
	i := slices.IndexFunc(m.Last, func(j judgement) bool { return j.Window == w })
	if i < 0 {
		a.gate(gateJudged, subnet.Unknown, "this validator drew the delta of another miner in this window: it judges one in each")
	} else {
		j := m.Last[i]
		a.gate(gateJudged, subnet.Passed, "this validator drew it", fact("tokens", float64(j.Tokens)))
		outcome := subnet.Stopped
		if j.Score > 0 {
			outcome = subnet.Passed
		}
		facts := []subnet.Fact{fact("score", j.Score), fact("likeness", j.Likeness), fact("before", j.Before)}
		if n.rules.Losses {
			facts = append(facts, fact("after", j.After))
		}
		a.gate(gateScore, outcome, j.Reason, facts...)
	}
	outcome, text := subnet.Stopped, "nothing that is above nought"
	if m.Average > 0 {
		outcome, text = subnet.Passed, "above nought"
	}
	facts := []subnet.Fact{fact("average", m.Average), fact("judged", float64(len(m.Last)))}
	if m.Absent > 0 {
		facts = append(facts, fact("absent in window", float64(m.Absent)))
	}
	a.gate(gateAverage, outcome, text, facts...)
}

// explainWeight tells which validators give the neuron weight.
func (n *neuron) explainWeight(a *telling, meta *subnet.Metagraph, who subnet.Neuron) {
	var facts []subnet.Fact
	for _, v := range meta.Neurons {
		for _, given := range v.Weights {
			if given.UID == who.UID && given.Value > 0 {
				facts = append(facts, fact(fmt.Sprintf("of uid %d", v.UID), given.Value))
			}
		}
	}
	if len(facts) == 0 {
		a.gate(gateWeight, subnet.Stopped, "no validator gives it weight")
		return
	}
	a.gate(gateWeight, subnet.Passed, "validators give it weight", append(facts, fact("incentive", who.Incentive))...)
}
