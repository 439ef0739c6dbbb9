package train

import (
	"sync"
	"time"
)

// A loader reads the batch after the one that is being learned from. No
// goroutine of it outlives a call.
type loader struct {
	read       Reader
	now, ahead *Batch
	first      int64 // the sequence that ahead begins with; -1 if it holds nothing
	err        error // what came of reading it
}

// take returns the batch that begins with sequence first. It is read here if
// it has not been read ahead. After an error it is read again.
func (l *loader) take(first int64) (*Batch, error) {
	if l.first != first {
		l.err = l.ahead.Read(l.read, first)
	}
	l.first = -1
	if l.err != nil {
		return nil, l.err
	}
	l.now, l.ahead = l.ahead, l.now
	return l.now, nil
}

// beside reads the batch that begins with sequence first while compute runs.
// It returns how much longer the reading took.
func (l *loader) beside(first int64, compute func()) (wait time.Duration) {
	var reading sync.WaitGroup
	reading.Go(func() { l.err = l.ahead.Read(l.read, first) })
	defer reading.Wait() // if compute panics
	compute()
	over := time.Now()
	reading.Wait()
	l.first = first
	return time.Since(over)
}
