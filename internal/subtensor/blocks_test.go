package subtensor

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// Every block is given, though the connection is gone while most are made, and
// after a fork those that took their place.
func TestBlocks(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	c := dialFakes(t, Options{}, f)
	f.produce()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []Header
	var last error
	for h, err := range c.Blocks(ctx, 1) {
		if err != nil {
			last = err
			break
		}
		got = append(got, h)
		switch len(got) {
		case 1:
			f.cut()
			for range 5 {
				f.produce()
			}
		case 6:
			f.fork(3)
			f.produce()
		case 10:
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("it ends with %v", last)
	}
	var numbers []subnet.Block
	for i, h := range got {
		numbers = append(numbers, h.Number)
		if i > 0 && i != 6 && h.Parent != got[i-1].Hash {
			t.Errorf("block %d does not follow on the one before", h.Number)
		}
	}
	if d := cmp.Diff([]subnet.Block{1, 2, 3, 4, 5, 6, 4, 5, 6, 7}, numbers); d != "" {
		t.Error(d)
	}
	if got[6].Parent != got[2].Hash {
		t.Error("the fork does not begin where it should")
	}
}

// A chain that hashes its headers in another way is asked for hashes.
func TestUnusualHashes(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	f.blocks[0].hash[0]++
	f.produce()
	f.blocks[1].hash[0]++
	c := dialFakes(t, Options{}, f)
	for range 2 {
		f.produce()
		f.set(func() { f.blocks[len(f.blocks)-1].hash[0]++ })
	}
	if err := c.Wait(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if h, err := c.Hash(t.Context(), subnet.Latest); err != nil || h != f.blocks[3].hash.String() {
		t.Errorf("hash %s, %v", h, err)
	}
}
