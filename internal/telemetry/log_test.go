package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"adit/internal/subnet"
)

var at = time.Date(2026, 11, 21, 10, 28, 8, 250e6, time.FixedZone("CET", 3600))

func event(level slog.Level, text string, attrs ...slog.Attr) subnet.Event {
	return subnet.Event{Block: 7, Level: level, Kind: "test", Text: text, Attrs: attrs}
}

// The lines of the miners' guide, character for character behind the time.
func TestLogLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		e    subnet.Event
		want string
	}{
		{event(slog.LevelInfo, "<distribute> task completed."),
			"[info     ] <distribute> task completed."},
		{event(slog.LevelInfo, "batch loss", slog.Int("inner_opt_step", 0), slog.Float64("loss", 8.234)),
			"[info     ] batch loss                     inner_opt_step=0 loss=8.234"},
		{event(slog.LevelInfo, "GradScaler for optimizer step", slog.Float64("scale_before", 65536), slog.Any("scale_after", nil),
			slog.Float64("grad_sum", 120.4), slog.Float64("grad_norm", 1.5), slog.Bool("skipped", false)),
			"[info     ] GradScaler for optimizer step  grad_norm=1.5 grad_sum=120.4 scale_after=None scale_before=65536.0 skipped=False"},
		{event(slog.LevelWarn, "a text that is longer than thirty columns", slog.String("a", "x")),
			"[warning  ] a text that is longer than thirty columns a=x"},
		{event(slog.LevelError, "ünï", slog.Group("g", slog.Int("b", 1), slog.Group("", slog.Int("a", 2)))),
			"[error    ] ünï                            g.a=2 g.b=1"},
		{event(slog.LevelDebug, ""), "[debug    ] "},
		{event(slog.LevelInfo+1, "x"), "[info     ] x"},
		{event(slog.LevelInfo, "<x>\n2026-11-21 09:28:08 [info     ] forged\x1b[2J", slog.String("from\n", "a\x00b\u202e")),
			`[info     ] <x>\n2026-11-21 09:28:08 [info     ] forged\x1b[2J from\n=a\x00b\u202e`},
	} {
		var b bytes.Buffer
		(&LogWriter{w: &b, Min: slog.LevelDebug}).Write(at, tt.e)
		if want := "2026-11-21 09:28:08 " + tt.want + "\n"; b.String() != want {
			t.Errorf("got\n%swant\n%s", b.String(), want)
		}
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := NewLogWriter(&b)
	if w.Colour {
		t.Error("a buffer is coloured")
	}
	w.Write(at, event(slog.LevelDebug, "quiet"))
	w.Write(at, event(slog.LevelInfo, "loud"))
	if s := b.String(); strings.Contains(s, "quiet") || !strings.Contains(s, "loud") {
		t.Errorf("got %q", s)
	}
}

func TestLogColour(t *testing.T) {
	t.Parallel()
	e := event(slog.LevelWarn, "batch loss", slog.Int("step", 1))
	var plain, coloured bytes.Buffer
	(&LogWriter{w: &plain}).Write(at, e)
	(&LogWriter{w: &coloured, Colour: true}).Write(at, e)
	s := coloured.String()
	if !strings.Contains(s, "\x1b[33mwarning  \x1b[0m") {
		t.Errorf("a warning is not yellow: %q", s)
	}
	for _, escape := range []string{dim, bright, cyan, magenta, reset, "\x1b[33m"} {
		s = strings.ReplaceAll(s, escape, "")
	}
	if s != plain.String() {
		t.Errorf("without its colours the line is\n%q, want\n%q", s, plain.String())
	}
}

type nothing struct{}

func (*nothing) Error() string { panic("asked") }

func TestPython(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   any
		want string
	}{
		{nil, "None"}, {true, "True"}, {false, "False"},
		{0, "0"}, {-7, "-7"}, {uint64(math.MaxUint64), "18446744073709551615"}, {uint16(3), "3"},
		{8.0, "8.0"}, {0.0, "0.0"}, {1e-5, "1e-05"}, {0.0001, "0.0001"}, {1e15, "1000000000000000.0"}, {1e16, "1e+16"},
		{2.5e-7, "2.5e-07"}, {math.NaN(), "nan"}, {math.Inf(1), "inf"}, {math.Inf(-1), "-inf"}, {math.Nextafter(0.3, 1), "0.3"}, {4.990379867311276, "4.99038"},
		{[]any{float32(0.1)}, "[0.1]"},
		{"bare", "bare"}, {"/path/to=x", "/path/to=x"}, {"two words", "'two words'"}, {"", "''"}, {"it's", `"it's"`},
		{`say "it's"`, `'say "it\'s"'`}, {"tab\t", `'tab\t'`},
		{[]string{"a", "b c"}, "['a', 'b c']"}, {[]int(nil), "[]"}, {[2]bool{true}, "[True, False]"},
		{map[string]any{"hotkey2": 1, "hotkey1": nil}, "{'hotkey1': None, 'hotkey2': 1}"},
		{errors.New("no route"), "'no route'"}, {(*nothing)(nil), "None"}, {subnet.Hotkey("5F"), "'5F'"},
		{netip.MustParseAddrPort("1.2.3.4:5"), "'1.2.3.4:5'"}, {1500 * time.Millisecond, "1.5s"},
		{at, "2026-11-21T09:28:08.25Z"}, {struct{ A int }{3}, "{3}"}, {new(int), "0"},
	} {
		if got := python(slog.AnyValue(tt.in)); got != tt.want {
			t.Errorf("python(%#v) = %s, want %s", tt.in, got, tt.want)
		}
	}
	if got := python(slog.StringValue(strings.Repeat("é", 5000))); len(got) > maxText+10 {
		t.Errorf("a long text takes %d bytes", len(got))
	}
}
