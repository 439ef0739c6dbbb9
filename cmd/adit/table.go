package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"adit/internal/tui"
)

// outWidth is how many cells a line of standard output has, or 0 if it is no
// terminal and takes lines of any length.
func outWidth(t terminal) int {
	if f, ok := t.out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			return w
		}
	}
	return 0
}

// printTable prints a table in the width of the terminal, and tells which columns
// there was no room for. Cells are shown as they are, but for what would do
// something to the terminal.
func printTable(t terminal, table tui.Table) error {
	hidden, err := printRows(t, table)
	tellHidden(t, hidden)
	return err
}

// printRows is printTable for one of several tables. It returns which columns
// there was no room for.
func printRows(t terminal, table tui.Table) ([]string, error) {
	for _, row := range table.Rows {
		for i := range row {
			row[i] = plainText(row[i])
		}
	}
	width := outWidth(t)
	_, err := fmt.Fprintln(t.out, strings.Join(table.Lines(width), "\n"))
	return table.Hidden(width), err
}

func tellHidden(t terminal, heads []string) {
	if heads != nil {
		fmt.Fprintf(t.err, "adit: no room for %s: a wider terminal shows them, and so does --json\n", strings.Join(heads, ", "))
	}
}

// printPairs prints names and what goes with them, a line each.
func printPairs(t terminal, title string, pairs [][2]string) error {
	_, err := fmt.Fprint(t.out, pairLines(title, pairs))
	return err
}

// pairLines is a title, if there is one, and below it a line for each pair.
func pairLines(title string, pairs [][2]string) string {
	var b strings.Builder
	indent := ""
	if title != "" {
		fmt.Fprintln(&b, plainText(title))
		indent = "  "
	}
	names := 0
	for _, p := range pairs {
		names = max(names, len(p[0]))
	}
	for _, p := range pairs {
		fmt.Fprintf(&b, "%s%-*s  %s\n", indent, names, p[0], plainText(p[1]))
	}
	return b.String()
}
