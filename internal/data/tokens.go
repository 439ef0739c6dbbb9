package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sort"
	"sync"

	"adit/internal/subnet"
)

// Tokens are the tokens of one or more files, end to end: a packed stream, in
// which documents follow one another, each ended by the token its tokenizer has
// for that. A sequence is a stretch of it, so it may hold the end of a document,
// several whole ones and the beginning of the next, and no place is wasted on
// padding.
//
// The files are mapped and never read as a whole. Tokens are safe for concurrent
// use.
type Tokens struct {
	files *tokenFiles // shared by all that were split from one
	lo, n int64       // the part of the stream that is ours
}

// TokenOptions says how token files are read.
type TokenOptions struct {
	// Vocab is the size of the model's vocabulary: a token not below it is an
	// error. 0 takes all.
	Vocab int
	// Type is that of raw files that have no header beside them. Empty, it is
	// uint16 for vocabularies of at most 65536 and uint32 for others.
	Type TokenType
}

// tokenFiles are open files.
type tokenFiles struct {
	parts   []tokenPart
	limit   int64 // tokens are below it
	scratch sync.Pool

	mu     sync.RWMutex // held to read while a file is used, to write while all are closed
	closed bool
}

// A tokenPart is one file.
type tokenPart struct {
	path  string
	start int64 // in the stream
	layout
	f      *os.File
	mapped []byte // the whole file; nil where it cannot be mapped
}

// scratchBytes is how much of a file that is not mapped is read at once. It holds
// a whole number of tokens of any type.
const scratchBytes = 16 << 10

// Open opens token files as one stream, in the order given. It takes what
// [Encode] writes, raw files of little-endian uint16 or uint32, NumPy files (.npy)
// of one dimension of uint16, uint32, int32 or int64, and the files of llm.c.
// The caller closes it.
func Open(opt TokenOptions, paths ...string) (*Tokens, error) {
	if len(paths) == 0 {
		return nil, subnet.WithHint(errors.New("no token files given"), dataHint)
	}
	fs := &tokenFiles{limit: int64(opt.Vocab)}
	if fs.limit <= 0 {
		fs.limit = 1 << 31
	}
	fs.scratch.New = func() any { return new([scratchBytes]byte) }
	t := &Tokens{files: fs}
	for _, path := range paths {
		p, err := openPart(path, opt)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open tokens %s: %w", path, err), t.Close())
		}
		p.start = t.n
		fs.parts = append(fs.parts, p)
		t.n += p.count
	}
	return t, nil
}

