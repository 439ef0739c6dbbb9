package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"adit/internal/subnet"
)

// A File is the journal of a run on disk, held by one process at a time. It is
// safe for concurrent use.
type File struct {
	path    string
	release func()

	mu      sync.Mutex
	f       *os.File
	all     entries
	size    int64
	compact int64 // the size at which to compact next
	torn    int64
	broken  error // set when the disk no longer says what is in memory
}

var _ subnet.Journal = (*File)(nil)

const (
	// maxJournal bounds what is read at start, in bytes. Compaction keeps a
	// journal well below it.
	maxJournal = 256 << 20
	// minCompact is the size below which compaction is not worth a pause.
	minCompact = 1 << 20
)

// OpenJournal opens the journal in the run's directory dir, which must exist.
// A last record that a kill cut short is dropped; damage anywhere else is an
// error that names the line.
func OpenJournal(dir string) (*File, error) {
	release, err := Lock(dir, "journal")
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &File{path: filepath.Join(dir, journalName), release: release}
	if err := j.load(); err != nil {
		release()
		return nil, fmt.Errorf("open journal %s: %w", j.path, err)
	}
	return j, nil
}

func (j *File) load() (err error) {
	j.f, err = os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return withCure(err)
	}
	defer func() {
		if err != nil {
			j.f.Close()
		}
	}()
	data, err := io.ReadAll(io.LimitReader(j.f, maxJournal+1))
	if err != nil {
		return err
	}
	if len(data) > maxJournal {
		return fmt.Errorf("is longer than %d bytes", maxJournal)
	}
	all, good, err := parse(data)
	if err != nil {
		return subnet.WithHint(err, "the disk may be failing; "+
			"moved aside, the journal starts anew, and with it the round: what was committed in it may be refused")
	}
	j.all, j.size, j.torn = all, int64(good), int64(len(data)-good)
	j.compact = compactAt(j.size)
	if err := j.cut(); err != nil {
		return err
	}
	if err := j.f.Sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(j.path))
}

// Torn returns how many bytes of an unfinished record were dropped on opening.
func (j *File) Torn() int64 { return j.torn }

// Intend records payload under key before the act, or returns what stands.
func (j *File) Intend(key, payload string) (string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return "", fmt.Errorf("intend %s: %w", key, j.broken)
	}
	if a := j.all[key]; a.intended {
		return a.payload, nil
	}
	if err := j.write(record{opIntend, key, payload}); err != nil {
		return "", fmt.Errorf("intend %s: %w", key, err)
	}
	return payload, nil
}

// Done records the result of an act. Done again, the last result stands.
func (j *File) Done(key, result string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return fmt.Errorf("done %s: %w", key, j.broken)
	}
	if a := j.all[key]; a.done && a.result == result {
		return nil
	}
	if err := j.write(record{opDone, key, result}); err != nil {
		return fmt.Errorf("done %s: %w", key, err)
	}
	return nil
}

// Result returns the result recorded by Done, or false.
func (j *File) Result(key string) (string, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	a := j.all[key]
	return a.result, a.done
}

// Close gives the journal free for another process.
func (j *File) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if errors.Is(j.broken, fs.ErrClosed) {
		return nil
	}
	j.broken = fs.ErrClosed
	err := j.f.Close()
	j.release()
	if err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}

// write appends r, synced. Both kinds of record are, though only an intent must
// be: so only the last line of the file can ever be half there.
func (j *File) write(r record) error {
	line, err := r.line()
	if err != nil {
		return err
	}
	if j.size+int64(len(line)) > j.compact {
		// Short of room for a second file, the journal just goes on growing.
		if err := j.rewrite(); err != nil && j.broken != nil {
			return fmt.Errorf("compact: %w", err)
		}
	}
	if j.size+int64(len(line)) > maxJournal {
		return fmt.Errorf("journal would be longer than %d bytes", maxJournal)
	}
	if _, err := j.f.Write(line); err != nil {
		// Half a line must not stay in the middle of the file.
		if cut := j.cut(); cut != nil {
			j.broken = errors.Join(err, cut)
		}
		return withCure(err)
	}
	if err := j.f.Sync(); err != nil {
		// The system may have thrown the bytes away and forgotten that it did;
		// only reading the file again tells what it holds.
		j.broken = err
		return withCure(err)
	}
	j.size += int64(len(line))
	j.all.apply(r)
	return nil
}

func compactAt(size int64) int64 { return min(max(minCompact, 2*size), maxJournal) }

// cut removes what is behind the last whole record.
func (j *File) cut() error {
	if err := j.f.Truncate(j.size); err != nil {
		return err
	}
	_, err := j.f.Seek(j.size, io.SeekStart)
	return err
}

// rewrite puts a file in the journal's place that holds only what is still of
// use.
func (j *File) rewrite() error {
	j.all.forget()
	var data []byte
	for _, r := range j.all.records() {
		line, err := r.line()
		if err != nil {
			return err
		}
		data = append(data, line...)
	}
	dir := filepath.Dir(j.path)
	// Windows does not replace a file that is open.
	if err := j.f.Close(); err != nil {
		j.broken = err
		return err
	}
	replaced := exclusively(dir, func() error { return replaceFile(j.path, data) })
	f, err := os.OpenFile(j.path, os.O_RDWR, 0)
	if err != nil {
		j.broken = err
		return errors.Join(replaced, err)
	}
	j.f = f
	if replaced == nil {
		j.size = int64(len(data))
	}
	// If it did not shrink, the next attempt comes when it has doubled.
	j.compact = compactAt(j.size)
	if err := j.cut(); err != nil {
		j.broken = err
		return errors.Join(replaced, err)
	}
	return replaced
}
