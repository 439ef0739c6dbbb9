package chainnode

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// Blocks are kept in segments: files of up to segmentBlocks blocks, each of
// which begins with the whole storage before them, so that old ones can be
// removed. A segment is a line that tells what it is, then records of length,
// checksum and SCALE bytes.
const (
	segmentMagic  = "adit chain 1\n"
	segmentBlocks = 4096
	keptSegments  = 3
	maxRecord     = 1 << 30
)

// A disk appends blocks to the newest segment.
type disk struct {
	dir    string
	file   *os.File
	blocks int // in the newest segment
}

// A snapshot opens a segment: the storage after block Number.
type snapshot struct {
	Number uint32
	Hash   hash
	State  hash // root
	Millis uint64
	Values []change
}

// segments returns the first block numbers of the segments, the oldest first.
func (d *disk) segments() ([]uint64, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	var list []uint64
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".blocks"); ok {
			if n, err := strconv.ParseUint(name, 10, 32); err == nil {
				list = append(list, n)
			}
		}
	}
	slices.Sort(list)
	return list, nil
}

func (d *disk) path(first uint64) string {
	return filepath.Join(d.dir, fmt.Sprintf("%010d.blocks", first))
}

// read hands over the snapshot of the oldest segment and every block since. The
// last record may be cut short by a kill; it is dropped.
func (d *disk) read(begin func(snapshot) error, add func(block) error) error {
	list, err := d.segments()
	if err != nil {
		return err
	}
	for i, first := range list {
		if err := d.readSegment(first, i == 0, i == len(list)-1, begin, add); err != nil {
			return fmt.Errorf("read %s: %w", d.path(first), err)
		}
	}
	return nil
}

func (d *disk) readSegment(first uint64, oldest, newest bool, begin func(snapshot) error, add func(block) error) error {
	f, err := os.OpenFile(d.path(first), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(f, 1<<20)
	magic := make([]byte, len(segmentMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != segmentMagic {
		f.Close()
		return subnet.WithHint(errors.New("not a chain of this version"), "choose another directory")
	}
	good := int64(len(magic))
	d.blocks = 0
	for n := 0; ; n++ {
		record, err := readRecord(r)
		if err != nil {
			if err != io.EOF && !newest {
				f.Close()
				return fmt.Errorf("record %d: %w", n, err)
			}
			break
		}
		if n == 0 {
			var s snapshot
			if err = scale.Unmarshal(record, &s); err == nil && oldest {
				err = begin(s)
			}
		} else {
			var b block
			if err = scale.Unmarshal(record, &b); err == nil {
				err = add(b)
				d.blocks++
			}
		}
		if err != nil {
			f.Close()
			return fmt.Errorf("record %d: %w", n, err)
		}
		good += int64(len(record)) + recordHead
	}
	if !newest {
		return f.Close()
	}
	if err := f.Truncate(good); err != nil {
		f.Close()
		return err
	}
	if _, err := f.Seek(good, io.SeekStart); err != nil {
		f.Close()
		return err
	}
	d.file = f
	return nil
}

const recordHead = 8

func readRecord(r io.Reader) ([]byte, error) {
	var head [recordHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:4])
	if n > maxRecord {
		return nil, fmt.Errorf("length %d is absurd", n)
	}
	record, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && len(record) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && crc32.ChecksumIEEE(record) != binary.LittleEndian.Uint32(head[4:]) {
		err = errors.New("checksum differs")
	}
	return record, err
}

// begin starts a segment with a snapshot, and removes those that are too old.
// It returns the number of the oldest block whose state is still kept.
func (d *disk) begin(s snapshot) (oldest uint64, err error) {
	record, err := scale.Marshal(s)
	if err != nil {
		return 0, err
	}
	path := d.path(uint64(s.Number))
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return 0, err
	}
	if _, err = f.WriteString(segmentMagic); err == nil {
		err = writeRecord(f, record)
	}
	if err = errors.Join(err, f.Sync()); err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	if d.file != nil {
		d.file.Close()
	}
	d.file, d.blocks = f, 0
	list, err := d.segments()
	if err != nil {
		return 0, err
	}
	for len(list) > keptSegments {
		if err := os.Remove(d.path(list[0])); err != nil {
			return 0, err
		}
		list = list[1:]
	}
	return list[0], nil
}

// append writes a block, and returns when it is safe.
func (d *disk) append(b block) error {
	record, err := scale.Marshal(b)
	if err != nil {
		return err
	}
	end, err := d.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if err = writeRecord(d.file, record); err == nil {
		err = d.file.Sync()
	}
	if err != nil { // a full disk: the block is as if it had not been made
		_, seekErr := d.file.Seek(end, io.SeekStart)
		return errors.Join(err, d.file.Truncate(end), seekErr)
	}
	d.blocks++
	return nil
}

func writeRecord(w io.Writer, record []byte) error {
	b := make([]byte, 0, recordHead+len(record))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(record)))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(record))
	_, err := w.Write(append(b, record...))
	return err
}

func (d *disk) close() error {
	if d.file == nil {
		return nil
	}
	return d.file.Close()
}
