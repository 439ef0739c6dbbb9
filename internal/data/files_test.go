package data

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"adit/internal/subnet"
)

func parquetFile[T any](t testing.TB, rows []T, opts ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, opts...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type textRow struct {
	ID    int64
	Title string `parquet:"title"`
	Text  string `parquet:"text,optional"`
}

type storyRow struct {
	ID    int64    `parquet:"id"`
	Tags  []string `parquet:"tags"`
	Blob  []byte   `parquet:"blob"`
	Story string   `parquet:"story,dict,zstd"`
}

func TestFiles(t *testing.T) {
	t.Parallel()
	latin := "caf\xe9"
	dir := put(t, map[string]string{
		"set/b.txt":          "bee\r\n",
		"set/a.py":           "print()\n",
		"set/sub/c.md":       "\ufeffsea\n",
		"set/.git/config":    "hidden",
		"set/.hidden.txt":    "hidden",
		"set/empty.txt":      "",
		"set/blank.txt":      " \n",
		"set/image.png":      "\x89PNG\x00\x01",
		"set/latin.txt":      latin,
		"set/rows.jsonl":     "{\"text\":\"one\",\"id\":1}\n\n{\"content\":\"two\"}\n{\"text\":\"\"}\n",
		"set/lines.json":     "{\"text\": \"three\"}\n{\"text\": \"fo\\nur\"}\n",
		"set/package.json":   "{\n  \"name\": \"x\"\n}\n",
		"set/text.parquet":   parquetFile(t, []textRow{{1, "t", "five"}, {2, "u", ""}, {3, "v", "six"}}),
		"set/string.parquet": parquetFile(t, []storyRow{{1, []string{"x", "y"}, []byte("b"), "seven"}, {2, nil, nil, "eight"}}),
		"alone.json":         "{\"text\":\"nine\"}",
	})
	s, err := Files(filepath.Join(dir, "set"), filepath.Join(dir, "alone.json"), filepath.Join(dir, "set", "b.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"set/b.txt": "bee\n", "set/a.py": "print()\n", "set/sub/c.md": "sea\n",
		"set/rows.jsonl:1": "one", "set/rows.jsonl:3": "two", "set/lines.json:1": "three", "set/lines.json:2": "fo\nur",
		"set/package.json": "{\n  \"name\": \"x\"\n}\n", "set/text.parquet:0": "five", "set/text.parquet:2": "six",
		"set/string.parquet:0": "seven", "set/string.parquet:1": "eight", "alone.json:1": "nine",
	}
	if diff := cmp.Diff(want, all(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Name() != "set, alone.json, b.txt" {
		t.Errorf("name %q", s.Name())
	}
}

func TestFilesErrors(t *testing.T) {
	t.Parallel()
	dir := put(t, map[string]string{
		"empty.txt":     "",
		"binary.txt":    "a\x00b",
		"late.txt":      strings.Repeat("good text\n", 1000) + "bad \xff text",
		"broken.jsonl":  "{\"text\":\"one\"}\n{\"text\":\n",
		"without.jsonl": "{\"text\":\"one\"}\n\n{\"title\":\"two\"}\n",
		"number.jsonl":  "{\"text\":1}\n",
		"null.jsonl":    "{\"text\":null}\n",
		"array.json":    "[\n{\"text\":\"one\"}]\n",
		"latin.jsonl":   "{\"text\":\"caf\xe9\"}\n",
		"long.jsonl":    "{\"text\":\"x\"}\n{\"text\":\"" + strings.Repeat("x", maxDocumentBytes) + "\"}\n",
		"no.parquet":    "PAR1 is not enough",
		"num.parquet":   parquetFile(t, []struct{ N int64 }{{1}}),
		"bin.parquet": parquetFile(t, []struct {
			Text string `parquet:"text"`
		}{{"\xff"}}),
		"nothing/a.png": "\x00",
	})
	for _, tt := range []struct{ path, want, hint string }{
		{"", "no data given", "--data"},
		{"none.txt", "none.txt", "--data"},
		{"empty.txt", "empty.txt is empty", "holds text"},
		{"binary.txt", "binary.txt is not UTF-8 text", "iconv"},
		{"late.txt", "late.txt is not UTF-8 text near byte 10004", "iconv"},
		{"broken.jsonl", "broken.jsonl line 2: unexpected end of JSON", "one JSON object"},
		{"without.jsonl", "without.jsonl line 3: it has neither \"text\" nor \"content\"", "one JSON object"},
		{"number.jsonl", "number.jsonl line 1: its text is not a string", "one JSON object"},
		{"null.jsonl", "null.jsonl line 1: its text is not a string", "one JSON object"},
		{"array.json", "array.json line 1:", "one JSON object"},
		{"latin.jsonl", "latin.jsonl line 1: it is not UTF-8", "one JSON object"},
		{"long.jsonl", "long.jsonl line 2: it is longer than 16 MiB", "one JSON object"},
		{"no.parquet", "no.parquet: open parquet", "column \"text\""},
		{"num.parquet", "num.parquet: no column of strings among N", "column \"text\""},
		{"bin.parquet", "bin.parquet: row 0 is not UTF-8", "column \"text\""},
		{"nothing", "no text in", "UTF-8"},
	} {
		var paths []string
		if tt.path != "" {
			paths = []string{filepath.Join(dir, tt.path)}
		}
		s, err := Files(paths...)
		if err == nil {
			for _, err = range s.Documents() {
			}
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(subnet.Hint(err), tt.hint) {
			t.Errorf("%s: got %v, hint %q; want …%s…, hint …%s…", tt.path, err, subnet.Hint(err), tt.want, tt.hint)
		}
	}
}

func TestFilesUnreadable(t *testing.T) {
	t.Parallel()
	dir := put(t, map[string]string{"set/a.txt": "text", "set/b.txt": "text"})
	s, err := Files(filepath.Join(dir, "set"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "set", "a.txt")); err != nil {
		t.Fatal(err)
	}
	for _, err = range s.Documents() {
	}
	if err == nil || !strings.Contains(err.Error(), "a.txt") || subnet.Hint(err) == "" {
		t.Errorf("a file that went away: %v", err)
	}
}

func TestPieces(t *testing.T) {
	for name, text := range map[string]string{
		"paragraphs": strings.Repeat("A line of words.\nAnother line.\n\n", 3000),
		"lines":      strings.Repeat("A line of words é.\n", 5000),
		"words":      strings.Repeat("wörds ", 9000),
		"one word":   strings.Repeat("日本語", 9000),
	} {
		var all strings.Builder
		n := 0
		pieces(strings.NewReader(text), "x", true, func(d Document, err error) bool {
			if err != nil {
				t.Fatal(err)
			}
			n++
			if want := fmt.Sprintf("x#%d", n); d.Name != want {
				t.Errorf("%s: piece %q, want %q", name, d.Name, want)
			}
			if len(d.Text) > pieceBytes {
				t.Errorf("%s: %s has %d bytes", name, d.Name, len(d.Text))
			}
			if end := "\n\n"; name == "paragraphs" && !strings.HasSuffix(d.Text, end) {
				t.Errorf("%s: %s ends in %q", name, d.Name, d.Text[len(d.Text)-10:])
			}
			all.WriteString(d.Text)
			return true
		})
		if all.String() != text || n < len(text)/pieceBytes {
			t.Errorf("%s: %d pieces do not make the text", name, n)
		}
	}
}

// The order is shuffled, the same each time, and does not lose anything.
func TestParquetRowGroups(t *testing.T) {
	t.Parallel()
	rows := make([]textRow, 1000)
	for i := range rows {
		rows[i].Text = fmt.Sprint("row ", i)
	}
	dir := put(t, map[string]string{"x.parquet": parquetFile(t, rows, parquet.MaxRowsPerRowGroup(100))})
	s, err := Files(filepath.Join(dir, "x.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	var first []string
	for range 2 {
		var names []string
		for d, err := range s.Documents() {
			if err != nil {
				t.Fatal(err)
			}
			if want := "x.parquet:" + strings.TrimPrefix(d.Text, "row "); d.Name != want {
				t.Errorf("%s holds %q", d.Name, d.Text)
			}
			names = append(names, d.Name)
		}
		if len(names) != 1000 || first != nil && !cmp.Equal(first, names) {
			t.Errorf("%d rows, or another order", len(names))
		}
		first = names
	}
	if first[0] == "x.parquet:0" && first[1] == "x.parquet:1" {
		t.Error("the rows are not shuffled")
	}
	for d := range s.Documents() { // stopping early must be fine
		if d.Text != "" {
			break
		}
	}
}

func FuzzJSONL(f *testing.F) {
	f.Add([]byte("{\"text\":\"one\"}\n{\"content\":\"two\"}\n"))
	f.Add([]byte("\ufeff{\"text\":\"\\ud800\"}\n\n[]\n"))
	f.Add([]byte("{\"text\":{}}\r\n\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		size, failed := 0, false
		readJSONLines(bytes.NewReader(b), "x", "", func(d Document, err error) bool {
			if failed {
				t.Error("something follows an error")
			}
			failed = err != nil
			size += len(d.Text)
			return true
		})
		if size > len(b) {
			t.Errorf("%d bytes of text from %d", size, len(b))
		}
		isJSONLines(b, "")
	})
}

func FuzzParquet(f *testing.F) {
	f.Add([]byte(parquetFile(f, []textRow{{1, "t", "five"}, {3, "v", "six"}})))
	f.Add([]byte(parquetFile(f, []storyRow{{1, []string{"x", "y"}, []byte("b"), "seven"}})))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = eachRow(bytes.NewReader(b), int64(len(b)), parquetReading{}, func(int64, string) bool { return true })
	})
}
