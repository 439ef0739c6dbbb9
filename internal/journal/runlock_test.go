package journal

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"adit/internal/subnet"
)

// holding in the environment makes the test binary hold the locks of a run, in the
// state directory that it names, until it is killed.
const holding = "ADIT_TEST_HOLD_IN"

const lockedRun = "found/ation"

func hold(state string) error {
	if _, err := LockRun(state, "5Hot", lockedRun, "elsewhere", "train", "model-io"); err != nil {
		return err
	}
	fmt.Println("held")
	_, err := bufio.NewReader(os.Stdin).ReadByte() // forever
	return err
}

func TestLockRun(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	lock := func(hotkey, run string, parts ...string) func() {
		t.Helper()
		release, err := LockRun(state, hotkey, run, "one", parts...)
		if err != nil {
			t.Fatal(err)
		}
		return release
	}
	train := lock("5Hot", "a", "train")
	other, chain, second := lock("5Cold", "a", "train"), lock("5Hot", "a", "model-io"), lock("5Hot", "b", "train")
	if _, err := LockRun(state, "5Hot", "a", "two", "validate", "train"); err == nil || !strings.Contains(subnet.Hint(err), fmt.Sprintf("process %d works in ", os.Getpid())) || !strings.Contains(subnet.Hint(err), "one") {
		t.Errorf("a second time: %v (hint %q)", err, subnet.Hint(err))
	}
	lock("5Hot", "a", "validate")() // was let go of
	for _, release := range []func(){train, train, other, chain, second} {
		release()
	}
	lock("5Hot", "a", "train")()
	if left, err := os.ReadDir(state + "/locks"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestStateDir(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("ADIT_STATE", "")
	t.Setenv("XDG_STATE_HOME", dir)
	if got := StateDir(); got != filepath.Join(dir, "adit") {
		t.Errorf("customary: %s", got)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_STATE_HOME", file)
	if got := StateDir(); filepath.Dir(got) != filepath.Clean(os.TempDir()) {
		t.Errorf("where nothing can be written: %s", got)
	}
	t.Setenv("ADIT_STATE", "there")
	if got := StateDir(); got != "there" {
		t.Errorf("as told: %s", got)
	}
}

// However the process that held them dies, the locks of its run are free.
func TestLockRunKilled(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holding+"="+state)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Errorf("the holder said %q, %v", line, err)
	}
	for _, part := range []string{"train", "model-io"} {
		release, err := LockRun(state, "5Hot", lockedRun, t.TempDir(), part)
		if err == nil {
			release()
			t.Errorf("%s was locked twice", part)
		}
		if want := fmt.Sprintf("process %d works in ", cmd.Process.Pid); !strings.HasPrefix(subnet.Hint(err), want) {
			t.Errorf("hint = %q, want %q", subnet.Hint(err), want)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the holder ended by itself")
	}
	release, err := LockRun(state, "5Hot", lockedRun, t.TempDir(), "train", "model-io")
	if err != nil {
		t.Fatal(err)
	}
	release()
}
