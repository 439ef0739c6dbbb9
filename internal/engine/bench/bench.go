// Package bench measures the engine on shapes that others measure theirs on, and
// beside the most that the processor could do.
package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/engine/train"
)

// A Shape is a training step to measure.
type Shape struct {
	Config        model.Config
	Batch, SeqLen int
}

// Reference is the step that engines have been compared on: 16.9 million numbers
// at a vocabulary of 8192.
func Reference(vocab int) Shape {
	return Shape{model.Config{
		ModelType: model.Llama, VocabSize: vocab, HiddenSize: 384, NumHiddenLayers: 6, NumAttentionHeads: 6,
		NumKeyValueHeads: 6, HeadDim: 64, IntermediateSize: 1024, RMSNormEps: 1e-5, RopeTheta: 10000,
		MaxPositionEmbeddings: 2048, InitializerRange: 0.02, RoutedScalingFactor: 1,
	}, 8, 256}
}

// Mixture is a step of DeepSeek-V2's kind: latent attention, and 16 experts of
// which a token gets 4.
func Mixture(vocab int) Shape {
	return Shape{model.Config{
		ModelType: model.DeepSeekV2, VocabSize: vocab, HiddenSize: 512, NumHiddenLayers: 6, NumAttentionHeads: 8,
		NumKeyValueHeads: 8, IntermediateSize: 1408, RMSNormEps: 1e-6, RopeTheta: 10000, MaxPositionEmbeddings: 2048,
		InitializerRange: 0.02, KVLoraRank: 128, QKNopeHeadDim: 64, QKRopeHeadDim: 32, VHeadDim: 64,
		NRoutedExperts: 16, NSharedExperts: 2, NumExpertsPerTok: 4, MoEIntermediateSize: 352,
		FirstKDenseReplace: 1, RoutedScalingFactor: 1,
	}, 8, 256}
}

// Options say how to measure.
type Options struct {
	Threads   int    // 0 for all
	Kernel    string // "" for the best
	Steps     int    // after one that does not count
	Recompute bool
}

// A Result is what was measured. Rates are of the median step.
type Result struct {
	Device     string    `json:"device"`
	Threads    int       `json:"threads"`
	Parameters int       `json:"parameters"`
	Tokens     int       `json:"tokens"` // in a step
	Losses     []float64 `json:"losses"`
	Rates      []float64 `json:"tokens_per_s"` // of each step
	Median     float64   `json:"median_tokens_per_s"`
	// FLOPs of a token: with attention to the whole sequence, as peers compute
	// it, and as it is computed here, to what a token sees.
	FLOPs     float64 `json:"flops_per_token"`
	FLOPsDone float64 `json:"flops_per_token_done"`
	Peak      float64 `json:"peak_flops"` // a second; measured before and after, the larger
	Share     float64 `json:"peak_share"` // of FLOPs
	ShareDone float64 `json:"peak_share_done"`
	PeakRSS   float64 `json:"peak_rss_mb,omitempty"` // of the process; 0 where the system does not tell
}

func (o Options) device() (*cpu.Device, error) {
	if o.Kernel == "" {
		return cpu.New(o.Threads), nil
	}
	return cpu.NewKernel(o.Threads, o.Kernel)
}

// Step trains from random numbers on random tokens: AdamW, the gradient clipped.
// progress, which may be nil, is told of each step.
func Step(ctx context.Context, s Shape, o Options, progress func(step int, rate float64)) (Result, error) {
	dev, err := o.device()
	if err != nil {
		return Result{}, err
	}
	m, err := model.New(dev, s.Config, s.SeqLen)
	if err != nil {
		return Result{}, err
	}
	m.Init("bench")
	m.Recompute(o.Recompute)
	trainer, err := train.New(dev, m, train.Options{
		Params: func(string) bool { return true }, Batch: s.Batch,
		Schedule: train.Schedule{Peak: 1e-3},
		Rules:    train.Rules{Beta1: 0.9, Beta2: 0.95, WeightDecay: 0.1, ClipNorm: 1},
	}, random(s.Config.VocabSize))
	if err != nil {
		return Result{}, err
	}
	count := s.Config.Count(s.SeqLen)
	out := Result{
		Device: dev.Name(), Threads: dev.Threads(), Parameters: count.Params, Tokens: s.Batch * s.SeqLen,
		FLOPs: count.FLOPs + count.Unseen, FLOPsDone: count.FLOPs, Peak: dev.Peak(),
	}
	for i := range o.Steps + 1 {
		start := time.Now()
		step, err := trainer.Step(ctx)
		if err != nil {
			return Result{}, fmt.Errorf("step %d: %w", i, err)
		}
		if i == 0 { // memory is taken in the first
			continue
		}
		rate := float64(out.Tokens) / time.Since(start).Seconds()
		out.Rates, out.Losses = append(out.Rates, rate), append(out.Losses, step.Loss)
		if progress != nil {
			progress(i, rate)
		}
	}
	out.Peak = max(out.Peak, dev.Peak())
	out.Median = median(out.Rates)
	out.Share, out.ShareDone = out.Median*out.FLOPs/out.Peak, out.Median*out.FLOPsDone/out.Peak
	out.PeakRSS = peakRSS()
	return out, nil
}

// random returns a reader of tokens that are all as likely.
func random(vocab int) train.Reader {
	return func(dst []int32, i int64) error {
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		for k := range dst {
			dst[k] = rng.Int32N(int32(vocab))
		}
		return nil
	}
}

func median(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(x))
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}
