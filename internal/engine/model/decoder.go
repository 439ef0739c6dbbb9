package model

import (
	"fmt"

	"adit/internal/engine/device"
)

// A Decoder runs a model on one sequence that grows, and remembers the keys and
// values of the tokens that it has seen.
type Decoder struct {
	m     *Model
	cache cache
}

// cache holds what the layers' attention remembers: of each, keys (T, KV*d) and
// values (T, KV*dv) for as many tokens as the model's sequences have.
type cache struct {
	keys, values []device.Mat
	length       int
}

// Decoder returns one that has seen nothing. It sees SeqLen tokens at most.
func (m *Model) Decoder() *Decoder {
	n := len(m.net.layers)
	return &Decoder{m: m, cache: cache{keys: make([]device.Mat, n), values: make([]device.Mat, n)}}
}

// Len returns how many tokens it has seen.
func (d *Decoder) Len() int { return d.cache.length }

// Next shows it the tokens ids and sets logits (V) to those of the token that
// comes after the last.
func (d *Decoder) Next(logits []float32, ids []int32) error {
	m := d.m
	if len(ids) == 0 || d.cache.length+len(ids) > m.seqLen {
		return fmt.Errorf("%d tokens after %d do not fit a context of %d", len(ids), d.cache.length, m.seqLen)
	}
	for _, id := range ids {
		if id < 0 || int(id) >= m.cfg.VocabSize {
			return fmt.Errorf("token %d in a vocabulary of %d", id, m.cfg.VocabSize)
		}
	}
	p := m.begin(1, len(ids), false)
	defer p.end()
	p.past, p.cache = d.cache.length, &d.cache
	x := p.run(ids)
	d.cache.length += len(ids)
	p.downloadLogits(logits, x, len(ids)-1)
	return nil
}

// extend adds k and v (T, …) to what layer remembers and returns all of it.
func (c *cache) extend(p *pass, layer int, k, v device.Mat) (keys, values device.Mat) {
	if c.keys[layer].Buf == nil {
		n := p.m.seqLen
		c.keys[layer] = device.M(p.dev.NewBuf(n*k.Cols), n, k.Cols)
		c.values[layer] = device.M(p.dev.NewBuf(n*v.Cols), n, v.Cols)
	}
	grown := func(all, more device.Mat) device.Mat {
		end := c.length + more.Rows
		whole := device.Heads{N: 1, Stride: more.Cols, Width: more.Cols}
		p.dev.CopyHeads(rows(all, c.length, end), whole, more, whole, false)
		return rows(all, 0, end)
	}
	return grown(c.keys[layer], k), grown(c.values[layer], v)
}

// Logits runs the model on batch sequences one after another and sets logits
// (N, V).
func (m *Model) Logits(logits []float32, ids []int32, batch int) {
	p := m.begin(batch, len(ids)/batch, false)
	defer p.end()
	p.downloadLogits(logits, p.run(ids), 0)
}

// downloadLogits sets logits to those of the rows of x (N, D) from first on.
func (p *pass) downloadLogits(logits []float32, x *value, first int) {
	head, v := p.m.net.head, p.m.cfg.VocabSize
	size := p.m.cfg.chunk(x.Rows - first)
	chunk := p.take(size, v)
	for lo := first; lo < x.Rows; lo += size {
		hi := min(x.Rows, lo+size)
		part := rows(chunk, 0, hi-lo)
		p.dev.Gemm(part, rows(x.Mat, lo, hi), false, head.Mat, true, false) // (chunk, V)
		p.dev.Download(logits[(lo-first)*v:(hi-first)*v], part.Buf)
	}
}
