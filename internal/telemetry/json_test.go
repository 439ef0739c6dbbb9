package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	e := event(slog.LevelInfo, "<distribute> \"ünï\"\n",
		slog.Int("n", -3), slog.Uint64("big", math.MaxUint64), slog.Float64("whole", 8), slog.Float64("lr", 1e-5),
		slog.Bool("ok", true), slog.Any("none", nil), slog.Float64("bad", math.NaN()),
		slog.Duration("took", 1500*time.Millisecond), slog.Any("err", errors.New("no <route>")),
		slog.Group("g", slog.Int("a", 1)), slog.Any("list", []any{1, "x", 0.5}),
		slog.Any("map", map[string]int{"k": 1}), slog.Int("block", 9), slog.String("_block", "u"), slog.Any("fn", TestMain))
	line := string(jsonLine(at, e))
	want := `{"time":"2026-11-21T09:28:08.25Z","level":"info","kind":"test","text":"<distribute> \"ünï\"\n","block":7,` +
		`"n":-3,"big":18446744073709551615,"whole":8.0,"lr":1e-05,"ok":true,"none":null,"bad":"nan","took":"1.5s",` +
		`"err":"no <route>","g.a":1,"list":[1,"x",0.5],"map":{"k":1},"_block":9,"__block":"u","fn":"0x`
	if !strings.HasPrefix(line, want) || strings.Count(line, "\n") != 1 || !json.Valid([]byte(line)) {
		t.Errorf("wrote\n%swant\n%s", line, want)
	}

	when, got, err := ParseJSONLine([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	if !when.Equal(at) || got.Level != e.Level || got.Kind != e.Kind || got.Text != e.Text || got.Block != e.Block {
		t.Errorf("read back %+v, want %+v", got, e)
	}
	values := map[string]any{}
	for _, a := range got.Attrs {
		values[a.Key] = a.Value.Any()
	}
	delete(values, "fn")
	if diff := cmp.Diff(map[string]any{
		"n": int64(-3), "big": uint64(math.MaxUint64), "whole": 8.0, "lr": 1e-5, "ok": true, "none": nil, "bad": "nan",
		"took": "1.5s", "err": "no <route>", "g.a": int64(1), "list": []any{int64(1), "x", 0.5},
		"map": map[string]any{"k": int64(1)}, "block": int64(9), "_block": "u",
	}, values); diff != "" {
		t.Errorf("attributes read back (-want +got):\n%s", diff)
	}
}

func TestJSONIsBounded(t *testing.T) {
	t.Parallel()
	e := event(slog.LevelInfo, strings.Repeat("\x01", 1e6))
	for i := range 1000 {
		e.Attrs = append(e.Attrs, slog.String(fmt.Sprint(i), strings.Repeat("x", 1000*(i%7))))
	}
	line := jsonLine(at, e)
	if len(line) > maxLine {
		t.Errorf("the line has %d bytes", len(line))
	}
	if _, got, err := ParseJSONLine(line); err != nil || len(got.Attrs) == 0 || len(got.Attrs) > maxAttrs {
		t.Errorf("read back: %d attributes, %v", len(got.Attrs), err)
	}
}

func TestParseJSONLine(t *testing.T) {
	t.Parallel()
	const good = `"time":"2026-11-21T09:28:08Z","level":"info","text":"x"`
	if _, _, err := ParseJSONLine([]byte("{" + good + "}\n")); err != nil {
		t.Error(err)
	}
	many := ""
	for i := range maxAttrs + 1 {
		many += fmt.Sprintf(`,"%d":0`, i)
	}
	for _, line := range []string{
		"", "\n", "panic: runtime error", "{}", "[]", "null", `"x"`, "{" + good, "{" + good + "} {}", "{" + good + "}x",
		`{"level":"info","text":"x"}`, `{"time":"2026-11-21T09:28:08Z","level":"loud","text":"x"}`,
		`{"time":"yesterday","level":"info","text":"x"}`, "{" + good + `,"block":-1}`, "{" + good + `,"block":"7"}`,
		"{" + good + `,"kind":{}}`, "{" + good + `,"x":1e999}`, "{" + good + many + "}",
		"{" + good + `,"x":"` + strings.Repeat("x", maxLine) + `"}`,
	} {
		if _, e, err := ParseJSONLine([]byte(line)); err == nil {
			t.Errorf("%.80q was read as %+v", line, e)
		}
	}
}

func FuzzParseJSONLine(f *testing.F) {
	f.Add(jsonLine(at, event(slog.LevelWarn, "batch loss", slog.Float64("loss", 8), slog.Any("m", map[string]any{"a": nil}))))
	f.Add([]byte(`{"time":"2026-11-21T09:28:08Z","level":"info","text":"x","__block":[1,{"a":-0.0}],"":1e300}`))
	f.Add([]byte(`{"time":"0000-01-01T00:00:00+23:59","level":"error","text":"\ud800","a":1,"a":2}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		at, e, err := ParseJSONLine(line)
		if err != nil {
			return
		}
		// Written again and read again it says the same, if there is room.
		again := jsonLine(at, e)
		then, back, err := ParseJSONLine(again)
		if err != nil {
			t.Fatalf("%q is not read back: %v", again, err)
		}
		if len(again) < len(line) && len(line) > maxText {
			return
		}
		if third := jsonLine(then, back); !bytes.Equal(again, third) {
			t.Fatalf("written again:\n%s%s", again, third)
		}
		(&LogWriter{w: new(bytes.Buffer), Colour: true}).Write(at, e)
	})
}
