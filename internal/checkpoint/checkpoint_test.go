package checkpoint

import (
	"bytes"
	"errors"
	"io"
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

func torch(t *testing.T, v any) []byte {
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
		"zip":           {[]byte("PK and nothing"), "no zip directory"},
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
	for _, format := range []subnet.Format{subnet.Safetensors, subnet.Torch} {
		var b bytes.Buffer
		if err := Write(&b, format, sample()); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Read(file(b), 1<<20)
		if err != nil {
			return
		}
		for name, x := range d {
			if err := x.Check(); err != nil {
				t.Errorf("tensor %q: %v", name, err)
			}
		}
	})
}
