package chainnode

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// fill makes a chain of some blocks in a new directory, closed.
func fill(t *testing.T, segmentBlocks, count int) (dir string, hashes []hash) {
	t.Helper()
	n := open(t, Options{Dir: t.TempDir(), segmentBlocks: segmentBlocks})
	hashes = []hash{n.genesis.hash}
	alice := key(t, "//Alice")
	for i := range count {
		must(t, n, "author_submitExtrinsic", hexBytes(remark{from: alice, nonce: uint32(i)}.sign(t, n)))
		hashes = append(hashes, produce(t, n))
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	return n.opts.Dir, hashes
}

// TestRestart opens a chain again: the same storage and the same hashes, and of
// the same extrinsics at the same time the same next block.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, count := range []int{0, 1, 5, 9, 10, 29, 35} { // with segments of ten
		dir, hashes := fill(t, 10, count)
		before := open(t, Options{Dir: dir, segmentBlocks: 10})
		oldest := before.blocks[0].header.number()
		if want := uint32(max(0, count/10-2) * 10); oldest != want {
			t.Errorf("%d blocks: the oldest kept is %d, want %d", count, oldest, want)
		}
		type view struct {
			Header, Block, Keys, Account string
		}
		look := func(n *Node) (views []view) {
			account := hexBytes("\x26\xaa\x39\x4e\xea\x56\x30\xe0\x7c\x48\xae\x0c\x95\x58\xce\xf7") // twox128("System")
			for _, h := range hashes[oldest:] {
				var keys []string
				if err := json.Unmarshal(must(t, n, "state_getKeysPaged", account, 1000, nil, asHex(h)), &keys); err != nil {
					t.Fatal(err)
				}
				views = append(views, view{string(must(t, n, "chain_getHeader", asHex(h))), string(must(t, n, "chain_getBlock", asHex(h))),
					strings.Join(keys, " "), string(must(t, n, "state_queryStorageAt", keys, asHex(h)))})
			}
			return views
		}
		want := look(before)
		xt := remark{from: key(t, "//Bob")}.sign(t, before)
		millis := before.head().millis + 12_000
		next := func(n *Node) hash {
			must(t, n, "author_submitExtrinsic", hexBytes(xt))
			h, err := n.produce(millis)
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		if err := before.Close(); err != nil {
			t.Fatal(err)
		}
		after := open(t, Options{Dir: dir, segmentBlocks: 10})
		if diff := cmp.Diff(want, look(after)); diff != "" {
			t.Errorf("%d blocks: %s", count, diff)
		}
		for i, h := range hashes {
			got, ok := after.hashOf(uint32(i))
			if ok != (i == 0 || i >= int(oldest)) || ok && got != h {
				t.Errorf("%d blocks: hash of block %d is %x, %v", count, i, got, ok)
			}
		}
		a := next(after)
		// The file as it was: the block that has just been made, is not in it.
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
		place := after.head().place
		if err := os.Truncate(after.disk.path(place.segment), place.at); err != nil {
			t.Fatal(err)
		}
		again := open(t, Options{Dir: dir, segmentBlocks: 10})
		if b := next(again); a != b {
			t.Errorf("%d blocks: the next is %x, and again %x", count, a, b)
		}
		again.Close()
	}
}

