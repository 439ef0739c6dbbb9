package cpu_test

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"adit/internal/engine/device"
	"adit/internal/engine/device/cpu"
)

// TestThreads runs what adds things up over any number of threads: the bits are
// those of one.
func TestThreads(t *testing.T) {
	const (
		n, width, heads, experts, k = 1400, 192, 3, 7, 2
		vocabulary                  = 50
	)
	r := source()
	chosen := below(r, n*k, experts)
	for i := range chosen[:n] { // one expert is most asked for
		chosen[i] = 4
	}
	in := data{
		bufs: [][]float32{
			normal(r, n*width), normal(r, n*width), normal(r, n*width), normal(r, n*width), normal(r, n*width), normal(r, n*width),
			normal(r, n*heads), normal(r, vocabulary*width), normal(r, width), normal(r, n),
			normal(r, n*k*width), normal(r, n*k*width), normal(r, experts*width*width), normal(r, width*width), normal(r, n*k),
		},
		ints: [][]int32{below(r, n, vocabulary), chosen, make([]int32, experts+1), make([]int32, n*k)},
	}
	for _, name := range cpu.Kernels() {
		run := func(threads int) ([][]float32, float64) {
			d, err := cpu.NewKernel(threads, name)
			if err != nil {
				t.Fatal(err)
			}
			var sum float64
			out := in.on(d, func(d device.Device, b []device.Buf, v []device.Ints) {
				row := func(i int) device.Mat { return device.M(b[i], n, width) }
				sorted := func(i int) device.Mat { return device.M(b[i], n*k, width) }
				square := device.M(b[13], width, width)
				a := device.Attention{B: 2, T: n / 2, H: heads, KV: 1, Dim: width / heads, DimV: width / heads, Scale: 0.2}
				one := func(i int) device.Mat { return device.Mat{Buf: b[i], Rows: n, Cols: width / heads, Stride: width} }
				d.Attend(row(0), b[6], row(1), one(2), one(3), a)
				d.AttendGrad(row(4), one(5), one(1), row(2), row(0), b[6], row(1), one(2), one(3), a)
				d.Gemm(row(0), row(4), false, square, true, true)
				d.Gemm(square, row(0), true, row(5), false, true)
				d.EmbedGrad(device.M(b[7], vocabulary, width), row(0), v[0])
				d.RMSNormGrad(row(0), b[8], row(5), row(4), b[8], b[9])
				d.Group(v[2], v[3], v[1])
				d.Scatter(sorted(10), row(0), v[3], k)
				d.Grouped(sorted(11), sorted(10), v[2], b[12], true, false)
				d.GroupedGrad(b[12], sorted(11), sorted(10), v[2], true)
				d.Combine(row(4), sorted(11), v[3], b[14], k)
				d.ScatterGrad(row(4), sorted(10), v[3], k)
				sum = d.SumSquares(b[10])
			})
			return out.bufs, sum
		}
		want, sum := run(1)
		for _, threads := range []int{2, 3} {
			got, other := run(threads)
			for i := range want {
				if !slices.EqualFunc(got[i], want[i], func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
					t.Errorf("%s: vector %d of %d threads is not that of one", name, i, threads)
				}
			}
			if other != sum {
				t.Errorf("%s: sum of squares of %d threads = %v, of one %v", name, threads, other, sum)
			}
		}
	}
}

// parts are calls that a step makes many of, with rows enough to be shared out.
// Most write to vector 0 or add to it.
const partRows, partWidth, partK = 1400, 192, 4

