//go:build unix

package bench

import (
	"runtime"
	"syscall"
)

// peakRSS returns the most memory that the process has had, in MB of 2^20 bytes.
func peakRSS() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	size := float64(u.Maxrss)
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return size / (1 << 20) // it counts bytes, the others kilobytes
	}
	return size / (1 << 10)
}
