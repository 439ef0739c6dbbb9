package ledger

import (
	"slices"
	"strings"
)

// A state is the chain's storage: SCALE values under raw keys, in key order. It
// remembers how to undo what was written since a mark, and what each key held
// when the block began.
type state struct {
	values map[string][]byte // never changed in place
	keys   keySet
	undo   []prior
	before map[string]prior
}

// A prior is what a key held before.
type prior struct {
	key   string
	value []byte // nil if there was none
}

func newState() *state {
	return &state{values: map[string][]byte{}, before: map[string]prior{}}
}

// put stores value, which must not be nil, or deletes the key if it is.
func (s *state) put(key string, value []byte) {
	old := s.values[key]
	s.undo = append(s.undo, prior{key, old})
	if _, seen := s.before[key]; !seen {
		s.before[key] = prior{key, old}
	}
	s.assign(key, value, old)
}

func (s *state) assign(key string, value, old []byte) {
	switch {
	case value != nil && old == nil:
		s.keys.insert(key)
	case value == nil && old != nil:
		s.keys.remove(key)
	}
	if value == nil {
		delete(s.values, key)
	} else {
		s.values[key] = value
	}
}

// mark returns a point to roll back to.
func (s *state) mark() int { return len(s.undo) }

// rollback undoes everything since the mark.
func (s *state) rollback(mark int) {
	for i := len(s.undo) - 1; i >= mark; i-- {
		p := s.undo[i]
		s.assign(p.key, p.value, s.values[p.key])
	}
	s.undo = s.undo[:mark]
}

// A Change is one key that a block gave a new value, or deleted.
type Change struct {
	Key   []byte
	Value []byte // nil: deleted
}

// flush ends the block and returns what it changed, in key order.
func (s *state) flush() []Change {
	changes := make([]Change, 0, len(s.before))
	for key, p := range s.before {
		now := s.values[key]
		if (now == nil) != (p.value == nil) || string(now) != string(p.value) {
			changes = append(changes, Change{[]byte(key), now})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return slices.Compare(a.Key, b.Key) })
	clear(s.before)
	s.undo = s.undo[:0]
	return changes
}

// under returns up to limit keys that begin with prefix and come after the key
// after, all if limit is negative.
func (s *state) under(prefix, after string, limit int) []string {
	var found []string
	from := max(prefix, after)
	s.keys.ascend(from, func(key string) bool {
		if len(found) == limit || !strings.HasPrefix(key, prefix) {
			return false
		}
		if key != after || after == "" {
			found = append(found, key)
		}
		return true
	})
	return found
}

// A keySet is an ordered set of strings: sorted runs of bounded length, so that
// an insertion moves few of them.
type keySet struct{ runs [][]string }

const maxRun = 512

// run returns the index of the run that holds key or would.
func (k *keySet) run(key string) int {
	i, found := slices.BinarySearchFunc(k.runs, key, func(r []string, key string) int {
		return strings.Compare(r[0], key)
	})
	if !found {
		i = max(i-1, 0)
	}
	return i
}

func (k *keySet) insert(key string) {
	if len(k.runs) == 0 {
		k.runs = [][]string{{key}}
		return
	}
	i := k.run(key)
	r := k.runs[i]
	at, found := slices.BinarySearch(r, key)
	if found {
		return
	}
	r = slices.Insert(r, at, key)
	k.runs[i] = r
	if len(r) > maxRun {
		k.runs[i] = slices.Clone(r[:maxRun/2])
		k.runs = slices.Insert(k.runs, i+1, slices.Clone(r[maxRun/2:]))
	}
}

func (k *keySet) remove(key string) {
	if len(k.runs) == 0 {
		return
	}
	i := k.run(key)
	at, found := slices.BinarySearch(k.runs[i], key)
	if !found {
		return
	}
	if k.runs[i] = slices.Delete(k.runs[i], at, at+1); len(k.runs[i]) == 0 {
		k.runs = slices.Delete(k.runs, i, i+1)
	}
}

// ascend calls f with the keys from on, in order, until f returns false. The
// set must not change meanwhile.
func (k *keySet) ascend(from string, f func(string) bool) {
	if len(k.runs) == 0 {
		return
	}
	i := k.run(from)
	at, _ := slices.BinarySearch(k.runs[i], from)
	for ; i < len(k.runs); i++ {
		for _, key := range k.runs[i][at:] {
			if !f(key) {
				return
			}
		}
		at = 0
	}
}
