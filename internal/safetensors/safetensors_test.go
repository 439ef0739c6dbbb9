package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"adit/internal/tensor"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// file puts a header in front of data bytes.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range data {
		b = append(b, byte(i))
	}
	return b
}

func read(b []byte) (tensor.Dict, map[string]string, error) {
	return Read(bytes.NewReader(b), int64(len(b)), 1<<30)
}

func sample() tensor.Dict {
	return tensor.Dict{
		"w<&>":   tensor.FromFloats(tensor.BF16, []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}),
		"a":      {DType: tensor.U8, Shape: []int{3}, Data: []byte{1, 2, 3}},
		"scalar": tensor.FromFloats(tensor.F32, nil, []float32{7}),
		"empty":  {DType: tensor.I64, Shape: []int{0, 4}},
		"größe":  {DType: tensor.I64, Shape: []int{1}, Data: []byte{1, 2, 3, 4, 5, 6, 7, 8}},
		"flag":   {DType: tensor.Bool, Shape: []int{1}, Data: []byte{1}},
	}
}

func TestRoundTrip(t *testing.T) {
	for name, meta := range map[string]map[string]string{"none": nil, "some": {"format": "pt", "b": "\"", "a": ""}} {
		var b bytes.Buffer
		if err := Write(&b, sample(), meta); err != nil {
			t.Fatal(err)
		}
		d, m, err := read(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sample(), d, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: tensors:\n%s", name, diff)
		}
		if diff := cmp.Diff(meta, m); diff != "" {
			t.Errorf("%s: notes:\n%s", name, diff)
		}
		f, err := Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range f.Names() {
			e, ok := f.Info(n)
			if !ok || e.Offset%int64(e.DType.Size()) != 0 {
				t.Errorf("%s: tensor %q begins at %d", name, n, e.Offset)
			}
			data, err := io.ReadAll(f.Reader(n))
			if err != nil || !bytes.Equal(data, d[n].Data) {
				t.Errorf("%s: Reader(%q) reads %x, %v", name, n, data, err)
			}
		}
		if _, ok := f.Info("none"); ok || f.Reader("none") != nil {
			t.Error("there is a tensor that is not there")
		}
	}
}

