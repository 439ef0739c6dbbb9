package telemetry

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"adit/internal/subnet"
)

// A WandBRun is a run as Weights & Biases knows it. Its ID is new in each
// process: what is told of it is never mixed with what another told. One that is
// resumed has the ID that it had, and goes on behind the rows that it has.
type WandBRun struct {
	subnet.WandB
	ID     string
	First  int            // step of the first row
	Config map[string]any // the settings; may be nil
	Start  time.Time
}

// NewWandBRun returns a run that begins now.
func NewWandBRun(w subnet.WandB, config map[string]any) WandBRun {
	// W&B's own identifiers are eight small letters and digits.
	id := w.Resume
	if id == "" {
		id = strings.ToLower(rand.Text()[:8])
	}
	return WandBRun{WandB: w, ID: id, Config: config, Start: time.Now()}
}

// WandBOptions say where a run's rows go.
type WandBOptions struct {
	Dir  string // where the directory "wandb" is, or comes to be
	Mode string // "online", "offline" or "disabled", as in WANDB_MODE; "" is online if there is a key
	Key  string // WANDB_API_KEY
	Base string // WANDB_BASE_URL; "" for the public service
	// Say is told where the rows go, and what goes wrong with that.
	Say func(subnet.Event)
}

// A WandBWriter writes rows to the file of a run, and if there is a key sends them
// to the service too. Whatever is wrong with the service, the file has all of
// them: 'wandb sync' sends it later (--include-online if the run was online).
type WandBWriter struct {
	file   *WandBFile
	stream *WandBStream // nil if offline
	steps  stepFile     // "" unless the run is resumed
	say    func(subnet.Event)
}

// OpenWandB begins a run. It does not wait for the service. Nothing is returned
// if the mode is "disabled".
func OpenWandB(run WandBRun, o WandBOptions) (*WandBWriter, error) {
	online := false
	switch strings.ToLower(o.Mode) {
	case "disabled":
		return nil, nil
	case "offline", "dryrun":
	case "", "online", "run", "shared":
		if online = o.Key != ""; !online {
			o.Say(subnet.Event{Level: slog.LevelWarn, Kind: "wandb", Text: "W&B: WANDB_API_KEY is not set, the run stays on this machine"})
		}
	default:
		return nil, subnet.WithHint(fmt.Errorf("WANDB_MODE is %q", o.Mode), "set it to online, offline or disabled")
	}
	w := &WandBWriter{say: o.Say}
	var err error
	if run.Resume != "" {
		w.steps = wandbSteps(o.Dir, run.ID)
		if run.First, err = w.steps.read(); err != nil {
			return nil, err
		}
	}
	file, err := CreateWandBFile(o.Dir, run, online)
	if err != nil {
		return nil, err
	}
	w.file = file
	if online {
		w.stream = StartWandBStream(run, o.Base, o.Key, o.Say)
	}
	o.Say(subnet.Event{Kind: "wandb", Text: "W&B run", Attrs: []slog.Attr{
		slog.String("project", run.Project), slog.String("run", run.Name), slog.String("id", run.ID), slog.Bool("online", online), slog.String("path", file.Dir())}})
	return w, nil
}

// WriteRow implements [RowWriter].
func (w *WandBWriter) WriteRow(r Row) error {
	if w.stream != nil {
		w.stream.Send(r)
	}
	err := w.file.WriteRow(r)
	if w.steps != "" {
		err = errors.Join(err, w.steps.write(w.file.run.First+r.Number+1))
	}
	return err
}

// Close ends the run. It gives the service a few seconds to take the last rows.
func (w *WandBWriter) Close() error {
	var err error
	if w.stream != nil {
		if err = w.stream.Close(); err != nil {
			w.say(subnet.Event{Level: slog.LevelWarn, Kind: "wandb", Text: "W&B did not take all rows; send them later: wandb sync --include-online " + w.file.Dir(),
				Attrs: []slog.Attr{slog.String("error", err.Error())}})
			err = nil // the file has them
		}
	}
	return errors.Join(err, w.file.Close())
}

// A wandbItem is a key and its value in JSON.
type wandbItem struct{ key, json string }

// wandbItems returns a row as W&B has it: the columns, and where and when it
// stands.
func wandbItems(run WandBRun, r Row) []wandbItem {
	var items []wandbItem
	for _, c := range r.Cells {
		items = append(items, wandbItem{c.Name, wandbValue(c.Value)})
	}
	return append(items,
		wandbItem{"_step", fmt.Sprint(run.First + r.Number)},
		wandbItem{"_timestamp", decimal(seconds(r.At))},
		wandbItem{"_runtime", decimal(max(0, r.At.Sub(run.Start).Seconds()))})
}

// wandbValue writes a value in JSON. What is no number there is a string by the
// name that W&B's own client gives it.
func wandbValue(v slog.Value) string {
	switch v.Kind() {
	case slog.KindFloat64:
		x := v.Float64()
		switch {
		case math.IsNaN(x):
			return `"NaN"`
		case math.IsInf(x, 1):
			return `"Infinity"`
		case math.IsInf(x, -1):
			return `"-Infinity"`
		}
		b, _ := json.Marshal(x) // any other number can be written
		return string(b)
	case slog.KindDuration:
		return decimal(v.Duration().Seconds())
	}
	return jsonValue(v)
}

// decimal writes a number without an exponent.
func decimal(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// wandbObject is a JSON object of the items, on one line.
func wandbObject(items []wandbItem) string {
	var b bytes.Buffer
	for i, item := range items {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(jsonString(item.key) + ":" + item.json)
	}
	return b.String() + "}"
}
