package data

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"adit/internal/subnet"
)

const parquetHint = `a parquet file needs a column "text", or another one of strings`

// A parquetReading says which column is read, and in which order.
type parquetReading struct {
	column  string // "" is "text", or else the first one of strings
	shuffle bool   // visits the row groups in shuffled order
}

// errStopped ends the reading when the caller has enough.
var errStopped = errors.New("stopped")

// readParquet yields one document a row, named "name:row" with rows counted from
// nought. It reads one page of one column at a time.
func readParquet(r io.ReaderAt, size int64, name string, how parquetReading, yield func(Document, error) bool) {
	err := eachRow(r, size, how, func(row int64, text string) bool {
		return yield(Document{fmt.Sprintf("%s:%d", name, row), text}, nil)
	})
	if err != nil && !errors.Is(err, errStopped) {
		yield(Document{}, subnet.WithHint(fmt.Errorf("%s: %w", name, err), parquetHint))
	}
}

// eachRow hands over the texts of a parquet file. The library panics on some
// broken files; that is an error of the file, not of ours.
func eachRow(r io.ReaderAt, size int64, how parquetReading, visit func(row int64, text string) bool) (err error) {
	visiting := false
	defer func() {
		if p := recover(); p != nil {
			if visiting {
				panic(p)
			}
			err = fmt.Errorf("broken parquet: %v", p)
		}
	}()
	if err := checkFooter(r, size); err != nil {
		return fmt.Errorf("open parquet: %w", err)
	}
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("open parquet: %w", err)
	}
	column, err := textColumn(file.Root(), how.column)
	if err != nil {
		return err
	}
	type group struct {
		parquet.RowGroup
		first int64
	}
	var groups []group
	row := int64(0)
	for _, g := range file.RowGroups() {
		groups = append(groups, group{g, row})
		row += g.NumRows()
	}
	if how.shuffle {
		shuffleByName(groups, func(g group) string { return fmt.Sprint(g.first) })
	}
	for _, g := range groups {
		chunks := g.ColumnChunks()
		if column >= len(chunks) {
			return fmt.Errorf("the rows from %d lack column %d", g.first, column)
		}
		err := eachValue(chunks[column], g.first, func(row int64, text string) bool {
			visiting = true
			more := visit(row, text)
			visiting = false
			return more
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// maxFooterBytes bounds the description of a file. Ten thousand row groups of a
// hundred columns need less.
const maxFooterBytes = 256 << 20

// checkFooter checks the length that the last bytes of the file give for its
// description, which the library allocates unchecked.
func checkFooter(r io.ReaderAt, size int64) error {
	var end [8]byte // length u32 | "PAR1"
	if size < int64(len(end)) {
		return errors.New("the file is too short")
	}
	if _, err := r.ReadAt(end[:], size-int64(len(end))); err != nil {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(end[:4]))
	if string(end[4:]) != "PAR1" || n > size-int64(len(end)) || n > maxFooterBytes {
		return errors.New("the file does not end as a parquet file does; it may be cut short")
	}
	return nil
}

// textColumn returns the index of the column to read, that of the given name if
// there is one.
func textColumn(root *parquet.Column, name string) (int, error) {
	first := -1
	var seen []string
	for _, c := range root.Columns() {
		seen = append(seen, c.Name())
		if !c.Leaf() || c.Repeated() || c.Type().Kind() != parquet.ByteArray {
			continue
		}
		if c.Name() == cmp.Or(name, "text") {
			return c.Index(), nil
		}
		if first < 0 && isString(c.Type()) {
			first = c.Index()
		}
	}
	if name != "" {
		return 0, fmt.Errorf("no column %q of strings among %s", name, strings.Join(seen, ", "))
	}
	if first < 0 {
		return 0, fmt.Errorf("no column of strings among %s", strings.Join(seen, ", "))
	}
	return first, nil
}

// isString reports whether a column of bytes says that it holds text, in the new
// way or in the old.
func isString(t parquet.Type) bool {
	if lt := t.LogicalType(); lt != nil {
		_, ok := lt.Value.(*format.StringType)
		return ok
	}
	ct := t.ConvertedType()
	return ct != nil && *ct == deprecated.UTF8
}

func eachValue(chunk parquet.ColumnChunk, row int64, visit func(row int64, text string) bool) error {
	pages := chunk.Pages()
	defer pages.Close()
	values := make([]parquet.Value, 64)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read parquet at row %d: %w", row, err)
		}
		err = eachPageValue(page.Values(), values, &row, visit)
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
}

func eachPageValue(r parquet.ValueReader, values []parquet.Value, row *int64, visit func(row int64, text string) bool) error {
	for {
		n, err := r.ReadValues(values)
		for _, v := range values[:n] {
			text := v.ByteArray() // nil for null
			if len(text) > maxDocumentBytes || !utf8.Valid(text) {
				return fmt.Errorf("row %d is not UTF-8 text of at most %d MiB", *row, maxDocumentBytes>>20)
			}
			if len(text) > 0 && !visit(*row, string(text)) {
				return errStopped
			}
			*row++
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read parquet at row %d: %w", *row, err)
		}
		if n == 0 {
			return io.ErrNoProgress
		}
	}
}
