package data

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// upwards returns tokens that count upwards, so that a token tells where it stands.
func upwards(t testing.TB, n int) *Tokens {
	t.Helper()
	return open(t, TokenOptions{}, write(t, "a.bin", raw(count(0, n))))
}

// In an epoch each token is predicted by at most one shard and once, and less than
// one sequence is left out.
func TestOrderEpoch(t *testing.T) {
	for _, tt := range []struct{ total, n, shards int }{
		{1000, 11, 1}, {1000, 11, 3}, {1000, 2, 4}, {1000, 600, 2}, {17, 17, 1}, {18, 17, 2}, {33, 17, 5}, {4097, 65, 7},
	} {
		tokens := upwards(t, tt.total)
		for _, shuffle := range []bool{false, true} {
			o := Order{SeqLen: tt.n, Shuffle: shuffle, Seed: 5, Shards: tt.shards}
			epochLen := tokens.EpochLen(o)
			want := (tt.total - 1) / (tt.n - 1)
			if shuffle {
				want = tt.total / (tt.n - 1)
			}
			if epochLen != int64(want) {
				t.Errorf("%+v: an epoch of %d sequences, want %d", tt, epochLen, want)
			}
			dst := make([]int32, tt.n)
			predicted := map[int64]map[int32]int{}
			for shard := range tt.shards {
				o.Shard = shard
				for i := int64(0); tokens.Epoch(o, i) < 2; i++ {
					if err := tokens.Sequence(dst, o, i); err != nil {
						t.Fatal(err)
					}
					e := tokens.Epoch(o, i)
					if predicted[e] == nil {
						predicted[e] = map[int32]int{}
					}
					for j := 1; j < tt.n; j++ {
						if dst[j] != (dst[j-1]+1)%int32(tt.total) {
							t.Fatalf("%+v: %d follows %d", tt, dst[j], dst[j-1])
						}
						predicted[e][dst[j]]++
					}
				}
			}
			for e := range int64(2) {
				if len(predicted[e]) != want*(tt.n-1) {
					t.Errorf("%+v shuffle %v: epoch %d predicts %d tokens, want %d", tt, shuffle, e, len(predicted[e]), want*(tt.n-1))
				}
				for id, n := range predicted[e] {
					if n != 1 {
						t.Errorf("%+v: token %d is predicted %d times", tt, id, n)
					}
				}
			}
		}
	}
}

func starts(t *testing.T, tokens *Tokens, o Order, from, n int64) []int32 {
	t.Helper()
	var out []int32
	dst := make([]int32, o.SeqLen)
	for i := from; i < from+n; i++ {
		if err := tokens.Sequence(dst, o, i); err != nil {
			t.Fatal(err)
		}
		out = append(out, dst[0])
	}
	return out
}

func TestOrderSeeds(t *testing.T) {
	tokens := upwards(t, 50000)
	o := Order{SeqLen: 101, Shuffle: true, Seed: 1}
	a := starts(t, tokens, o, 0, 100)
	if slices.IsSorted(a) {
		t.Error("not shuffled")
	}
	if cmp.Equal(a, starts(t, tokens, o, 500, 100)) {
		t.Error("two epochs have one order")
	}
	if !cmp.Equal(a[40:], starts(t, tokens, o, 40, 60)) {
		t.Error("going on from a saved number, the sequences are others")
	}
	other := o
	other.Seed = 2
	if cmp.Equal(a, starts(t, tokens, other, 0, 100)) {
		t.Error("two seeds give one order")
	}
	// The order is part of what a resumed training relies on.
	if diff := cmp.Diff(goldenTokenOrder, a[:6]); diff != "" {
		t.Errorf("the order has changed (-want +got):\n%s", diff)
	}
	o.Shuffle = false
	if diff := cmp.Diff([]int32{49700, 49800, 0, 100}, starts(t, tokens, o, 497, 4)); diff != "" {
		t.Errorf("without shuffling (-want +got):\n%s", diff)
	}
}

var goldenTokenOrder = []int32{27280, 24480, 31380, 45580, 33580, 2080}

// The place of a sequence is as good as random over seeds and over epochs:
// chi-square over 50 places with 2000 draws, whose 99.99th percentile for 49
// degrees of freedom is 94.
func TestOrderUniform(t *testing.T) {
	for place := range uint64(3) {
		for name, draw := range map[string]func(i uint64) pass{
			"seeds":  func(i uint64) pass { return newEpoch(i, 0) },
			"epochs": func(i uint64) pass { return newEpoch(3, i) },
		} {
			counts := make([]float64, 50)
			for i := range uint64(2000) {
				counts[draw(i).permute(place, 50)]++
			}
			chi := 0.0
			for _, n := range counts {
				chi += (n - 40) * (n - 40) / 40
			}
			if chi > 94 {
				t.Errorf("place %d over %s: chi-square %.1f", place, name, chi)
			}
		}
	}
}

func TestOrderErrors(t *testing.T) {
	tokens := upwards(t, 25)
	for _, tt := range []struct {
		o    Order
		room int
		i    int64
		want string
	}{
		{Order{SeqLen: 1}, 1, 0, "want at least 2"},
		{Order{SeqLen: 5}, 6, 0, "room for 6 tokens of a sequence of 5"},
		{Order{SeqLen: 5}, 5, -1, "sequence number -1"},
		{Order{SeqLen: 5, Shards: 4}, 5, math.MaxInt64 / 2, "sequence number 4611686018427387903"},
		{Order{SeqLen: 5, Shard: 1}, 5, 0, "shard 1 of 1"},
		{Order{SeqLen: 5, Shard: -1, Shards: 2}, 5, 0, "shard -1 of 2"},
		{Order{SeqLen: 26}, 26, 0, "25 tokens, fewer than a sequence of 26"},
	} {
		err := tokens.Sequence(make([]int32, tt.room), tt.o, tt.i)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want …%s…", err, tt.want)
		}
	}
}

func TestSequenceDoesNotAllocate(t *testing.T) {
	tokens := upwards(t, 20000)
	o := Order{SeqLen: 5001, Shuffle: true, Seed: 1}
	dst := make([]int32, o.SeqLen)
	for _, mapped := range []bool{true, false} {
		if !mapped {
			unmap(t, tokens)
		}
		i := int64(0)
		n := testing.AllocsPerRun(50, func() {
			if err := tokens.Sequence(dst, o, i); err != nil {
				t.Fatal(err)
			}
			i++
		})
		if n != 0 {
			t.Errorf("mapped %v: %v allocations a sequence", mapped, n)
		}
	}
}
