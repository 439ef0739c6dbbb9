package data

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"
)

// EndOfText parts documents. It is the one special token of the tokenizers that
// [TrainBPE] makes.
const EndOfText = "<|endoftext|>"

// maxVocab is what fits the two bytes of a stored token.
const maxVocab = 1 << 16

// maxVocabulary bounds the tokens of any tokenizer; Gemma's, the largest in use,
// has a quarter of it.
const maxVocabulary = 1 << 20

// A Tokenizer turns text into tokens and back by byte pair encoding, either over
// bytes, as GPT-2, Llama 3, Qwen and DeepSeek do, or over characters with bytes
// to fall back on, as Llama 2, Mistral and Gemma do. It is safe for concurrent
// use.
//
// A text goes through four stages, as in Hugging Face's tokenizers library: added
// tokens are taken out of it; what is between them is normalized, then split
// into words; and in each word neighbours are merged, those first that were
// learnt first.
type Tokenizer struct {
	bytes   []string         // by id, what it decodes to; "" for those there are not
	special map[int32]bool   // added tokens that are no text
	names   map[string]int32 // the added tokens
	end     int32            // -1 if there is none
	file    []byte           // as it was read; nil if it was trained

	added       *addedTokens // that are found in the text as it is
	normalizers []normalizer
	normalized  *addedTokens // that are found in the normalized text
	splitters   []splitter
	prefix      []int32 // that a prompt begins with
	suffix      []int32 // that it ends with

	model    bpe
	decoding decoding
	pool     sync.Pool // of *encoder
}

// A bpe is the table of merges and what they begin with.
type bpe struct {
	byteLevel bool
	single    [256]int32        // the token of each byte; -1 if there is none
	chars     map[rune]int32    // the token of each character, if not byte level
	unknown   int32             // for characters that are no token; -1 drops them
	fuse      bool              // makes one of several unknown characters on end
	whole     map[string]int32  // words that are tokens whatever the merges make of them; nil if there are none
	space     rune              // no merge goes from another character to this one; 0 if there is no such
	merges    []merge           // by rank
	ranks     map[[2]int32]rank // of the pair that is merged
}

// A merge makes one token of two neighbours.
type merge struct{ left, right, into int32 }

// A rank is the place of a merge in the order they were learnt: lower goes first.
type rank int32

// newTokenizer makes a byte-level tokenizer of checked parts.
func newTokenizer(bytes []string, end int32, single [256]int32, merges []merge) *Tokenizer {
	t := &Tokenizer{
		bytes: bytes, end: end,
		special:   map[int32]bool{end: true},
		names:     map[string]int32{EndOfText: end},
		added:     newAddedTokens([]addedToken{{ID: end, Content: EndOfText, Special: true}}),
		splitters: []splitter{words(nextWord)},
		model:     bpe{byteLevel: true, single: single, unknown: -1},
	}
	t.bytes[end] = EndOfText
	t.ready(merges)
	return t
}

// ready completes a tokenizer.
func (t *Tokenizer) ready(merges []merge) {
	t.model.merges = merges
	t.model.ranks = make(map[[2]int32]rank, len(merges))
	for i, m := range merges {
		t.model.ranks[[2]int32{m.left, m.right}] = rank(i)
	}
	t.pool.New = func() any { return &encoder{t: t, m: &t.model, cache: make(map[string][]int32)} }
}

// VocabSize returns one more than the greatest token: how many a model must have.
func (t *Tokenizer) VocabSize() int { return len(t.bytes) }

// End returns the token that ends a text, -1 if the tokenizer has none by a name
// in use, such as [EndOfText] or </s>.
func (t *Tokenizer) End() int32 { return t.end }

// ID returns the token of a special or otherwise added token, such as <|im_end|>.
func (t *Tokenizer) ID(name string) (int32, bool) {
	id, ok := t.names[name]
	return id, ok
}

// Digest tells a tokenizer from others: the SHA-256 of its file, in hex.
func (t *Tokenizer) Digest() string {
	var b bytes.Buffer
	if err := t.Save(&b); err != nil {
		return "" // unreachable: a buffer takes everything
	}
	return digest(b.Bytes())
}

// Encode returns the tokens of text. As in the tokenizers library, an EndOfText
// written out in the text becomes that token, and so do all other added ones.
func (t *Tokenizer) Encode(text string) []int32 {
	return t.Append(make([]int32, 0, len(text)/3+1), text)
}

// Prompt returns the tokens of text with those that the tokenizer wants before and
// after it, such as <s>: what a model is to go on from.
func (t *Tokenizer) Prompt(text string) []int32 {
	ids := append(make([]int32, 0, len(text)/3+2), t.prefix...)
	return append(t.Append(ids, text), t.suffix...)
}

// Append appends the tokens of text to dst.
func (t *Tokenizer) Append(dst []int32, text string) []int32 { return t.appendPart(dst, text, true) }

