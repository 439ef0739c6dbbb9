package subtensor

import (
	"errors"
	"testing"

	"adit/internal/subnet"
)

// Runtimes that do not answer for the next epoch have it by their old rule.
func TestNextEpochByRule(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	for n, tempo := range map[int]int{1: 10, 7: 3, 64: 360} {
		f.put(true, module, "NetworksAdded", n)
		f.put(uint16(tempo), module, "Tempo", n)
	}
	for range 13 {
		f.produce()
	}
	c := dialFakes(t, Options{}, f)
	for n, tempo := range map[subnet.NetUID]subnet.Block{1: 10, 7: 3, 64: 360} {
		for at := subnet.Block(1); at <= 13; at++ {
			v, err := c.At(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			want := at + 1
			for (want+subnet.Block(n)+1)%(tempo+1) != tempo {
				want++
			}
			if got, err := v.NextEpoch(t.Context(), n); err != nil || got != want {
				t.Errorf("subnet %d after block %d: %d, %v, want %d", n, at, got, err, want)
			}
		}
	}
	v, err := c.At(t.Context(), latest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.NextEpoch(t.Context(), 99); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("no subnet: %v", err)
	}
}
