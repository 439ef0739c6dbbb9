package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// A listFlag is a list as old command lines have it: with commas or spaces in it,
// over several arguments, or with the flag repeated.
type listFlag []string

// Decode implements [kong.MapperValue]. It takes all arguments up to the next
// flag.
func (l *listFlag) Decode(c *kong.DecodeContext) error {
	for first := true; first || c.Scan.Peek().IsValue(); first = false {
		var text string
		if err := c.Scan.PopValueInto("list", &text); err != nil {
			return err
		}
		*l = append(*l, splitList(text)...)
	}
	return nil
}

// splitList takes a list apart that people write with commas, spaces and brackets.
func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t[]", r) })
}

// A weighFlags says which weights are meant.
type weighFlags struct {
	UIDs    listFlag `name:"uids" aliases:"dests" placeholder:"UID…" help:"Whom to weigh: with commas or spaces between them."`
	Weights listFlag `placeholder:"W…" help:"The weights, in the same order, of any size: only what they are to each other counts."`
	mechanismFlag
	VersionKey *uint64 `aliases:"version_key" placeholder:"N" help:"The version of your validator, which the subnet may demand. Without it, what it demands."`
	Fit        bool    `help:"Shape them as the SDK does, so that the subnet takes them: enough that are not 0, none above its limit."`
}

// read returns the weights as they are written, sorted by uid. What is missing is
// asked for.
func (f weighFlags) read(ctx context.Context, t terminal) ([]subnet.Weight, error) {
	uids, err := f.ask(ctx, t, f.UIDs, "--uids", "Enter uids as list (e.g. 0, 2, 3, 4): ")
	if err != nil {
		return nil, err
	}
	values, err := f.ask(ctx, t, f.Weights, "--weights", "Enter weights as list (e.g. 0.25, 0.25, 0.25, 0.25): ")
	if err != nil {
		return nil, err
	}
	if len(uids) != len(values) {
		return nil, subnet.WithHint(fmt.Errorf("%d uids and %d weights: there must be one for each", len(uids), len(values)), "--uids 1,2,3 --weights 0.2,0.3,0.5")
	}
	out := make([]subnet.Weight, len(uids))
	for i := range uids {
		uid, err := strconv.ParseUint(uids[i], 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is no uid: a number from 0 to 65535", uids[i])
		}
		w, err := strconv.ParseFloat(values[i], 64)
		if err != nil || !(w >= 0) || math.IsInf(w, 0) {
			return nil, fmt.Errorf("%q is no weight: a number from 0 on", values[i])
		}
		out[i] = subnet.Weight{UID: subnet.UID(uid), Value: w}
	}
	slices.SortStableFunc(out, func(a, b subnet.Weight) int { return int(a.UID) - int(b.UID) })
	for i := range out[1:] {
		if out[i].UID == out[i+1].UID {
			return nil, fmt.Errorf("uid %d is there twice", out[i].UID)
		}
	}
	return out, nil
}

func (f weighFlags) ask(ctx context.Context, t terminal, list listFlag, flag, question string) ([]string, error) {
	if len(list) > 0 {
		return list, nil
	}
	if prompt(t) != nil {
		text, err := askLine(ctx, t, question)
		if err != nil {
			return nil, err
		}
		list = splitList(text)
	}
	if len(list) == 0 {
		return nil, subnet.WithHint(errors.New("which weights are to be set?"), "--uids and --weights tell: --uids 1,2,3 --weights 0.2,0.3,0.5")
	}
	return list, nil
}

// A weighed is what is about to be put on chain.
type weighed struct {
	subtensor.Weights
	shares []float64 // of their sum, by the order of UIDs
}

// weigh makes of weights what the chain takes, or tells why it would not.
func (f weighFlags) weigh(n subnet.NetUID, terms *subtensor.WeightTerms, given []subnet.Weight) (weighed, error) {
	if err := f.among(n, terms.Mechanisms); err != nil {
		return weighed{}, err
	}
	for _, w := range given {
		if int(w.UID) >= int(terms.Neurons) {
			return weighed{}, subnet.WithHint(fmt.Errorf("subnet %d has no uid %d: it has %s", n, w.UID, counted(int(terms.Neurons), "neuron")), fmt.Sprintf("'adit metagraph --netuid %d' lists them", n))
		}
	}
	if f.Fit {
		given = fit(given, terms)
	}
	w, err := subtensor.NewWeights(n, given)
	if err != nil {
		return weighed{}, subnet.WithHint(err, "at least one weight must be above 0")
	}
	w.Mechanism = f.Mechid
	w.VersionKey = terms.VersionKey
	if f.VersionKey != nil {
		w.VersionKey = *f.VersionKey
	}
	out := weighed{Weights: w}
	out.share()
	return out, out.acceptable(terms)
}

