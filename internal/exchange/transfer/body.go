package transfer

import (
	"errors"
	"io"
	"sync"
)

// A SentBody is the body of an upload: a part of a file. The transport reads it
// in a goroutine of its own, which may outlive the request by a moment; Close
// waits for the read in progress, and is the end of all others.
type SentBody struct {
	section *io.SectionReader
	moved   func(n int) // told of bytes on their way
	w       *Watchdog

	mu     sync.Mutex
	closed bool
}

var errBodyClosed = errors.New("the upload is over")

// NewBody returns the n bytes of r from off on as a body that feeds w, and then
// tells moved of the bytes that went.
func NewBody(r io.ReaderAt, off, n int64, w *Watchdog, moved func(n int)) *SentBody {
	return &SentBody{section: io.NewSectionReader(r, off, n), w: w, moved: moved}
}

// Read implements [io.Reader].
func (b *SentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, errBodyClosed
	}
	n, err := b.section.Read(p)
	if n > 0 {
		b.w.Feed()
		b.moved(n)
	}
	return n, err
}

// Close ends the body. It returns when nobody reads the file any more.
func (b *SentBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}
