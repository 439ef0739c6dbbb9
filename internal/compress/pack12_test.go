package compress

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestPackIndices is upstream's vector.
func TestPackIndices(t *testing.T) {
	index := []uint16{0, 4095, 1, 2048, 291, 2748}
	want := []byte{0x00, 0xf0, 0xff, 0x01, 0x00, 0x80, 0x23, 0xc1, 0xab}
	if got := PackIndices(nil, index); !bytes.Equal(got, want) {
		t.Errorf("% x, not % x", got, want)
	}
	got := make([]uint16, 6)
	UnpackIndices(got, want)
	if !slices.Equal(got, index) {
		t.Errorf("%d, not %d", got, index)
	}
}

func TestNewPacked(t *testing.T) {
	g, _ := NewGrid([]int{2, 6}) // one chunk of 12
	q := Quant{0, 1, []float32{-1, 0, 1, 2}}
	for _, tt := range []struct {
		name  string
		index []uint16
		code  []uint8
		want  string
	}{
		{"good", []uint16{11, 0, 3, 4}, []uint8{0, 3, 2, 1}, ""},
		{"code", []uint16{11, 0, 3, 4}, []uint8{0, 4, 2, 1}, "a code is 4"},
		{"code 255", []uint16{11, 0, 3, 4}, []uint8{0, 255, 2, 1}, "a code is 255"},
		{"range", []uint16{12, 0, 3, 4}, []uint8{0, 3, 2, 1}, "index 12 of 12"},
		{"far", []uint16{4095, 0, 3, 4}, []uint8{0, 3, 2, 1}, "index 4095 of 12"},
		{"twice", []uint16{4, 0, 3, 4}, []uint8{0, 3, 2, 1}, "twice"},
		{"codes", []uint16{11, 0, 3, 4}, []uint8{0, 3, 2}, "3 codes"},
		{"indices", []uint16{11, 0}, []uint8{0, 3, 2, 1}, "3 bytes of indices"},
	} {
		_, err := NewPacked(g, 4, PackIndices(nil, tt.index), tt.code, q, 4)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := NewPacked(g, 14, nil, nil, q, 4); err == nil {
		t.Error("14 of 12 are kept")
	}
}

func TestCountBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	for _, values := range []int{4, 5, 256} {
		b := make([]byte, 1003)
		var want [256]int
		for i := range b {
			b[i] = byte(r.IntN(values))
			want[b[i]]++
		}
		if got := countBytes(b); got != want {
			t.Errorf("%d values are counted as %d, not %d", values, got, want)
		}
	}
}

func FuzzPacked(f *testing.F) {
	f.Add([]byte{0x00, 0xf0, 0xff}, []byte{1, 2}, float32(0), float32(1), float32(2), 1, 64)
	f.Add(PackIndices(nil, []uint16{5, 3, 2, 9}), []byte{1, 2, 3, 0}, float32(0.1), float32(1), float32(2), 2, 6)
	f.Fuzz(func(t *testing.T, packed, code []byte, shift, scale, v float32, rows, cols int) {
		g, err := NewGrid([]int{rows, cols})
		if err != nil || g.Len() > 1<<16 {
			return
		}
		q := Quant{shift, scale, []float32{-v, 0, v, 2 * v}}
		p, err := NewPacked(g, len(code)/max(1, g.Chunks()), packed, code, q, 4)
		if err != nil {
			return
		}
		dst := make([]float32, g.Len())
		if err := (&Gatherer{Clip: true}).Gather(dst, []*Part{p, p}); err != nil {
			t.Fatal(err)
		}
		for _, v := range dst {
			if !finite(v) {
				t.Fatal("what is accepted gathers to", v)
			}
		}
	})
}
