package torchfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// An archive is the directory of a zip file whose entries all lie in one
// folder and are stored as they are.
//
// archive/zip is not used because it reads the directory to its end, however
// long that is, before it can be asked anything.
type archive struct {
	r       io.ReaderAt
	end     int64            // where the directory begins: entries lie before it
	entries map[string]entry // by name without the folder
}

type entry struct {
	header int64 // offset of the local header
	size   int64
	refuse string // why its bytes cannot be read; "" if they can
}

var le = binary.LittleEndian

// openArchive finds and reads the zip directory.
func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	offset, length, err := findDirectory(r, size)
	if err != nil {
		return nil, err
	}
	dir := make([]byte, length)
	if err := readAt(r, dir, offset); err != nil {
		return nil, fmt.Errorf("read zip directory: %w", err)
	}
	a := &archive{r: r, end: offset, entries: make(map[string]entry)}
	folder, found := "", false
	for len(dir) > 0 {
		if len(a.entries) == maxEntries {
			return nil, fmt.Errorf("more than %d files in the zip", maxEntries)
		}
		path, e, rest, err := parseEntry(dir)
		if err != nil {
			return nil, err
		}
		dir = rest
		in, name, ok := strings.Cut(path, "/")
		if !ok || found && in != folder {
			return nil, fmt.Errorf("zip entry %q is not in the same folder as the others", path)
		}
		folder, found = in, true
		if _, twice := a.entries[name]; twice {
			return nil, fmt.Errorf("zip entry %q comes twice", name)
		}
		a.entries[name] = e
	}
	return a, nil
}

// Record lengths and signatures, from the zip specification 4.3.
const (
	endLen     = 22 // end of central directory
	locatorLen = 20 // its zip64 locator
	end64Len   = 56 // its zip64 form
	centralLen = 46 // a directory entry, without name, extra and comment
	localLen   = 30 // a local header, without name and extra

	endSig     = "PK\x05\x06"
	locatorSig = "PK\x06\x07"
	end64Sig   = "PK\x06\x06"
	centralSig = "PK\x01\x02"
	localSig   = "PK\x03\x04"

	zip64 = math.MaxUint32 // "look in the zip64 record" in a field of 32 bits
)

// findDirectory returns where the directory begins and how long it is. It lies
// within the file and is not too long.
func findDirectory(r io.ReaderAt, size int64) (offset, length int64, err error) {
	tail := make([]byte, min(size, endLen+math.MaxUint16))
	if err := readAt(r, tail, size-int64(len(tail))); err != nil {
		return 0, 0, fmt.Errorf("read end of zip: %w", err)
	}
	// The record is followed by a comment of the length it says, to the end.
	at := -1
	for i := len(tail) - endLen; i >= 0; i-- {
		if string(tail[i:i+4]) == endSig && i+endLen+int(le.Uint16(tail[i+20:])) == len(tail) {
			at = i
			break
		}
	}
	if at < 0 {
		return 0, 0, errors.New("no zip directory at the end; the file may be cut off")
	}
	end := size - int64(len(tail)-at) // of what the directory must lie before
	length, offset = int64(le.Uint32(tail[at+12:])), int64(le.Uint32(tail[at+16:]))
	if loc := at - locatorLen; loc >= 0 && string(tail[loc:loc+4]) == locatorSig {
		var rec [end64Len]byte
		pos := le.Uint64(tail[loc+8:])
		if pos > uint64(size) || readAt(r, rec[:], int64(pos)) != nil || string(rec[:4]) != end64Sig {
			return 0, 0, errors.New("zip64 record is not where it should be")
		}
		l, o := le.Uint64(rec[40:]), le.Uint64(rec[48:])
		if l > math.MaxInt64 || o > math.MaxInt64 {
			return 0, 0, errors.New("zip directory is not in the file")
		}
		length, offset, end = int64(l), int64(o), int64(pos)
	}
	if offset > end || length > end-offset {
		return 0, 0, errors.New("zip directory is not in the file")
	}
	if length > maxDirectory {
		return 0, 0, fmt.Errorf("zip directory of %d bytes is too long", length)
	}
	return offset, length, nil
}