// appendPart appends the tokens of a text, or of a part of one: what stands at the
// beginning of texts alone is not put before the others.
func (t *Tokenizer) appendPart(dst []int32, text string, first bool) []int32 {
	e := t.pool.Get().(*encoder)
	defer t.pool.Put(e)
	e.dst = dst
	t.added.split(text, func(piece string, at int, id int32) {
		switch {
		case id >= 0:
			e.dst = append(e.dst, id)
		case at > 0:
			e.piece(piece, inner)
		case first:
			e.piece(piece, beginning)
		default:
			e.piece(piece, continued)
		}
	})
	dst, e.dst = e.dst, nil
	return dst
}

// An encoder merges words and remembers the result. One goroutine uses it at a
// time.
type encoder struct {
	t     *Tokenizer
	m     *bpe
	dst   []int32
	cache map[string][]int32
	syms  []symbol
	queue []candidate
}

// piece appends the tokens of text between added tokens.
func (e *encoder) piece(s string, at place) {
	for _, n := range e.t.normalizers {
		s = n(s, at)
	}
	if e.t.normalized == nil {
		e.split(e.t.splitters, s, at)
		return
	}
	e.t.normalized.split(s, func(piece string, from int, id int32) {
		switch {
		case id >= 0:
			e.dst = append(e.dst, id)
		case from > 0:
			e.split(e.t.splitters, piece, inner)
		default:
			e.split(e.t.splitters, piece, at)
		}
	})
}

// split appends the tokens of normalized text.
func (e *encoder) split(by []splitter, s string, at place) {
	switch {
	case s == "":
	case len(by) == 0:
		e.words(s)
	default:
		by[0].split(s, at, func(piece string, at place) { e.split(by[1:], piece, at) })
	}
}

// words appends the tokens of a word, or of a text that is not split: it cuts that
// where no merge crosses, so that the parts are short.
func (e *encoder) words(s string) {
	if e.m.space == 0 || e.m.whole != nil {
		e.dst = e.word(e.dst, s)
		return
	}
	from, last := 0, e.m.space
	for i, r := range s {
		if r == e.m.space && last != e.m.space {
			e.dst = e.word(e.dst, s[from:i])
			from = i
		}
		last = r
	}
	e.dst = e.word(e.dst, s[from:])
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
	if id, ok := e.m.whole[w]; ok {
		dst = append(dst, id)
	} else {
		dst = e.merge(dst, w)
	}
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
	e.symbols(w)
	if len(e.syms) == 0 {
		return dst
	}
	syms, queue := e.syms, queue(e.queue[:0])
	syms[len(syms)-1].next = -1
	push := func(at int32) {
		if at < 0 || syms[at].next < 0 {
			return
		}
		pair := [2]int32{syms[at].id, syms[syms[at].next].id}
		if r, ok := e.m.ranks[pair]; ok {
			queue.push(candidate{r, at, pair[0], pair[1]})
		}
	}
	for i := range syms {
		push(int32(i))
	}
	for len(queue) > 0 {
		c := queue.pop()
		left := &syms[c.at]
		if left.id != c.left || left.next < 0 || syms[left.next].id != c.right {
			continue // one of the two has been merged since
		}
		right := &syms[left.next]
		left.id, right.id = e.m.merges[c.rank].into, -1
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
	e.queue = queue
	return dst
}

// symbols begins a word: a token for each byte or character.
func (e *encoder) symbols(w string) {
	e.syms = e.syms[:0]
	add := func(id int32) {
		n := int32(len(e.syms))
		e.syms = append(e.syms, symbol{id, n - 1, n + 1})
	}
	if e.m.byteLevel {
		for i := range len(w) {
			if id := e.m.single[w[i]]; id >= 0 {
				add(id)
			}
		}
		return
	}
	// An unknown character is held back, as the next one may be part of it. Those
	// for which there are bytes do not end the wait; so does the library.
	held := false
	for i, r := range w {
		_, size := utf8.DecodeRuneInString(w[i:])
		if id, ok := e.m.chars[r]; ok && !(r == utf8.RuneError && size == 1) {
			if held {
				add(e.m.unknown)
				held = false
			}
			add(id)
			continue
		}
		if e.hasBytes(w[i : i+size]) {
			for _, b := range []byte(w[i : i+size]) {
				add(e.m.single[b])
			}
			continue
		}
		if held && !e.m.fuse {
			add(e.m.unknown)
		}
		held = e.m.unknown >= 0
	}
	if held {
		add(e.m.unknown)
	}
}

// hasBytes reports whether there is a token for every byte of a character.
func (e *encoder) hasBytes(s string) bool {
	for i := range len(s) {
		if e.m.single[s[i]] < 0 {
			return false
		}
	}
	return true
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
