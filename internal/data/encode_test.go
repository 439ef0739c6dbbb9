package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"adit/internal/subnet"
)

// folder writes files into a folder and returns it.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

type row struct {
	ID   int64  `parquet:"id"`
	Text string `parquet:"text"`
	Body string `parquet:"body"`
}

// rows is a parquet file of several groups.
func rows(t testing.TB, n int) string {
	t.Helper()
	var all []row
	for i := range n {
		all = append(all, row{int64(i), fmt.Sprintf("text %d", i), fmt.Sprintf("body %d", i)})
	}
	return parquetFile(t, all, parquet.MaxRowsPerRowGroup(3))
}

func encode(t testing.TB, field, path string, tok *Tokenizer, opt EncodeOptions, sources ...string) TokenInfo {
	t.Helper()
	texts, err := NewTexts(field, sources...)
	if err != nil {
		t.Fatal(err)
	}
	info, err := Encode(context.Background(), path, texts, tok, opt)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func readAll(t testing.TB, tokens *Tokens) []int32 {
	t.Helper()
	got := make([]int32, tokens.Len())
	if err := tokens.Read(got, 0); err != nil {
		t.Fatal(err)
	}
	return got
}

// Documents are whole, in the order of their paths, and each has its end.
func TestEncodeDocuments(t *testing.T) {
	tok, _ := library(t)
	long := strings.Repeat("Some words of a longer text, and more of them.\nIt has lines. ", 40000) // of more than two blocks
	dir := folder(t, map[string]string{
		"a/long.txt": long,
		"b.jsonl":    "{\"text\": \"first\"}\n{\"text\": \"\"}\n{\"text\": \"second\\nline\", \"body\": \"other\"}\n",
		"c.txt":      "windows\r\nlines\r\n",
		"d.txt":      " \n ",
		"e.parquet":  rows(t, 7),
		"f.bin":      "\x00\x01",
	})
	docs := []string{long, "first", "second\nline", "windows\nlines\n"}
	for i := range 7 {
		docs = append(docs, fmt.Sprintf("text %d", i))
	}
	var want []int32
	for _, d := range docs {
		want = append(tok.Append(want, d), tok.End())
	}
	out := filepath.Join(t.TempDir(), "out.bin")
	var heard [][2]int64
	opt := EncodeOptions{Progress: func(done, total int64) { heard = append(heard, [2]int64{done, total}) }}
	info := encode(t, "", out, tok, opt, dir)
	if info.Documents != int64(len(docs)) || info.Tokens != int64(len(want)) || info.Type != Uint16 || info.Vocab != 600 {
		t.Errorf("%+v, want %d documents and %d tokens", info, len(docs), len(want))
	}
	if diff := cmp.Diff(want, readAll(t, open(t, TokenOptions{Vocab: 600}, out))); diff != "" {
		t.Errorf("tokens (-want +got):\n%.2000s", diff)
	}
	for i, h := range heard {
		if h[1] != heard[0][1] || i > 0 && h[0] < heard[i-1][0] {
			t.Errorf("progress %v", heard)
		}
	}
	if last := heard[len(heard)-1]; last[0] != last[1] || len(heard) < 3 {
		t.Errorf("progress %v", heard)
	}

	// However many work on it, it is the same.
	first, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{1, 7} {
		again := filepath.Join(t.TempDir(), "out.bin")
		if got := encode(t, "", again, tok, EncodeOptions{Workers: workers}, dir); got != info {
			t.Errorf("%d workers: %+v, want %+v", workers, got, info)
		}
		if b, err := os.ReadFile(again); err != nil || !bytes.Equal(b, first) {
			t.Errorf("%d workers write another file, %v", workers, err)
		}
	}
}

// What stands before a text is not put before each block of a long one.
func TestEncodeLongDocument(t *testing.T) {
	tok := family(t, "llama2")
	text := strings.Repeat("the end of the day ", 2*blockBytes/19)
	dir := folder(t, map[string]string{"a.txt": text})
	out := filepath.Join(t.TempDir(), "out.bin")
	encode(t, "", out, tok, EncodeOptions{}, dir)
	got := readAll(t, open(t, TokenOptions{}, out))
	if want := append(tok.Encode(text), tok.End()); !cmp.Equal(got, want) {
		t.Errorf("%d tokens, want %d", len(got), len(want))
	}
}

func TestEncodeField(t *testing.T) {
	tok, _ := library(t)
	dir := folder(t, map[string]string{
		"a.jsonl":   "{\"body\": \"one\", \"text\": \"no\"}\n",
		"b.parquet": rows(t, 2),
	})
	out := filepath.Join(t.TempDir(), "out.bin")
	encode(t, "body", out, tok, EncodeOptions{End: new(int32(7))}, dir)
	got, err := tok.Decode(readAll(t, open(t, TokenOptions{Vocab: 600}, out)))
	end, _ := tok.Decode([]int32{7})
	if want := strings.Join([]string{"one", "body 0", "body 1", ""}, end); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, name := range []string{"a.jsonl", "b.parquet"} {
		texts, err := NewTexts("boddy", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		_, err = Encode(context.Background(), out+"2", texts, tok, EncodeOptions{})
		if err == nil || !strings.Contains(err.Error(), `"boddy"`) || subnet.Hint(err) == "" {
			t.Errorf("%s: got %v, want an error that names the field, with a hint", name, err)
		}
	}
}

func TestEncodeIsUsedAgain(t *testing.T) {
	tok, _ := library(t)
	dir := folder(t, map[string]string{"a.txt": "one two three"})
	out := filepath.Join(t.TempDir(), "out.bin")
	worked := false
	opt := EncodeOptions{Progress: func(int64, int64) { worked = true }}
	again := func(what string, field string, want bool) {
		t.Helper()
		worked = false
		encode(t, field, out, tok, opt, dir)
		if worked != want {
			t.Errorf("%s: encoded again %v, want %v", what, worked, want)
		}
	}
	again("new", "", true)
	again("unchanged", "", false)
	again("another field", "body", true)
	opt.End = new(int32(9))
	again("another end", "body", true)
	again("unchanged", "body", false)
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("one two three four"), 0o644); err != nil {
		t.Fatal(err)
	}
	again("changed text", "body", true)
	if err := os.Truncate(out, 4); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(TokenOptions{}, out); err == nil || !strings.Contains(err.Error(), "it has 4 bytes") {
		t.Errorf("opened a file that is cut short: %v", err)
	}
	again("cut short", "body", true)
	if err := os.WriteFile(out+".json", []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(TokenOptions{}, out); err == nil || subnet.Hint(err) == "" {
		t.Errorf("opened a file with a broken header: %v", err)
	}
	again("broken header", "body", true)
}

func TestEncodeCancelled(t *testing.T) {
	tok, _ := library(t)
	dir := folder(t, map[string]string{"a.txt": strings.Repeat("one two three\n", 500000)})
	texts, err := NewTexts("", dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	to := t.TempDir()
	_, err = Encode(ctx, filepath.Join(to, "out.bin"), texts, tok, EncodeOptions{Workers: 2, Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it cancelled", err)
	}
	if left, err := os.ReadDir(to); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestEncodeErrors(t *testing.T) {
	tok, _ := library(t)
	for _, tt := range []struct {
		files map[string]string
		end   int32
		want  string
	}{
		{map[string]string{"a.txt": " \n"}, 0, "there is no text"},
		{map[string]string{"a.txt": "text"}, 600, "600 is not within the vocabulary of 600"},
		{map[string]string{"a.txt": "text"}, -1, "no token to end a document with"},
		{map[string]string{"a.jsonl": "{\"text\": 1}"}, 0, "line 1"},
	} {
		texts, err := NewTexts("", folder(t, tt.files))
		if err != nil {
			t.Fatal(err)
		}
		_, err = Encode(context.Background(), filepath.Join(t.TempDir(), "out.bin"), texts, tok, EncodeOptions{End: &tt.end})
		if err == nil || !strings.Contains(err.Error(), tt.want) || subnet.Hint(err) == "" {
			t.Errorf("%v: got %v, want …%s…, with a hint", tt.files, err, tt.want)
		}
	}
	if _, err := NewTexts(""); err == nil {
		t.Error("found text nowhere")
	}
}

func FuzzParseTokenInfo(f *testing.F) {
	f.Add([]byte(`{"version":1,"vocab":10,"type":"uint16","tokens":5,"end":3}`), int64(10))
	f.Add([]byte(`{"version":1,"vocab":10,"type":"uint32","tokens":1125899906842624,"end":3} {}`), int64(10))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		info, err := parseTokenInfo(b)
		if err != nil {
			return
		}
		if l, err := info.layout(size, TokenOptions{}); err == nil && l.count*l.typ.size() != size {
			t.Errorf("%+v does not fit %d bytes", l, size)
		}
	})
}
