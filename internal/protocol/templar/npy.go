package templar

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// newBlake returns blake2b of so many bytes, without a key.
func newBlake(size int) hash.Hash {
	h, err := blake2b.New(size, nil)
	if err != nil {
		panic(err) // unreachable: the sizes are valid and there is no key
	}
	return h
}

// A NumpyFile is an array in a file of numpy.save, of which only the place is
// known: one dimension of unsigned numbers.
type NumpyFile struct {
	Size   int // bytes of a number, 4 or 8
	Len    int64
	Offset int64 // of the first in the file
}

const (
	numpyMagic     = "\x93NUMPY"
	maxNumpyHeader = 1 << 14
)

// ParseNumpy reads how a file of that size begins. Of a file without numpy's magic,
// as sample ids were meant to be, raw is the size of its numbers; 0 refuses it.
//
// Unlike upstream's version 2.1.3, which took the header of a file called .bin for
// the ids of sixteen samples, a header is a header whatever the file is called.
func ParseNumpy(r io.ReaderAt, size int64, raw int) (NumpyFile, error) {
	f, err := parseNumpy(r, size, raw)
	if err != nil {
		return NumpyFile{}, fmt.Errorf("numpy file: %w", err)
	}
	return f, nil
}

func parseNumpy(r io.ReaderAt, size int64, raw int) (NumpyFile, error) {
	head := make([]byte, min(size, 12))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return NumpyFile{}, err
	}
	if !bytes.HasPrefix(head, []byte(numpyMagic)) {
		if raw == 0 || size%int64(raw) != 0 {
			return NumpyFile{}, errors.New("it does not begin with numpy's magic")
		}
		return NumpyFile{Size: raw, Len: size / int64(raw)}, nil
	}
	if len(head) < 12 {
		return NumpyFile{}, errors.New("it ends in its header")
	}
	var length, from int64
	switch head[6] {
	case 1:
		length, from = int64(binary.LittleEndian.Uint16(head[8:])), 10
	case 2, 3:
		length, from = int64(binary.LittleEndian.Uint32(head[8:])), 12
	default:
		return NumpyFile{}, fmt.Errorf("version %d is not read", head[6])
	}
	if length > maxNumpyHeader || length > size-from {
		return NumpyFile{}, fmt.Errorf("a header of %d bytes", length)
	}
	text := make([]byte, length)
	if n, err := r.ReadAt(text, from); n < len(text) {
		return NumpyFile{}, err
	}
	f, err := parseNumpyHeader(string(text))
	if err != nil {
		return NumpyFile{}, err
	}
	f.Offset = from + length
	if f.Len > (size-f.Offset)/int64(f.Size) {
		return NumpyFile{}, fmt.Errorf("%d numbers of %d bytes are more than the %d bytes that follow", f.Len, f.Size, size-f.Offset)
	}
	return f, nil
}

// parseNumpyHeader reads the Python dict in the header:
// {'descr': '<u4', 'fortran_order': False, 'shape': (3,), }.
func parseNumpyHeader(text string) (f NumpyFile, err error) {
	body := strings.TrimRight(text, " \n")
	body, open := strings.CutPrefix(body, "{")
	body, closed := strings.CutSuffix(body, "}")
	if !open || !closed {
		return f, fmt.Errorf("its header is %.80q", text)
	}
	fields := make(map[string]string)
	for body = strings.TrimSpace(body); body != ""; body = strings.TrimLeft(body, ", ") {
		key, rest, ok := strings.Cut(body, ":")
		if !ok || len(fields) == 3 {
			return f, fmt.Errorf("its header is %.80q", text)
		}
		key, rest = strings.Trim(strings.TrimSpace(key), `'"`), strings.TrimSpace(rest)
		end := strings.IndexByte(rest, ',')
		if strings.HasPrefix(rest, "(") {
			end = strings.IndexByte(rest, ')') + 1
			if end == 0 {
				return f, fmt.Errorf("its header is %.80q", text)
			}
		}
		if end < 0 {
			end = len(rest)
		}
		if _, twice := fields[key]; twice {
			return f, fmt.Errorf("its header says %.20q twice", key)
		}
		fields[key], body = strings.TrimSpace(rest[:end]), rest[end:]
	}
	switch strings.Trim(fields["descr"], `'"`) {
	case "<u4":
		f.Size = 4
	case "<u8":
		f.Size = 8
	default:
		return f, fmt.Errorf("its numbers are %.20s, want '<u4' or '<u8'", fields["descr"])
	}
	if fields["fortran_order"] != "False" && fields["fortran_order"] != "True" { // the same, of one dimension
		return f, fmt.Errorf("its order is %.20q", fields["fortran_order"])
	}
	shape, ok := strings.CutPrefix(fields["shape"], "(")
	shape, also := strings.CutSuffix(shape, ",)")
	f.Len, err = strconv.ParseInt(strings.TrimSpace(shape), 10, 64)
	if !ok || !also || err != nil || f.Len < 0 {
		return f, fmt.Errorf("its shape is %.40s, want one dimension", fields["shape"])
	}
	return f, nil
}

// NumpyHeader returns the header before n numbers of so many bytes, as numpy.save
// writes it: with room for a longer shape.
func NumpyHeader(size int, n int64) []byte {
	dict := fmt.Sprintf("{'descr': '<u%d', 'fortran_order': False, 'shape': (%d,), }", size, n)
	const before, align, digits = 10, 64, 21
	dict += strings.Repeat(" ", max(0, digits-len(strconv.FormatInt(n, 10))))
	pad := align - (before+len(dict)+1)%align
	if pad == align {
		pad = 0
	}
	dict += strings.Repeat(" ", pad) + "\n"
	b := append([]byte(numpyMagic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(dict)))
	return append(b, dict...)
}

// Samples returns how many samples of a length a shard has: as many as there are
// both tokens and ids for.
func Samples(tokens, ids NumpyFile, length int) int64 {
	return min(tokens.Len/int64(length), ids.Len)
}
