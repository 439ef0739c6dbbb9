package chainnode

import (
	"slices"
	"sort"
	"strings"

	"adit/internal/ledger"
)

// A history holds the storage after each of the last blocks. It is not safe for
// concurrent use.
type history struct {
	versions map[string]*timeline
	keys     keySet // of versions
	oldest   uint32 // the first block whose state is held
}

// A timeline is the values of a key, the oldest first.
type timeline []version

// A version is the value of a key from a block on.
type version struct {
	block uint32
	value []byte // nil: deleted
}

func newHistory() *history { return &history{versions: make(map[string]*timeline)} }

// add takes in what a block changed. The values are kept, not copied.
func (h *history) add(block uint32, changes []ledger.Change) {
	for _, c := range changes {
		t := h.versions[string(c.Key)]
		if t == nil {
			t = new(timeline)
			key := string(c.Key)
			h.versions[key] = t
			h.keys.insert(key)
		}
		*t = append(*t, version{block, c.Value})
	}
}

// at returns the value of a key after a block, or nil.
func (h *history) at(block uint32, key string) []byte {
	t := h.versions[key]
	if t == nil {
		return nil
	}
	return t.at(block)
}

func (t timeline) at(block uint32) []byte {
	i := t.since(block)
	if i < 0 {
		return nil
	}
	return t[i].value
}

// since returns the index of the version that holds after a block, or -1.
func (t timeline) since(block uint32) int {
	return sort.Search(len(t), func(i int) bool { return t[i].block > block }) - 1
}

// under returns up to limit keys with a prefix that come after a key and have a
// value after a block, in order; all if limit is negative.
func (h *history) under(block uint32, prefix, after string, limit int) []string {
	var found []string
	h.keys.ascend(max(prefix, after), func(key string) bool {
		if len(found) == limit || !strings.HasPrefix(key, prefix) {
			return false
		}
		if (key > after || after == "") && h.at(block, key) != nil {
			found = append(found, key)
		}
		return true
	})
	return found
}

// forget drops the states before a block.
func (h *history) forget(oldest uint32) {
	if oldest <= h.oldest {
		return
	}
	h.oldest = oldest
	h.keys = keySet{}
	for _, key := range sortedKeys(h.versions) {
		t := h.versions[key]
		// The last version from before is the value at oldest. What is gone by
		// then, and has not come back, is forgotten whole.
		from := max(0, t.since(oldest))
		if (*t)[from].value == nil && (*t)[from].block <= oldest {
			from++
		}
		if from == len(*t) {
			delete(h.versions, key)
			continue
		}
		if from > 0 {
			*t = slices.Clone((*t)[from:])
		}
		h.keys.insert(key)
	}
}

func sortedKeys(m map[string]*timeline) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// values returns the storage after a block.
func (h *history) values(block uint32) map[string][]byte {
	values := make(map[string][]byte)
	for key, t := range h.versions {
		if v := t.at(block); v != nil {
			values[key] = v
		}
	}
	return values
}

// A keySet is strings in order: runs of bounded length, so that one more, as
// every block brings, moves few.
type keySet struct{ runs [][]string }

const maxRun = 512

// run returns the index of the run that holds a key or would.
func (k *keySet) run(key string) int {
	i := sort.Search(len(k.runs), func(i int) bool { return k.runs[i][0] > key })
	return max(i-1, 0)
}

func (k *keySet) insert(key string) {
	if len(k.runs) == 0 {
		k.runs = [][]string{{key}}
		return
	}
	i := k.run(key)
	at, found := slices.BinarySearch(k.runs[i], key)
	if found {
		return
	}
	r := slices.Insert(k.runs[i], at, key)
	if len(r) <= maxRun {
		k.runs[i] = r
		return
	}
	half := len(r) / 2
	if i == len(k.runs)-1 && at == len(r)-1 {
		half = len(r) - 1 // keys that come in order leave full runs behind
	}
	k.runs[i] = slices.Clone(r[:half])
	k.runs = slices.Insert(k.runs, i+1, slices.Clone(r[half:]))
}

// ascend calls f with the keys from one on, in order, until f returns false.
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
