package subnet

// A MetricKind says what a metric makes of the values that its events carry.
type MetricKind int

// The kinds of metrics.
const (
	Gauge     MetricKind = iota // the last value
	Counter                     // their sum
	Histogram                   // how many there were of each size
)

// A Metric is a figure about a running neuron that its events feed, under the
// name by which Prometheus knows it. Several metrics may share a name, to be fed
// by several kinds of events; they then differ in Event and Attr alone.
type Metric struct {
	Name string // without the "_total" that Prometheus puts behind counters
	Help string
	Kind MetricKind
	// Buckets are the upper bounds of a histogram, rising; +Inf comes by itself.
	Buckets []float64
	// Event is the kind of the events that feed it; "" stands for all that warn
	// or report an error.
	Event string
	// Attr names the attribute whose value it takes: a number, or a duration, in
	// seconds. "" takes 1 from each event, and "block", "kind", "level" are the
	// event's own. An event without the attribute, or without that of a label,
	// feeds nothing.
	Attr   string
	Labels []Label
	// Keep is how many label sets are shown, those fed last; 0 stands for all,
	// within reason. It is for labels such as a round's number.
	Keep int
}

// A Label divides a metric by the value of an attribute, named as in
// [Metric.Attr].
type Label struct{ Name, Attr string }

// A Column is a figure in the rows that are kept of a run: in CSV, in W&B and in
// TensorBoard. Each event of a kind that a column names makes one row, if it has a
// value for one that does not stay; columns of one name are one, fed by several
// kinds.
type Column struct {
	Name  string
	Event string // the kind of event that has it
	Attr  string // under this name
	// Stays repeats the last value in the rows of other events.
	Stays bool
}

// Reports says where a neuron's figures go, besides its log.
type Reports struct {
	// CSV is a file and TensorBoard a directory, within the run's directory
	// unless they are absolute; "" for none.
	CSV, TensorBoard string
	// Every is, for a kind of event, of how many one makes a row; 0 is 1.
	Every map[string]int
	WandB WandB
	// Ports are where each role customarily serves its metrics.
	Ports map[string]uint16
}

// WandB says under which names Weights & Biases gets a run's figures.
type WandB struct {
	On      bool
	Project string
	Entity  string // "" for the account's own
	Name    string // shown for the run
	Resume  string // the run to go on with, by its identifier; "" for a new one
	Tags    []string
}

// A Reporter is a [Config] with settings about reports. run is the name of the
// run's directory.
type Reporter interface {
	Reports(role, run string) Reports
}

// A Clock is a [Config] that knows where a block stands in its network's round.
type Clock interface {
	Moment(b Block) Moment
}

// A Moment is where a block stands in a round.
type Moment struct {
	Round uint64
	Phase string // its name
	Index int    // its place among the phases, from 0
	// The phase covers blocks Start to End, both included.
	Start, End Block
}
