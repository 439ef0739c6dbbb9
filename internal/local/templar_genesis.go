package local

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"adit/internal/data"
	"adit/internal/engine"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/exchange/s3"
	"adit/internal/protocol/templar"
	"adit/internal/subnet"
)

// The toy model: a Llama with some 300,000 parameters.
const (
	toyWidth  = 96
	toyLayers = 2
	toyHeads  = 4
	toyInner  = 256
)

// toyLlama is the model of a local network of windows.
func toyLlama(vocab int) model.Config {
	return model.Config{
		ModelType: model.Llama, VocabSize: vocab, HiddenSize: toyWidth, NumHiddenLayers: toyLayers,
		NumAttentionHeads: toyHeads, NumKeyValueHeads: toyHeads, HeadDim: toyWidth / toyHeads, IntermediateSize: toyInner,
		RMSNormEps: 1e-6, RopeTheta: 10_000, MaxPositionEmbeddings: sequenceLength, InitializerRange: 0.02, RoutedScalingFactor: 1,
	}
}

// genesis implements [recipe]: a model before any training, and the training text as
// the generation wants it. It takes no more than a moment, so that no deadline is
// kept.
func (r templarRecipe) genesis(ctx context.Context, n *Network, corpus *data.Corpus) error {
	if !n.hasGenesis() {
		if err := r.makeGenesis(n, corpus); err != nil {
			return fmt.Errorf("make the genesis model: %w", err)
		}
	}
	if r.gradients() {
		return r.putShard(ctx, n, corpus)
	}
	return r.writePages(ctx, n, corpus)
}

func (r templarRecipe) makeGenesis(n *Network, corpus *data.Corpus) error {
	n.progress("genesis", "a model that knows nothing", "", 0)
	cfg := toyLlama(corpus.VocabSize())
	m, err := engine.New(engine.Options{Device: cpu.New(0), Config: cfg, SeqLen: sequenceLength}).Fresh(fmt.Sprintf("genesis/%d", n.plan.Seed))
	if err != nil {
		return err
	}
	defer m.Close()
	return n.saveGenesis(cfg, m, r.writeHParams)
}

// textOrder is the seed of the order in which training text is laid out.
const textOrder = "local"

// eachSequence calls take with every sequence of training text. What is held out is
// in none of them.
func eachSequence(ctx context.Context, corpus *data.Corpus, take func(tokens []int32) error) error {
	tokens := make([]int32, sequenceLength+1)
	for i := range corpus.PassLen(0, len(tokens)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := corpus.Sequence(tokens, 0, textOrder, i); err != nil {
			return err
		}
		if err := take(tokens[:sequenceLength]); err != nil {
			return err
		}
	}
	return nil
}

// pagesFile is the text that the data set's server gives out.
func pagesFile(n *Network) string { return filepath.Join(n.plan.dataDir(n.dir), "pages.jsonl") }

// leastRow is the shortest row of a page, in tokens.
const leastRow = 8

// writePages writes the training text in rows of at most a sequence.
func (r templarRecipe) writePages(ctx context.Context, n *Network, corpus *data.Corpus) error {
	path := pagesFile(n)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	tok := corpus.Tokenizer()
	var b bytes.Buffer
	rows := json.NewEncoder(&b)
	err := eachSequence(ctx, corpus, func(tokens []int32) error {
		for len(tokens) > 0 { // no row goes over the end of a document
			end := 0
			for end < len(tokens) && tokens[end] != tok.End() {
				end++
			}
			if end >= leastRow {
				text, err := tok.Decode(tokens[:end])
				if err != nil {
					return err
				}
				if err := rows.Encode(map[string]string{"text": strings.ToValidUTF8(text, "")}); err != nil {
					return err
				}
			}
			tokens = tokens[min(end+1, len(tokens)):]
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write pages: %w", err)
	}
	return writeFile(path, b.Bytes())
}

// textServices implements [recipe].
func (r templarRecipe) textServices(n *Network) []*process {
	if r.gradients() {
		return nil
	}
	return []*process{{name: "pages", vital: true, args: []string{"pages", "serve", "--data", pagesFile(n),
		"--port", fmt.Sprint(n.plan.PagesPort), "--row-bytes", fmt.Sprint(maxRow)}}}
}

// maxRow is more than a sequence has, in bytes.
const maxRow = 8 * sequenceLength

// shardDir is where shards are in the data set's bucket.
const shardDir = "tokenized/"

// putShard uploads the training text as one shard, with the ids of its samples.
func (r templarRecipe) putShard(ctx context.Context, n *Network, corpus *data.Corpus) error {
	var own bucket
	for _, b := range n.plan.Buckets {
		if b.Name == dataSetBucket {
			own = b
		}
	}
	store, err := s3.Open(subnet.BucketAddress{Endpoint: n.plan.s3URL(), Region: "us-east-1", Name: own.Name,
		AccessKey: own.Write.Access, SecretKey: own.Write.Secret}, s3.Options{})
	if err != nil {
		return err
	}
	tokensKey, idsKey := r.rules.Shard(0).Names(shardDir, r.rules.IDsSuffix)
	return persistently(ctx, func(ctx context.Context) error {
		if _, err := store.Stat(ctx, idsKey); !errors.Is(err, subnet.ErrNotFound) {
			return err
		}
		var tokens, ids []byte
		samples := int64(0)
		err := eachSequence(ctx, corpus, func(list []int32) error {
			sample := make([]uint32, len(list))
			for i, t := range list {
				sample[i] = uint32(t)
				tokens = binary.LittleEndian.AppendUint32(tokens, sample[i])
			}
			ids = binary.LittleEndian.AppendUint64(ids, templar.SampleID(sample))
			samples++
			return nil
		})
		if err != nil {
			return err
		}
		// The ids last: they say that all is there.
		for _, f := range []struct {
			key    string
			header []byte
			body   []byte
		}{
			{tokensKey, templar.NumpyHeader(4, samples*sequenceLength), tokens},
			{idsKey, templar.NumpyHeader(8, samples), ids},
		} {
			if _, err := store.Put(ctx, f.key, inMemory{bytes.NewReader(append(f.header, f.body...)), f.key}, false); err != nil {
				return fmt.Errorf("upload the training text: %w", err)
			}
		}
		return nil
	})
}

// inMemory is a file that is none.
type inMemory struct {
	*bytes.Reader
	name string
}

func (f inMemory) Name() string { return f.name }
func (f inMemory) Close() error { return nil }
