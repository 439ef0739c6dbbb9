//go:build unix

package wallet

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPasswordFromFD(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("through a pipe\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	fd, err := unix.Dup(int(r.Fd())) // which will be closed
	if err != nil {
		t.Fatal(err)
	}
	if pw, err := PasswordFromFD(fd); err != nil || string(pw) != "through a pipe" {
		t.Errorf("%q, %v", string(pw), err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
		t.Error("the descriptor is still open")
	}
}
