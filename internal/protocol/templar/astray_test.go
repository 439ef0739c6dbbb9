package templar

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"adit/internal/subnet"
)

func TestTrail(t *testing.T) {
	var tr trail
	for w := Window(10); w < 20; w++ {
		tr.note(w, mark{int64(w), "x"})
	}
	if tr.first != 20-keptMarks || tr.last() != 19 || len(tr.marks) != keptMarks {
		t.Errorf("kept windows %d to %d: %v", tr.first, tr.last(), tr.marks)
	}
	tr.note(25, mark{25, "y"}) // after a gap nothing of before counts
	if tr.first != 25 || tr.last() != 25 {
		t.Errorf("after a gap kept windows %d to %d", tr.first, tr.last())
	}
	tr.note(25, mark{25, "z"}) // made anew
	if tr.first != 25 || tr.marks[25].digest != "z" {
		t.Errorf("made anew, kept %v from window %d", tr.marks, tr.first)
	}
}

// TestSparseComesBack has a miner that cannot read another's gradient in one window:
// its model is another then, and the network's again within two windows.
func TestSparseComesBack(t *testing.T) {
	for _, rules := range []string{"sparse/20", "adit/20"} {
		t.Run(rules, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newSparseWorld(t)
				v, miners, stop := sparseCrew(w, rules, 3)
				defer stop()
				odd := w.addSparse(rules, 0)
				chain := &testChain{w, odd.hotkey}
				cut := func() bool { return chain.head() >= 1100 && chain.head() < 1115 }
				defer odd.play(func(ctx context.Context, env subnet.Env) error {
					open := env.Bucket
					env.Bucket = func(a subnet.BucketAddress) (subnet.Bucket, error) {
						b, err := open(a)
						return cutBucket{b, cut}, err
					}
					return mineSparse(ctx, env)
				})()
				w.sparseTo(8, sparseTime-2*blockTime)
				agree(t, append(miners, v, odd)...)
				if len(odd.all("astray")) == 0 || len(odd.all("back")) == 0 {
					t.Errorf("it has not come back:\n%s", odd.text())
				}
				for _, n := range append(miners, v) {
					if len(n.all("astray")) > 0 {
						t.Errorf("%s was astray:\n%s", n.hotkey, n.text())
					}
				}
			})
		})
	}
}

// A cutBucket shows neither gradients nor sums of them while it is cut off.
type cutBucket struct {
	subnet.Bucket
	cut func() bool
}

func (b cutBucket) Stat(ctx context.Context, key string) (subnet.Object, error) {
	if b.cut() && (strings.HasPrefix(key, "gradient-") || strings.HasPrefix(key, "aggregator-")) {
		return subnet.Object{}, subnet.ErrDenied
	}
	return b.Bucket.Stat(ctx, key)
}
