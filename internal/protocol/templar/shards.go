package templar

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"sync"

	"adit/internal/subnet"
)

// A shards is where a neuron's text is: files of tokens, of which one is trained on
// at a time. Who has them puts them into the directory shards of the run; others are
// downloaded from the bucket of the data set.
type shards struct {
	*neuron
	bucket subnet.Bucket // nil if there is none
	dir    string        // in the bucket
	length int           // tokens in a sample

	open  *openShard
	ahead sync.WaitGroup
	mu    sync.Mutex
	busy  map[Shard]chan struct{} // closed when a download is over
}

const (
	shardDir = "shards"
	// maxShard is more than any shard has: upstream's are of 430 GB.
	maxShard = 1 << 40
)

// newShards finds the data set's bucket by the environment.
func (n *neuron) newShards() (*shards, error) {
	s := &shards{neuron: n, dir: n.cfg.DataSet.Dir, length: int(n.rules.Sparse.SequenceLength), busy: make(map[Shard]chan struct{})}
	if s.dir == "" {
		s.dir = n.Secret(EnvBinsPath)
	}
	keys, err := n.dataSetKeys()
	if err != nil {
		return nil, err
	}
	if keys != nil {
		if s.bucket, err = n.Bucket(n.cfg.placed(n.rules.Address(*keys, false))); err != nil {
			return nil, fmt.Errorf("bucket %s: %w", keys.Bucket, err)
		}
	}
	return s, nil
}

// dataSetKeys returns the keys of the data set's bucket, nil if there are none.
func (n *neuron) dataSetKeys() (*Keys, error) {
	if text := n.Secret(EnvDataSetList); text != "" {
		list, err := ParseDataSets(text)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		return &list[0], nil
	}
	env := make(map[string]string)
	some := false
	for _, name := range DataSetStore.EnvNames() {
		env[name] = n.Secret(name)
		some = some || env[name] != ""
	}
	if !some {
		return nil, nil
	}
	k, err := DataSetStore.KeysFrom(env, false)
	return &k, err
}

func (s *shards) close() error {
	s.ahead.Wait()
	if s.open == nil {
		return nil
	}
	return s.open.close()
}

// An openShard is a shard that is trained on.
type openShard struct {
	Shard
	tokens, ids      subnet.File
	tokensAt, idsAt  NumpyFile
	length           int
	samples          int
	tokensKey, idKey string
}

func (o *openShard) close() error { return errors.Join(o.tokens.Close(), o.ids.Close()) }

// at returns the shard of an outer step, downloaded if it is not there, and begins to
// fetch the one after it.
func (s *shards) at(ctx context.Context, step int64) (*openShard, error) {
	want := s.rules.Shard(step)
	if s.open != nil && s.same(s.open.Shard, want) {
		s.open.Shard = want
		return s.open, nil
	}
	if err := s.have(ctx, want); err != nil {
		return nil, err
	}
	o, err := s.openShard(want)
	if err != nil {
		return nil, fmt.Errorf("shard %d: %w", want.Index, err)
	}
	if old := s.open; old != nil {
		// Unlike upstream, which swaps a shard twice at the end of an epoch, a shard is
		// dropped by its name.
		err = errors.Join(old.close(), s.Dir.Remove(s.file(old.tokensKey)), s.Dir.Remove(s.file(old.idKey)))
		if err != nil {
			s.Warn("shard", "the last shard is still on disk", err)
		}
	}
	s.open = o
	s.Say("shard", fmt.Sprintf("Trains on shard %d: %d samples.", want.Index, o.samples), slog.Int64("shard", want.Index), slog.Int("samples", o.samples))
	if next, ok := s.rules.NextShard(step); ok {
		if after := s.rules.Shard(next); !s.same(after, want) {
			s.ahead.Go(func() {
				if err := s.have(ctx, after); err != nil && ctx.Err() == nil {
					s.Warn("shard", "the next shard could not be fetched yet", err, slog.Int64("shard", after.Index))
				}
			})
		}
	}
	return o, nil
}

// same says whether two are of one file.
func (s *shards) same(a, b Shard) bool { return a.Index == b.Index && a.Anneal == b.Anneal }

// file is where an object of the data set is kept.
func (s *shards) file(key string) string { return shardDir + "/" + path.Base(key) }

// have sees that a shard is in the directory. Of several that want it at once one
// downloads.
func (s *shards) have(ctx context.Context, sh Shard) error {
	sh.Epoch = 0
	for {
		s.mu.Lock()
		other := s.busy[sh]
		if other == nil {
			break
		}
		s.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	done := make(chan struct{})
	s.busy[sh] = done
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.busy, sh)
		s.mu.Unlock()
		close(done)
	}()
	tokens, ids := sh.Names(s.dir, s.rules.IDsSuffix)
	for _, key := range []string{ids, tokens} {
		if err := s.download(ctx, key); err != nil {
			return fmt.Errorf("shard %d: %w", sh.Index, err)
		}
	}
	return nil
}

