package compress

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// encoded returns what a feedback keeps of a tensor, with 4 bins.
func encoded(t testing.TB, shape []int, keep int, delta []float32) *Kept {
	t.Helper()
	f, err := NewFeedback(shape, Rule{Decay: 0.95, Gain: 1, Keep: keep, Bins: 4})
	if err != nil {
		t.Fatal(err)
	}
	k, err := f.Encode(delta)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var someTensors = []Tensor{
	{"wide", []int{128, 192}},
	{"odd", []int{58, 75}},
	{"bias", []int{100}},
	{"small", []int{3, 6}},
	{"norm", []int{256}},
}

// someMessage returns a message of someTensors and what was written.
func someMessage(t testing.TB, s *Schema, seed uint64) ([]byte, []*Kept) {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, s)
	if err != nil {
		t.Fatal(err)
	}
	var all []*Kept
	for i, tensor := range s.Tensors {
		n := 1
		for _, d := range tensor.Shape {
			n *= d
		}
		k := encoded(t, tensor.Shape, s.Keep(i), normal(seed+uint64(i), n, tensor.Shape[len(tensor.Shape)-1]))
		if err := w.Add(k); err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Len() != int64(buf.Len()) || w.Len() > s.MaxBytes() {
		t.Fatalf("%d bytes of at most %d", w.Len(), s.MaxBytes())
	}
	return buf.Bytes(), all
}

func someSchema(t testing.TB, group int) *Schema {
	t.Helper()
	s, err := NewSchema(someTensors, 64, group)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMessage(t *testing.T) {
	for _, group := range []int{1, 3, UsualGroup, MaxGroup} {
		s := someSchema(t, group)
		b, kept := someMessage(t, s, 10)
		m, err := ReadMessage(bytes.NewReader(b), s)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range m.Parts {
			k := kept[i]
			if !slices.Equal(p.Values, k.Quant.Values()) {
				t.Errorf("codes of %s stand for %g, not %g", s.Tensors[i].Name, p.Values, k.Quant.Values())
			}
			index, code := make([]uint16, p.Keep), make([]uint8, p.Keep)
			at := cursor{Part: p}
			for c := range p.Grid.Chunks() {
				at.next(index, code)
				if !slices.Equal(index, k.Index[c*p.Keep:][:p.Keep]) || !slices.Equal(code, k.Code[c*p.Keep:][:p.Keep]) {
					t.Fatalf("chunk %d of %s comes back as %d, %d", c, s.Tensors[i].Name, index, code)
				}
			}
		}
		// The message that is read makes the same tree, and is written the same.
		var again bytes.Buffer
		w, _ := NewWriter(&again, s)
		for _, k := range kept {
			if err := w.Add(k); err != nil {
				t.Fatal(err)
			}
		}
		tree, err := w.Close()
		if err != nil || tree.Root() != m.Tree.Root() || !bytes.Equal(again.Bytes(), b) {
			t.Errorf("another root of the same message: %v", err)
		}
	}
}

// TestRiceLayouts goes through all numbers of low bits, and gaps as long as can
// be.
func TestRiceLayouts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{4096, 1000, 65} {
		for rice := range maxRice + 1 {
			for _, levels := range []bool{false, true} {
				l := layout{size: size, keep: 64, rice: rice, group: 4, levels: levels}
				index, code := make([]uint16, 4*64), make([]uint8, 4*64)
				for c := range 4 {
					at := index[c*64:][:64]
					for i, v := range r.Perm(size)[:64] {
						at[i] = uint16(v)
					}
					slices.Sort(at)
					for i := range at {
						if c == 1 { // all at the end
							at[i] = uint16(size - 64 + i)
						}
						code[c*64+i] = uint8(r.IntN(4))
					}
				}
				lv := []uint8{1, 2, 3, 4, 0, 0, 7, 7}
				b := l.appendGroup(nil, index, code, lv)
				if most := l.mostBytes(4); len(b) > most {
					t.Fatalf("%d bytes where %d are the most", len(b), most)
				}
				s, err := l.open(b, 0, 4)
				if err != nil || s.end != len(b) {
					t.Fatal(err, s, len(b))
				}
				counts := make([]int, 4)
				if err := l.check(b, s, counts); err != nil {
					t.Fatalf("%+v: %v", l, err)
				}
				for _, c := range code {
					counts[c]--
				}
				if !slices.Equal(counts, make([]int, 4)) {
					t.Errorf("%+v: codes are counted wrongly by %d", l, counts)
				}
				p := Part{Keep: 64, layout: l, body: append(b, make([]byte, slack)...), groups: []span{s}}
				at := cursor{Part: &p}
				for c := range 4 {
					i, q := make([]uint16, 64), make([]uint8, 64)
					at.next(i, q)
					if !slices.Equal(i, index[c*64:][:64]) || !slices.Equal(q, code[c*64:][:64]) {
						t.Fatalf("%+v: chunk %d comes back as %d", l, c, i)
					}
					if lo, hi := p.levels(c); levels && (lo != lv[2*c] || hi != lv[2*c+1]) {
						t.Errorf("levels %d, %d", lo, hi)
					}
				}
			}
		}
	}
}

// TestLastUsual holds the shortcut to the loop, for any bits whatever.
func TestLastUsual(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 2))
	for range 20000 {
		b := make([]byte, 40+40+slack)
		for i := range 80 {
			b[i] = byte(r.Uint32())
			if r.IntN(2) == 0 {
				b[i] &= byte(r.Uint32())
			}
		}
		start := 320 + r.IntN(8)
		last, behind := lastUsual(b, b, start)
		next, bit := 0, start
		for i := range 64 {
			one := nextOne(b, bit)
			next += (one-bit)<<5 | lowBits(b, 5*i, 5)
			bit = one + 1
			next++
		}
		switch {
		case behind == bit && last == next-1:
		case behind > 8*len(b) && bit-start > 190:
		default:
			t.Fatalf("index %d, bit %d, not %d, %d from %d", last, behind, next-1, bit, start)
		}
	}
}

