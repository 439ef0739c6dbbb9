package data

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// A stream gives out, token by token, what all of them give together, and never
// half a character.
func TestStreamAsText(t *testing.T) {
	toks := map[string]*Tokenizer{}
	compared := 0
	for _, c := range familyCases(t) {
		tok := toks[c.Tokenizer]
		if tok == nil {
			tok = family(t, c.Tokenizer)
			toks[c.Tokenizer] = tok
		}
		for _, skip := range []bool{false, true} {
			want := c.Shown
			if skip {
				want = *c.Skipped
			}
			if strings.Contains(want, replacement) && !tok.model.byteLevel {
				continue // all of several bytes are wrong to the library
			}
			compared++
			s := tok.Stream(skip)
			for range 2 { // a stream is used again after its end
				var b strings.Builder
				for _, id := range c.IDs {
					text := s.Next(id)
					if !utf8.ValidString(text) {
						t.Fatalf("%s: token %d gives %q", c.Tokenizer, id, text)
					}
					b.WriteString(text)
				}
				b.WriteString(s.Flush())
				if b.String() != want {
					t.Errorf("%s %v: the stream gives %q, want %q", c.Tokenizer, c.IDs, b.String(), want)
				}
			}
		}
	}
	if compared < 4000 {
		t.Errorf("%d texts compared", compared)
	}
}

// What is whole is given out at once.
func TestStreamHoldsBack(t *testing.T) {
	for _, tt := range []struct {
		name   string
		tokens []string
		want   []string // the last is that of the flush
	}{
		{"gpt2", []string{"h", "Ċ", "ð", "Ł", "Ļ", "Ĥ", "!"}, []string{"h", "\n", "", "", "", "🙂", "!", ""}},
		{"gpt2", []string{"ð", "Ł", "a"}, []string{"", "", replacement + "a", ""}},
		{"gpt2", []string{"Ĥ", "ð", "Ł"}, []string{replacement, "", "", replacement}},
		{"gpt2", []string{"<|endoftext|>", "a"}, []string{"", "a", ""}},
		{"llama2", []string{"▁", "▁the", "<0xC3>", "<0xA9>", "<0xC3>"}, []string{"", " the", "", "é", "", replacement}},
		{"metaspace-always", []string{"▁the", "▁the"}, []string{"the", " the", ""}},
	} {
		tok := family(t, tt.name)
		ids := map[string]int32{}
		if err := vocabOf(tok, ids); err != nil {
			t.Fatal(err)
		}
		s := tok.Stream(true)
		for i, name := range tt.tokens {
			id, ok := ids[name]
			if !ok {
				t.Fatalf("%s has no token %q", tt.name, name)
			}
			if got := s.Next(id); got != tt.want[i] {
				t.Errorf("%s %v: token %d gives %q, want %q", tt.name, tt.tokens, i, got, tt.want[i])
			}
		}
		if got := s.Flush(); got != tt.want[len(tt.want)-1] {
			t.Errorf("%s %v: the end gives %q", tt.name, tt.tokens, got)
		}
		for _, id := range []int32{-1, int32(tok.VocabSize())} {
			if got := s.Next(id); got != "" {
				t.Errorf("token %d of no vocabulary gives %q", id, got)
			}
		}
	}
}

func FuzzStream(f *testing.F) {
	tok := family(f, "gpt2")
	f.Add("it's \xf0\x9f\x99\x82 \xe2\x82")
	f.Fuzz(func(t *testing.T, text string) {
		ids := tok.Encode(text)
		s := tok.Stream(false)
		var b strings.Builder
		for _, id := range ids {
			b.WriteString(s.Next(id))
		}
		b.WriteString(s.Flush())
		if got := b.String(); got != tok.Text(ids, false) || !utf8.ValidString(got) {
			t.Errorf("%q comes as %q", text, got)
		}
		if utf8.ValidString(text) && b.String() != text {
			t.Errorf("%q comes back as %q", text, b.String())
		}
	})
}
