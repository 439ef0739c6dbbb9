package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"adit/internal/data"
	"adit/internal/engine/model"
	"adit/internal/node"
	"adit/internal/subnet"
)

// Of the model that a local network trains, and its text. With a small
// vocabulary it has much to learn from context, and soon does better than a
// bigram model of the same text.
const (
	vocabSize      = 512
	sequenceLength = 128
	trainBytes     = 4 << 20 // of each group
)

// sources returns the text of each group: what the person named, or the Go
// source tree, code and prose.
func sources(paths []string, groups int) ([]data.Source, error) {
	if len(paths) == 0 {
		root, err := data.FindGoRoot()
		if err != nil {
			return nil, err
		}
		code, prose, err := data.GoTree(root)
		if err != nil {
			return nil, err
		}
		return []data.Source{code, prose}[:groups], nil
	}
	var list []data.Source
	for _, path := range paths {
		s, err := data.Files(path)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// prepareText makes tokens of the text, or takes those that are there.
func (n *Network) prepareText(ctx context.Context) (*data.Corpus, error) {
	corpus, err := n.corpus(ctx)
	if err != nil {
		return nil, err
	}
	n.state.update(func(s *Snapshot) {
		for g := len(s.Groups); g < n.plan.Groups; g++ {
			s.Groups = append(s.Groups, Group{ID: g, Domain: corpus.Domain(g).Name})
		}
	})
	return corpus, nil
}

// corpus returns the tokens of the text. Once there is a model they stay as they
// are, whatever became of the text since: it knows the tokens it was made with.
func (n *Network) corpus(ctx context.Context) (*data.Corpus, error) {
	opts := data.Options{Vocab: vocabSize, MaxBytes: trainBytes}
	if n.hasGenesis() {
		if c, err := data.OpenCorpus(n.plan.dataDir(n.dir)); err == nil {
			return c, nil
		}
		var err error // a damaged one is made again, of the same tokens
		if opts.Tokenizer, err = readTokenizer(filepath.Join(n.plan.genesisDir(n.dir), tokenizerFile)); err != nil {
			return nil, fmt.Errorf("prepare text: %w", err)
		}
	}
	list, err := sources(n.plan.Data, n.plan.Groups)
	if err != nil {
		return nil, err
	}
	return data.Prepare(ctx, n.plan.dataDir(n.dir), list, opts, func(p data.Progress) {
		n.progress("text", string(p.Stage), "", float64(p.Done)/float64(max(p.Total, 1)))
	})
}

// tokenizerFile is the name of a tokenizer's file, as Hugging Face has it.
const tokenizerFile = "tokenizer.json"

func readTokenizer(path string) (*data.Tokenizer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return data.LoadTokenizer(f)
}

// fitBigrams computes, once, the losses that the network's are held against.
func (n *Network) fitBigrams(ctx context.Context, corpus *data.Corpus) error {
	for g := range n.plan.Groups {
		if n.Snapshot().Groups[g].Bigram > 0 || ctx.Err() != nil {
			continue
		}
		loss, err := corpus.Bigram(g, sequenceLength+1)
		if err != nil {
			return fmt.Errorf("fit a bigram model: %w", err)
		}
		n.state.update(func(s *Snapshot) { s.Groups[g].Bigram = loss; n.state.keep() })
	}
	return nil
}

// saveGenesis keeps the first model, its configuration and its tokenizer, and what
// more adds to their directory, if anything. It is there whole or not at all.
func (n *Network) saveGenesis(cfg model.Config, m subnet.Model, more func(dir string) error) error {
	dir := n.plan.genesisDir(n.dir)
	tmp := dir + ".tmp"
	if err := errors.Join(os.RemoveAll(tmp), os.MkdirAll(tmp, 0o755)); err != nil {
		return err
	}
	text, err := json.MarshalIndent(cfg, "", "  ")
	if err != nil {
		return err
	}
	err = errors.Join(
		writeFile(filepath.Join(tmp, node.ConfigFile), text),
		copyFile(filepath.Join(tmp, tokenizerFile), filepath.Join(n.plan.dataDir(n.dir), tokenizerFile)),
		saveModel(filepath.Join(tmp, node.ModelFile), m),
	)
	if err == nil && more != nil {
		err = more(tmp)
	}
	if err != nil {
		return fmt.Errorf("save the genesis model: %w", err)
	}
	return os.Rename(tmp, dir)
}

// hasGenesis says whether the first model was made already.
func (n *Network) hasGenesis() bool {
	_, err := os.Stat(filepath.Join(n.plan.genesisDir(n.dir), node.ModelFile))
	return err == nil
}

func saveModel(path string, m subnet.Model) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(m.Save(f, subnet.Safetensors, func(string) bool { return true }), f.Sync(), f.Close())
}

func copyFile(to, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
