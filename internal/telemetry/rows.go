package telemetry

import (
	"log/slog"
	"math"
	"time"

	"adit/internal/subnet"
)

// Rows makes rows of events, by a protocol's columns.
type Rows struct {
	names   []string       // in the order of the columns
	index   map[string]int // into names
	columns map[string][]subnet.Column
	stays   map[string]bool
	every   map[string]int
	seen    map[string]int        // events of a kind
	last    map[string]slog.Value // of the columns that stay
	number  int
}

// A Row is what an event says in columns.
type Row struct {
	At     time.Time
	Number int    // how many rows there were before
	Kind   string // of the event
	Cells  []Cell // in the order of the columns; those without a value are left out
}

// A Cell is a value in a row. Kept is one that an earlier event had.
type Cell struct {
	Name  string
	Value slog.Value
	Kept  bool
}

// A RowWriter writes rows to where they are kept. A row that was not written
// does not keep the next ones from being so.
type RowWriter interface {
	WriteRow(Row) error
	Close() error
}

// NewRows returns a maker of rows. Of a kind of event that every names, only the
// first makes one, and every so many-th after.
func NewRows(columns []subnet.Column, every map[string]int) *Rows {
	r := &Rows{
		index: make(map[string]int), columns: make(map[string][]subnet.Column), stays: make(map[string]bool),
		every: every, seen: make(map[string]int), last: make(map[string]slog.Value),
	}
	for _, c := range columns {
		if _, known := r.index[c.Name]; !known {
			r.index[c.Name] = len(r.names)
			r.names = append(r.names, c.Name)
		}
		r.columns[c.Event] = append(r.columns[c.Event], c)
		r.stays[c.Name] = r.stays[c.Name] || c.Stays
	}
	return r
}

// Names returns the names of the columns, in order.
func (r *Rows) Names() []string { return r.names }

// Row returns the row that an event makes, or false if it makes none.
func (r *Rows) Row(at time.Time, e subnet.Event) (Row, bool) {
	columns, ok := r.columns[e.Kind]
	if !ok {
		return Row{}, false
	}
	fresh, news := make(map[string]slog.Value), false
	for _, c := range columns {
		if v, ok := attribute(e, c.Attr); ok {
			fresh[c.Name] = v
			if r.stays[c.Name] {
				r.last[c.Name] = v
			} else {
				news = true
			}
		}
	}
	if !news {
		return Row{}, false
	}
	r.seen[e.Kind]++
	if n := r.seen[e.Kind]; n > 1 && n%max(1, r.every[e.Kind]) != 0 {
		return Row{}, false
	}
	row := Row{At: at, Number: r.number, Kind: e.Kind}
	r.number++
	for _, name := range r.names {
		if v, ok := fresh[name]; ok {
			row.Cells = append(row.Cells, Cell{Name: name, Value: v})
		} else if v, ok := r.last[name]; ok {
			row.Cells = append(row.Cells, Cell{name, v, true})
		}
	}
	return row, true
}

// To returns a reader that hands each row to w. What goes wrong is told to
// failed when it begins, and not again until a row was written in between: a full
// disk is not to fill the log.
func (r *Rows) To(w RowWriter, failed func(error)) Reader {
	var failing bool
	return func(at time.Time, e subnet.Event) {
		row, ok := r.Row(at, e)
		if !ok {
			return
		}
		err := w.WriteRow(row)
		if err != nil && !failing {
			failed(err)
		}
		failing = err != nil
	}
}

// attribute returns an attribute of an event. The members that every event has
// go by the names that they have in a [JSONWriter]'s lines, unless an attribute
// is called so.
func attribute(e subnet.Event, name string) (slog.Value, bool) {
	for _, a := range flatten(nil, "", e.Attrs) {
		if a.Key == name {
			return a.Value, true
		}
	}
	switch name {
	case kindKey:
		return slog.StringValue(e.Kind), true
	case levelKey:
		return slog.StringValue(levelName(e.Level)), true
	case blockKey:
		return slog.Uint64Value(uint64(e.Block)), e.Block > 0
	}
	return slog.Value{}, false
}

// number returns a value as a number: durations in seconds, truths as 0 and 1.
func number(v slog.Value) (float64, bool) {
	switch v.Kind() {
	case slog.KindInt64:
		return float64(v.Int64()), true
	case slog.KindUint64:
		return float64(v.Uint64()), true
	case slog.KindFloat64:
		return v.Float64(), true
	case slog.KindDuration:
		return v.Duration().Seconds(), true
	case slog.KindBool:
		if v.Bool() {
			return 1, true
		}
		return 0, true
	}
	return math.NaN(), false
}
