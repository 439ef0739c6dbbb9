// Package device names the operations that models are written in. A CPU
// implements them today; whatever implements them can train every model.
//
// All arithmetic is in 32-bit floats. Buffers live on the device: nothing above
// this package may look inside one but through Upload and Download. Matrices
// are row-major. Operations may run behind the caller's back until Sync, or
// until a Download, returns.
//
// N is the number of token rows, D the width of the residual stream, H heads of
// width d, E experts of width F, K experts per token, V the vocabulary.
package device

// A Buf is a vector of 32-bit floats on a device.
type Buf interface {
	Len() int
	// Slice returns elements lo to hi, sharing their memory.
	Slice(lo, hi int) Buf
}

// Ints is a vector of 32-bit integers on a device: token ids, expert choices,
// row numbers.
type Ints interface {
	Len() int
	Slice(lo, hi int) Ints
}

// A Mat is a matrix in a buffer: element (i, j) is at i*Stride + j.
type Mat struct {
	Buf        Buf
	Rows, Cols int
	Stride     int
}

// M returns the matrix of rows times cols that fills b without gaps.
func M(b Buf, rows, cols int) Mat { return Mat{b, rows, cols, cols} }

// Attention describes one causal attention over B sequences of T queries each.
// Queries are (B*T, H*Dim), keys (B*(Past+T), KV*Dim), values and outputs
// (B*(Past+T), KV*DimV) and (B*T, H*DimV). KV divides H: head h reads KV head
// h*KV/H.
//
// Query i of a sequence is at position Past+i of its keys and sees those from
// 0 to its own, or only the last Window of them if Window is not 0. Past is for
// generation: a gradient has none.
type Attention struct {
	B, T, H, KV int
	Past        int
	Window      int
	Dim, DimV   int
	Scale       float32
}

// A Rotation names the columns of a matrix (B*T, ...) that are turned by their
// row's position: in each of Heads heads, which stand Stride columns apart, Dim
// columns from First on.
//
// A pair is (x[j], x[j+Dim/2]), or (x[2j], x[2j+1]) if Pairs. Inverse turns
// back, which is the gradient.
type Rotation struct {
	T, Heads, Stride, First, Dim int
	Pairs, Inverse               bool
}

// Heads names columns of a matrix: in each of N heads, which stand Stride
// columns apart, Width columns from First on. With Stride 0 all heads are the
// same columns.
type Heads struct {
	N, Stride, First, Width int
}

// A Routing says how a token's experts are chosen. With more than one of
// Groups, into which the experts are divided in order, only the TopGroups whose
// most probable allowed expert is the most probable are chosen from, the lower
// number first among equals; the others give the most probable of theirs only
// when those do not have K that are allowed.
type Routing struct {
	K                 int
	Scale             float32 // multiplies the weights
	Normal            bool    // weights of a token's experts are divided by their sum first, or by LeastSum if that is more
	Groups, TopGroups int     // 0 and 0 for one group
}

// LeastSum keeps the weights of experts that have next to no probability, as
// all may where few are allowed, from a division by 0. It is DeepSeek's.
const LeastSum = 1e-20

// Adam holds the constants of one AdamW update with decoupled weight decay.
// Step counts from 1 and corrects the bias of the moments.
type Adam struct {
	LR, Beta1, Beta2, Eps, WeightDecay float32
	Step                               int
	GradScale                          float32 // multiplies the gradient first: clipping
}

// A Float16 is a kind of 16-bit float.
type Float16 uint8

// The two kinds.
const (
	F16  Float16 = iota // 5 bits of exponent, 10 of mantissa
	BF16                // 8 and 7
)

