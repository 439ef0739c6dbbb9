package data

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"adit/internal/subnet"
)

// Texts are the documents of files and folders, in the order of their paths and
// whole: a file of text is one document, as is a line of JSON and a row of
// parquet. It is what [Encode] packs.
type Texts struct {
	name  string
	field string
	print string
	parts []part
}

// NewTexts finds the text of files and folders, as [Files] does. The field, if one
// is given, is that of JSON lines and the column of parquet files that holds
// the text.
func NewTexts(field string, paths ...string) (*Texts, error) {
	if len(paths) == 0 {
		return nil, subnet.WithHint(fmt.Errorf("no data given"), dataHint)
	}
	parts, print, err := findParts(fmt.Sprintf("texts 1 %q", field), field, paths)
	if err != nil {
		return nil, err
	}
	return &Texts{joinNames(paths), field, print, parts}, nil
}

// Name says what the text is, in a word or two.
func (x *Texts) Name() string { return x.name }

// Fingerprint changes when the names, sizes or times of the files do.
func (x *Texts) Fingerprint() string { return x.print }

// Bytes returns the size of all files.
func (x *Texts) Bytes() int64 {
	n := int64(0)
	for _, p := range x.parts {
		n += p.size
	}
	return n
}

// blockBytes is how much of a long file is held in memory at once.
const blockBytes = 1 << 20

// A block is a document, or a part of one that is too long to be held as a whole.
type block struct {
	text        string
	first, last bool  // of its document
	done        int64 // bytes of all files that have been read
}

// blocks hands all documents over until visit wants no more.
func (x *Texts) blocks(visit func(block) bool) error {
	before := int64(0)
	for _, p := range x.parts {
		more, err := p.blocks(x.field, before, visit)
		if err != nil || !more {
			return err
		}
		before += p.size
	}
	return nil
}

// A counted file knows how many bytes were read of it.
type counted struct {
	f *os.File
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.f.Read(b)
	c.n += int64(n)
	return n, err
}

func (c *counted) ReadAt(b []byte, at int64) (int, error) {
	n, err := c.f.ReadAt(b, at)
	c.n += int64(n)
	return n, err
}

var _ interface {
	io.Reader
	io.ReaderAt
} = &counted{}

// blocks hands the documents of one file over and reports whether to go on.
func (p part) blocks(field string, before int64, visit func(block) bool) (more bool, err error) {
	f, err := os.Open(p.path)
	if err != nil {
		return false, subnet.WithHint(fmt.Errorf("read data: %w", err), "make the file readable")
	}
	defer f.Close()
	in := &counted{f: f}
	done := func() int64 { return before + min(in.n, p.size) }
	more = true
	each := func(d Document, e error) bool {
		if e != nil {
			err = e
			return false
		}
		more = visit(block{d.Text, true, true, done()})
		return more
	}
	switch p.kind {
	case jsonLines:
		readJSONLines(in, p.name, field, each)
	case parquetRows:
		readParquet(in, p.size, p.name, parquetReading{column: field}, each)
	default:
		first := true
		size := int(min(blockBytes, p.size+1)) // one more, to see the end at once
		err = textBlocks(in, p.name, p.named, max(size, 64), cutWords, func(text string, last bool) bool {
			if first && last && strings.TrimSpace(text) == "" {
				return true
			}
			more = visit(block{text, first, last, done()})
			first = false
			return more
		})
	}
	return more && err == nil, err
}

// cutWords returns where a full buffer is cut so that the parts, encoded one by
// one, have the tokens of the whole: between a letter and a space that a letter
// follows, which no splitter of words takes together. Text without such a place
// is cut at a line, or anywhere; there, and with tokenizers that have tokens
// across spaces, a few tokens in a million may differ. It is never 0.
func cutWords(b []byte) int {
	for i := len(b) - utf8.UTFMax; i > len(b)/2; i-- {
		if b[i] != ' ' {
			continue
		}
		before, _ := utf8.DecodeLastRune(b[:i])
		after, _ := utf8.DecodeRune(b[i+1:])
		if unicode.IsLetter(before) && unicode.IsLetter(after) {
			return i
		}
	}
	return cutText(b)
}
