package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// pieceBytes is where a long text is cut into documents, at the last end of a
// paragraph, line or word before: a book is many documents, or else it would
// be trained on or held out as a whole.
const pieceBytes = 16 << 10

// pieces yields a file of text in pieces named "name#1", "name#2", …; a short one
// keeps its name. Where the file turns out not to be text, it ends if it was found
// in a folder, and is an error if the user named it.
func pieces(r io.Reader, name string, named bool, yield func(Document, error) bool) {
	n := 0
	err := textBlocks(r, name, named, pieceBytes, cutText, func(text string, last bool) bool {
		n++
		shown := name
		if n > 1 || !last {
			shown = fmt.Sprintf("%s#%d", name, n)
		}
		return strings.TrimSpace(text) == "" || yield(Document{shown, text}, nil)
	})
	if err != nil {
		yield(Document{}, err)
	}
}

// textBlocks hands a file of text over in blocks of at most that size, each but the
// last cut where cut says, until visit wants no more. Lines end in a line feed
// alone. There is always a last block, if visit goes on; it may be empty.
func textBlocks(r io.Reader, name string, named bool, size int, cut func([]byte) int, visit func(text string, last bool) bool) error {
	buf := make([]byte, 0, size)
	offset := 0 // of buf in the file
	for {
		k, err := io.ReadFull(r, buf[len(buf):size])
		buf = buf[:len(buf)+k]
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return fmt.Errorf("read %s: %w", name, err)
		}
		end := len(buf)
		if !last {
			end = cut(buf)
		}
		block := buf[:end]
		if offset == 0 {
			block = bytes.TrimPrefix(block, []byte("\ufeff"))
		}
		if !utf8.Valid(block) || bytes.IndexByte(block, 0) >= 0 {
			if named {
				return notText(name, fmt.Sprintf("is not UTF-8 text near byte %d", offset+badByte(buf[:end])))
			}
			visit("", true)
			return nil
		}
		if !visit(strings.ReplaceAll(string(block), "\r\n", "\n"), last) || last {
			return nil
		}
		offset += end
		buf = buf[:copy(buf[:cap(buf)], buf[end:])]
	}
}

// badByte returns where b stops being text.
func badByte(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 || r == 0 {
			return i
		}
		i += size
	}
	return len(b)
}

// cutText returns where a full buffer is best cut. It is never 0.
func cutText(b []byte) int {
	half := b[len(b)/2:]
	for _, mark := range []string{"\n\n", "\n", " "} {
		if i := bytes.LastIndex(half, []byte(mark)); i >= 0 {
			return len(b)/2 + i + len(mark)
		}
	}
	end := len(b)
	for end > len(b)-utf8.UTFMax && !utf8.RuneStart(b[end-1]) {
		end--
	}
	return end - 1 // before the last character, which may be cut
}
