package local

import (
	"context"
	"fmt"
	"time"

	"adit/internal/data"
	"adit/internal/engine"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// genesis makes the model that the network begins with, on the text of all
// groups, and keeps it for the next time. Nothing pretrained is at hand, and
// experts on a backbone that knows nothing would learn nothing.
func (connitoRecipe) genesis(ctx context.Context, n *Network, corpus *data.Corpus) error {
	if n.hasGenesis() {
		return nil
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
		n.progress("genesis", "step", fmt.Sprintf("%d  loss %.3f", s.Number, s.Loss), time.Since(began).Seconds()/n.plan.Genesis.Seconds())
	})
	if err != nil {
		return err
	}
	defer m.Close()

	return n.saveGenesis(cfg, m, nil)
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
