package compress

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// A Schema is what all messages of a run have in common, and do not repeat:
// the tensors' names and shapes, how many elements of a chunk are kept, and how
// many chunks make a group, which is the least part that can be checked without
// the others.
type Schema struct {
	Tensors []Tensor
	Group   int

	grids []Grid
	keep  []int
	hash  Hash
}

// A Tensor is one of a model's, by its name and shape.
type Tensor struct {
	Name  string
	Shape []int
}

// MaxGroup is the most chunks of a group, and UsualGroup what costs little to
// address and little to check: less than two bits per chunk, and 128 KB of an
// aggregator's state.
const (
	MaxGroup   = 256
	UsualGroup = 8
)

// NewSchema returns the schema for these tensors in this order, of whose chunks
// top elements are kept. It keeps tensors.
func NewSchema(tensors []Tensor, top, group int) (*Schema, error) {
	if group < 1 || group > MaxGroup || top < 2 {
		return nil, fmt.Errorf("a message of groups of %d chunks with %d elements each", group, top)
	}
	s := &Schema{Tensors: tensors, Group: group}
	text := fmt.Appendf(nil, "adit message 1\ntop %d group %d\n", top, group)
	for _, t := range tensors {
		g, err := NewGrid(t.Shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		keep, err := g.Keep(top)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		s.grids, s.keep = append(s.grids, g), append(s.keep, keep)
		text = fmt.Appendf(text, "%q %d\n", t.Name, t.Shape)
	}
	s.hash = sha256.Sum256(text)
	return s, nil
}

// Hash is that of the schema. Messages begin with it.
func (s *Schema) Hash() Hash { return s.hash }

// Grid returns how a tensor is cut.
func (s *Schema) Grid(tensor int) Grid { return s.grids[tensor] }

// Keep returns how many elements are kept of each chunk of a tensor.
func (s *Schema) Keep(tensor int) int { return s.keep[tensor] }

// Groups returns how many groups a tensor's chunks make.
func (s *Schema) Groups(tensor int) int { return s.groups(tensor) }

func (s *Schema) groups(tensor int) int {
	return (s.grids[tensor].Chunks() + s.Group - 1) / s.Group
}

// chunks returns how many chunks a group of a tensor has.
func (s *Schema) chunks(tensor, group int) int {
	return min(s.Group, s.grids[tensor].Chunks()-group*s.Group)
}

func (s *Schema) layout(tensor, rice int, levels bool) layout {
	return layout{size: s.grids[tensor].Size(), keep: s.keep[tensor], rice: rice, group: s.Group, levels: levels}
}

// mostBytes is the most that a message takes.
func (s *Schema) mostBytes() int {
	n := len(magic) + len(s.hash)
	for t, g := range s.grids {
		most := 0
		for rice := range maxRice + 1 {
			most = max(most, s.layout(t, rice, true).mostBytes(g.Chunks()))
		}
		n += maxHeader + binary.MaxVarintLen64 + most
	}
	return n
}

// MaxBytes is the size above which a message cannot be one of this schema.
func (s *Schema) MaxBytes() int64 { return int64(s.mostBytes()) }