// share fills in the shares.
func (w *weighed) share() {
	sum := 0.0
	for _, v := range w.Values {
		sum += float64(v)
	}
	for _, v := range w.Values {
		w.shares = append(w.shares, float64(v)/max(sum, 1))
	}
}

// fit gives all neurons a weight that the subnet takes.
func fit(given []subnet.Weight, terms *subtensor.WeightTerms) []subnet.Weight {
	x := make([]float64, terms.Neurons)
	for _, w := range given {
		x[w.UID] = w.Value
	}
	x = subtensor.FitWeights(x, int(terms.MinAllowed), float64(terms.MaxLimit)/math.MaxUint16)
	given = make([]subnet.Weight, len(x))
	for uid, w := range x {
		given[uid] = subnet.Weight{UID: subnet.UID(uid), Value: w}
	}
	return given
}

// acceptable returns why the chain would refuse the weights, in the order of its
// own checks.
func (w *weighed) acceptable(terms *subtensor.WeightTerms) error {
	if terms.VersionKey > w.VersionKey {
		return subnet.WithHint(fmt.Errorf("the subnet wants weights of version %d at least, and these are of %d", terms.VersionKey, w.VersionKey), "update the validator's software, or leave --version-key out")
	}
	if len(w.UIDs) == 1 && subnet.UID(w.UIDs[0]) == terms.UID {
		return nil // who weighs nobody but itself may always do so
	}
	if !terms.Permit && !terms.Owner {
		return subnet.WithHint(fmt.Errorf("uid %d has no validator permit, and may weigh nobody but itself", terms.UID), "only the validators with the most stake get one: add stake, and wait for the next epoch")
	}
	if least := min(terms.MinAllowed, terms.Neurons); len(w.UIDs) < int(least) {
		return subnet.WithHint(fmt.Errorf("the subnet wants weights for %d uids at least, and these are for %d", least, len(w.UIDs)), "weigh more of them, or say --fit, which gives the others very little")
	}
	limit := float64(terms.MaxLimit) / math.MaxUint16
	if most := slices.Max(w.shares); terms.MaxLimit < math.MaxUint16 && most > limit {
		return subnet.WithHint(fmt.Errorf("the largest weight is %.5f of all, and the subnet takes %.5f at most", most, limit), "spread them wider, or say --fit, which cuts it down")
	}
	return nil
}

// table is the weights for a person to look at.
func (w *weighed) table() tui.Table {
	table := tui.Table{Columns: []tui.Column{{Head: "UID", Right: true}, {Head: "WEIGHT", Right: true}, {Head: "U16", Right: true}}}
	for i, uid := range w.UIDs {
		table.Rows = append(table.Rows, []string{strconv.Itoa(int(uid)), fmt.Sprintf("%.5f", w.shares[i]), strconv.Itoa(int(w.Values[i]))})
	}
	return table
}

// counted is a number of things in words.
func counted(n int, thing string) string {
	if n == 1 {
		return "one " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// A weigher is a neuron about to set weights of a mechanism.
type weigher struct {
	*actor
	*subtensor.WeightTerms
	mechanism uint8
}

// weigher connects, and reads what is demanded of whom. The caller closes the
// client.
func (f actorFlags) weigher(ctx context.Context, mechanism uint8) (*weigher, error) {
	a, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	w := &weigher{actor: a, mechanism: mechanism}
	if err := w.terms(ctx); err != nil {
		w.client.Close()
		return nil, err
	}
	return w, nil
}

// terms reads what is demanded after the view's block.
func (w *weigher) terms(ctx context.Context) (err error) {
	if w.WeightTerms, err = w.View.WeightTerms(ctx, w.netuid, w.mechanism, w.who); errors.Is(err, subnet.ErrNotFound) {
		return noSubnet(w.netuid)
	} else if err != nil {
		return err
	}
	if !w.Registered {
		return noNeuron(w.who, w.netuid)
	}
	return nil
}

// refresh reads it after the newest block.
func (w *weigher) refresh(ctx context.Context) (err error) {
	if w.View, err = w.client.At(ctx, subnet.Latest); err != nil {
		return err
	}
	return w.terms(ctx)
}

// due returns an error if weights would be too fast, or waits until they are not.
func (w *weigher) due(ctx context.Context, t terminal, wait bool) error {
	left := w.Due() - min(w.Due(), w.View.Block)
	switch {
	case left == 0:
		return nil
	case wait:
		fmt.Fprintf(t.err, "adit: waiting for block %d, %s from now\n", w.Due(), counted(int(left), "block"))
		if err := w.client.Wait(ctx, w.Due()); err != nil {
			return err
		}
		return w.refresh(ctx)
	}
	return subnet.WithHint(fmt.Errorf("it is too early: subnet %d takes weights of uid %d every %s, and the last ones are of block %d", w.netuid, w.UID, counted(int(w.RateLimit), "block"), w.LastUpdate),
		fmt.Sprintf("%s are left; --wait waits for them", counted(int(left), "block")))
}
