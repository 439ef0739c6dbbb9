package templar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"adit/internal/subnet"
)

// The gates of a gradient, besides those of a delta.
const (
	gateGradient = "gradient uploaded in time"
	gateChecked  = "gradient can be merged"
	gatePeer     = "among the peers"
	gateSlashed  = "penalties"
	gateFinal    = "final score"
)

// explainGradient goes from the bucket to the score: whether the gradient of a window
// came in time and is whole, and whether its miner was among the peers, which everybody
// can see; and what a validator made of it, in whose directory alone that is written.
func (n *neuron) explainGradient(ctx context.Context, a *telling, who subnet.Neuron, w, current Window) error {
	t, p, ok, err := n.explainBucket(ctx, a, who)
	if err != nil || !ok {
		return err
	}
	if w >= current {
		a.gate(gateGradient, subnet.Unknown, "it is uploaded when the window is over")
		return nil
	}
	s := &sparse{neuron: n, roster: t}
	if s.model, err = n.Engine.Open(ctx); err != nil {
		a.gate(gateGradient, subnet.Unknown, fmt.Sprintf("the base model is not there to compare with: %v", err))
		return nil
	}
	defer s.model.Close()
	if err := s.shape(); err != nil {
		return err
	}
	if s.explainObject(ctx, a, p, w, current) {
		s.explainPeer(ctx, a, who, w)
	}
	n.explainFinal(a, who, w)
	return nil
}

// explainObject tells whether the gradient came in time, and can be merged.
func (s *sparse) explainObject(ctx context.Context, a *telling, p peer, w, current Window) bool {
	name := Name{Kind: GradientObject, Window: w, UID: p.UID, Version: s.rules.Version}
	object, err := p.bucket.Stat(ctx, name.String())
	switch {
	case errors.Is(err, subnet.ErrNotFound) && s.rules.Stale(w, current):
		a.gate(gateGradient, subnet.Unknown, name.String()+" is not there: objects are removed after some windows")
		return true
	case errors.Is(err, subnet.ErrNotFound):
		return a.gate(gateGradient, subnet.Stopped, name.String()+" is not there: nothing was uploaded, or by another version")
	case err != nil:
		return a.gate(gateGradient, subnet.Unknown, fmt.Sprintf("the bucket does not tell: %v", err))
	}
	span, err := s.span(ctx, w)
	if err != nil {
		return a.gate(gateGradient, subnet.Unknown, fmt.Sprintf("the chain does not tell when it had to be there: %v", err))
	}
	facts := []subnet.Fact{
		{Name: "uploaded", Value: object.Modified.UTC().Format(time.TimeOnly)},
		{Name: "from", Value: span.Min.UTC().Format(time.TimeOnly)}, {Name: "until", Value: span.Max.UTC().Format(time.TimeOnly)},
		fact("bytes", float64(object.Size)),
	}
	if timing := span.Place(object.Modified); timing != InTime {
		return a.gate(gateGradient, subnet.Stopped, timing.String(), facts...)
	}
	a.gate(gateGradient, subnet.Passed, "it was there in time", facts...)
	if _, err = s.download(ctx, p, object, w); err != nil {
		return a.gate(gateChecked, subnet.Stopped, err.Error())
	}
	return a.gate(gateChecked, subnet.Passed, "it has all parameters of the model, and all its values are numbers")
}

// explainPeer tells whether the miner was to be gathered.
func (s *sparse) explainPeer(ctx context.Context, a *telling, who subnet.Neuron, w Window) {
	lists, from, err := s.peerLists(ctx, w, 1)
	switch {
	case err != nil:
		a.gate(gatePeer, subnet.Unknown, fmt.Sprintf("nobody tells who they were: %v", err))
	case slices.Contains(lists[0].Peers, who.UID):
		a.gate(gatePeer, subnet.Passed, fmt.Sprintf("uid %d has it among those who are gathered", from))
	case slices.Contains(lists[0].Reserve, who.UID):
		a.gate(gatePeer, subnet.Passed, fmt.Sprintf("uid %d has it in reserve, for who is missing", from))
	default:
		a.gate(gatePeer, subnet.Passed, fmt.Sprintf("uid %d does not have it among them: it is evaluated all the same, and chosen when its weight is high enough", from))
	}
}

// explainFinal tells what is in the validator's standings, if there are any here.
func (n *neuron) explainFinal(a *telling, who subnet.Neuron, w Window) {
	var b standings
	if err := n.ReadJSON(standingsFile, &b); err != nil {
		a.gate(gateJudged, subnet.Unknown, "this is not the directory of a validator: what one makes of a gradient is written in its own")
		return
	}
	m := b.Miners[who.UID]
	if m == nil || m.Hotkey != who.Hotkey {
		a.gate(gateJudged, subnet.Unknown, "this validator has not met it yet")
		return
	}
	i := slices.IndexFunc(m.Last, func(x verdict) bool { return x.Window == w })
	switch {
	case i < 0 && (w > b.Window || w == b.Window && b.Stage < judged):
		a.gate(gateJudged, subnet.Unknown, "this validator has not got through this window yet")
	case i < 0:
		a.gate(gateJudged, subnet.Unknown, "this validator evaluated others in this window")
	default:
		x := m.Last[i]
		outcome := subnet.Passed
		if x.What != Evaluated || x.Score <= 0 || !x.Better {
			outcome = subnet.Stopped
		}
		a.gate(gateScore, outcome, x.Reason, fact("gradient score", x.Score), fact("own before", x.OwnBefore), fact("own after", x.OwnAfter),
			fact("random before", x.RandomBefore), fact("random after", x.RandomAfter))
	}
	for _, x := range m.Slashed {
		if x.Window == w {
			a.gate(gateSlashed, subnet.Stopped, x.Reason, fact("final after it", x.Final))
		}
	}
	facts := []subnet.Fact{fact("skill", m.Ordinal()), fact("moving average", m.Moving), fact("sync", m.Sync), fact("final", m.Final)}
	switch {
	case m.Naughty(b.Window):
		a.gate(gateFinal, subnet.Stopped, fmt.Sprintf("it is banned until window %d", m.BannedUntil), facts...)
	case m.Final > 0:
		a.gate(gateFinal, subnet.Passed, "above nought", facts...)
	default:
		a.gate(gateFinal, subnet.Stopped, "nothing that is above nought", facts...)
	}
}
