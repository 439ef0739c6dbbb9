// Command telemetry writes the figures of a short made-up run in every form that
// there is, and tells what it wrote, for check.py to read with other programs.
//
//	telemetry DIR rows            CSV, TensorBoard and an offline W&B run in DIR
//	telemetry DIR stream BASE     the same run sent to a W&B service at BASE
//	telemetry DIR serve           serve metrics until standard input ends
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
	"adit/internal/telemetry"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "telemetry:", err)
		os.Exit(1)
	}
}

// steps is how many optimizer steps the run has. W&B's log of it has many blocks.
const steps = 400

func run(dir, what string, args []string) error {
	rows := telemetry.NewRows(connito.Protocol.Columns, nil)
	reports := connito.NewConfig().(subnet.Reporter).Reports("train", "foundation")
	id := telemetry.NewWandBRun(reports.WandB, map[string]any{"opt": map[string]any{"lr": 1e-5}, "rules": "g3"})
	options := telemetry.WandBOptions{Dir: dir, Mode: "offline", Say: say}
	switch what {
	case "serve":
		return serve()
	case "stream":
		options.Mode, options.Key, options.Base = "online", os.Getenv("WANDB_API_KEY"), args[0]
	}
	w, err := telemetry.OpenWandB(id, options)
	if err != nil {
		return err
	}
	writers := []telemetry.RowWriter{w}
	if what == "rows" {
		writers = append(writers, telemetry.NewCSV(filepath.Join(dir, "metrics.csv"), rows.Names()), telemetry.NewTensorBoard(filepath.Join(dir, "tensorboard"), "step"))
	}
	wrote, err := os.Create(filepath.Join(dir, what+".json"))
	if err != nil {
		return err
	}
	for _, e := range events() {
		row, ok := rows.Row(time.Now(), e)
		if !ok {
			continue
		}
		for _, w := range writers {
			if err := w.WriteRow(row); err != nil {
				return err
			}
		}
		if err := tell(wrote, row); err != nil {
			return err
		}
	}
	for _, w := range writers {
		if err := w.Close(); err != nil {
			return err
		}
	}
	return wrote.Close()
}

// tell writes a row for check.py: a JSON object on a line, with what is no number
// in JSON as a string.
func tell(w io.Writer, r telemetry.Row) error {
	row := make(map[string]any)
	fresh := []string{}
	for _, c := range r.Cells {
		row[c.Name] = c.Value.Any()
		if x, ok := row[c.Name].(float64); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
			row[c.Name] = fmt.Sprint(x)
		}
		if !c.Kept {
			fresh = append(fresh, c.Name)
		}
	}
	return json.NewEncoder(w).Encode(map[string]any{"at": float64(r.At.UnixMicro()) / 1e6, "row": row, "fresh": fresh})
}

func say(e subnet.Event) { fmt.Fprintln(os.Stderr, e.Level, e.Text, e.Attrs) }

// events is the run: as connito's roles report it, with numbers that are none.
func events() []subnet.Event {
	var all []subnet.Event
	add := func(kind string, attrs ...slog.Attr) {
		all = append(all, subnet.Event{Block: 7000, Level: slog.LevelDebug, Kind: kind, Attrs: attrs})
	}
	for i := 1; i <= steps; i++ {
		loss := 8.234 / math.Sqrt(float64(i))
		switch i {
		case 100:
			loss = math.NaN()
		case 200:
			loss = math.Inf(1)
		}
		add("metrics", slog.Int("step", i), slog.Int("inner_opt_step", i), slog.Uint64("global_opt_step", 330), slog.Float64("lr", 1e-5),
			slog.Int("total_samples", 8*i), slog.Int("total_tokens", 1024*i), slog.Float64("inner_step_time_hours", 1e-4), slog.Float64("total_training_time_hours", 1e-4*float64(i)),
			slog.Float64("tokens_per_second", 1234.5), slog.Float64("step_rate", 0.5), slog.Float64("loss", loss), slog.Float64("perplexity", math.Exp(loss)), slog.String("expert_group", "0"),
			slog.Int("gradient_accumulation_steps", 1), slog.Float64("grad_norm", 1.5))
		if i%20 == 0 {
			add("evaluated", slog.Int("inner_opt_step", i), slog.Uint64("global_opt_step", 330), slog.String("expert_group", "0"), slog.Float64("eval_loss", 3.5),
				slog.Float64("val_loss", 3.5), slog.Duration("eval_time", 3*time.Second), slog.Int("batches", 16), slog.Int("nan_batches", 1), slog.Int("scored_batches", 15))
		}
	}
	add("submission", slog.String("submission_status", "accepted"), slog.Float64("w_i_score", 0.25))
	return all
}

// serve serves the metrics of the run, and of a validator.
func serve() error {
	m, err := telemetry.NewMetrics(connito.Protocol.Metrics)
	if err != nil {
		return err
	}
	for _, e := range events() {
		m.Read(time.Now(), e)
	}
	// Each metric is fed from its own description, so that all are there.
	for _, metric := range connito.Protocol.Metrics {
		e := subnet.Event{Block: 7000, Level: slog.LevelWarn, Kind: metric.Event}
		for _, l := range metric.Labels {
			e.Attrs = append(e.Attrs, slog.String(l.Attr, `a "quoted" \ text`+"\nof two lines"))
		}
		if metric.Attr != "" {
			e.Attrs = append(e.Attrs, slog.Float64(metric.Attr, 2))
		}
		m.Read(time.Now(), e)
	}
	s, err := telemetry.ServeMetrics("127.0.0.1:0", m)
	if err != nil {
		return err
	}
	names := make(map[string]string)
	for _, metric := range connito.Protocol.Metrics {
		names[metric.Name] = [...]string{"gauge", "counter", "histogram"}[metric.Kind]
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"addr": s.Addr().String(), "names": names}); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return s.Close()
}
