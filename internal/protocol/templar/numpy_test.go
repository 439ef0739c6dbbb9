package templar

import (
	"math/big"
	"slices"
	"testing"
)

func (a u128) big() *big.Int {
	n := new(big.Int).SetUint64(a.hi)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(a.lo))
}

func TestSeeds(t *testing.T) {
	for w, want := range map[Window]uint32{0: 4186399962, 1: 1869972635, 2: 3423897132, 1400000: 3379369366, 4200000: 860593483} {
		if got := SliceSeed(w); got != want {
			t.Errorf("seed of window %d = %d, want %d", w, got, want)
		}
	}
	g := newGenerator(SliceSeed(1400000))
	if got, want := g.state.big().String(), "40740444647866010081900300953097734931"; got != want {
		t.Errorf("state = %s, want %s", got, want)
	}
	if got, want := g.inc.big().String(), "147348687532667544107350293811995503925"; got != want {
		t.Errorf("inc = %s, want %s", got, want)
	}
}

func TestAdvance(t *testing.T) {
	for _, n := range []uint64{0, 1, 2, 3, 1000, 12345} {
		a, b := newGenerator(7), newGenerator(7)
		a.uint32() // leaves a half, which is forgotten
		b.uint64()
		a.advance(n)
		for range n {
			b.uint64()
		}
		if x, y := a.uint64(), b.uint64(); x != y {
			t.Errorf("advance by %d: %x, want %x", n, x, y)
		}
	}
}

func TestHalves(t *testing.T) {
	a, b := newGenerator(3), newGenerator(3)
	whole := b.uint64()
	if low := a.uint32(); low != uint32(whole) {
		t.Errorf("first half %x of %x", low, whole)
	}
	next := b.uint64()
	if got := a.uint64(); got != next {
		t.Errorf("64 bits in between: %x, want %x", got, next)
	}
	if high := a.uint32(); high != uint32(whole>>32) {
		t.Errorf("second half %x of %x", high, whole)
	}
}

func TestBounded(t *testing.T) {
	g := newGenerator(1)
	for _, last := range []uint64{0, 1, 6, 1<<32 - 2, 1<<32 - 1, 1 << 32, 1<<40 + 3, 1<<63 + 1, 1<<64 - 1} {
		for range 200 {
			if v := g.bounded(last); v > last {
				t.Fatalf("bounded(%d) = %d", last, v)
			}
		}
	}
}

// The ways to remember what was drawn, and the two ways to shuffle the tail, are
// the same to who looks at the result.
func TestChoice(t *testing.T) {
	for _, tt := range []struct {
		n uint64
		k int
	}{{1, 1}, {10, 10}, {10, 3}, {10_000, 5_000}, {10_001, 201}, {10_001, 10_001}, {20_000, 399}, {1 << 20, 100}, {maxPopulation, 3}} {
		got := newGenerator(5).choice(tt.n, tt.k)
		if len(got) != tt.k {
			t.Fatalf("choice(%d, %d) has %d", tt.n, tt.k, len(got))
		}
		sorted := slices.Clone(got)
		slices.Sort(sorted)
		if len(slices.Compact(sorted)) != tt.k || uint64(sorted[len(sorted)-1]) >= tt.n {
			t.Errorf("choice(%d, %d) repeats itself, or goes beyond", tt.n, tt.k)
		}
		if tt.n > 10_000 && uint64(tt.k) > tt.n/50 {
			if want := plainTail(newGenerator(5), int(tt.n), tt.k); !slices.Equal(got, want) {
				t.Errorf("choice(%d, %d) is not the tail of a shuffled row", tt.n, tt.k)
			}
		}
	}
}

// plainTail is tailShuffle with all numbers written down.
func plainTail(g *generator, n, k int) []uint32 {
	row := make([]uint32, n)
	for i := range row {
		row[i] = uint32(i)
	}
	for i := n - 1; i >= max(n-k, 1); i-- {
		j := g.bounded(uint64(i))
		row[i], row[j] = row[j], row[i]
	}
	return row[n-k:]
}

// What follows was drawn by numpy 2.0.2.

func TestChoiceNumpy(t *testing.T) {
	for _, tt := range []struct {
		seed  uint32
		n     uint64
		k     int
		first []uint32
		sum   uint64
	}{
		{5, 10, 3, []uint32{7, 5, 0}, 12},
		{5, 10_000, 5_000, []uint32{8367, 1223, 5041}, 25007790},
		{5, 10_001, 201, []uint32{1864, 720, 3343}, 1000782}, // from here on the tail is shuffled
		{5, 20_000, 399, []uint32{8393, 15169, 18407}, 3854492},
		{9, 1 << 20, 100_000, []uint32{911698, 205245, 19970}, 52397206953},
		{7, 65_536_000, 655_360, []uint32{247507, 21611944, 26898444}, 21490184581581},
		{3, 4_000_000_000, 5, []uint32{717762936, 3246018160, 342596667}, 5979078937},
	} {
		got := newGenerator(tt.seed).choice(tt.n, tt.k)
		sum := uint64(0)
		for _, v := range got {
			sum += uint64(v)
		}
		if !slices.Equal(got[:3], tt.first) || sum != tt.sum {
			t.Errorf("choice(%d, %d) with seed %d begins with %v and has sum %d, want %v and %d", tt.n, tt.k, tt.seed, got[:3], sum, tt.first, tt.sum)
		}
	}
}

func TestBoundedNumpy(t *testing.T) {
	g := newGenerator(11)
	ends := []uint64{1, 7, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1<<40 + 3, 1<<62 + 1}
	for i, want := range []uint64{0, 0, 552204815, 3423435367, 2583415775, 31543898294, 682188656006560867} {
		if got := g.bounded(ends[i] - 1); got != want {
			t.Errorf("integers(0, %d) = %d, want %d", ends[i], got, want)
		}
	}
	g = newGenerator(11)
	g.bounded(6)
	g.advance(123456789)
	for i, want := range []uint64{913, 26, 418, 910} {
		if got := g.bounded(999); got != want {
			t.Errorf("number %d after advance = %d, want %d", i, got, want)
		}
	}
}
