package cpu_test

import (
	"math"
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
				d.GroupedGrad(b[12], sorted(11), sorted(10), v[2])
				d.Combine(row(4), sorted(11), v[3], b[14], k)
				d.ScatterGrad(row(4), sorted(10), v[3], k)
				sum = d.SumSquares(b[10])
			})
			return out.bufs, sum
		}
		want, sum := run(1)
		for _, threads := range []int{2, 3, 5} {
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
