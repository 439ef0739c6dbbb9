package data

import (
	"fmt"
	"math"
	"slices"
)

// Bigram returns the loss in nats a token of a bigram model over the held-out
// sequences of n tokens of a domain: the peer a neural model has to beat to have
// learnt more than which token follows which. It is fitted to the same training
// tokens, with absolute discounting interpolated with a unigram distribution
// (Kneser and Ney 1995; Chen and Goodman 1999). It is a strong peer: of several
// discounts and two unigram distributions it takes those that do best on the
// held-out text itself, which a real contestant may not.
func (c *Corpus) Bigram(domain, n int) (lossNats float64, err error) {
	s, err := c.stream(domain)
	if err != nil {
		return 0, err
	}
	windows := c.HeldOutLen(domain, n)
	if windows == 0 {
		return 0, c.tooShort(domain, "held out", int64(len(s.heldOut)), n)
	}
	if len(s.train) < 2 {
		return 0, fmt.Errorf("bigram of domain %d: %d tokens to train on", domain, len(s.train))
	}
	m := fitBigram(s.train, c.VocabSize())
	// Neighbouring sequences share one token, so that the predictions of all are
	// those of one run of the text.
	text := s.heldOut[:windows*int64(n-1)+1]
	best := math.Inf(1)
	for _, lower := range [][]float64{m.continuation, m.unigram} {
		for _, d := range m.discounts() {
			best = min(best, m.loss(text, lower, d))
		}
	}
	return best, nil
}

// A bigram holds the counts of neighbouring tokens.
type bigram struct {
	pairs        []uint32 // left<<16 | right, sorted, each once
	counts       []uint32 // of each pair
	first        []int    // where a left token's pairs begin in pairs
	total        []uint32 // how often each token is a left one
	few          [][3]uint32
	unigram      []float64 // how likely each token is, smoothed
	continuation []float64 // the same by the number of tokens it follows
}

func fitBigram(tokens []uint16, vocab int) *bigram {
	all := make([]uint32, len(tokens)-1)
	for i := range all {
		all[i] = uint32(tokens[i])<<16 | uint32(tokens[i+1])
	}
	slices.Sort(all)
	m := &bigram{
		first: make([]int, vocab+1),
		total: make([]uint32, vocab),
		few:   make([][3]uint32, vocab),
	}
	follows := make([]float64, vocab) // distinct tokens before each
	occurs := make([]float64, vocab)
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j] == all[i] {
			j++
		}
		left, right, n := all[i]>>16, all[i]&0xffff, uint32(j-i)
		m.pairs = append(m.pairs, all[i])
		m.counts = append(m.counts, n)
		m.first[left+1] = len(m.pairs)
		m.total[left] += n
		m.few[left][min(n, 3)-1]++
		follows[right]++
		occurs[right] += float64(n)
		i = j
	}
	for v := range vocab {
		m.first[v+1] = max(m.first[v+1], m.first[v])
	}
	m.unigram, m.continuation = smooth(occurs), smooth(follows)
	return m
}

// smooth makes probabilities of counts, none of them nought.
func smooth(counts []float64) []float64 {
	const extra = 0.5
	sum := extra * float64(len(counts))
	for _, n := range counts {
		sum += n
	}
	p := make([]float64, len(counts))
	for i, n := range counts {
		p[i] = (n + extra) / sum
	}
	return p
}

// discounts are what may be taken off counts of one, two, and three or more.
func (m *bigram) discounts() [][3]float64 {
	all := [][3]float64{{0.5, 0.5, 0.5}, {0.6, 0.6, 0.6}, {0.7, 0.7, 0.7}, {0.8, 0.8, 0.8}, {0.9, 0.9, 0.9}}
	var n [4]float64 // pairs seen once to four times
	for _, c := range m.counts {
		if c <= 4 {
			n[c-1]++
		}
	}
	if n[0] > 0 && n[1] > 0 && n[2] > 0 {
		// The estimates of Chen and Goodman, section 3.
		y := n[0] / (n[0] + 2*n[1])
		d := [3]float64{1 - 2*y*n[1]/n[0], 2 - 3*y*n[2]/n[1], 3 - 4*y*n[3]/n[2]}
		if d[0] > 0 && d[1] > 0 && d[2] > 0 && d[0] < 1 && d[1] < 2 && d[2] < 3 {
			all = append(all, d)
		}
	}
	return all
}

// loss returns the mean loss in nats over text, its first token not counted.
func (m *bigram) loss(text []uint16, lower []float64, discount [3]float64) float64 {
	sum := 0.0
	for i := 1; i < len(text); i++ {
		sum -= math.Log(m.prob(text[i-1], text[i], lower, discount))
	}
	return sum / float64(len(text)-1)
}

func (m *bigram) prob(left, right uint16, lower []float64, discount [3]float64) float64 {
	total := float64(m.total[left])
	if total == 0 {
		return lower[right]
	}
	kept := 0.0 // of the pair's own count
	from, to := m.first[left], m.first[left+1]
	if at, ok := slices.BinarySearch(m.pairs[from:to], uint32(left)<<16|uint32(right)); ok {
		n := m.counts[from+at]
		kept = float64(n) - discount[min(n, 3)-1]
	}
	freed := 0.0
	for k, n := range m.few[left] {
		freed += discount[k] * float64(n)
	}
	return (kept + freed*lower[right]) / total
}
