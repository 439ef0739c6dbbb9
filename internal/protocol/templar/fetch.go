package templar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"adit/internal/subnet"
)

// An order is an object that is wanted of a neuron's bucket.
type order struct {
	from peer
	name Name
}

// inbox is where downloads lie while they are looked at.
const inbox = "inbox"

// fetch downloads what was ordered, a few at a time, and calls take with each file
// that came, one after the other: it refuses the file by an error. What is not there
// is passed over. A refusal is told with the uid and the reason, and is no error. It
// returns how many were taken.
//
// Who was slow the last time comes last: a few who are slow on purpose do not keep
// the others waiting.
func (n *neuron) fetch(ctx context.Context, orders []order, limit int64, take func(order, subnet.File, subnet.Object) error) (taken int) {
	orders = n.fastFirst(n.listed(ctx, orders))
	type arrival struct {
		order
		file   *arrived
		object subnet.Object
		err    error
	}
	next, come := make(chan order), make(chan arrival)
	var all sync.WaitGroup
	for range min(n.cfg.Fetch.Parallel, len(orders)) {
		all.Go(func() {
			for o := range next {
				file, object, err := n.get(ctx, o, limit)
				come <- arrival{o, file, object, err}
			}
		})
	}
	go func() {
		defer close(come)
		defer all.Wait()
		defer close(next)
		for _, o := range orders {
			select {
			case next <- o:
			case <-ctx.Done():
				return
			}
		}
	}()
	var missed int
	var last error
	for a := range come {
		err := a.err
		if err == nil {
			err = take(a.order, a.file, a.object)
			err = errors.Join(err, a.file.drop())
		}
		switch {
		case err == nil:
			taken++
		case errors.Is(err, subnet.ErrNotFound) || ctx.Err() != nil:
		case errors.Is(err, subnet.ErrTemporary):
			// It may be the peer's store, or this machine's network.
			missed, last = missed+1, err
			n.Note("missed", fmt.Sprintf("Missed %s of uid %d: %v", a.name, a.from.UID, err),
				slog.Int("uid", int(a.from.UID)), slog.String("hotkey", string(a.from.Hotkey)), slog.String("object", a.name.String()), slog.String("reason", err.Error()))
		default:
			n.refuse(a.from.Neuron, a.name, err)
		}
	}
	if missed > 0 && taken == 0 {
		n.Warn("missed", fmt.Sprintf("none of %d buckets could be read", missed), last)
	}
	return taken
}

// refuse tells that something of a neuron is not taken, and why.
func (n *neuron) refuse(from subnet.Neuron, name Name, why error) {
	n.Say("refused", fmt.Sprintf("Refused %s of uid %d: %v", name, from.UID, why),
		slog.Int("uid", int(from.UID)), slog.String("hotkey", string(from.Hotkey)), slog.String("object", name.String()), slog.String("reason", why.Error()))
}

// get downloads one object of a neuron, of at most limit bytes, in the time that the
// settings give it. The file is to be dropped.
func (n *neuron) get(ctx context.Context, o order, limit int64) (*arrived, subnet.Object, error) {
	began := time.Now()
	want := subnet.Object{Key: o.name.String()}
	file, err := n.fetchVersion(ctx, o.from, want, limit)
	if !errors.Is(err, subnet.ErrNotFound) {
		n.mu.Lock()
		n.slow[o.from.Hotkey] = time.Since(began).Seconds()
		n.mu.Unlock()
	}
	return file, want, err
}

func (n *neuron) fastFirst(orders []order) []order {
	n.mu.Lock()
	defer n.mu.Unlock()
	orders = slices.Clone(orders)
	slices.SortStableFunc(orders, func(a, b order) int { return cmp.Compare(n.slow[a.from.Hotkey], n.slow[b.from.Hotkey]) })
	return orders
}

// listed drops the orders of objects that are not there, of buckets that several
// neurons share: one listing tells it of all.
func (n *neuron) listed(ctx context.Context, orders []order) []order {
	type place struct {
		at     subnet.BucketAddress
		prefix string
	}
	count := make(map[place]int)
	of := func(o order) place { return place{o.from.at, Prefix(o.name.Kind, o.name.Window)} }
	for _, o := range orders {
		count[of(o)]++
	}
	there := make(map[place]map[string]bool)
	for _, o := range orders {
		p := of(o)
		if count[p] < 2 || there[p] != nil {
			continue
		}
		const most = 10_000
		list, err := o.from.bucket.List(ctx, p.prefix, "", most)
		if err != nil || len(list) == most {
			continue // each is asked for by itself
		}
		there[p] = make(map[string]bool)
		for _, object := range list {
			there[p][object.Key] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(orders), func(o order) bool {
		known := there[of(o)]
		return known != nil && !known[o.name.String()]
	})
}

// An arrived file is a draft that is looked at and then dropped: it need not
// outlive the process, and is not synced.
type arrived struct {
	subnet.Draft
	dir        subnet.Dir
	path, name string
}

// arrive begins a draft of that name in the inbox, for an object.
func (n *neuron) arrive(name, object string) (*arrived, error) {
	path := inbox + "/" + name
	draft, err := n.Dir.Create(path)
	if err != nil {
		return nil, err
	}
	return &arrived{draft, n.Dir, path, object}, nil
}

// Name implements [subnet.File].
func (a *arrived) Name() string { return a.name }

// drop leaves nothing of the file.
func (a *arrived) drop() error {
	return errors.Join(a.Draft.Close(), a.dir.Remove(a.path))
}
