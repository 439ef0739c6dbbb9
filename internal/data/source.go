package data

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"iter"
	"slices"
)

// A Document is one piece of text that is trained on or held out as a whole.
type Document struct {
	// Name tells the document from the others of its source. It decides on
	// which side of the split the document falls, so it holds no machine's path.
	Name string
	Text string // UTF-8
}

// A Source is where the text of one domain comes from.
type Source interface {
	// Name says what the text is, in a word or two.
	Name() string
	// Fingerprint changes when the documents may have changed. It is cheap: it
	// looks at names, sizes and times, not at the text.
	Fingerprint() string
	// Documents yields the documents in an order that is always the same and as
	// good as random, so that whoever stops early has a broad sample. After an
	// error nothing follows.
	Documents() iter.Seq2[Document, error]
}

// order is the position of a name in the shuffled order of its kind.
func order(kind, name string) uint64 {
	sum := sha256.Sum256([]byte(kind + "\x00" + name))
	return binary.BigEndian.Uint64(sum[:])
}

// shuffleByName puts items in the order of their hashed names.
func shuffleByName[T any](items []T, name func(T) string) {
	keys := make(map[string]uint64, len(items))
	for _, it := range items {
		keys[name(it)] = order("order", name(it))
	}
	slices.SortStableFunc(items, func(a, b T) int {
		return cmp.Compare(keys[name(a)], keys[name(b)])
	})
}

// windowBytes is how much text shuffled looks at before it yields any.
const windowBytes = 32 << 20

// shuffled mixes the documents of a long file: it collects a window of text and
// yields it in shuffled order, then the next. A sample of the first megabytes is
// thus one of the first 32, in bounded memory.
func shuffled(docs iter.Seq2[Document, error]) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		var window []Document
		size := 0
		flush := func() bool {
			shuffleByName(window, func(d Document) string { return d.Name })
			for _, d := range window {
				if !yield(d, nil) {
					return false
				}
			}
			window, size = window[:0], 0
			return true
		}
		for d, err := range docs {
			if err != nil {
				yield(Document{}, err)
				return
			}
			window = append(window, d)
			if size += len(d.Text); size >= windowBytes && !flush() {
				return
			}
		}
		flush()
	}
}

// A fingerprint collects what stands for a list of files.
type fingerprint struct{ h hash.Hash }

func newFingerprint(kind string) fingerprint {
	f := fingerprint{sha256.New()}
	io.WriteString(f.h, kind)
	return f
}

func (f fingerprint) add(name string, size, modTimeNanos int64) {
	fmt.Fprintf(f.h, "\x00%q %d %d", name, size, modTimeNanos)
}

func (f fingerprint) sum() string { return hex.EncodeToString(f.h.Sum(nil)) }