// TestMessageFailsClosed changes every byte of a message, and ends it early.
func TestMessageFailsClosed(t *testing.T) {
	s := someSchema(t, 3)
	b, _ := someMessage(t, s, 1)
	m, err := ReadMessage(bytes.NewReader(b), s)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(b) {
		if n%7 == 0 {
			if _, err := ReadMessage(bytes.NewReader(b[:n]), s); err == nil {
				t.Fatalf("%d of %d bytes are a message", n, len(b))
			}
		}
		bad := slices.Clone(b)
		bad[n] ^= 1 << (n % 8)
		if got, err := ReadMessage(bytes.NewReader(bad), s); err == nil && got.Tree.Root() == m.Tree.Root() {
			t.Fatalf("byte %d has changed, and the root has not", n)
		}
	}
	if _, err := ReadMessage(bytes.NewReader(append(slices.Clone(b), 0)), s); err == nil {
		t.Error("a byte more is accepted")
	}
	if _, err := ReadMessage(bytes.NewReader(b), someSchema(t, 4)); err == nil {
		t.Error("another schema is accepted")
	}
}

// TestMessageErrors are lies that a check of lengths would not find.
func TestMessageErrors(t *testing.T) {
	s, err := NewSchema([]Tensor{{"layer.w", []int{64, 64}}}, 64, 8)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := someMessage(t, s, 1)
	begin := len(magic) + 32
	group := begin + 2 + 16 // the counts of codes are then read
	for _, tt := range []struct {
		name   string
		change func(b []byte)
		want   string
	}{
		{"kind", func(b []byte) { b[begin] = 7 }, `tensor "layer.w": kind 7`},
		{"rice", func(b []byte) { b[begin+1] = 12 }, "12 low bits"},
		{"nan", func(b []byte) { binary.LittleEndian.PutUint32(b[begin+2:], 0x7fc00000) }, "code 0 stands for NaN"},
		{"large", func(b []byte) { binary.LittleEndian.PutUint32(b[begin+6:], 0x7f000000) }, "code 1 stands for"},
		{"count", func(b []byte) { b[group]++; b[group+1]-- }, "code 0 occurs"},
		{"counts", func(b []byte) { b[group]++ }, "where"},
		{"length", func(b []byte) { b[group+4]-- }, "ends early"},
		{"index", func(b []byte) {
			for i := range 40 {
				b[group+6+i] = 0xff
			}
		}, "of 4096"},
		{"bits", func(b []byte) { b[len(b)-1] |= 0x80 }, "bits that mean nothing"},
	} {
		bad := slices.Clone(b)
		tt.change(bad)
		_, err := ReadMessage(bytes.NewReader(bad), s)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestBitsPerParameter counts all of a message, of a matrix as models have.
func TestBitsPerParameter(t *testing.T) {
	s, err := NewSchema([]Tensor{{"w", []int{1024, 512}}}, 64, UsualGroup)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := someMessage(t, s, 4)
	if got := 8 * float64(len(b)) / (1024 * 512); got > 0.152 {
		t.Errorf("%.4f bits per parameter", got)
	} else {
		t.Logf("%.4f bits per parameter", got)
	}
}

func FuzzMessage(f *testing.F) {
	s, err := NewSchema([]Tensor{{"w", []int{64, 192}}, {"v", []int{12, 5}}, {"b", []int{4}}}, 64, 2)
	if err != nil {
		f.Fatal(err)
	}
	b, _ := someMessage(f, s, 2)
	f.Add(b[len(magic)+32:])
	f.Add([]byte{1, 5, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append(preamble(s), body...)
		m, err := ReadMessage(bytes.NewReader(b), s)
		if err != nil {
			return
		}
		// What is accepted is read to the end by everything that reads it.
		g := &Gatherer{Clip: true}
		for i, p := range m.Parts {
			dst := make([]float32, s.Grid(i).Len())
			if err := g.Gather(dst, []*Part{p}); err != nil {
				t.Fatal(err)
			}
		}
		// And there is one way to write it.
		var again bytes.Buffer
		w, _ := NewWriter(&again, s)
		for _, p := range m.Parts {
			if err := w.write(p.header); err != nil {
				t.Fatal(err)
			}
			at := cursor{Part: p}
			for g := range p.groups {
				n := min(s.Group, p.Grid.Chunks()-g*s.Group)
				index, code := make([]uint16, n*p.Keep), make([]uint8, n*p.Keep)
				var levels []uint8
				for c := range n {
					if p.Values == nil {
						lo, hi := p.levels(g*s.Group + c)
						levels = append(levels, lo, hi)
					}
					at.next(index[c*p.Keep:][:p.Keep], code[c*p.Keep:][:p.Keep])
				}
				if err := w.write(p.layout.appendGroup(nil, index, code, levels)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !bytes.Equal(again.Bytes(), b) {
			t.Fatal("what was read is written otherwise")
		}
	})
}

// TestReaderBelievesNothing lets a header promise more than comes.
func TestReaderBelievesNothing(t *testing.T) {
	s, err := NewSchema([]Tensor{{"w", []int{1 << 16, 1 << 14}}}, 64, 8)
	if err != nil {
		t.Fatal(err)
	}
	b := append(preamble(s), kindLevels, 5, 0, 0)
	b = binary.AppendUvarint(b, 1<<28)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := ReadMessage(bytes.NewReader(b), s); err == nil {
		t.Fatal("nothing is a message")
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes for a message of %d", n, len(b))
	}
	r := NewReader(iotest.OneByteReader(bytes.NewReader(b)), s)
	if _, err := r.Next(); err == nil || err == io.EOF {
		t.Error("nothing is a tensor:", err)
	}
}
