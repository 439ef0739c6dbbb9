package doctor

import "golang.org/x/sys/unix"

// memory returns how much the machine has: the system makes room as it is needed.
func memory() (uint64, error) { return unix.SysctlUint64("hw.memsize") }
