package journal

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"adit/internal/subnet"
)

func TestLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock := func(names ...string) func() {
		t.Helper()
		release, err := Lock(dir, names...)
		if err != nil {
			t.Fatal(err)
		}
		return release
	}
	refused := func(names ...string) {
		t.Helper()
		release, err := Lock(dir, names...)
		if err == nil {
			release()
			t.Fatalf("Lock(%v) succeeded", names)
		}
		if want := fmt.Sprintf("process %d works", os.Getpid()); !strings.Contains(subnet.Hint(err), want) {
			t.Errorf("Lock(%v) hint = %q, want %q in it", names, subnet.Hint(err), want)
		}
	}

	run := lock()
	refused()
	run()
	run() // once more does no harm
	lock()()

	train := lock("train")
	chain := lock("chain")
	refused("chain", "train")
	train()
	refused("train", "chain") // and lets go of train again
	lock("train")()
	chain()
	both := lock("train", "chain")
	refused("chain")
	both()

	for _, name := range []string{"", "../x", "a/b", `a\b`} {
		if _, err := Lock(dir, name); err == nil {
			t.Errorf("Lock(%q) succeeded", name)
		}
	}
}

// Windows has to close a file before it can be renamed.
func TestUnlockClosed(t *testing.T) {
	t.Parallel()
	f, err := os.Create(t.TempDir() + "/x")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := unlockClose(f); err != nil {
		t.Error(err)
	}
}
