package torchfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"adit/internal/subnet"
)

// An archive is the directory of a zip file whose entries all lie in one
// folder, are stored as they are and have each their own bytes of the file.
//
// archive/zip is not used because it reads the directory to its end, however
// long that is, before it can be asked anything, and makes of each entry far
// more than the directory has of it.
type archive struct {
	r       io.ReaderAt
	budget  *budget
	dir     []byte   // the directory as it stands in the file
	end     int64    // where the directory begins: entries lie before it
	folder  string   // with the slash
	byName  []uint32 // where each entry begins in dir
	byPlace []uint32
	scratch [end64Len]byte
}

// An entry is what the directory says of a file.
type entry struct {
	name   []byte // with the folder
	header int64  // offset of the local header
	packed int64  // bytes in the archive
	size   int64  // bytes of the file
	flags  uint16
	method uint16
	length int // of the entry in the directory
}

// openArchive finds and reads the zip directory.
func openArchive(r io.ReaderAt, size int64, b *budget) (*archive, error) {
	a := &archive{r: r, budget: b}
	offset, length, err := a.findDirectory(size)
	if err != nil {
		return nil, err
	}
	if err := b.spendRounding(length); err != nil {
		return nil, err
	}
	a.dir, a.end = make([]byte, length), offset
	if err := readAt(r, a.dir, offset); err != nil {
		return nil, fmt.Errorf("read zip directory: %w", err)
	}
	if err := a.index(); err != nil {
		return nil, err
	}
	return a, nil
}

// index sorts the entries by name and by place, and refuses two of one name
// and two of the same bytes.
func (a *archive) index() error {
	n := 0
	for at := 0; at < len(a.dir); n++ {
		e, err := a.entry(at)
		if err != nil {
			return err
		}
		folder, _, ok := bytes.Cut(e.name, []byte("/"))
		if n == 0 {
			a.folder = string(folder) + "/"
		}
		if !ok || !bytes.HasPrefix(e.name, []byte(a.folder)) {
			return fmt.Errorf("zip entry %q is not in the same folder as the others", short(e.name))
		}
		at += e.length
	}
	if err := a.budget.spend(int64(n) * 8); err != nil {
		return err
	}
	both := make([]uint32, 2*n)
	a.byName, a.byPlace = both[:n], both[n:]
	for i, at := 0, 0; i < n; i++ {
		a.byName[i], a.byPlace[i] = uint32(at), uint32(at)
		at += a.known(uint32(at)).length
	}
	slices.SortFunc(a.byName, func(x, y uint32) int { return bytes.Compare(a.known(x).name, a.known(y).name) })
	slices.SortFunc(a.byPlace, func(x, y uint32) int { return cmp.Compare(a.known(x).header, a.known(y).header) })
	for i := 1; i < n; i++ {
		if e := a.known(a.byName[i]); bytes.Equal(e.name, a.known(a.byName[i-1]).name) {
			return fmt.Errorf("zip entry %q comes twice", short(e.name))
		}
		e, next := a.known(a.byPlace[i-1]), a.known(a.byPlace[i])
		if e.packed > next.header-e.header-localLen-int64(len(e.name)) {
			return overlap(e.name, next.name)
		}
	}
	return nil
}

func overlap(a, b []byte) error {
	return fmt.Errorf("zip entries %q and %q lie over one another", short(a), short(b))
}

// short cuts a name for an error.
func short(name []byte) []byte { return name[:min(len(name), 200)] }

// known is an entry that has been read before.
func (a *archive) known(at uint32) entry {
	e, _ := a.entry(int(at))
	return e
}

// find returns the position of an entry among the names.
func (a *archive) find(name []byte) (int, bool) {
	return slices.BinarySearchFunc(a.byName, name, func(at uint32, name []byte) int {
		return bytes.Compare(a.known(at).name[len(a.folder):], name)
	})
}

const hintStored = "write it with torch.save, which never compresses or encrypts; a zip program that packed it anew has to be told to store only"

