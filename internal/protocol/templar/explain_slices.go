package templar

import (
	"context"
	"errors"
	"fmt"
	"slices"

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

// explainDelta goes from the bucket to the score: whether the delta of a window is there
// and whole, which everybody can see; and what a validator made of it, in whose
// directory alone that is written.
func (n *neuron) explainDelta(ctx context.Context, a *telling, who subnet.Neuron, w, current Window) error {
	_, p, ok, err := n.explainBucket(ctx, a, who)
	if err != nil || !ok {
		return err
	}
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
