package local

import (
	"os"
	"os/exec"
	"syscall"
)

// detach keeps the console's Ctrl-C from the child: ending it is its
// supervisor's affair.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// terminate does nothing more: a child ends when its input is closed.
func terminate(*os.Process) error { return nil }
