package telemetry

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"adit/internal/subnet"
)

var columns = []subnet.Column{
	{Name: "step", Event: "step", Attr: "n", Stays: true},
	{Name: "loss", Event: "step", Attr: "loss"},
	{Name: "val_loss", Event: "eval", Attr: "loss"},
	{Name: "group", Event: "step", Attr: "g.name", Stays: true},
	{Name: "group", Event: "eval", Attr: "group", Stays: true},
	{Name: "status", Event: "end", Attr: "status"},
	{Name: "at", Event: "end", Attr: "block"},
}

func step(n int, loss float64) subnet.Event {
	return subnet.Event{Kind: "step", Attrs: []slog.Attr{slog.Int("n", n), slog.Float64("loss", loss), slog.Group("g", slog.String("name", "a"))}}
}

func eval(attrs ...slog.Attr) subnet.Event { return subnet.Event{Kind: "eval", Attrs: attrs} }

func show(r Row) string {
	s := fmt.Sprintf("%d %s", r.Number, r.Kind)
	for _, c := range r.Cells {
		s += " " + c.Name
		if c.Kept {
			s += "~"
		}
		s += "=" + c.Value.String()
	}
	return s
}

func TestRows(t *testing.T) {
	t.Parallel()
	r := NewRows(columns, map[string]int{"step": 3})
	if got := fmt.Sprint(r.Names()); got != "[step loss val_loss group status at]" {
		t.Errorf("names are %s", got)
	}
	for _, tt := range []struct {
		e    subnet.Event
		want string // "" if no row
	}{
		{eval(slog.Float64("loss", 9)), "0 eval val_loss=9"},
		{step(1, 8), "1 step step=1 loss=8 group=a"},
		{step(2, 7), ""},
		{subnet.Event{Kind: "other", Attrs: []slog.Attr{slog.Int("n", 99)}}, ""},
		{eval(slog.Float64("loss", 7.5), slog.String("group", "b")), "2 eval step~=2 val_loss=7.5 group=b"},
		{step(3, 6), "3 step step=3 loss=6 group=a"},
		{eval(slog.String("group", "c")), ""}, // nothing new but what stays
		{step(4, 5), ""},
		{step(5, 4), ""},
		{subnet.Event{Block: 12, Kind: "end", Attrs: []slog.Attr{slog.String("status", "accepted")}}, "4 end step~=5 group~=a status=accepted at=12"},
		{step(6, 3), "5 step step=6 loss=3 group=a"},
	} {
		got := ""
		if row, ok := r.Row(at, tt.e); ok {
			got = show(row)
		}
		if got != tt.want {
			t.Errorf("%v made the row %q, want %q", tt.e, got, tt.want)
		}
	}
}

// A flaky writer fails as often as its numbers say.
type flaky struct {
	fails []bool
	rows  int
}

func (f *flaky) WriteRow(Row) error {
	fail := f.fails[0]
	f.fails = f.fails[1:]
	if fail {
		return errors.New("disk full")
	}
	f.rows++
	return nil
}

func (f *flaky) Close() error { return nil }

func TestFailuresAreToldOnce(t *testing.T) {
	t.Parallel()
	w := &flaky{fails: []bool{false, true, true, true, false, true, true, false}}
	told := 0
	read := NewRows(columns, nil).To(w, func(error) { told++ })
	for i := range 8 {
		read(time.Now(), step(i, 1))
	}
	if told != 2 || w.rows != 3 {
		t.Errorf("told of %d failures and wrote %d rows, want 2 and 3", told, w.rows)
	}
}
