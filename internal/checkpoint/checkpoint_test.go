package checkpoint

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"adit/internal/subnet"
	"adit/internal/tensor"
	"adit/internal/torchfile"

	"github.com/google/go-cmp/cmp"
)

// memory is a subnet.File of bytes.
type memory struct {
	*bytes.Reader
	name string
}

func (m memory) Name() string { return m.name }
func (m memory) Close() error { return nil }

var _ subnet.File = memory{}

func file(b []byte) memory { return memory{bytes.NewReader(b), "cycle/7/model.bin"} }

func sample() tensor.Dict {
	return tensor.Dict{
		"model.embed.weight": tensor.FromFloats(tensor.BF16, []int{2, 2}, []float32{1, 2, 3, 4}),
		"model.norm.weight":  tensor.FromFloats(tensor.F32, []int{3}, []float32{0, 1, -1}),
	}
}

func TestRoundTrip(t *testing.T) {
	for _, format := range []subnet.Format{subnet.Safetensors, subnet.Torch} {
		var b bytes.Buffer
		if err := Write(&b, format, sample()); err != nil {
			t.Fatal(err)
		}
		got, err := Read(file(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sample(), got); diff != "" {
			t.Errorf("%s:\n%s", format, diff)
		}
		if _, err := Read(file(b.Bytes()), int64(b.Len())-1); err == nil {
			t.Errorf("%s: a file over the limit is read", format)
		}
	}
	if err := Write(io.Discard, "gguf", sample()); err == nil {
		t.Error("an unknown format is written")
	}
	full := errors.New("disk full")
	for _, format := range []subnet.Format{subnet.Safetensors, subnet.Torch} {
		if err := Write(fullDisk{full}, format, sample()); !errors.Is(err, full) {
			t.Errorf("%s: a full disk gives %v", format, err)
		}
	}
}

type fullDisk struct{ err error }

func (f fullDisk) Write([]byte) (int, error) { return 0, f.err }

func TestPlainDict(t *testing.T) {
	got, err := Read(file(torch(t, sample())), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Error(diff)
	}
}

func torch(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := torchfile.Encode(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBadFiles(t *testing.T) {
	var st bytes.Buffer
	if err := Write(&st, subnet.Safetensors, sample()); err != nil {
		t.Fatal(err)
	}
	badTensor := bytes.Replace(st.Bytes(), []byte(`"shape":[3]`), []byte(`"shape":[2]`), 1)
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"empty":         {nil, "0 bytes are no checkpoint"},
		"one byte":      {[]byte("P"), "1 bytes are no checkpoint"},
		"text":          {[]byte("<html>not found</html>"), "header of"},
		"cut":           {st.Bytes()[:st.Len()-1], "cut off"},
		"tensor":        {badTensor, `tensor "model.norm.weight"`},
		"zip":           {[]byte("PK\x03\x04 and nothing"), "no zip directory"},
		"near zip":      {[]byte("PK and nothing"), "no zip archive"},
		"legacy":        {[]byte("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."), "before version 1.6"},
		"pointer":       {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"), "Git LFS pointer"},
		"list":          {torch(t, []any{int64(1)}), "it holds a list"},
		"state is none": {torch(t, map[string]any{"model_state_dict": nil}), `"model_state_dict" is a None`},
		"number in it":  {torch(t, map[string]any{"loss": 0.5}), `entry "loss" is a number`},
		"nested":        {torch(t, map[string]any{"net": sample()}), `entry "net" is a dict`},
		"number as key": {torch(t, &torchfile.Dict{Items: []torchfile.Item{{Key: int64(3), Value: sample()["model.norm.weight"]}}}), `named 3`},
	} {
		_, err := Read(file(tt.file), 1<<20)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range []string{tt.want, "cycle/7/model.bin"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want … %s …", name, err, want)
			}
		}
		if subnet.Hint(err) == "" {
			t.Errorf("%s: no hint", name)
		}
	}
}

// TestHints has the errors for which there is better advice than to fetch the
// file again.
func TestHints(t *testing.T) {
	code := torch(t, map[string]any{"optimizer": "ccollections"})
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"legacy":      {[]byte("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."), "torch.save(state, path)"},
		"instruction": {bytes.Replace(code, []byte("\x80\x02}"), []byte("\x80\x02\x81"), 1), "model.state_dict()"},
		"protocol":    {bytes.Replace(code, []byte("\x80\x02}"), []byte("\x80\x04}"), 1), "pickle_protocol"},
		"pointer":     {[]byte("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"},
	} {
		if _, err := Read(file(tt.file), 1<<20); err == nil || !strings.Contains(subnet.Hint(err), tt.want) {
			t.Errorf("%s: %v, with the hint %q", name, err, subnet.Hint(err))
		}
	}
}

// TestReadTakesNoCopy reads both formats into little more than the file's own
// size.
func TestReadTakesNoCopy(t *testing.T) {
	d := tensor.Dict{}
	for i := range 16 {
		d[string(rune('a'+i))] = tensor.Tensor{DType: tensor.U8, Shape: []int{1 << 20}, Data: make([]byte, 1<<20)}
	}
	for _, format := range []subnet.Format{subnet.Safetensors, subnet.Torch} {
		var b bytes.Buffer
		b.Grow(17 << 20)
		before := allocated()
		if err := Write(&b, format, d); err != nil {
			t.Fatal(err)
		}
		if n := allocated() - before; n > 1<<20 {
			t.Errorf("%s: writing %d bytes allocates %d", format, b.Len(), n)
		}
		before = allocated()
		if _, err := Read(file(b.Bytes()), 1<<30); err != nil {
			t.Fatal(err)
		}
		if n := allocated() - before; n > uint64(b.Len())+1<<20 {
			t.Errorf("%s: reading %d bytes allocates %d", format, b.Len(), n)
		}
	}
}

// allocated returns how many bytes have been allocated so far. It stops the
// world, as cheaper ways do not count small allocations at once.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// TestReadFails tells a disk that fails from a file that is bad.
func TestReadFails(t *testing.T) {
	if _, err := Read(broken{file(nil)}, 1<<20); !errors.Is(err, errDisk) {
		t.Errorf("a broken disk gives %v", err)
	}
}

var errDisk = errors.New("input/output error")

type broken struct{ memory }

func (broken) Size() int64                       { return 1000 }
func (broken) ReadAt([]byte, int64) (int, error) { return 0, errDisk }

func FuzzRead(f *testing.F) {
	tied := sample()
	tied["again"] = tied["model.embed.weight"]
	tied["none"] = tensor.Tensor{DType: tensor.I64, Shape: []int{0, 3}}
	for _, d := range []tensor.Dict{{}, sample(), tied} {
		for _, format := range []subnet.Format{subnet.Safetensors, subnet.Torch} {
			var b bytes.Buffer
			if err := Write(&b, format, d); err != nil {
				f.Fatal(err)
			}
			f.Add(b.Bytes())
			for i := range 8 {
				bad := bytes.Clone(b.Bytes())
				bad[i*len(bad)/8] ^= 1 << i
				f.Add(bad)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := allocated()
		d, err := Read(file(b), 1<<40)
		if n, limit := allocated()-before, uint64(2*len(b)+1<<20); n > limit {
			t.Errorf("a file of %d bytes has %d allocated, more than %d; error %v", len(b), n, limit, err)
		}
		if err != nil {
			return
		}
		for name, x := range d {
			if err := x.Check(); err != nil {
				t.Errorf("tensor %q: %v", name, err)
			}
		}
		x, err := Open(file(b), 1<<40)
		if err != nil {
			t.Fatalf("Read reads what Open does not: %v", err)
		}
		v := seen{tensors: tensor.Dict{}}
		if err := x.Visit(&v); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, v.tensors, alike); diff != "" {
			t.Error(diff)
		}
	})
}
