package compress

import (
	"crypto/sha256"
	"errors"
)

// A Hash is a SHA-256 sum.
type Hash [sha256.Size]byte

// A Tree commits to a message, or a state, by one hash. Its leaves are how that
// begins and, of each tensor, the header and the groups: the hash of a leaf is of
// a zero byte and it, that of two nodes of a one and theirs. Over the groups of a
// tensor there is a tree, over its root and the header a node, and over how it
// begins and these nodes a tree. A node without a neighbour rises as it is.
//
// So a group is shown together with its header by one path.
type Tree struct {
	tensors []rows // over the groups of each tensor
	top     rows   // over how it begins and the tensors
}

// rows are those of a tree, the leaves first.
type rows [][]Hash

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

// newTree returns a tree without tensors.
func newTree(begin []byte) *Tree { return &Tree{top: rows{{hashLeaf(begin)}}} }

// add adds the next tensor.
func (t *Tree) add(header []byte, groups []Hash) {
	r := newRows(groups)
	t.tensors = append(t.tensors, r)
	t.top[0] = append(t.top[0], hashNodes(hashLeaf(header), r.root()))
}

// finish says that there are no more tensors.
func (t *Tree) finish() { t.top = newRows(t.top[0]) }

// Root is the hash of all.
func (t *Tree) Root() Hash { return t.top.root() }

// path returns what a group and the header of its tensor lack to the root.
func (t *Tree) path(tensor, group int) []Hash {
	return t.top.path(t.tensors[tensor].path(nil, group), tensor+1)
}

// newRows returns the tree over leaves, of which there is one at least.
func newRows(leaves []Hash) rows {
	r := rows{leaves}
	for row := leaves; len(row) > 1; {
		up := make([]Hash, 0, (len(row)+1)/2)
		for ; len(row) > 1; row = row[2:] {
			up = append(up, hashNodes(row[0], row[1]))
		}
		row = append(up, row...)
		r = append(r, row)
	}
	return r
}

func (r rows) root() Hash { return r[len(r)-1][0] }

// path appends the neighbours of a leaf and of the nodes above it.
func (r rows) path(path []Hash, leaf int) []Hash {
	for _, row := range r {
		if n := leaf ^ 1; n < len(row) {
			path = append(path, row[n])
		}
		leaf >>= 1
	}
	return path
}

var errPath = errors.New("it is not what was committed to")

// checkPath says whether header and group are those of that tensor and number
// under the root of a tree of the schema.
func (s *Schema) checkPath(root, header, group Hash, tensor, number int, path []Hash) error {
	at, path, ok := climb(group, number, s.groups(tensor), path)
	if ok {
		at, path, ok = climb(hashNodes(header, at), tensor+1, len(s.Tensors)+1, path)
	}
	if !ok || at != root || len(path) != 0 {
		return errPath
	}
	return nil
}

// climb returns the root of the tree of n leaves in which a leaf has the number
// and the neighbours of path, and what of path is left.
func climb(at Hash, leaf, n int, path []Hash) (root Hash, left []Hash, ok bool) {
	for ; n > 1; leaf, n = leaf>>1, (n+1)>>1 {
		if leaf^1 >= n {
			continue
		}
		if len(path) == 0 {
			return at, path, false
		}
		if leaf&1 == 0 {
			at = hashNodes(at, path[0])
		} else {
			at = hashNodes(path[0], at)
		}
		path = path[1:]
	}
	return at, path, true
}