// TestDamage changes a chain's files. What was never told to anybody is dropped,
// anything else is an error that says where.
func TestDamage(t *testing.T) {
	t.Parallel()
	last := func(b []byte) int { // where the last record begins
		at := len(segmentMagic)
		for {
			n := recordHead + int(b[at]) + int(b[at+1])<<8 + int(b[at+2])<<16
			if at+n == len(b) {
				return at
			}
			at += n
		}
	}
	for _, tt := range []struct {
		name   string
		file   string
		change func([]byte) []byte
		want   string // in the error; "" for none
		blocks uint32 // that are left
	}{
		{"untouched", "10", func(b []byte) []byte { return b }, "", 15},
		{"torn head", "10", func(b []byte) []byte { return b[:last(b)+5] }, "", 14},
		{"torn record", "10", func(b []byte) []byte { return b[:len(b)-1] }, "", 14},
		{"lost in a power cut", "10", func(b []byte) []byte { return append(b, make([]byte, 5000)...) }, "", 15},
		{"last bytes lost in a power cut", "10", func(b []byte) []byte { clear(b[len(b)-20:]); return b }, "", 14},
		{"rotten record", "10", func(b []byte) []byte { b[last(b)-1] ^= 1; return b }, "0000000010.blocks: record 4: its bytes are damaged", 0},
		{"rotten length", "10", func(b []byte) []byte { b[last(b)+1] ^= 0x80; return b }, "0000000010.blocks: record 5: its head is damaged", 0},
		{"rotten snapshot", "0", func(b []byte) []byte { b[100] ^= 1; return b }, "0000000000.blocks: record 0: its bytes are damaged", 0},
		{"old segment cut short", "0", func(b []byte) []byte { return b[:len(b)-1] }, "0000000000.blocks: record 10: cut short", 0},
		{"old segment without its end", "0", func(b []byte) []byte { return b[:last(b)] }, "0000000010.blocks: record 0: it continues block 10, but the segment before ends with block 9", 0},
		{"no snapshot", "10", func(b []byte) []byte { return b[:len(segmentMagic)] }, "0000000010.blocks: record 0: cut short", 0},
		{"empty", "0", func([]byte) []byte { return nil }, "0000000000.blocks: no file of a chain", 0},
		{"older version", "0", func(b []byte) []byte { return []byte("adit chain 1\n" + string(b[13:])) }, `written by another version: it says "adit chain 1\n", not "adit chain 2\n"`, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, hashes := fill(t, 10, 15)
			path := filepath.Join(dir, strings.Repeat("0", 10-len(tt.file))+tt.file+segmentSuffix)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, tt.change(b), 0o600); err != nil {
				t.Fatal(err)
			}
			o := Options{Dir: dir, Genesis: devGenesis(), segmentBlocks: 10}
			n, err := Open(o)
			if tt.want != "" {
				if err == nil {
					n.Close()
					t.Fatal("it opens")
				}
				if !strings.Contains(err.Error(), tt.want) || subnet.Hint(err) == "" {
					t.Errorf("error %q, hint %q; want %q in it", err, subnet.Hint(err), tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n.number() != tt.blocks || n.head().hash != hashes[tt.blocks] {
				t.Errorf("the head is block %d, want %d", n.number(), tt.blocks)
			}
			next := produce(t, n) // over what was torn
			n.Close()
			n = open(t, o)
			if n.head().hash != next {
				t.Errorf("block %d was the last, and is not after all", tt.blocks+1)
			}
		})
	}
}

// A full file has no room while its disk says so.
type full struct {
	file
	disk *atomic.Bool
	torn bool // cannot even be cut back
}

func (f full) WriteAt(b []byte, at int64) (int, error) {
	if f.disk.Load() {
		n, _ := f.file.WriteAt(b[:len(b)/2], at)
		return n, syscall.ENOSPC
	}
	return f.file.WriteAt(b, at)
}

func (f full) Truncate(size int64) error {
	if f.torn && f.disk.Load() {
		return syscall.EIO
	}
	return f.file.Truncate(size)
}

// TestFull has the disk run out of space within a block and at the begin of a
// segment: there is no block then, the pool stays, and it goes on with space.
func TestFull(t *testing.T) {
	t.Parallel()
	for _, torn := range []bool{false, true} {
		var disk atomic.Bool
		var events []subnet.Event
		dir := t.TempDir()
		n := open(t, Options{Dir: dir, segmentBlocks: 3, Emit: func(e subnet.Event) { events = append(events, e) },
			open: func(path string, flag int) (file, error) {
				f, err := openFile(path, flag)
				return full{f, &disk, torn}, err
			}})
		alice := key(t, "//Alice")
		produce(t, n)
		head := n.head()
		must(t, n, "author_submitExtrinsic", hexBytes(remark{from: alice, size: 100}.sign(t, n)))
		disk.Store(true)
		for range 3 {
			if _, err := n.Produce(); !errors.Is(err, syscall.ENOSPC) && !(torn && errors.Is(err, syscall.EIO)) || !strings.Contains(err.Error(), "write block 2") {
				t.Fatalf("%v", err)
			}
		}
		if n.head().hash != head.hash || len(n.pool.byHash) != 1 || n.ledger.Nonce(alice.Public()) != 0 {
			t.Fatal("the block that was not made, left something")
		}
		if got := string(must(t, n, "system_accountNextIndex", alice.Address())); got != "1" {
			t.Errorf("next nonce %s", got)
		}
		disk.Store(false)
		produce(t, n)
		if n.ledger.Nonce(alice.Public()) != 1 || len(n.pool.byHash) != 0 {
			t.Error("the extrinsic is not in the block")
		}
		// The third block is written, then the segment is not.
		n.disk.full = 100
		produce(t, n)
		n.disk.full = 3
		disk.Store(true)
		n.mu.Lock()
		err := n.rotate()
		n.mu.Unlock()
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("%v", err)
		}
		left, err := filepath.Glob(filepath.Join(dir, "*"+draftSuffix))
		if err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
		disk.Store(false)
		h := produce(t, n)
		if _, err := os.Stat(filepath.Join(dir, "0000000004.blocks")); err != nil {
			t.Errorf("no new segment with block 4: %v", err)
		}
		if len(events) > 0 {
			t.Errorf("events: %v", events)
		}
		n.Close()
		n = open(t, Options{Dir: dir, segmentBlocks: 3})
		if n.head().hash != h || n.blocks[0].header.number() != 0 {
			t.Errorf("opened again, the head is block %d", n.number())
		}
	}
}

