package score

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A message is what a miner of these tests sends: of each chunk the greatest
// values, as upstream's miners do.
type message struct {
	indices [][]uint16
	values  [][]float32
}

const (
	topK  = 64
	width = 4096 // values in a chunk
)

// pool draws a message from the coordinates that matter in a chunk for every
// miner: topK of hot ones, so that two honest messages share topK/hot of them,
// and one in two of the values there has the same sign by more than chance.
func pool(seed uint64, miner, chunks, hot int) message {
	var m message
	places, common := make([]int, width), make([]float32, width)
	for chunk := range chunks {
		shared := rand.New(rand.NewPCG(seed, uint64(chunk)))
		own := rand.New(rand.NewPCG(seed+1+uint64(miner), uint64(chunk)))
		start := shared.IntN(width)
		for i := range hot {
			places[i] = (start + i*7) % width
			common[places[i]] = float32(shared.NormFloat64())
		}
		indices, values := make([]uint16, topK), make([]float32, topK)
		for i := range topK {
			j := i + own.IntN(hot-i)
			places[i], places[j] = places[j], places[i]
			indices[i] = uint16(places[i])
			values[i] = common[places[i]] + float32(own.NormFloat64())
		}
		m.indices, m.values = append(m.indices, indices), append(m.values, values)
	}
	return m
}

func (m message) clone() message {
	var c message
	for i := range m.indices {
		c.indices = append(c.indices, slices.Clone(m.indices[i]))
		c.values = append(c.values, slices.Clone(m.values[i]))
	}
	return c
}