// download makes a file of the directory from an object of the data set, going on
// where it was left.
func (s *shards) download(ctx context.Context, key string) error {
	f, err := s.Dir.Open(s.file(key))
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, subnet.ErrNotFound) {
		return err
	}
	if s.bucket == nil {
		return subnet.WithHint(fmt.Errorf("%s: %w", s.file(key), subnet.ErrNotFound),
			"put the shard there, or the keys of the data set's bucket into the environment: R2_DATASET_ACCOUNT_ID and so on")
	}
	for {
		err := s.attempt(ctx, key)
		if err == nil || !errors.Is(err, subnet.ErrTemporary) {
			return err
		}
		s.Warn("retry", "the download of "+key+" goes on", err)
		if err := s.NextBlock(ctx); err != nil {
			return err
		}
	}
}

func (s *shards) attempt(ctx context.Context, key string) error {
	object, err := s.bucket.Stat(ctx, key)
	if err != nil {
		return err
	}
	draft, err := s.Dir.Resume(s.file(key))
	if err != nil {
		return err
	}
	if err = s.bucket.Get(ctx, object, draft, maxShard); err == nil {
		return draft.Commit()
	}
	if !errors.Is(err, subnet.ErrTemporary) && ctx.Err() == nil {
		err = errors.Join(err, draft.Truncate(0)) // it was the beginning of something else
	}
	return errors.Join(err, draft.Close())
}

func (s *shards) openShard(sh Shard) (*openShard, error) {
	o := &openShard{Shard: sh, length: s.length}
	o.tokensKey, o.idKey = sh.Names(s.dir, s.rules.IDsSuffix)
	var err error
	if o.tokens, err = s.Dir.Open(s.file(o.tokensKey)); err != nil {
		return nil, err
	}
	if o.ids, err = s.Dir.Open(s.file(o.idKey)); err != nil {
		return nil, errors.Join(err, o.tokens.Close())
	}
	if o.tokensAt, err = ParseNumpy(o.tokens, o.tokens.Size(), 0); err == nil {
		o.idsAt, err = ParseNumpy(o.ids, o.ids.Size(), 8)
	}
	switch {
	case err != nil:
	case o.tokensAt.Size != 4 || o.idsAt.Size != 8:
		err = fmt.Errorf("tokens of %d bytes and ids of %d, want 4 and 8", o.tokensAt.Size, o.idsAt.Size)
	default:
		n := Samples(o.tokensAt, o.idsAt, s.length)
		if o.samples = int(n); n < 1 || n > maxPopulation {
			err = fmt.Errorf("%d samples", n)
		}
	}
	if err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

// sequence returns a sample to learn from: each token's target is the next one, and
// the last has none.
func (o *openShard) sequence(sample uint32) (subnet.Sequence, error) {
	raw := make([]byte, 4*o.length)
	if n, err := o.tokens.ReadAt(raw, o.tokensAt.Offset+int64(sample)*int64(len(raw))); n < len(raw) {
		return subnet.Sequence{}, fmt.Errorf("read sample %d: %w", sample, err)
	}
	q := subnet.Sequence{Tokens: make([]int32, o.length), Targets: make([]int32, o.length)}
	for i := range q.Tokens {
		t := binary.LittleEndian.Uint32(raw[4*i:])
		if t > 1<<31-1 {
			return q, fmt.Errorf("sample %d has a token %d", sample, t)
		}
		q.Tokens[i] = int32(t)
	}
	copy(q.Targets, q.Tokens[1:])
	q.Targets[o.length-1] = -1
	return q, nil
}

func (o *openShard) sequences(samples []uint32) ([]subnet.Sequence, error) {
	list := make([]subnet.Sequence, len(samples))
	for i, k := range samples {
		var err error
		if list[i], err = o.sequence(k); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// digest is that of a pool's sample ids.
func (o *openShard) digest(pool []uint32) (string, error) {
	ids := make([]uint64, len(pool))
	var raw [8]byte
	sorted := slices.Sorted(slices.Values(pool)) // forward through the file
	for i, k := range sorted {
		if n, err := o.ids.ReadAt(raw[:], o.idsAt.Offset+8*int64(k)); n < len(raw) {
			return "", fmt.Errorf("read the id of sample %d: %w", k, err)
		}
		ids[i] = binary.LittleEndian.Uint64(raw[:])
	}
	return SampleDigest(ids), nil
}
