package data

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
)

// minVocab is the special token and one token for each byte.
const minVocab = 257

// maxTrainWordBytes leaves overlong words out of the training: rules of dashes and
// encoded data would cost much and teach nothing.
const maxTrainWordBytes = 128

// minPairs is how often two tokens must meet to become one.
const minPairs = 2

// TrainBPE learns a tokenizer with vocab tokens from texts: byte pair encoding
// within the words of GPT-2, over all 256 bytes, with [EndOfText] as token 0.
// Small texts may yield fewer tokens than asked for. The texts alone decide the
// result. progress, which may be nil, hears how many tokens there are.
func TrainBPE(ctx context.Context, texts []string, vocab int, progress func(done, total int)) (*Tokenizer, error) {
	if vocab < minVocab || vocab > maxVocab {
		return nil, fmt.Errorf("train tokenizer: vocabulary of %d: want %d to %d", vocab, minVocab, maxVocab)
	}
	tr := &trainer{index: map[[2]int32]int{}}
	if err := tr.count(ctx, texts); err != nil {
		return nil, err
	}
	if len(tr.words) == 0 {
		return nil, errors.New("train tokenizer: no text")
	}
	bytes, single := byteTokens(vocab)
	var merges []merge
	known := map[string]bool{}
	for len(bytes) < vocab {
		if (len(bytes)-minVocab)%64 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if progress != nil {
				progress(len(bytes), vocab)
			}
		}
		p := tr.best()
		if p == nil {
			break
		}
		token := bytes[p.left] + bytes[p.right]
		if known[token] {
			continue // unreachable: merges within the bytes of a token do not depend on what is around them
		}
		known[token] = true
		into := int32(len(bytes))
		bytes = append(bytes, token)
		merges = append(merges, merge{p.left, p.right, into})
		tr.merge(p, into)
	}
	return newTokenizer(bytes, 0, single, merges), nil
}

// byteTokens returns the vocabulary before any merge.
func byteTokens(vocab int) (bytes []string, single [256]int32) {
	bytes = make([]string, 1, vocab)
	for b := range single {
		single[b] = int32(len(bytes))
		bytes = append(bytes, string([]byte{byte(b)}))
	}
	return bytes, single
}

// A trainer counts pairs of neighbouring tokens over the distinct words and keeps
// the counts up to date while words are merged.
type trainer struct {
	words []word
	pairs []pair
	index map[[2]int32]int // of a pair in pairs
	heap  []entry
}

// A word is one distinct word of the text and how often it occurs.
type word struct {
	ids   []int32
	count int64
}

type pair struct {
	left, right int32
	count       int64
	words       []int32 // that hold it, or held it; some more than once
}

// An entry is a pair with the count it had when it was put on the heap.
type entry struct {
	count int64
	pair  int
}

// count fills the words and the pairs.
func (tr *trainer) count(ctx context.Context, texts []string) error {
	counts := map[string]int64{}
	for _, text := range texts {
		if err := ctx.Err(); err != nil {
			return err
		}
		for text != "" {
			n := nextWord(text)
			if n <= maxTrainWordBytes {
				counts[text[:n]]++
			}
			text = text[n:]
		}
	}
	type counted struct {
		text  string
		count int64
	}
	sorted := make([]counted, 0, len(counts))
	for w, n := range counts {
		sorted = append(sorted, counted{w, n})
	}
	slices.SortFunc(sorted, func(a, b counted) int { return cmp.Compare(a.text, b.text) })
	for i, w := range sorted {
		ids := make([]int32, len(w.text))
		for j := range ids {
			ids[j] = 1 + int32(w.text[j])
		}
		tr.words = append(tr.words, word{ids, w.count})
		tr.add(int32(i), 0)
	}
	for i := range tr.pairs {
		tr.heap = append(tr.heap, entry{tr.pairs[i].count, i})
	}
	heap.Init(tr)
	return nil
}

// add counts the pairs of word w. The pairs with the token fresh are new to it,
// all of them if that is 0.
func (tr *trainer) add(w, fresh int32) {
	ids, n := tr.words[w].ids, tr.words[w].count
	for i := 1; i < len(ids); i++ {
		key := [2]int32{ids[i-1], ids[i]}
		at, ok := tr.index[key]
		if !ok {
			at = len(tr.pairs)
			tr.index[key] = at
			tr.pairs = append(tr.pairs, pair{left: key[0], right: key[1]})
		}
		p := &tr.pairs[at]
		p.count += n
		if (fresh == 0 || key[0] == fresh || key[1] == fresh) && (len(p.words) == 0 || p.words[len(p.words)-1] != w) {
			p.words = append(p.words, w)
		}
	}
}

// best returns the most frequent pair, nil if none is frequent enough. Of equals
// the one with the lower tokens wins.
func (tr *trainer) best() *pair {
	for len(tr.heap) > 0 {
		top := &tr.heap[0]
		p := &tr.pairs[top.pair]
		if top.count == p.count {
			if p.count < minPairs {
				return nil
			}
			heap.Pop(tr)
			return p
		}
		top.count = p.count // it has shrunk since
		heap.Fix(tr, 0)
	}
	return nil
}

// merge replaces the pair by the token into, wherever it stands.
func (tr *trainer) merge(p *pair, into int32) {
	left, right, words := p.left, p.right, p.words
	p.words = nil
	before := len(tr.pairs) // the pairs with into are all new
	for _, w := range words {
		ids := tr.words[w].ids
		if !holds(ids, left, right) {
			continue
		}
		for i := 1; i < len(ids); i++ {
			tr.pairs[tr.index[[2]int32{ids[i-1], ids[i]}]].count -= tr.words[w].count
		}
		merged := ids[:0]
		for i := 0; i < len(ids); i++ {
			if i+1 < len(ids) && ids[i] == left && ids[i+1] == right {
				merged = append(merged, into)
				i++
			} else {
				merged = append(merged, ids[i])
			}
		}
		tr.words[w].ids = merged
		tr.add(w, into)
	}
	for i := before; i < len(tr.pairs); i++ {
		heap.Push(tr, entry{tr.pairs[i].count, i})
	}
}

func holds(ids []int32, left, right int32) bool {
	for i := 1; i < len(ids); i++ {
		if ids[i-1] == left && ids[i] == right {
			return true
		}
	}
	return false
}

// Len, Less, Swap, Push and Pop make the trainer a heap of its pairs.

func (tr *trainer) Len() int { return len(tr.heap) }

func (tr *trainer) Less(i, j int) bool {
	a, b := tr.heap[i], tr.heap[j]
	if a.count != b.count {
		return a.count > b.count
	}
	p, q := tr.pairs[a.pair], tr.pairs[b.pair]
	return p.left < q.left || p.left == q.left && p.right < q.right
}

func (tr *trainer) Swap(i, j int) { tr.heap[i], tr.heap[j] = tr.heap[j], tr.heap[i] }
func (tr *trainer) Push(x any)    { tr.heap = append(tr.heap, x.(entry)) }
func (tr *trainer) Pop() any {
	last := tr.heap[len(tr.heap)-1]
	tr.heap = tr.heap[:len(tr.heap)-1]
	return last
}
