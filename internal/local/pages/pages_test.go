package pages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"adit/internal/data"
)

// texts is a source of documents.
type texts struct {
	name      string
	documents []string
	err       error
}

func (s texts) Name() string        { return s.name }
func (s texts) Fingerprint() string { return s.name }

func (s texts) Documents() iter.Seq2[data.Document, error] {
	return func(yield func(data.Document, error) bool) {
		for i, text := range s.documents {
			if !yield(data.Document{Name: fmt.Sprint(i), Text: text}, nil) {
				return
			}
		}
		if s.err != nil {
			yield(data.Document{}, s.err)
		}
	}
}

// poems is a source of so many documents of a line each.
func poems(name string, n int) texts {
	s := texts{name: name}
	for i := range n {
		s.documents = append(s.documents, fmt.Sprintf("%s %d <&> \u00e9\n", name, i))
	}
	return s
}

func server(t *testing.T, opts Options, sources ...data.Source) *Server {
	t.Helper()
	s, err := New(t.Context(), sources, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask returns the answer to a GET, decoded from JSON.
func ask(t *testing.T, s *Server, target string) (int, map[string]any, http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	if strings.Contains(w.Body.String(), `\u`) {
		t.Errorf("%s: the answer is written with escapes, as the service's is not", target)
	}
	var v map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s: %v in %q", target, err, w.Body)
	}
	return w.Code, v, w.Header()
}

// The answers field by field, as the service gives them.
func TestShapes(t *testing.T) {
	s := server(t, Options{}, poems("poems", 201))
	want := func(text string) (v map[string]any) {
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	bytes := 0
	for _, d := range poems("poems", 201).documents {
		bytes += len(d)
	}
	code, got, header := ask(t, s, "/size?dataset=any%2Fname")
	if diff := cmp.Diff(want(strings.ReplaceAll(`{"size": {
		"dataset": {"dataset": "any/name", "num_bytes_original_files": BYTES, "num_bytes_parquet_files": BYTES, "num_bytes_memory": BYTES, "num_rows": 201, "estimated_num_rows": null},
		"configs": [{"dataset": "any/name", "config": "poems-00", "num_bytes_original_files": BYTES, "num_bytes_parquet_files": BYTES, "num_bytes_memory": BYTES, "num_rows": 201, "num_columns": 1, "estimated_num_rows": null}],
		"splits": [{"dataset": "any/name", "config": "poems-00", "split": "train", "num_bytes_parquet_files": BYTES, "num_bytes_memory": BYTES, "num_rows": 201, "num_columns": 1, "estimated_num_rows": null}]},
		"pending": [], "failed": [], "partial": false}`, "BYTES", fmt.Sprint(bytes))), got); diff != "" || code != 200 {
		t.Errorf("/size: %d (-want +got)\n%s", code, diff)
	}
	if got := header.Get("Content-Type"); got != "application/json" {
		t.Errorf("content type %q", got)
	}
	code, got, _ = ask(t, s, "/rows?dataset=x&config=poems-00&split=train&offset=199&length=100")
	if diff := cmp.Diff(want(`{
		"features": [{"feature_idx": 0, "name": "text", "type": {"dtype": "string", "_type": "Value"}}],
		"rows": [{"row_idx": 199, "row": {"text": "poems 199 <&> é\n"}, "truncated_cells": []}, {"row_idx": 200, "row": {"text": "poems 200 <&> é\n"}, "truncated_cells": []}],
		"num_rows_total": 201, "num_rows_per_page": 100, "partial": false}`), got); diff != "" || code != 200 {
		t.Errorf("/rows: %d (-want +got)\n%s", code, diff)
	}
}

func TestRows(t *testing.T) {
	s := server(t, Options{Sets: []string{"me/set"}}, poems("poems", 250))
	const good = "/rows?dataset=me/set&config=poems-00&split=train"
	for target, want := range map[string][2]int{ // first and count
		good:                           {0, 100},
		good + "&offset=":              {0, 100},
		good + "&offset=30&limit=5":    {30, 100},
		good + "&offset=30&length=5":   {30, 5},
		good + "&length=0":             {0, 0},
		good + "&offset=249":           {249, 1},
		good + "&offset=250":           {0, 0},
		good + "&offset=9999999999999": {0, 0},
	} {
		code, got, _ := ask(t, s, target)
		rows, ok := got["rows"].([]any)
		if code != 200 || !ok || len(rows) != want[1] {
			t.Errorf("%s: %d, %d rows, want %d", target, code, len(rows), want[1])
			continue
		}
		for i, r := range rows {
			if text := r.(map[string]any)["row"].(map[string]any)["text"]; text != fmt.Sprintf("poems %d <&> \u00e9\n", want[0]+i) {
				t.Fatalf("%s: row %d is %q", target, i, text)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	s := server(t, Options{Sets: []string{"me/set"}}, poems("poems", 250))
	const good = "/rows?dataset=me/set&config=poems-00&split=train"
	for target, want := range map[string]string{
		"/size":                        "422 MissingRequiredParameter",
		"/size?dataset=+":              "422 MissingRequiredParameter",
		"/size?dataset=you/set":        "401 ExternalUnauthenticatedError",
		"/rows?dataset=you/set":        "401 ExternalUnauthenticatedError",
		"/rows?dataset=me/set":         "422 MissingRequiredParameter",
		"/rows?dataset=me/set&split=x": "422 MissingRequiredParameter",
		"/rows?dataset=me/set&config=poems-00&split=test":  "404 ResponseNotFound",
		"/rows?dataset=me/set&config=poems-01&split=train": "404 ResponseNotFound",
		good + "&offset=-1":                   "422 InvalidParameter",
		good + "&offset=1.5":                  "422 InvalidParameter",
		good + "&offset=99999999999999999999": "422 InvalidParameter",
		good + "&length=101":                  "422 InvalidParameter",
		good + "&length=x":                    "422 InvalidParameter",
		"/splits?dataset=me/set":              "404 ",
		"/":                                   "404 ",
	} {
		code, got, header := ask(t, s, target)
		if is := fmt.Sprint(code, " ", header.Get("X-Error-Code")); is != want {
			t.Errorf("%s: %s, want %s", target, is, want)
		}
		if text, _ := got["error"].(string); text == "" || len(got) != 1 {
			t.Errorf("%s: answer %v has no error", target, got)
		}
	}
}

// Small text is cut finer until there are pages to choose from; large text is
// spread over parts that are all of some size.
func TestParts(t *testing.T) {
	count := func(s *Server) (list []string) {
		for _, p := range s.parts {
			list = append(list, fmt.Sprintf("%s %d", p.name, len(p.rows)))
		}
		return list
	}
	if diff := cmp.Diff([]string{"a-00 600", "a-01 600", "b-c-00 200"}, count(server(t, Options{}, poems("a", 1200), poems("b/c", 200)))); diff != "" {
		t.Errorf("parts (-want +got)\n%s", diff)
	}
	if got := len(server(t, Options{}, poems("a", 100_000)).parts); got != maxParts {
		t.Errorf("%d parts of much text", got)
	}
	book := texts{name: "book", documents: []string{strings.Repeat("All work and no play makes Jack a dull boy.\n", 1000)}}
	s := server(t, Options{}, book)
	if n := len(s.parts[0].rows); n < leastRows || n > 4*leastRows {
		t.Errorf("a book has %d rows", n)
	}
	sampled := 0
	for _, p := range server(t, Options{MaxBytes: 20_000}, poems("a", 5000)).parts {
		sampled += len(p.rows)
	}
	if sampled < 1000 || sampled > 2000 {
		t.Errorf("of 20 kB there are %d rows", sampled)
	}
	for name, want := range map[string]string{"fineweb 10BT": "fineweb-10BT", "/a/b_c.txt": "a-b_c.txt", "//": "text", strings.Repeat("ä", 100): strings.Repeat("ä", 60)} {
		if got := slug(name); got != want {
			t.Errorf("slug(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	broken := errors.New("broken")
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx     context.Context
		sources []data.Source
		is      error
	}{
		"nothing":    {t.Context(), nil, errNoText},
		"empty":      {t.Context(), []data.Source{texts{name: "none"}}, nil},
		"too little": {t.Context(), []data.Source{texts{name: "line", documents: []string{"a line\n"}}}, nil},
		"broken":     {t.Context(), []data.Source{texts{name: "x", documents: []string{"a"}, err: broken}}, broken},
		"one name":   {t.Context(), []data.Source{poems("a", 300), poems("a", 300)}, nil},
		"stopped":    {done, []data.Source{poems("a", 300)}, context.Canceled},
	} {
		if _, err := New(test.ctx, test.sources, Options{}); err == nil || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Rows are the document cut in pieces: nothing is lost, doubled or broken.
func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab \n\u00e9\u4e16\U0001f600"))).Draw(t, "text") + strings.Repeat("x", rapid.IntRange(0, 300).Draw(t, "tail"))
		limit := rapid.IntRange(leastRowBytes, 200).Draw(t, "limit")
		rows := cut(nil, text, limit)
		rest := text
		for _, r := range rows {
			if len(r) > limit || !utf8.ValidString(r) || strings.TrimSpace(r) == "" {
				t.Fatalf("row %q of at most %d bytes", r, limit)
			}
			before, after, found := strings.Cut(rest, r)
			if !found || strings.TrimSpace(before) != "" {
				t.Fatalf("row %q does not follow in %q", r, rest)
			}
			rest = after
		}
		if strings.TrimSpace(rest) != "" {
			t.Fatalf("%q is lost", rest)
		}
	})
	if rows := cut(nil, strings.Repeat("\x80", 200), leastRowBytes); len(rows) != 4 {
		t.Errorf("what is no text makes %d rows", len(rows))
	}
	if diff := cmp.Diff([]string{strings.Repeat("a", 50) + "\n", strings.Repeat("b", 63) + " ", "cc"},
		cut(nil, strings.Repeat("a", 50)+"\n"+strings.Repeat("b", 63)+" cc", leastRowBytes)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A person's folder is served over HTTP, the same twice.
func TestFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 3 {
		text := ""
		for j := range 400 {
			text += fmt.Sprintf("Line %d of file %d.\n", j, i)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".txt")), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func() string {
		source, err := data.Files(dir)
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewServer(server(t, Options{RowBytes: 128}, source))
		defer s.Close()
		all := ""
		for _, target := range []string{"/size?dataset=x", "/rows?" + url.Values{"dataset": {"x"}, "config": {slug(source.Name()) + "-00"}, "split": {"train"}, "offset": {"7"}}.Encode()} {
			r, err := s.Client().Get(s.URL + target)
			if err != nil {
				t.Fatal(err)
			}
			var v any
			err = json.NewDecoder(r.Body).Decode(&v)
			r.Body.Close()
			if err != nil || r.StatusCode != 200 {
				t.Fatalf("%s: %s, %v", target, r.Status, err)
			}
			all += fmt.Sprintln(v)
		}
		return all
	}
	first := read()
	if second := read(); first != second || !strings.Contains(first, "of file") {
		t.Errorf("two readings of a folder differ: %s", cmp.Diff(first, second))
	}
}
