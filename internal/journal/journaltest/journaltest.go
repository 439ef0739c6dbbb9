// Package journaltest checks that a journal keeps its word. Every
// [subnet.Journal]'s tests call [Run], so that all of them behave alike.
package journaltest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"adit/internal/subnet"
)

// Run exercises journals that open makes: each call returns an empty one, and a
// function that ends it and opens it again, as after a restart.
func Run(t *testing.T, open func(t *testing.T) (j subnet.Journal, reopen func() subnet.Journal)) {
	t.Run("the first payload stands", func(t *testing.T) {
		j, reopen := open(t)
		intend(t, j, "cycle/12/commit1", "hash one", "hash one")
		intend(t, j, "cycle/12/commit1", "hash two", "hash one")
		intend(t, j, "cycle/12/commit2", "", "")
		j = reopen()
		intend(t, j, "cycle/12/commit1", "hash three", "hash one")
		intend(t, j, "cycle/12/commit2", "late", "")
		done(t, j, "cycle/12/commit1", "block 700")
		intend(t, j, "cycle/12/commit1", "hash four", "hash one")
	})
	t.Run("results are kept", func(t *testing.T) {
		j, reopen := open(t)
		intend(t, j, "a", "payload", "payload")
		noResult(t, j, "a")
		noResult(t, j, "never heard of")
		done(t, j, "a", "")
		result(t, j, "a", "")
		done(t, j, "a", "again")
		done(t, j, "seen", "without intent")
		for _, j := range []subnet.Journal{j, reopen()} {
			result(t, j, "a", "again")
			result(t, j, "seen", "without intent")
			noResult(t, j, "b")
		}
	})
	t.Run("an act may be intended after it is known to be done", func(t *testing.T) {
		j, reopen := open(t)
		done(t, j, "a", "r")
		intend(t, j, "a", "p", "p")
		j = reopen()
		intend(t, j, "a", "q", "p")
		result(t, j, "a", "r")
	})
	t.Run("any text goes in", func(t *testing.T) {
		j, reopen := open(t)
		texts := []string{"two\nlines", `{"crc":"00000000",`, "nul \x00", "ünï ☃ 🜂", "<&>\u2028", `"\`, strings.Repeat("long ", 50000)}
		for i, text := range texts {
			intend(t, j, text, text, text)
			done(t, j, text, text)
			intend(t, j, fmt.Sprint(i), text, text)
		}
		j = reopen()
		for i, text := range texts {
			intend(t, j, text, "other", text)
			result(t, j, text, text)
			intend(t, j, fmt.Sprint(i), "other", text)
		}
	})
	t.Run("what would change is refused", func(t *testing.T) {
		j, reopen := open(t)
		for _, bad := range []string{"\xff", "a\xc3", strings.Repeat("x", 64<<20)} {
			if _, err := j.Intend("k", bad); err == nil {
				t.Errorf("Intend of a bad payload of %d bytes succeeded", len(bad))
			}
			if err := j.Done("k", bad); err == nil {
				t.Errorf("Done with a bad result of %d bytes succeeded", len(bad))
			}
			if _, err := j.Intend(bad, "v"); err == nil {
				t.Errorf("Intend of a bad key of %d bytes succeeded", len(bad))
			}
		}
		noResult(t, reopen(), "k")
	})
	t.Run("of many at once one stands", func(t *testing.T) {
		j, reopen := open(t)
		const n = 16
		var got [n]string
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				var err error
				if got[i], err = j.Intend("race", fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
				if err := j.Done(fmt.Sprint(i), got[i]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		j = reopen()
		for i := range n {
			intend(t, j, "race", "late", got[i])
			result(t, j, fmt.Sprint(i), got[0])
		}
	})
}

func intend(t *testing.T, j subnet.Journal, key, payload, want string) {
	t.Helper()
	got, err := j.Intend(key, payload)
	if err != nil {
		t.Error(err)
	}
	if got != want {
		t.Errorf("Intend(%.40q, %.40q) = %.40q, want %.40q", key, payload, got, want)
	}
}

func done(t *testing.T, j subnet.Journal, key, result string) {
	t.Helper()
	if err := j.Done(key, result); err != nil {
		t.Error(err)
	}
}

func result(t *testing.T, j subnet.Journal, key, want string) {
	t.Helper()
	if got, ok := j.Result(key); !ok || got != want {
		t.Errorf("Result(%.40q) = %.40q, %t, want %.40q", key, got, ok, want)
	}
}

func noResult(t *testing.T, j subnet.Journal, key string) {
	t.Helper()
	if got, ok := j.Result(key); ok {
		t.Errorf("Result(%q) = %q, want none", key, got)
	}
}
