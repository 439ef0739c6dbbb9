package compress

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// slowTop sorts all by magnitude, equal ones by place.
func slowTop(x []float32, k int) []uint16 {
	places := make([]uint16, len(x))
	for i := range places {
		places[i] = uint16(i)
	}
	slices.SortStableFunc(places, func(a, b uint16) int {
		return int(magnitude(x[b])) - int(magnitude(x[a]))
	})
	slices.Sort(places[:k])
	return places[:k]
}

// chunksToChoose are chunks that choosing can go wrong in.
func chunksToChoose() map[string][]float32 {
	r := rand.New(rand.NewPCG(3, 3))
	cases := map[string][]float32{
		"usual":  normal(5, MaxChunk, Side),
		"zeros":  make([]float32, MaxChunk),
		"equal":  slices.Repeat([]float32{-2}, MaxChunk),
		"ties":   make([]float32, MaxChunk),
		"sparse": make([]float32, MaxChunk),
		"column": make([]float32, MaxChunk),
		"rising": make([]float32, MaxChunk),
		"octave": make([]float32, MaxChunk),
		"tiny":   make([]float32, MaxChunk),
	}
	for i := range MaxChunk {
		cases["ties"][i] = float32(r.IntN(5) - 2)
		cases["rising"][i] = float32(i) - 1000
		cases["octave"][i] = float32(math.Ldexp(1, r.IntN(250)-125))
		cases["tiny"][i] = math.Float32frombits(uint32(r.IntN(100)))
		if i%64 == 7 {
			cases["column"][i] = r.Float32() + 1
		} else {
			cases["column"][i] = r.Float32()
		}
	}
	for range 30 {
		cases["sparse"][r.IntN(MaxChunk)] = r.Float32() - 0.5
	}
	return cases
}

func TestTop(t *testing.T) {
	for name, x := range chunksToChoose() {
		for _, k := range []int{2, 32, 64, 1000, MaxChunk} {
			index, value := make([]uint16, k), make([]float32, k)
			if err := Top(x, index, value); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if want := slowTop(x, k); !slices.Equal(index, want) {
				t.Fatalf("%s: %d of them are %d, not %d", name, k, index, want)
			}
			for i, at := range index {
				if value[i] != x[at] {
					t.Fatalf("%s: value %d is %g, not %g", name, i, value[i], x[at])
				}
			}
		}
	}
}

func TestTopFailsClosed(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.Float32frombits(0xffffffff)} {
		x := normal(1, MaxChunk, Side)
		x[4000] = bad
		if err := Top(x, make([]uint16, 64), make([]float32, 64)); err == nil {
			t.Errorf("%g is chosen from", bad)
		}
	}
}

// TestPick holds every kernel to the reference, chunk of any height.
func TestPick(t *testing.T) {
	for _, k := range kernels() {
		for name, delta := range chunksToChoose() {
			for _, rows := range []int{64, 29, 1, 2} {
				for _, keep := range []int{64, 32, 2} {
					const stride = 64
					rest := normal(9, rows*Side, Side)
					want := slices.Clone(rest)
					for i := range want {
						want[i] = float32(want[i]*0.95) + float32(delta[i]*0.5)
					}
					index, value := make([]uint16, keep), make([]float32, keep)
					if err := k.pick(rest, delta, stride, 0.95, 0.5, index, value, new(table)); err != nil {
						t.Fatalf("%s: %s: %v", k.name, name, err)
					}
					if !slices.Equal(rest, want) {
						t.Fatalf("%s: %s: %d rows are added wrongly", k.name, name, rows)
					}
					if want := slowTop(rest, keep); !slices.Equal(index, want) {
						t.Fatalf("%s: %s: %d of %d rows are %d, not %d", k.name, name, keep, rows, index, want)
					}
					for i, at := range index {
						if value[i] != rest[at] {
							t.Fatalf("%s: %s: value %d is %g, not %g", k.name, name, i, value[i], rest[at])
						}
					}
				}
			}
		}
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.Float32frombits(0xffffffff)} {
			for _, at := range []int{0, 63, 64, 2000, 4095} {
				delta := normal(4, MaxChunk, Side)
				delta[at] = bad
				if err := k.pick(make([]float32, MaxChunk), delta, Side, 1, 1, make([]uint16, 64), make([]float32, 64), new(table)); err == nil {
					t.Errorf("%s: %g at %d is chosen from", k.name, bad, at)
				}
			}
		}
	}
}

// TestPickStrided picks from the middle of a matrix.
func TestPickStrided(t *testing.T) {
	x := normal(7, 64*192, 192)
	g, _ := NewGrid([]int{64, 192})
	chunk := make([]float32, MaxChunk)
	g.cut(chunk, x, 1)
	for _, k := range kernels() {
		rest, index, value := make([]float32, MaxChunk), make([]uint16, 64), make([]float32, 64)
		if err := k.pick(rest, x[64:], 192, 1, 1, index, value, new(table)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(rest, chunk) || !slices.Equal(index, slowTop(chunk, 64)) {
			t.Errorf("%s: another chunk was read", k.name)
		}
	}
}
