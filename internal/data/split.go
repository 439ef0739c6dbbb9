package data

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"unicode/utf8"

	"adit/internal/subnet"
)

const (
	// heldOutEvery is how many documents there are to one that is held out.
	heldOutEvery = 12
	// maxHeldOutDocumentBytes keeps one long document from being the whole of what
	// models are judged on.
	maxHeldOutDocumentBytes = 64 << 10
	// scanFactor bounds the search for held-out documents: so many times the
	// text that is wanted is read at most.
	scanFactor = 8
)

// isHeldOut decides by a document's name alone, so that a document stays on its
// side whatever else is there.
func isHeldOut(name string) bool { return order("split", name)%heldOutEvery == 0 }

// A sample is the text of one domain.
type sample struct {
	train, heldOut           []string
	trainBytes, heldOutBytes int64
}

// collect takes documents from s until both sides are full or there are no more.
// A document whose text was there before is passed over: a copy on the other side
// of the split would be no held-out text. progress hears the bytes found.
func collect(ctx context.Context, s Source, maxBytes, maxHeldOut int64, progress func(done, total int64)) (*sample, error) {
	out := &sample{}
	seen := map[[16]byte]bool{}
	scanned := int64(0)
	for d, err := range s.Documents() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256([]byte(d.Text))
		if d.Text == "" || seen[[16]byte(sum[:])] {
			continue
		}
		seen[[16]byte(sum[:])] = true
		scanned += int64(len(d.Text))
		if isHeldOut(d.Name) {
			out.hold(d.Text, maxHeldOut)
		} else if room := maxBytes - out.trainBytes; room > 0 {
			text := cutRunes(d.Text, room)
			out.train = append(out.train, text)
			out.trainBytes += int64(len(text))
		}
		progress(out.trainBytes+out.heldOutBytes, maxBytes+maxHeldOut)
		full := out.trainBytes >= maxBytes && out.heldOutBytes >= maxHeldOut
		if full || scanned >= scanFactor*(maxBytes+maxHeldOut) {
			break
		}
	}
	if len(out.train)+len(out.heldOut) < 2 {
		return nil, subnet.WithHint(fmt.Errorf("%s: %w", s.Name(), errTooLittle),
			"give a text of more than 16 kB, or several documents")
	}
	out.balance(maxHeldOut)
	return out, nil
}

var errTooLittle = errors.New("too little text: no document would be left to hold out")

// hold takes a text on the held-out side, if there is room.
func (s *sample) hold(text string, maxHeldOut int64) {
	if room := min(maxHeldOut-s.heldOutBytes, maxHeldOutDocumentBytes); room > 0 {
		text = cutRunes(text, room)
		s.heldOut = append(s.heldOut, text)
		s.heldOutBytes += int64(len(text))
	}
}

// balance moves one document if so few were found that a side has none.
func (s *sample) balance(maxHeldOut int64) {
	switch {
	case len(s.heldOut) == 0:
		last := len(s.train) - 1
		text := s.train[last]
		s.train = s.train[:last]
		s.trainBytes -= int64(len(text))
		s.hold(text, maxHeldOut)
	case len(s.train) == 0:
		last := len(s.heldOut) - 1
		text := s.heldOut[last]
		s.heldOut = s.heldOut[:last]
		s.heldOutBytes -= int64(len(text))
		s.train, s.trainBytes = append(s.train, text), int64(len(text))
	}
}

// cutRunes returns at most n bytes of s, whole characters.
func cutRunes(s string, n int64) string {
	if int64(len(s)) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