func TestWriteBytes(t *testing.T) {
	var b bytes.Buffer
	d := tensor.Dict{
		"b": {DType: tensor.U8, Shape: []int{2}, Data: []byte{1, 2}},
		"a": {DType: tensor.U8, Data: []byte{3}},
		"c": {DType: tensor.I16, Shape: []int{1}, Data: []byte{4, 5}},
	}
	if err := Write(&b, d, map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	header := `{"__metadata__":{"k":"v"},` +
		`"a":{"dtype":"U8","shape":[],"data_offsets":[2,3]},` +
		`"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]},` +
		`"c":{"dtype":"I16","shape":[1],"data_offsets":[0,2]}}`
	header += strings.Repeat(" ", -len(header)&7)
	want := file(header, 0)
	want = append(want, 4, 5, 3, 1, 2)
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, d := range map[string]tensor.Dict{
		"bad size":    {"a": {DType: tensor.F32, Shape: []int{2}, Data: make([]byte, 4)}},
		"notes' name": {"__metadata__": {DType: tensor.U8, Shape: []int{0}}},
		"not UTF-8":   {"\xff": {DType: tensor.U8, Shape: []int{0}}},
	} {
		if err := Write(io.Discard, d, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	full := errors.New("disk full")
	for after := range 3 {
		if err := Write(&failing{after, full}, sample(), nil); !errors.Is(err, full) {
			t.Errorf("write %d fails: %v", after, err)
		}
	}
}

// failing is a writer whose disk is full after some writes.
type failing struct {
	left int
	err  error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.left == 0 {
		return 0, f.err
	}
	f.left--
	return len(b), nil
}

func TestBadFiles(t *testing.T) {
	one := func(info string) []byte { return file(`{"a":`+info+`}`, 8) }
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"no bytes":         {nil, "too few"},
		"seven bytes":      {make([]byte, 7), "too few"},
		"long header":      {append([]byte{9, 0, 0, 0, 0, 0, 0, 0}, "{}      "...), "header of 9 bytes"},
		"huge header":      {binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "header of"},
		"over the cap":     {binary.LittleEndian.AppendUint64(nil, 100_000_001), "header of"},
		"no header":        {make([]byte, 8), "begin with {"},
		"space first":      {file(` {}`, 0), "begin with {"},
		"not UTF-8":        {file("{\"\xff\":1}", 0), "UTF-8"},
		"cut header":       {file(`{"a":`, 0), "EOF"},
		"after the end":    {file(`{} {}`, 0), "follows"},
		"list":             {one(`[]`), "where { should be"},
		"null":             {one(`null`), "where { should be"},
		"nothing":          {one(`{}`), "missing"},
		"unknown type":     {one(`{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}`), `"F8_E4M3" is not known`},
		"other key":        {one(`{"dtype":"U8","shape":[8],"data_offsets":[0,8],"x":1}`), `unexpected "x"`},
		"case of a key":    {one(`{"Dtype":"U8","shape":[8],"data_offsets":[0,8]}`), `unexpected "Dtype"`},
		"two types":        {one(`{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]}`), "unexpected"},
		"two shapes":       {one(`{"dtype":"U8","shape":[],"shape":[8],"data_offsets":[0,8]}`), "unexpected"},
		"two places":       {one(`{"dtype":"U8","shape":[8],"data_offsets":[0,8],"data_offsets":[0,8]}`), "unexpected"},
		"negative":         {one(`{"dtype":"U8","shape":[-8],"data_offsets":[0,8]}`), "no size"},
		"fraction":         {one(`{"dtype":"U8","shape":[8.0],"data_offsets":[0,8]}`), "no size"},
		"beyond int64":     {one(`{"dtype":"U8","shape":[8],"data_offsets":[0,9223372036854775808]}`), "no size"},
		"three ends":       {one(`{"dtype":"U8","shape":[8],"data_offsets":[0,8,8]}`), "more than 2"},
		"one end":          {one(`{"dtype":"U8","shape":[8],"data_offsets":[0]}`), "beginning and an end"},
		"backwards":        {one(`{"dtype":"U8","shape":[8],"data_offsets":[8,0]}`), "beginning and an end"},
		"many dimensions":  {one(`{"dtype":"U8","shape":[` + strings.Repeat("1,", 64) + `8],"data_offsets":[0,8]}`), "more than 64"},
		"too small":        {one(`{"dtype":"U8","shape":[7],"data_offsets":[0,8]}`), "takes 7 bytes, not 8"},
		"overflow":         {one(`{"dtype":"F64","shape":[4294967296,4294967296,4],"data_offsets":[0,8]}`), "too large"},
		"after the file":   {one(`{"dtype":"U8","shape":[9],"data_offsets":[0,9]}`), "cut off"},
		"hole at the end":  {one(`{"dtype":"U8","shape":[7],"data_offsets":[0,7]}`), "last 1 bytes"},
		"hole first":       {one(`{"dtype":"U8","shape":[7],"data_offsets":[1,8]}`), "1 bytes before"},
		"notes not text":   {file(`{"__metadata__":{"a":1}}`, 0), "string should be"},
		"notes twice":      {file(`{"__metadata__":{},"__metadata__":{}}`, 0), "twice"},
		"a note twice":     {file(`{"__metadata__":{"a":"","a":""}}`, 0), "twice"},
		"a tensor twice":   {file(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"\u0061":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, 8), `"a" comes twice`},
		"overlap":          {file(`{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, 8), "inside"},
		"same place":       {file(`{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, 8), "inside"},
		"empty in another": {file(`{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}}`, 8), "inside"},
	} {
		_, _, err := read(tt.file)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want … %s …", name, err, tt.want)
		}
	}
}

func TestGoodFiles(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":        file(`{}`, 0),
		"padding":        file("{}  \n", 0),
		"other order":    file(`{"b":{"data_offsets":[4,8],"shape":[2],"dtype":"I16"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 8),
		"empty ones":     file(`{"b":{"dtype":"U8","shape":[0],"data_offsets":[4,4]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"c":{"dtype":"F32","shape":[3,0],"data_offsets":[0,0]}}`, 4),
		"only notes":     file(`{"__metadata__":{"format":"pt"}}`, 0),
		"name of spaces": file(`{" ":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}`, 1),
	} {
		if _, _, err := read(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadLimit(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, sample(), nil); err != nil {
		t.Fatal(err)
	}
	size := int64(b.Len())
	if _, _, err := Read(bytes.NewReader(b.Bytes()), size, size-1); err == nil {
		t.Error("a file over the limit is read")
	}
	if _, _, err := Read(bytes.NewReader(b.Bytes()), size, size); err != nil {
		t.Error(err)
	}
	// A size that is a lie must not become memory.
	lie := file(`{"a":{"dtype":"U8","shape":[1099511627776],"data_offsets":[0,1099511627776]}}`, 8)
	if _, _, err := Read(bytes.NewReader(lie), int64(len(lie))-8+1<<40, 1<<50); err == nil {
		t.Error("a terabyte is read from 8 bytes")
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, sample(), map[string]string{"format": "pt"}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(file(`{"a":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]}}`, 8))
	f.Add(file(`{}`, 0))
	f.Add(file(`{"\u0061\ud83d\ude00":{"shape":[ 2 , 1 ],"dtype":"U8","data_offsets":[0,2]},"__metadata__":{"\n":"\/"}} `, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d tensor.Dict
		var meta map[string]string
		var err error
		bounded(t, "Read", len(b), func() { d, meta, err = read(b) })
		if err != nil {
			return
		}
		if d.Bytes() > int64(len(b)) {
			t.Errorf("%d bytes from a file of %d", d.Bytes(), len(b))
		}
		var again bytes.Buffer
		if err := Write(&again, d, meta); err != nil {
			t.Fatal(err)
		}
		d2, meta2, err := read(again.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, d2, cmpopts.EquateEmpty()) + cmp.Diff(meta, meta2, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}
