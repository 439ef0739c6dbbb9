// Package subnet holds the vocabulary every other package shares: what a
// subnet is, who takes part in it, and the few services a protocol may use.
//
// It imports nothing but the standard library. Protocols depend on it; the
// packages that do I/O implement its interfaces: [Chain] the blockchain,
// [Store] and [Bucket] the places where files are exchanged, [Dir] the neuron's own files,
// [Journal] its memory of what it was about to do, [Engine] the training
// engine, [Signer] its hotkey. [Env] hands them to a [Role] of a [Protocol].
package subnet

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
)

// A Block is a height on the chain. All protocol time is counted in blocks.
type Block uint64

// A NetUID is a subnet's number.
type NetUID uint16

// A UID is a neuron's slot in the subnet.
type UID uint16

// A Hotkey is a neuron's SS58 address.
type Hotkey string

// Signer signs with the neuron's hotkey. The key itself never leaves its wallet.
type Signer interface {
	Hotkey() Hotkey
	// Sign returns a 64-byte sr25519 signature over payload.
	Sign(ctx context.Context, payload []byte) ([]byte, error)
}

// Env is all a running role may touch. A nil field is a service that the role
// does not need.
type Env struct {
	NetUID  NetUID
	Config  Config // what the protocol's NewConfig returned, filled in
	Signer  Signer
	Chain   Chain
	Engine  Engine
	Dir     Dir
	Journal Journal

	// Open returns the store at a URL such as "hf://org/repo".
	Open func(url string) (Store, error)
	// Bucket returns the bucket at an address. Nothing is asked before it is used.
	Bucket func(BucketAddress) (Bucket, error)
	// HTTP asks other neurons and the services of the subnet. It follows no
	// redirects: what a stranger's server says leads nowhere else.
	HTTP *http.Client
	// Serve answers requests at an address of this machine until ctx is done.
	Serve func(ctx context.Context, at netip.AddrPort, h http.Handler) error
	// Secret returns what the person who runs the role keeps under a name, such as
	// a token in an environment variable, or "".
	Secret func(name string) string
	// Verify reports whether sig is who's signature over msg.
	Verify func(who Hotkey, msg, sig []byte) bool
	// Emit tells everybody who watches. It does not block and may be called
	// from any goroutine.
	Emit func(Event)
}

// An Event is one thing that happened, for the log, the journal, the terminal,
// the dashboard and the metrics alike.
type Event struct {
	Block Block
	Level slog.Level
	Kind  string      // for programs: "phase", "step", "committed", "scored", …
	Text  string      // for people: the log line, in the words of the users' guides
	Attrs []slog.Attr // for both
}

// A Config holds the settings of one protocol.
type Config interface {
	// Validate returns every problem, joined, each beginning with the
	// setting's path.
	Validate() error
	// Services says what the role must be connected with.
	Services() Services
}

// Services is what a neuron's settings say about the world around it.
type Services struct {
	NetUID    NetUID
	Endpoints []string // of the chain, the preferred one first
	Wallet    string   // directory of wallets; "" for the customary one
	Coldkey   string
	Hotkey    string

	Hub      string // URL of the model hub; "" for the public one
	HubToken string // environment variable that holds the token

	Model  string // directory of the base model: config.json, model.safetensors
	Data   string // directory of the prepared text
	SeqLen int    // tokens in a training sequence
	DType  string // of saved tensors: f32, f16 or bf16
	// ExpertsPerToken is how many experts a token goes through; 0 for as many as
	// the model's configuration says.
	ExpertsPerToken int

	Threads int // 0 for as many as there are cores

	Axon netip.AddrPort // served on chain; the zero value for none

	// Names are what the settings are called that say this, for who tells a person
	// which to change; "" of what no setting says.
	Names ServiceNames
}

// ServiceNames are paths of settings.
type ServiceNames struct {
	NetUID, Endpoints, Coldkey, Model, SeqLen, Threads, AxonIP, AxonPort string
}

// A Protocol is one kind of subnet.
type Protocol struct {
	Name    string
	Summary string
	// Rules lists the generations of the network by name.
	Rules []string
	// NewConfig returns the settings with their defaults.
	NewConfig func() Config
	Roles     []Role
	// Metrics and Columns are the figures that the roles' events hold.
	Metrics []Metric
	Columns []Column
	// Checks are what should be in order before a first round, besides what
	// every neuron needs.
	Checks []Check
	// Explain tells what became of a neuron's work in a round, or would become
	// of it: it changes nothing that others see, and writes to Env.Dir nothing but
	// files that it removes. nil if the protocol cannot tell.
	Explain func(context.Context, Env, ExplainOptions) (Explanation, error)
}

// A Role is one part in a protocol that a process can play until ctx is done.
type Role struct {
	Name    string // "mine", "validate", …
	Summary string
	// Parts are the things it does that no two processes of one directory may
	// do at once. The last one's journal is the role's.
	Parts []string
	Run   func(context.Context, Env) error
}

// Role returns the role of that name, or false.
func (p Protocol) Role(name string) (Role, bool) {
	for _, r := range p.Roles {
		if r.Name == name {
			return r, true
		}
	}
	return Role{}, false
}

// A HintError is an error with advice for the person in front of the terminal.
// The command line prints it as a second line.
type HintError struct {
	Err  error
	Hint string
}

func (e *HintError) Error() string { return e.Err.Error() }
func (e *HintError) Unwrap() error { return e.Err }

// WithHint attaches advice to err.
func WithHint(err error, hint string) error { return &HintError{err, hint} }

// Hint returns the advice attached to err, or "".
func Hint(err error) string {
	if h, ok := errors.AsType[*HintError](err); ok {
		return h.Hint
	}
	return ""
}
