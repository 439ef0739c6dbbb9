// Package cpu implements the device operations on the cores of a processor.
//
// Everything rests on a handful of small routines over registers and first-level
// cache, the [kernel]: one that multiplies a few rows by a narrow packed panel,
// and loops over vectors. There are four sets of them, for AVX-512, for AVX2 with
// FMA, for NEON, and in plain Go for every other machine; the best that the
// processor runs is chosen when a device is made. What stands above them, the
// blocks a product is cut into and the rows that a worker takes, is the same for
// all.
//
// Results do not depend on the number of threads, to the bit: work is cut at
// places that follow from sizes alone, and every sum is taken in one order. They
// do differ between kernels, in the last bits.
package cpu

import (
	"fmt"
	"runtime"
	"slices"

	"adit/internal/engine/device"
)

// Device does its work on up to a given number of threads. It keeps no
// goroutine between calls.
type Device struct {
	*kernel
	pool    pool
	workers []scratch // one per thread
	routers []router  // one per thread
	partial []float32 // sums of row blocks, before they are added in order
	squares []float64 // sums of pieces of a vector
	tasks   []task    // of a grouped product
}

var _ device.Device = (*Device)(nil)

// New returns a device of that many threads, or of GOMAXPROCS if threads is 0,
// with the best kernel that this machine runs.
func New(threads int) *Device {
	return newDevice(threads, kernels()[0])
}

// NewKernel is [New] with the kernel of that name: one of [Kernels]. It serves
// tests and comparisons.
func NewKernel(threads int, name string) (*Device, error) {
	all := kernels()
	i := slices.IndexFunc(all, func(k *kernel) bool { return k.name == name })
	if i < 0 {
		return nil, fmt.Errorf("kernel %q: this machine runs %q", name, Kernels())
	}
	return newDevice(threads, all[i]), nil
}

// Kernels names the kernels that this machine runs, the fastest first.
func Kernels() []string {
	var names []string
	for _, k := range kernels() {
		names = append(names, k.name)
	}
	return names
}

func newDevice(threads int, k *kernel) *Device {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	return &Device{kernel: k, pool: newPool(threads), workers: make([]scratch, threads), routers: make([]router, threads)}
}

// Name tells the kernel and the number of threads: "cpu avx512 x2".
func (d *Device) Name() string { return fmt.Sprintf("cpu %s x%d", d.name, d.pool.threads) }

// Sync returns at once: every operation is over when it returns.
func (d *Device) Sync() {}
