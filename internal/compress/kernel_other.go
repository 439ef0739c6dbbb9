//go:build !amd64

package compress

// kernels returns those that this machine runs, the fastest first.
func kernels() []*kernel { return []*kernel{portable()} }
