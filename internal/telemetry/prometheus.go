package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"adit/internal/subnet"
)

// Metrics are a protocol's metrics, for Prometheus to read.
//
// Unlike upstream, which shows a gauge that nothing has set as 0, a gauge is there
// from its first value on: no loss yet is not a loss of nought.
type Metrics struct {
	mu       sync.Mutex
	families []*family
	byEvent  map[string][]feed
	fed      uint64 // counts, to tell which label sets were fed last
	registry *prometheus.Registry
}

// A family is the series of one name.
type family struct {
	desc   *prometheus.Desc
	metric subnet.Metric
	series map[string]*series // by the label values
}

// A feed is one of the metrics that make a family, each of another event.
type feed struct {
	family *family
	metric subnet.Metric
}

type series struct {
	labels []string
	value  float64 // of a gauge or counter; of a histogram the sum
	count  uint64
	counts []uint64 // of each bucket alone
	fed    uint64
}

const (
	// maxSeries bounds the label sets of one name, and maxLabel a value of a
	// label in bytes: other neurons have a say in both.
	maxSeries = 4096
	maxLabel  = 200
)

// NewMetrics returns the metrics, and of this process what is customary. Two of
// one name that do not agree are an error.
func NewMetrics(metrics []subnet.Metric) (*Metrics, error) {
	m := &Metrics{byEvent: make(map[string][]feed), registry: prometheus.NewRegistry()}
	byName := make(map[string]*family)
	for _, metric := range metrics {
		f := byName[metric.Name]
		if f == nil {
			f = newFamily(metric)
			byName[metric.Name] = f
			m.families = append(m.families, f)
		} else if !alike(f.metric, metric) {
			return nil, fmt.Errorf("metric %s: two that do not agree", metric.Name)
		}
		m.byEvent[metric.Event] = append(m.byEvent[metric.Event], feed{f, metric})
	}
	// The registry refuses names that Prometheus would not take.
	if err := m.registry.Register(m); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	// Without the metrics of memory under their old names, one of which is as long
	// as another and "_total": OpenMetrics does not have that.
	m.registry.MustRegister(collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled()), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m, nil
}

// alike says whether two metrics differ only in what feeds them.
func alike(a, b subnet.Metric) bool {
	return a.Help == b.Help && a.Kind == b.Kind && a.Keep == b.Keep && slices.Equal(a.Buckets, b.Buckets) &&
		slices.Equal(labelNames(a), labelNames(b))
}

func labelNames(m subnet.Metric) []string {
	var names []string
	for _, l := range m.Labels {
		names = append(names, l.Name)
	}
	return names
}

func newFamily(m subnet.Metric) *family {
	name := m.Name
	if m.Kind == subnet.Counter && !strings.HasSuffix(name, "_total") {
		name += "_total"
	}
	f := &family{desc: prometheus.NewDesc(name, m.Help, labelNames(m), nil), metric: m, series: make(map[string]*series)}
	if m.Kind != subnet.Gauge && len(m.Labels) == 0 {
		f.at(nil) // so far, it did not happen
	}
	return f
}

// at returns the series with these values of the labels.
func (f *family) at(values []string) *series {
	key := strings.Join(values, "\xff") // which is in no UTF-8
	s := f.series[key]
	if s == nil {
		s = &series{labels: values, counts: make([]uint64, len(f.metric.Buckets))}
		f.series[key] = s
	}
	return s
}

// Read is the reader that feeds the metrics.
func (m *Metrics) Read(_ time.Time, e subnet.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Kind != "" {
		m.feed(m.byEvent[e.Kind], e)
	}
	if e.Level >= slog.LevelWarn {
		m.feed(m.byEvent[""], e)
	}
}

func (m *Metrics) feed(feeds []feed, e subnet.Event) {
	for _, f := range feeds {
		x, ok := 1.0, true
		if f.metric.Attr != "" {
			v, has := attribute(e, f.metric.Attr)
			if x, ok = number(v); !has || !ok {
				continue
			}
		}
		values, ok := labelValues(f.metric.Labels, e)
		if !ok {
			continue
		}
		s := f.family.at(values)
		m.fed++
		s.fed = m.fed
		s.take(f.metric, x)
		f.family.forget(cmp.Or(f.metric.Keep, maxSeries))
	}
}

// labelValues returns the values of the labels, or false if the event lacks one.
func labelValues(labels []subnet.Label, e subnet.Event) ([]string, bool) {
	var values []string
	for _, l := range labels {
		v, ok := attribute(e, l.Attr)
		if !ok {
			return nil, false
		}
		text := v.String()
		values = append(values, strings.ToValidUTF8(text[:min(len(text), maxLabel)], "\ufffd"))
	}
	return values, true
}

func (s *series) take(m subnet.Metric, x float64) {
	switch m.Kind {
	case subnet.Gauge:
		s.value = x
	case subnet.Counter:
		if x > 0 { // a counter does not go back; nor is NaN above 0
			s.value += x
		}
	case subnet.Histogram:
		s.value += x
		s.count++
		if i, _ := slices.BinarySearch(m.Buckets, x); i < len(m.Buckets) && x <= m.Buckets[i] {
			s.counts[i]++
		}
	}
}

// forget drops the series that were not fed for longest, until keep are left.
func (f *family) forget(keep int) {
	for len(f.series) > keep {
		var oldest string
		first := true
		for key, s := range f.series {
			if first || s.fed < f.series[oldest].fed {
				oldest, first = key, false
			}
		}
		delete(f.series, oldest)
	}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, f := range m.families {
		out <- f.desc
	}
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	var all []prometheus.Metric
	for _, f := range m.families {
		for _, s := range f.series {
			all = append(all, f.sample(s))
		}
	}
	m.mu.Unlock()
	for _, sample := range all {
		out <- sample
	}
}

func (f *family) sample(s *series) prometheus.Metric {
	var sample prometheus.Metric
	var err error
	switch f.metric.Kind {
	case subnet.Histogram:
		buckets, sum := make(map[float64]uint64, len(s.counts)), uint64(0)
		for i, bound := range f.metric.Buckets {
			sum += s.counts[i]
			buckets[bound] = sum
		}
		sample, err = prometheus.NewConstHistogram(f.desc, s.count, s.value, buckets, s.labels...)
	case subnet.Counter:
		sample, err = prometheus.NewConstMetric(f.desc, prometheus.CounterValue, s.value, s.labels...)
	default:
		sample, err = prometheus.NewConstMetric(f.desc, prometheus.GaugeValue, s.value, s.labels...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(f.desc, err)
	}
	return sample
}

// Handler answers a scrape, under any path, as Python's client does.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// A MetricsServer serves metrics over HTTP.
type MetricsServer struct {
	server *http.Server
	addr   net.Addr
	done   chan error
}

// ServeMetrics begins to serve at a TCP address such as ":8100". It returns once
// the address is taken.
func ServeMetrics(addr string, m *Metrics) (*MetricsServer, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, subnet.WithHint(fmt.Errorf("serve metrics: %w", err), "choose another port with --metrics-port")
	}
	s := &MetricsServer{
		server: &http.Server{Handler: m.Handler(), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute},
		addr:   listener.Addr(), done: make(chan error, 1),
	}
	go func() { s.done <- s.server.Serve(listener) }()
	return s, nil
}

// Addr returns where it serves.
func (s *MetricsServer) Addr() net.Addr { return s.addr }

// Close ends the serving. A scrape that is under way may finish.
func (s *MetricsServer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	if serveErr := <-s.done; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
