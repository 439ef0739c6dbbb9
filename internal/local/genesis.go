package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"adit/internal/data"
	"adit/internal/engine"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/node"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// Of the model that a local network trains.
const (
	vocabSize      = 2048
	sequenceLength = 128
)

// sources returns the text of each group: what the person named, or the Go
// source tree, code and prose.
func (n *Network) sources() ([]data.Source, []string, error) {
	var list []data.Source
	var names []string
	for _, path := range n.plan.Data {
		s, err := data.Files(path)
		if err != nil {
			return nil, nil, err
		}
		list, names = append(list, s), append(names, filepath.Base(path))
	}
	if len(list) > 0 {
		return list, names, nil
	}
	root, err := data.FindGoRoot()
	if err != nil {
		return nil, nil, err
	}
	code, prose, err := data.GoTree(root)
	if err != nil {
		return nil, nil, err
	}
	return []data.Source{code, prose}[:n.plan.Groups], []string{"Go code", "Go prose"}[:n.plan.Groups], nil
}

// prepareText makes tokens of the text, or takes those that are there.
func (n *Network) prepareText(ctx context.Context) (*data.Corpus, error) {
	sources, names, err := n.sources()
	if err != nil {
		return nil, err
	}
	corpus, err := data.Prepare(ctx, n.plan.dataDir(n.dir), sources, data.Options{Vocab: vocabSize}, func(p data.Progress) {
		n.progress("text", string(p.Stage), float64(p.Done)/float64(max(p.Total, 1)))
	})
	if err != nil {
		return nil, fmt.Errorf("prepare text: %w", err)
	}
	n.state.update(func(s *Snapshot) {
		for g := len(s.Groups); g < len(names); g++ {
			s.Groups = append(s.Groups, Group{ID: g, Domain: names[g]})
		}
	})
	return corpus, nil
}

// fitBigrams computes, once, the losses that the network's are held against.
func (n *Network) fitBigrams(corpus *data.Corpus) error {
	for g := range n.plan.Groups {
		if n.Snapshot().Groups[g].Bigram > 0 {
			continue
		}
		loss, err := corpus.Bigram(g, sequenceLength)
		if err != nil {
			return fmt.Errorf("fit a bigram model: %w", err)
		}
		n.state.update(func(s *Snapshot) { s.Groups[g].Bigram = loss; n.state.keep() })
	}
	return nil
}

// trainGenesis makes the model that the network begins with, on the text of all
// groups, and keeps it for the next time. Nothing pretrained is at hand, and
// experts on a backbone that knows nothing would learn nothing.
func (n *Network) trainGenesis(ctx context.Context, corpus *data.Corpus) error {
	dir := n.plan.genesisDir(n.dir)
	if _, err := os.Stat(filepath.Join(dir, node.ModelFile)); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	cfg := model.Small(corpus.VocabSize(), n.plan.Groups)
	opts := engine.DefaultGenesis()
	opts.Seed = fmt.Sprintf("genesis/%d", n.plan.Seed)
	for g := range n.plan.Groups {
		opts.Groups = append(opts.Groups, assignment(cfg, n.plan.Groups, g).Experts())
	}
	e := engine.New(engine.Options{Device: cpu.New(0), Config: cfg, Data: corpus, SeqLen: sequenceLength})

	timed, cancel := context.WithTimeout(ctx, n.plan.Genesis)
	defer cancel()
	began := time.Now()
	m, err := e.Genesis(timed, opts, func(s subnet.Step) {
		n.progress("genesis", fmt.Sprintf("step %d  loss %.3f", s.Number, s.Loss), time.Since(began).Seconds()/n.plan.Genesis.Seconds())
	})
	if err != nil {
		return err
	}
	defer m.Close()

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
		copyFile(filepath.Join(tmp, "tokenizer.json"), filepath.Join(n.plan.dataDir(n.dir), "tokenizer.json")),
		saveModel(filepath.Join(tmp, node.ModelFile), m),
	)
	if err != nil {
		return fmt.Errorf("save the genesis model: %w", err)
	}
	return os.Rename(tmp, dir)
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

// assignment gives a group its part of the experts of every layer that has
// some: the group's number is the place of its part.
func assignment(cfg model.Config, groups, group int) connito.Assignment {
	per := cfg.NRoutedExperts / groups
	a := make(connito.Assignment)
	for l := range cfg.NumHiddenLayers {
		for i := range per {
			if cfg.Sparse(l) {
				a[l] = append(a[l], [2]int{i, group*per + i})
			}
		}
	}
	return a
}
