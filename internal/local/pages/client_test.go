package pages_test

import (
	"io"
	"net/http/httptest"
	"testing"

	"adit/internal/data"
	"adit/internal/local/pages"
	"adit/internal/protocol/templar"
)

// What the protocol asks for it gets: the pages of a window are there in full.
func TestPagesOfAWindow(t *testing.T) {
	t.Parallel()
	source, err := data.Files("../../protocol", "../../ledger")
	if err != nil {
		t.Fatal(err)
	}
	handler, err := pages.New(t.Context(), []data.Source{source}, pages.Options{RowBytes: 512})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	get := func(path string) []byte {
		t.Helper()
		r, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != 200 {
			t.Fatalf("%s: %s, %v: %s", path, r.Status, err, body)
		}
		return body
	}
	configs, err := templar.ParseSizes(get(templar.SizeQuery("a/set")))
	if err != nil || len(configs) < 2 {
		t.Fatalf("%d configs, %v", len(configs), err)
	}
	for w := range templar.Window(20) {
		list, err := templar.Pages(7, w, 3, configs)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			rows, err := templar.ParseRows(get(templar.RowsQuery("a/set", p)))
			if err != nil || len(rows) != 100 {
				t.Fatalf("page %+v: %d rows, %v", p, len(rows), err)
			}
		}
	}
}