// open returns where the bytes of the entry at that position among the names
// begin. All of them are in the file, and no other entry's.
//
// The checksum is not compared: torch can be told to write none, and torch.load
// does not look at it either.
func (a *archive) open(i int) (offset, size int64, err error) {
	e := a.known(a.byName[i])
	switch {
	case e.flags&1 != 0:
		return 0, 0, subnet.WithHint(fmt.Errorf("zip entry %q is encrypted", short(e.name)), hintStored)
	case e.method != 0 || e.packed != e.size:
		return 0, 0, subnet.WithHint(fmt.Errorf("zip entry %q is compressed", short(e.name)), hintStored)
	}
	outside := func() error { return fmt.Errorf("zip entry %q is not in the file", short(e.name)) }
	if e.header > a.end-localLen {
		return 0, 0, outside()
	}
	h := a.scratch[:localLen]
	if err := readAt(a.r, h, e.header); err != nil {
		return 0, 0, fmt.Errorf("zip entry %q: %w", short(e.name), err)
	}
	offset = e.header + localLen + int64(le.Uint16(h[26:])) + int64(le.Uint16(h[28:]))
	if string(h[:4]) != localSig || offset > a.end || e.size > a.end-offset {
		return 0, 0, outside()
	}
	// The local header may be longer than the directory let us know.
	next, _ := slices.BinarySearchFunc(a.byPlace, e.header+1, func(at uint32, place int64) int {
		return cmp.Compare(a.known(at).header, place)
	})
	if next < len(a.byPlace) {
		if n := a.known(a.byPlace[next]); offset+e.size > n.header {
			return 0, 0, overlap(e.name, n.name)
		}
	}
	return offset, e.size, nil
}

// read returns the bytes of the entry at that position among the names. Each
// may be read once.
func (a *archive) read(i int) ([]byte, error) {
	offset, size, err := a.open(i)
	if err != nil {
		return nil, err
	}
	if err := a.budget.spendRounding(size); err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if err := readAt(a.r, b, offset); err != nil {
		return nil, fmt.Errorf("zip entry %q: %w", short(a.known(a.byName[i]).name), err)
	}
	return b, nil
}

// text returns the whole of an entry of at most limit bytes, or false if there
// is none of that name.
func (a *archive) text(name string, limit int64) (string, bool, error) {
	i, ok := a.find([]byte(name))
	if !ok {
		return "", false, nil
	}
	offset, size, err := a.open(i)
	if err != nil {
		return "", true, err
	}
	if size > limit {
		return "", true, fmt.Errorf("zip entry %q has %d bytes, more than the %d allowed", name, size, limit)
	}
	const block = 4 << 10
	if err := errors.Join(a.budget.spendRounding(size), a.budget.spend(block)); err != nil {
		return "", true, errBudget
	}
	var s strings.Builder // gives out a string without copying it
	s.Grow(int(size))
	for buf := make([]byte, block); size > 0; {
		b := buf[:min(size, block)]
		if err := readAt(a.r, b, offset); err != nil {
			return "", true, fmt.Errorf("zip entry %q: %w", name, err)
		}
		s.Write(b)
		offset, size = offset+int64(len(b)), size-int64(len(b))
	}
	return s.String(), true, nil
}

// check refuses what a big-endian machine wrote, what is no file of tensors,
// and a version that torch.load does not know either. Files older than the
// entry that tells the byte order are all little-endian.
func (a *archive) check() error {
	order, ok, err := a.text("byteorder", 64)
	if err != nil {
		return err
	}
	if order = strings.TrimSpace(order); ok && order != "little" {
		return subnet.WithHint(fmt.Errorf("byteorder: %q; only little-endian files are read", order),
			"load and save it with PyTorch on a little-endian machine")
	}
	version, ok, err := a.text("version", 64)
	if err != nil {
		return err
	}
	if v, err := strconv.Atoi(strings.TrimSpace(version)); ok && (err != nil || v < 1 || v > maxVersion) {
		return subnet.WithHint(fmt.Errorf("version: %q is none of 1 to %d", version, maxVersion), hintSafetensors)
	}
	if _, ok := a.find([]byte("constants.pkl")); ok {
		return subnet.WithHint(errors.New("constants.pkl: this is a TorchScript program, not a dict of tensors"), hintState)
	}
	return nil
}

// readAt fills b; an io.ReaderAt may report EOF with the last byte.
func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
