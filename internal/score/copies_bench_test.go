package score

import (
	"math/rand/v2"
	"slices"
	"testing"
)

const benchChunks = 30_000 // of 64 in 4096 values: a model of 120 million parameters

// BenchmarkCopies finds eight copies, one of each kind, among 256 messages that
// share a fifth of their coordinates by nature; the exact comparisons are of
// the whole messages.
func BenchmarkCopies(b *testing.B) {
	const miners, hot = 256, 320
	random := rand.New(rand.NewPCG(1, 2))
	s, err := NewSampling(benchChunks, random)
	if err != nil {
		b.Fatal(err)
	}
	messages := map[int]message{}
	sketches := make([]*Sketch, miners)
	for i := range sketches {
		original := miners - 1 - i
		if original < len(cheats) {
			m := messages[original].clone()
			cheats[original].do(m, pool(1, i, benchChunks, hot), random)
			messages[i] = m
		} else if i < len(cheats) {
			messages[i] = pool(1, i, benchChunks, hot)
		}
		if m, whole := messages[i]; whole {
			sketches[i] = m.sketch(b, s)
			continue
		}
		// Of the others the sketch reads no more than this.
		sketches[i] = s.Sketch()
		m := pool(1<<32, i, len(s.picked), hot)
		for slot, chunk := range s.picked {
			if err := sketches[i].Add(chunk, m.indices[slot], m.values[slot]); err != nil {
				b.Fatal(err)
			}
		}
	}
	var c Comparison
	calls := 0
	for b.Loop() {
		copies, err := s.Copies(sketches, Limits{Overlap: 0.4, Cosine: 0.9, Enough: 0.6}, func(x, y int) (Likeness, error) {
			calls++
			return compare(b, &c, messages[x], messages[y]), nil
		})
		if err != nil || len(copies) != len(cheats) {
			b.Fatalf("%d copies found, %v", len(copies), err)
		}
	}
	b.ReportMetric(float64(calls)/float64(b.N), "compared/op")
}

// BenchmarkCopiesAll is the worst there is: 256 copies of one message, compared
// by their sketches alone.
func BenchmarkCopiesAll(b *testing.B) {
	s, err := NewSampling(sampledChunks, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		b.Fatal(err)
	}
	sketches := slices.Repeat([]*Sketch{pool(1, 0, sampledChunks, 320).sketch(b, s)}, 256)
	for b.Loop() {
		if _, err := s.Copies(sketches, Limits{Overlap: 0.4, Enough: 0.6}, func(int, int) (Likeness, error) {
			return Likeness{Overlap: 1}, nil
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSketch is what sketching adds to the decoding of one message.
func BenchmarkSketch(b *testing.B) {
	s, err := NewSampling(benchChunks, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		b.Fatal(err)
	}
	m := pool(1, 0, benchChunks, 320)
	for b.Loop() {
		m.sketch(b, s)
	}
}

// BenchmarkComparison is one exact comparison.
func BenchmarkComparison(b *testing.B) {
	x, y := pool(1, 0, benchChunks, 320), pool(1, 1, benchChunks, 320)
	var c Comparison
	for b.Loop() {
		compare(b, &c, x, y)
	}
}
