package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"adit/internal/subnet"
)

// A LogWriter writes events as the lines that the networks' users know, which
// are those of Python's structlog:
//
//	2026-11-21 09:28:08 [info     ] <distribute> task completed.
//	2026-11-21 09:28:09 [info     ] batch loss                     inner_opt_step=0 loss=8.234
//
// Times are UTC, attributes in the order of their names.
type LogWriter struct {
	w      io.Writer
	Min    slog.Level // lower levels are left out; the zero value is Info
	Colour bool       // lines hold ANSI escapes
}

// NewLogWriter returns a writer to w, in colour if w is a terminal and the
// environment does not ask for none (see https://no-color.org).
func NewLogWriter(w io.Writer) *LogWriter { return &LogWriter{w: w, Colour: wantsColour(w)} }

func wantsColour(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	// The older console of Windows prints escapes as they are.
	if runtime.GOOS == "windows" && os.Getenv("WT_SESSION") == "" && os.Getenv("TERM") == "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// textWidth is what the text is padded to when attributes follow, and
// levelWidth the level.
const (
	textWidth  = 30
	levelWidth = 9
)

// The colours of structlog's console.
const (
	dim     = "\x1b[2m"
	bright  = "\x1b[1m"
	cyan    = "\x1b[36m"
	magenta = "\x1b[35m"
	reset   = "\x1b[0m"
)

func levelColour(l slog.Level) string {
	switch {
	case l < slog.LevelWarn:
		return "\x1b[32m" // green
	case l < slog.LevelError:
		return "\x1b[33m" // yellow
	}
	return "\x1b[31m" // red
}

// Write writes one event, in one call to the writer below. What cannot be
// written is lost: there is nowhere left to say so.
func (l *LogWriter) Write(at time.Time, e subnet.Event) {
	if e.Level < l.Min {
		return
	}
	io.WriteString(l.w, l.line(at, e))
}

func (l *LogWriter) line(at time.Time, e subnet.Event) string {
	var b strings.Builder
	paint := func(colour, text string) {
		if l.Colour {
			text = colour + text + reset
		}
		b.WriteString(text)
	}
	paint(dim, at.UTC().Format("2006-01-02 15:04:05"))
	b.WriteString(" [")
	paint(levelColour(e.Level), fmt.Sprintf("%-*s", levelWidth, levelName(e.Level)))
	b.WriteString("] ")
	text := visible(e.Text)
	attrs := flatten(nil, "", e.Attrs)
	if len(attrs) > 0 {
		text += strings.Repeat(" ", max(0, textWidth-utf8.RuneCountInString(text)))
	}
	paint(bright, text)
	slices.SortStableFunc(attrs, func(x, y slog.Attr) int { return strings.Compare(x.Key, y.Key) })
	for _, a := range attrs {
		b.WriteString(" ")
		paint(cyan, visible(a.Key))
		b.WriteString("=")
		paint(magenta, python(a.Value))
	}
	b.WriteString("\n")
	return b.String()
}

// flatten appends attrs to out, those in groups as "group.name".
func flatten(out []slog.Attr, prefix string, attrs []slog.Attr) []slog.Attr {
	for _, a := range attrs {
		a.Value = a.Value.Resolve()
		a.Key = prefix + a.Key
		if a.Value.Kind() != slog.KindGroup {
			out = append(out, a)
			continue
		}
		inner := prefix // a group without a name is no group
		if a.Key != prefix {
			inner = a.Key + "."
		}
		out = flatten(out, inner, a.Value.Group())
	}
	return out
}
