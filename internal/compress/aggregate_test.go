package compress

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"
)

// slowGather is the rule: chunk by chunk, element by element.
func slowGather(dst []float32, parts []*Part, clips []float32) {
	g := parts[0].Grid
	sums, counts := make([]float32, g.Len()), make([]float32, g.Len())
	for i, p := range parts {
		p.Each(func(c int, index []uint16, value []float32) {
			for j, at := range index {
				sums[c*g.Size()+int(at)] += value[j] * clips[i]
				counts[c*g.Size()+int(at)]++
			}
		})
	}
	for i, n := range counts {
		if n > 0 {
			sums[i] /= n
		}
	}
	g.Join(dst, sums)
}

// TestGather is the vector that upstream's gathering was run on.
func TestGather(t *testing.T) {
	g, _ := NewGrid([]int{6})
	var parts []*Part
	for _, p := range []struct {
		index []uint16
		value []float32
	}{
		{[]uint16{0, 1}, []float32{3, 4}},
		{[]uint16{1, 2}, []float32{6, 8}},
		{[]uint16{1, 5}, []float32{0, 1}},
		{[]uint16{0, 5}, []float32{0, 2}},
	} {
		part, err := NewPacked(g, 2, PackIndices(nil, p.index), []byte{0, 1}, Quant{0, 1, p.value}, 2)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part)
	}
	for _, k := range kernels() {
		got := make([]float32, 6)
		if err := (&Gatherer{Clip: true, kernel: k}).Gather(got, parts); err != nil {
			t.Fatal(err)
		}
		for i, want := range []float64{0.6, 0.93333, 1.6, 0, 0, 1.5} {
			if math.Abs(float64(got[i])-want) > 1e-4 {
				t.Errorf("%s: %g", k.name, got)
			}
		}
	}
}

// codings returns what was kept as a part in both codings.
func codings(t testing.TB, s *Schema, k *Kept) (packed, riced *Part) {
	t.Helper()
	packed, err := NewPacked(k.Grid, k.Keep, PackIndices(nil, k.Index), slices.Clone(k.Code), k.Quant, 4)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	w, _ := NewWriter(&buf, s)
	if err := w.Add(k); err != nil {
		t.Fatal(err)
	}
	m, err := ReadMessage(&buf, s)
	if err != nil {
		t.Fatal(err)
	}
	return packed, m.Parts[0]
}

func TestGatherCodings(t *testing.T) {
	for _, shape := range [][]int{{128, 256}, {29, 64}, {64, 50}, {100}, {192}, {58, 48}} {
		n := 1
		for _, d := range shape {
			n *= d
		}
		s, err := NewSchema([]Tensor{{"w", shape}}, 64, UsualGroup)
		if err != nil {
			t.Fatal(err)
		}
		var packed, riced []*Part
		for peer := range 7 {
			p, r := codings(t, s, encoded(t, shape, 64, normal(uint64(peer), n, shape[len(shape)-1])))
			packed, riced = append(packed, p), append(riced, r)
		}
		riced[2], packed[2] = packed[2], riced[2] // senders of both kinds
		want := make([]float32, n)
		slowGather(want, packed, Clips(packed))
		for _, k := range kernels() {
			for name, parts := range map[string][]*Part{"packed": packed, "riced": riced} {
				// In one place or the other, rows are not whole cache lines.
				for from := range 2 {
					got := slices.Repeat([]float32{7}, n+1)[from:][:n]
					if err := (&Gatherer{Clip: true, kernel: k}).Gather(got, parts); err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(got, want) {
						t.Fatalf("%s: %s of %d gather to something else", k.name, name, shape)
					}
				}
			}
		}
	}
}

// TestGatherLongGaps gathers what random elements seldom make: gaps as long as
// can be, with all numbers of low bits.
func TestGatherLongGaps(t *testing.T) {
	s, err := NewSchema([]Tensor{{"w", []int{64, 640}}}, 64, 3)
	if err != nil {
		t.Fatal(err)
	}
	g := s.Grid(0)
	k := &Kept{Grid: g, Keep: 64, Quant: Quant{0, 1, []float32{-3, -1, 1, 3}}}
	for c := range g.Chunks() {
		for i := range 64 {
			at := i
			if i >= c*7 {
				at += 4096 - 64
			}
			k.Index = append(k.Index, uint16(at))
			k.Code = append(k.Code, uint8(i*c)&3)
		}
	}
	want := make([]float32, g.Len())
	for rice := range 9 {
		p := &Part{Grid: g, Keep: 64, Values: k.Quant.Values(), Counts: make([]int, 4), layout: s.layout(0, rice, false)}
		for c := 0; c < 10; c += 3 {
			from, to := c*64, min(c+3, 10)*64
			at := len(p.body)
			p.body = p.layout.appendGroup(p.body, k.Index[from:to], k.Code[from:to], nil)
			sp, err := p.layout.open(p.body, at, (to-from)/64)
			if err != nil {
				t.Fatal(err)
			}
			p.groups = append(p.groups, sp)
		}
		p.body = append(p.body, make([]byte, slack)...)
		if rice == 0 {
			slowGather(want, []*Part{p, p}, []float32{1, 1})
		}
		for _, kernel := range kernels() {
			got := make([]float32, g.Len())
			if err := (&Gatherer{kernel: kernel}).Gather(got, []*Part{p, p}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %d low bits gather to something else", kernel.name, rice)
			}
		}
	}
}

