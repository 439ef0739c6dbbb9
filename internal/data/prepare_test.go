package data

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// A list is a source of documents held in memory.
type list struct {
	name string
	docs []Document
	err  error // after them
}

func (l list) Name() string        { return l.name }
func (l list) Fingerprint() string { return fmt.Sprint(l.name, len(l.docs)) }
func (l list) Documents() iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for _, d := range l.docs {
			if !yield(d, nil) {
				return
			}
		}
		if l.err != nil {
			yield(Document{}, l.err)
		}
	}
}

// babbling returns a source of n documents of 2 kB, each of which names itself.
func babbling(name string, n int) list {
	l := list{name: name}
	for i := range n {
		id := fmt.Sprintf("%s-%d", name, i)
		l.docs = append(l.docs, Document{id, "<" + id + "> " + babble(uint64(i), 2000)})
	}
	return l
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(b)
	}
	return got
}

var small = Options{Vocab: 320, MaxBytes: 100 << 10, HeldOutBytes: 10 << 10}

func TestPrepare(t *testing.T) {
	dir := t.TempDir()
	sources := []Source{babbling("x", 100), babbling("y", 100)}
	var stages []Stage
	c, err := Prepare(t.Context(), dir, sources, small, func(p Progress) {
		if p.Done > p.Total {
			t.Errorf("%+v", p)
		}
		if len(stages) == 0 || stages[len(stages)-1] != p.Stage {
			stages = append(stages, p.Stage)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Stage{Reading, Learning, Encoding}, stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	if c.Domains() != 2 || c.VocabSize() != 320 || c.Tokenizer().VocabSize() != 320 {
		t.Errorf("%d domains, %d tokens", c.Domains(), c.VocabSize())
	}
	opened, err := OpenCorpus(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.info, opened.info); diff != "" {
		t.Errorf("made and opened differ:\n%s", diff)
	}
	for g, l := range []list{babbling("x", 100), babbling("y", 100)} {
		d, s := opened.Domain(g), opened.streams[g]
		if d.Train.Bytes != small.MaxBytes || d.HeldOut.Bytes < 2000 || d.HeldOut.Bytes > small.HeldOutBytes || d.Train.Tokens != int64(len(s.train)) {
			t.Errorf("domain %+v", d)
		}
		train, held := decode(t, opened, s.train), decode(t, opened, s.heldOut)
		if int64(len(train)) != d.Train.Bytes+int64(d.Train.Documents*len(EndOfText)) {
			t.Errorf("%d bytes decoded", len(train))
		}
		// No document is on both sides, and all are whole but those that the
		// limits cut.
		for _, doc := range l.docs {
			mark, here, there := "<"+doc.Name+">", train, held
			if isHeldOut(doc.Name) {
				here, there = held, train
			}
			if strings.Contains(there, mark) {
				t.Errorf("%s is on the wrong side", doc.Name)
			}
			if _, rest, found := strings.Cut(here, mark); found {
				text, after, _ := strings.Cut(rest, EndOfText)
				if mark+text != doc.Text && (after != "" || !strings.HasPrefix(doc.Text, mark+text)) {
					t.Errorf("%s is not whole", doc.Name)
				}
			}
		}
	}
}

func decode(t *testing.T, c *Corpus, tokens []uint16) string {
	t.Helper()
	ids := make([]int32, len(tokens))
	for i, id := range tokens {
		ids[i] = int32(id)
	}
	text, err := c.Tokenizer().Decode(ids)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestPrepareAgain(t *testing.T) {
	dir := t.TempDir()
	work := 0
	prepare := func(opt Options, sources ...Source) *Corpus {
		t.Helper()
		work = 0
		c, err := Prepare(t.Context(), dir, sources, opt, func(Progress) { work++ })
		if err != nil {
			t.Fatal(err)
		}
		if opened, err := OpenCorpus(dir); err != nil || !cmp.Equal(opened.info, c.info) {
			t.Fatalf("opened another corpus than was prepared: %v", err)
		}
		return c
	}
	x, y := babbling("x", 50), babbling("y", 50)
	first := prepare(small, x)
	before := contents(t, dir)
	if prepare(small, x); work != 0 {
		t.Error("the same sources and options were prepared twice")
	}
	if prepare(small, x, y); work == 0 {
		t.Error("a further source was not noticed")
	}
	if prepare(Options{Vocab: 300, MaxBytes: 50 << 10}, x); work == 0 {
		t.Error("other options were not noticed")
	}
	given := small
	given.Tokenizer = first.Tokenizer()
	if c := prepare(given, y); work == 0 || c.VocabSize() != first.VocabSize() || c.info.Tokenizer != first.info.Tokenizer {
		t.Error("the tokenizer that was given was not used")
	}
	// On one core, after all that, the same bytes as at first; and with no
	// drafts left behind.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	prepare(small, x)
	after := contents(t, dir)
	for name := range after {
		if _, ok := before[name]; !ok && !strings.HasSuffix(name, "-1.tok") {
			t.Errorf("left behind: %s", name)
		}
	}
	for name, content := range before {
		if after[name] != content {
			t.Errorf("%s differs", name)
		}
	}
}

func TestDamage(t *testing.T) {
	dir := t.TempDir()
	x := []Source{babbling("x", 50)}
	if _, err := Prepare(t.Context(), dir, x, small, nil); err != nil {
		t.Fatal(err)
	}
	good := contents(t, dir)
	for name, content := range good {
		for what, bad := range map[string]string{
			"cut":     content[:len(content)-1],
			"flipped": content[:len(content)/2] + string([]byte{content[len(content)/2] ^ 1}) + content[len(content)/2+1:],
			"gone":    "",
		} {
			if what == "cut" && name == corpusFile {
				bad = content[:len(content)-4] // its last newline is no loss
			}
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
				t.Fatal(err)
			}
			if what == "gone" {
				os.Remove(path)
			}
			_, err := OpenCorpus(dir)
			if err == nil && name == corpusFile && what == "flipped" {
				continue // in a name, say
			}
			if err == nil || subnet.Hint(err) == "" || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %s: %v", name, what, err)
			}
			if want := what == "gone" && name == corpusFile; errors.Is(err, subnet.ErrNotFound) != want {
				t.Errorf("%s %s: not found is %v", name, what, !want)
			}
			if _, err := Prepare(t.Context(), dir, x, small, nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(good, contents(t, dir)); diff != "" {
				t.Fatalf("%s %s was not mended", name, what)
			}
		}
	}
	if _, err := OpenCorpus(filepath.Join(dir, "none")); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("no directory: %v", err)
	}
}

func TestPrepareErrors(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	broken := babbling("x", 3)
	broken.err = errors.New("the disk is gone")
	for _, tt := range []struct {
		name    string
		ctx     context.Context
		sources []Source
		opt     Options
		want    string
	}{
		{"no sources", t.Context(), nil, small, "0 sources"},
		{"a source that breaks", t.Context(), []Source{babbling("y", 50), broken}, small, "the disk is gone"},
		{"cancelled", cancelled, []Source{babbling("y", 50)}, small, "context canceled"},
		{"one document", t.Context(), []Source{babbling("y", 1)}, small, "y: too little text"},
		{"copies of one document", t.Context(), []Source{list{name: "z", docs: []Document{{"a", "text"}, {"b", "text"}, {"c", "text"}}}}, small, "z: too little text"},
		{"vocabulary", t.Context(), []Source{babbling("y", 50)}, Options{Vocab: 100}, "vocabulary of 100"},
		{"negative", t.Context(), []Source{babbling("y", 50)}, Options{MaxBytes: -1}, "-1 bytes"},
	} {
		dir := filepath.Join(t.TempDir(), "corpus")
		_, err := Prepare(tt.ctx, dir, tt.sources, tt.opt, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want …%s…", tt.name, err, tt.want)
		}
		if _, err := os.Stat(filepath.Join(dir, corpusFile)); err == nil {
			t.Errorf("%s: left a corpus", tt.name)
		}
	}
}

// With two documents one is held out, whatever their names say.
func TestSplitOfFew(t *testing.T) {
	for i := range 30 {
		a, b := fmt.Sprint("a", i), fmt.Sprint("b", i)
		s, err := collect(t.Context(), list{docs: []Document{{a, "text " + a}, {b, "text " + b}}}, 1000, 1000, func(int64, int64) {})
		if err != nil || len(s.train) != 1 || len(s.heldOut) != 1 || s.trainBytes != int64(len(s.train[0])) || s.heldOutBytes != int64(len(s.heldOut[0])) {
			t.Errorf("%s, %s: %+v, %v", a, b, s, err)
		}
	}
}

func TestSplitShare(t *testing.T) {
	held := 0
	for i := range 12000 {
		if isHeldOut(fmt.Sprint("document ", i)) {
			held++
		}
	}
	if held < 900 || held > 1100 {
		t.Errorf("%d of 12000 documents are held out, want about 1000", held)
	}
}

// The default: the Go distribution that runs this test.
func TestPrepareGoTree(t *testing.T) {
	root, err := FindGoRoot()
	if err != nil {
		t.Skip(err)
	}
	code, prose, err := GoTree(root)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Prepare(t.Context(), t.TempDir(), []Source{code, prose}, Options{Vocab: 1024, MaxBytes: 1 << 20, HeldOutBytes: 100 << 10}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for g := range c.Domains() {
		d := c.Domain(g)
		loss, err := c.Bigram(g, 129)
		if err != nil || c.VocabSize() != 1024 || d.Train.Bytes < 1<<20-4 || d.HeldOut.Bytes < 100<<10-4 || loss < 2 || loss > 5 {
			t.Errorf("%d tokens, %+v, bigram %.3f, %v", c.VocabSize(), d, loss, err)
		}
	}
}

func FuzzTokens(f *testing.F) {
	f.Add(encodeTokens([]uint16{1, 2, 299}, 300), 300)
	f.Add([]byte(tokenMagic+"\x01\x00\x00\x00\x2c\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f"), 300)
	f.Fuzz(func(t *testing.T, b []byte, vocab int) {
		tokens, err := decodeTokens(b, vocab)
		if err == nil && string(encodeTokens(tokens, vocab)) != string(b) {
			t.Errorf("%d tokens are written differently", len(tokens))
		}
	})
}

func FuzzCorpusInfo(f *testing.F) {
	f.Add([]byte(`{"version":1,"vocab":300,"domains":[{"name":"x","train":{"tokens":-1}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if info, err := parseCorpusInfo(b); err == nil && (info.Vocab < minVocab || len(info.Domains) == 0) {
			t.Errorf("accepted %+v", info)
		}
	})
}
