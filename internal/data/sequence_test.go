package data

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// counting returns a corpus of one domain whose streams count upwards, so that a
// token tells where it stands.
func counting(train, heldOut int) *Corpus {
	c := &Corpus{info: corpusInfo{Vocab: maxVocab, Domains: []Domain{{Name: "counting"}}}, streams: make([]stream, 1)}
	for i := range train {
		c.streams[0].train = append(c.streams[0].train, uint16(i))
	}
	for i := range heldOut {
		c.streams[0].heldOut = append(c.streams[0].heldOut, uint16(i))
	}
	return c
}

// A pass predicts every token at most once and leaves out less than one
// sequence.
func TestSequencePass(t *testing.T) {
	for _, tt := range []struct{ total, n int }{{1000, 11}, {1000, 2}, {1000, 600}, {17, 17}, {18, 17}, {33, 17}, {4096, 65}, {4097, 65}, {65536, 129}} {
		c := counting(tt.total, 0)
		windows := c.PassLen(0, tt.n)
		if want := int64(tt.total / (tt.n - 1)); windows != want {
			t.Errorf("%+v: a pass of %d sequences, want %d", tt, windows, want)
		}
		var offsets []int32
		for pass := range int64(3) {
			predicted := map[int32]int{}
			least := int32(math.MaxInt32)
			dst := make([]int32, tt.n)
			for i := range windows {
				if err := c.Sequence(dst, 0, "seed", pass*windows+i); err != nil {
					t.Fatal(err)
				}
				for j := 1; j < len(dst); j++ {
					if dst[j] != (dst[j-1]+1)%int32(tt.total) {
						t.Fatalf("%+v: %d follows %d", tt, dst[j], dst[j-1])
					}
					predicted[dst[j]]++
				}
				least = min(least, dst[0])
			}
			if len(predicted) != int(windows)*(tt.n-1) {
				t.Errorf("%+v: pass %d predicts %d tokens, want %d", tt, pass, len(predicted), int(windows)*(tt.n-1))
			}
			offsets = append(offsets, least)
		}
		if tt.n > 10 && offsets[0] == offsets[1] && offsets[1] == offsets[2] {
			t.Errorf("%+v: all passes begin at %d", tt, offsets[0])
		}
	}
}

func TestSequenceSeeds(t *testing.T) {
	c := counting(50000, 0)
	order := func(seed string) []int32 {
		var starts []int32
		for i := range int64(100) {
			dst := make([]int32, 101)
			if err := c.Sequence(dst, 0, seed, i); err != nil {
				t.Fatal(err)
			}
			starts = append(starts, dst[0])
		}
		return starts
	}
	a, b := order("a"), order("b")
	if cmp.Equal(a, b) || slices.IsSorted(a) {
		t.Error("two seeds give one order, or it is not shuffled")
	}
	if !cmp.Equal(a, order("a")) {
		t.Error("one seed gives two orders")
	}
	// The order is part of what a resumed training relies on.
	if diff := cmp.Diff(goldenOrder, a[:6]); diff != "" {
		t.Errorf("the order has changed (-want +got):\n%s", diff)
	}
}

var goldenOrder = []int32{33594, 45894, 12794, 10794, 35494, 43294}

// The first sequence of many seeds falls everywhere: chi-square over 50 places
// with 2000 seeds, whose 99.99th percentile for 49 degrees of freedom is 94.
func TestSequenceUniform(t *testing.T) {
	for place := range int64(3) {
		counts := make([]float64, 50)
		for s := range 2000 {
			p := newPass(fmt.Sprint("seed ", s), 0, 0)
			counts[p.permute(uint64(place), 50)]++
		}
		chi := 0.0
		for _, n := range counts {
			chi += (n - 40) * (n - 40) / 40
		}
		if chi > 94 {
			t.Errorf("place %d: chi-square %.1f", place, chi)
		}
	}
}

func TestHeldOut(t *testing.T) {
	c := counting(0, 25)
	for n, want := range map[int]int64{1: 0, 2: 24, 3: 12, 9: 3, 13: 2, 25: 1, 26: 0} {
		if got := c.HeldOutLen(0, n); got != want {
			t.Errorf("%d sequences of %d, want %d", got, n, want)
		}
	}
	dst := make([]int32, 9)
	for i := range int64(3) {
		if err := c.HeldOut(dst, 0, i); err != nil || dst[0] != int32(8*i) || dst[8] != int32(8*i+8) {
			t.Errorf("sequence %d: %v, %v", i, dst, err)
		}
	}
}

func TestSequenceErrors(t *testing.T) {
	c := counting(25, 25)
	for _, tt := range []struct {
		err  error
		want string
	}{
		{c.Sequence(make([]int32, 9), 1, "", 0), "domain 1 of 1"},
		{c.Sequence(make([]int32, 9), -1, "", 0), "domain -1 of 1"},
		{c.Sequence(make([]int32, 9), 0, "", -1), "sequence number -1"},
		{c.Sequence(make([]int32, 1), 0, "", 0), "want at least 2"},
		{c.Sequence(make([]int32, 26), 0, "", 0), "25 tokens to train on, fewer than a sequence of 26"},
		{c.HeldOut(make([]int32, 9), 1, 0), "domain 1 of 1"},
		{c.HeldOut(make([]int32, 9), 0, 3), "held-out sequence 3 of 3"},
		{c.HeldOut(make([]int32, 9), 0, -1), "held-out sequence -1 of 3"},
		{c.HeldOut(make([]int32, 26), 0, 0), "25 tokens held out, fewer than a sequence of 26"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("got %v, want …%s…", tt.err, tt.want)
		}
	}
}