var parts = map[string]func(d device.Device, b []device.Buf, v []device.Ints){
	"add":      func(d device.Device, b []device.Buf, _ []device.Ints) { d.Add(b[0], b[1]) },
	"nesterov": func(d device.Device, b []device.Buf, _ []device.Ints) { d.Nesterov(b[0], b[1], b[2], 0.7, 0.9) },
	"adamw": func(d device.Device, b []device.Buf, _ []device.Ints) {
		d.AdamW(b[0], b[1], b[2], b[2], device.Adam{LR: 0.1, Beta1: 0.9, Beta2: 0.9, Step: 1, GradScale: 1})
	},
	"round":     func(d device.Device, b []device.Buf, _ []device.Ints) { d.Round(b[0], device.F16) },
	"squares":   func(d device.Device, b []device.Buf, _ []device.Ints) { d.SumSquares(b[0]) },
	"bias":      func(d device.Device, b []device.Buf, _ []device.Ints) { d.AddBias(part(b[0]), b[3]) },
	"bias grad": func(d device.Device, b []device.Buf, _ []device.Ints) { d.BiasGrad(b[3], part(b[0])) },
	"rmsnorm": func(d device.Device, b []device.Buf, _ []device.Ints) {
		d.RMSNorm(part(b[0]), part(b[1]), b[3], b[5], 1e-5)
	},
	"rmsnorm grad": func(d device.Device, b []device.Buf, _ []device.Ints) {
		w, dw := b[3].Slice(0, partWidth/partK), b[4].Slice(0, partWidth/partK)
		d.RMSNormGrad(part(b[0]), dw, part(b[1]), part(b[2]), w, b[6])
	},
	"layernorm": func(d device.Device, b []device.Buf, _ []device.Ints) {
		d.LayerNorm(part(b[0]), part(b[1]), b[3], b[4], b[5], b[6].Slice(0, partRows), 1e-5)
	},
	"layernorm grad": func(d device.Device, b []device.Buf, _ []device.Ints) {
		d.LayerNormGrad(part(b[0]), b[3], b[4], part(b[1]), part(b[2]), b[7], b[5], b[6].Slice(0, partRows))
	},
	"rope": func(d device.Device, b []device.Buf, _ []device.Ints) {
		d.Rope(part(b[0]), b[1].Slice(0, partRows*16), b[2].Slice(0, partRows*16), device.Rotation{T: partRows, Heads: 4, Stride: 48, First: 3, Dim: 32})
	},
	"rope of pairs": func(d device.Device, b []device.Buf, _ []device.Ints) {
		d.Rope(part(b[0]), b[1].Slice(0, partRows*16), b[2].Slice(0, partRows*16), device.Rotation{T: partRows, Heads: 4, Stride: 48, Dim: 32, Pairs: true})
	},
	"heads": func(d device.Device, b []device.Buf, _ []device.Ints) {
		d.CopyHeads(part(b[0]), device.Heads{N: 3, Width: 64}, part(b[1]), device.Heads{N: 3, Stride: 64, Width: 64}, true)
	},
	"gelu":      func(d device.Device, b []device.Buf, _ []device.Ints) { d.Gelu(part(b[0]), part(b[1])) },
	"gelu grad": func(d device.Device, b []device.Buf, _ []device.Ints) { d.GeluGrad(part(b[0]), part(b[1]), part(b[2])) },
	"cross entropy": func(d device.Device, b []device.Buf, v []device.Ints) {
		d.CrossEntropy(b[5], part(b[0]), v[2], 0)
		d.CrossEntropy(b[5], part(b[0]), v[2], 0.5)
	},
	"top k": func(d device.Device, b []device.Buf, v []device.Ints) {
		d.TopK(part(b[0]), v[0], b[6], part(b[1]), v[1], device.Routing{K: partK, Scale: 2, Normal: true, Groups: 8, TopGroups: 3})
	},
	"top k grad": func(d device.Device, b []device.Buf, v []device.Ints) {
		d.TopKGrad(part(b[0]), part(b[1]), v[0], b[6], device.Routing{K: partK, Scale: 2})
	},
	"balance": func(d device.Device, b []device.Buf, v []device.Ints) {
		d.Balance(b[5].Slice(0, 2), part(b[0]), part(b[1]), v[0], partK, partRows/2, 0.3)
	},
}

func part(b device.Buf) device.Mat { return device.M(b, partRows, partWidth) }

