package chainnode

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/ledger"
)

// TestHistory holds a history to a copy of the storage after each block, while
// keys come, change, go and come back, and old states are forgotten.
func TestHistory(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	h := newHistory()
	states := []map[string]string{{}}
	for block := uint32(1); block <= 300; block++ {
		now := maps.Clone(states[len(states)-1])
		changed := make(map[string]ledger.Change)
		for range 12 {
			key := fmt.Sprintf("%02d/%03d", r.IntN(20), r.IntN(60))
			c := ledger.Change{Key: []byte(key)}
			if r.IntN(3) == 0 {
				delete(now, key)
			} else {
				now[key] = strings.Repeat("x", r.IntN(3)) // also of no bytes
				c.Value = []byte(now[key])
			}
			changed[key] = c
		}
		states = append(states, now)
		h.add(block, slices.Collect(maps.Values(changed)))
		if block%50 == 0 && block > 70 {
			h.forget(block - 70)
		}
		for range 2 {
			at := h.oldest + uint32(r.IntN(int(block-h.oldest)+1))
			want := states[at]
			prefix, after, limit := fmt.Sprintf("%02d/", r.IntN(20)), "", r.IntN(20)-1
			if r.IntN(2) == 0 {
				after = fmt.Sprintf("%s%03d", prefix, r.IntN(60))
			}
			var keys []string
			for _, key := range slices.Sorted(maps.Keys(want)) {
				if strings.HasPrefix(key, prefix) && key > after && len(keys) != limit {
					keys = append(keys, key)
				}
			}
			if diff := cmp.Diff(keys, h.under(at, prefix, after, limit)); diff != "" {
				t.Fatalf("block %d at %d, %q after %q: %s", block, at, prefix, after, diff)
			}
			got := make(map[string]string)
			for key, value := range h.values(at) {
				got[key] = string(value)
			}
			if !maps.Equal(want, got) {
				t.Fatalf("block %d at %d: %s", block, at, cmp.Diff(want, got))
			}
		}
	}
	h.forget(300)
	count := 0
	for _, timeline := range h.versions {
		count += len(*timeline)
	}
	if len(states[300]) != count {
		t.Errorf("%d versions of %d keys after all but the last state is forgotten", count, len(states[300]))
	}
}

// TestKeySet inserts in order, against it and at random, across many runs.
func TestKeySet(t *testing.T) {
	t.Parallel()
	for name, number := range map[string]func(i int) int{
		"in order":   func(i int) int { return i },
		"backwards":  func(i int) int { return 5000 - i },
		"everywhere": func(i int) int { return i * 7919 % 5003 },
	} {
		var k keySet
		want := make(map[string]bool)
		for i := range 5000 {
			key := fmt.Sprintf("%06d", number(i))
			k.insert(key)
			k.insert(key)
			want[key] = true
		}
		var got []string
		k.ascend("002", func(key string) bool {
			got = append(got, key)
			return true
		})
		sorted := slices.Sorted(maps.Keys(want))
		at, _ := slices.BinarySearch(sorted, "002")
		if diff := cmp.Diff(sorted[at:], got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for _, run := range k.runs {
			if len(run) > maxRun {
				t.Errorf("%s: a run of %d", name, len(run))
			}
		}
	}
}