// parseEntry reads the first directory entry of dir and returns the rest.
func parseEntry(dir []byte) (name string, e entry, rest []byte, err error) {
	bad := errors.New("zip directory is damaged")
	if len(dir) < centralLen || string(dir[:4]) != centralSig {
		return "", e, nil, bad
	}
	flags, method := le.Uint16(dir[8:]), le.Uint16(dir[10:])
	packed, size, header := uint64(le.Uint32(dir[20:])), uint64(le.Uint32(dir[24:])), uint64(le.Uint32(dir[42:]))
	n, x, c := int(le.Uint16(dir[28:])), int(le.Uint16(dir[30:])), int(le.Uint16(dir[32:]))
	if len(dir) < centralLen+n+x+c {
		return "", e, nil, bad
	}
	name = string(dir[centralLen : centralLen+n])
	extra := dir[centralLen+n : centralLen+n+x]
	rest = dir[centralLen+n+x+c:]

	// Fields that do not fit stand in the zip64 extra, in this order.
	for len(extra) >= 4 && (size == zip64 || packed == zip64 || header == zip64) {
		id, l := le.Uint16(extra), int(le.Uint16(extra[2:]))
		if len(extra) < 4+l {
			return "", e, nil, bad
		}
		if id == 1 {
			f := extra[4 : 4+l]
			for _, v := range []*uint64{&size, &packed, &header} {
				if *v != zip64 {
					continue
				}
				if len(f) < 8 {
					return "", e, nil, bad
				}
				*v, f = le.Uint64(f), f[8:]
			}
			break
		}
		extra = extra[4+l:]
	}
	switch {
	case size > math.MaxInt64 || header > math.MaxInt64:
		return "", e, nil, bad
	case flags&1 != 0:
		e.refuse = "encrypted"
	case method != 0 || packed != size:
		e.refuse = "compressed, which torch.save never does"
	}
	e.header, e.size = int64(header), int64(size)
	return name, e, rest, nil
}

// open returns where an entry's bytes begin. All of them are in the file.
//
// The checksum is not compared: torch can be told to write none, and torch.load
// does not look at it either.
func (a *archive) open(name string) (offset, size int64, err error) {
	e, ok := a.entries[name]
	if !ok {
		return 0, 0, fmt.Errorf("there is no %q in the file", name)
	}
	if e.refuse != "" {
		return 0, 0, fmt.Errorf("zip entry %q is %s", name, e.refuse)
	}
	var h [localLen]byte
	if e.header > a.end-localLen {
		return 0, 0, fmt.Errorf("zip entry %q is not in the file", name)
	}
	if err := readAt(a.r, h[:], e.header); err != nil {
		return 0, 0, fmt.Errorf("zip entry %q: %w", name, err)
	}
	offset = e.header + localLen + int64(le.Uint16(h[26:])) + int64(le.Uint16(h[28:]))
	if string(h[:4]) != localSig || offset > a.end || e.size > a.end-offset {
		return 0, 0, fmt.Errorf("zip entry %q is not in the file", name)
	}
	return offset, e.size, nil
}

// read returns an entry's bytes.
func (a *archive) read(name string, limit int64) ([]byte, error) {
	offset, size, err := a.open(name)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("zip entry %q has %d bytes, more than the %d allowed", name, size, limit)
	}
	b := make([]byte, size)
	if err := readAt(a.r, b, offset); err != nil {
		return nil, fmt.Errorf("zip entry %q: %w", name, err)
	}
	return b, nil
}

// checkByteOrder refuses what a big-endian machine wrote. Files older than the
// entry that tells are all little-endian.
func (a *archive) checkByteOrder() error {
	if _, ok := a.entries["byteorder"]; !ok {
		return nil
	}
	b, err := a.read("byteorder", 64)
	if err != nil {
		return err
	}
	if order := string(bytes.TrimSpace(b)); order != "little" {
		return fmt.Errorf("byte order is %q; only little-endian files are read", order)
	}
	return nil
}

// readAt fills b; an io.ReaderAt may report EOF with the last byte.
func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
