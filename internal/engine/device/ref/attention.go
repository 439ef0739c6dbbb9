package ref

import (
	"math"

	"adit/internal/engine/device"
)

// heads gives the parts of q, k, v and o that one head works on: of query t
// and of key and value u.
type heads struct {
	device.Attention
	b, h int
}

func (s heads) query(m mat, t int) []float32 { return m.row(s.b*s.T + t)[s.h*s.Dim:][:s.Dim] }
func (s heads) key(m mat, u int) []float32   { return m.row(s.keyRow(u))[s.kv()*s.Dim:][:s.Dim] }
func (s heads) value(m mat, u int) []float32 { return m.row(s.keyRow(u))[s.kv()*s.DimV:][:s.DimV] }
func (s heads) out(m mat, t int) []float32   { return m.row(s.b*s.T + t)[s.h*s.DimV:][:s.DimV] }
func (s heads) keyRow(u int) int             { return s.b*(s.Past+s.T) + u }
func (s heads) kv() int                      { return s.h * s.KV / s.H }
func (s heads) lse(t int) int                { return (s.b*s.T+t)*s.H + s.h }

// seen returns the keys from and to, exclusive, that query t sees.
func (s heads) seen(t int) (from, to int) {
	to = s.Past + t + 1
	if s.Window > 0 {
		from = max(0, to-s.Window)
	}
	return from, to
}

func dot(a, b []float32) float64 {
	s := 0.0
	for i, v := range a {
		s += float64(v) * float64(b[i])
	}
	return s
}

func checkAttention(o device.Mat, lse device.Buf, q, k, v device.Mat, a device.Attention) {
	n, keys := a.B*a.T, a.B*(a.Past+a.T)
	must(a.KV > 0 && a.H%a.KV == 0, "attention heads", a.H, a.KV)
	must(a.Past >= 0 && a.Window >= 0, "attention past and window", a.Past, a.Window)
	must(q.Rows == n && k.Rows == keys && v.Rows == keys && o.Rows == n, "attention rows", n, keys, q.Rows, k.Rows, v.Rows, o.Rows)
	must(q.Cols == a.H*a.Dim && k.Cols == a.KV*a.Dim && v.Cols == a.KV*a.DimV && o.Cols == a.H*a.DimV && lse.Len() == n*a.H,
		"attention", q.Cols, k.Cols, v.Cols, o.Cols, lse.Len())
}

func (ref) Attend(o device.Mat, lse device.Buf, q, k, v device.Mat, a device.Attention) {
	checkAttention(o, lse, q, k, v, a)
	om, qm, km, vm, l := open(o), open(q), open(k), open(v), lse.(buf)
	for b := range a.B {
		for h := range a.H {
			s := heads{a, b, h}
			for t := range a.T {
				from, to := s.seen(t)
				scores, top := make([]float64, to-from), math.Inf(-1)
				for u := range scores {
					scores[u] = dot(s.query(qm, t), s.key(km, from+u)) * float64(a.Scale)
					top = math.Max(top, scores[u])
				}
				sum := 0.0
				for _, x := range scores {
					sum += math.Exp(x - top)
				}
				norm := top + math.Log(sum)
				acc := make([]float64, a.DimV)
				for u, x := range scores {
					p := math.Exp(x - norm)
					for j, val := range s.value(vm, from+u) {
						acc[j] += p * float64(val)
					}
				}
				for j, x := range acc {
					s.out(om, t)[j] = float32(x)
				}
				l[s.lse(t)] = float32(norm)
			}
		}
	}
}

func (ref) AttendGrad(dq, dk, dv, do, o device.Mat, lse device.Buf, q, k, v device.Mat, a device.Attention) {
	checkAttention(o, lse, q, k, v, a)
	checkAttention(do, lse, dq, dk, dv, a)
	must(a.Past == 0, "attention gradient with a past", a.Past)
	dqm, dkm, dvm, dom, om := open(dq), open(dk), open(dv), open(do), open(o)
	qm, km, vm, l := open(q), open(k), open(v), lse.(buf)
	n := a.B * a.T
	// The sums over heads and queries, rounded once at the end.
	sq := make([]float64, n*a.H*a.Dim)
	sk := make([]float64, n*a.KV*a.Dim)
	sv := make([]float64, n*a.KV*a.DimV)
	for b := range a.B {
		for h := range a.H {
			s := heads{a, b, h}
			for t := range a.T {
				query, gout := s.query(qm, t), s.out(dom, t)
				mean := dot(gout, s.out(om, t)) // Σ_u p_u dp_u
				from, to := s.seen(t)
				for u := from; u < to; u++ {
					key, value := s.key(km, u), s.value(vm, u)
					p := math.Exp(dot(query, key)*float64(a.Scale) - float64(l[s.lse(t)]))
					ds := p * (dot(gout, value) - mean) * float64(a.Scale)
					for j := range a.DimV {
						sv[((b*a.T+u)*a.KV+s.kv())*a.DimV+j] += p * float64(gout[j])
					}
					for j := range a.Dim {
						sq[((b*a.T+t)*a.H+h)*a.Dim+j] += ds * float64(key[j])
						sk[((b*a.T+u)*a.KV+s.kv())*a.Dim+j] += ds * float64(query[j])
					}
				}
			}
		}
	}
	for _, p := range []struct {
		m mat
		s []float64
	}{{dqm, sq}, {dkm, sk}, {dvm, sv}} {
		for i, x := range p.s {
			p.m.row(i / p.m.cols)[i%p.m.cols] = float32(x)
		}
	}
}
