package wallet

import (
	"os"
	"strconv"
	"strings"
)

// availableMemory returns how many bytes the system can surely give at most,
// or false where it does not say, which is everywhere but on Linux. A process
// that takes more is killed without a word.
func availableMemory() (bytes uint64, ok bool) {
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		bytes, ok = parseMeminfo(string(b))
	}
	if b, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		limit, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
		if err == nil && (!ok || limit < bytes) {
			bytes, ok = limit, true
		}
	}
	return bytes, ok
}

// parseMeminfo adds what is available to what can be swapped out for it.
func parseMeminfo(text string) (bytes uint64, ok bool) {
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		if name != "MemAvailable" && name != "SwapFree" {
			continue
		}
		kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 44)
		if err != nil {
			return 0, false
		}
		ok = ok || name == "MemAvailable"
		bytes += kib << 10
	}
	return bytes, ok
}
