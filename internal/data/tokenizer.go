package data

import (
	"fmt"
	"strings"
	"sync"
)

// EndOfText parts documents. It is the one special token.
const EndOfText = "<|endoftext|>"

// maxVocab is what fits the two bytes of a stored token.
const maxVocab = 1 << 16

// A Tokenizer is a byte-level BPE: it turns any bytes into tokens and back. It is
// safe for concurrent use.
type Tokenizer struct {
	bytes  []string // by id; "" for the special one
	end    int32
	single [256]int32        // the token of each byte
	merges []merge           // by rank
	ranks  map[[2]int32]rank // of the pair that is merged
	pool   sync.Pool         // of *encoder
}

// A merge makes one token of two neighbours.
type merge struct{ left, right, into int32 }

// A rank is the place of a merge in the order they were learnt: lower goes first.
type rank int32

// newTokenizer makes a tokenizer of checked parts.
func newTokenizer(bytes []string, end int32, single [256]int32, merges []merge) *Tokenizer {
	t := &Tokenizer{bytes: bytes, end: end, single: single, merges: merges}
	t.ranks = make(map[[2]int32]rank, len(merges))
	for i, m := range merges {
		t.ranks[[2]int32{m.left, m.right}] = rank(i)
	}
	t.pool.New = func() any { return &encoder{t: t, cache: make(map[string][]int32)} }
	return t
}

// VocabSize returns the number of tokens, the special one included.
func (t *Tokenizer) VocabSize() int { return len(t.bytes) }

// End returns the id of [EndOfText].
func (t *Tokenizer) End() int32 { return t.end }

// Encode returns the tokens of text. As in the tokenizers library, an EndOfText
// written out in the text becomes that token.
func (t *Tokenizer) Encode(text string) []int32 {
	return t.Append(make([]int32, 0, len(text)/3+1), text)
}

// Append appends the tokens of text to dst.
func (t *Tokenizer) Append(dst []int32, text string) []int32 {
	e := t.pool.Get().(*encoder)
	defer t.pool.Put(e)
	for {
		before, after, found := strings.Cut(text, EndOfText)
		for before != "" {
			n := nextWord(before)
			dst = e.word(dst, before[:n])
			before = before[n:]
		}
		if !found {
			return dst
		}
		dst = append(dst, t.end)
		text = after
	}
}

// Decode returns the bytes of tokens, which need not be UTF-8 if they begin or
// end within a character.
func (t *Tokenizer) Decode(tokens []int32) (string, error) {
	var b strings.Builder
	for i, id := range tokens {
		switch {
		case id == t.end:
			b.WriteString(EndOfText)
		case id < 0 || int(id) >= len(t.bytes):
			return "", fmt.Errorf("decode token %d: id %d is outside the vocabulary of %d", i, id, len(t.bytes))
		default:
			b.WriteString(t.bytes[id])
		}
	}
	return b.String(), nil
}

// An encoder merges words and remembers the result. One goroutine uses it at a
// time.
type encoder struct {
	t     *Tokenizer
	cache map[string][]int32
	syms  []symbol
	queue []candidate
}

const (
	maxCachedWords     = 1 << 16
	maxCachedWordBytes = 64
)

// A symbol is a token of a word that is being merged, in a doubly linked list.
type symbol struct {
	id         int32 // -1 once it is part of its left neighbour
	prev, next int32 // -1 at the ends
}

// A candidate is a merge that was possible when it was queued.
type candidate struct {
	rank        rank
	at          int32 // the left symbol
	left, right int32 // the ids then
}

// before orders candidates as they are to be merged: by rank, then from the left.
func (c candidate) before(d candidate) bool {
	if c.rank != d.rank {
		return c.rank < d.rank
	}
	return c.at < d.at
}

// word appends the tokens of one word.
func (e *encoder) word(dst []int32, w string) []int32 {
	if ids, ok := e.cache[w]; ok {
		return append(dst, ids...)
	}
	start := len(dst)
	dst = e.merge(dst, w)
	if len(w) <= maxCachedWordBytes {
		if len(e.cache) >= maxCachedWords {
			clear(e.cache)
		}
		e.cache[strings.Clone(w)] = append([]int32(nil), dst[start:]...)
	}
	return dst
}

// merge applies the merges to w. The queue makes it n log n, so that a megabyte
// without a space takes no longer than other text.
func (e *encoder) merge(dst []int32, w string) []int32 {
	syms, queue := e.syms[:0], queue(e.queue[:0])
	for i := range len(w) {
		syms = append(syms, symbol{e.t.single[w[i]], int32(i - 1), int32(i + 1)})
	}
	syms[len(w)-1].next = -1
	push := func(at int32) {
		if at < 0 || syms[at].next < 0 {
			return
		}
		pair := [2]int32{syms[at].id, syms[syms[at].next].id}
		if r, ok := e.t.ranks[pair]; ok {
			queue.push(candidate{r, at, pair[0], pair[1]})
		}
	}
	for i := range len(w) {
		push(int32(i))
	}
	for len(queue) > 0 {
		c := queue.pop()
		left := &syms[c.at]
		if left.id != c.left || left.next < 0 || syms[left.next].id != c.right {
			continue // one of the two has been merged since
		}
		right := &syms[left.next]
		left.id, right.id = e.t.merges[c.rank].into, -1
		left.next = right.next
		if left.next >= 0 {
			syms[left.next].prev = c.at
		}
		push(left.prev)
		push(c.at)
	}
	for i := int32(0); i >= 0; i = syms[i].next {
		dst = append(dst, syms[i].id)
	}
	e.syms, e.queue = syms, queue
	return dst
}

// A queue is a binary heap of candidates.
type queue []candidate

func (q *queue) push(c candidate) {
	h := append(*q, c)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !c.before(h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = c
	*q = h
}

func (q *queue) pop() candidate {
	h := *q
	top, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	for i := 0; len(h) > 0; {
		down := 2*i + 1
		if down+1 < len(h) && h[down+1].before(h[down]) {
			down++
		}
		if down >= len(h) || !h[down].before(last) {
			h[i] = last
			break
		}
		h[i] = h[down]
		i = down
	}
	*q = h
	return top
}

// maxVocabulary bounds the tokens of any tokenizer; Gemma's, the largest in use,
// has a quarter of it.
const maxVocabulary = 1 << 20

// appendPart is Append for a part of a text.
func (t *Tokenizer) appendPart(dst []int32, text string, _ bool) []int32 { return t.Append(dst, text) }

// Digest tells a tokenizer from others: the SHA-256 of its file, in hex.
func (t *Tokenizer) Digest() string {
	var b strings.Builder
	if err := t.Save(&b); err != nil {
		return "" // unreachable: a builder takes everything
	}
	return digest([]byte(b.String()))
}
