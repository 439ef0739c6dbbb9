package ref

import "adit/internal/engine/device"

func (ref) Rope(x device.Mat, cos, sin device.Buf, r device.Rotation) {
	m, c, s := open(x), cos.(buf), sin.(buf)
	half := r.Dim / 2
	must(r.Dim >= 0 && r.Dim%2 == 0 && r.T > 0 && x.Rows%r.T == 0 && len(c) == r.T*half && len(s) == r.T*half,
		"rope", x.Rows, r.T, r.Dim, len(c), len(s))
	checkHeads(x, device.Heads{N: r.Heads, Stride: r.Stride, First: r.First, Width: r.Dim})
	must(r.Heads <= 1 || r.Stride >= r.Dim, "rope: heads overlap", r.Stride, r.Dim)
	for i := range x.Rows {
		pos := i % r.T
		for h := range r.Heads {
			head := m.row(i)[r.First+h*r.Stride:][:r.Dim]
			for j := range half {
				co, si := float64(c[pos*half+j]), float64(s[pos*half+j])
				if r.Inverse {
					si = -si
				}
				first, second := j, j+half
				if r.Pairs {
					first, second = 2*j, 2*j+1
				}
				a, b := float64(head[first]), float64(head[second])
				head[first], head[second] = float32(a*co-b*si), float32(b*co+a*si)
			}
		}
	}
}

// checkHeads panics unless the columns that h names are in m.
func checkHeads(m device.Mat, h device.Heads) {
	must(h.N >= 0 && h.Stride >= 0 && h.First >= 0 && h.Width >= 0, "heads", h.N, h.Stride, h.First, h.Width)
	must(h.N == 0 || h.First+(h.N-1)*h.Stride+h.Width <= m.Cols, "heads", h.N, h.Stride, h.First, h.Width, m.Cols)
}

func (ref) CopyHeads(dst device.Mat, to device.Heads, src device.Mat, from device.Heads, acc bool) {
	m := openAll(dst, src)
	checkHeads(dst, to)
	checkHeads(src, from)
	must(to.N == from.N && to.Width == from.Width, "copy heads", to.N, from.N, to.Width, from.Width)
	for i := range dst.Rows {
		for h := range to.N {
			out, in := m[0].row(i)[to.First+h*to.Stride:], m[1].row(i)[from.First+h*from.Stride:]
			for j := range to.Width {
				if acc {
					out[j] += in[j]
				} else {
					out[j] = in[j]
				}
			}
		}
	}
}

func (ref) AddBias(x device.Mat, b device.Buf) {
	m, bias := open(x), b.(buf)
	must(len(bias) == x.Cols, "bias", len(bias), x.Cols)
	for i := range x.Rows {
		for j := range bias {
			m.row(i)[j] += bias[j]
		}
	}
}

func (ref) BiasGrad(db device.Buf, dy device.Mat) {
	m, bias := open(dy), db.(buf)
	must(len(bias) == dy.Cols, "bias gradient", len(bias), dy.Cols)
	for j := range bias {
		s := float64(bias[j])
		for i := range dy.Rows {
			s += float64(m.row(i)[j])
		}
		bias[j] = float32(s)
	}
}
