package chainnode

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"adit/internal/subnet"
)

// newest returns the newest segment of a closed chain, its bytes, and where its last
// record begins.
func newest(t *testing.T, dir string) (path string, b []byte, last int) {
	t.Helper()
	n := open(t, Options{Dir: dir})
	place := n.head().place
	path = n.disk.path(place.segment)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if int(place.at)+place.size != len(b) {
		t.Fatalf("block %d ends at byte %d of %d", n.number(), int(place.at)+place.size, len(b))
	}
	return path, b, int(place.at)
}

// TestTornAnywhere cuts the last block off after each of its bytes, as kills and
// power cuts do, and changes each of them. Cut short, the chain ends with the block
// before and goes on from there. Changed, it is that or an error, and never another
// block.
func TestTornAnywhere(t *testing.T) {
	t.Parallel()
	dir, hashes := fill(t, 10, 5)
	path, whole, last := newest(t, dir)
	check := func(k int, what string, b []byte) {
		t.Helper()
		var head hash
		left, err := scan(bytes.NewReader(b), int64(len(b)), true, func(snapshot) error { return nil }, func(b block, _ int64, _ int) error {
			head = b.Header.hash()
			return nil
		})
		if err == nil && (left.blocks != 4 || head != hashes[4] || int(left.end) != last) || err != nil && (what == "cut" || subnet.Hint(err) == "") {
			t.Fatalf("%s at byte %d: %d blocks, the last %x, good up to byte %d, %v", what, k, left.blocks, head, left.end, err)
		}
		if k%64 != 0 || err != nil {
			return
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		n := open(t, Options{Dir: dir})
		if n.number() != 4 || n.head().hash != hashes[4] {
			t.Errorf("%s at byte %d: the head is block %d", what, k, n.number())
		}
		next := produce(t, n)
		n.Close()
		n = open(t, Options{Dir: dir})
		if n.number() != 5 || n.head().hash != next {
			t.Errorf("%s at byte %d: block 5 was made, and then the head is block %d", what, k, n.number())
		}
		n.Close()
	}
	for k := last; k < len(whole); k++ {
		check(k, "cut", whole[:k])
		b := bytes.Clone(whole)
		b[k] ^= 1 << (k % 8)
		check(k, "changed", b)
	}
}

// A quota file takes so many bytes more, then its disk is full. It is cut back only
// while it may be.
type quota struct {
	file
	left *int // negative: no end
	torn *bool
}

func (q quota) WriteAt(b []byte, at int64) (int, error) {
	if *q.left < 0 || len(b) <= *q.left {
		return q.file.WriteAt(b, at)
	}
	n, err := q.file.WriteAt(b[:*q.left], at)
	return n, errors.Join(err, syscall.ENOSPC)
}

func (q quota) Truncate(size int64) error {
	if *q.torn {
		return syscall.EIO
	}
	return q.file.Truncate(size)
}

// TestFullAnywhere has the disk fill after each byte of a block. There is no block
// then, and none on top of it, in memory or on disk; with room it is made, and holds
// what waited. So it is too if the node dies meanwhile.
func TestFullAnywhere(t *testing.T) {
	t.Parallel()
	left, torn := -1, false
	o := Options{Dir: t.TempDir(), Genesis: devGenesis(), open: func(path string, flag int) (file, error) {
		f, err := openFile(path, flag)
		return quota{f, &left, &torn}, err
	}}
	n := open(t, o)
	produce(t, n)
	alice := key(t, "//Alice")
	head, nonce := n.head(), uint32(0)
	for room := 0; ; room += 7 {
		torn = room%2 == 1 // it cannot even be cut back
		must(t, n, "author_submitExtrinsic", hexBytes(remark{from: alice, nonce: nonce}.sign(t, n)))
		left = room
		_, err := n.Produce()
		if err == nil {
			if room < 300 {
				t.Errorf("a block with room for %d bytes", room)
			}
			head = n.head()
			nonce++
			break
		}
		if _, again := n.Produce(); !errors.Is(err, syscall.ENOSPC) || again == nil {
			t.Fatalf("room for %d bytes: %v, and then %v", room, err, again)
		}
		if n.head().hash != head.hash || n.ledger.Nonce(alice.Public()) != nonce || len(n.pool.byHash) != 1 {
			t.Fatalf("room for %d bytes: something is left of the block that was not made", room)
		}
		if room%16 == 0 { // it dies, and with it what waited
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			left, torn = -1, false
			if n = open(t, o); n.head().hash != head.hash {
				t.Fatalf("room for %d bytes: opened again, the head is block %d", room, n.number())
			}
			must(t, n, "author_submitExtrinsic", hexBytes(remark{from: alice, nonce: nonce}.sign(t, n)))
		}
		left, torn = -1, false
		produce(t, n)
		nonce++
		if n.number() != head.header.number()+1 || n.ledger.Nonce(alice.Public()) != nonce {
			t.Fatalf("with room again: block %d", n.number())
		}
		head = n.head()
	}
	left, torn = -1, false
	n.Close()
	if n = open(t, o); n.head().hash != head.hash || n.ledger.Nonce(alice.Public()) != nonce {
		t.Errorf("opened again, the head is block %d", n.number())
	}
	if left, err := filepath.Glob(filepath.Join(o.Dir, "*"+draftSuffix)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
