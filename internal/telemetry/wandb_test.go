package telemetry

import (
	"bytes"
	"encoding/hex"
	"hash/crc32"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

func wandbRun() WandBRun {
	return WandBRun{
		WandB:  subnet.WandB{On: true, Project: "subnet-expert-test-moe", Name: "[partial] rank0-foundation", Tags: []string{"foundation"}},
		ID:     "4xk2m7qa",
		Config: map[string]any{"opt": map[string]any{"lr": 1e-5}, "rules": "g3"},
		Start:  at,
	}
}

// The golden file holds the records that W&B's own reader (wandb 0.21.0,
// DataStore) found in this run, and is compared byte for byte:
// conformance/telemetry asks that reader itself.
func TestWandBFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w, err := CreateWandBFile(dir, wandbRun(), false)
	if err != nil {
		t.Fatal(err)
	}
	writeAll(t, w, rowsOf())
	path := filepath.Join(dir, "wandb", "offline-run-20261121_102808-4xk2m7qa", "run-4xk2m7qa.wandb")
	if diff := cmp.Diff(content(t, "testdata/wandb.hex"), hex.Dump([]byte(content(t, path)))); diff != "" {
		t.Error(diff)
	}
	if _, err := CreateWandBFile(dir, wandbRun(), false); err == nil {
		t.Error("the run was begun twice")
	}
}

// readLog is a reader of logs, straight from the description of the format.
func readLog(t *testing.T, log []byte) (records [][]byte) {
	t.Helper()
	var record []byte
	for i := 7; i < len(log); { // behind W&B's header
		if left := blockSize - i%blockSize; left < chunkHeader {
			if !bytes.Equal(log[i:i+left], make([]byte, left)) {
				t.Fatalf("the rest of a block at %d is not empty", i)
			}
			i += left
			continue
		}
		n, kind := int(log[i+4])|int(log[i+5])<<8, log[i+6]
		data := log[i+7 : i+7+n]
		if want := crc32.ChecksumIEEE(log[i+6 : i+7+n]); want != uint32(log[i])|uint32(log[i+1])<<8|uint32(log[i+2])<<16|uint32(log[i+3])<<24 {
			t.Fatalf("the checksum at %d is wrong", i)
		}
		if i/blockSize != (i+6+n)/blockSize {
			t.Fatalf("the chunk at %d crosses a block's end", i)
		}
		if begins := kind == chunkFull || kind == chunkFirst; begins != (record == nil) {
			t.Fatalf("the chunk at %d is of type %d", i, kind)
		}
		record = append(record, data...)
		if kind == chunkFull || kind == chunkLast {
			records = append(records, append([]byte{}, record...))
			record = nil
		} else if record == nil { // a first chunk without a byte
			record = []byte{}
		}
		i += 7 + n
	}
	if record != nil {
		t.Fatal("the log ends within a record")
	}
	return records
}

func TestLevelLog(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	log := bytes.Clone(wandbHeader)
	var want [][]byte
	add := func(n int) {
		record := make([]byte, n)
		for i := range record {
			record[i] = byte(rng.Uint32())
		}
		want = append(want, record)
		log = append(log, levelLog(int64(len(log)), record)...)
	}
	// Every way to end near a block's end, records over many blocks, none in
	// between.
	for left := range 20 {
		add(max(0, blockSize-len(log)%blockSize-chunkHeader-left))
		add(1 + rng.IntN(40))
	}
	for range 200 {
		add(int(math.Exp(rng.Float64() * 11.5)))
	}
	if diff := cmp.Diff(want, readLog(t, log)); diff != "" {
		t.Error(diff)
	}
}

func TestWandBValue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   any
		want string
	}{
		{1, "1"}, {0.5, "0.5"}, {1e-7, "1e-7"}, {true, "true"}, {"a\"b", `"a\"b"`}, {uint64(math.MaxUint64), "18446744073709551615"},
		{math.NaN(), `"NaN"`}, {math.Inf(1), `"Infinity"`}, {math.Inf(-1), `"-Infinity"`}, {nil, "null"},
	} {
		if got := wandbValue(slog.AnyValue(tt.in)); got != tt.want {
			t.Errorf("%v is %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestWandBModes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode, key string
		prefix    string // of the run's directory; "" for none
		warns     bool
		err       string
	}{
		{"disabled", "k", "", false, ""},
		{"offline", "k", "offline-run-", false, ""},
		{"OFFLINE", "", "offline-run-", false, ""},
		{"online", "", "offline-run-", true, ""},
		{"", "", "offline-run-", true, ""},
		{"sometimes", "k", "", false, "WANDB_MODE"},
	} {
		dir, warned := t.TempDir(), false
		w, err := OpenWandB(wandbRun(), WandBOptions{Dir: dir, Mode: tt.mode, Key: tt.key, Say: func(e subnet.Event) { warned = warned || e.Level >= slog.LevelWarn }})
		if (err == nil) != (tt.err == "") || err != nil && (!strings.Contains(err.Error(), tt.err) || subnet.Hint(err) == "") {
			t.Errorf("%q: error %v", tt.mode, err)
		}
		if w != nil {
			writeAll(t, w, rowsOf())
		}
		found, _ := os.ReadDir(filepath.Join(dir, "wandb"))
		if (len(found) == 1) != (tt.prefix != "") || len(found) == 1 && !strings.HasPrefix(found[0].Name(), tt.prefix) || warned != tt.warns {
			t.Errorf("%q: made %v, warned %v", tt.mode, found, warned)
		}
	}
}

// TestWandBResumesOffline goes on behind the rows of the file before, without a
// service to ask.
func TestWandBResumesOffline(t *testing.T) {
	t.Parallel()
	dir, rows := t.TempDir(), rowsOf()
	for life := range 2 {
		run := wandbRun()
		run.Resume, run.Start = run.ID, at.Add(time.Duration(life)*time.Hour)
		w, err := OpenWandB(run, WandBOptions{Dir: dir, Mode: "offline", Say: func(subnet.Event) {}})
		if err != nil {
			t.Fatal(err)
		}
		if want := life * len(rows); w.file.run.First != want {
			t.Errorf("life %d begins with step %d, want %d", life, w.file.run.First, want)
		}
		writeAll(t, w, rows)
	}
	if err := os.WriteFile(filepath.Join(dir, "wandb", "steps-4xk2m7qa"), []byte("some"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := wandbRun()
	run.Resume = run.ID
	if _, err := OpenWandB(run, WandBOptions{Dir: dir, Mode: "offline", Say: func(subnet.Event) {}}); err == nil || !strings.Contains(err.Error(), "holds no step") {
		t.Errorf("resumed after %v", err)
	}
}
