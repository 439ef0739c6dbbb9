// Package telemetry shows what happens: a [Bus] hands every event to those who
// read it, as lines for people ([LogWriter]) or for programs ([JSONWriter]).
package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"adit/internal/subnet"
)

// A Reader is told what happened, and when.
type Reader func(at time.Time, e subnet.Event)

// A Bus hands events to readers. A reader that is slower than the events loses
// some, and is told how many: whoever emits never waits.
type Bus struct {
	mu      sync.RWMutex
	readers map[*reader]bool
	stopped bool
}

type reader struct {
	queue   chan stamped
	dropped atomic.Uint64
	done    chan struct{} // closed when the last event has been read
}

type stamped struct {
	at time.Time
	e  subnet.Event
}

// NewBus returns a bus without readers.
func NewBus() *Bus { return &Bus{readers: map[*reader]bool{}} }

// Emit hands e to every reader with the present time. It does not block, may be
// called from any goroutine, and does nothing after Stop. The attributes are
// shared by the readers: the caller must not change them any more.
func (b *Bus) Emit(e subnet.Event) { b.Forward(time.Now(), e) }

// Forward is Emit for an event that happened elsewhere and has its time.
func (b *Bus) Forward(at time.Time, e subnet.Event) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.stopped {
		return
	}
	for r := range b.readers {
		select {
		case r.queue <- stamped{at, e}:
		default:
			r.dropped.Add(1)
		}
	}
}

// Subscribe calls read with each event emitted from now on, one at a time and
// in order, in a goroutine of its own. Up to size events wait for it; of those
// beyond, it reads how many there were: an event of the kind "dropped". After
// cancel, which waits, read is not called any more. It must not be called from
// read.
func (b *Bus) Subscribe(size int, read Reader) (cancel func()) {
	r := &reader{queue: make(chan stamped, size), done: make(chan struct{})}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return func() {}
	}
	b.readers[r] = true
	go r.run(read)
	return func() {
		b.mu.Lock()
		if b.readers[r] {
			delete(b.readers, r)
			close(r.queue)
		}
		b.mu.Unlock()
		<-r.done
	}
}

func (r *reader) run(read Reader) {
	defer close(r.done)
	for s := range r.queue {
		read(s.at, s.e)
		// What was dropped came after what was queued then, and before what
		// comes next: said here, it is at most a queue too early.
		if n := r.dropped.Swap(0); n > 0 {
			read(time.Now(), subnet.Event{
				Block: s.e.Block,
				Level: slog.LevelWarn,
				Kind:  "dropped",
				Text:  "events came faster than they could be written",
				Attrs: []slog.Attr{slog.Uint64("dropped", n)},
			})
		}
	}
}

// Stop lets every reader read what waits for it, and returns when all have, or
// with an error when ctx is done first: a reader may hang on a terminal that
// nobody looks at.
func (b *Bus) Stop(ctx context.Context) error {
	b.mu.Lock()
	b.stopped = true
	readers := b.readers
	b.readers = nil
	for r := range readers {
		close(r.queue)
	}
	b.mu.Unlock()
	for r := range readers {
		select {
		case <-r.done:
		case <-ctx.Done():
			return fmt.Errorf("write the last events: %w", ctx.Err())
		}
	}
	return nil
}
