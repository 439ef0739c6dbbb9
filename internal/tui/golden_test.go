package tui

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is drawn to testdata")

// golden compares a text with what a person has looked at and found good.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(strings.ReplaceAll(string(want), "\r\n", "\n"), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-want +got); look at it and run the test with -update:\n%s", path, diff)
	}
}

func TestScreen(t *testing.T) {
	for name, s := range snapshots() {
		for _, size := range [][2]int{{80, 24}, {80, 40}, {120, 40}} {
			name := fmt.Sprintf("%s-%dx%d", name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				sc := layout(&s, began.Add(150*time.Second), size[0], size[1], 0, theme{})
				golden(t, name, strings.Join(sc.lines, "\n")+"\n")
			})
		}
	}
}

func TestSummary(t *testing.T) {
	for name, s := range snapshots() {
		for _, width := range []int{80, 120} {
			name := fmt.Sprintf("summary-%s-%d", name, width)
			t.Run(name, func(t *testing.T) {
				var b bytes.Buffer
				Summary(&b, s, width)
				golden(t, name, b.String())
			})
		}
	}
}

// TestFits lays everything out in every size a terminal may have.
func TestFits(t *testing.T) {
	all := snapshots()
	all["strange"] = strangeSnapshot()
	for name, s := range all {
		for width := 1; width <= 200; width += 1 + width/4 {
			for height := 1; height <= 60; height += 1 + height/3 {
				top := 7 * (height % 2) // scrolled or not
				sc := layout(&s, began, width, height, top, colours())
				if len(sc.lines) != height {
					t.Fatalf("%s in %d × %d from %d: %d lines", name, width, height, top, len(sc.lines))
				}
				plain := layout(&s, began, width, height, top, theme{})
				for i, line := range sc.lines {
					if got := ansi.StringWidth(line); got > width {
						t.Errorf("%s in %d × %d from %d: line %d has %d columns: %q", name, width, height, top, i, got, line)
					}
					if text := strings.TrimRight(ansi.Strip(line), " "); text != plain.lines[i] {
						t.Errorf("%s in %d × %d: with colours line %d is %q, without %q", name, width, height, i, text, plain.lines[i])
					}
					if strings.ContainsFunc(plain.lines[i], control) {
						t.Errorf("%s in %d × %d: line %d holds control characters: %q", name, width, height, i, plain.lines[i])
					}
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		}
	}
}

func control(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e }

func TestSummaryFits(t *testing.T) {
	all := snapshots()
	all["strange"] = strangeSnapshot()
	for name, s := range all {
		for width := 80; width <= 200; width += 8 {
			var b bytes.Buffer
			Summary(&b, s, width)
			for line := range strings.Lines(b.String()) {
				if got := ansi.StringWidth(strings.TrimSuffix(line, "\n")); got > width {
					t.Errorf("%s in %d: %d columns: %q", name, width, got, line)
				}
				if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), control) {
					t.Errorf("%s in %d: control characters: %q", name, width, line)
				}
			}
		}
	}
}

// TestReasonsAreWhole checks that no width hides why a miner got nothing.
func TestReasonsAreWhole(t *testing.T) {
	s := runningSnapshot()
	for width := 40; width <= 200; width += 5 {
		var b bytes.Buffer
		Summary(&b, s, width)
		words := strings.Join(strings.Fields(b.String()), " ")
		for _, n := range s.Neurons {
			if n.Role == "mine" && !strings.Contains(words, n.Reason) {
				t.Errorf("width %d: the reason of %s is not in the summary: %s", width, n.Name, n.Reason)
			}
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "plain", "two\nlines", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b2J", "\xff\xfe", "a\u202eb", strings.Repeat("é", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if strings.ContainsFunc(got, control) || len(got) > maxClean {
			t.Errorf("clean(%q) = %q", s, got)
		}
		if again := clean(got); again != got {
			t.Errorf("clean(%q) = %q, and cleaned again %q", s, got, again)
		}
	})
}
