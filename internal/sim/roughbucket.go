package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"adit/internal/journal"
	"adit/internal/subnet"
)

// The kinds of faults of a neuron's bucket, of its clock, and of whole networks of
// windows.
const (
	Bucket500     Kind = "bucket 500"
	Bucket503     Kind = "bucket 503"
	Bucket429     Kind = "bucket 429"
	BucketCut     Kind = "bucket truncates"
	BucketWrong   Kind = "bucket sends wrong bytes"
	BucketChanges Kind = "bucket changes its ETag in the middle"
	BucketStall   Kind = "bucket stalls at 99%"
	BucketDeny    Kind = "bucket denies"
	BucketSlow    Kind = "bucket slow"
	StoreClock    Kind = "store ten minutes off"
	NeuronClock   Kind = "neuron ten minutes off"
	NetDown       Kind = "no store answers" // a neuron
	Overwrite     Kind = "overwrites its object"
	ManyGone      Kind = "of 40% gone"
	LeaderGone    Kind = "leader gone"
)

var bucketKinds = []Kind{Bucket500, Bucket503, Bucket429, BucketCut, BucketWrong, BucketChanges, BucketStall, BucketDeny, BucketSlow}

// tenMinutesOff is how far a clock is off.
const tenMinutesOff = 10 * time.Minute

// A roughBucket is a neuron's bucket as one neuron meets it in bad weather. The client
// that it stands for has tried some times before it says that a store does not answer.
type roughBucket struct {
	subnet.Bucket
	net   *Windows
	owner int // -1 for that of the data set
	life  *life
	clock *storeClock
}

// A storeClock is how far the times of the objects of all buckets are off.
type storeClock struct{ off map[string]time.Duration }

// off is how far the clock of the store, or of who asks, is off.
func off(f *Fault) time.Duration {
	switch {
	case f == nil:
		return 0
	case f.Op < 0:
		return -tenMinutesOff
	}
	return tenMinutesOff
}

// skewed is how far a neuron's own clock is ahead. To it all others are behind.
func (l *life) skewed() time.Duration { return off(l.faults.on(l.who, NeuronClock)) }

// seen returns an object as it is told to a neuron.
func (b roughBucket) seen(o subnet.Object) subnet.Object {
	b.net.mu.Lock()
	o.Modified = o.Modified.Add(b.clock.off[pastKey(b.owner, o.Key)])
	b.net.mu.Unlock()
	o.Modified = o.Modified.Add(-b.life.skewed())
	if b.declares(o.Key) {
		o.Size = declared
	}
	return o
}

// declared is how large a forger says that its objects are.
const declared = 100_000_000_000

func (b roughBucket) declares(key string) bool {
	return b.owner >= 0 && b.net.Neurons[b.owner].Forger == "declares" && forgeable(key)
}

// enter is what every operation begins with.
func (b roughBucket) enter(ctx context.Context) error {
	if err := b.life.op(false); err != nil {
		return err
	}
	f := b.life.faults.on(b.life.who, NetDown)
	if f == nil && b.owner >= 0 {
		f = b.life.faults.on(b.owner, Bucket500, Bucket503, Bucket429, BucketDeny, BucketSlow)
	}
	if f == nil {
		return ctx.Err()
	}
	if f.Kind == BucketDeny {
		return fmt.Errorf("%s: %w", f.Kind, subnet.ErrDenied)
	}
	if err := sleep(ctx, 5*time.Second); err != nil || f.Kind == BucketSlow {
		return err
	}
	return fmt.Errorf("%s: %w", f.Kind, subnet.ErrTemporary)
}

// moving returns the fault that what moves meets.
func (b roughBucket) moving(kinds ...Kind) *Fault {
	if b.owner < 0 {
		return nil
	}
	return b.life.faults.on(b.owner, kinds...)
}

func (b roughBucket) Put(ctx context.Context, key string, f subnet.File, once bool) (o subnet.Object, err error) {
	if err := b.enter(ctx); err != nil {
		return o, err
	}
	if f := b.moving(BucketCut, BucketStall); f != nil {
		if err := sleep(ctx, time.Minute); err != nil {
			return o, err
		}
		return o, fmt.Errorf("upload %s: %s: %w", key, f.Kind, subnet.ErrTemporary)
	}
	if err := sleep(ctx, uploadTime); err != nil {
		return o, err
	}
	err = b.life.do(false, func() error {
		o, err = b.put(ctx, key, f, once)
		return err
	})
	return b.seen(o), err
}

// uploadTime is how long an upload takes: who has to have seen something first comes
// later than it, by a store's clock.
const uploadTime = 1100 * time.Millisecond

