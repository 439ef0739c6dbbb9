package templar

import (
	"errors"
	"fmt"
	"io"

	"adit/internal/subnet"
	"adit/internal/torchfile"
)

// A Gathered is the content of an aggregator object: what the leader has gathered
// in a window, as it came, so that who joins can take the same outer step. Of a
// large model that is twenty times a gradient.
type Gathered struct {
	GlobalStep  int64
	UIDs        []subnet.UID
	Skipped     []subnet.UID
	SuccessRate float64
	// Gradients are those of the uids, in their order. Of their fields only Params
	// are known, all in one order.
	Gradients []Gradient
}

const (
	uidsKey    = "uids"
	skippedKey = "skipped_uids"
	successKey = "success_rate"
)

// EncodeGathered writes an aggregator object as torch.save would: each key of the
// gradients with a list of what they have there.
func EncodeGathered(w io.Writer, a Gathered, wire func(string) string) error {
	if len(a.UIDs) != len(a.Gradients) || len(a.UIDs) == 0 {
		return fmt.Errorf("aggregator: %d gradients of %d uids", len(a.Gradients), len(a.UIDs))
	}
	keys := &torchfile.Dict{}
	for i, p := range a.Gradients[0].Params {
		lists := make([][]any, 3)
		for k, g := range a.Gradients {
			if len(g.Params) != len(a.Gradients[0].Params) || g.Params[i].Name != p.Name {
				return fmt.Errorf("aggregator: uid %d has other parameters than uid %d", a.UIDs[k], a.UIDs[0])
			}
			c := g.Params[i]
			if err := c.check(); err != nil {
				return fmt.Errorf("aggregator: uid %d: %s: %w", a.UIDs[k], c.Name, err)
			}
			for at, v := range c.values() {
				lists[at] = append(lists[at], v)
			}
		}
		for at, suffix := range []string{idxsSuffix, valsSuffix, quantSuffix} {
			keys.Items = append(keys.Items, torchfile.Item{Key: wire(p.Name) + suffix, Value: lists[at]})
		}
	}
	return encodeState(w, &torchfile.Dict{Items: []torchfile.Item{
		{Key: stateKey, Value: keys}, {Key: uidsKey, Value: uidList(a.UIDs)},
		{Key: skippedKey, Value: uidList(a.Skipped)}, {Key: successKey, Value: a.SuccessRate},
	}}, a.GlobalStep)
}

// DecodeGathered reads an aggregator object of at most limit bytes. What it says of
// each gradient fits together, as with [DecodeGradient]; that the leader has left
// none out, nobody can see in it.
func DecodeGathered(r io.ReaderAt, size, limit int64) (Gathered, error) {
	a, err := decodeGathered(r, size, limit)
	if err != nil {
		return Gathered{}, fmt.Errorf("aggregator: %w", err)
	}
	return a, nil
}

func decodeGathered(r io.ReaderAt, size, limit int64) (a Gathered, err error) {
	state, step, err := decodeState(r, size, limit)
	if err != nil {
		return a, err
	}
	a.GlobalStep = step
	uids, _ := state.Get(uidsKey)
	if a.UIDs, err = parseUIDs(uids); err != nil {
		return a, err
	}
	if skipped, has := state.Get(skippedKey); has {
		if a.Skipped, err = parseUIDs(skipped); err != nil {
			return a, err
		}
	}
	a.SuccessRate = number(state, successKey)
	inner, _ := state.Get(stateKey)
	keys, ok := inner.(*torchfile.Dict)
	if !ok || len(a.UIDs) == 0 {
		return a, errors.New("it has no gradients")
	}
	a.Gradients = make([]Gradient, len(a.UIDs))
	collectors := make([]*collector, len(a.UIDs))
	for i := range collectors {
		collectors[i] = newCollector(&a.Gradients[i])
	}
	for _, it := range keys.Items {
		key, ok := it.Key.(string)
		list, also := it.Value.([]any)
		if !ok || !also || len(list) != len(a.UIDs) {
			return a, fmt.Errorf("%.120v has no list of %d", it.Key, len(a.UIDs))
		}
		for i, v := range list {
			if err := collectors[i].take(key, v); err != nil {
				return a, fmt.Errorf("uid %d: %.120q: %w", a.UIDs[i], key, err)
			}
		}
	}
	for i, c := range collectors {
		if err := c.check(); err != nil {
			return a, fmt.Errorf("uid %d: %w", a.UIDs[i], err)
		}
	}
	return a, nil
}
