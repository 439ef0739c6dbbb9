package templar

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

func crawls() []DataConfig {
	list := make([]DataConfig, 95)
	for i := range list {
		list[i] = DataConfig{fmt.Sprintf("CC-MAIN-2013-%02d", i), int64(1_000_000 + 12_345*i), "train"}
	}
	return list
}

func TestPages(t *testing.T) {
	for _, tt := range []struct {
		seed   uint32
		window Window
		want   []string
	}{
		{3, 1400000, []string{"00 817061", "76 1290702", "26 639506"}},
		{255, 2100000, []string{"41 38803", "67 791137", "19 635326"}},
	} {
		pages, err := Pages(tt.seed, tt.window, 3, crawls())
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range pages {
			if got := fmt.Sprintf("%s %d", strings.TrimPrefix(p.Config, "CC-MAIN-2013-"), p.Row); got != tt.want[i] || p.Split != "train" {
				t.Errorf("page %d of uid %d = %v, want %s", i, tt.seed, p, tt.want[i])
			}
		}
	}
	if _, err := Pages(1, 1, 1, nil); err == nil {
		t.Error("pages of nothing")
	}
	if _, err := Pages(1, 1, 1, []DataConfig{{"a", 101, "train"}}); err == nil {
		t.Error("a page of too few rows")
	}
	if p, err := Pages(1, 1, 1, []DataConfig{{"a", 102, "train"}}); err != nil || p[0].Row != 0 {
		t.Errorf("the only page is %v, %v", p, err)
	}
}

func TestDocuments(t *testing.T) {
	got := Documents([]int32{1, 5, 6, 2, 2, 1, 7, 8, 9, 10, 2, 1}, 2, 4)
	want := []subnet.Sequence{
		{Tokens: []int32{1, 5, 6, 2}, Targets: []int32{5, 6, -1, -1}},
		{Tokens: []int32{1, 7, 8, 9}, Targets: []int32{7, 8, 9, -1}},
		{Tokens: []int32{10, 2, 2, 2}, Targets: []int32{-1, -1, -1, -1}},
		{Tokens: []int32{1, 2, 2, 2}, Targets: []int32{-1, -1, -1, -1}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if b := Batches(got, 3); len(b) != 1 || len(b[0]) != 3 {
		t.Errorf("%d batches", len(b))
	}
	if b := Batches(got, 2); len(b) != 2 {
		t.Errorf("%d batches", len(b))
	}
	if b := Batches(got, 0); b != nil {
		t.Errorf("%d batches of nothing", len(b))
	}
}

func TestPacked(t *testing.T) {
	got, err := Packed([]uint32{4, 5, 1, 6}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if want := (subnet.Sequence{Tokens: []int32{4, 5, 1, 6}, Targets: []int32{5, -1, 6, -1}}); !cmp.Equal(want, got) {
		t.Error(cmp.Diff(want, got))
	}
	if _, err := Packed([]uint32{1 << 31}, 1); err == nil {
		t.Error("a token of 32 bits")
	}
}

func TestSampleRate(t *testing.T) {
	if r := SampleRate(1).Next(true); r != 0.95 {
		t.Error(r)
	}
	if r := SampleRate(0.98).Next(false); r != 1 {
		t.Error(r)
	}
	if r := SampleRate(1e-4).Next(true); r != 1e-4 {
		t.Error(r)
	}
}

func TestDataServer(t *testing.T) {
	sizes := `{"size":{"dataset":{"dataset":"d"},"splits":[
		{"dataset":"d","config":"default","split":"train","num_rows":9},
		{"dataset":"d","config":"b","split":"train","num_rows":7},
		{"dataset":"d","config":"a","split":"train","num_rows":8},
		{"dataset":"d","config":"b","split":"test","num_rows":6}]},"partial":false}`
	got, err := ParseSizes([]byte(sizes))
	if err != nil {
		t.Fatal(err)
	}
	if want := []DataConfig{{"b", 6, "test"}, {"a", 8, "train"}}; !slices.Equal(got, want) {
		t.Errorf("sizes = %v, want %v", got, want)
	}
	for _, bad := range []string{``, `{}`, `[]`, `{"size":{"splits":[{"config":"a","num_rows":-1}]}}`, `{"size":{"splits":[{"config":"a","num_rows":1e300}]}}`} {
		if _, err := ParseSizes([]byte(bad)); err == nil {
			t.Errorf("sizes %q were read", bad)
		}
	}
	texts, err := ParseRows([]byte(`{"features":[],"rows":[{"row_idx":4,"row":{"text":"one","id":"x"},"truncated_cells":[]},{"row":{"text":""}}]}`))
	if err != nil || !slices.Equal(texts, []string{"one", ""}) {
		t.Errorf("rows = %q, %v", texts, err)
	}
	for _, bad := range []string{`{"rows":[]}`, `{"rows":[{"row":{}}]}`, `{"error":"busy"}`, `{"rows":[` + strings.Repeat(`{"row":{"text":"a"}},`, 100) + `{"row":{"text":"a"}}]}`} {
		if _, err := ParseRows([]byte(bad)); err == nil {
			t.Errorf("rows %.40q were read", bad)
		}
	}
	if got, want := RowsQuery("a/b", Page{"CC MAIN", 12, "train"}), "/rows?config=CC+MAIN&dataset=a%2Fb&length=100&offset=12&split=train"; got != want {
		t.Errorf("query %s, want %s", got, want)
	}
	if got, want := SizeQuery("a/b"), "/size?dataset=a%2Fb"; got != want {
		t.Errorf("query %s, want %s", got, want)
	}
}

func FuzzDataServer(f *testing.F) {
	f.Add([]byte(`{"size":{"splits":[{"config":"a","split":"train","num_rows":8}]}}`))
	f.Add([]byte(`{"rows":[{"row":{"text":"one"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if list, err := ParseSizes(data); err == nil {
			for _, c := range list {
				if c.Name == "" || c.Rows < 0 || c.Name == "default" {
					t.Errorf("config %v", c)
				}
			}
			_, _ = Pages(1, 2, 3, list)
		}
		if texts, err := ParseRows(data); err == nil && (len(texts) == 0 || len(texts) > pageRows) {
			t.Errorf("%d rows", len(texts))
		}
	})
}