// partData is what parts work on: three matrices, then vectors of a row and of
// rows, and experts that are chosen, allowed, and targets.
func partData() data {
	r := source()
	const n, width = partRows, partWidth
	return data{
		bufs: [][]float32{normal(r, n*width), normal(r, n*width), normal(r, n*width), normal(r, width), normal(r, width), normal(r, n), normal(r, n*partK), normal(r, width)},
		ints: [][]int32{below(r, n*partK, width), slices.Repeat([]int32{1}, width), below(r, n, width)},
	}
}

// TestThreadsParts is TestThreads for each part alone.
func TestThreadsParts(t *testing.T) {
	in := partData()
	for _, name := range cpu.Kernels() {
		devices := make([]*cpu.Device, 3)
		for i := range devices {
			d, err := cpu.NewKernel(i+1, name)
			if err != nil {
				t.Fatal(err)
			}
			devices[i] = d
		}
		for op, do := range parts {
			want := in.on(devices[0], do)
			for i, d := range devices[1:] {
				got := in.on(d, do)
				for b := range want.bufs {
					if !slices.EqualFunc(got.bufs[b], want.bufs[b], func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) }) {
						t.Errorf("%s: %s: vector %d of %d threads is not that of one", name, op, b, i+2)
					}
				}
				for v := range want.ints {
					if !slices.Equal(got.ints[v], want.ints[v]) {
						t.Errorf("%s: %s: integers %d of %d threads are not those of one", name, op, v, i+2)
					}
				}
			}
		}
	}
}

// TestMemory calls each part again and again: no more is allocated each time
// than what describes the work.
func TestMemory(t *testing.T) {
	const most = 512 // bytes a call
	in := partData()
	d := cpu.New(1)
	for op, do := range parts {
		in.on(d, func(d device.Device, b []device.Buf, v []device.Ints) {
			do(d, b, v) // once, to take the memory that is kept
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			const calls = 20
			for range calls {
				do(d, b, v)
			}
			runtime.ReadMemStats(&after)
			if n := (after.TotalAlloc - before.TotalAlloc) / calls; n > most {
				t.Errorf("%s: %d bytes a call", op, n)
			}
		})
	}
}

// TestSizes passes sizes that do not fit: a panic, also out of a worker.
func TestSizes(t *testing.T) {
	d := cpu.New(2)
	b, v := d.NewBuf(1<<20), d.NewInts(1<<10)
	d.UploadInts(v, slices.Repeat([]int32{-1}, 1<<10))
	for name, op := range map[string]func(){
		"add":    func() { d.Add(b, b.Slice(1, 3)) },
		"matrix": func() { d.SwiGLU(device.M(b, 1<<10, 1<<10), device.M(b, 1<<10, 1<<11)) },
		"gemm":   func() { d.Gemm(device.M(b, 4, 4), device.M(b, 4, 5), false, device.M(b, 4, 4), false, false) },
		"embed":  func() { d.Embed(device.M(b, 1<<10, 4), device.M(b, 4, 4), v) },
		"rope": func() {
			d.Rope(device.M(b, 4, 6), b.Slice(0, 4), b.Slice(0, 4), device.Rotation{T: 4, Heads: 2, Stride: 3, Dim: 3})
		},
		"stride": func() {
			d.CrossEntropy(b.Slice(0, 4), device.Mat{Buf: b, Rows: 4, Cols: 5, Stride: 3}, d.NewInts(4), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			op()
		})
	}
	d.Zero(b) // and it goes on
}

func TestNewKernel(t *testing.T) {
	if _, err := cpu.NewKernel(1, "abacus"); err == nil {
		t.Error("a kernel that there is not")
	}
	if names := cpu.Kernels(); names[len(names)-1] != "portable" {
		t.Errorf("kernels %q do not end with the portable one", names)
	}
	d, err := cpu.NewKernel(3, "portable")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := d.Name(), "cpu portable x3"; got != want {
		t.Errorf("name %q, want %q", got, want)
	}
}

func TestPeak(t *testing.T) {
	if p := cpu.Peak(1); !(p > 1e6) {
		t.Errorf("peak of %v operations a second", p)
	}
}
