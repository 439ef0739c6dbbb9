package chainnode

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"adit/internal/scale"
)

// A file is what a segment is written to: an [os.File], or one in a test that
// fails.
type file interface {
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

func openFile(path string, flag int) (file, error) { return os.OpenFile(path, flag, 0o600) }

// A disk appends blocks to the newest segment.
type disk struct {
	dir  string
	full int // blocks in a segment
	open func(path string, flag int) (file, error)

	// The newest segment:
	file  file // nil until it is written to
	first uint32
	tail
}

// segments returns the numbers in the segments' names, the oldest first.
func (d *disk) segments() ([]uint32, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	var list []uint32
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), segmentSuffix); ok {
			if n, err := strconv.ParseUint(name, 10, 32); err == nil {
				list = append(list, uint32(n))
			}
		}
	}
	slices.Sort(list)
	return list, nil
}

func (d *disk) path(first uint32) string {
	return filepath.Join(d.dir, fmt.Sprintf("%010d%s", first, segmentSuffix))
}

// clean removes what a kill left of a new segment.
func (d *disk) clean() error {
	drafts, err := filepath.Glob(filepath.Join(d.dir, "*"+segmentSuffix+draftSuffix))
	if err != nil {
		return err
	}
	for _, path := range drafts {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// read hands over the snapshot of each segment, and every block with its place.
// It writes nothing, so that it may be done while a node has the directory.
func (d *disk) read(begin func(snapshot) error, add func(block, place) error) error {
	list, err := d.segments()
	if err != nil {
		return err
	}
	for i, first := range list {
		if err := d.readSegment(first, i == len(list)-1, begin, add); err != nil {
			return fmt.Errorf("read %s: %w", d.path(first), err)
		}
	}
	return nil
}

func (d *disk) readSegment(first uint32, newest bool, begin func(snapshot) error, add func(block, place) error) error {
	f, err := os.Open(d.path(first))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	d.first = first
	d.tail, err = scan(bufio.NewReaderSize(f, 1<<20), info.Size(), newest, begin, func(b block, at int64, size int) error {
		return add(b, place{first, at, size})
	})
	return err
}

// body returns the extrinsics of a block.
func (d *disk) body(p place) ([][]byte, error) {
	f, err := os.Open(d.path(p.segment))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	record, err := readRecord(io.NewSectionReader(f, p.at, int64(p.size)), int64(p.size))
	if err != nil {
		return nil, fmt.Errorf("read %s: record at byte %d: %w", d.path(p.segment), p.at, err)
	}
	var b block
	err = scale.Unmarshal(record, &b)
	return b.Extrinsics, err
}

// append writes a block, and returns when it is safe. After an error it is as if
// the block had not been written.
func (d *disk) append(b block) (place, error) {
	record, err := appendRecord(nil, b)
	if err != nil {
		return place{}, err
	}
	if d.file == nil {
		if d.file, err = d.open(d.path(d.first), os.O_RDWR); err != nil {
			d.file = nil
			return place{}, err
		}
	}
	if d.ragged {
		if err := d.file.Truncate(d.end); err != nil {
			return place{}, err
		}
	}
	d.ragged = true
	if _, err = d.file.WriteAt(record, d.end); err == nil {
		err = d.file.Sync()
	}
	if err != nil {
		d.ragged = d.file.Truncate(d.end) != nil
		return place{}, err
	}
	p := place{d.first, d.end, len(record)}
	d.end += int64(len(record))
	d.blocks++
	d.ragged = false
	return p, nil
}

// begin starts a segment with a snapshot. If it cannot be written, the one before
// is still the newest.
func (d *disk) begin(s snapshot) error {
	b, err := appendRecord([]byte(segmentMagic), s)
	if err != nil {
		return err
	}
	path := d.path(s.Header.number())
	if err := d.write(path+draftSuffix, b); err != nil {
		return errors.Join(err, os.Remove(path+draftSuffix))
	}
	if err := os.Rename(path+draftSuffix, path); err != nil {
		return err
	}
	err = errors.Join(d.close(), syncDir(d.dir))
	d.first, d.tail = s.Header.number(), tail{end: int64(len(b))}
	return err
}

func (d *disk) write(path string, b []byte) error {
	f, err := d.open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// prune removes the segments that are too old, and returns the first block
// whose state is still there.
func (d *disk) prune() (oldest uint32, err error) {
	list, err := d.segments()
	if err != nil {
		return 0, err
	}
	for len(list) > keptSegments {
		if err := os.Remove(d.path(list[0])); err != nil {
			return list[0], err
		}
		list = list[1:]
	}
	return list[0], nil
}

func (d *disk) close() error {
	if d.file == nil {
		return nil
	}
	f := d.file
	d.file = nil
	return f.Close()
}

// syncDir makes a new name in a directory outlast a power cut. Windows has no
// such call.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
