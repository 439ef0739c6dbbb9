package tui

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// none stands where there is nothing to say yet.
const none = "–"

// A theme is what the parts of a screen look like. Its zero value is plain text.
// The colours are the terminal's own sixteen, which its owner has chosen to be
// read; nothing is told by colour alone.
type theme struct {
	title  lipgloss.Style // of a section
	faint  lipgloss.Style // labels, and what is over or yet to come
	strong lipgloss.Style // the numbers to look at first
	accent lipgloss.Style // where the network is
	done   lipgloss.Style // what of the cycle is over
	good   lipgloss.Style
	warn   lipgloss.Style
	bad    lipgloss.Style
}

func colours() theme {
	s := lipgloss.NewStyle()
	return theme{
		title:  s.Bold(true),
		faint:  s.Faint(true),
		strong: s.Bold(true),
		accent: s.Bold(true).Foreground(lipgloss.Cyan),
		done:   s.Foreground(lipgloss.Cyan),
		good:   s.Foreground(lipgloss.Green),
		warn:   s.Foreground(lipgloss.Yellow),
		bad:    s.Foreground(lipgloss.Red),
	}
}

// maxClean is how many bytes of a text are looked at: more than any screen has
// room for.
const maxClean = 1 << 12

// clean returns a text as one line of printable characters. Names, reasons and
// notices hold words of other neurons and of servers, which shall not steer the
// terminal.
func clean(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxClean)], "")
	return strings.Join(strings.FieldsFunc(ansi.Strip(s), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
}

// cut shortens a styled text to width cells.
func cut(s string, width int) string { return ansi.Truncate(s, max(width, 0), "…") }

// cutLeft keeps the end of a text, which of a path says more than the beginning.
func cutLeft(s string, width int) string {
	if over := ansi.StringWidth(s) - width; over > 0 {
		return ansi.TruncateLeft(s, over+1, "…")
	}
	return s
}

// pad fills a styled text up to width cells.
func pad(s string, width int, right bool) string {
	space := strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
	if right {
		return space + s
	}
	return s + space
}

// ends puts one text at the left and another at the right of a line. Without
// room for both the right one goes.
func ends(left, right string, width int) string {
	if ansi.StringWidth(left)+2+ansi.StringWidth(right) > width {
		return cut(left, width)
	}
	return left + pad(right, width-ansi.StringWidth(left), true)
}

// tooLarge is where a loss is no number any more: the validators report 1e30
// for a loss that is not finite.
const tooLarge = 1e20

// loss formats a loss; 0 is one that nobody has measured.
func loss(x float64) string {
	switch {
	case x == 0:
		return none
	case math.IsNaN(x) || math.Abs(x) >= tooLarge:
		return "inf"
	case math.Abs(x) >= 100:
		return fmt.Sprintf("%.4g", x)
	}
	return fmt.Sprintf("%.3f", x)
}

// share formats a number between 0 and 1, and a score.
func share(x float64) string {
	if math.IsNaN(x) || math.Abs(x) >= tooLarge {
		return none
	}
	return fmt.Sprintf("%.3f", x)
}

// amount formats an amount of the token, a speed or the like, in at most eight
// cells, however large.
func amount(x float64) string {
	switch size := math.Abs(x); {
	case math.IsNaN(x) || size >= tooLarge:
		return none
	case size < 1000:
		return fmt.Sprintf("%.3f", x)
	case size < 1e5:
		return fmt.Sprintf("%.1f", x)
	case size < 1e8:
		return fmt.Sprintf("%.1fk", x/1e3)
	default:
		return fmt.Sprintf("%.3g", x)
	}
}

// speed formats tokens a second.
func speed(x float64) string {
	switch {
	case x <= 0 || math.IsNaN(x) || x >= tooLarge:
		return none
	case x < 1e5:
		return fmt.Sprintf("%.0f", x)
	default:
		return fmt.Sprintf("%.0fk", x/1e3)
	}
}

// change formats how far a loss is from where it began, in percent.
func change(from, to float64) string {
	p := 100 * (to - from) / from
	if math.IsNaN(p) || math.Abs(p) >= 1e4 {
		return none
	}
	return fmt.Sprintf("%+.1f%%", p)
}

// span formats a time that has gone by or is left.
func span(d time.Duration) string {
	switch s := int(d.Round(time.Second).Seconds()); {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 2*3600:
		return fmt.Sprintf("%d min", (s+30)/60)
	default:
		return fmt.Sprintf("%d h %02d min", s/3600, s%3600/60)
	}
}

// bar draws how far something has come.
func bar(fraction float64, width int, done, left lipgloss.Style) string {
	if !(fraction > 0) { // NaN too
		fraction = 0
	}
	n := min(width, int(fraction*float64(width)+0.5))
	return done.Render(strings.Repeat("━", n)) + left.Render(strings.Repeat("─", width-n))
}

// sparks are the heights of a sparkline.
var sparks = []rune("▁▂▃▄▅▆▇█")

// sparkline draws numbers in at most width cells, the first and the last
// included.
func sparkline(xs []float64, width int) string {
	if len(xs) == 0 || width < 2 {
		return ""
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, x := range xs {
		if !math.IsNaN(x) && math.Abs(x) < tooLarge {
			low, high = min(low, x), max(high, x)
		}
	}
	n := min(len(xs), width)
	line := make([]rune, n)
	for i := range line {
		x := xs[i*(len(xs)-1)/max(n-1, 1)]
		switch {
		case math.IsNaN(x) || math.Abs(x) >= tooLarge:
			line[i] = '?'
		case high == low:
			line[i] = sparks[len(sparks)/2]
		default:
			line[i] = sparks[int((x-low)/(high-low)*float64(len(sparks)-1)+0.5)]
		}
	}
	return string(line)
}
