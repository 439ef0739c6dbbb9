package node

import (
	"io"
	"strings"
)

// LastWords are the end of what a program writes, which it also hands on. They take
// everything: a full disk must not become a child's broken pipe.
type LastWords struct {
	To  io.Writer // nil for nowhere
	end []byte
}

// wordsSize is more than an error and its advice need.
const wordsSize = 8 << 10

func (w *LastWords) Write(b []byte) (int, error) {
	if w.To != nil {
		_, _ = w.To.Write(b)
	}
	w.end = append(w.end, b...)
	w.end = w.end[max(0, len(w.end)-wordsSize):]
	return len(b), nil
}

// Last returns what the program said of itself at the end: an error and its advice,
// or else how a panic began, or else its last line.
func (w *LastWords) Last() (said, advice string) {
	var line string
	for l := range strings.Lines(string(w.end)) {
		l = strings.TrimSpace(l)
		switch {
		case strings.HasPrefix(l, "adit: "):
			said, advice = strings.TrimPrefix(l, "adit: "), ""
		case strings.HasPrefix(l, "hint: "):
			advice = strings.TrimPrefix(l, "hint: ")
		case strings.HasPrefix(l, "panic: "), strings.HasPrefix(l, "fatal error: "):
			said = l
		case l != "":
			line = l
		}
	}
	if said == "" {
		said = line
	}
	return said, advice
}
