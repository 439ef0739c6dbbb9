package exchange

import (
	"errors"
	"io"
	"sync"
)

// settleTimes is how much longer than the usual stall an object store may take
// for its answer once it has all bytes: it may have gigabytes to sync.
const settleTimes = 10

// sentBody is the body of an upload. The transport reads it in a goroutine of
// its own, which may outlive the request by a moment; Close waits for the read
// in progress, and is the end of all others.
type sentBody struct {
	section  *io.SectionReader
	name     string
	done     int64 // of the whole file
	total    int64
	progress func(path string, done, total int64)
	w        *watchdog

	mu     sync.Mutex
	closed bool
}

var errBodyClosed = errors.New("the upload is over")

func (b *sentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, errBodyClosed
	}
	n, err := b.section.Read(p)
	if n > 0 {
		b.done += int64(n)
		b.w.feed()
		b.progress(b.name, b.done, b.total)
	}
	if b.remaining() == 0 {
		b.w.timer.Reset(settleTimes * b.w.stall)
	}
	return n, err
}

func (b *sentBody) remaining() int64 {
	at, err := b.section.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0 // unreachable: the offset is valid
	}
	return b.section.Size() - at
}

func (b *sentBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}
