package checkpoint

import (
	"cmp"
	"encoding/binary"
	"slices"

	"adit/internal/safetensors"
)

// A Stream shows a [Visitor] the parameters of a safetensors file whose bytes are
// written to it, as they come. That works if they lie in the file in byte-wise
// order of their names, as in all files that [Write] makes of tensors of one type;
// of other files nothing is shown, and [Stream.Done] says so: they have to be read
// again by [Index.Visit].
//
// What does not belong to such a file is no error of Write: whoever brings the
// bytes has them to the end, and finds out what they are by [Open].
type Stream struct {
	to      Visitor
	head    []byte // the length and the header, until they are whole
	entries []placed
	at      int64 // bytes written
	next    int   // of entries: the one that begins, or has begun
	left    int64 // bytes of it that are missing
	end     int64
	state   streamState
	err     error // of the visitor
}

type streamState int

const (
	inHeader streamState = iota
	inTensors
	givenUp
)

// maxStreamHeader is enough for the header of a hundred thousand tensors. A larger
// one is read from the file.
const maxStreamHeader = 16 << 20

// NewStream returns a stream that shows v the parameters.
func NewStream(v Visitor) *Stream { return &Stream{to: v} }

// Write takes the next bytes of the file.
func (s *Stream) Write(p []byte) (int, error) {
	n := len(p)
	if s.state == inHeader {
		p = s.header(p)
	}
	if s.state == inTensors {
		s.tensors(p)
	}
	s.at += int64(n)
	return n, nil
}

// Size returns how many bytes were written.
func (s *Stream) Size() int64 { return s.at }

// Done reports whether the visitor was shown a whole file, and the visitor's error.
func (s *Stream) Done() (bool, error) {
	return s.state == inTensors && s.next == len(s.entries) && s.at == s.end, s.err
}

// header takes bytes of the length and the header, and returns the others.
func (s *Stream) header(p []byte) []byte {
	take := func(upTo int) bool {
		n := min(len(p), max(0, upTo-len(s.head)))
		s.head, p = append(s.head, p[:n]...), p[n:]
		return len(s.head) >= upTo
	}
	if !take(8) {
		return nil
	}
	n := binary.LittleEndian.Uint64(s.head)
	if n > maxStreamHeader {
		s.state, s.head = givenUp, nil
		return nil
	}
	if !take(8 + int(n)) {
		return nil
	}
	s.state = givenUp
	file, err := safetensors.Parse(s.head[8:])
	s.head = nil
	if err != nil {
		return nil
	}
	s.end = 8 + int64(n)
	s.entries = make([]placed, file.Len())
	for i := range s.entries {
		s.entries[i] = place(file, i)
		s.end += s.entries[i].Size
	}
	if slices.IsSortedFunc(s.entries, func(a, b placed) int { return cmp.Compare(a.offset, b.offset) }) {
		s.state = inTensors
		s.begin()
	}
	return p
}

// begin begins the next tensor that has bytes, if there is one.
func (s *Stream) begin() {
	for ; s.next < len(s.entries) && s.err == nil; s.next++ {
		e := &s.entries[s.next]
		s.left = e.Size
		if s.err = s.to.Begin(e.Entry); s.left > 0 {
			return
		}
	}
}

func (s *Stream) tensors(p []byte) {
	for len(p) > 0 && s.err == nil {
		if s.next == len(s.entries) {
			s.state = givenUp // bytes follow the last tensor
			return
		}
		n := min(int64(len(p)), s.left)
		_, s.err = s.to.Write(p[:n])
		p, s.left = p[n:], s.left-n
		if s.left == 0 {
			s.next++
			s.begin()
		}
	}
}
