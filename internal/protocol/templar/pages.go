package templar

import (
	"fmt"
	"math/bits"
	"slices"

	"adit/internal/subnet"
)

// pageRows is how many rows of the data set a page has.
const pageRows = 100

// A Page is some hundred rows of the data set: what a miner trains on in a window,
// and what a validator judges it on.
type Page struct {
	Config string
	Row    int64 // the first
	Split  string
}

// Pages draws the pages of a miner and a window. The order of the configs is that
// of the data set's server, and it counts. The seed is the miner's uid; with
// upstream's --random it is a number that nobody else knows, and the validator
// judges the miner on other text than it has seen.
func Pages(seed uint32, w Window, n int, configs []DataConfig) ([]Page, error) {
	if len(configs) == 0 {
		return nil, fmt.Errorf("pages of window %d: the data set has no configs", w)
	}
	rng := newGenerator(seed)
	rng.advance(uint64(w))
	pages := make([]Page, n)
	for i := range pages {
		c := configs[rng.bounded(uint64(len(configs)-1))]
		if c.Rows < pageRows+2 {
			return nil, fmt.Errorf("pages of window %d: config %.80q has %d rows, which is less than a page", w, c.Name, c.Rows)
		}
		pages[i] = Page{c.Name, int64(rng.bounded(uint64(c.Rows - 1 - pageRows - 1))), c.Split}
	}
	return pages, nil
}

// Documents cuts tokenised text into sequences of one length: one for each
// document, which ends with eos, or as many as a longer one takes. The end itself
// is dropped, what is left of a row is padded with it, and neither is learned.
func Documents(tokens []int32, eos int32, length int) []subnet.Sequence {
	var rows []subnet.Sequence
	for len(tokens) > 0 {
		end := slices.Index(tokens, eos)
		doc := tokens
		if end >= 0 {
			doc, tokens = tokens[:end], tokens[end+1:]
		} else {
			tokens = nil
		}
		for len(doc) > 0 {
			n := min(len(doc), length)
			rows = append(rows, document(doc[:n], eos, length))
			doc = doc[n:]
		}
	}
	return rows
}

// document makes a row of at most length tokens. The model's loss shifts the labels
// by one itself upstream; here Targets[i] is what should follow Tokens[i].
func document(doc []int32, eos int32, length int) subnet.Sequence {
	row := subnet.Sequence{Tokens: make([]int32, length), Targets: make([]int32, length)}
	copy(row.Tokens, doc)
	for i := range row.Tokens {
		if i >= len(doc) {
			row.Tokens[i] = eos
		}
		row.Targets[i] = -1
		if i+1 < len(doc) {
			row.Targets[i] = doc[i+1]
		}
	}
	return row
}

// Batches groups rows in order. The last ones are dropped if they are too few.
func Batches(rows []subnet.Sequence, size int) [][]subnet.Sequence {
	if size < 1 {
		return nil
	}
	list := slices.Collect(slices.Chunk(rows, size))
	if n := len(list); n > 0 && len(list[n-1]) < size {
		list = list[:n-1]
	}
	return list
}

// A SampleRate is the share of its batches that a miner of the slices trains on: it
// grows while there is time left in the window, and shrinks when there was none.
type SampleRate float64

// Next returns the rate of the window after one in which the time was used up, or
// was not.
func (r SampleRate) Next(exhausted bool) SampleRate {
	if exhausted {
		return max(r*0.95, 1e-4)
	}
	return min(r*1.05, 1)
}

// Packed cuts a shard's tokens into one sequence of the sparse generations: every
// token is learned but padding, and the last has nothing after it.
func Packed(tokens []uint32, pad uint32) (subnet.Sequence, error) {
	row := subnet.Sequence{Tokens: make([]int32, len(tokens)), Targets: make([]int32, len(tokens))}
	for i, t := range tokens {
		if bits.Len32(t) > 31 {
			return subnet.Sequence{}, fmt.Errorf("token %d is no token", t)
		}
		row.Tokens[i], row.Targets[i] = int32(t), -1
		if i > 0 && t != pad {
			row.Targets[i-1] = int32(t)
		}
	}
	return row, nil
}
