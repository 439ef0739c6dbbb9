package data

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// familyCase is what Hugging Face's library, version 0.21.1, made of a text with one
// of the small tokenizers in testdata/families, or of tokens. It is written by
// conformance/tokenizer/families.py.
type familyCase struct {
	Tokenizer string  `json:"tokenizer"`
	Text      *string `json:"text"` // absent if the tokens were drawn
	IDs       []int32 `json:"ids"`
	Prompt    []int32 `json:"prompt"` // absent if it is the same
	Shown     string  `json:"shown"`  // with special tokens
	Skipped   *string `json:"skipped"`
}

func familyCases(t testing.TB) []familyCase {
	t.Helper()
	f, err := os.Open("testdata/families.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []familyCase
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c familyCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if c.Prompt == nil {
			c.Prompt = c.IDs
		}
		if c.Skipped == nil {
			c.Skipped = &c.Shown
		}
		cases = append(cases, c)
	}
	return cases
}

func family(t testing.TB, name string) *Tokenizer {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "families", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tok, err := LoadTokenizer(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return tok
}

func TestFamiliesAsTheLibrary(t *testing.T) {
	toks := map[string]*Tokenizer{}
	failed := map[string]int{}
	for _, c := range familyCases(t) {
		tok := toks[c.Tokenizer]
		if tok == nil {
			tok = family(t, c.Tokenizer)
			toks[c.Tokenizer] = tok
		}
		if failed[c.Tokenizer] > 3 {
			continue
		}
		if c.Text != nil {
			if diff := cmp.Diff(append([]int32{}, c.IDs...), tok.Encode(*c.Text)); diff != "" {
				failed[c.Tokenizer]++
				t.Errorf("%s %q: ids (-library +ours):\n%s", c.Tokenizer, *c.Text, diff)
			}
			if diff := cmp.Diff(append([]int32{}, c.Prompt...), tok.Prompt(*c.Text)); diff != "" {
				failed[c.Tokenizer]++
				t.Errorf("%s %q: prompt (-library +ours):\n%s", c.Tokenizer, *c.Text, diff)
			}
		}
		for skip, want := range map[bool]string{false: c.Shown, true: *c.Skipped} {
			if got := tok.Text(c.IDs, skip); got != want {
				failed[c.Tokenizer]++
				t.Errorf("%s %v: skipping %v the text is %q, want %q", c.Tokenizer, c.IDs, skip, got, want)
			}
		}
	}
	if len(toks) != 21 {
		t.Errorf("%d tokenizers", len(toks))
	}
}