// TestFeedback holds rounds of the encoder to the rule, written plainly.
func TestFeedback(t *testing.T) {
	for _, tt := range []struct {
		shape  []int
		cosine bool
		keep   int
		bins   int
	}{{[]int{128, 128}, false, 64, 4}, {[]int{60, 29}, false, 64, 4}, {[]int{128, 64}, true, 32, 256}, {[]int{90}, false, 64, 4}} {
		t.Run(fmt.Sprint(tt.shape, tt.cosine), func(t *testing.T) {
			rule := Rule{Decay: 0.95, Gain: 0.4, Keep: tt.keep, Bins: tt.bins, Cosine: tt.cosine}
			f, err := NewFeedback(tt.shape, rule)
			if err != nil {
				t.Fatal(err)
			}
			g, _ := NewGrid(tt.shape)
			rest, delta := make([]float32, g.Len()), make([]float32, g.Len())
			for round := range 4 {
				x := normal(uint64(round), g.Len(), g.Cols)
				k, err := f.Encode(x)
				if err != nil {
					t.Fatal(err)
				}
				g.Cut(delta, x)
				var values []float32
				for c := range g.Chunks() {
					chunk, d := rest[c*g.Size():][:g.Size()], delta[c*g.Size():][:g.Size()]
					if tt.cosine {
						NewCosine(g).Forward(d)
					}
					for i := range chunk {
						chunk[i] = float32(chunk[i]*0.95) + float32(d[i]*0.4)
					}
					want := slowTop(chunk, k.Keep)
					if !slices.Equal(k.Index[c*k.Keep:][:k.Keep], want) {
						t.Fatalf("round %d, chunk %d: %d are kept, not %d", round, c, k.Index[c*k.Keep:][:k.Keep], want)
					}
					for _, at := range want {
						values = append(values, chunk[at])
					}
				}
				code := make([]uint8, len(values))
				q, err := Quantise(code, values, tt.bins)
				if err != nil || !slices.Equal(code, k.Code) || !slices.Equal(q.Lookup, k.Quant.Lookup) {
					t.Fatalf("round %d: %v, %v, not %v", round, err, k.Quant, q)
				}
				for i, at := range k.Index {
					rest[i/k.Keep*g.Size()+int(at)] -= q.Values()[code[i]]
				}
				whole, chunks := make([]float32, g.Len()), make([]float32, g.Len())
				if err := f.Unsaid(whole); err != nil {
					t.Fatal(err)
				}
				if g.Cut(chunks, whole); tt.cosine {
					for c := range g.Chunks() {
						NewCosine(g).Forward(chunks[c*g.Size():][:g.Size()])
					}
				}
				for i, v := range chunks {
					if math.Abs(float64(v-rest[i])) > 1e-4 {
						t.Fatalf("round %d: element %d is %v unsaid, not %v", round, i, v, rest[i])
					}
				}
				if round == 1 { // read in between, and put back
					if !slices.Equal(f.Rest(), rest) {
						t.Fatal("something else is unsaid")
					}
					if err := f.Restore(slices.Clone(rest)); err != nil {
						t.Fatal(err)
					}
				}
			}
			bad := make([]float32, g.Len())
			bad[g.Len()-1] = float32(math.NaN())
			if _, err := f.Encode(bad); err == nil {
				t.Error("a NaN is encoded")
			}
			if !slices.Equal(f.Rest(), make([]float32, g.Len())) {
				t.Error("a NaN stays")
			}
		})
	}
}

// TestGatherCosine sends coefficients and gets back what they are of.
func TestGatherCosine(t *testing.T) {
	shape := []int{32, 32} // all 1024 are nearly kept
	f, _ := NewFeedback(shape, Rule{Decay: 1, Gain: 1, Keep: 1024, Bins: 256, Cosine: true})
	x := normal(1, 1024, 32)
	k, err := f.Encode(x)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPacked(k.Grid, k.Keep, PackIndices(nil, k.Index), k.Code, k.Quant, 256)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 1024)
	if err := (&Gatherer{Cosine: true}).Gather(got, []*Part{p}); err != nil {
		t.Fatal(err)
	}
	var off, all float64
	for i := range x {
		off += float64(x[i]-got[i]) * float64(x[i]-got[i])
		all += float64(x[i]) * float64(x[i])
	}
	if off > all/100 {
		t.Errorf("%g of %g is lost", off, all)
	}
}
