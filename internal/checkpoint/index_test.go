package checkpoint

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"adit/internal/subnet"
	"adit/internal/tensor"

	"github.com/google/go-cmp/cmp"
)

// seen collects what a Visitor is shown.
type seen struct {
	tensors tensor.Dict
	order   []string
	fail    error
}

func (s *seen) Begin(e Entry) error {
	if s.tensors == nil {
		s.tensors = tensor.Dict{}
	}
	s.order = append(s.order, e.Name)
	s.tensors[e.Name] = tensor.Tensor{DType: e.DType, Shape: e.Shape}
	return s.fail
}

func (s *seen) Write(p []byte) (int, error) {
	name := s.order[len(s.order)-1]
	t := s.tensors[name]
	t.Data = append(t.Data, p...)
	s.tensors[name] = t
	return len(p), nil
}

// uniform is in the order of its names in every file that we write.
func uniform() tensor.Dict {
	d := tensor.Dict{"none": {DType: tensor.F16, Shape: []int{0, 3}}, "scalar": tensor.FromFloats(tensor.F16, nil, []float32{7})}
	for _, name := range []string{"layers.1.w", "layers.10.w", "layers.2.w", "z"} {
		d[name] = tensor.FromFloats(tensor.F16, []int{2, 2}, []float32{1, 2, 3, float32(len(name))})
	}
	return d
}

func written(t testing.TB, format subnet.Format, d tensor.Dict) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, format, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// alike says that empty data may be nil.
var alike = cmp.Comparer(func(a, b tensor.Tensor) bool {
	return a.DType == b.DType && slices.Equal(a.Shape, b.Shape) && bytes.Equal(a.Data, b.Data)
})

