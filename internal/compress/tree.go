package compress

import (
	"crypto/sha256"
	"errors"
)

// A Hash is a SHA-256 sum.
type Hash [sha256.Size]byte

// A Tree commits to a list of leaves by one hash: that of a leaf is of a zero
// byte and it, that of two nodes of a one and theirs. A node without a neighbour
// rises as it is.
type Tree struct {
	rows [][]Hash // the leaves first
}

func hashLeaf(b []byte) Hash {
	var room [1024]byte
	return sha256.Sum256(append(room[:1], b...))
}

func hashNodes(a, b Hash) Hash {
	var buf [1 + 2*sha256.Size]byte
	buf[0] = 1
	copy(buf[1:], a[:])
	copy(buf[1+sha256.Size:], b[:])
	return sha256.Sum256(buf[:])
}

// newTree returns the tree over leaves, which it keeps. There is one at least.
func newTree(leaves []Hash) *Tree {
	t := &Tree{rows: [][]Hash{leaves}}
	for row := leaves; len(row) > 1; {
		up := make([]Hash, 0, (len(row)+1)/2)
		for ; len(row) > 1; row = row[2:] {
			up = append(up, hashNodes(row[0], row[1]))
		}
		row = append(up, row...)
		t.rows = append(t.rows, row)
	}
	return t
}

// Root is the hash of all.
func (t *Tree) Root() Hash { return t.rows[len(t.rows)-1][0] }

// Len is the number of leaves.
func (t *Tree) Len() int { return len(t.rows[0]) }

// path returns the neighbours of a leaf and of the nodes above it.
func (t *Tree) path(leaf int) []Hash {
	var path []Hash
	for _, row := range t.rows {
		if n := leaf ^ 1; n < len(row) {
			path = append(path, row[n])
		}
		leaf >>= 1
	}
	return path
}

var errPath = errors.New("a leaf is not of the tree that was committed to")

// checkPath says whether a leaf of that hash is number leaf of n under root.
func checkPath(root, at Hash, leaf, n int, path []Hash) error {
	if leaf < 0 || leaf >= n {
		return errPath
	}
	for ; n > 1; leaf, n = leaf>>1, (n+1)>>1 {
		switch {
		case leaf^1 >= n:
			continue
		case len(path) == 0:
			return errPath
		case leaf&1 == 0:
			at = hashNodes(at, path[0])
		default:
			at = hashNodes(path[0], at)
		}
		path = path[1:]
	}
	if at != root || len(path) != 0 {
		return errPath
	}
	return nil
}
