package telemetry

import (
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rowsOf returns the rows of a run in which what is not a number comes too.
func rowsOf() []Row {
	cell := func(name string, v any) Cell { return Cell{Name: name, Value: slog.AnyValue(v)} }
	return []Row{
		{At: at, Number: 0, Kind: "step", Cells: []Cell{cell("step", 1), cell("loss", 8.234), cell("lr", 1e-5)}},
		{At: at.Add(1500 * time.Millisecond), Number: 1, Kind: "step", Cells: []Cell{cell("step", 2), cell("loss", math.NaN()), cell("lr", math.Inf(1))}},
		{At: at.Add(2 * time.Second), Number: 2, Kind: "end", Cells: []Cell{{"step", slog.IntValue(2), true}, cell("loss", math.Inf(-1)), cell("lr", 0.1),
			cell("status", `accepted, "late"`), cell("time", 90*time.Second), cell("ok", true)}},
	}
}

var names = []string{"step", "loss", "lr", "status", "time", "ok"}

const csvGolden = `step,loss,lr,status,time,ok
1,8.234,1e-05,,,
2,nan,inf,,,
2,-inf,0.1,"accepted, ""late""",90,True
`

func writeAll(t *testing.T, w RowWriter, rows []Row) {
	t.Helper()
	for _, r := range rows {
		if err := w.WriteRow(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCSV(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "metrics", "foundation.csv")
	if err := NewCSV(path, names).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Error("there is a file before there is a row")
	}
	writeAll(t, NewCSV(path, names), rowsOf())
	if diff := cmp.Diff(csvGolden, content(t, path)); diff != "" {
		t.Error(diff)
	}

	// The next process goes on, the header is there once.
	writeAll(t, NewCSV(path, names), rowsOf()[:1])
	want := csvGolden + "1,8.234,1e-05,,,\n"
	if diff := cmp.Diff(want, content(t, path)); diff != "" {
		t.Error(diff)
	}

	// Other columns are another file; the first stays as it is.
	for range 2 {
		writeAll(t, NewCSV(path, []string{"step", "status"}), rowsOf()[2:])
	}
	if diff := cmp.Diff(want, content(t, path)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("step,status\n"+strings.Repeat("2,\"accepted, \"\"late\"\"\"\n", 2), content(t, strings.Replace(path, ".csv", "-2.csv", 1))); diff != "" {
		t.Error(diff)
	}
}

// Wherever a sudden end cut the file, whole lines stay and follow.
func TestCSVCutShort(t *testing.T) {
	t.Parallel()
	header := strings.Index(csvGolden, "\n") + 1
	for n := 0; n < len(csvGolden); n += 5 {
		path := filepath.Join(t.TempDir(), "m.csv")
		if err := os.WriteFile(path, []byte(csvGolden[:n]), 0o644); err != nil {
			t.Fatal(err)
		}
		writeAll(t, NewCSV(path, names), rowsOf()[:1])
		whole := csvGolden[:max(header, strings.LastIndex(csvGolden[:n], "\n")+1)]
		if got := content(t, path); got != whole+"1,8.234,1e-05,,,\n" {
			t.Fatalf("cut at byte %d, it became %q", n, got)
		}
	}
}

func TestCSVCannotBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := NewCSV(filepath.Join(file, "m.csv"), names).WriteRow(rowsOf()[0]); err == nil {
		t.Error("a file was a directory")
	}
}
