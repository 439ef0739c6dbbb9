package connito

import (
	"encoding/hex"
	"hash"

	"golang.org/x/crypto/blake2b"

	"adit/internal/checkpoint"
	"adit/internal/tensor"
)

// Contents is what a shard's verdict depends on. It comes of one pass over the
// tensors, of which nothing is kept.
type Contents struct {
	Hash      string   // that commits to them
	Names     []string // in the order in which they were hashed
	NotFinite string   // the first tensor with a NaN or Inf, or ""
}

// A digester is shown a shard's tensors in the order in which they are hashed. It
// implements [checkpoint.Visitor].
type digester struct {
	hash  hash.Hash
	names []string
	bad   string

	over func() error // why to stop, nil if nothing can be

	dtype tensor.DType
	part  [8]byte // of an element that two pieces share
	parts int
}

func newDigester() *digester {
	h, err := blake2b.New(hashSize, nil)
	if err != nil {
		panic(err) // unreachable: the size is valid and there is no key
	}
	return &digester{hash: h}
}

// Begin implements [checkpoint.Visitor].
func (d *digester) Begin(e checkpoint.Entry) error {
	d.hash.Write([]byte(e.Name))
	d.names = append(d.names, e.Name)
	d.dtype, d.parts = e.DType, 0
	return nil
}

// Write implements [checkpoint.Visitor].
func (d *digester) Write(p []byte) (int, error) {
	if d.over != nil {
		if err := d.over(); err != nil {
			return 0, err
		}
	}
	d.hash.Write(p)
	if d.bad == "" {
		d.look(p)
	}
	return len(p), nil
}

// look looks for values that are not finite.
func (d *digester) look(p []byte) {
	size := d.dtype.Size()
	if d.parts > 0 {
		n := copy(d.part[d.parts:size], p)
		p, d.parts = p[n:], d.parts+n
		if d.parts < size {
			return
		}
		d.parts = 0
		d.finite(d.part[:size])
	}
	whole := len(p) / size * size
	d.finite(p[:whole])
	d.parts = copy(d.part[:], p[whole:])
}

func (d *digester) finite(p []byte) {
	if !(tensor.Tensor{DType: d.dtype, Data: p}).Finite() {
		d.bad = d.names[len(d.names)-1]
	}
}

// contents returns what was seen so far.
func (d *digester) contents() Contents {
	return Contents{hex.EncodeToString(d.hash.Sum(nil)), d.names, d.bad}
}

// contentsOf looks at tensors in memory, in this order.
func contentsOf(d tensor.Dict, order []string) Contents {
	seen := newDigester()
	for _, key := range order {
		t := d[key]
		_ = seen.Begin(checkpoint.Entry{Name: key, DType: t.DType, Shape: t.Shape, Size: int64(len(t.Data))})
		_, _ = seen.Write(t.Data)
	}
	return seen.contents()
}

// digest looks at a file, in the order in which the generation hashes, until over
// returns an error; over may be nil.
func (r Rules) digest(x *checkpoint.Index, over func() error) (Contents, error) {
	seen, visit := newDigester(), x.Visit
	seen.over = over
	if r.InsertionOrder {
		visit = x.VisitInOrder
	}
	if err := visit(seen); err != nil {
		return Contents{}, err
	}
	return seen.contents(), nil
}
