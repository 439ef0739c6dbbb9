package actor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/journal"
	"adit/internal/subnet"
)

var errFull = errors.New("no space left on device")

// TestInsist repeats something block after block, as long as that is of use.
func TestInsist(t *testing.T) {
	again := errors.New("not yet")
	for _, tt := range []struct {
		name  string
		fails []error // what the act says first
		down  bool    // the chain
		limit time.Duration
		err   error
		tries int
		until subnet.Block
	}{
		{"at once", nil, false, time.Hour, nil, 1, 10},
		{"at the third try", []error{again, errFull}, false, time.Hour, nil, 3, 12},
		{"until the last block is over", slices.Repeat([]error{again}, 20), false, time.Hour, again, 6, 15},
		{"a window that has passed", []error{fmt.Errorf("%w at 9", ErrWindow)}, false, time.Hour, ErrWindow, 1, 10},
		{"nobody waits", slices.Repeat([]error{again}, 20), false, 30 * time.Second, again, 3, 12},
		{"nobody knows the block", []error{again}, true, time.Hour, again, 1, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chain := newFakeChain()
				a, _ := newActor(chain)
				time.Sleep(10 * blockTime)
				if tt.down {
					chain.fails = []error{errDown}
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				tries := 0
				err := a.Insist(ctx, 15, "it did not go through", func() error {
					tries++
					if tries <= len(tt.fails) {
						return tt.fails[tries-1]
					}
					return nil
				})
				if !errors.Is(err, tt.err) || tries != tt.tries || chain.now() != tt.until {
					t.Errorf("%v after %d tries in block %d, want %v, %d, %d", err, tries, chain.now(), tt.err, tt.tries, tt.until)
				}
			})
		})
	}
}

// TestCommitOnce puts a commitment on chain in its window, from block 20 to block 40,
// and once, whatever happens before and in between.
func TestCommitOnce(t *testing.T) {
	const key, from, to = "cycle/1/commit", 20, 40
	for _, tt := range []struct {
		name  string
		start subnet.Block // at which it is called
		// before is what went before, and what is to come.
		before func(*testing.T, *fakeChain, *journal.Mem)
		sent   []subnet.Block // the heads at which something was sent
		fields string         // what is sent, "new" if it is ""
		result string         // what the journal holds then
		err    error
	}{
		{name: "sent before its window", start: 10, sent: []subnet.Block{19}, result: "20"},
		{name: "within it", start: 30, sent: []subnet.Block{30}, result: "31"},
		{name: "in its last block", start: 39, sent: []subnet.Block{39}, result: "40"},
		{name: "too late", start: 40, err: ErrWindow},
		{name: "included too late", start: 38, before: func(_ *testing.T, c *fakeChain, _ *journal.Mem) { c.late = 2 }, sent: []subnet.Block{38}, err: ErrWindow},
		{name: "done before a restart", start: 30, before: func(t *testing.T, c *fakeChain, j *journal.Mem) {
			noted(t, j, key, "old", "25")
		}, result: "25"},
		{name: "decided otherwise before a restart", start: 30, before: func(t *testing.T, c *fakeChain, j *journal.Mem) {
			noted(t, j, key, "old", "")
		}, sent: []subnet.Block{30}, fields: "old", result: "31"},
		{name: "on chain before a restart", start: 30, before: func(t *testing.T, c *fakeChain, j *journal.Mem) {
			noted(t, j, key, "old", "")
			c.stored = []inBlock{{25, []string{"old"}}}
		}, result: "25"},
		{name: "on its way before a restart", start: 30, before: func(t *testing.T, c *fakeChain, j *journal.Mem) {
			noted(t, j, key, "old", "")
			noted(t, j, sentKey(key), "", "29")
			c.stored = []inBlock{{33, []string{"old"}}}
		}, result: "33"},
		{name: "lost on its way before a restart", start: 30, before: func(t *testing.T, c *fakeChain, j *journal.Mem) {
			noted(t, j, key, "old", "")
			noted(t, j, sentKey(key), "", "29")
		}, sent: []subnet.Block{29 + lateness}, fields: "old", result: fmt.Sprint(30 + lateness)},
		{name: "not waited for longer than the window", start: 37, before: func(t *testing.T, c *fakeChain, j *journal.Mem) {
			noted(t, j, key, "old", "")
			noted(t, j, sentKey(key), "", "36")
		}, sent: []subnet.Block{39}, fields: "old", result: "40"},
		{name: "refused before a restart", start: 30, before: func(t *testing.T, c *fakeChain, j *journal.Mem) {
			noted(t, j, key, "old", "")
			noted(t, j, sentKey(key), "", "0")
		}, sent: []subnet.Block{30}, fields: "old", result: "31"},
		{name: "refused once", start: 30, before: func(_ *testing.T, c *fakeChain, _ *journal.Mem) {
			c.fails = []error{nil, nil, errDown} // asked what is there, and of the head
		}, sent: []subnet.Block{31}, result: "32"},
		{name: "the chain cannot be read for a moment", start: 30, before: func(_ *testing.T, c *fakeChain, _ *journal.Mem) {
			c.fails = []error{errDown}
		}, sent: []subnet.Block{31}, result: "32"},
		{name: "the answer is lost", start: 30, before: func(_ *testing.T, c *fakeChain, _ *journal.Mem) { c.mute = true }, sent: []subnet.Block{30}, result: "31"},
		{name: "reorganised", start: 30, before: func(t *testing.T, c *fakeChain, _ *journal.Mem) {
			at(t, c, 32, c.retract)
		}, sent: []subnet.Block{30, 31 + settles + 3}, result: fmt.Sprint(31 + settles + 4)},
		{name: "a full disk at first", start: 30, before: func(t *testing.T, c *fakeChain, j *journal.Mem) {
			j.Fault = func(string, string) error {
				if c.now() < 33 {
					return errFull
				}
				return nil
			}
		}, sent: []subnet.Block{33}, result: "34"},
		{name: "a full disk in the end", start: 30, before: func(t *testing.T, c *fakeChain, j *journal.Mem) {
			j.Fault = func(op, name string) error {
				if op == "done" && name == key && c.now() < 38 {
					return errFull
				}
				return nil
			}
		}, sent: []subnet.Block{30}, result: "31"},
		{name: "a disk that stays full", start: 30, before: func(t *testing.T, c *fakeChain, j *journal.Mem) {
			j.Fault = func(string, string) error { return errFull }
		}, err: errFull},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chain := newFakeChain()
				a, mem := newActor(chain)
				if tt.before != nil {
					tt.before(t, chain, mem)
				}
				time.Sleep(time.Duration(tt.start) * blockTime)
				err := a.CommitOnce(t.Context(), key, from, to, []string{"new"})
				if !errors.Is(err, tt.err) {
					t.Errorf("got %v, want %v", err, tt.err)
				}
				if !slices.Equal(chain.sentAt, tt.sent) {
					t.Errorf("sent at %v, want %v", chain.sentAt, tt.sent)
				}
				want := "new"
				if tt.fields != "" {
					want = tt.fields
				}
				for _, got := range chain.sent {
					if got != want {
						t.Errorf("sent %q, want %q", got, want)
					}
				}
				if got, _ := mem.Result(key); got != tt.result {
					t.Errorf("noted %q, want %q", got, tt.result)
				}
				if chain.now() > to+2 {
					t.Errorf("took until block %d", chain.now())
				}
			})
		})
	}
}

