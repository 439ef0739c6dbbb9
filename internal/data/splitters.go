package data

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A place is where a piece of text stands in its document.
type place int8

const (
	inner     place = iota // after an added token
	beginning              // of the document
	continued              // after text that was encoded before it
)

// A normalizer changes a text before it is split.
type normalizer func(s string, at place) string

// A splitter cuts a piece of text into smaller ones, in order; a tokenizer's
// splitters work one after the other, and merges stay within what is left.
type splitter interface {
	split(s string, at place, visit func(piece string, at place))
}

// words cuts by a function that returns the length of the first word of a text.
type words func(s string) int

func (w words) split(s string, at place, visit func(string, place)) {
	for s != "" {
		n := w(s)
		visit(s[:n], at)
		s, at = s[n:], inner
	}
}

// spaced puts a space before a text that does not begin with one, as ByteLevel
// does with add_prefix_space.
type spaced struct{}

func (spaced) split(s string, at place, visit func(string, place)) {
	if at != continued && !strings.HasPrefix(s, " ") {
		s = " " + s
	}
	visit(s, at)
}

// A metaspace writes spaces as another character and cuts before it.
type metaspace struct {
	space  string // that stands for one
	prefix string // "always", "first" of the document alone, or "never"
	cut    bool
}

func (m metaspace) split(s string, at place, visit func(string, place)) {
	s = strings.ReplaceAll(s, " ", m.space)
	if at != continued && !strings.HasPrefix(s, m.space) && (m.prefix == "always" || m.prefix == "first" && at == beginning) {
		s = m.space + s
	}
	if !m.cut {
		visit(s, at)
		return
	}
	for s != "" {
		n := len(s)
		// A space is the beginning of what follows, if that is no space.
		if i := strings.Index(s[1:], m.space); i >= 0 {
			n = 1 + i
		}
		visit(s[:n], at)
		s, at = s[n:], inner
	}
}

// digits cuts numbers from other text, and apart if each is on its own.
type digits struct{ each bool }

func (d digits) split(s string, at place, visit func(string, place)) {
	for s != "" {
		n, number := 0, false
		for i, r := range s {
			if i == 0 {
				number = unicode.IsNumber(r)
			} else if unicode.IsNumber(r) != number || number && d.each {
				break
			}
			_, size := utf8.DecodeRuneInString(s[i:])
			n = i + size
		}
		visit(s[:n], at)
		s, at = s[n:], inner
	}
}

// A behaviour is what becomes of the matches of a pattern.
type behaviour string

const (
	isolated   behaviour = "Isolated"
	removed    behaviour = "Removed"
	toPrevious behaviour = "MergedWithPrevious"
	toNext     behaviour = "MergedWithNext"
)

// A matcher cuts at the matches of a pattern.
type matcher struct {
	// next returns the first match in s, which is at from or after; start is
	// -1 if there is none. No match is empty.
	next      func(s string, from int) (start, end int)
	behaviour behaviour
	invert    bool // takes what does not match for the matches
}

func (m matcher) split(s string, at place, visit func(string, place)) {
	var parts []matchedPart
	add := func(from, to int, match bool) {
		if from < to {
			parts = append(parts, matchedPart{from, to, match != m.invert})
		}
	}
	done := 0
	for done < len(s) {
		start, end := m.next(s, done)
		if start < 0 {
			break
		}
		add(done, start, false)
		add(start, end, true)
		done = end
	}
	add(done, len(s), false)
	for _, p := range m.behaviour.apply(parts) {
		visit(s[p.from:p.to], at)
		if at == beginning || at == continued {
			at = inner
		}
	}
}

// A matchedPart is a stretch of a text that matches, or does not.
type matchedPart struct {
	from, to int
	match    bool
}

// apply joins and drops parts.
func (b behaviour) apply(parts []matchedPart) []matchedPart {
	out := parts[:0]
	switch b {
	case removed:
		for _, p := range parts {
			if !p.match {
				out = append(out, p)
			}
		}
	case toPrevious:
		// Of several matches on end only the first is joined.
		before := false
		for _, p := range parts {
			if p.match && !before && len(out) > 0 {
				out[len(out)-1].to = p.to
			} else {
				out = append(out, p)
			}
			before = p.match
		}
	case toNext:
		// And here only the last. What is joined is marked as no match.
		for i, p := range parts {
			if n := len(out); n > 0 && parts[i-1].match && !p.match {
				out[n-1] = matchedPart{out[n-1].from, p.to, false}
			} else {
				out = append(out, p)
			}
		}
	default:
		return parts
	}
	return out
}

// literal matches a string.
func literal(of string) func(s string, from int) (int, int) {
	return func(s string, from int) (int, int) {
		i := strings.Index(s[from:], of)
		if i < 0 {
			return -1, -1
		}
		return from + i, from + i + len(of)
	}
}
