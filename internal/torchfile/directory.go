package torchfile

import (
	"errors"
	"fmt"
	"math"
)

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
func (a *archive) findDirectory(size int64) (offset, length int64, err error) {
	n := min(size, endLen+math.MaxUint16)
	if err := a.budget.spend(n); err != nil {
		return 0, 0, err
	}
	tail := make([]byte, n)
	if err := readAt(a.r, tail, size-n); err != nil {
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
		rec := a.scratch[:end64Len]
		pos := le.Uint64(tail[loc+8:])
		if pos > uint64(size) || readAt(a.r, rec, int64(pos)) != nil || string(rec[:4]) != end64Sig {
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

var errDirectory = errors.New("zip directory is damaged")

// entry reads the directory entry at that place of the directory.
func (a *archive) entry(at int) (e entry, err error) {
	dir := a.dir[at:]
	if len(dir) < centralLen || string(dir[:4]) != centralSig {
		return e, errDirectory
	}
	e.flags, e.method = le.Uint16(dir[8:]), le.Uint16(dir[10:])
	packed, size, header := uint64(le.Uint32(dir[20:])), uint64(le.Uint32(dir[24:])), uint64(le.Uint32(dir[42:]))
	n, x, c := int(le.Uint16(dir[28:])), int(le.Uint16(dir[30:])), int(le.Uint16(dir[32:]))
	e.length = centralLen + n + x + c
	if len(dir) < e.length {
		return e, errDirectory
	}
	e.name = dir[centralLen : centralLen+n]
	extra := dir[centralLen+n : centralLen+n+x]

	// Fields that do not fit stand in the zip64 extra, in this order.
	for len(extra) >= 4 && (size == zip64 || packed == zip64 || header == zip64) {
		id, l := le.Uint16(extra), int(le.Uint16(extra[2:]))
		if len(extra) < 4+l {
			return e, errDirectory
		}
		if id == 1 {
			f := extra[4 : 4+l]
			for _, v := range [...]*uint64{&size, &packed, &header} {
				if *v != zip64 {
					continue
				}
				if len(f) < 8 {
					return e, errDirectory
				}
				*v, f = le.Uint64(f), f[8:]
			}
			break
		}
		extra = extra[4+l:]
	}
	if size > math.MaxInt64 || packed > math.MaxInt64 || header > math.MaxInt64 {
		return e, errDirectory
	}
	e.header, e.packed, e.size = int64(header), int64(packed), int64(size)
	return e, nil
}
