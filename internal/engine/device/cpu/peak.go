package cpu

import (
	"sync"
	"time"
)

// peakTime is how long the peak is measured.
const peakTime = 250 * time.Millisecond

// Peak measures how many floating-point operations a second that many threads
// can do at the most, a multiplication and an addition being two: each runs
// independent chains of them in registers, with the best kernel. What else the
// machine does at the time lowers it.
func Peak(threads int) float64 {
	k := kernels()[0]
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
