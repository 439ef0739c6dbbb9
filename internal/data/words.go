package data

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A class is what the splitting into words tells characters apart by.
type class uint8

const (
	other  class = iota
	letter       // \p{L}
	number       // \p{N}
	space        // \s
)

// asciiClass is the class of every one-byte character.
var asciiClass = func() (t [utf8.RuneSelf]class) {
	for c := range t {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			t[c] = letter
		case '0' <= c && c <= '9':
			t[c] = number
		case c == ' ', '\t' <= c && c <= '\r':
			t[c] = space
		}
	}
	return t
}()

// classAt returns the class and the length of the character at the beginning of
// s, which is not empty. A byte that is not UTF-8 is a character of its own.
func classAt(s string) (class, int) {
	if s[0] < utf8.RuneSelf {
		return asciiClass[s[0]], 1
	}
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case unicode.IsLetter(r):
		return letter, size
	case unicode.IsNumber(r):
		return number, size
	case unicode.IsSpace(r):
		return space, size
	}
	return other, size
}

// nextWord returns the length of the word at the beginning of s, which is not
// empty. Words are what GPT-2 merges within; it is the first match of
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// which the tokenizers library calls ByteLevel with use_regex.
func nextWord(s string) int {
	if s[0] == '\'' {
		if n := contraction(s[1:]); n > 0 {
			return 1 + n
		}
	}
	start := 0
	if s[0] == ' ' && len(s) > 1 {
		start = 1
	}
	kind, n := classAt(s[start:])
	if kind == space {
		return spaces(s)
	}
	n += start
	for n < len(s) {
		k, size := classAt(s[n:])
		if k != kind {
			break
		}
		n += size
	}
	return n
}

// contraction returns the length of the English ending that s begins with, after
// an apostrophe, or 0.
func contraction(s string) int {
	if s == "" {
		return 0
	}
	switch s[0] {
	case 's', 't', 'm', 'd':
		return 1
	case 'r', 'v':
		if len(s) > 1 && s[1] == 'e' {
			return 2
		}
	case 'l':
		if len(s) > 1 && s[1] == 'l' {
			return 2
		}
	}
	return 0
}

// spaces returns the length of the white space at the beginning of s. If
// something else follows, its last character is left to that, unless it is the
// only one.
func spaces(s string) int {
	n, last := 0, 0 // the end of the run, the beginning of its last character
	for n < len(s) {
		k, size := classAt(s[n:])
		if k != space {
			if last > 0 {
				return last
			}
			return n
		}
		last = n
		n += size
	}
	return n
}

// nextWordOrLine returns the length of the word at the beginning of s, which is
// not empty, as the models after GPT-4 split: numbers have at most that many
// digits, a word may begin with any one sign, and lines end a word. It is the
// first match of
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
func nextWordOrLine(s string, digits int) int {
	if s[0] == '\'' {
		if n := anyContraction(s[1:]); n > 0 {
			return 1 + n
		}
	}
	kind, size := classAt(s)
	switch kind {
	case letter:
		return size + run(s[size:], letter)
	case number:
		n := size
		for range digits - 1 {
			if n == len(s) {
				break
			}
			k, size := classAt(s[n:])
			if k != number {
				break
			}
			n += size
		}
		return n
	}
	if s[0] != '\r' && s[0] != '\n' {
		if n := run(s[size:], letter); n > 0 {
			return size + n
		}
	}
	signs := 0
	if kind == other {
		signs = size + run(s[size:], other)
	} else if s[0] == ' ' {
		if n := run(s[1:], other); n > 0 {
			signs = 1 + n
		}
	}
	if signs > 0 {
		for signs < len(s) && (s[signs] == '\r' || s[signs] == '\n') {
			signs++
		}
		return signs
	}
	white := run(s, space)
	for i := white - 1; i >= 0; i-- {
		if s[i] == '\r' || s[i] == '\n' {
			return i + 1
		}
	}
	return spaces(s)
}

// run returns the length of the characters of a class at the beginning of s.
func run(s string, kind class) int {
	n := 0
	for n < len(s) {
		k, size := classAt(s[n:])
		if k != kind {
			break
		}
		n += size
	}
	return n
}

// anyContraction is contraction in any case. Besides S, ſ is a case of s.
func anyContraction(s string) int {
	if strings.HasPrefix(s, "ſ") {
		return len("ſ")
	}
	var low [2]byte
	for i := range min(len(s), 2) {
		low[i] = s[i]
		if 'A' <= s[i] && s[i] <= 'Z' {
			low[i] += 'a' - 'A'
		}
	}
	return contraction(string(low[:min(len(s), 2)]))
}
