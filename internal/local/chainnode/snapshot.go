package chainnode

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"adit/internal/ledger"
	"adit/internal/subnet"
)

// errEnough ends the reading of a chain whose later blocks are not asked for.
var errEnough = errors.New("read far enough")

// WriteSnapshot writes the state after a block of the chain in dir to a file,
// from which other chains can begin: [Options.From]. A negative number means the
// newest block. It returns the block's number. A node may be making blocks in
// dir meanwhile.
func WriteSnapshot(dir, path string, number int64) (uint32, error) {
	s, err := readState(dir, number)
	if err != nil {
		return 0, fmt.Errorf("take a snapshot: %w", err)
	}
	b, err := appendRecord([]byte(segmentMagic), s)
	if err != nil {
		return 0, err
	}
	draft := path + draftSuffix
	d := &disk{open: openFile}
	if err := d.write(draft, b); err != nil {
		return 0, errors.Join(err, os.Remove(draft))
	}
	return s.Header.number(), os.Rename(draft, path)
}

// readState reads the state after a block from the files of a chain.
func readState(dir string, number int64) (snapshot, error) {
	var genesis, head header
	var millis uint64
	h := newHistory()
	found := false
	add := func(next header, at uint64, changes []change) error {
		if number >= 0 && int64(next.number()) > number {
			return errEnough
		}
		h.add(next.number(), fromChanges(changes))
		head, millis, found = next, at, true
		return nil
	}
	d := &disk{dir: dir}
	err := d.read(func(s snapshot) error {
		if found { // what it holds is known from the blocks before
			return nil
		}
		genesis = s.Genesis
		return add(s.Header, s.Millis, s.Values)
	}, func(b block, _ place) error {
		return add(b.Header, b.Millis, b.Changes)
	})
	switch {
	case err != nil && !errors.Is(err, errEnough):
		return snapshot{}, err
	case !found && err == nil:
		return snapshot{}, subnet.WithHint(fmt.Errorf("%s holds no chain", dir), "name the directory that 'adit chain serve' was given")
	case !found || number >= 0 && int64(head.number()) != number:
		return snapshot{}, subnet.WithHint(fmt.Errorf("the state after block %d is not held", number), "only those of the last few thousand blocks are")
	}
	return stateOf(genesis, head, millis, h.values(head.number())), nil
}

// stateOf makes a snapshot of the storage after a block.
func stateOf(genesis, head header, millis uint64, values map[string][]byte) snapshot {
	s := snapshot{Genesis: genesis, Header: head, Millis: millis}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		s.Values = append(s.Values, toChanges([]ledger.Change{{Key: []byte(key), Value: values[key]}})...)
	}
	return s
}

// beginFrom begins the chain with the snapshot in a file.
func (n *Node) beginFrom(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var s snapshot
	r := bufio.NewReader(f)
	_, err = scan(io.LimitReader(r, info.Size()), info.Size(), true, func(found snapshot) error {
		s = found
		return nil
	}, func(block, int64, int) error {
		return errors.New("it has blocks: it is no snapshot but part of a chain")
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	n.resume(s)
	return n.disk.begin(s)
}
