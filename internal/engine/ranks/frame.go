package ranks

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"time"
)

// A kind says what a frame holds. A frame is its kind, one byte; the length of what
// follows, eight, the lowest first; and that.
type kind byte

const (
	kindHello    kind = 1 + iota // who comes: JSON
	kindReady                    // it is able to take a job; empty
	kindJob                      // what is to be trained: JSON
	kindValues                   // 32-bit floats
	kindPart                     // some of a stream; an empty one is its end
	kindGradient                 // a rank's loss, a 64-bit float, and its gradient
	kindSum                      // the sums of both, with the share of time spent in between
	kindAlive                    // it is at work; empty
	kindFailed                   // it is not, and why: text
)

var kindNames = map[kind]string{
	kindHello: "a greeting", kindReady: "readiness", kindJob: "a job", kindValues: "values", kindPart: "part of a stream",
	kindGradient: "a gradient", kindSum: "a sum", kindAlive: "a sign of life", kindFailed: "a failure",
}

func (k kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("frame of kind %d", byte(k))
}

const (
	headBytes = 9
	maxHello  = 1 << 10
	maxText   = 4 << 10
	maxJob    = 64 << 20 // the names of a hundred thousand parameters, many times
	// chunkFloats are sent, and added up, at once.
	chunkFloats = 1 << 18
	chunkBytes  = 4 * chunkFloats
)

// A frameError is a frame that has no place where it came.
type frameError struct{ text string }

func (e frameError) Error() string { return e.text }

// A toldError is what the other side said that went wrong there.
type toldError struct{ text string }

func (e toldError) Error() string { return e.text }

// next reads the head of a frame that must be of a kind and hold at least, and at
// most, so many bytes; it returns how many. Signs of life before it are passed over.
// Nothing is allocated for what a head claims.
func next(r io.Reader, want kind, least, most int64) (int64, error) {
	for {
		var head [headBytes]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return 0, err
		}
		k, size := kind(head[0]), binary.LittleEndian.Uint64(head[1:])
		switch {
		case k == kindAlive && size == 0:
			continue
		case k == kindFailed && size <= maxText:
			text := make([]byte, size)
			if _, err := io.ReadFull(r, text); err != nil {
				return 0, err
			}
			return 0, toldError{fmt.Sprintf("it says: %q", text)}
		case k != want:
			return 0, frameError{fmt.Sprintf("sent %v, and not %v", k, want)}
		case size > math.MaxInt64 || int64(size) < least || int64(size) > most:
			return 0, frameError{fmt.Sprintf("sent %v of %d bytes, which has from %d to %d", k, size, least, most)}
		}
		return int64(size), nil
	}
}

// small reads a frame that is kept whole, of a few megabytes at most.
func small(r io.Reader, want kind, most int64) ([]byte, error) {
	size, err := next(r, want, 0, most)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, size)) // it grows by what has come
	if err == nil && int64(len(data)) < size {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}

// A conn is a connection between two ranks.
type conn struct {
	net.Conn
	r *bufio.Reader
	// patience is how long the other side may be silent; 0 for any time.
	patience time.Duration

	writing sync.Mutex // a frame is written whole
	buf     []byte
}

func newConn(c net.Conn, patience time.Duration) *conn {
	out := &conn{Conn: c, patience: patience}
	out.r = bufio.NewReaderSize(patient{out}, 64<<10)
	return out
}

// A patient reader gives each read its time.
type patient struct{ c *conn }

func (p patient) Read(b []byte) (int, error) {
	if p.c.patience > 0 {
		if err := p.c.SetReadDeadline(time.Now().Add(p.c.patience)); err != nil {
			return 0, err
		}
	}
	return p.c.Conn.Read(b)
}

// Write gives each write its time.
func (c *conn) Write(b []byte) (int, error) {
	if c.patience > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

func head(k kind, size int) []byte {
	return binary.LittleEndian.AppendUint64([]byte{byte(k)}, uint64(size))
}

// send writes a frame.
func (c *conn) send(k kind, data []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err := c.Write(append(head(k, len(data)), data...))
	return err
}

// appendFloats encodes 64-bit floats.
func appendFloats(b []byte, vals ...float64) []byte {
	for _, v := range vals {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// readFloats reads n 64-bit floats.
func (c *conn) readFloats(vals ...*float64) error {
	for _, v := range vals {
		var b [8]byte
		if _, err := io.ReadFull(c.r, b[:]); err != nil {
			return err
		}
		*v = math.Float64frombits(binary.LittleEndian.Uint64(b[:]))
	}
	return nil
}

// encode writes vals into buf, of four bytes each.
func encode(buf []byte, vals []float32) []byte {
	buf = buf[:4*len(vals)]
	for i, v := range vals {
		binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
	}
	return buf
}

// read32 fills dst, a chunk at most.
func (c *conn) read32(dst []float32) error {
	if c.buf == nil {
		c.buf = make([]byte, chunkBytes)
	}
	b := c.buf[:4*len(dst)]
	if _, err := io.ReadFull(c.r, b); err != nil {
		return err
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return nil
}
