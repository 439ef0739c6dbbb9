package torchfile

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"adit/internal/tensor"
)

// allocated returns how many bytes f allocates, those given back included.
//
// It asks runtime.ReadMemStats, which stops the world and is exact.
// runtime/metrics costs less, but its /gc/heap/allocs:bytes counts a small
// allocation only once its span is full or taken away, so that it may be a
// megabyte late: as much as the whole of what is not in proportion to the file.
// Where there is one processor the world stops at once; a long run is best
//
//	GOMAXPROCS=1 go test -run '^$' -fuzz '^FuzzDecode$' -fuzztime 10000000x -fuzzminimizetime 1x -parallel 1 ./internal/torchfile
//
// and goes ten times as fast then.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// bounded decodes a file and fails the test if that takes more memory than
// twice the file and a megabyte.
func bounded(t *testing.T, b []byte) (v any, err error) {
	t.Helper()
	n := allocated(func() { v, err = decodeBytes(b, math.MaxInt64/2) })
	if limit := int64(2*len(b) + spare); n > limit {
		t.Errorf("a file of %d bytes has %d allocated, more than %d; error %v", len(b), n, limit, err)
	}
	return v, err
}

// zipped makes a zip of stored entries, pairs of name and content, in one pass.
func zipped(entries ...string) []byte {
	var b, dir []byte
	for i := 0; i < len(entries); i += 2 {
		name, data := entries[i], entries[i+1]
		head := make([]byte, 0, 26)
		head = append(head, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0) // version, flags, method, time, date
		head = le.AppendUint32(head, crc32.ChecksumIEEE([]byte(data)))
		head = le.AppendUint32(head, uint32(len(data)))
		head = le.AppendUint32(head, uint32(len(data)))
		head = le.AppendUint16(head, uint16(len(name)))
		head = append(head, 0, 0)
		dir = append(append(append(dir, centralSig...), 20, 0), head...)
		dir = append(dir, make([]byte, 10)...)
		dir = append(le.AppendUint32(dir, uint32(len(b))), name...)
		b = append(append(append(append(b, localSig...), head...), name...), data...)
	}
	n, at := len(entries)/2, len(b)
	b = append(append(b, dir...), endSig+"\x00\x00\x00\x00"...)
	b = le.AppendUint16(le.AppendUint16(b, uint16(n)), uint16(n))
	b = le.AppendUint32(le.AppendUint32(b, uint32(len(dir))), uint32(at))
	return append(b, 0, 0)
}

// seeds are whole files: ours, theirs, and some of either with faults.
func seeds(f *testing.F) [][]byte {
	tied := tensor.FromFloats(tensor.BF16, []int{4}, []float32{1, 2, 3, 4})
	good := [][]byte{
		encode(f, map[string]any{"model_state_dict": tensor.Dict{"w": tensor.FromFloats(tensor.F16, []int{2}, []float32{1, 2})}}),
		encode(f, tensor.Dict{"a": tied, "b": tied, "none": {DType: tensor.I64, Shape: []int{0, 3}}, "one": {DType: tensor.Bool, Data: []byte{1}}}),
		encode(f, &Dict{Ordered: true, Items: []Item{{int64(1 << 40), Tuple{0.5, "größe", nil, true}}, {true, []any{int64(-1), tensor.F16}}}}),
		zipped("m/data.pkl", "\x80\x02"+mkView(1, "K\x04K\x02\x86", "K\x04K\x01\x86")+".", "m/data/0", "0123456789abcdef", "m/byteorder", "little", "m/version", "3\n"),
		wide(zipped("m/data.pkl", "\x80\x02N.", "m/data/0", "0123456789abcdef")),
		[]byte(magicLegacy),
	}
	for _, name := range []string{"torch-1.13.pt", "adamw-1.13.pt", "torch-2.15.pt"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		good = append(good, b)
	}
	out := good
	for i, b := range good {
		// One bit of each of some places, and an end cut off.
		for j := range 8 {
			bad := bytes.Clone(b)
			at := (i*7919 + j*len(b)/8 + j) % len(b)
			bad[at] ^= 1 << j
			out = append(out, bad)
		}
		out = append(out, b[:len(b)-len(b)/3])
	}
	return out
}

func FuzzDecode(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { roundTrip(t, b) })
}

// FuzzPickle fuzzes the instructions alone, past the zip.
func FuzzPickle(f *testing.F) {
	parameter := "ctorch._utils\n_rebuild_parameter\n(" + mkView(0, "K\x02\x85", "K\x01\x85") + "\x88" + mkOrdered + "tR"
	for _, ops := range []string{
		mkOrdered + "(X\x01\x00\x00\x00w" + parameter + "u}b",
		"}(K\x01]q\x00(h\x00NK\x02eK\x02)u",
		"G\x00\x00\x00\x00\x00\x00\x00\x00\x8a\x02\xff\xffM\x00\x01J\x00\x00\x00\x00t",
		"](\x8a\x08\x01\x00\x00\x00\x00\x00\x00\x80\x8a\x00\x88\x89Ne",
		"(" + mkView(0, "\x8a\x04\x00\x00\x00\x10\x85", "K\x00\x85") + "q\x01h\x01h\x01t",
		mkView(0, "K\x02K\x02K\x02\x87", "K\x01K\x02K\x08\x87") + "r\x00\x01\x00\x00j\x00\x01\x00\x00\x86",
		"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n(" + mkStorage + "K\x00))\x89" + mkOrdered + "t}tR",
		"ctorch\nSize\nK\x01K\x02\x86\x85R",
		"ctorch\nbfloat16\n\x85",
	} {
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops string) {
		roundTrip(t, zipped("m/data.pkl", "\x80\x02"+ops+".", "m/data/0", "0123456789abcdef", "m/data/1", ""))
	})
}

