package ranks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// A Member is a rank behind the first, as it sees itself.
type Member struct {
	order Order
	c     *conn
	buf   []byte
	stop  func() bool
	quit  chan struct{}
	signs sync.WaitGroup
}

// Join connects with the first rank. When ctx is done, the connection ends.
func Join(ctx context.Context, o Order, l Limits) (*Member, error) {
	l = l.orDefault()
	dialer := net.Dialer{Timeout: l.Join}
	c, err := dialer.DialContext(ctx, "tcp", o.At)
	if err != nil {
		return nil, fmt.Errorf("reach the first rank: %w", err)
	}
	m := &Member{order: o, c: newConn(c, 0), quit: make(chan struct{})}
	hello, err := json.Marshal(greeting{Wire: wire, Token: o.Token, Rank: o.Rank, World: o.World})
	if err == nil {
		err = m.c.send(kindHello, hello)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("greet the first rank: %w", err)
	}
	m.stop = context.AfterFunc(ctx, func() { c.Close() })
	m.signs.Go(func() { m.live(l.Sign) })
	return m, nil
}

// live gives a sign of life until the member is closed.
func (m *Member) live(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-m.quit:
			return
		case <-tick.C:
			if m.c.send(kindAlive, nil) != nil {
				return // whoever reads will know
			}
		}
	}
}

// Close ends the connection.
func (m *Member) Close() {
	m.stop()
	close(m.quit)
	m.c.Close()
	m.signs.Wait()
}

// ErrGone is wrapped by errors that mean that the first rank has no more use for this
// one: it has ended, or begun anew with others.
var ErrGone = errors.New("the first rank has hung up")

func gone(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), isReset(err):
		return ErrGone
	default:
		return fmt.Errorf("talk with the first rank: %w", err)
	}
}

// isReset reports whether the other side's system ended a connection, which every
// system has its own words for.
func isReset(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && !op.Timeout()
}

// Ready says that the rank can take a job.
func (m *Member) Ready() error {
	if err := m.c.send(kindReady, nil); err != nil {
		return gone(err)
	}
	return nil
}

// Fail says why the rank cannot go on, and waits until the first one has heard it.
func (m *Member) Fail(err error) {
	text := []byte(strings.ToValidUTF8(err.Error(), "?"))
	if m.c.send(kindFailed, text[:min(len(text), maxText)]) == nil {
		_, _ = io.Copy(io.Discard, m.c.r) // until it hangs up
	}
}

// Job fills job with what is to be done.
func (m *Member) Job(job any) error {
	data, err := small(m.c.r, kindJob, maxJob)
	if err != nil {
		return gone(err)
	}
	if err := json.Unmarshal(data, job); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	return nil
}

// Values fills dst with numbers of the first rank's.
func (m *Member) Values(dst []float32) error {
	if _, err := next(m.c.r, kindValues, 4*int64(len(dst)), 4*int64(len(dst))); err != nil {
		return gone(err)
	}
	return m.read(dst)
}

func (m *Member) read(dst []float32) error {
	for len(dst) > 0 {
		n := min(len(dst), chunkFloats)
		if err := m.c.read32(dst[:n]); err != nil {
			return gone(err)
		}
		dst = dst[n:]
	}
	return nil
}

// Stream writes a stream of the first rank's, of at most limit bytes, into w.
func (m *Member) Stream(w io.Writer, limit int64) error {
	for {
		size, err := next(m.c.r, kindPart, 0, min(chunkBytes, limit))
		if err != nil {
			return gone(err)
		}
		if size == 0 {
			return nil
		}
		limit -= size
		if n, err := io.CopyN(w, m.c.r, size); err != nil {
			return fmt.Errorf("after %d bytes of a part: %w", n, gone(err))
		}
	}
}

// Sum gives the first rank what this one has learned, and replaces it by the sum
// over all. spent is what the first rank says how much of the time is over.
func (m *Member) Sum(grad []float32, loss float64) (total, spent float64, err error) {
	if err := m.give(grad, loss); err != nil {
		return 0, 0, gone(err)
	}
	size := 16 + 4*int64(len(grad))
	if _, err := next(m.c.r, kindSum, size, size); err != nil {
		return 0, 0, gone(err)
	}
	if err := m.c.readFloats(&total, &spent); err != nil {
		return 0, 0, gone(err)
	}
	return total, spent, m.read(grad)
}

func (m *Member) give(grad []float32, loss float64) error {
	m.c.writing.Lock() // signs of life wait
	defer m.c.writing.Unlock()
	if m.buf == nil {
		m.buf = make([]byte, chunkBytes)
	}
	if _, err := m.c.Write(appendFloats(head(kindGradient, 8+4*len(grad)), loss)); err != nil {
		return err
	}
	for len(grad) > 0 {
		n := min(len(grad), chunkFloats)
		if _, err := m.c.Write(encode(m.buf, grad[:n])); err != nil {
			return err
		}
		grad = grad[n:]
	}
	return nil
}
