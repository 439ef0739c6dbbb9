package data

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// vocabOf fills the tokens of a tokenizer by their names in its file.
func vocabOf(tok *Tokenizer, ids map[string]int32) error {
	var f struct {
		AddedTokens []addedToken `json:"added_tokens"`
		Model       struct {
			Vocab map[string]int32 `json:"vocab"`
		} `json:"model"`
	}
	if err := json.Unmarshal(tok.file, &f); err != nil {
		return err
	}
	for name, id := range f.Model.Vocab {
		ids[name] = id
	}
	for _, a := range f.AddedTokens {
		ids[a.Content] = a.ID
	}
	return nil
}

// Every kind of tokenizer makes the same of a long text in blocks as of the whole,
// but those whose tokens go across spaces.
func TestEncodeInBlocks(t *testing.T) {
	names, err := filepath.Glob("testdata/families/*.json")
	if err != nil || len(names) != 21 {
		t.Fatalf("%d tokenizers, %v", len(names), err)
	}
	text := strings.Repeat("It's the end of the day, and they walk home; 12 of them sang: la\u0301 la, ab </s> été.\n\n  New lines, \tand more.", 20)
	for _, path := range names {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		if name == "across" {
			continue
		}
		tok := family(t, name)
		var got []int32
		blocks := 0
		err := textBlocks(strings.NewReader(text), "x", true, 300, cutWords, func(block string, _ bool) bool {
			got = tok.appendPart(got, block, blocks == 0)
			blocks++
			return true
		})
		if err != nil || blocks < 5 {
			t.Fatalf("%d blocks, %v", blocks, err)
		}
		if diff := cmp.Diff(tok.Encode(text), got); diff != "" {
			t.Errorf("%s (-whole +blocks):\n%.1000s", path, diff)
		}
	}
}

func TestEnd(t *testing.T) {
	for name, want := range map[string]string{
		"gpt2": "<|endoftext|>", "llama3": "<|end_of_text|>", "qwen2": "<|endoftext|>", "llama2": "</s>", "deepseek3": "<｜end▁of▁sentence｜>",
	} {
		tok := family(t, name)
		if id, ok := tok.ID(want); !ok || id != tok.End() {
			t.Errorf("%s: the end is %d, want %d, %s", name, tok.End(), id, want)
		}
	}
	if _, ok := family(t, "gpt2").ID("<s>"); ok {
		t.Error("found a token that is not there")
	}
}

// The splitters written by hand cut as their patterns do.
func TestHandWrittenPatterns(t *testing.T) {
	for pattern, next := range map[string]func(string) int{
		gpt2Pattern:   nextWord,
		llama3Pattern: func(s string) int { return nextWordOrLine(s, 3) },
		qwen2Pattern:  func(s string) int { return nextWordOrLine(s, 1) },
	} {
		match, err := compilePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range familyCases(t) {
			if c.Text == nil {
				continue
			}
			for rest := *c.Text; rest != ""; {
				start, end := match(rest, 0)
				n := next(rest)
				if start != 0 || end != n {
					t.Errorf("%q: %.12q of %q, by the pattern %d to %d", *c.Text, rest[:n], rest, start, end)
				}
				rest = rest[n:]
			}
		}
	}
}

func TestNFC(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"plain", "plain"}, {"", ""},
		{"e\u0301", "é"}, {"é", "é"}, {"\u0301", "\u0301"},
		{"a\u0323\u0307", "ạ\u0307"}, {"a\u0307\u0323", "ạ\u0307"}, // marks in order
		{"s\u0323\u0307", "\u1e69"}, {"s\u0307\u0323", "\u1e69"},
		{"x\u0351\u0316", "x\u0316\u0351"},
		{"a\u0300\u0301", "à\u0301"}, {"\u1100\u1161\u11a8", "각"}, {"가\u11a8", "각"}, {"\u1100\u1161\u1161", "가\u1161"},
		{"\u212b\u2126", "ÅΩ"}, {"\u0344", "\u0308\u0301"}, {"\u0958", "\u0915\u093c"}, {"\ufb1d", "\u05d9\u05b4"},
		{"\u09c7\u09be", "\u09cb"}, {"x\xffe\u0301\xff", "x\xffé\xff"},
		{"a" + strings.Repeat("\u0316\u0300", 3), "à" + strings.Repeat("\u0316", 3) + "\u0300\u0300"},
	} {
		if got := nfc(tt.in); got != tt.want {
			t.Errorf("%+q becomes %+q, want %+q", tt.in, got, tt.want)
		}
	}
}

// What is composed stays so, for every character, and is what the character taken
// apart is composed into.
func TestNFCOfAll(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		s := string(r)
		once := nfc(s)
		if nfc(once) != once {
			t.Fatalf("%U becomes %+q, and that %+q", r, once, nfc(once))
		}
		if apart := string(nfcData().decompose(s)); nfc(apart) != once {
			t.Fatalf("%U, taken apart, becomes %+q, not %+q", r, nfc(apart), once)
		}
	}
}

func FuzzNFC(f *testing.F) {
	f.Add("e\u0301\xff\uac00\u11a8")
	f.Fuzz(func(t *testing.T, s string) {
		once := nfc(s)
		if nfc(once) != once {
			t.Errorf("%+q becomes %+q, and that %+q", s, once, nfc(once))
		}
	})
}

func FuzzCompilePattern(f *testing.F) {
	for _, p := range []string{gpt2Pattern, llama3Pattern, `\s+$|[一-龥\]-]{1,3}|(?i:'s)?x`} {
		f.Add(p, "it's 123 a  b\n")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		next, err := compilePattern(pattern)
		if err != nil {
			return
		}
		var back strings.Builder
		matcher{next, isolated, false}.split(text, beginning, func(s string, _ place) { back.WriteString(s) })
		if back.String() != text {
			t.Errorf("%q by %q comes back as %q", text, pattern, back.String())
		}
	})
}

func FuzzAddedTokens(f *testing.F) {
	b, err := os.ReadFile("testdata/families/added.json")
	if err != nil {
		f.Fatal(err)
	}
	var file tokenizerFile
	if err := json.Unmarshal(b, &file); err != nil {
		f.Fatal(err)
	}
	added := newAddedTokens(file.AddedTokens)
	f.Add("x ab  [MASK] <s></s>  abab ab")
	f.Fuzz(func(t *testing.T, text string) {
		at := 0
		added.split(text, func(s string, from int, id int32) {
			if from < at || id < 0 && (s == "" || text[from:from+len(s)] != s) {
				t.Errorf("%q: %q at %d after %d", text, s, from, at)
			}
			at = from + len(s)
		})
	})
}
