package engine

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// onDisk is a subnet.File on disk.
type onDisk struct {
	*os.File
	size int64
}

func (f onDisk) Size() int64 { return f.size }

// saved writes a part of a model to disk.
func saved(b *testing.B, m subnet.Model, keep func(string) bool) subnet.File {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "model.safetensors"))
	if err == nil {
		err = m.Save(f, subnet.Safetensors, keep)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		b.Fatal(err)
	}
	return onDisk{f, size}
}

// words is a text of any tokens.
type words struct{ counting }

func (words) HeldOut(dst []int32, _ int, i int64) error {
	for k := range dst {
		dst[k] = int32(i*31+int64(k)*7) % 1000
	}
	return nil
}
func (words) HeldOutLen(int, int) int64 { return 1000 }

// BenchmarkSubmission compares two ways of evaluating submissions: laying each over
// the model that is loaded, and loading the whole model for each, which is what a
// copy of it costs. A submission is 2 of 64 experts in each layer of a model of 271
// million parameters, in 16 bits. How long the text is changes the comparison, and
// so each is also measured without it.
func BenchmarkSubmission(b *testing.B) {
	cfg := model.Config{
		ModelType: model.DeepSeekV2, VocabSize: 16384, HiddenSize: 512, NumHiddenLayers: 8, NumAttentionHeads: 8,
		NumKeyValueHeads: 8, IntermediateSize: 1408, RMSNormEps: 1e-6, RopeTheta: 10000, MaxPositionEmbeddings: 2048,
		InitializerRange: 0.02, KVLoraRank: 128, QKNopeHeadDim: 64, QKRopeHeadDim: 32, VHeadDim: 64,
		NRoutedExperts: 64, NSharedExperts: 1, NumExpertsPerTok: 1, MoEIntermediateSize: 352,
		FirstKDenseReplace: 1, RoutedScalingFactor: 1,
	}
	e := New(Options{Device: cpu.New(0), Config: cfg, Data: words{}, SeqLen: 64, DType: tensor.F16})
	first, err := e.blank()
	if err != nil {
		b.Fatal(err)
	}
	first.m.Init("benchmark")
	whole := saved(b, first, all)
	shard := saved(b, first, func(name string) bool {
		return strings.Contains(name, ".experts.7.") || strings.Contains(name, ".experts.40.")
	})
	first.Close()
	group := make(subnet.Experts)
	for l := 1; l < cfg.NumHiddenLayers; l++ {
		group[l] = []int{7, 40}
	}
	loss := func(m subnet.Model, sequences int) {
		if sequences == 0 {
			return
		}
		m.Route(group)
		if _, err := m.Loss(context.Background(), subnet.Sample{Seed: "seed", Sequences: sequences}); err != nil {
			b.Fatal(err)
		}
	}
	perMinute := func(b *testing.B) { b.ReportMetric(60*float64(b.N)/b.Elapsed().Seconds(), "submissions/min") }
	for _, tt := range []struct {
		name      string
		sequences int
	}{{"load", 0}, {"1 sequence", 1}, {"16 sequences", 16}} {
		b.Run(tt.name+"/delta", func(b *testing.B) {
			m, err := e.Open(context.Background(), whole)
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			b.ResetTimer()
			for range b.N {
				if err := m.Load(shard); err != nil {
					b.Fatal(err)
				}
				loss(m, tt.sequences)
			}
			perMinute(b)
		})
		b.Run(tt.name+"/whole", func(b *testing.B) {
			for range b.N {
				m, err := e.Open(context.Background(), whole, shard)
				if err != nil {
					b.Fatal(err)
				}
				loss(m, tt.sequences)
				m.Close()
			}
			perMinute(b)
		})
	}
}
