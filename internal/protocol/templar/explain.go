package templar

import (
	"context"
	"fmt"
	"strconv"

	"adit/internal/subnet"
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

// explain tells what came of what a miner brought to a window, gate by gate, and which
// weights the chain has.
func explain(ctx context.Context, env subnet.Env, o subnet.ExplainOptions) (subnet.Explanation, error) {
	if env.Emit == nil {
		env.Emit = func(subnet.Event) {}
	}
	played, err := castOf(env)
	if err != nil {
		return subnet.Explanation{}, err
	}
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
	a.Text = fmt.Sprintf("the %s of window %d, which was blocks %d to %d", played.upload, w, n.rules.Start(w), n.rules.Start(w+1)-1)
	if !known {
		a.gate(gateRegistered, subnet.Stopped, "the hotkey is not registered")
		return a.Explanation, nil
	}
	a.UID = &who.UID
	a.gate(gateRegistered, subnet.Passed, fmt.Sprintf("uid %d", who.UID))
	if err := played.explain(n, ctx, a, who, w, current); err != nil {
		return a.Explanation, err
	}
	n.explainWeight(a, meta, who)
	return a.Explanation, nil
}

// explainBucket finds a neuron's bucket among those of all, or tells why it does not.
func (n *neuron) explainBucket(ctx context.Context, a *telling, who subnet.Neuron) (t *roster, p peer, ok bool, err error) {
	if t, err = n.readRoster(ctx); isUnregistered(err) {
		return t, p, a.gate(gateBucket, subnet.Unknown, "the buckets are looked at by a registered neuron: the one whose settings these are is not"), nil
	} else if err != nil {
		return t, p, false, err
	}
	if p, ok = t.peer(who.UID); !ok {
		return t, p, a.gate(gateBucket, subnet.Stopped, "it has committed to no bucket that can be read"), nil
	}
	if who.Hotkey == n.Me && !t.committed {
		return t, p, a.gate(gateBucket, subnet.Stopped, "what it has committed to is not the bucket of these settings: others do not find it"), nil
	}
	return t, p, a.gate(gateBucket, subnet.Passed, p.at.String()), nil
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
