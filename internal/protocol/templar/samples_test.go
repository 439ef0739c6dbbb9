package templar

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"adit/internal/subnet"
)

func TestPool(t *testing.T) {
	if n := sparseRules().Sparse.PoolSize(); n != 30720 {
		t.Fatalf("a pool of %d", n)
	}
	for _, tt := range []struct {
		uid    subnet.UID
		window Window
		first  []uint32
		sum    uint64
	}{
		{1, 51803, []uint32{45954177, 22326158, 32001635, 37096601, 4833873}, 806035690687},
		{42, 51803, []uint32{42489869}, 802415454279},
		{200, 62834, []uint32{48627196}, 804569931123},
	} {
		got, err := Pool(tt.uid, tt.window, 52_428_800, 30_720)
		if err != nil {
			t.Fatal(err)
		}
		sum := uint64(0)
		for _, v := range got {
			sum += uint64(v)
		}
		if !slices.Equal(got[:len(tt.first)], tt.first) || sum != tt.sum {
			t.Errorf("pool of uid %d begins with %v and has sum %d, want %v and %d", tt.uid, got[:len(tt.first)], sum, tt.first, tt.sum)
		}
	}
	if got, err := Pool(1, 1, 10, 30); err != nil || len(got) != 10 {
		t.Errorf("a pool of all ten: %v, %v", got, err)
	}
	if _, err := Pool(1, 1, 0, 30); err == nil {
		t.Error("a pool of nothing")
	}
}

func TestEvalDraw(t *testing.T) {
	pool, err := Pool(3, 100, 1000, 64)
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(pool)
	a, b := EvalDraw(3, 100, 12345, pool, 8), EvalDraw(3, 100, 12346, pool, 8)
	if len(a) != 8 || slices.Equal(a, b) || !slices.Equal(a, EvalDraw(3, 100, 12345, pool, 8)) {
		t.Errorf("drew %v and %v", a, b)
	}
	for _, v := range a {
		if !slices.Contains(pool, v) {
			t.Errorf("%d is not in the pool", v)
		}
	}
	if !slices.Equal(pool, before) {
		t.Error("the pool was changed")
	}
	// What numpy 2.0.2 draws.
	thousand, err := Pool(3, 100, 1000, 64)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := EvalDraw(3, 100, 12345, thousand, 8), []uint32{584, 500, 91, 182, 902, 456, 473, 319}; !slices.Equal(got, want) {
		t.Errorf("drew %v, want %v", got, want)
	}
	if got := EvalDraw(1, 1, 1, nil, 8); got != nil {
		t.Errorf("drew %v of nothing", got)
	}
	if x, y := Share(a, 0, 2), Share(a, 1, 2); len(x) != 4 || y[0] != a[1] {
		t.Errorf("shares %v and %v of %v", x, y, a)
	}
}

// The hashes are those of Python's hashlib.
func TestSampleDigest(t *testing.T) {
	ids := []uint64{5, 1, 1<<64 - 1, 7}
	if got, want := SampleDigest(ids), "c837ae0ad3878f9a0b2901ff56dc7757"; got != want || ids[0] != 5 {
		t.Errorf("digest %s, want %s", got, want)
	}
	if got, want := SampleID([]uint32{1, 2, 3, 262143}), uint64(4092178637794827562); got != want {
		t.Errorf("id %d, want %d", got, want)
	}
}

