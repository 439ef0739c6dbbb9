package journal

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// An entry is what is known of one act.
type entry struct {
	payload, result string
	intended, done  bool
}

// Entries are the acts by key, with the rules of [subnet.Journal] that do not
// depend on where they are kept.
type entries map[string]entry

// apply carries out a record that was written earlier, or is written now.
func (e entries) apply(r record) {
	a := e[r.Key]
	switch r.Op {
	case opIntend:
		if !a.intended { // the first payload stands
			a.intended, a.payload = true, r.Value
		}
	case opDone:
		a.done, a.result = true, r.Value
	}
	e[r.Key] = a
}

// keptRounds is how many of the newest rounds stay in the journal when it is
// compacted. A role looks back at the round before its own; the rest is for
// people who ask what happened.
const keptRounds = 64

// forget drops the finished acts of old rounds. A key that names a round starts
// with a word and the round's number, as "cycle/12/"; others are kept, and so
// is all that was intended and not done.
func (e entries) forget() {
	newest := map[string]uint64{}
	for key := range e {
		if word, n, ok := round(key); ok {
			newest[word] = max(newest[word], n)
		}
	}
	maps.DeleteFunc(e, func(key string, a entry) bool {
		word, n, ok := round(key)
		return ok && a.done && newest[word]-n >= keptRounds
	})
}

func round(key string) (word string, n uint64, ok bool) {
	word, rest, _ := strings.Cut(key, "/")
	number, _, ok := strings.Cut(rest, "/")
	n, err := strconv.ParseUint(number, 10, 64)
	return word, n, ok && err == nil
}

// records returns what makes these entries again, in a fixed order.
func (e entries) records() []record {
	var rs []record
	for _, key := range slices.Sorted(maps.Keys(e)) {
		a := e[key]
		if a.intended {
			rs = append(rs, record{Op: opIntend, Key: key, Value: a.payload})
		}
		if a.done {
			rs = append(rs, record{Op: opDone, Key: key, Value: a.result})
		}
	}
	return rs
}
