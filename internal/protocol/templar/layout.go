package templar

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"adit/internal/subnet"
)

// A layout is the model's parameters as the network has them: under torchtitan's
// names, in its order, and with the rows of queries and keys where its rotary
// embedding wants them. The engine has transformers' names and rows.
type layout []place

// A place is one parameter of the model.
type place struct {
	subnet.Param        // as on the wire
	engine       string // its name there
	// heads are those whose rows lie otherwise; 0 for none.
	heads int
}

// layout places the engine's parameters. Those that no Llama has stay as they are,
// behind the others.
func (r Rules) layout(params []subnet.Param) (layout, error) {
	heads, kv := r.Sparse.heads()
	type ranked struct {
		place
		rank [2]int
	}
	list := make([]ranked, len(params))
	seen := make(map[string]bool)
	for i, p := range params {
		x := ranked{place{p, p.Name, 0}, [2]int{1 << 30, i}}
		if titan, ok := TitanName(p.Name); ok {
			x.Name = titan
			x.rank = titanRank(titan)
			switch {
			case strings.HasSuffix(titan, "attention.wq.weight"):
				x.heads = turned(p, heads)
			case strings.HasSuffix(titan, "attention.wk.weight"):
				x.heads = turned(p, kv)
			}
		}
		if seen[x.Name] {
			return nil, fmt.Errorf("the model has two parameters %q", x.Name)
		}
		seen[x.Name] = true
		list[i] = x
	}
	slices.SortStableFunc(list, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.rank[0], b.rank[0]), cmp.Compare(a.rank[1], b.rank[1]))
	})
	l := make(layout, len(list))
	for i, x := range list {
		l[i] = x.place
	}
	return l, nil
}

// heads returns how many heads there are for queries, and for keys.
func (h SparseHParams) heads() (queries, keys int) {
	switch h.ModelSize {
	case "70B":
		return Model70B.Heads, Model70B.KVHeads
	case "8B":
		return 32, 8
	}
	return int(h.NumAttentionHeads), int(h.NumKeyValueHeads)
}

// turned returns the heads by which a parameter's rows are turned, or 0 if there is
// nothing to turn.
func turned(p subnet.Param, heads int) int {
	if heads < 1 || len(p.Shape) != 2 || p.Shape[0]%(2*heads) != 0 {
		return 0
	}
	return heads
}

// titanRank says where a parameter stands in torchtitan's order.
func titanRank(name string) [2]int {
	rest, layered := strings.CutPrefix(name, "layers.")
	number, rest, _ := strings.Cut(rest, ".")
	if layer, err := strconv.Atoi(number); layered && err == nil {
		for i, at := range titanOrder {
			if layerParts[at].titan == rest {
				return [2]int{layer + 1, i}
			}
		}
	}
	if name == titanEmbed {
		return [2]int{0, 0}
	}
	return [2]int{1 << 29, strings.Index(titanNorm+" "+titanHead, name)}
}

// params returns what the network has.
func (l layout) params() []subnet.Param {
	list := make([]subnet.Param, len(l))
	for i, p := range l {
		list[i] = p.Param
	}
	return list
}

// OnWire calls each with every parameter of an engine's model as the network has it,
// in the network's order. read copies a parameter by the engine's name.
func (r Rules) OnWire(params []subnet.Param, read func(name string, dst []float32) error, each func(p subnet.Param, values []float32) error) error {
	l, err := r.layout(params)
	if err != nil {
		return err
	}
	for _, p := range l {
		own, wire := make([]float32, p.Len()), make([]float32, p.Len())
		if err := read(p.engine, own); err != nil {
			return fmt.Errorf("read %s: %w", p.Name, err)
		}
		p.toWire(wire, own)
		if err := each(p.Param, wire); err != nil {
			return err
		}
	}
	return nil
}

// toWire places what the engine has of a parameter as the network has it. Both are
// of one length.
//
// Of a head of transformers the first halves of all pairs come first, then the
// second ones; in torchtitan the two of a pair are neighbours.
func (p place) toWire(wire, engine []float32) {
	p.turn(len(engine), func(w, e, n int) { copy(wire[w:w+n], engine[e:e+n]) })
}

// fromWire is the inverse of toWire.
func (p place) fromWire(engine, wire []float32) {
	p.turn(len(engine), func(w, e, n int) { copy(engine[e:e+n], wire[w:w+n]) })
}

// turn calls move with runs of n numbers and where they begin on both sides.
func (p place) turn(length int, move func(wire, engine, n int)) {
	if p.heads == 0 {
		move(0, 0, length)
		return
	}
	cols := p.Shape[1]
	rows := p.Shape[0] / p.heads
	for h := range p.heads {
		for c := range 2 {
			for j := range rows / 2 {
				move((h*rows+2*j+c)*cols, (h*rows+c*rows/2+j)*cols, cols)
			}
		}
	}
}
