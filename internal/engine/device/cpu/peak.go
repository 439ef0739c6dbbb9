package cpu

import (
	"sync"
	"time"
)

// peakTime is how long the peak is measured.
const peakTime = 250 * time.Millisecond

// Peak measures [Peak] for the device's kernel and number of threads.
func (d *Device) Peak() float64 { return d.kernel.peakOf(d.pool.threads) }

// Threads returns how many there are.
func (d *Device) Threads() int { return d.pool.threads }

// Peak measures how many floating-point operations a second that many threads
// can do at the most, a multiplication and an addition being two: each runs
// independent chains of them in registers, with the best kernel. What else the
// machine does at the time lowers it.
func Peak(threads int) float64 { return kernels()[0].peakOf(threads) }

func (k *kernel) peakOf(threads int) float64 {
	const reps = 10000
	var wg sync.WaitGroup
	rates := make([]float64, threads)
	for t := range rates {
		wg.Go(func() {
			start, n := time.Now(), 0
			for time.Since(start) < peakTime {
				k.peak(reps)
				n += reps
			}
			rates[t] = float64(n) * float64(k.flops) / time.Since(start).Seconds()
		})
	}
	wg.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum
}
