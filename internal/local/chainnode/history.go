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
	versions map[string][]version
	keys     []string // all of versions, sorted but for the last few
	sorted   int      // how many of keys are
	oldest   uint32   // the first block whose state is held
}

// A version is the value of a key from a block on.
type version struct {
	block uint32
	value []byte // nil: deleted
}

func newHistory() *history { return &history{versions: make(map[string][]version)} }

// add takes in what a block changed.
func (h *history) add(block uint32, changes []ledger.Change) {
	for _, c := range changes {
		key := string(c.Key)
		if _, ok := h.versions[key]; !ok {
			h.keys = append(h.keys, key)
		}
		h.versions[key] = append(h.versions[key], version{block, c.Value})
	}
}

// at returns the value of a key after a block, or nil.
func (h *history) at(block uint32, key string) []byte {
	list := h.versions[key]
	i := sort.Search(len(list), func(i int) bool { return list[i].block > block })
	if i == 0 {
		return nil
	}
	return list[i-1].value
}

// under returns up to limit keys with a prefix that come after a key and have a
// value after a block, in order.
func (h *history) under(block uint32, prefix, after string, limit int) []string {
	if h.sorted < len(h.keys) {
		slices.Sort(h.keys)
		h.sorted = len(h.keys)
	}
	var found []string
	i, _ := slices.BinarySearch(h.keys, max(prefix, after))
	for ; i < len(h.keys) && len(found) < limit && strings.HasPrefix(h.keys[i], prefix); i++ {
		if h.keys[i] > after && h.at(block, h.keys[i]) != nil {
			found = append(found, h.keys[i])
		}
	}
	return found
}

// forget drops the states before a block.
func (h *history) forget(oldest uint32) {
	if oldest <= h.oldest {
		return
	}
	h.oldest = oldest
	h.keys, h.sorted = h.keys[:0], 0
	for key, list := range h.versions {
		// The last version from before is the value at oldest.
		i := max(0, sort.Search(len(list), func(i int) bool { return list[i].block > oldest })-1)
		list = slices.Clone(list[i:])
		if len(list) == 1 && list[0].value == nil {
			delete(h.versions, key)
			continue
		}
		h.versions[key] = list
		h.keys = append(h.keys, key)
	}
}

// values returns the storage after a block.
func (h *history) values(block uint32) map[string][]byte {
	values := make(map[string][]byte)
	for key := range h.versions {
		if v := h.at(block, key); v != nil {
			values[key] = v
		}
	}
	return values
}
