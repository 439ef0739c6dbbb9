package data

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// babble returns text of a few made-up words, with a distribution that has
// something to learn.
func babble(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 7))
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(strings.Repeat("ab", r.IntN(3)))
		b.WriteString([]string{"aaa", "banana", "cab", " the", " then", "\n\n", "é", " 2026"}[r.IntN(8)])
	}
	return b.String()
}

// slowMerges learns merges in the obvious way: count all pairs, merge the most
// frequent, begin again.
func slowMerges(text string, n int) []string {
	var words [][]string
	for text != "" {
		k := nextWord(text)
		var w []string
		for i := range k {
			w = append(w, text[i:i+1])
		}
		words = append(words, w)
		text = text[k:]
	}
	ids := map[string]int{}
	for b := range 256 {
		ids[string([]byte{byte(b)})] = b
	}
	var merges []string
	for len(merges) < n {
		counts := map[[2]string]int{}
		for _, w := range words {
			for i := 1; i < len(w); i++ {
				counts[[2]string{w[i-1], w[i]}]++
			}
		}
		var best [2]string
		for p, c := range counts {
			_, known := ids[p[0]+p[1]]
			if c < minPairs || known {
				continue
			}
			if d := counts[best]; c > d || c == d && (ids[p[0]] < ids[best[0]] || p[0] == best[0] && ids[p[1]] < ids[best[1]]) {
				best = p
			}
		}
		if best[0] == "" {
			break
		}
		merges = append(merges, best[0]+" "+best[1])
		ids[best[0]+best[1]] = len(ids)
		for k, w := range words {
			var merged []string
			for i := 0; i < len(w); i++ {
				if i+1 < len(w) && w[i] == best[0] && w[i+1] == best[1] {
					merged = append(merged, w[i]+w[i+1])
					i++
				} else {
					merged = append(merged, w[i])
				}
			}
			words[k] = merged
		}
	}
	return merges
}

func TestTrainBPE(t *testing.T) {
	for seed := range uint64(5) {
		text := babble(seed, 2000)
		tok, err := TrainBPE(t.Context(), []string{text}, 257+60, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range tok.model.merges {
			got = append(got, tok.bytes[m.left]+" "+tok.bytes[m.right])
		}
		if diff := cmp.Diff(slowMerges(text, 60), got); diff != "" {
			t.Errorf("seed %d: merges (-slow +fast):\n%s", seed, diff)
		}
		var b bytes.Buffer
		if err := tok.Save(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadTokenizer(&b); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

func TestTrainBPEErrors(t *testing.T) {
	for _, vocab := range []int{-1, 256, maxVocab + 1} {
		if _, err := TrainBPE(t.Context(), []string{"text"}, vocab, nil); err == nil {
			t.Errorf("trained a vocabulary of %d", vocab)
		}
	}
	if _, err := TrainBPE(t.Context(), []string{""}, 300, nil); err == nil {
		t.Error("trained on nothing")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := TrainBPE(ctx, []string{"text"}, 300, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	tok, err := TrainBPE(t.Context(), []string{"abab xyz"}, 300, nil)
	if err != nil || tok.VocabSize() != 258 {
		t.Errorf("a text with one pair that repeats: %d tokens, %v; want 258", tok.VocabSize(), err)
	}
}
