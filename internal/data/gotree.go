package data

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"adit/internal/subnet"
)

// dataHint is the cure wherever there is no text to be had.
const dataHint = "pass --data with files or folders of text, JSON lines or parquet"

// FindGoRoot returns the directory of the Go distribution: $GOROOT, or what the
// go command on the PATH says.
func FindGoRoot() (string, error) {
	if root := os.Getenv("GOROOT"); root != "" {
		return root, nil
	}
	out, err := exec.Command("go", "env", "GOROOT").Output()
	root := strings.TrimSpace(string(out))
	if err != nil || root == "" {
		return "", subnet.WithHint(errors.New("no Go distribution to take text from: GOROOT is not set and no go command is on the PATH"), dataHint)
	}
	return root, nil
}

// A goTree yields one side of the files of a Go distribution: the code, or the
// prose of comments and documents.
type goTree struct {
	root  string
	print string
	files []string // slash-separated, below root, in shuffled order
	prose bool
}

// maxGoFileBytes keeps tables out that do not say they were generated.
const maxGoFileBytes = 256 << 10

// GoTree returns two domains made of the Go distribution at goroot: Go code
// without its comments, and English prose, which is the comments and the
// documents. Tests, vendored and generated files are left out, and so are
// licences, which would be learnt by heart. Both sources name a document after
// its file, so that the comments of a held-out file are held out as well.
func GoTree(goroot string) (code, prose Source, err error) {
	var c, p []string
	print := newFingerprint("go tree 1")
	for _, top := range []string{"src", "doc", "misc"} {
		err := filepath.WalkDir(filepath.Join(goroot, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				if errors.Is(err, fs.ErrNotExist) && top != "src" {
					return nil // a distribution may come without its documents
				}
				return err
			}
			name := d.Name()
			if d.IsDir() {
				if name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") {
					return filepath.SkipDir
				}
				return nil
			}
			rel, err := filepath.Rel(goroot, path)
			if err != nil {
				return err
			}
			rel = filepath.ToSlash(rel)
			isCode := strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
			isText := strings.HasSuffix(name, ".md") || strings.HasSuffix(name, ".txt") ||
				top == "doc" && strings.HasSuffix(name, ".html")
			if !isCode && !isText || !d.Type().IsRegular() {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if isCode && info.Size() > maxGoFileBytes {
				return nil
			}
			print.add(rel, info.Size(), info.ModTime().UnixNano())
			if isCode {
				c = append(c, rel)
			}
			p = append(p, rel)
			return nil
		})
		if err != nil {
			return nil, nil, subnet.WithHint(fmt.Errorf("list the Go distribution at %s: %w", goroot, err), dataHint)
		}
	}
	if len(c) == 0 {
		return nil, nil, subnet.WithHint(fmt.Errorf("no Go files under %s", filepath.Join(goroot, "src")), dataHint)
	}
	same := func(s string) string { return s }
	shuffleByName(c, same)
	shuffleByName(p, same)
	sum := print.sum()
	return &goTree{goroot, sum, c, false}, &goTree{goroot, sum, p, true}, nil
}

func (t *goTree) Name() string {
	if t.prose {
		return "prose"
	}
	return "Go code"
}

func (t *goTree) Fingerprint() string { return t.Name() + " " + t.print }

// minTextBytes is the least that is worth a document of its own.
const minTextBytes = 200

func (t *goTree) Documents() iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for _, name := range t.files {
			src, err := os.ReadFile(filepath.Join(t.root, filepath.FromSlash(name)))
			if err != nil {
				yield(Document{}, fmt.Errorf("read the Go distribution: %w", err))
				return
			}
			text := t.text(name, src)
			if len(text) < minTextBytes {
				continue
			}
			if !yield(Document{name, text}, nil) {
				return
			}
		}
	}
}

// text returns this side of a file, "" if it has none.
func (t *goTree) text(name string, src []byte) string {
	switch {
	case strings.HasSuffix(name, ".go"):
		if isGenerated(src) {
			return ""
		}
		code, prose := splitGo(src)
		if t.prose {
			return prose
		}
		if isTable(code) {
			return ""
		}
		return code
	case strings.HasSuffix(name, ".html"):
		return stripHTML(string(src))
	default:
		text := strings.ToValidUTF8(string(src), "")
		if !isProse(text) {
			return ""
		}
		return text
	}
}
