package journal

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// killed names the directory in which the test binary, started once more, works
// until somebody kills it.
const killed = "ADIT_TEST_WORK_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killed); dir != "" {
		if err := work(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if state := os.Getenv(holding); state != "" {
		if err := hold(state); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// work goes through rounds as a miner does, and says after each act that it is
// done: from then on it must not be lost.
func work(path string) error {
	dir, err := OpenDir(path)
	if err != nil {
		return err
	}
	j, err := OpenJournal(path)
	if err != nil {
		return err
	}
	var n int
	if last, ok := j.Result("last"); ok {
		fmt.Sscan(last, &n)
	}
	for ; ; n++ {
		j.compact = min(j.compact, j.size+2000) // so that it often happens
		key := fmt.Sprintf("cycle/%d/commit1", n)
		standing, err := j.Intend(key, fmt.Sprintf("by %d", os.Getpid()))
		if err != nil {
			return err
		}
		fmt.Println("intend", n, standing)
		if err := put(dir, "model", n, 100_000); err != nil {
			return err
		}
		fmt.Println("model", n)
		for _, name := range []string{"new/a", "new/b"} {
			if err := put(dir, name, n, 10); err != nil {
				return err
			}
		}
		if err := dir.Rename("new", "base"); err != nil {
			return err
		}
		fmt.Println("base", n)
		if err := j.Done(key, fmt.Sprint("in block ", n)); err != nil {
			return err
		}
		fmt.Println("done", n)
		if err := j.Done("last", fmt.Sprint(n)); err != nil {
			return err
		}
	}
}

// put makes a file of size bytes, each saying n.
func put(dir *Dir, name string, n, size int) error {
	w, err := dir.Create(name)
	if err != nil {
		return err
	}
	defer w.Close()
	for range 4 {
		if _, err := w.Write(bytes.Repeat([]byte{byte(n)}, size/4)); err != nil {
			return err
		}
	}
	return w.Commit()
}

func TestKill(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for range 25 {
		said := runAndKill(t, path, rng.IntN(60))
		check(t, path, said)
		if t.Failed() {
			t.Fatalf("the process had said:\n%s", strings.Join(said, "\n"))
		}
	}
}

// runAndKill starts a worker, waits until it has said so many lines, kills it,
// and returns all it said.
func runAndKill(t *testing.T, path string, lines int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killed+"="+path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	read := bufio.NewReader(out)
	for {
		line, err := read.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, strings.TrimSpace(line))
		if len(said) == max(lines, 1) {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the worker ended by itself: %v\n%s", err, &stderr)
	}
	return said
}

// check finds everything that was said to be done, and nothing half done.
func check(t *testing.T, path string, said []string) {
	t.Helper()
	d := openDir(t, path)
	j := openJournal(t, path)
	defer j.Close()
	newest := 0
	if len(said) > 0 {
		fmt.Sscan(strings.Fields(said[len(said)-1])[1], &newest)
		newest++ // the round that it may have been in since
	}
	atLeast := map[string]int{}
	for _, line := range said {
		var verb string
		var n int
		if _, err := fmt.Sscan(line, &verb, &n); err != nil {
			t.Fatalf("said %q: %v", line, err)
		}
		atLeast[verb] = n
		if n <= newest-keptRounds {
			continue // compaction may have forgotten it
		}
		key := fmt.Sprintf("cycle/%d/commit1", n)
		switch verb {
		case "intend":
			_, want, _ := strings.Cut(line, fmt.Sprint(n, " "))
			if got := j.all[key]; !got.intended || got.payload != want {
				t.Errorf("%s stands as %q, want %q", key, got.payload, want)
			}
		case "done":
			if got, _ := j.Result(key); got != fmt.Sprint("in block ", n) {
				t.Errorf("the result of %s is %q", key, got)
			}
		}
	}
	for verb, names := range map[string][]string{"model": {"model"}, "base": {"base/a", "base/b"}} {
		want, ok := atLeast[verb]
		if !ok {
			continue
		}
		var first byte
		for i, name := range names {
			data := content(t, d, name)
			if len(data) == 0 || bytes.Count(data, data[:1]) != len(data) {
				t.Errorf("%s is not whole: %d bytes", name, len(data))
				continue
			}
			if i == 0 {
				first = data[0]
			}
			if data[0] != first {
				t.Errorf("%s is of round %d, the file before it of %d", name, data[0], first)
			}
			// Rounds are counted modulo 256; the worker is at most one ahead
			// of what it said.
			if ahead := data[0] - byte(want); ahead > 1 {
				t.Errorf("%s is of round %d, want %d or the next", name, data[0], byte(want))
			}
		}
	}
}

func content(t *testing.T, d *Dir, name string) []byte {
	t.Helper()
	f, err := d.Open(name)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Error(err)
	}
	return data
}
