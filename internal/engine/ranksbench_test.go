package engine

import (
	"context"
	"fmt"
	"testing"

	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/engine/ranks"
	"adit/internal/subnet"
)

// BenchmarkRanks trains a small Llama on 2048 tokens a step: with one rank of two
// threads, and with two of one. The gradient is of 17 million numbers.
func BenchmarkRanks(b *testing.B) {
	cfg := model.Config{
		ModelType: model.Llama, VocabSize: 8192, HiddenSize: 384, NumHiddenLayers: 6, NumAttentionHeads: 6,
		NumKeyValueHeads: 6, HeadDim: 64, IntermediateSize: 1024, RMSNormEps: 1e-5, RopeTheta: 10000,
		MaxPositionEmbeddings: 2048, InitializerRange: 0.02, RoutedScalingFactor: 1,
	}
	for _, world := range []int{1, 2} {
		b.Run(fmt.Sprintf("%dx%d", world, 2/world), func(b *testing.B) {
			hs := &helpers{}
			engine := func() *Engine {
				return New(Options{Device: cpu.New(2 / world), Config: cfg, Data: counting{}, SeqLen: 256})
			}
			e := engine()
			e.opts.Ranks.Start = func(o ranks.Order) (ranks.Hand, error) {
				ctx, cancel := context.WithCancel(b.Context())
				h := &helper{cancel: cancel, done: make(chan struct{})}
				go func() {
					defer close(h.done)
					if err := Help(ctx, o, ranks.Limits{}, func() (*Engine, error) { return engine(), nil }); err != nil && ctx.Err() == nil {
						b.Error(err)
					}
				}()
				hs.all = append(hs.all, h)
				return h, nil
			}
			m, err := e.Fresh("bench")
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			o := ofRanks(world, "fp32")
			o.Params, o.Batch, o.Accumulate, o.Domain = func(string) bool { return true }, 8/world, 1, 0
			tr, err := m.Train(o)
			if err != nil {
				b.Fatal(err)
			}
			tokens := 0
			step := func() subnet.Step {
				s, err := tr.Step(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				return s
			}
			step() // in which all come
			for b.Loop() {
				tokens += step().Tokens
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
