package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"adit/internal/subnet"
)

// A TokenType is how a file stores a token, by NumPy's names. All are
// little-endian.
type TokenType string

// The types of tokens. A raw file has one of the first two.
const (
	Uint16 TokenType = "uint16"
	Uint32 TokenType = "uint32"
	Int32  TokenType = "int32"
	Int64  TokenType = "int64"
)

// size returns the bytes of a token, 0 for a type there is none of.
func (t TokenType) size() int64 {
	switch t {
	case Uint16:
		return 2
	case Uint32, Int32:
		return 4
	case Int64:
		return 8
	}
	return 0
}

// typeFor is the smallest type of a raw file that holds a vocabulary.
func typeFor(vocab int) TokenType {
	if vocab <= maxVocab {
		return Uint16
	}
	return Uint32
}

// A layout is where the tokens of a file lie.
type layout struct {
	offset int64 // of the first one, in bytes
	count  int64
	typ    TokenType
}

// headBytes is how much of a file is read to learn its layout.
const headBytes = 64 << 10

// readLayout learns the layout of the file at path, which f has open.
func readLayout(f *os.File, path string, size int64, opt TokenOptions) (layout, error) {
	head := make([]byte, min(size, headBytes))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return layout{}, err
	}
	if bytes.HasPrefix(head, []byte(npyMagic)) || strings.EqualFold(filepath.Ext(path), ".npy") {
		l, err := parseNPY(head, size)
		if err == nil && opt.Type != "" && opt.Type != l.typ {
			err = fmt.Errorf("it holds %s, not %s", l.typ, opt.Type)
		}
		return l, err
	}
	info, err := readTokenInfo(path)
	switch {
	case err == nil:
		return info.layout(size, opt)
	case !errors.Is(err, os.ErrNotExist):
		return layout{}, err
	}
	if l, ok, err := parseLLMC(head, size); ok {
		return l, err
	}
	return rawLayout(head, size, opt)
}

// rawLayout is that of a file of tokens and nothing else.
func rawLayout(head []byte, size int64, opt TokenOptions) (layout, error) {
	l := layout{typ: opt.Type}
	switch l.typ {
	case "":
		l.typ = Uint32
		if opt.Vocab > 0 {
			l.typ = typeFor(opt.Vocab)
		}
		if l.typ == Uint16 && looksWide(head) {
			return l, subnet.WithHint(errors.New("every second word of it is 0: these are tokens of four bytes"),
				"name their type: uint32")
		}
	case Uint16, Uint32:
	default:
		return l, subnet.WithHint(fmt.Errorf("no raw file has tokens of type %q", l.typ), "name uint16 or uint32")
	}
	if size%l.typ.size() != 0 {
		return l, subnet.WithHint(fmt.Errorf("%d bytes are no whole number of tokens of type %s", size, l.typ),
			"it may be cut short, or of another type: uint16 or uint32")
	}
	l.count = size / l.typ.size()
	return l, nil
}

// looksWide reports whether the words of two bytes in head are, but for every
// second one, all 0: no text is so.
func looksWide(head []byte) bool {
	const enough = 64 // words
	if len(head) < 2*enough {
		return false
	}
	any := false
	for i := 0; i+4 <= len(head); i += 4 {
		if head[i+2] != 0 || head[i+3] != 0 {
			return false
		}
		any = any || head[i] != 0 || head[i+1] != 0
	}
	return any
}

// parseLLMC reads the header of 256 words that the files of llm.c begin with:
// a magic number, a version and the number of tokens. ok is false for others.
func parseLLMC(head []byte, size int64) (l layout, ok bool, err error) {
	const offset = 1024
	if len(head) < offset {
		return l, false, nil
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(head[4*i:]) }
	switch {
	case word(0) == 20240520 && word(1) == 1: // GPT-2's vocabulary
		l.typ = Uint16
	case word(0) == 20240801 && word(1) == 7: // Llama 3's
		l.typ = Uint32
	default:
		return l, false, nil
	}
	l.offset, l.count = offset, int64(word(2))
	if size != offset+l.count*l.typ.size() {
		err = fmt.Errorf("its header says %d tokens, but it has %d bytes of them", l.count, size-offset)
	}
	return l, true, err
}

const (
	npyMagic = "\x93NUMPY"
	// maxNPYHeaderBytes bounds the description; that of one dimension has a
	// hundred bytes.
	maxNPYHeaderBytes = 4 << 10
)

