package telemetry

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A CSV is a file of rows, one a line under the names of the columns. It is
// there once there is a row.
//
// Unlike upstream, which reads the whole file and writes it anew for each row,
// and then has the machine put all its files on disk.
type CSV struct {
	path  string
	names []string
	file  *appendFile
}

// NewCSV returns a writer to the file at path. It goes on behind what is in it;
// but if that has other columns, it writes to a file beside, with "-2" and so on
// behind the name.
func NewCSV(path string, names []string) *CSV { return &CSV{path: path, names: names} }

// maxFiles bounds how many files of other columns are passed over.
const maxFiles = 1000

// WriteRow implements [RowWriter].
func (c *CSV) WriteRow(r Row) error {
	if c.file == nil {
		if err := c.open(); err != nil {
			return fmt.Errorf("open metrics file: %w", err)
		}
	}
	cells := make(map[string]string, len(r.Cells))
	for _, cell := range r.Cells {
		cells[cell.Name] = csvValue(cell.Value)
	}
	fields := make([]string, len(c.names))
	for i, name := range c.names {
		fields[i] = cells[name]
	}
	if err := c.file.write(csvLine(fields)); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}

// Close implements [RowWriter].
func (c *CSV) Close() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

// open finds the file to write to, and makes it if there is none.
func (c *CSV) open() error {
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return err
	}
	header := csvLine(c.names)
	for i := range maxFiles {
		path := c.path
		if i > 0 {
			ext := filepath.Ext(path)
			path = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(path, ext), i+1, ext)
		}
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		file, err := resumeCSV(f, header)
		if file == nil {
			err = errors.Join(err, f.Close())
		}
		if file != nil || err != nil {
			c.file = file
			return err
		}
	}
	return fmt.Errorf("%s and %d beside it have other columns: %w", c.path, maxFiles-1, fs.ErrExist)
}

// resumeCSV returns f ready for the next line, or nil if it has other columns.
// A line that a sudden end cut short is taken away.
func resumeCSV(f *os.File, header []byte) (*appendFile, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	first := make([]byte, min(info.Size(), int64(len(header))))
	if _, err := io.ReadFull(f, first); err != nil {
		return nil, err
	}
	if len(first) < len(header) && bytes.HasPrefix(header, first) { // new, or died in its first line
		a := &appendFile{f: f, torn: len(first) > 0}
		return a, a.write(header)
	}
	if !bytes.Equal(first, header) {
		return nil, nil
	}
	end, err := lastLine(f, info.Size())
	if err != nil {
		return nil, err
	}
	return &appendFile{f: f, size: end, torn: end < info.Size()}, nil
}

// lastLine returns where the last whole line ends.
func lastLine(f io.ReaderAt, size int64) (int64, error) {
	block := make([]byte, 4096)
	for end := size; end > 0; end -= min(end, int64(len(block))) {
		from := max(0, end-int64(len(block)))
		if _, err := f.ReadAt(block[:end-from], from); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(block[:end-from], '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
	}
	return 0, nil
}

func csvLine(fields []string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(fields) // a buffer takes all
	w.Flush()
	return b.Bytes()
}

// csvValue writes a value with all its digits, as pandas reads it.
func csvValue(v slog.Value) string {
	switch v.Kind() {
	case slog.KindFloat64:
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(v.Float64(), 'g', -1, 64), "+"))
	case slog.KindInt64, slog.KindUint64, slog.KindString:
		return visible(v.String())
	case slog.KindBool:
		return boolean(v.Bool())
	case slog.KindTime:
		return v.Time().UTC().Format(time.RFC3339Nano)
	}
	if x, ok := number(v); ok && !math.IsNaN(x) {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return python(v)
}
