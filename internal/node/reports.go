package node

import (
	"cmp"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"adit/internal/subnet"
	"adit/internal/telemetry"
)

// stepColumn is the column that counts steps, in every protocol.
const stepColumn = "step"

// report lets the readers that the settings name read the events from now on.
// end lets them finish. Whatever goes wrong with a report is an event, and no
// reason not to run.
func report(o Options, dir string, cfg subnet.Config) (end func()) {
	reporter, ok := cfg.(subnet.Reporter)
	if !ok {
		return func() {}
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	r := reporter.Reports(o.Role, filepath.Base(dir))
	var ends []func()
	rows := func(w telemetry.RowWriter, failed string) {
		tell := func(err error) { warn(o.Events, failed, err) }
		cancel := o.Events.Subscribe(eventQueue, telemetry.NewRows(o.Protocol.Columns, r.Every).To(w, tell))
		ends = append(ends, func() {
			cancel()
			if err := w.Close(); err != nil {
				tell(err)
			}
		})
	}
	if r.CSV != "" {
		rows(telemetry.NewCSV(within(dir, r.CSV), telemetry.NewRows(o.Protocol.Columns, nil).Names()), "CSV metrics are not written")
	}
	if r.TensorBoard != "" {
		rows(telemetry.NewTensorBoard(within(dir, r.TensorBoard), stepColumn), "TensorBoard's file is not written")
	}
	if r.WandB.On {
		r.WandB.Entity = cmp.Or(os.Getenv("WANDB_ENTITY"), r.WandB.Entity)
		const failed = "W&B's run is not written"
		w, err := telemetry.OpenWandB(telemetry.NewWandBRun(r.WandB, settings(cfg)), telemetry.WandBOptions{
			Dir: cmp.Or(os.Getenv("WANDB_DIR"), dir), Mode: os.Getenv("WANDB_MODE"), Key: os.Getenv("WANDB_API_KEY"), Base: os.Getenv("WANDB_BASE_URL"),
			Say: o.Events.Emit,
		})
		if err != nil {
			warn(o.Events, failed, err)
		} else if w != nil {
			rows(w, failed)
		}
	}
	if close, ok := serveMetrics(o, r); ok {
		ends = append(ends, close)
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// serveMetrics serves the protocol's metrics where the options say, or if the
// environment asks for it at the role's customary port.
//
// Unlike upstream, which serves unless ENABLE_TELEMETRY says no: several neurons of
// one machine would fight for a port that nobody asked for.
func serveMetrics(o Options, r subnet.Reports) (end func(), ok bool) {
	port := r.Ports[o.Role]
	switch strings.ToLower(os.Getenv("ENABLE_TELEMETRY")) {
	case "true", "1", "yes":
	case "":
		port = 0
	default:
		return nil, false
	}
	if port = cmp.Or(o.MetricsPort, port); port == 0 || len(o.Protocol.Metrics) == 0 {
		return nil, false
	}
	const failed = "metrics are not served"
	metrics, err := telemetry.NewMetrics(o.Protocol.Metrics)
	if err != nil {
		warn(o.Events, failed, err)
		return nil, false
	}
	server, err := telemetry.ServeMetrics(net.JoinHostPort("", strconv.Itoa(int(port))), metrics)
	if err != nil {
		warn(o.Events, failed, err)
		return nil, false
	}
	cancel := o.Events.Subscribe(eventQueue, metrics.Read)
	o.Events.Emit(subnet.Event{Kind: "telemetry", Text: "Prometheus metrics server started", Attrs: []slog.Attr{slog.Int("port", int(port))}})
	return func() {
		cancel()
		if err := server.Close(); err != nil {
			warn(o.Events, "metrics server", err)
		}
	}, true
}

// settings returns the settings as W&B shows them, secrets hidden.
func settings(cfg subnet.Config) map[string]any {
	text, err := yaml.Marshal(cfg)
	if err != nil {
		return nil
	}
	all := make(map[string]any)
	if err := yaml.Unmarshal(text, &all); err != nil {
		return nil
	}
	return all
}

// within returns where a path is that is within dir unless it is absolute.
func within(dir, path string) string {
	if path = filepath.FromSlash(path); filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func warn(bus *telemetry.Bus, text string, err error) {
	attrs := []slog.Attr{slog.String("error", err.Error())}
	if hint := subnet.Hint(err); hint != "" {
		attrs = append(attrs, slog.String("hint", hint))
	}
	bus.Emit(subnet.Event{Level: slog.LevelWarn, Kind: "telemetry", Text: text, Attrs: attrs})
}

// keepInfo leaves out what is for metrics alone: they are many, and would push
// out of a run's record what can be learned from it later.
func keepInfo(read telemetry.Reader) telemetry.Reader {
	return func(at time.Time, e subnet.Event) {
		if e.Level >= slog.LevelInfo {
			read(at, e)
		}
	}
}