// parseNPY reads the header of a NumPy file (numpy.lib.format) of that size, of
// which head is the beginning. It takes one dimension of the integers that
// tokens are stored as.
func parseNPY(head []byte, size int64) (layout, error) {
	if len(head) < len(npyMagic)+4 || string(head[:len(npyMagic)]) != npyMagic {
		return layout{}, errors.New("no NumPy file: it does not begin as one")
	}
	var n, at int64
	switch major := head[6]; major {
	case 1:
		n, at = int64(binary.LittleEndian.Uint16(head[8:])), 10
	case 2, 3:
		if len(head) < 12 {
			return layout{}, errors.New("its header is cut short")
		}
		n, at = int64(binary.LittleEndian.Uint32(head[8:])), 12
	default:
		return layout{}, fmt.Errorf("version %d of the NumPy format is not known", major)
	}
	if n > maxNPYHeaderBytes {
		return layout{}, fmt.Errorf("a header of %d bytes, more than %d", n, maxNPYHeaderBytes)
	}
	if at+n > int64(len(head)) {
		return layout{}, errors.New("its header is cut short")
	}
	d, err := parseNPYDict(string(head[at : at+n]))
	if err != nil {
		return layout{}, fmt.Errorf("header: %w", err)
	}
	l := layout{offset: at + n, count: d.count}
	switch d.descr {
	case "<u2":
		l.typ = Uint16
	case "<u4":
		l.typ = Uint32
	case "<i4":
		l.typ = Int32
	case "<i8":
		l.typ = Int64
	default:
		return layout{}, subnet.WithHint(fmt.Errorf("its numbers are %q", d.descr),
			"save it as uint16, uint32, int32 or int64, little-endian")
	}
	if rest := size - l.offset; l.count > rest || l.count*l.typ.size() != rest {
		return layout{}, fmt.Errorf("its header says %d tokens of type %s, but it has %d bytes of them", l.count, l.typ, rest)
	}
	return l, nil
}

type npyDict struct {
	descr string
	count int64
}

// parseNPYDict reads the literal {'descr': '<u2', 'fortran_order': False,
// 'shape': (7,), }, its keys in any order.
func parseNPYDict(s string) (npyDict, error) {
	var d npyDict
	rest := strings.TrimSpace(s)
	rest, ok := strings.CutPrefix(rest, "{")
	if !ok {
		return d, errors.New("no dictionary")
	}
	var seen []string
	for {
		rest = strings.TrimLeft(rest, " ,")
		if rest == "}" {
			break
		}
		key, after, err := cutQuoted(rest)
		if err != nil {
			return d, err
		}
		if slices.Contains(seen, key) {
			return d, fmt.Errorf("%s twice", key)
		}
		seen = append(seen, key)
		rest, ok = strings.CutPrefix(strings.TrimLeft(after, " "), ":")
		if !ok {
			return d, fmt.Errorf("no value of %s", key)
		}
		rest = strings.TrimLeft(rest, " ")
		switch key {
		case "descr":
			if d.descr, rest, err = cutQuoted(rest); err != nil {
				return d, errors.New("descr is not one plain type")
			}
		case "fortran_order": // means nothing in one dimension
			var isFalse, isTrue bool
			if rest, isFalse = strings.CutPrefix(rest, "False"); !isFalse {
				if rest, isTrue = strings.CutPrefix(rest, "True"); !isTrue {
					return d, errors.New("fortran_order is neither True nor False")
				}
			}
		case "shape":
			inside, after, ok := strings.Cut(strings.TrimPrefix(rest, "("), ")")
			if !ok || !strings.HasPrefix(rest, "(") {
				return d, errors.New("shape is no tuple")
			}
			one, isTuple := strings.CutSuffix(strings.TrimSpace(inside), ",")
			if d.count, err = strconv.ParseInt(strings.TrimSpace(one), 10, 64); err != nil || d.count < 0 || !isTuple {
				return d, subnet.WithHint(fmt.Errorf("shape (%s)", inside), "save it with one dimension: a.ravel()")
			}
			rest = after
		default:
			return d, fmt.Errorf("%q is not known", key)
		}
	}
	if len(seen) != 3 {
		return d, errors.New("it lacks descr, fortran_order or shape")
	}
	return d, nil
}

// cutQuoted cuts a Python string without escapes from the beginning of s.
func cutQuoted(s string) (inside, after string, err error) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return "", "", errors.New("a string is missing")
	}
	end := strings.IndexByte(s[1:], s[0])
	if end < 0 || strings.ContainsRune(s[1:1+end], '\\') {
		return "", "", errors.New("a string does not end, or has an escape")
	}
	return s[1 : 1+end], s[2+end:], nil
}