// noted writes what an earlier life left in the journal.
func noted(t *testing.T, j *journal.Mem, key, field, result string) {
	t.Helper()
	if field != "" {
		if _, err := j.Intend(key, JSON([]string{field})); err != nil {
			t.Fatal(err)
		}
	}
	if result != "" {
		if err := j.Done(key, result); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCommitIn returns when the commitment is in a block; what follows may begin, and
// CommitOnce then sees to it that it stays there.
func TestCommitIn(t *testing.T) {
	const key = "cycle/1/commit"
	synctest.Test(t, func(t *testing.T) {
		chain := newFakeChain()
		a, mem := newActor(chain)
		if err := a.CommitIn(t.Context(), key, 20, 40, []string{"new"}, false); err != nil || chain.now() != 20 {
			t.Fatalf("block %d, %v", chain.now(), err)
		}
		if _, done := mem.Result(key); done {
			t.Error("it is noted as done before it is safe")
		}
		chain.retract()
		if err := a.CommitOnce(t.Context(), key, 20, 40, []string{"other"}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(chain.sent, []string{"new", "new"}) {
			t.Errorf("sent %q at %v", chain.sent, chain.sentAt)
		}
		if chain.now() < 20+settles {
			t.Errorf("done in block %d, which is not safe yet", chain.now())
		}
	})
}

// TestCommitEnds ends when it is told to, and sends nothing more.
func TestCommitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := newFakeChain()
		a, _ := newActor(chain)
		chain.lost = true
		ctx, cancel := context.WithTimeout(t.Context(), 25*blockTime)
		defer cancel()
		if err := a.CommitOnce(ctx, "k", 20, 40, []string{"new"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if len(chain.sent) != 1 || chain.now() != 25 {
			t.Errorf("sent %d times, ended in block %d", len(chain.sent), chain.now())
		}
	})
}