// TestRotation keeps three segments, and nothing of what is older.
func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "0000000099"+segmentSuffix+draftSuffix), []byte("left by a kill"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := open(t, Options{Dir: dir, segmentBlocks: 4})
	var hashes []hash
	for range 50 {
		hashes = append(hashes, produce(t, n))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.blocks*"))
	if err != nil || len(files) != keptSegments {
		t.Errorf("files %v, %v", files, err)
	}
	if got := len(n.blocks); got != 11 || len(n.byHash) != got || n.history.oldest != 40 {
		t.Errorf("%d blocks, %d hashes, states from block %d", got, len(n.byHash), n.history.oldest)
	}
	for key, timeline := range n.history.versions {
		if len(*timeline) > 11 {
			t.Errorf("%d versions of %x", len(*timeline), key)
		}
	}
	key := hexBytes(blockHashKey)
	for _, tt := range []struct {
		block int
		ok    bool
	}{{1, false}, {39, false}, {40, true}, {50, true}} {
		h := asHex(hashes[tt.block-1])
		_, err := ask(n, "state_getStorage", key, h)
		if tt.ok && err != nil || !tt.ok && (err == nil || err.Code != 4003 || err.Message != "Client error: UnknownBlock: State already discarded for "+hexOf(hashes[tt.block-1])) {
			t.Errorf("state after block %d: %v", tt.block, err)
		}
		for _, call := range [][]any{
			{"state_getKeysPaged", key, 1, nil, h}, {"state_getKeys", key, h}, {"state_queryStorageAt", []any{key}, h}, {"state_getStorageHash", key, h},
			{"state_getStorageSize", key, h}, {"state_getMetadata", h}, {"state_getRuntimeVersion", h},
		} {
			if _, err := ask(n, call[0].(string), call[1:]...); (err == nil) != tt.ok {
				t.Errorf("%s after block %d: %v", call[0], tt.block, err)
			}
		}
		if got := said(must(t, n, "chain_getBlockHash", tt.block)); (got == hexOf(hashes[tt.block-1])) != tt.ok || !tt.ok && got != "null" && got != "" {
			t.Errorf("hash of block %d: %s", tt.block, got)
		}
		if got := string(must(t, n, "chain_getHeader", h)); (got != "null") != tt.ok {
			t.Errorf("header of block %d: %s", tt.block, got)
		}
		if got := string(must(t, n, "chain_getBlock", h)); (got != "null") != (tt.block > 40) {
			t.Errorf("block %d: %s", tt.block, got)
		}
	}
	// Block 0 is known for ever.
	if got := said(must(t, n, "chain_getBlockHash", 0)); got != hexOf(n.genesis.hash) {
		t.Errorf("hash of block 0: %s", got)
	}
	if got := string(must(t, n, "chain_getBlock", asHex(n.genesis.hash))); got == "null" {
		t.Error("no block 0")
	}
}

// blockHashKey is the key of the hashes that the chain itself remembers.
const blockHashKey = "\x26\xaa\x39\x4e\xea\x56\x30\xe0\x7c\x48\xae\x0c\x95\x58\xce\xf7\xa4\x4e\x66\xd0\x5d\x5b\xa5\xb7\xcf\x0d\x1d\xfd\xf8\x04\x53\x9a"

// TestLock lets one node at a time into a directory.
func TestLock(t *testing.T) {
	t.Parallel()
	n := open(t, Options{})
	other, err := Open(Options{Dir: n.opts.Dir, Genesis: devGenesis()})
	if err == nil {
		other.Close()
		t.Fatal("two nodes in one directory")
	}
	if subnet.Hint(err) == "" {
		t.Errorf("no hint with %q", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Produce(); err == nil {
		t.Error("a closed node makes blocks in a directory that may be another's")
	}
}

// FuzzSegment reads a segment that is foreign: whatever is there, it is blocks
// with their places, or an error.
func FuzzSegment(f *testing.F) {
	b := []byte(segmentMagic)
	for _, v := range []any{
		snapshot{Values: []change{{Key: []byte("k")}}},
		block{Millis: 1, Extrinsics: [][]byte{{1, 2}, {}}, Changes: []change{{Key: []byte("k")}}},
		block{},
	} {
		var err error
		if b, err = appendRecord(b, v); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(b[:len(b)-3])
	f.Add(append(b, make([]byte, 20)...))
	f.Add([]byte(segmentMagic))
	f.Add([]byte("adit chain 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		at := int64(len(segmentMagic))
		got, err := scan(bytes.NewReader(b), int64(len(b)), true, func(snapshot) error {
			at += recordHead + int64(binary.LittleEndian.Uint32(b[at:]))
			return nil
		}, func(_ block, where int64, size int) error {
			if where != at {
				t.Errorf("a block at byte %d, want %d", where, at)
			}
			at += int64(size)
			return nil
		})
		if err == nil && (got.end != at || got.end > int64(len(b)) || got.end < int64(len(b)) && !got.ragged) {
			t.Errorf("of %d bytes %d are good, %d read, ragged %v", len(b), got.end, at, got.ragged)
		}
	})
}
