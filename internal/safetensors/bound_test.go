package safetensors

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
)

// allocated returns how many bytes this process has allocated so far. Unlike
// runtime.ReadMemStats it does not stop the world, and so counts small objects
// only as their spans fill up: at most some hundred kilobytes too late, which
// the mebibyte of the bound leaves room for.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// bounded reports an f that allocates more than twice the bytes present and a
// mebibyte.
func bounded(t *testing.T, what string, present int, f func()) {
	t.Helper()
	before := allocated()
	f()
	if n := allocated() - before; n > uint64(2*present+slack) {
		t.Errorf("%s: %d bytes allocated for a file of %d", what, n, present)
	}
}

// exactly is bounded without the lateness of the cheaper count.
func exactly(t *testing.T, what string, present int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(2*present+slack) {
		t.Errorf("%s: %d bytes allocated for a file of %d, %.2f times", what, n, present, float64(n)/float64(present))
	}
}

// TestAllocationBound tries what costs a reader the most memory for each byte
// of the file.
func TestAllocationBound(t *testing.T) {
	many := func(n int, entry func(i int) string) string {
		var b strings.Builder
		b.WriteByte('{')
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(entry(i))
		}
		b.WriteByte('}')
		return b.String()
	}
	none := `{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`
	deep := `{"dtype":"U8","shape":[` + strings.Repeat("0,", maxRank-1) + `0],"data_offsets":[0,0]}`
	long := strings.Repeat("n", 4<<20)
	const few = 100_000
	for name, header := range map[string]string{
		"names":        many(few, func(i int) string { return fmt.Sprintf(`"%x":%s`, i, none) }),
		"escapes":      many(few, func(i int) string { return fmt.Sprintf(`"\n\n%x":%s`, i, none) }),
		"shapes":       many(few/4, func(i int) string { return fmt.Sprintf(`"%x":%s`, i, deep) }),
		"no shape":     many(1, func(int) string { return `"a":{"dtype":"U8","shape":[` + strings.Repeat("0,", 1<<20) + `0]` }),
		"braces":       many(1, func(int) string { return `"` + strings.Repeat("{", 4<<20) + `":` + none }),
		"long name":    many(1, func(int) string { return `"` + long + `":` + none }),
		"bad name":     many(1, func(int) string { return `"` + long + `":7` }),
		"twice":        many(2, func(int) string { return `"` + long + `":` + none }),
		"long key":     many(1, func(int) string { return `"a":{"` + long + `":7}` }),
		"long type":    many(1, func(int) string { return `"a":{"dtype":"` + long + `"}` }),
		"long number":  many(1, func(int) string { return `"a":{"shape":[` + strings.Repeat("1", 4<<20) + `]}` }),
		"long note":    many(1, func(int) string { return `"__metadata__":{"` + long + `":"` + long + `"}` }),
		"some notes":   `{"__metadata__":` + many(maxNotes, func(i int) string { return fmt.Sprintf(`"%x":""`, i) }) + `}`,
		"notes":        `{"__metadata__":` + many(few, func(i int) string { return fmt.Sprintf(`"%x":""`, i) }) + `}`,
		"nested":       strings.Repeat(`{"":`, 1<<20),
		"nested lists": strings.Repeat(`[`, 4<<20),
	} {
		b := file(header, 0)
		exactly(t, name+": Open", len(b), func() {
			if f, err := Open(bytes.NewReader(b), int64(len(b))); err == nil {
				f.Names()
				f.Meta()
			}
		})
		exactly(t, name+": Read", len(b), func() { read(b) })

		x := []byte(header)
		exactly(t, name+": ParseIndex", len(b), func() { ParseIndex(x) })
		for _, index := range []string{
			many(few, func(i int) string { return fmt.Sprintf(`"%x":"d.bin"`, i) }),
			many(few, func(i int) string { return fmt.Sprintf(`"a":"%x.bin"`, i) }),
			many(few, func(i int) string { return `"a":"d.bin"` }),
			many(1, func(i int) string { return `"` + long + `":"` + long + `"` }),
			many(1, func(i int) string { return `"` + strings.Repeat(":", 4<<20) + `":"a.bin"` }),
		} {
			x := []byte(`{"weight_map":` + index + `}`)
			exactly(t, "index", len(x), func() { ParseIndex(x) })
		}
	}
	// The bound must not refuse models of many small tensors.
	b := file(many(few, func(i int) string {
		return fmt.Sprintf(`"model.layers.%d.weight":{"dtype":"F32","shape":[16],"data_offsets":[%d,%d]}`, i, 64*i, 64*i+64)
	}), 64*few)
	exactly(t, "small tensors", len(b), func() {
		if d, _, err := read(b); err != nil || len(d) != few {
			t.Errorf("%d small tensors: %v", len(d), err)
		}
	})
}
