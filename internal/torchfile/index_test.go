package torchfile

import (
	"bytes"
	"math"
	"testing"

	"adit/internal/tensor"
)

// values replaces the views in what Index returns by their elements, as Decode
// would have read them.
func values(t *testing.T, v any, b []byte) any {
	t.Helper()
	switch v := v.(type) {
	case *Dict:
		for i := range v.Items {
			v.Items[i].Value = values(t, v.Items[i].Value, b)
		}
	case []any:
		for i := range v {
			v[i] = values(t, v[i], b)
		}
	case Tuple:
		for i := range v {
			v[i] = values(t, v[i], b)
		}
	case *View:
		var out bytes.Buffer
		if err := v.Copy(&out, bytes.NewReader(b), make([]byte, 7)); err != nil {
			t.Fatal(err)
		}
		if int64(out.Len()) != v.Size() {
			t.Fatalf("a view of %d bytes has %d", v.Size(), out.Len())
		}
		whole := tensor.Tensor{DType: v.DType, Shape: v.Shape, Data: out.Bytes()}
		if v.Size() == 0 {
			whole.Data = nil
		}
		return whole
	}
	return v
}

// sameIndex holds Index to what Decode made of a file.
func sameIndex(t *testing.T, b []byte, want any) {
	t.Helper()
	var v any
	var err error
	n := allocated(func() { v, err = Index(bytes.NewReader(b), int64(len(b)), math.MaxInt64/2) })
	if limit := int64(2*len(b) + spare); n > limit {
		t.Errorf("the index of a file of %d bytes has %d allocated, more than %d", len(b), n, limit)
	}
	if err != nil {
		t.Fatalf("Decode reads what Index does not: %v", err)
	}
	if got, want := dumped(values(t, v, b)), dumped(want); got != want {
		t.Errorf("Index has %s, Decode %s", got, want)
	}
}

// scattered has more than memory is meant to hold between its first and its last
// element.
type scattered struct{}

func (scattered) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = byte(off>>20) + byte(off)
		off++
	}
	return len(p), nil
}

func TestScatteredViews(t *testing.T) {
	const far = maxSpan + 1<<20
	for _, tt := range []struct {
		shape  []int
		stride []int64
		pieces int64
		want   []byte // nil if it is refused
	}{
		{[]int{3, 2}, []int64{far, 1}, 3, []byte{0, 1, 33, 34, 66, 67}},
		{[]int{2, 2, 2}, []int64{far, 1, 2}, 2, []byte{0, 2, 1, 3, 33, 35, 34, 36}},
		{[]int{2, 2}, []int64{1, far}, maxPieces + 1, nil},
		{[]int{2, maxSpan + 1}, []int64{1, 0}, maxPieces + 1, nil},
		{[]int{maxPieces + 1, 2, 2}, []int64{far, 1, 2}, maxPieces + 1, nil},
		{[]int{far}, []int64{1}, 0, nil},
	} {
		v := &View{DType: tensor.U8, Shape: tt.shape, stride: tt.stride}
		if got := v.pieces(0); got != tt.pieces && !(got > maxPieces && tt.pieces > maxPieces) {
			t.Errorf("%v of strides %v is in %d pieces, not %d", tt.shape, tt.stride, got, tt.pieces)
		}
		if tt.want == nil {
			continue
		}
		var got bytes.Buffer
		if err := v.Copy(&got, scattered{}, make([]byte, 16)); err != nil || !bytes.Equal(got.Bytes(), tt.want) {
			t.Errorf("%v of strides %v is %d, %v, not %d", tt.shape, tt.stride, got.Bytes(), err, tt.want)
		}
	}
	// A part is put in order a piece at a time if it is larger than it lies.
	v := &View{DType: tensor.U8, Shape: []int{3, maxSpan / 2, 2}, stride: []int64{0, 0, 1 << 20}}
	var n counted
	if err := v.Copy(&n, scattered{}, make([]byte, 16)); err != nil || int64(n.all) != v.Size() || n.most > maxSpan {
		t.Errorf("%d of %d bytes in pieces of up to %d, %v", n.all, v.Size(), n.most, err)
	}
}

type counted struct{ all, most int }

func (c *counted) Write(p []byte) (int, error) {
	c.all, c.most = c.all+len(p), max(c.most, len(p))
	return len(p), nil
}
