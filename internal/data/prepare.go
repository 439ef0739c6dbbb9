package data

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"adit/internal/subnet"
)

// Defaults of [Options].
const (
	DefaultVocab        = 2048
	DefaultMaxBytes     = 6 << 20
	DefaultHeldOutBytes = 400 << 10
)

// tokenizerSampleBytes is how much text the tokenizer is trained on, in equal
// parts from each domain; more hardly changes it.
const tokenizerSampleBytes = 4 << 20

// Options says how text is prepared. The zero value is the defaults.
type Options struct {
	Vocab        int        // tokens of the tokenizer that is trained
	MaxBytes     int64      // of training text per domain
	HeldOutBytes int64      // of held-out text per domain
	Tokenizer    *Tokenizer // used instead of a trained one: everybody on a network needs the same
}

// options are those that decide what the corpus holds, as stored in it.
type options struct {
	Vocab        int    `json:"vocab"`
	MaxBytes     int64  `json:"max_bytes"`
	HeldOutBytes int64  `json:"heldout_bytes"`
	Tokenizer    string `json:"tokenizer"` // digest of the one that was given
}

// A Stage is a part of the work of [Prepare].
type Stage string

// The stages, in order. Their units are bytes of text, tokens of the
// vocabulary, and bytes of text again.
const (
	Reading  Stage = "reading text"
	Learning Stage = "learning the vocabulary"
	Encoding Stage = "encoding text"
)

// Progress says how far [Prepare] has got. Reading may end early: there may be
// less text than wanted.
type Progress struct {
	Stage       Stage
	Done, Total int64
}

// Prepare makes the corpus of sources, one domain each, in dir, unless it is there
// already, made from the same sources with the same options. progress, which may
// be nil, is called from one goroutine at a time. Nobody can open a corpus that is
// half made.
func Prepare(ctx context.Context, dir string, sources []Source, opt Options, progress func(Progress)) (*Corpus, error) {
	c, err := prepare(ctx, dir, sources, opt, progress)
	if err != nil {
		return nil, fmt.Errorf("prepare text: %w", err)
	}
	return c, nil
}

func prepare(ctx context.Context, dir string, sources []Source, opt Options, progress func(Progress)) (*Corpus, error) {
	if len(sources) == 0 || len(sources) > maxDomains {
		return nil, subnet.WithHint(fmt.Errorf("%d sources of text, want 1 to %d", len(sources), maxDomains), dataHint)
	}
	opts, given, err := opt.fill()
	if err != nil {
		return nil, err
	}
	info := &corpusInfo{Version: corpusVersion, Options: opts}
	for _, s := range sources {
		info.Domains = append(info.Domains, Domain{Name: s.Name(), Fingerprint: s.Fingerprint()})
	}
	made, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	info.Made = digest(made)
	if old, err := readCorpusInfo(dir); err == nil && old.Made == info.Made {
		if c, err := openCorpus(dir, old); err == nil {
			return c, nil
		} // a damaged one is made again
	}

	report := newReporter(progress)
	samples, err := collectAll(ctx, sources, opts, report)
	if err != nil {
		return nil, err
	}
	c := &Corpus{tok: opt.Tokenizer}
	if c.tok == nil {
		c.tok, err = TrainBPE(ctx, trainingTexts(samples), opts.Vocab, func(done, total int) {
			report.set(Learning, int64(done), int64(total))
		})
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := c.tok.Save(&b); err != nil {
			return nil, err
		}
		given = b.Bytes()
	}
	info.Vocab, info.Tokenizer = c.tok.VocabSize(), digest(given)
	if c.streams, err = encodeAll(ctx, c.tok, samples, report); err != nil {
		return nil, err
	}
	if err := writeCorpus(ctx, dir, c, info, samples, given); err != nil {
		return nil, err
	}
	c.info = *info
	return c, nil
}

// fill returns the options with their defaults and, if a tokenizer was given, its
// file.
func (o Options) fill() (options, []byte, error) {
	out := options{
		Vocab:        cmp.Or(o.Vocab, DefaultVocab),
		MaxBytes:     cmp.Or(o.MaxBytes, DefaultMaxBytes),
		HeldOutBytes: cmp.Or(o.HeldOutBytes, DefaultHeldOutBytes),
	}
	var b bytes.Buffer
	if o.Tokenizer != nil {
		if err := o.Tokenizer.Save(&b); err != nil {
			return out, nil, err
		}
		out.Vocab, out.Tokenizer = o.Tokenizer.VocabSize(), digest(b.Bytes())
		if o.Tokenizer.End() < 0 {
			return out, nil, subnet.WithHint(errors.New("the tokenizer has no token to end a document with"), "take one that has "+EndOfText)
		}
	}
	switch {
	case out.Vocab < minVocab || out.Vocab > maxVocab:
		return out, nil, fmt.Errorf("vocabulary of %d: want %d to %d", out.Vocab, minVocab, maxVocab)
	case out.MaxBytes < 0 || out.MaxBytes > maxTokens || out.HeldOutBytes < 0 || out.HeldOutBytes > maxTokens:
		return out, nil, fmt.Errorf("%d bytes to train on and %d held out: want at most %d", out.MaxBytes, out.HeldOutBytes, maxTokens)
	}
	return out, b.Bytes(), nil
}

