//go:build !linux

package cpu

// huge is for systems that must be asked for large pages.
func huge([]float32) {}
