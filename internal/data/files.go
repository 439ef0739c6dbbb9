package data

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"adit/internal/subnet"
)

// A files source yields the text of files the user names.
type files struct {
	name  string
	print string
	parts []part // in shuffled order
}

// A part is one file.
type part struct {
	name  string // begins with the base name of what the user gave
	path  string
	named bool // by the user, not found in a folder
	kind  fileKind
	size  int64
}

// A fileKind is how the documents of a file are written down.
type fileKind int

const (
	noText fileKind = iota
	plain
	jsonLines
	parquetRows
)

// Files returns the text of files and folders as one domain. It reads .jsonl,
// .ndjson and .json files as one JSON object a line with a "text" or "content",
// .parquet files by their column "text" or else their first column of strings,
// and everything else as UTF-8 text. Long texts are cut into documents. In
// folders, hidden files and those that are not text are passed over; a file named
// outright that cannot be read is an error.
func Files(paths ...string) (Source, error) {
	if len(paths) == 0 {
		return nil, subnet.WithHint(errors.New("no data given"), dataHint)
	}
	s := &files{}
	var err error
	if s.parts, s.print, err = findParts("files 1", "", paths); err != nil {
		return nil, err
	}
	shuffleByName(s.parts, func(p part) string { return p.name })
	s.name = joinNames(paths)
	return s, nil
}

// joinNames returns the names of paths without their folders.
func joinNames(paths []string) string {
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	return strings.Join(names, ", ")
}

// findParts returns the files at paths, each once and in the order of their paths,
// and their fingerprint.
func findParts(kind, field string, paths []string) ([]part, string, error) {
	var parts []part
	for _, p := range paths {
		found, err := listParts(p, field)
		if err != nil {
			return nil, "", err
		}
		parts = append(parts, found...)
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.path, b.path) })
	parts = slices.CompactFunc(parts, func(a, b part) bool { return a.path == b.path })
	if len(parts) == 0 {
		return nil, "", subnet.WithHint(fmt.Errorf("no text in %s", strings.Join(paths, ", ")),
			"give files or folders that hold UTF-8 text, .jsonl or .parquet")
	}
	print := newFingerprint(kind)
	for i := range parts {
		info, err := os.Stat(parts[i].path)
		if err != nil {
			return nil, "", err
		}
		parts[i].size = info.Size()
		print.add(parts[i].name, info.Size(), info.ModTime().UnixNano())
	}
	return parts, print.sum(), nil
}

// listParts returns the files at p: itself, or those below it. The field is that of
// JSON lines.
func listParts(p, field string) ([]part, error) {
	info, err := os.Stat(p)
	if err != nil {
		return nil, subnet.WithHint(fmt.Errorf("read data: %w", err), "check the path given with --data")
	}
	base := filepath.Base(p)
	if abs, err := filepath.Abs(p); err == nil {
		base = filepath.Base(abs) // so that "." has a name
	}
	switch {
	case info.Mode().IsRegular():
		if info.Size() == 0 {
			return nil, subnet.WithHint(fmt.Errorf("%s is empty", p), "give a file that holds text")
		}
		kind, err := sniff(p, field, true)
		return []part{{name: base, path: p, named: true, kind: kind}}, err
	case !info.IsDir():
		return nil, subnet.WithHint(fmt.Errorf("%s is neither a file nor a folder", p), dataHint)
	}
	root, err := filepath.EvalSymlinks(p)
	if err != nil {
		return nil, fmt.Errorf("read data: %w", err)
	}
	var found []part
	err = filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if at != root && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		// A link to a file counts as that file: caches of data sets are made so.
		info, err := os.Stat(at)
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
			return nil
		}
		kind, err := sniff(at, field, false)
		if err != nil || kind == noText {
			return err
		}
		rel, err := filepath.Rel(root, at)
		found = append(found, part{name: path.Join(base, filepath.ToSlash(rel)), path: at, kind: kind})
		return err
	})
	if err != nil {
		return nil, subnet.WithHint(fmt.Errorf("read data: %w", err), "make it readable, or name the files one by one")
	}
	return found, nil
}

// sniffBytes is how much of a file is looked at to tell what it is.
const sniffBytes = 8 << 10

// sniff tells the kind of the file at p. In a folder it may hold no text; if it was
// named, that is an error.
func sniff(p, field string, named bool) (fileKind, error) {
	switch strings.ToLower(filepath.Ext(p)) {
	case ".parquet":
		return parquetRows, nil
	case ".jsonl", ".ndjson":
		return jsonLines, nil
	}
	f, err := os.Open(p)
	if err != nil {
		return noText, subnet.WithHint(fmt.Errorf("read data: %w", err), "make the file readable")
	}
	defer f.Close()
	head := make([]byte, sniffBytes)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return noText, fmt.Errorf("read data: %w", err)
	}
	head = head[:n]
	if !isText(head) {
		if named {
			return noText, notText(p, "is not UTF-8 text")
		}
		return noText, nil
	}
	if strings.EqualFold(filepath.Ext(p), ".json") && (named || isJSONLines(head, field)) {
		return jsonLines, nil
	}
	return plain, nil
}

func notText(name, what string) error {
	return subnet.WithHint(fmt.Errorf("%s %s", name, what),
		"convert it to UTF-8 (iconv -t utf-8), unpack it, or leave it out")
}

// isText reports whether head begins a UTF-8 text. Its last character may be cut.
func isText(head []byte) bool {
	for i := 0; i < utf8.UTFMax && len(head) > 0; i++ {
		if r, size := utf8.DecodeLastRune(head); r != utf8.RuneError || size != 1 {
			break
		}
		head = head[:len(head)-1]
	}
	return utf8.Valid(head) && bytes.IndexByte(head, 0) < 0
}

func (s *files) Name() string        { return s.name }
func (s *files) Fingerprint() string { return s.print }

func (s *files) Documents() iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for _, p := range s.parts {
			if !p.documents(yield) {
				return
			}
		}
	}
}

// documents yields the documents of one file and reports whether to go on.
func (p part) documents(yield func(Document, error) bool) bool {
	f, err := os.Open(p.path)
	if err != nil {
		yield(Document{}, subnet.WithHint(fmt.Errorf("read data: %w", err), "make the file readable"))
		return false
	}
	defer f.Close()
	for d, err := range shuffled(func(yield func(Document, error) bool) {
		switch p.kind {
		case jsonLines:
			readJSONLines(f, p.name, "", yield)
		case parquetRows:
			readParquet(f, p.size, p.name, parquetReading{shuffle: true}, yield)
		default:
			pieces(f, p.name, p.named, yield)
		}
	}) {
		if !yield(d, err) || err != nil {
			return false
		}
	}
	return true
}
