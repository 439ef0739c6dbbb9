//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFaultsFullDisk runs a network where there is no room for it.
func TestFaultsFullDisk(t *testing.T) {
	if os.Getenv("ADIT_FAULTS") == "" {
		t.Skip("ADIT_FAULTS is not set: see conformance/faults")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=32m"); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(disk, "net")
	n := up(t, dir, small(fast)...)
	status, _ := n.ended()
	s := n.summary()
	if status != 1 || !strings.Contains(s.Error, "no space left on device") || s.Hint == "" {
		t.Errorf("status %d, error %q, hint %q", status, s.Error, s.Hint)
	}
	gone(t, s)

	// With more room it goes on.
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=1g"); err != nil {
		t.Fatal(err)
	}
	n = up(t, dir, small(fast, "--cycles", "1")...)
	if status, _ := n.ended(); status != 0 {
		t.Errorf("with more room: status %d", status)
	}
	s = n.summary()
	for _, g := range s.Groups {
		if len(g.Losses) < 2 {
			t.Errorf("with more room: losses of group %d: %v", g.ID, g.Losses)
		}
	}
}