// Device is where tensors live and are worked on. Sizes that do not fit are
// bugs of the caller and panic. A device is used by one goroutine at a time.
type Device interface {
	Name() string

	// Memory.
	NewBuf(n int) Buf // zeroed
	NewInts(n int) Ints
	Upload(dst Buf, src []float32)
	Download(dst []float32, src Buf)
	UploadInts(dst Ints, src []int32)
	DownloadInts(dst []int32, src Ints)
	Sync()

	// Vectors.
	Zero(x Buf)
	Copy(dst, src Buf)
	Add(dst, src Buf)             // dst += src
	Scale(x Buf, a float32)       // x *= a
	SumSquares(x Buf) float64     // in a fixed order: the same bits for any number of threads
	Finite(x Buf) bool            // no NaN, no Inf
	AdamW(p, g, m, v Buf, a Adam) // p, m and v change; g does not
	// Nesterov is a step of SGD with momentum: v = momentum*v + g, then
	// p -= lr*(g + momentum*v).
	Nesterov(p, g, v Buf, lr, momentum float32)
	// Round rounds x to the numbers that a 16-bit float has, to the nearest
	// and among equals to the even one; what is too large becomes infinite.
	Round(x Buf, to Float16)

	// Gemm computes c = op(a)·op(b), or c += op(a)·op(b) if acc. op transposes
	// where ta or tb says so.
	Gemm(c, a Mat, ta bool, b Mat, tb bool, acc bool)
	// Grouped multiplies each group of rows with its own matrix. Rows
	// offsets[e] to offsets[e+1] of a and c belong to group e; b holds
	// len(offsets)-1 matrices of n times k one after another, where k is
	// a.Cols and n is c.Cols if tb, and the other way round if not:
	// c_e = a_e·b_eᵀ if tb, else a_e·b_e; added to c if acc.
	Grouped(c, a Mat, offsets Ints, b Buf, tb bool, acc bool)
	// GroupedGrad sets each n times k matrix of db to what its group's rows
	// give, or adds it: db_e = dc_eᵀ·a_e. dc is (rows, n), a is (rows, k).
	GroupedGrad(db Buf, dc, a Mat, offsets Ints, acc bool)

	// Embed sets row i of x (N, D) to row ids[i] of table (V, D).
	// EmbedGrad adds the rows of dx to those of dtable, in order of i.
	Embed(x, table Mat, ids Ints)
	EmbedGrad(dtable, dx Mat, ids Ints)

	// AddBias adds b (D) to each row of x (N, D). BiasGrad adds the rows of dy
	// to db.
	AddBias(x Mat, b Buf)
	BiasGrad(db Buf, dy Mat)

	// RMSNorm sets y = x*rstd*w, with rstd = 1/sqrt(mean(x²)+eps) kept. Each
	// row is normalised in parts as long as w: x is (N, P*len(w)) and rstd
	// (N*P). RMSNormGrad adds to dx and, unless dw is nil, to dw.
	RMSNorm(y, x Mat, w, rstd Buf, eps float32)
	RMSNormGrad(dx Mat, dw Buf, dy, x Mat, w, rstd Buf)

	// LayerNorm sets y = (x-mean)*rstd*w + b, row by row, with mean and
	// rstd = 1/sqrt(var(x)+eps) kept (N). LayerNormGrad adds to dx (N, D) and,
	// unless they are nil, to dw and db (D).
	LayerNorm(y, x Mat, w, b, mean, rstd Buf, eps float32)
	LayerNormGrad(dx Mat, dw, db Buf, dy, x Mat, w, mean, rstd Buf)

	// Rope turns columns of x by angles whose cosine and sine stand in cos and
	// sin (T, Dim/2).
	Rope(x Mat, cos, sin Buf, r Rotation)
	// CopyHeads copies to's columns of dst from from's columns of src, or adds
	// them if acc, head by head in order. Both have as many heads of the same
	// width. Copying from heads of stride 0 repeats columns; adding to heads of
	// stride 0 is the gradient of that.
	CopyHeads(dst Mat, to Heads, src Mat, from Heads, acc bool)

	// Attend is causal softmax(q·kᵀ*Scale)·v. lse (B*T*H) keeps the logarithm
	// of each row's sum for AttendGrad, which sets dq, dk and dv.
	Attend(o Mat, lse Buf, q, k, v Mat, a Attention)
	AttendGrad(dq, dk, dv, do, o Mat, lse Buf, q, k, v Mat, a Attention)

	// SwiGLU sets h (N, F) = silu(g)*u where a row of gu (N, 2F) is g then u.
	// SwiGLUGrad sets dgu, which may be gu itself.
	SwiGLU(h, gu Mat)
	SwiGLUGrad(dgu, dh, gu Mat)

	// Gelu sets h = x/2*(1 + tanh(sqrt(2/π)*(x + 0.044715*x³))). GeluGrad sets
	// dx, which may be x itself.
	Gelu(h, x Mat)
	GeluGrad(dx, dh, x Mat)

	// CrossEntropy sets loss[i] = -log softmax(logits[i])[targets[i]]; a
	// negative target counts nothing. If scale is not 0, logits becomes its own
	// gradient times scale: (softmax - onehot)*scale.
	CrossEntropy(loss Buf, logits Mat, targets Ints, scale float32)

	// TopK routes each row of logits (N, E): probs (N, E) is the softmax over
	// all experts; chosen (N*K) are the K most probable of those with
	// allowed[e] != 0, the lower number first among equals; weight (N*K) is
	// their probability as r makes it a weight. TopKGrad sets dlogits from
	// dweight through the softmax.
	TopK(probs Mat, chosen Ints, weight Buf, logits Mat, allowed Ints, r Routing)
	TopKGrad(dlogits, probs Mat, chosen Ints, dweight Buf, r Routing)
	// Balance adds to dlogits, unless its Buf is nil, the gradient of the
	// balance loss times scale, and sets loss (N/T) to that loss of each run of
	// t rows: Σ_e f_e*P_e, where f_e is E/(K*t) times how often e was chosen and
	// P_e its mean probability. f_e passes no gradient on.
	Balance(loss Buf, dlogits, probs Mat, chosen Ints, k, t int, scale float32)
	// Group sorts the N*K choices by expert, stably: slot[i] is the place of
	// choice i, offsets (E+1) where each expert's places begin.
	Group(offsets, slot, chosen Ints)
	// Scatter sets row slot[i] of xs (N*K, D) to row i/k of x.
	// ScatterGrad adds row slot[i] of dxs to row i/k of dx, in order of i.
	Scatter(xs, x Mat, slot Ints, k int)
	ScatterGrad(dx, dxs Mat, slot Ints, k int)
	// Combine adds to row n of y the rows slot[n*k+j] of ys times weight[n*k+j].
	// CombineGrad sets dys (N*K, D) and, unless it is nil, dweight (N*K).
	Combine(y, ys Mat, slot Ints, weight Buf, k int)
	CombineGrad(dys Mat, dweight Buf, dy, ys Mat, slot Ints, weight Buf, k int)
}
