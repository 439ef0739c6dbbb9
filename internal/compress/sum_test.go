package compress

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLevels(t *testing.T) {
	last := int64(-1)
	for l := range maxLevel + 1 {
		v := int64(levelValue(uint8(l)))
		if v <= last || levelOf(uint32(v)) != uint8(l) {
			t.Fatalf("level %d is %d, whose level is %d", l, v, levelOf(uint32(v)))
		}
		last = v
	}
	if last != maxSum {
		t.Fatalf("the highest level is %d", last)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 10000 {
		v := r.Uint32N(maxSum+1) >> r.IntN(30)
		l := levelOf(v)
		off := math.Abs(float64(levelValue(l)) - float64(v))
		if l > 0 && math.Abs(float64(levelValue(l-1))-float64(v)) < off || l < maxLevel && math.Abs(float64(levelValue(l+1))-float64(v)) < off {
			t.Fatalf("%d has the level %d, %d, and there is a nearer one", v, l, levelValue(l))
		}
	}
}

// TestLength holds the integer length to the exact one.
func TestLength(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for range 1000 {
		p := &Part{Values: make([]float32, 4), Counts: make([]int, 4)}
		for c := range 4 {
			p.Values[c] = float32(r.NormFloat64() * math.Ldexp(1, r.IntN(40)-35))
			p.Counts[c] = r.IntN(1 << r.IntN(26))
		}
		l, want := length(p), p.Norm()
		if got := math.Ldexp(float64(l.m), l.exp); math.Abs(got-want) > 1e-5*want {
			t.Fatalf("%g with %d is %g long, not %g", p.Values, p.Counts, got, want)
		}
		if l.m != 0 && l.m>>31 != 1 {
			t.Fatalf("a length of %d", l.m)
		}
	}
}

func TestShiftRound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for range 100000 {
		v, by := r.Int64()>>r.IntN(63), r.IntN(200)-100
		if r.IntN(2) == 0 {
			v = -v
		}
		v >>= 2
		want := new(big.Float).SetMantExp(new(big.Float).SetInt64(v), by)
		f, _ := want.Float64()
		f = math.Round(f) // away from zero
		f = max(min(f, maxSum), -maxSum)
		if got := shiftRound(v, by); float64(got) != f {
			t.Fatalf("%d * 2**%d is %d, not %g", v, by, got, f)
		}
	}
}