func TestVisit(t *testing.T) {
	for _, format := range []subnet.Format{subnet.Safetensors, subnet.Torch} {
		for _, d := range []tensor.Dict{{}, sample(), uniform()} {
			b := written(t, format, d)
			x, err := Open(file(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			for name, visit := range map[string]func(Visitor) error{"sorted": x.Visit, "in order": x.VisitInOrder} {
				s := seen{tensors: tensor.Dict{}}
				if err := visit(&s); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(d, s.tensors, alike); diff != "" {
					t.Errorf("%s %s:\n%s", format, name, diff)
				}
				entries := x.Sorted()
				if name == "in order" {
					entries = x.Entries()
				} else if !slices.Equal(s.order, d.Keys()) {
					t.Errorf("%s: shown in order %v", format, s.order)
				}
				for i, e := range entries {
					if e.Name != s.order[i] || e.Size != int64(len(d[e.Name].Data)) {
						t.Errorf("%s %s: entry %d is %+v, shown %s", format, name, i, e, s.order[i])
					}
				}
			}
			lost := errors.New("lost")
			if err := x.Visit(&seen{fail: lost}); len(d) > 0 && !errors.Is(err, lost) {
				t.Errorf("a visitor's error became %v", err)
			}
			if _, err := Open(file(b), int64(len(b))-1); err == nil {
				t.Error("opened more than the limit")
			}
		}
	}
}

// TestVisitTorchOrder keeps a dict's own order, which one generation hashes in.
func TestVisitTorchOrder(t *testing.T) {
	b := torch(t, tensor.Dict{"b": tensor.FromFloats(tensor.F32, nil, []float32{1}), "a": tensor.FromFloats(tensor.F32, nil, []float32{2})})
	// Maps are written sorted: swap the two names where they stand.
	b = bytes.Replace(bytes.Replace(bytes.Replace(b, []byte("\x01\x00\x00\x00a"), []byte("\x01\x00\x00\x00?"), 1),
		[]byte("\x01\x00\x00\x00b"), []byte("\x01\x00\x00\x00a"), 1), []byte("\x01\x00\x00\x00?"), []byte("\x01\x00\x00\x00b"), 1)
	x, err := Open(file(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var sorted, own seen
	if err := errors.Join(x.Visit(&sorted), x.VisitInOrder(&own)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(sorted.order, "") + strings.Join(own.order, ""); got != "abba" {
		t.Errorf("shown in order %s", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing": nil,
		"pointer": []byte(magicPointer + ".com/spec/v1\n"),
		"no dict": torch(t, []any{int64(1)}),
		"no name": torch(t, map[string]any{"model_state_dict": int64(1)}),
		"number":  torch(t, map[string]any{"a": int64(1)}),
		"cut":     written(t, subnet.Safetensors, sample())[:100],
		"zip":     []byte("PK\x03\x04 and nothing else"),
	} {
		_, readErr := Read(file(b), 1<<20)
		_, err := Open(file(b), 1<<20)
		if err == nil || readErr == nil || subnet.Hint(err) == "" || err.Error() != readErr.Error() {
			t.Errorf("%s: Open error = %v, Read error = %v", name, err, readErr)
		}
	}
	x, err := Open(file(written(t, subnet.Safetensors, sample())), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	x.file = broken{}
	if err := x.Visit(&seen{}); !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "model.embed.weight") {
		t.Errorf("a broken disk gives %v", err)
	}
}

func TestStream(t *testing.T) {
	for _, tt := range []struct {
		name  string
		b     []byte
		whole bool
	}{
		{"in order", written(t, subnet.Safetensors, uniform()), true},
		{"none", written(t, subnet.Safetensors, tensor.Dict{}), true},
		{"cut", written(t, subnet.Safetensors, uniform())[:700], false},
		{"cut header", written(t, subnet.Safetensors, uniform())[:20], false},
		{"too long", append(written(t, subnet.Safetensors, uniform()), 0), false},
		{"other order", written(t, subnet.Safetensors, tensor.Dict{
			"a": tensor.FromFloats(tensor.F16, nil, []float32{1}), "b": tensor.FromFloats(tensor.F32, nil, []float32{1})}), false},
		{"pt", written(t, subnet.Torch, uniform()), false},
		{"pointer", []byte(magicPointer + ".com/spec/v1\n"), false},
		{"large header", append([]byte{1, 0, 0, 1, 0, 0, 0, 0}, "{}"...), false},
		{"bad header", append([]byte{2, 0, 0, 0, 0, 0, 0, 0}, "{{ and more"...), false},
	} {
		for _, step := range []int{1, 3, 64, len(tt.b) + 1} {
			v := seen{tensors: tensor.Dict{}}
			s := NewStream(&v)
			for p := range slices.Chunk(tt.b, step) {
				if n, err := s.Write(p); n != len(p) || err != nil {
					t.Fatalf("%s: Write = %d, %v", tt.name, n, err)
				}
			}
			whole, err := s.Done()
			if whole != tt.whole || err != nil || s.Size() != int64(len(tt.b)) {
				t.Errorf("%s by %d: Done = %v, %v after %d bytes", tt.name, step, whole, err, s.Size())
			}
			if !whole {
				continue
			}
			d, err := Read(file(tt.b), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(d, v.tensors, alike); diff != "" || !slices.Equal(v.order, d.Keys()) {
				t.Errorf("%s by %d: order %v\n%s", tt.name, step, v.order, diff)
			}
		}
	}
	lost := errors.New("lost")
	s := NewStream(&seen{fail: lost})
	s.Write(written(t, subnet.Safetensors, uniform()))
	if whole, err := s.Done(); whole || !errors.Is(err, lost) {
		t.Errorf("a visitor's error became %v, %v", whole, err)
	}
}

// watched is a file's writer that is also shown the tensors.
type watched struct {
	io.Writer
	seen
}

func (w *watched) Write(p []byte) (int, error) { return w.Writer.Write(p) }
func (w *watched) Watch() Visitor              { return &w.seen }

func TestWatcher(t *testing.T) {
	for _, format := range []subnet.Format{subnet.Safetensors, subnet.Torch} {
		var b bytes.Buffer
		w := &watched{Writer: &b}
		if err := Write(w, format, uniform()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(uniform(), w.tensors, alike); diff != "" || !slices.Equal(w.order, uniform().Keys()) {
			t.Errorf("%s: order %v\n%s", format, w.order, diff)
		}
		if !bytes.Equal(b.Bytes(), written(t, format, uniform())) {
			t.Errorf("%s: another file because it was watched", format)
		}
		lost := errors.New("lost")
		if err := Write(&watched{Writer: io.Discard, seen: seen{fail: lost}}, format, uniform()); !errors.Is(err, lost) {
			t.Errorf("%s: a visitor's error became %v", format, err)
		}
	}
}

// FuzzStream holds what a stream shows, in pieces of any size, to what is read.
func FuzzStream(f *testing.F) {
	for _, d := range []tensor.Dict{{}, sample(), uniform()} {
		b := written(f, subnet.Safetensors, d)
		f.Add(b, 7)
		f.Add(b[:len(b)/2], 3)
		f.Add(append(bytes.Clone(b), 1), 64)
	}
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		v := seen{tensors: tensor.Dict{}}
		s := NewStream(&v)
		for p := range slices.Chunk(b, max(1, step)) {
			s.Write(p)
		}
		whole, err := s.Done()
		if err != nil || !whole {
			return
		}
		x, err := Open(file(b), 1<<40)
		if err != nil {
			t.Fatalf("a stream was shown what does not open: %v", err)
		}
		again := seen{tensors: tensor.Dict{}}
		if err := x.Visit(&again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(again.tensors, v.tensors, alike); diff != "" || !slices.Equal(v.order, again.order) {
			t.Errorf("%v, then %v\n%s", v.order, again.order, diff)
		}
	})
}