// put uploads, by the store's clock, and writes down what came.
func (b roughBucket) put(ctx context.Context, key string, f subnet.File, once bool) (subnet.Object, error) {
	data := make([]byte, f.Size())
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return subnet.Object{}, err
	}
	skew := time.Duration(0)
	if b.owner >= 0 {
		skew = off(b.life.faults.on(b.owner, StoreClock))
	}
	o, err := b.Bucket.Put(ctx, key, f, once)
	if err != nil {
		return o, err
	}
	b.net.mu.Lock()
	b.clock.off[pastKey(b.owner, key)] = skew
	b.net.mu.Unlock()
	b.net.uploaded(b.owner, key, data, o.Modified.Add(skew))
	return o, nil
}

func (b roughBucket) Get(ctx context.Context, want subnet.Object, dst subnet.Draft, limit int64) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	if b.declares(want.Key) && limit < declared {
		return fmt.Errorf("download %s: %d bytes, want at most %d", want.Key, int64(declared), limit)
	}
	f := b.moving(BucketCut, BucketWrong, BucketChanges, BucketStall)
	if f == nil {
		return b.life.do(false, func() error { return b.Bucket.Get(ctx, want, dst, limit) })
	}
	whole, err := journal.NewMem().Create("whole")
	if err != nil {
		return err
	}
	if err := b.Bucket.Get(ctx, want, whole, limit); err != nil {
		return err
	}
	if f.Kind == BucketWrong {
		return errors.Join(fmt.Errorf("%s: %w", want.Key, errWrong), dst.Truncate(0))
	}
	return broken99(ctx, f, want.Key, whole, dst)
}

// broken99 is a download that does not come to its end.
func broken99(ctx context.Context, f *Fault, name string, whole subnet.Draft, dst subnet.Draft) error {
	stalls := f.Kind == HubStall || f.Kind == BucketStall
	part := whole.Size() / 2
	if stalls {
		part = whole.Size() * 99 / 100
	}
	if have := dst.Size(); have < part {
		if _, err := io.Copy(dst, io.NewSectionReader(whole, have, part-have)); err != nil {
			return err
		}
	}
	if f.Kind == BucketChanges {
		return fmt.Errorf("download %s: it %w after %d of %d bytes", name, subnet.ErrChanged, part, whole.Size())
	}
	if stalls {
		if err := sleep(ctx, time.Minute); err != nil {
			return err
		}
	}
	return fmt.Errorf("download %s: %w after %d of %d bytes: %w", name, subnet.ErrTemporary, part, whole.Size(), io.ErrUnexpectedEOF)
}

func (b roughBucket) Stat(ctx context.Context, key string) (subnet.Object, error) {
	if err := b.enter(ctx); err != nil {
		return subnet.Object{}, err
	}
	o, err := b.Bucket.Stat(ctx, key)
	return b.seen(o), err
}

func (b roughBucket) List(ctx context.Context, prefix, after string, most int) ([]subnet.Object, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	list, err := b.Bucket.List(ctx, prefix, after, most)
	for i, o := range list {
		list[i] = b.seen(o)
	}
	if err == nil && b.owner >= 0 && b.owner == b.net.opts.Crowded {
		list = b.crowd(list, prefix, after, most)
	}
	return list, err
}

// A million objects that nobody asks for lie in a crowded bucket: half of them under
// names that begin as those of gradients do.
const crowd = 1_000_000

// crowd adds them to a listing.
func (b roughBucket) crowd(list []subnet.Object, prefix, after string, most int) []subnet.Object {
	var out []subnet.Object
	for _, stem := range []string{"another/", "gradient-!"} {
		if !strings.HasPrefix(stem, prefix) {
			continue
		}
		first := 0
		if rest, ok := strings.CutPrefix(after, stem); ok {
			if _, err := fmt.Sscanf(rest, "%07d", &first); err == nil {
				first++
			}
		} else if after > stem {
			continue
		}
		for i := first; i < crowd/2 && len(out) < most; i++ {
			out = append(out, subnet.Object{Key: fmt.Sprintf("%s%07d", stem, i), Size: 1, ETag: "x"})
		}
	}
	out = append(out, list[:min(len(list), most-len(out))]...)
	b.net.mu.Lock()
	b.net.listed += len(out)
	b.net.mu.Unlock()
	return out
}

func (b roughBucket) Remove(ctx context.Context, keys ...string) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	return b.life.do(false, func() error { return b.Bucket.Remove(ctx, keys...) })
}

func (b roughBucket) Clock(ctx context.Context) (time.Time, error) {
	if err := b.enter(ctx); err != nil {
		return time.Time{}, err
	}
	t, err := b.Bucket.Clock(ctx)
	if b.owner >= 0 {
		t = t.Add(off(b.life.faults.on(b.owner, StoreClock)))
	}
	return t.Add(-b.life.skewed()), err
}

// overwriteBytes are what a peer puts in place of what it has uploaded.
func overwriteBytes(was []byte) []byte { return append(bytes.Clone(was), 0) }
