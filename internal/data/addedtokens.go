package data

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedTokens are found in a text before all else, the longest at a place first.
// They may be special, such as the end of a text.
type addedTokens struct {
	tokens []addedToken
	nodes  []addedNode
	begins [256]bool // bytes that a token begins with
	one    int       // the only such byte; -1 if there are more
}

// An addedNode is a state of the tree of their bytes.
type addedNode struct {
	next  []addedEdge
	token int // that ends here; -1 if none
}

type addedEdge struct {
	by byte
	to int
}

func newAddedTokens(tokens []addedToken) *addedTokens {
	a := &addedTokens{tokens: tokens, nodes: []addedNode{{token: -1}}, one: -1}
	for i, tok := range tokens {
		at := 0
		for j := range len(tok.Content) {
			to := a.step(at, tok.Content[j])
			if to < 0 {
				to = len(a.nodes)
				a.nodes = append(a.nodes, addedNode{token: -1})
				a.nodes[at].next = append(a.nodes[at].next, addedEdge{tok.Content[j], to})
			}
			at = to
		}
		a.nodes[at].token = i
		a.begins[tok.Content[0]] = true
	}
	if first := a.nodes[0].next; len(first) == 1 {
		a.one = int(first[0].by)
	}
	return a
}

// step returns the state after a byte, -1 if no token goes on so.
func (a *addedTokens) step(at int, by byte) int {
	for _, e := range a.nodes[at].next {
		if e.by == by {
			return e.to
		}
	}
	return -1
}

// next returns where the first token in s from on begins and ends.
func (a *addedTokens) next(s string, from int) (start, end, token int, ok bool) {
	for i := from; i < len(s); i++ {
		if a.one >= 0 {
			skip := strings.IndexByte(s[i:], byte(a.one))
			if skip < 0 {
				break
			}
			i += skip
		} else if !a.begins[s[i]] {
			continue
		}
		token = -1
		for at, j := 0, i; j < len(s); j++ {
			if at = a.step(at, s[j]); at < 0 {
				break
			}
			if t := a.nodes[at].token; t >= 0 {
				token, end = t, j+1
			}
		}
		if token >= 0 {
			return i, end, token, true
		}
	}
	return 0, 0, 0, false
}

// split hands over the text between added tokens, with where it stands, and the
// tokens, with text "", in turn.
func (a *addedTokens) split(s string, visit func(text string, at int, id int32)) {
	done := 0
	for from := 0; len(a.tokens) > 0; {
		start, end, i, ok := a.next(s, from)
		if !ok {
			break
		}
		from = end
		tok := &a.tokens[i]
		if tok.SingleWord && (endsWithWord(s[:start]) || beginsWithWord(s[end:])) {
			continue
		}
		if tok.LStrip {
			start = max(done, len(strings.TrimRightFunc(s[:start], unicode.IsSpace)))
		}
		if tok.RStrip {
			end = len(s) - len(strings.TrimLeftFunc(s[end:], unicode.IsSpace))
		}
		if done < start {
			visit(s[done:start], done, -1)
		}
		visit("", start, tok.ID)
		done = end
	}
	if done < len(s) {
		visit(s[done:], done, -1)
	}
}

func endsWithWord(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return s != "" && isWordRune(r)
}

func beginsWithWord(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && isWordRune(r)
}

// isWordRune is the \w of Unicode's regular expressions (UTS 18).
func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.In(r, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}