func (m message) sketch(t testing.TB, s *Sampling) *Sketch {
	k := s.Sketch()
	for chunk := range m.indices {
		if err := k.Add(chunk, m.indices[chunk], m.values[chunk]); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func compare(t testing.TB, c *Comparison, a, b message) Likeness {
	c.Reset()
	for i := range a.indices {
		if err := c.Add(a.indices[i], a.values[i], b.indices[i], b.values[i]); err != nil {
			t.Fatal(err)
		}
	}
	return c.Likeness()
}

// cheats are what a miner can do to another's message before it is sent as its own.
var cheats = []struct {
	name string
	do   func(m, own message, random *rand.Rand)
}{
	{"exact", func(m, own message, random *rand.Rand) {}},
	{"in another order", func(m, own message, random *rand.Rand) {
		for c := range m.indices {
			random.Shuffle(topK, func(i, j int) {
				m.indices[c][i], m.indices[c][j] = m.indices[c][j], m.indices[c][i]
				m.values[c][i], m.values[c][j] = m.values[c][j], m.values[c][i]
			})
		}
	}},
	{"noise", func(m, own message, random *rand.Rand) {
		for c := range m.values {
			for i := range m.values[c] {
				m.values[c][i] += 0.1 * float32(random.NormFloat64())
			}
		}
	}},
	{"scaled", func(m, own message, random *rand.Rand) {
		for c := range m.values {
			for i := range m.values[c] {
				m.values[c][i] *= 0.37
			}
		}
	}},
	{"a tenth replaced", func(m, own message, random *rand.Rand) {
		for c := range m.indices {
			for i := range m.indices[c] {
				if random.IntN(10) == 0 {
					m.indices[c][i] = uint16(random.IntN(width))
				}
			}
		}
	}},
	{"half of the tensors", func(m, own message, random *rand.Rand) {
		for c := range len(m.indices) / 2 {
			m.indices[c], m.values[c] = own.indices[c], own.values[c]
		}
	}},
	{"every other chunk", func(m, own message, random *rand.Rand) {
		for c := range m.indices {
			if c%2 == 0 {
				m.indices[c], m.values[c] = own.indices[c], own.values[c]
			}
		}
	}},
	{"a chunk of great values", func(m, own message, random *rand.Rand) {
		for i := range m.values[0] {
			m.values[0][i] = 1e30
		}
	}},
}

// Each copy is found and nothing else, among messages that share a seventh of
// their coordinates by nature.
func TestCopies(t *testing.T) {
	const honest, chunks, hot = 24, 600, 450
	random := rand.New(rand.NewPCG(1, 2))
	var messages []message
	for i := range honest {
		messages = append(messages, pool(100, i, chunks, hot))
	}
	for i, cheat := range cheats {
		m := messages[i].clone()
		cheat.do(m, pool(100, honest+i, chunks, hot), random)
		messages = append(messages, m)
	}
	s, err := NewSampling(chunks, random)
	if err != nil {
		t.Fatal(err)
	}
	sketches := make([]*Sketch, len(messages))
	for i, m := range messages {
		sketches[i] = m.sketch(t, s)
	}
	var c Comparison
	calls := 0
	copies, err := s.Copies(sketches, Limits{Overlap: 0.4, Cosine: 0.9}, func(a, b int) (Likeness, error) {
		calls++
		return compare(t, &c, messages[a], messages[b]), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, cheat := range cheats {
		if i >= len(copies) {
			t.Fatalf("%d copies found, want %d", len(copies), len(cheats))
		}
		got := copies[i]
		if got.Original != i || got.Copy != honest+i {
			t.Errorf("%s: found %+v, want %d of %d", cheat.name, got, honest+i, i)
		}
		t.Logf("%s: overlap %.3f, cosine %.3f", cheat.name, got.Overlap, got.Cosine)
	}
	if len(copies) != len(cheats) || calls > len(cheats) {
		t.Errorf("%d copies found by %d comparisons, want %d", len(copies), calls, len(cheats))
	}
}

// 256 honest messages of which each two share 0.3 of their coordinates are all
// told apart by their sketches, whatever the sample.
func TestHonestMinersAreNotCopies(t *testing.T) {
	const miners, chunks, hot = 256, sampledChunks, 213
	for seed := range uint64(2) {
		s, err := NewSampling(chunks, rand.New(rand.NewPCG(seed, seed)))
		if err != nil {
			t.Fatal(err)
		}
		sketches := make([]*Sketch, miners)
		for i := range sketches {
			sketches[i] = pool(seed<<32, i, chunks, hot).sketch(t, s)
		}
		calls := 0
		copies, err := s.Copies(sketches, Limits{Overlap: 0.4, Cosine: 0.9}, func(a, b int) (Likeness, error) {
			calls++
			return Likeness{}, nil
		})
		if err != nil || len(copies) != 0 || calls != 0 {
			t.Errorf("%d copies by %d comparisons, %v", len(copies), calls, err)
		}
	}
}

// Gradients of miners that see other text: a common part and their own. The
// sample says of the top values what all of them say.
func TestSketchOfGradients(t *testing.T) {
	const miners, chunks = 6, sampledChunks + 40
	random := rand.New(rand.NewPCG(3, 4))
	messages := make([]message, miners)
	for range chunks {
		common := make([]float64, width)
		for i := range common {
			common[i] = random.NormFloat64()
		}
		for m := range messages {
			values := make([]float32, width)
			for i := range values {
				values[i] = float32(1.3*common[i] + random.NormFloat64())
			}
			order := make([]uint16, width)
			for i := range order {
				order[i] = uint16(i)
			}
			slices.SortFunc(order, func(a, b uint16) int {
				return int(math.Copysign(1, math.Abs(float64(values[b]))-math.Abs(float64(values[a]))))
			})
			top := make([]float32, topK)
			for i := range top {
				top[i] = values[order[i]]
			}
			messages[m].indices = append(messages[m].indices, order[:topK])
			messages[m].values = append(messages[m].values, top)
		}
	}
	s, err := NewSampling(chunks, random)
	if err != nil {
		t.Fatal(err)
	}
	sketches := make([]*Sketch, miners)
	for i, m := range messages {
		sketches[i] = m.sketch(t, s)
	}
	pairs := s.measure(sketches)
	var c Comparison
	for b := range messages {
		for a := range b {
			want, got := compare(t, &c, messages[a], messages[b]), pairs[pairIndex(a, b)]
			if want.Overlap < 0.1 || want.Overlap > 0.3 {
				t.Errorf("the test's messages %d and %d overlap by %.3f", a, b, want.Overlap)
			}
			if off := math.Abs(got.overlap.mean() - want.Overlap); off > 0.02 || off > doubt*got.overlap.spread() {
				t.Errorf("overlap of %d and %d: sketched %.4f ± %.4f, is %.4f", a, b, got.overlap.mean(), got.overlap.spread(), want.Overlap)
			}
			if off := math.Abs(got.cosine.mean() - want.Cosine); off > 0.02 || off > doubt*got.cosine.spread() {
				t.Errorf("cosine of %d and %d: sketched %.4f ± %.4f, is %.4f", a, b, got.cosine.mean(), got.cosine.spread(), want.Cosine)
			}
		}
	}
}

// Where every miner sends the same coordinates, as windows of slices do, copies
// are found by their values.
func TestCopiesOfDense(t *testing.T) {
	const miners, chunks = 12, 300
	random := rand.New(rand.NewPCG(5, 6))
	values := make([][][]float32, miners)
	for m := range values {
		for c := range chunks {
			v := make([]float32, 50+c)
			common := rand.New(rand.NewPCG(9, uint64(c)))
			for i := range v {
				v[i] = float32(common.NormFloat64() + random.NormFloat64())
			}
			values[m] = append(values[m], v)
		}
	}
	for c := range values[7] {
		for i, v := range values[2][c] {
			values[7][c][i] = -3 * (-v + 0.1*float32(random.NormFloat64()))
		}
	}
	values[9][3][0] = float32(nan)
	s, err := NewSampling(chunks, random)
	if err != nil {
		t.Fatal(err)
	}
	sketches := make([]*Sketch, miners+1) // one is absent
	for m := range values {
		sketches[m] = s.Sketch()
		for c, v := range values[m] {
			if err := sketches[m].AddDense(c, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	calls := 0
	copies, err := s.Copies(sketches, Limits{Overlap: 0.4, Cosine: 0.9}, func(a, b int) (Likeness, error) {
		calls++
		var c Comparison
		for i := range values[a] {
			if err := c.AddDense(values[a][i], values[b][i]); err != nil {
				return Likeness{}, err
			}
		}
		return c.Likeness(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(copies) != 1 || copies[0].Original != 2 || copies[0].Copy != 7 || copies[0].Cosine < 0.99 || copies[0].Overlap != 0 || calls != 1 {
		t.Errorf("found %+v by %d comparisons", copies, calls)
	}
}

// A hundred copies of one message, of which one came half copied before, are
// each compared once: with the one that they are most like.
func TestEnough(t *testing.T) {
	const chunks = 60
	s, err := NewSampling(chunks, rand.New(rand.NewPCG(7, 8)))
	if err != nil {
		t.Fatal(err)
	}
	original, own := pool(4, 0, chunks, 300), pool(4, 1, chunks, 300)
	half := message{
		append(slices.Clone(own.indices[:40]), original.indices[40:]...),
		append(slices.Clone(own.values[:40]), original.values[40:]...),
	}
	messages := []message{half, original}
	for range 100 {
		messages = append(messages, original)
	}
	var sketches []*Sketch
	for _, m := range messages {
		sketches = append(sketches, m.sketch(t, s))
	}
	for enough, want := range map[float64]int{0: 101 * 102 / 2, 0.6: 101} {
		var c Comparison
		calls := 0
		copies, err := s.Copies(sketches, Limits{Overlap: 0.4, Enough: enough}, func(a, b int) (Likeness, error) {
			calls++
			return compare(t, &c, messages[a], messages[b]), nil
		})
		if err != nil || len(copies) != want || calls != want {
			t.Errorf("enough at %v: %d copies by %d comparisons, want %d, %v", enough, len(copies), calls, want, err)
		}
	}

	broken := errors.New("broken")
	if _, err := s.Copies(sketches, Limits{Overlap: 0.4}, func(a, b int) (Likeness, error) { return Likeness{}, broken }); !errors.Is(err, broken) {
		t.Errorf("an error of the comparison became %v", err)
	}
	if _, err := s.Copies(make([]*Sketch, maxMessages+1), Limits{}, nil); err == nil {
		t.Error("any number of messages is compared")
	}
	other, _ := NewSampling(chunks, rand.New(rand.NewPCG(7, 9)))
	if _, err := s.Copies([]*Sketch{s.Sketch(), other.Sketch()}, Limits{}, nil); err == nil {
		t.Error("sketches of two samplings are compared")
	}
}

// Every stratum has one chunk, and it is found again.
func TestSamplingFindsItsChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chunks := rapid.IntRange(1, 1000).Draw(t, "chunks")
		s, err := NewSampling(chunks, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		if err != nil {
			t.Fatal(err)
		}
		var found []int
		for chunk := range chunks {
			if slot, ok := s.slot(chunk); ok {
				if slot != len(found) {
					t.Fatalf("chunk %d is in slot %d, want %d", chunk, slot, len(found))
				}
				found = append(found, chunk)
			}
		}
		if fmt.Sprint(found) != fmt.Sprint(s.picked) || len(found) != min(chunks, sampledChunks) {
			t.Fatalf("of %v found %v", s.picked, found)
		}
	})
	if _, err := NewSampling(0, nil); err == nil {
		t.Error("a message of no chunks can be sampled")
	}
}

func TestSketchRefuses(t *testing.T) {
	s, err := NewSampling(3, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	k := s.Sketch()
	for name, err := range map[string]error{
		"below":   k.Add(-1, nil, nil),
		"beyond":  k.Add(3, nil, nil),
		"lengths": k.Add(0, []uint16{1, 2}, []float32{1}),
		"huge":    k.Add(0, make([]uint16, maxChunk+1), nil),
		"first":   nil,
	} {
		if (err == nil) != (name == "first") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(k.Add(1, []uint16{65535, 7, 7}, []float32{1, float32(nan), 2}), k.AddDense(2, nil)); err != nil {
		t.Error(err)
	}
	if err := k.Add(1, nil, nil); err == nil {
		t.Error("a chunk can be shown twice")
	}
}

// Duplicates, values that are not numbers, chunks of nothing and chunks that
// only one has are to a sketch what they are to a comparison.
func TestSketchOfOddChunks(t *testing.T) {
	type chunk struct {
		indices []uint16
		values  []float32
	}
	inf := float32(inf)
	messages := [][]chunk{
		{{[]uint16{5, 1, 5, 9}, []float32{1, 2, 70, -1}}, {[]uint16{1, 2}, []float32{0, 0}}, {[]uint16{65535, 3}, []float32{1, inf}}, {nil, nil}, {[]uint16{8}, []float32{2}}},
		{{[]uint16{1, 9, 1, 7}, []float32{2, -2, 5, 3}}, {[]uint16{2, 1}, []float32{0, 0}}, {[]uint16{3, 65535}, []float32{2, 4}}, {[]uint16{4}, []float32{1}}, {[]uint16{8}, []float32{0}}},
	}
	s, err := NewSampling(len(messages[0]), rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	var c Comparison
	sketches := []*Sketch{s.Sketch(), s.Sketch(), s.Sketch()}
	for i, a := range messages[0] {
		b := messages[1][i]
		if err := errors.Join(c.Add(a.indices, a.values, b.indices, b.values), sketches[0].Add(i, a.indices, a.values),
			sketches[1].Add(i, b.indices, b.values), sketches[2].AddDense(i, b.values)); err != nil {
			t.Fatal(err)
		}
	}
	pairs, want := s.measure(sketches), c.Likeness()
	got := pairs[pairIndex(0, 1)]
	if math.Abs(got.overlap.mean()-want.Overlap) > 1e-6 || math.Abs(got.cosine.mean()-want.Cosine) > 1e-6 {
		t.Errorf("sketched %.6f, %.6f; compared %+v", got.overlap.mean(), got.cosine.mean(), want)
	}
	if p := pairs[pairIndex(0, 2)]; p != (pair{}) {
		t.Errorf("a message with indices is compared with one without: %+v", p)
	}
	// By hand: of 3, 2, 2, 0 and 1 that could be common 2, 2, 2, 0 and 1 are.
	if !near(want.Overlap, 7.0/8) {
		t.Errorf("overlap %v", want.Overlap)
	}
}

// The comparison says what counting with sets says, and does not depend on
// which of the two is first.
func FuzzComparison(f *testing.F) {
	f.Add([]byte{1, 2, 3, 3}, []byte{3, 2, 9})
	f.Add([]byte{}, []byte{0})
	f.Add([]byte{0, 0, 255}, []byte{255, 255, 0})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		indices := func(of []byte) (out []uint16, values []float32, set map[uint16]float64) {
			set = map[uint16]float64{}
			for i, x := range of {
				v := float32(int(x)*7%13 - 6 + i%3)
				out, values = append(out, uint16(x)*257), append(values, v)
				if _, there := set[uint16(x)*257]; !there {
					set[uint16(x)*257] = float64(v)
				}
			}
			return out, values, set
		}
		ai, av, aset := indices(a)
		bi, bv, bset := indices(b)
		var want Likeness
		dot, aa, bb := 0.0, 0.0, 0.0
		for index, v := range aset {
			aa += v * v
			if w, there := bset[index]; there {
				want.Overlap++
				dot += v * w
			}
		}
		for _, w := range bset {
			bb += w * w
		}
		if smaller := min(len(aset), len(bset)); smaller > 0 {
			want.Overlap /= float64(smaller)
			if aa > 0 && bb > 0 {
				want.Cosine = dot / math.Sqrt(aa*bb)
			}
		}
		var c, turned Comparison
		for range 2 { // the second time shows whether the first has been cleared away
			if err := errors.Join(c.Add(ai, av, bi, bv), turned.Add(bi, bv, ai, av)); err != nil {
				t.Fatal(err)
			}
		}
		for _, got := range []Likeness{c.Likeness(), turned.Likeness()} {
			if !near(got.Overlap, want.Overlap) || !near(got.Cosine, want.Cosine) {
				t.Errorf("%v and %v: %+v, want %+v", a, b, got, want)
			}
		}
	})
}
