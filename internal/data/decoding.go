package data

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// decoding is what joins the bytes of tokens to text.
type decoding struct {
	strip int // spaces are taken from the beginning of a text, if it has them
	// fallback holds the tokens that are a byte of a character without a token.
	fallback map[int32]bool
	// first holds what tokens are at the beginning of a text, where they are
	// something else there.
	first map[int32]string
}

// Decode returns the bytes of tokens, which need not be UTF-8 if they begin or
// end within a character. Special tokens are written out. A token outside the
// vocabulary is an error.
func (t *Tokenizer) Decode(tokens []int32) (string, error) {
	var b strings.Builder
	for i, id := range tokens {
		if id < 0 || int(id) >= len(t.bytes) {
			return "", fmt.Errorf("decode token %d: id %d is outside the vocabulary of %d", i, id, len(t.bytes))
		}
		b.WriteString(t.piece(id, i == 0))
	}
	return t.stripped(b.String()), nil
}

// Text returns the text of tokens for people, as the tokenizers library does:
// always UTF-8, with U+FFFD for bytes that are none, and nothing for tokens
// outside the vocabulary. It may pass over special tokens.
func (t *Tokenizer) Text(tokens []int32, skipSpecial bool) string {
	var b strings.Builder
	var bytes []byte // on end, of which one that is wrong spoils all
	flush := func() {
		if utf8.Valid(bytes) {
			b.Write(bytes)
		} else {
			b.WriteString(strings.Repeat(replacement, len(bytes)))
		}
		bytes = bytes[:0]
	}
	first := true
	for _, id := range tokens {
		if id < 0 || int(id) >= len(t.bytes) || t.bytes[id] == "" || skipSpecial && t.special[id] {
			continue
		}
		piece := t.piece(id, first)
		first = false
		if t.decoding.fallback[id] {
			bytes = append(bytes, piece...)
			continue
		}
		flush()
		b.WriteString(piece)
	}
	flush()
	text := t.stripped(b.String())
	if utf8.ValidString(text) {
		return text
	}
	valid, _ := appendText(nil, []byte(text), true)
	return string(valid)
}

// piece returns the bytes of a token, which is in the vocabulary.
func (t *Tokenizer) piece(id int32, first bool) string {
	if first {
		if s, ok := t.decoding.first[id]; ok {
			return s
		}
	}
	return t.bytes[id]
}

// stripped takes the spaces from the beginning of a text that were put there.
func (t *Tokenizer) stripped(s string) string {
	for range t.decoding.strip {
		s = strings.TrimPrefix(s, " ")
	}
	return s
}

// replacement is what stands for bytes that are no text.
const replacement = string(utf8.RuneError)

// appendText appends the characters of b to dst, with U+FFFD for each beginning of
// a character that does not go on (Unicode 15, section 3.9, "maximal subparts").
// If b ends within a character and is not the end of all, what there is of it is
// the rest.
func appendText(dst, b []byte, end bool) (text, rest []byte) {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r != utf8.RuneError || size > 1 {
			dst = append(dst, b[:size]...)
			b = b[size:]
			continue
		}
		if !end && !utf8.FullRune(b) {
			return dst, b
		}
		// As many bytes as may begin a character are one mistake.
		for n := 1; n <= len(b) && !utf8.FullRune(b[:n]); n++ {
			size = n
		}
		dst = append(dst, replacement...)
		b = b[size:]
	}
	return dst, nil
}

// A Stream turns the tokens of a text into the text while they come. What it gives
// out is always UTF-8: the bytes of a character are held back until it is whole.
//
// Unlike [Tokenizer.Text], which knows all tokens, it gives U+FFFD for the wrong
// bytes alone, not for right ones next to them.
type Stream struct {
	t           *Tokenizer
	skipSpecial bool
	begun       bool
	strip       int
	held        []byte // the beginning of a character
	text        []byte
}

// Stream returns a stream at the beginning of a text. It may pass over special
// tokens.
func (t *Tokenizer) Stream(skipSpecial bool) *Stream {
	return &Stream{t: t, skipSpecial: skipSpecial, strip: t.decoding.strip}
}

// Next returns the text that a token completes, which may be none. A token outside
// the vocabulary, as models with a padded one may give out, is no text.
func (s *Stream) Next(id int32) string {
	if id < 0 || int(id) >= len(s.t.bytes) || s.t.bytes[id] == "" || s.skipSpecial && s.t.special[id] {
		return ""
	}
	s.held = append(s.held, s.t.piece(id, !s.begun)...)
	s.begun = true
	for s.strip > 0 && len(s.held) > 0 {
		if s.held[0] != ' ' {
			s.strip = 0
			break
		}
		s.held = s.held[1:]
		s.strip--
	}
	return s.take(false)
}

// Flush returns what is held back, as U+FFFD, at the end of the text, and begins
// another one.
func (s *Stream) Flush() string {
	text := s.take(true)
	s.begun, s.strip = false, s.t.decoding.strip
	return text
}

func (s *Stream) take(end bool) string {
	text, rest := appendText(s.text[:0], s.held, end)
	s.text, s.held = text, append(s.held[:0], rest...)
	return string(text)
}
