//go:build !amd64 && !arm64

package cpu

// kernels returns those that this machine runs, the fastest first.
func kernels() []*kernel { return []*kernel{portable()} }