func TestShards(t *testing.T) {
	late, early := sparseRules(), sparse213Rules()
	for _, tt := range []struct {
		rules Rules
		step  int64
		want  Shard
	}{
		{early, 0, Shard{0, 0, false}},
		{early, 454, Shard{0, 0, false}},
		{early, 455, Shard{0, 1, false}},
		{early, 455 * 7, Shard{0, 7, false}},
		{early, 455 * 10, Shard{1, 0, false}},
		{late, 455*7 - 1, Shard{0, 6, false}},
		{late, 455 * 7, Shard{0, 13, false}},
		{late, 4039, Shard{0, 8, false}},
		{late, 4040, Shard{1, 0, false}},
		{late, 4040 + 455, Shard{1, 1, false}},
		{late, 6099, Shard{1, 4, false}},
		{late, 6100, Shard{1, 5, true}},
		{late, 9999, Shard{1, 5, true}},
	} {
		if got := tt.rules.Shard(tt.step); got != tt.want {
			t.Errorf("%s: shard of step %d = %v, want %v", tt.rules.Name, tt.step, got, tt.want)
		}
	}
	for _, tt := range [][2]int64{{0, 455}, {4000, 4040}, {6099, 6100}} {
		if next, ok := late.NextShard(tt[0]); !ok || next != tt[1] {
			t.Errorf("after step %d the next shard is at %d, want %d", tt[0], next, tt[1])
		}
	}
	if next, ok := late.NextShard(6100); ok {
		t.Errorf("the last shard ends at %d", next)
	}
	for _, tt := range []struct {
		shard       Shard
		dir         string
		rules       Rules
		tokens, ids string
	}{
		{Shard{0, 3, false}, "tokenized/", early, "tokenized/train_000003.npy", "tokenized/sample_ids_000003.bin"},
		{Shard{0, 13, false}, "tokenized", late, "tokenized/train_000013.npy", "tokenized/sample_ids_000013.npy"},
		{Shard{1, 5, true}, "anneal/", late, "anneal/anneal_000005.npy", "anneal/sample_ids_anneal_000005.npy"},
	} {
		if tokens, ids := tt.shard.Names(tt.dir, tt.rules.IDsSuffix); tokens != tt.tokens || ids != tt.ids {
			t.Errorf("%v is in %s and %s", tt.shard, tokens, ids)
		}
	}
}

func TestNumpy(t *testing.T) {
	file := append(NumpyHeader(4, 3), 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0)
	f, err := ParseNumpy(bytes.NewReader(file), int64(len(file)), 0)
	if err != nil || f != (NumpyFile{4, 3, 128}) {
		t.Errorf("%+v, %v", f, err)
	}
	ids := append(NumpyHeader(8, 2), make([]byte, 16)...)
	g, err := ParseNumpy(bytes.NewReader(ids), int64(len(ids)), 8)
	if err != nil || g != (NumpyFile{8, 2, 128}) {
		t.Errorf("%+v, %v", g, err)
	}
	raw := make([]byte, 32)
	if f, err := ParseNumpy(bytes.NewReader(raw), 32, 8); err != nil || f != (NumpyFile{8, 4, 0}) {
		t.Errorf("%+v, %v", f, err)
	}
	if n := Samples(NumpyFile{4, 4100, 128}, NumpyFile{8, 3, 128}, 2048); n != 2 {
		t.Errorf("%d samples", n)
	}
	v2 := []byte(numpyMagic + "\x02\x00")
	dict := "{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }\n"
	v2 = append(binary.LittleEndian.AppendUint32(v2, uint32(len(dict))), dict+"12345678"...)
	if f, err := ParseNumpy(bytes.NewReader(v2), int64(len(v2)), 0); err != nil || f.Len != 1 || f.Size != 8 || f.Offset != int64(12+len(dict)) {
		t.Errorf("%+v, %v", f, err)
	}
	for _, bad := range []string{
		"", "x", string(raw[:31]), numpyMagic, numpyMagic + "\x01\x00\xff\xff", string(file[:len(file)-1]),
		strings.Replace(string(file), "<u4", ">u4", 1), strings.Replace(string(file), "<u4", "<f4", 1),
		strings.Replace(string(file), "(3,)", "(-3,)", 1), strings.Replace(string(file), "(3,)", "(3,3)", 1),
		strings.Replace(string(file), "shape", "descr", 1), strings.Replace(string(file), "{", " ", 1),
	} {
		if f, err := ParseNumpy(strings.NewReader(bad), int64(len(bad)), 0); err == nil {
			t.Errorf("%.90q was read as %+v", bad, f)
		}
	}
}

func FuzzNumpy(f *testing.F) {
	f.Add(append(NumpyHeader(4, 1), 1, 0, 0, 0), 0)
	f.Add(NumpyHeader(8, 0), 8)
	f.Fuzz(func(t *testing.T, data []byte, raw int) {
		if raw != 0 && raw != 4 && raw != 8 {
			return
		}
		n, err := ParseNumpy(bytes.NewReader(data), int64(len(data)), raw)
		if err == nil && (n.Len < 0 || n.Offset < 0 || n.Size < 4 || n.Len > (int64(len(data))-n.Offset)/int64(n.Size)) {
			t.Errorf("%+v in %d bytes", n, len(data))
		}
	})
}