func openPart(path string, opt TokenOptions) (p tokenPart, err error) {
	f, err := os.Open(path)
	if err != nil {
		return p, subnet.WithHint(err, "check the path given with --data")
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	info, err := f.Stat()
	switch {
	case err != nil:
		return p, err
	case !info.Mode().IsRegular():
		return p, subnet.WithHint(errors.New("it is no file"), "name the token files")
	case info.Size() == 0:
		return p, subnet.WithHint(errors.New("it is empty"), "encode the text again")
	}
	p = tokenPart{path: path, f: f}
	if p.layout, err = readLayout(f, path, info.Size(), opt); err != nil {
		return p, err
	}
	if p.count == 0 {
		return p, subnet.WithHint(errors.New("it holds no tokens"), "encode the text again")
	}
	if b, err := mapFile(f, info.Size()); err == nil {
		p.mapped = b
	} // or else it is read
	return p, nil
}

// Len returns the number of tokens.
func (t *Tokens) Len() int64 { return t.n }

// Close closes the files, for all that were split from these tokens as well.
func (t *Tokens) Close() error {
	fs := t.files
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.closed {
		return nil
	}
	fs.closed = true
	var errs []error
	for _, p := range fs.parts {
		if p.mapped != nil {
			errs = append(errs, unmapFile(p.mapped))
		}
		errs = append(errs, p.f.Close())
	}
	return errors.Join(errs...)
}

// Read fills dst with the tokens from position at on. A token outside the
// vocabulary is an error that names its file and place.
func (t *Tokens) Read(dst []int32, at int64) error {
	if at < 0 || at > t.n-int64(len(dst)) {
		return fmt.Errorf("read tokens %d to %d of %d", at, at+int64(len(dst)), t.n)
	}
	fs := t.files
	fs.mu.RLock()
	defer fs.mu.RUnlock()
	if fs.closed {
		return fmt.Errorf("read tokens: %w", os.ErrClosed)
	}
	at += t.lo
	i := sort.Search(len(fs.parts), func(i int) bool { return fs.parts[i].start > at }) - 1
	for len(dst) > 0 {
		p := &fs.parts[i]
		n := min(int64(len(dst)), p.start+p.count-at)
		if err := fs.read(p, dst[:n], at-p.start); err != nil {
			return err
		}
		dst, at, i = dst[n:], at+n, i+1
	}
	return nil
}

// read fills dst with the tokens of a file from at on.
func (fs *tokenFiles) read(p *tokenPart, dst []int32, at int64) error {
	size := p.typ.size()
	if p.mapped != nil {
		from := p.offset + at*size
		return fs.convert(p, dst, p.mapped[from:from+int64(len(dst))*size], at)
	}
	buf := fs.scratch.Get().(*[scratchBytes]byte)
	defer fs.scratch.Put(buf)
	for len(dst) > 0 {
		n := min(int64(len(dst)), scratchBytes/size)
		b := buf[:n*size]
		if _, err := p.f.ReadAt(b, p.offset+at*size); err != nil {
			return fmt.Errorf("read tokens %s: %w", p.path, err)
		}
		if err := fs.convert(p, dst[:n], b, at); err != nil {
			return err
		}
		dst, at = dst[n:], at+n
	}
	return nil
}

// convert turns the bytes of the tokens from at on into numbers, and checks them.
func (fs *tokenFiles) convert(p *tokenPart, dst []int32, b []byte, at int64) error {
	bad := -1
	limit := fs.limit
	switch p.typ {
	case Uint16:
		for i := range dst {
			v := binary.LittleEndian.Uint16(b[2*i:])
			if dst[i] = int32(v); int64(v) >= limit && bad < 0 {
				bad = i
			}
		}
	case Uint32, Int32: // a negative one is, without its sign, beyond any vocabulary
		for i := range dst {
			v := binary.LittleEndian.Uint32(b[4*i:])
			if dst[i] = int32(v); int64(v) >= limit && bad < 0 {
				bad = i
			}
		}
	default:
		for i := range dst {
			v := binary.LittleEndian.Uint64(b[8*i:])
			if dst[i] = int32(v); v >= uint64(limit) && bad < 0 {
				bad = i
			}
		}
	}
	if bad >= 0 {
		return fs.outside(p, b, at, bad)
	}
	return nil
}

// outside is the error of the token at bad in b.
func (fs *tokenFiles) outside(p *tokenPart, b []byte, at int64, bad int) error {
	var id int64
	switch p.typ {
	case Uint16:
		id = int64(binary.LittleEndian.Uint16(b[2*bad:]))
	case Uint32:
		id = int64(binary.LittleEndian.Uint32(b[4*bad:]))
	case Int32:
		id = int64(int32(binary.LittleEndian.Uint32(b[4*bad:])))
	default:
		id = int64(binary.LittleEndian.Uint64(b[8*bad:]))
	}
	return subnet.WithHint(fmt.Errorf("%s: token %d is %d, not within the vocabulary of %d", p.path, at+int64(bad), id, fs.limit),
		"encode the text with this model's tokenizer.json; if it was, name the right type of the tokens, uint16 or uint32")
}

// Split holds the end of the tokens out: the part x of them (0 to 1), rounded to
// whole sequences of n tokens as [Order] counts them without shuffling, and at
// least one if x is not 0. Nothing of it is in train.
func (t *Tokens) Split(x float64, n int) (train, heldOut *Tokens, err error) {
	if n < 2 || !(x >= 0 && x < 1) {
		return nil, nil, fmt.Errorf("hold out %v of the tokens in sequences of %d: want 0 to 1, and at least 2", x, n)
	}
	held := int64(0)
	if x > 0 {
		step := int64(n) - 1
		held = max(1, int64(x*float64(t.n)/float64(step)+0.5))*step + 1
	}
	if t.n-held < int64(n) {
		return nil, nil, subnet.WithHint(fmt.Errorf("%d tokens, of which %d would be held out, leave less than a sequence of %d to train on", t.n, held, n),
			"give more text, hold out less, or use shorter sequences")
	}
	at := t.n - held
	return &Tokens{t.files, t.lo, at}, &Tokens{t.files, t.lo + at, held}, nil
}