// someWitness returns an aggregate of n messages, after one round before it.
func someWitness(t testing.TB, s *Schema, n int) *Witness {
	t.Helper()
	w := &Witness{Before: NewState(s), Decay: 62259}
	for round := range 2 {
		w.Inputs = nil
		for i := range n {
			b, _ := someMessage(t, s, uint64(100*round+i))
			m, err := ReadMessage(bytes.NewReader(b), s)
			if err != nil {
				t.Fatal(err)
			}
			w.Inputs = append(w.Inputs, m)
		}
		kept, after, err := Aggregate(w.Before, w.Decay, w.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		w.Result, w.After = written(t, s, kept), after
		if round == 0 {
			w.Before = after
		}
	}
	return w
}

func written(t testing.TB, s *Schema, kept []*Kept) *Message {
	t.Helper()
	var buf bytes.Buffer
	out, err := NewWriter(&buf, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kept {
		if err := out.Add(k); err != nil {
			t.Fatal(err)
		}
	}
	m, err := ReadMessage(&buf, s)
	if err != nil {
		t.Fatal(err)
	}
	if tree, err := out.Close(); err != nil || tree.Root() != m.Tree.Root() {
		t.Fatal("the aggregate is read as another", err)
	}
	return m
}

// TestAggregate compares what is said and left unsaid with the same in floats.
func TestAggregate(t *testing.T) {
	s := someSchema(t, 3)
	w := someWitness(t, s, 5)
	for i := range s.Tensors {
		g := s.Grid(i)
		parts := make([]*Part, 5)
		for j, m := range w.Inputs {
			parts[j] = m.Parts[i]
		}
		want := make([]float64, g.Len())
		for j, v := range w.Before.Rest[i] {
			want[j] = math.Ldexp(float64(v), w.Before.Exponent[i]) * 62259 / 65536
		}
		largest := 0.0
		for j, clip := range Clips(parts) {
			parts[j].Each(func(c int, index []uint16, value []float32) {
				for k, at := range index {
					want[c*g.Size()+int(at)] += float64(value[k]) * float64(clip) / 5
					largest = max(largest, math.Abs(float64(value[k])*float64(clip)/5))
				}
			})
		}
		got := make([]float64, g.Len())
		for j, v := range w.After.Rest[i] {
			got[j] = math.Ldexp(float64(v), w.After.Exponent[i])
		}
		w.Result.Parts[i].Each(func(c int, index []uint16, value []float32) {
			for k, at := range index {
				got[c*g.Size()+int(at)] += float64(value[k])
			}
			// What is said are the largest.
			chunk := make([]float32, g.Size())
			for k, v := range got[c*g.Size():][:g.Size()] {
				chunk[k] = float32(v)
			}
			if top := slowTop(chunk, len(index)); !slices.Equal(top, index) {
				t.Fatalf("%s: chunk %d: %d are said, not %d", s.Tensors[i].Name, c, index, top)
			}
		})
		for j := range got {
			if math.Abs(got[j]-want[j]) > 3e-5*largest {
				t.Fatalf("%s: element %d sums to %g, not %g", s.Tensors[i].Name, j, got[j], want[j])
			}
		}
	}
}

// TestAggregateOutlier lets one sender shout. The others are still heard.
func TestAggregateOutlier(t *testing.T) {
	s, _ := NewSchema([]Tensor{{"w", []int{64, 64}}}, 64, 8)
	var inputs []*Message
	for i := range 3 {
		k := encoded(t, []int{64, 64}, 64, normal(1, 4096, 64))
		if i == 2 {
			k.Quant.Lookup, k.Quant.Shift = []float32{-1e5, -1e4, 1e4, 1e5}, 0
		}
		inputs = append(inputs, written(t, s, []*Kept{k}))
	}
	kept, _, err := Aggregate(NewState(s), 1<<16, inputs)
	if err != nil {
		t.Fatal(err)
	}
	norm := written(t, s, kept).Parts[0].Norm()
	if one := inputs[0].Parts[0].Norm(); norm > 1.1*one || norm < 0.5*one {
		t.Errorf("the merge is %g long, and an honest message %g", norm, one)
	}
}

func TestVerify(t *testing.T) {
	s := someSchema(t, 3)
	w := someWitness(t, s, 4)
	claim := w.Claim()
	for i := range s.Tensors {
		for g := range s.Groups(i) {
			p, err := ParseProof(w.Prove(i, g).Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			if err := claim.Verify(s, p); err != nil {
				t.Fatalf("tensor %d, group %d: %v", i, g, err)
			}
		}
	}
	c, err := ParseClaim(claim.Append(nil))
	if err != nil || !bytes.Equal(c.Append(nil), claim.Append(nil)) || c.Verify(s, w.Prove(0, 0)) != nil {
		t.Errorf("the claim comes back as another: %v", err)
	}
}

// TestFraud lets the aggregator change what it says, leaves unsaid or took, and
// commit to that. The group in question, and no other, shows it.
func TestFraud(t *testing.T) {
	s := someSchema(t, 1)
	for name, cheat := range map[string]func(t *testing.T, w *Witness, kept []*Kept, after *State){
		"code":     func(t *testing.T, w *Witness, kept []*Kept, after *State) { kept[0].Code[64*3+5] ^= 1 },
		"level":    func(t *testing.T, w *Witness, kept []*Kept, after *State) { kept[0].Levels[2*3+1]++ },
		"rest":     func(t *testing.T, w *Witness, kept []*Kept, after *State) { after.Rest[0][3*4096+17]++ },
		"before":   func(t *testing.T, w *Witness, kept []*Kept, after *State) { w.Before.Rest[0][3*4096+17] += 1000 },
		"too much": func(t *testing.T, w *Witness, kept []*Kept, after *State) { w.Before.Rest[0][3*4096+17] = maxSum + 1 },
		"index": func(t *testing.T, w *Witness, kept []*Kept, after *State) {
			at := kept[0].Index[64*3:][:64]
			free := uint16(0)
			for slices.Contains(at, free) {
				free++
			}
			at[0] = free
			slices.Sort(at)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := someWitness(t, s, 3)
			kept, after, err := Aggregate(w.Before, w.Decay, w.Inputs)
			if err != nil {
				t.Fatal(err)
			}
			cheat(t, w, kept, after)
			w.Result, w.After = written(t, s, kept), after
			claim := w.Claim()
			for g := range s.Groups(0) {
				err := claim.Verify(s, w.Prove(0, g))
				if (g == 3) != errors.Is(err, ErrFraud) || g != 3 && err != nil {
					t.Errorf("group %d: %v", g, err)
				}
			}
		})
	}
	t.Run("units", func(t *testing.T) {
		w := someWitness(t, s, 3)
		w.After.Exponent[0]++
		if err := w.verify(s, 0, 0); !errors.Is(err, ErrFraud) {
			t.Error(err)
		}
	})
	t.Run("malformed input", func(t *testing.T) {
		w := someWitness(t, s, 3)
		p := w.Inputs[1].Parts[0]
		p.body[p.groups[0].end-1] |= 0x80
		p.body[p.groups[0].end-1] ^= 0x40
		w.Inputs[1].Tree = treeOf(w.Inputs[1])
		if err := w.verify(s, 0, 0); !errors.Is(err, ErrFraud) {
			t.Error(err)
		}
	})
	t.Run("another's input", func(t *testing.T) {
		w := someWitness(t, s, 3)
		p := w.Prove(0, 0)
		p.Inputs[0], p.Inputs[1] = p.Inputs[1], p.Inputs[0]
		claim := w.Claim()
		if err := claim.Verify(s, p); err == nil || errors.Is(err, ErrFraud) {
			t.Errorf("a false proof says: %v", err)
		}
	})
}

func (w *Witness) verify(s *Schema, tensor, group int) error {
	c := w.Claim()
	return c.Verify(s, w.Prove(tensor, group))
}

// treeOf returns the tree over a message as it now is.
func treeOf(m *Message) *Tree {
	tree := newTree(preamble(m.Schema))
	for _, p := range m.Parts {
		tree.add(p.header, p.leaves())
	}
	tree.finish()
	return tree
}

// TestProofFailsClosed changes a proof everywhere: it never convinces anybody
// that an honest aggregator cheated.
func TestProofFailsClosed(t *testing.T) {
	s, _ := NewSchema([]Tensor{{"w", []int{8, 12}}}, 8, 1)
	w := someWitness(t, s, 2)
	claim := w.Claim()
	b := w.Prove(0, 0).Append(nil)
	for i := range b {
		bad := slices.Clone(b)
		bad[i] ^= 1 << (i % 8)
		p, err := ParseProof(bad)
		if err == nil {
			err = claim.Verify(s, p)
		}
		if err == nil || errors.Is(err, ErrFraud) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	for i := range b {
		if _, err := ParseProof(b[:i]); err == nil {
			t.Fatalf("%d bytes are a proof", i)
		}
	}
}

func FuzzProof(f *testing.F) {
	s, _ := NewSchema([]Tensor{{"w", []int{8, 12}}}, 8, 1)
	w := someWitness(f, s, 2)
	claim := w.Claim()
	f.Add(w.Prove(0, 0).Append(nil))
	f.Add([]byte(proofMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProof(b)
		if err != nil {
			return
		}
		if err := claim.Verify(s, p); errors.Is(err, ErrFraud) {
			t.Fatal(err)
		}
		// What is shown is read even where it is not what was committed to.
		if p.Tensor == 0 && p.Group == 0 {
			c := claim
			c.Inputs = make([]Hash, len(p.Inputs))
			_ = c.recompute(s, p)
		}
	})
}

func FuzzClaim(f *testing.F) {
	c := Claim{Inputs: make([]Hash, 3), Decay: 7}
	f.Add(c.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseClaim(b)
		if err == nil && !bytes.Equal(c.Append(nil), b) {
			t.Fatal("a claim is written otherwise than it was read")
		}
	})
}

func TestTree(t *testing.T) {
	for n := 1; n < 20; n++ {
		s := &Schema{Group: 1}
		tree := newTree([]byte("begin"))
		header := []byte("header")
		leaf := func(i, j int) Hash { return hashLeaf([]byte{byte(i), byte(j)}) }
		for i := range n {
			s.Tensors, s.grids = append(s.Tensors, Tensor{}), append(s.grids, Grid{i + 1, 1, 1, 1})
			var groups []Hash
			for j := range i + 1 {
				groups = append(groups, leaf(i, j))
			}
			tree.add(header, groups)
		}
		tree.finish()
		for i := range n {
			for j := range i + 1 {
				check := func(what string, good bool, header []byte, group Hash, i, j int, path []Hash) {
					t.Helper()
					if err := s.checkPath(tree.Root(), hashLeaf(header), group, i, j, path); (err == nil) != good {
						t.Fatalf("%s: group %d of tensor %d of %d: %v", what, j, i, n, err)
					}
				}
				path := tree.path(i, j)
				check("good", true, header, leaf(i, j), i, j, path)
				check("header", false, []byte("other"), leaf(i, j), i, j, path)
				check("group", false, header, leaf(j, n), i, j, path)
				check("long", false, header, leaf(i, j), i, j, append(path, Hash{}))
				check("short", false, header, leaf(i, j), i, j, path[:len(path)-1])
				if i > 0 {
					check("place", false, header, leaf(i, j), i, (j+1)%(i+1), path)
				}
				if n > 1 && j < (i+1)%n {
					check("tensor", false, header, leaf(i, j), (i+1)%n, j, path)
				}
			}
		}
	}
}
