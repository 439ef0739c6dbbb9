package chainnode

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// Blocks are kept in segments: files of up to so many blocks, each of which
// begins with the whole storage before them, so that old ones can be removed. A
// segment is a line that tells what it is, a snapshot, and blocks.
const (
	segmentKind    = "adit chain "
	segmentMagic   = segmentKind + "2\n"
	segmentSuffix  = ".blocks"
	draftSuffix    = ".tmp"
	segmentDefault = 4096 // blocks
	keptSegments   = 3
)

// A snapshot opens a segment: the storage after the block with Header.
type snapshot struct {
	Genesis header
	Header  header
	Millis  uint64
	Values  []change
}

// A place is where a block's record lies.
type place struct {
	segment uint32
	at      int64
	size    int // with its head
}

// A tail is what there is in a segment.
type tail struct {
	end    int64 // of what is good
	ragged bool  // behind end there may be something
	blocks int
}

// scan hands over the snapshot and the blocks of a segment of size bytes, with
// where their records are and how long. Only the newest may be cut short.
func scan(r io.Reader, size int64, newest bool, begin func(snapshot) error, add func(b block, at int64, size int) error) (t tail, err error) {
	if err := readMagic(r); err != nil {
		return t, err
	}
	t.end = int64(len(segmentMagic))
	for n := 0; ; n++ {
		record, err := readRecord(r, size-t.end)
		switch {
		case err == io.EOF && n > 0:
			return t, nil
		case err == errTorn && n > 0 && newest:
			t.ragged = true
			return t, nil
		case err == io.EOF:
			err = errTorn // a segment appears with its snapshot
		case err == nil && n == 0:
			var s snapshot
			if err = scale.Unmarshal(record, &s); err == nil {
				err = begin(s)
			}
		case err == nil:
			var b block
			if err = scale.Unmarshal(record, &b); err == nil {
				err = add(b, t.end, recordHead+len(record))
				t.blocks++
			}
		}
		if err != nil {
			return t, subnet.WithHint(fmt.Errorf("record %d: %w", n, err), "the file is damaged: restore it from a copy, or begin a new chain in another directory")
		}
		t.end += recordHead + int64(len(record))
	}
}

// readMagic reads the line that tells what a file is.
func readMagic(r io.Reader) error {
	line := make([]byte, len(segmentMagic))
	_, err := io.ReadFull(r, line)
	switch {
	case string(line) == segmentMagic:
		return nil
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		return err
	case strings.HasPrefix(string(line), segmentKind):
		err = fmt.Errorf("written by another version: it says %q, not %q", line, segmentMagic)
	default:
		err = errors.New("no file of a chain")
	}
	return subnet.WithHint(err, "begin a new chain in another directory, or remove this one")
}
