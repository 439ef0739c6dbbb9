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

// Attention describes one causal attention over B sequences of T tokens each.
// Queries are (B*T, H*Dim), keys (B*T, KV*Dim), values and outputs
// (B*T, KV*DimV) and (B*T, H*DimV). KV divides H: head h reads KV head h*KV/H.
type Attention struct {
	B, T, H, KV int
	Dim, DimV   int
	Scale       float32
}

// Adam holds the constants of one AdamW update with decoupled weight decay.
// Step counts from 1 and corrects the bias of the moments.
type Adam struct {
	LR, Beta1, Beta2, Eps, WeightDecay float32
	Step                               int
	GradScale                          float32 // multiplies the gradient first: clipping
}

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

	// Gemm computes c = op(a)·op(b), or c += op(a)·op(b) if acc. op transposes
	// where ta or tb says so.
	Gemm(c, a Mat, ta bool, b Mat, tb bool, acc bool)
	// Grouped multiplies each group of rows with its own matrix. Rows
	// offsets[e] to offsets[e+1] of a and c belong to group e; b holds
	// len(offsets)-1 matrices of n times k one after another, where k is
	// a.Cols and n is c.Cols if tb, and the other way round if not:
	// c_e = a_e·b_eᵀ if tb, else a_e·b_e; added to c if acc.
	Grouped(c, a Mat, offsets Ints, b Buf, tb bool, acc bool)
	// GroupedGrad adds to each n times k matrix of db what its group's rows
	// give: db_e += dc_eᵀ·a_e. dc is (rows, n), a is (rows, k).
	GroupedGrad(db Buf, dc, a Mat, offsets Ints)

	// Embed sets row i of x (N, D) to row ids[i] of table (V, D).
	// EmbedGrad adds the rows of dx to those of dtable, in order of i.
	Embed(x, table Mat, ids Ints)
	EmbedGrad(dtable, dx Mat, ids Ints)

	// RMSNorm sets y = x*rstd*w, row by row, with rstd = 1/sqrt(mean(x²)+eps)
	// kept in rstd (N). RMSNormGrad adds to dx (N, D) and, unless dw is nil, to
	// dw (D).
	RMSNorm(y, x Mat, w, rstd Buf, eps float32)
	RMSNormGrad(dx Mat, dw Buf, dy, x Mat, w, rstd Buf)

	// Rope turns each head of x (B*T, heads*dim) by its position: for j < dim/2
	// the pair (x[j], x[j+dim/2]) by the angle whose cosine and sine stand in
	// cos and sin (T, dim/2). inverse turns back, which is the gradient.
	Rope(x Mat, t, heads, dim int, cos, sin Buf, inverse bool)

	// Attend is causal softmax(q·kᵀ*Scale)·v. lse (B*T*H) keeps the logarithm
	// of each row's sum for AttendGrad, which sets dq, dk and dv.
	Attend(o Mat, lse Buf, q, k, v Mat, a Attention)
	AttendGrad(dq, dk, dv, do, o Mat, lse Buf, q, k, v Mat, a Attention)

	// SwiGLU sets h (N, F) = silu(g)*u where a row of gu (N, 2F) is g then u.
	// SwiGLUGrad sets dgu, which may be gu itself.
	SwiGLU(h, gu Mat)
	SwiGLUGrad(dgu, dh, gu Mat)

	// CrossEntropy sets loss[i] = -log softmax(logits[i])[targets[i]]; a
	// negative target counts nothing. If scale is not 0, logits becomes its own
	// gradient times scale: (softmax - onehot)*scale.
	CrossEntropy(loss Buf, logits Mat, targets Ints, scale float32)

	// TopK routes each row of logits (N, E): probs (N, E) is the softmax over
	// all experts; chosen (N*K) are the K most probable of those with
	// allowed[e] != 0, the lower number first among equals; weight (N*K) is
	// their probability times scale, not renormalised. TopKGrad sets dlogits
	// from dweight through the softmax.
	TopK(probs Mat, chosen Ints, weight Buf, logits Mat, allowed Ints, k int, scale float32)
	TopKGrad(dlogits, probs Mat, chosen Ints, dweight Buf, k int, scale float32)
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