// roundTrip writes again what can be read, and reads the same.
func roundTrip(t *testing.T, b []byte) {
	v, err := bounded(t, b)
	if err != nil {
		return
	}
	sameIndex(t, b, v)
	var again bytes.Buffer
	if err := Encode(&again, v); err != nil {
		t.Fatal(err)
	}
	v2, err := decodeBytes(again.Bytes(), math.MaxInt64/2)
	if errors.Is(err, errBudget) {
		return // the first file had bytes that nothing of the value needed
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, want := dumped(v2), dumped(v); got != want {
		t.Errorf("%s, then %s", want, got)
	}
}

func dumped(v any) string { return fmt.Sprintf("%v", dump(v)) }

// dump shows a value with its dicts' items instead of addresses.
func dump(v any) any {
	switch v := v.(type) {
	case *Dict:
		var out []any
		for _, it := range v.Items {
			out = append(out, it.Key, dump(it.Value))
		}
		return fmt.Sprint("dict", v.Ordered, out)
	case []any:
		var out []any
		for _, e := range v {
			out = append(out, dump(e))
		}
		return out
	case Tuple:
		return fmt.Sprint("tuple", dump([]any(v)))
	}
	return v
}

// TestBombs has files that describe far more than they hold. Each must be
// refused, and within the bound.
func TestBombs(t *testing.T) {
	many := func(n int, one string) string { return strings.Repeat(one, n) }
	pickled := func(ops string) []byte {
		return zipped("m/data.pkl", "\x80\x02"+ops+".", "m/data/0", "0123456789abcdef")
	}
	huge := mkView(0, "\x8a\x05\x00\x00\x00\x10\x00\x85", "K\x00\x85")                      // 256 MiB of one byte
	expanded := mkView(0, "J\x00\x00\x04\x00\x85", "K\x00\x85")                             // 256 KiB
	view := func(i int) string { return fmt.Sprintf("X\x04\x00\x00\x00%04x", i) + "h\x00" } // by name
	var views strings.Builder
	for i := range 1000 {
		views.WriteString(view(i))
	}
	// Entries of the directory that share one local header.
	shared := zipped("m/data.pkl", "\x80\x02N.", "m/data/0", "0123456789abcdef")
	at := bytes.Index(shared, []byte(centralSig))
	record := bytes.Clone(shared[at:][:centralLen+len("m/data.pkl")])
	var dir []byte
	for i := range 20000 {
		copy(record[centralLen:], fmt.Sprintf("m/%08x", i))
		dir = append(dir, record...)
	}
	overlapping := append(append(bytes.Clone(shared[:at]), dir...), shared[len(shared)-endLen:]...)
	le.PutUint32(overlapping[len(overlapping)-10:], uint32(len(dir)))

	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"huge expanded":      {pickled(huge), "copied out of its storage"},
		"expanded and deep":  {pickled(many(60, "]("+expanded) + many(60, "e")), "copied out of its storage"},
		"expanded in a list": {pickled("](" + many(1000, expanded) + "e"), "copied out of its storage"},
		"stack":              {pickled(many(1<<20, "N")), "far more than it holds"},
		"marks":              {pickled(many(1<<20, "(")), "far more than it holds"},
		"dicts":              {pickled(many(1<<20, "}")), "far more than it holds"},
		"tuples":             {pickled(")" + many(1<<20, "\x85")), "far more than it holds"},
		"appends":            {pickled("]" + many(1<<20, "Na")), "far more than it holds"},
		"memo pages":         {pickled("N" + pages(8000)), "far more than it holds"},
		"list of numbers":    {pickled("](" + many(1<<19, "M\x00\x01") + "e"), "far more than it holds"},
		"laughs":             {pickled("(]" + many(20, "q\x00](h\x00h\x00h\x00h\x00e") + "t"), "far more than it holds"},
		"shared headers":     {overlapping, "lie over one another"},
		"names of one":       {pickled(huge + "q\x000}(" + views.String() + "u"), `'0'`},
	} {
		_, err := bounded(t, tt.file)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want … %s …", name, err, tt.want)
		}
	}
}

// pages remembers one value in each of n pages of the memo.
func pages(n int) string {
	var b []byte
	for i := range n {
		b = le.AppendUint32(append(b, opLongBinPut), uint32(i*memoPage))
	}
	return string(b)
}

// TestManyTensors reads what is the other way round: very many tensors that
// are little each, as in an optimizer's state.
func TestManyTensors(t *testing.T) {
	d := tensor.Dict{}
	for i := range 5000 {
		name := fmt.Sprintf("model.layers.%d.mlp.experts.%d.weight", i/100, i%100)
		d[name+".step"] = tensor.Tensor{DType: tensor.F32, Data: make([]byte, 4)}
		d[name+".exp_avg"] = tensor.Tensor{DType: tensor.F32, Shape: []int{16, 16}, Data: make([]byte, 1024)}
	}
	b := encode(t, d)
	v, err := bounded(t, b)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(v.(*Dict).Items); n != len(d) {
		t.Errorf("%d tensors of %d", n, len(d))
	}
}
