package ranks

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"adit/internal/engine/train"
)

// A Crew is the ranks behind the first, as the first one sees them. After an error
// it is of no more use, and only to be closed.
type Crew struct {
	world int
	conns []*conn // by rank; that of the first is nil
	hands []Hand  // likewise

	buf  []byte
	rows [][]float32 // a chunk of each rank
	once sync.Once
}

// Close ends the ranks and waits until they have ended.
func (c *Crew) Close() { c.end() }

// end closes the crew and returns the last words of its ranks.
func (c *Crew) end() []string {
	words := make([]string, c.world)
	c.once.Do(func() {
		c.hangUp()
		var all sync.WaitGroup
		for rank, h := range c.hands {
			if h != nil {
				all.Go(func() { words[rank] = h.End() })
			}
		}
		all.Wait()
	})
	return words
}

func (c *Crew) hangUp() {
	for _, conn := range c.conns {
		if conn != nil {
			conn.Close()
		}
	}
}

// broken is what went wrong in talking with a rank.
func (c *Crew) broken(rank int, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errEnded
	}
	return &Error{Rank: rank, World: c.world, Err: err}
}

// lost closes the crew for an error, to which it adds the last words of the rank.
func (c *Crew) lost(err error) error {
	words := c.end()
	if e, ok := errors.AsType[*Error](err); ok && e.Words == "" {
		e.Words = words[e.Rank]
	}
	return err
}

// do talks with the ranks until ctx is done. An error closes the crew.
func (c *Crew) do(ctx context.Context, talk func() error) error {
	stop := context.AfterFunc(ctx, c.hangUp)
	err := talk()
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		return c.lost(err)
	}
	return nil
}

// each talks with all ranks at once. After the first error nobody is waited for.
func (c *Crew) each(talk func(rank int) error) error {
	var all sync.WaitGroup
	var once sync.Once
	var first error
	for rank := 1; rank < c.world; rank++ {
		all.Go(func() {
			if err := talk(rank); err != nil {
				once.Do(func() {
					first = c.broken(rank, err)
					c.hangUp()
				})
			}
		})
	}
	all.Wait()
	return first
}

// write sends all ranks the same bytes.
func (c *Crew) write(b []byte) error {
	for rank := 1; rank < c.world; rank++ {
		if _, err := c.conns[rank].Write(b); err != nil {
			return c.broken(rank, err)
		}
	}
	return nil
}

// writeFloats sends all ranks the same numbers.
func (c *Crew) writeFloats(vals []float32) error {
	if c.buf == nil {
		c.buf = make([]byte, chunkBytes)
	}
	for len(vals) > 0 {
		n := min(len(vals), chunkFloats)
		if err := c.write(encode(c.buf, vals[:n])); err != nil {
			return err
		}
		vals = vals[n:]
	}
	return nil
}

// Job tells the ranks what they are to do, as JSON.
func (c *Crew) Job(ctx context.Context, job any) error {
	data, err := json.Marshal(job)
	if err == nil && len(data) > maxJob {
		err = fmt.Errorf("it takes %d bytes, and %d is the most", len(data), maxJob)
	}
	if err != nil {
		return fmt.Errorf("write a job for ranks: %w", err)
	}
	return c.do(ctx, func() error { return c.write(append(head(kindJob, len(data)), data...)) })
}

// Values sends the ranks numbers.
func (c *Crew) Values(ctx context.Context, vals []float32) error {
	return c.do(ctx, func() error {
		if err := c.write(head(kindValues, 4*len(vals))); err != nil {
			return err
		}
		return c.writeFloats(vals)
	})
}

// Stream sends the ranks what save writes.
func (c *Crew) Stream(ctx context.Context, save func(io.Writer) error) error {
	return c.do(ctx, func() error {
		w := bufio.NewWriterSize(parts{c}, chunkBytes)
		if err := save(w); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		return c.write(head(kindPart, 0))
	})
}

// parts sends what is written as parts of a stream.
type parts struct{ c *Crew }

func (p parts) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		part := b[done:min(len(b), done+chunkBytes)]
		if err := p.c.write(head(kindPart, len(part))); err != nil {
			return done, err
		}
		if err := p.c.write(part); err != nil {
			return done, err
		}
		done += len(part)
	}
	return done, nil
}

// Sum adds what the ranks behind the first have learned to grad and loss, which are
// its own, and tells them the sums, and what spent returns. It returns that of
// loss, and the answer of spent.
func (c *Crew) Sum(ctx context.Context, grad []float32, loss float64, spent func() float64) (total, over float64, err error) {
	total = loss
	err = c.do(ctx, func() error {
		losses := make([]float64, c.world)
		size := 8 + 4*int64(len(grad))
		err := c.each(func(rank int) error {
			if _, err := next(c.conns[rank].r, kindGradient, size, size); err != nil {
				return err
			}
			return c.conns[rank].readFloats(&losses[rank])
		})
		if err != nil {
			return err
		}
		for _, l := range losses[1:] {
			total += l
		}
		if err := c.add(grad); err != nil {
			return err
		}
		over = spent()
		if err := c.write(appendFloats(head(kindSum, 16+4*len(grad)), total, over)); err != nil {
			return err
		}
		return c.writeFloats(grad)
	})
	return total, over, err
}

// add adds the gradients to sum as they come, chunk by chunk, so that no more than
// a chunk of each rank is in memory.
func (c *Crew) add(sum []float32) error {
	if c.rows == nil {
		c.rows = make([][]float32, c.world)
		for rank := 1; rank < c.world; rank++ {
			c.rows[rank] = make([]float32, min(len(sum), chunkFloats))
		}
	}
	rows := make([][]float32, c.world)
	for len(sum) > 0 {
		n := min(len(sum), chunkFloats)
		rows[0] = sum[:n]
		for rank := 1; rank < c.world; rank++ {
			rows[rank] = c.rows[rank][:n]
			if err := c.conns[rank].read32(rows[rank]); err != nil {
				return c.broken(rank, err)
			}
		}
		train.AddInOrder(sum[:n], rows...)
		sum = sum[n:]
	}
	return nil
}
