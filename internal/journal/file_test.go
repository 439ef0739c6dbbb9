package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/journal/journaltest"
	"adit/internal/subnet"
)

func openJournal(t *testing.T, dir string) *File {
	t.Helper()
	j, err := OpenJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func TestFile(t *testing.T) {
	t.Parallel()
	journaltest.Run(t, func(t *testing.T) (subnet.Journal, func() subnet.Journal) {
		dir := t.TempDir()
		j := openJournal(t, dir)
		return j, func() subnet.Journal {
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			j = openJournal(t, dir)
			return j
		}
	})
}

func TestJournalHasOneHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir)
	_, err := OpenJournal(dir)
	if want := fmt.Sprintf("process %d", os.Getpid()); err == nil || !strings.Contains(subnet.Hint(err), want) {
		t.Errorf("second OpenJournal error = %v (hint %q), want a hint with %q", err, subnet.Hint(err), want)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Intend("a", "b"); err == nil {
		t.Error("Intend after Close succeeded")
	}
	openJournal(t, dir)
}

// three returns the bytes of a journal of three records.
func three(t testing.TB) (all []byte, ends []int) {
	t.Helper()
	for _, r := range []record{
		{opIntend, "cycle/1/commit1", "payload"}, {opDone, "cycle/1/commit1", "block 7"}, {opIntend, "cycle/1/commit2", "ünï\n"},
	} {
		line, err := r.line()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, line...)
		ends = append(ends, len(all))
	}
	return all, ends
}

func write(t *testing.T, dir string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, journalName), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A kill may cut the file anywhere in its last record.
func TestTorn(t *testing.T) {
	t.Parallel()
	all, ends := three(t)
	for cut := range len(all) + 1 {
		whole := 0 // how many records are whole
		for whole < len(ends) && ends[whole] <= cut {
			whole++
		}
		entries, good, err := parse(all[:cut])
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if want := append([]int{0}, ends...)[whole]; good != want || len(entries.records()) != whole {
			t.Fatalf("cut at %d: %d records, %d good bytes, want %d, %d", cut, len(entries.records()), good, whole, want)
		}
	}

	// Opened and written again, nothing of the torn record stays.
	dir := t.TempDir()
	write(t, dir, all[:len(all)-5])
	j := openJournal(t, dir)
	if want := int64(len(all) - 5 - ends[1]); j.Torn() != want {
		t.Errorf("Torn() = %d, want %d", j.Torn(), want)
	}
	if got, err := j.Intend("cycle/1/commit2", "ünï\n"); got != "ünï\n" || err != nil {
		t.Errorf("Intend = %q, %v", got, err)
	}
	j.Close()
	if got, err := os.ReadFile(filepath.Join(dir, journalName)); err != nil || !bytes.Equal(got, all) {
		t.Errorf("the journal reads\n%s%v, want\n%s", got, err, all)
	}
}

func TestCorrupt(t *testing.T) {
	t.Parallel()
	all, ends := three(t)
	for at := range ends[1] {
		for _, bit := range []byte{1, 0x20} {
			data := bytes.Clone(all)
			data[at] ^= bit
			_, _, err := parse(data)
			want := "line 1:"
			if at >= ends[0] {
				want = "line 2:"
			}
			// The case of a hexadecimal digit of the checksum may flip unnoticed.
			if err == nil && bytes.EqualFold(data, all) {
				continue
			}
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Fatalf("bit %#x of byte %d flipped: error = %v, want %q", bit, at, err, want)
			}
		}
	}

	dir := t.TempDir()
	data := bytes.Clone(all)
	data[ends[0]+30] ^= 1
	write(t, dir, data)
	_, err := OpenJournal(dir)
	if err == nil || !strings.Contains(err.Error(), "line 2") || subnet.Hint(err) == "" {
		t.Errorf("OpenJournal error = %v (hint %q)", err, subnet.Hint(err))
	}
	if got, _ := os.ReadFile(filepath.Join(dir, journalName)); !bytes.Equal(got, data) {
		t.Error("a corrupt journal was changed")
	}
}

func TestCompaction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := openJournal(t, dir)
	j.compact = 20_000 // bytes; the default would take long to reach
	const rounds = 500
	for n := range rounds {
		key := fmt.Sprintf("cycle/%d/commit1", n)
		if _, err := j.Intend(key, "payload"); err != nil {
			t.Fatal(err)
		}
		if n != 3 { // one act was never finished
			if err := j.Done(key, "result"); err != nil {
				t.Fatal(err)
			}
		}
		if j.compact == minCompact {
			j.compact = j.size + 10_000
		}
	}
	if err := j.Done("registered", "yes"); err != nil {
		t.Fatal(err)
	}
	j.mu.Lock()
	if err := j.rewrite(); err != nil {
		t.Fatal(err)
	}
	j.mu.Unlock()
	j.Close()

	j = openJournal(t, dir)
	if want := keptRounds + 2; len(j.all) != want {
		t.Errorf("%d acts are left, want %d", len(j.all), want)
	}
	if _, ok := j.Result(fmt.Sprintf("cycle/%d/commit1", rounds-keptRounds)); !ok {
		t.Error("a recent round was forgotten")
	}
	if _, ok := j.Result("registered"); !ok {
		t.Error("what belongs to no round was forgotten")
	}
	if got, err := j.Intend("cycle/3/commit1", "other"); got != "payload" || err != nil {
		t.Errorf("the unfinished act: Intend = %q, %v", got, err)
	}
	if info, err := os.Stat(j.path); err != nil || info.Size() > 20_000 {
		t.Errorf("the compacted journal: %v, %v", info.Size(), err)
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	done := entry{intended: true, done: true}
	all := entries{
		"cycle/100/a": done, "cycle/37/a": done, "cycle/36/a": done, "cycle/1/a": {intended: true},
		"window/9/put": done, "cycle/x/a": done, "cycle/5": done, "transfer": done,
	}
	all.forget()
	var got []string
	for _, r := range all.records() {
		if r.Op == opIntend {
			got = append(got, r.Key)
		}
	}
	want := []string{"cycle/1/a", "cycle/100/a", "cycle/37/a", "cycle/5", "cycle/x/a", "transfer", "window/9/put"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	all, ends := three(f)
	f.Add(all)
	f.Add(all[:len(all)-3])
	f.Add(all[ends[0]:])
	f.Add([]byte("{\"crc\":\"00000000\",\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		all, good, err := parse(data)
		if err != nil {
			return
		}
		if good > len(data) {
			t.Fatalf("%d good bytes of %d", good, len(data))
		}
		// What was read, written again and read again, is the same.
		var again []byte
		for _, r := range all.records() {
			line, err := r.line()
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, line...)
		}
		back, n, err := parse(again)
		if err != nil || n != len(again) {
			t.Fatalf("written again: %d of %d bytes, %v", n, len(again), err)
		}
		if diff := cmp.Diff(all, back, cmp.AllowUnexported(entry{})); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
	})
}
