package subnet

// A Gate is one thing that a neuron's work has to pass on its way to a reward, and
// what came of it.
type Gate struct {
	Name    string  `json:"gate"`
	Outcome Outcome `json:"outcome"`
	Text    string  `json:"text,omitempty"` // why it was stopped, or what is not known
	Facts   []Fact  `json:"facts,omitempty"`
}

// An Outcome is what came of a [Gate].
type Outcome string

// The outcomes. What cannot be known, or not yet, is said to be so and never
// guessed.
const (
	Passed  Outcome = "passed"
	Stopped Outcome = "stopped"
	Unknown Outcome = "unknown"
)

// A Fact is a number, a hash or a name that a [Gate] looked at.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ExplainOptions says what is to be explained.
type ExplainOptions struct {
	// Round is the number of a round, "" for the newest that is over, or "next"
	// for the one whose work has not been handed in yet.
	Round string
	// Who is the hotkey of the neuron whose work it is, or its uid in digits; ""
	// for the one whose settings these are.
	Who string
}

// An Explanation is the gates of a neuron's work in a round, in order. After one
// that stopped it there is none, but for those that count older rounds too.
type Explanation struct {
	Round  uint64 `json:"round"`
	Hotkey Hotkey `json:"hotkey"`
	UID    *UID   `json:"uid,omitempty"` // nil if it has none
	Text   string `json:"text"`          // what is explained, for people
	Gates  []Gate `json:"gates"`
}