// collectAll samples all sources at once.
func collectAll(ctx context.Context, sources []Source, opts options, report *reporter) ([]*sample, error) {
	samples := make([]*sample, len(sources))
	found := make([]atomic.Int64, len(sources))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range sources {
		g.Go(func() (err error) {
			samples[i], err = collect(ctx, s, opts.MaxBytes, opts.HeldOutBytes, func(done, total int64) {
				found[i].Store(done)
				sum := int64(0)
				for j := range found {
					sum += found[j].Load()
				}
				report.set(Reading, sum, total*int64(len(sources)))
			})
			return err
		})
	}
	return samples, g.Wait()
}

// trainingTexts picks what the tokenizer learns from: the first documents of each
// domain, which are a fair sample of it, as they come in shuffled order.
func trainingTexts(samples []*sample) []string {
	var texts []string
	for _, s := range samples {
		room := int64(tokenizerSampleBytes / len(samples))
		for _, text := range s.train {
			if room <= 0 {
				break
			}
			text = cutRunes(text, room)
			room -= int64(len(text))
			texts = append(texts, text)
		}
	}
	return texts
}

// chunkBytes is about how much text is encoded as one piece of work.
const chunkBytes = 256 << 10

// encodeAll encodes all texts, on all cores.
func encodeAll(ctx context.Context, tok *Tokenizer, samples []*sample, report *reporter) ([]stream, error) {
	var total int64
	for _, s := range samples {
		total += s.trainBytes + s.heldOutBytes
	}
	var done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	start := func(texts []string) *[][]uint16 {
		var chunks [][]string
		size := 0
		for i, text := range texts {
			if i == 0 || size >= chunkBytes {
				chunks, size = append(chunks, nil), 0
			}
			size += len(text)
			chunks[len(chunks)-1] = append(chunks[len(chunks)-1], text)
		}
		out := make([][]uint16, len(chunks))
		for i, chunk := range chunks {
			g.Go(func() error {
				var ids []int32
				for _, text := range chunk {
					if err := ctx.Err(); err != nil {
						return err
					}
					ids = append(tok.Append(ids[:0], text), tok.End())
					for _, id := range ids {
						out[i] = append(out[i], uint16(id))
					}
					report.set(Encoding, done.Add(int64(len(text))), total)
				}
				return nil
			})
		}
		return &out
	}
	type pieces struct{ train, heldOut *[][]uint16 }
	var all []pieces
	for _, s := range samples {
		all = append(all, pieces{start(s.train), start(s.heldOut)})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var streams []stream
	for _, p := range all {
		streams = append(streams, stream{join(*p.train), join(*p.heldOut)})
	}
	return streams, nil
}

// writeCorpus writes the files, corpus.json last. Until then an old corpus.json
// does not fit what is there, which OpenCorpus notices; so it goes first.
func writeCorpus(ctx context.Context, dir string, c *Corpus, info *corpusInfo, samples []*sample, tokenizer []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, corpusFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := writeWhole(dir, tokenizerName, tokenizer); err != nil {
		return err
	}
	for g, s := range c.streams {
		if err := ctx.Err(); err != nil {
			return err
		}
		d, from := &info.Domains[g], samples[g]
		for _, side := range []struct {
			name   string
			tokens []uint16
			texts  int
			bytes  int64
			to     *Side
		}{
			{trainFile(g), s.train, len(from.train), from.trainBytes, &d.Train},
			{heldOutFile(g), s.heldOut, len(from.heldOut), from.heldOutBytes, &d.HeldOut},
		} {
			b := encodeTokens(side.tokens, info.Vocab)
			*side.to = Side{side.texts, side.bytes, int64(len(side.tokens)), digest(b)}
			if err := writeWhole(dir, side.name, b); err != nil {
				return err
			}
		}
	}
	b, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(dir, corpusFile, append(b, '\n'))
}

// join returns the parts end to end.
func join(parts [][]uint16) []uint16 {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	all := make([]uint16, 0, n)
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// A reporter lets one goroutine at a time report, and only what differs by a
// hundredth from what was reported before.
type reporter struct {
	mu   sync.Mutex
	to   func(Progress)
	last Progress
}

func newReporter(to func(Progress)) *reporter { return &reporter{to: to} }

func (r *reporter) set(stage Stage, done, total int64) {
	if r.to == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Progress{stage, min(done, total), total}
	if stage == r.last.Stage && (p.Done < r.last.Done+total/100 && p.Done < total || p.Done <= r.last.Done) {
		return
	}
	r.last = p
	r.to(p)
}
