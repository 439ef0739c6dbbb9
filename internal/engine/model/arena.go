package model

import "adit/internal/engine/device"

// An arena is the memory of all activations, handed out from its beginning
// each time it is carved. With nil memory it only counts.
type arena struct {
	floats device.Buf
	ints   device.Ints
	nf, ni int
}

// line is how many elements a cache line holds: what is handed out begins at
// one.
const line = 16

func (a *arena) buf(n int) device.Buf {
	lo := a.nf
	a.nf += (n + line - 1) / line * line
	if a.floats == nil {
		return nil
	}
	return a.floats.Slice(lo, lo+n)
}

func (a *arena) mat(rows, cols int) device.Mat { return device.M(a.buf(rows*cols), rows, cols) }

func (a *arena) whole(n int) device.Ints {
	lo := a.ni
	a.ni += (n + line - 1) / line * line
	if a.ints == nil {
		return nil
	}
	return a.ints.Slice(lo, lo+n)
}

// acts are the activations of one batch of B sequences, N = B*T rows.
type acts struct {
	batch   int
	ids     device.Ints // (N)
	targets device.Ints // (N)
	layers  []*layerActs
	x       device.Mat // (N, D) out of the last layer
	xn      device.Mat // (N, D) normalised
	rstd    device.Buf // (N)
	logits  device.Mat // (chunk, V), a few rows at a time
	loss    device.Buf // (N)

	// Gradients and what only one layer needs at a time.
	dx, dxn device.Mat // (N, D)
	scratch *layerGrads
}

// layerActs are what a layer's backward pass needs of its forward pass. K may
// be less than the model's where a route allows fewer experts.
type layerActs struct {
	x, xn, mid, midn device.Mat // (N, D) into the layer, normalised, after attention, normalised
	rstd, midRstd    device.Buf // (N)
	qkv              device.Mat // (N, (H+2KV)*d)
	att              device.Mat // (N, H*d)
	lse              device.Buf // (N*H)
	mlp              mlpActs    // the dense or the shared one
	experts          expertActs
}

type mlpActs struct {
	gu device.Mat // (N, 2F) gate and up
	h  device.Mat // (N, F)
}

type expertActs struct {
	logits, probs device.Mat  // (N, E)
	chosen, slot  device.Ints // (N*K)
	offsets       device.Ints // (E+1)
	weight        device.Buf  // (N*K)
	xs, ys        device.Mat  // (N*K, D)
	gu            device.Mat  // (N*K, 2F)
	h             device.Mat  // (N*K, F)
}

type layerGrads struct {
	qkv, att device.Mat // as in layerActs
	h        device.Mat // (N, F) of the dense or the shared mlp
	xs, ys   device.Mat // (N*K, D)
	eh       device.Mat // (N*K, F)
	weight   device.Buf // (N*K)
	logits   device.Mat // (N, E)
}

// chunk is how many rows of logits are worked on at once: few enough that a
// large vocabulary does not need more memory than the model.
func (c Config) chunk(rows int) int { return min(rows, max(64, 1<<20/c.VocabSize)) }

// carve lays out the activations of batch sequences. Layers below the lowest
// trained stage are not walked back through and share one set.
func (m *Model) carve(a *arena, batch int) *acts {
	c, n := m.cfg, batch*m.seqLen
	*a = arena{floats: a.floats, ints: a.ints}
	out := &acts{
		batch: batch,
		ids:   a.whole(n), targets: a.whole(n),
		x: a.mat(n, c.HiddenSize), xn: a.mat(n, c.HiddenSize), rstd: a.buf(n),
		logits: a.mat(c.chunk(n), c.VocabSize), loss: a.buf(n),
		dx: a.mat(n, c.HiddenSize), dxn: a.mat(n, c.HiddenSize),
	}
	shared := [2]*layerActs{} // dense, sparse
	for l := range m.layers {
		kind := 0
		if c.Sparse(l) {
			kind = 1
		}
		if m.walked(l) {
			out.layers = append(out.layers, m.carveLayer(a, n, l))
			continue
		}
		if shared[kind] == nil {
			shared[kind] = m.carveLayer(a, n, l)
		}
		out.layers = append(out.layers, shared[kind])
	}
	if m.lowest < m.nothing() {
		out.scratch = m.carveGrads(a, n)
	}
	return out
}

// dense returns the width of layer l's dense or shared mlp.
func (c Config) dense(l int) int {
	if c.Sparse(l) {
		return c.NSharedExperts * c.MoEIntermediateSize
	}
	return c.IntermediateSize
}

func (m *Model) carveLayer(a *arena, n, l int) *layerActs {
	c := m.cfg
	d, q, kv, f := c.HiddenSize, c.NumAttentionHeads*c.HeadDim, c.NumKeyValueHeads*c.HeadDim, c.dense(l)
	out := &layerActs{
		x: a.mat(n, d), xn: a.mat(n, d), mid: a.mat(n, d), midn: a.mat(n, d), rstd: a.buf(n), midRstd: a.buf(n),
		qkv: a.mat(n, q+2*kv), att: a.mat(n, q), lse: a.buf(n * c.NumAttentionHeads),
		mlp: mlpActs{gu: a.mat(n, 2*f), h: a.mat(n, f)},
	}
	if c.Sparse(l) {
		k, e, f := c.NumExpertsPerTok, c.NRoutedExperts, c.MoEIntermediateSize
		out.experts = expertActs{
			logits: a.mat(n, e), probs: a.mat(n, e),
			chosen: a.whole(n * k), slot: a.whole(n * k), offsets: a.whole(e + 1), weight: a.buf(n * k),
			xs: a.mat(n*k, d), ys: a.mat(n*k, d), gu: a.mat(n*k, 2*f), h: a.mat(n*k, f),
		}
	}
	return out
}

func (m *Model) carveGrads(a *arena, n int) *layerGrads {
	c := m.cfg
	d, q, kv := c.HiddenSize, c.NumAttentionHeads*c.HeadDim, c.NumKeyValueHeads*c.HeadDim
	out := &layerGrads{qkv: a.mat(n, q+2*kv), att: a.mat(n, q)}
	f := max(c.dense(0), c.dense(c.NumHiddenLayers-1))
	out.h = a.mat(n, f)
	if c.NRoutedExperts > 0 {
		k := c.NumExpertsPerTok
		out.xs, out.ys, out.eh = a.mat(n*k, d), a.mat(n*k, d), a.mat(n*k, c.MoEIntermediateSize)
		out.weight, out.logits = a.buf(n*k), a.mat(n, c.NRoutedExperts)
	}
	return out
}

// resize returns m as a matrix of another size in the same, larger memory.
func resize(m device.Mat, rows, cols int) device.Mat {
	return device.M(m.Buf.Slice(0, rows*cols), rows, cols)
}

// prepare makes the activations for batches of this many sequences, within the
// memory of the largest batch so far.
func (m *Model) prepare(batch int) *acts {
	if m.acts != nil && m.acts.batch == batch && m.arena != nil {
		return m.acts
	}
	var need arena
	m.carve(&need, batch)
	if m.arena == nil || need.nf > m.arena.floats.Len() || need.ni > m.arena.ints.Len() {
		m.arena = nil // before the larger one is there
		m.arena = &arena{floats: m.dev.NewBuf(need.nf), ints: m.dev.NewInts(need.ni)}
	}
	m.acts = m.carve(m.arena, batch)
	return m.acts
}
