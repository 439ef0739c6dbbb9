package doctor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// memory returns how many bytes can be had without swapping, in the limits of the
// container, if there is one.
func memory() (uint64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	free, err := available(string(text))
	if err != nil {
		return 0, err
	}
	limit, usage := cgroup("memory.max"), cgroup("memory.current")
	if limit > usage && limit-usage < free {
		free = limit - usage
	}
	return free, nil
}

var errNoMeminfo = errors.New("/proc/meminfo tells nothing about it")

// available reads MemAvailable out of /proc/meminfo.
func available(meminfo string) (uint64, error) {
	for line := range strings.Lines(meminfo) {
		rest, ok := strings.CutPrefix(line, "MemAvailable:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 50)
		if err != nil {
			return 0, fmt.Errorf("/proc/meminfo: %w", err)
		}
		return kib << 10, nil
	}
	return 0, errNoMeminfo
}

// cgroup reads a number of the container's control group, 0 if there is none.
func cgroup(name string) uint64 {
	text, err := os.ReadFile("/sys/fs/cgroup/" + name)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 63) // "max" is none
	return n
}
