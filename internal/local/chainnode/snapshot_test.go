package chainnode

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

func TestSnapshot(t *testing.T) {
	n := open(t, Options{segmentBlocks: 4})
	alice := key(t, "//Alice")
	for i := range 10 {
		must(t, n, "author_submitExtrinsic", hexBytes(remark{from: alice, nonce: uint32(i), size: 9}.sign(t, n)))
		produce(t, n)
	}
	for _, tt := range []struct {
		ask  int64
		want uint32
	}{{-1, 10}, {10, 10}, {8, 8}, {7, 7}, {6, 6}} {
		path := filepath.Join(t.TempDir(), "state")
		got, err := WriteSnapshot(n.opts.Dir, path, tt.ask) // while the node has it
		if err != nil || got != tt.want {
			t.Fatalf("snapshot of %d is of %d, %v", tt.ask, got, err)
		}
		dir := t.TempDir()
		m := open(t, Options{Dir: dir, From: path})
		if want, _ := n.hashOf(tt.want); m.head().hash != want || m.genesis.hash != n.genesis.hash {
			t.Errorf("from %d: the head is another", tt.want)
		}
		if diff := cmp.Diff(n.history.values(tt.want), m.history.values(tt.want)); diff != "" {
			t.Errorf("from %d: %s", tt.want, diff)
		}
		must(t, m, "author_submitExtrinsic", hexBytes(remark{from: alice, nonce: tt.want, size: 1}.sign(t, m)))
		head := produce(t, m)
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if m = open(t, Options{Dir: dir}); m.head().hash != head {
			t.Errorf("from %d: after a restart the head is another", tt.want)
		}
		if _, err := Open(Options{Dir: t.TempDir() + "/x", From: path + ".none"}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a snapshot that is not there: %v", err)
		}
	}
}

func TestSnapshotErrors(t *testing.T) {
	n := open(t, Options{segmentBlocks: 4})
	for range 20 {
		produce(t, n)
	}
	path := filepath.Join(t.TempDir(), "state")
	for _, number := range []int64{0, 21} {
		if _, err := WriteSnapshot(n.opts.Dir, path, number); err == nil || subnet.Hint(err) == "" {
			t.Errorf("snapshot of block %d: %v", number, err)
		}
	}
	if _, err := WriteSnapshot(t.TempDir(), path, -1); err == nil || subnet.Hint(err) == "" {
		t.Errorf("snapshot of nothing: %v", err)
	}
	if _, err := WriteSnapshot(n.opts.Dir, path, -1); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: n.opts.Dir, From: path}); err == nil || subnet.Hint(err) == "" {
		t.Errorf("a snapshot over a chain: %v", err)
	}
	segment, err := os.ReadFile((&disk{dir: n.opts.Dir}).path(16))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"empty": nil, "other": []byte("something else, and long enough"), "half": segment[:len(segment)/3], "chain": segment} {
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{Dir: t.TempDir(), From: bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
