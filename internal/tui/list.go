package tui

import "math"

// A Column of a [Table].
type Column struct {
	Head  string
	Short string // the head where room is scarce, or "" if it is the same
	Right bool   // numbers
	Brief int    // width that will do where room is scarce, or 0 if all is needed
	Drop  int    // columns with the highest go first where it is scarcer still; those with 0 stay
}

// A Table is rows of text for a command that prints them, one cell a column.
type Table struct {
	Columns []Column
	Rows    [][]string
}

// Lines draws the table in width cells, or in as many as it takes if width is 0.
func (t Table) Lines(width int) []string {
	if width == 0 {
		width = math.MaxInt32
	}
	return t.table().lines(width, theme{})
}

// Hidden returns the heads of the columns that there is no room for in width
// cells.
func (t Table) Hidden(width int) []string {
	if width == 0 {
		return nil
	}
	f := t.table().fit(width)
	var heads []string
	next := 0
	for c, col := range t.Columns {
		if next < len(f.shown) && f.shown[next] == c {
			next++
			continue
		}
		heads = append(heads, col.Head)
	}
	return heads
}

func (t Table) table() *table {
	inner := &table{}
	for _, c := range t.Columns {
		inner.cols = append(inner.cols, column{head: c.Head, short: c.Short, right: c.Right, brief: c.Brief, drop: c.Drop})
	}
	for _, r := range t.Rows {
		cells := make([]cell, len(t.Columns))
		for i := range min(len(r), len(cells)) {
			cells[i].text = r[i]
		}
		inner.rows = append(inner.rows, row{cells: cells})
	}
	return inner
}
