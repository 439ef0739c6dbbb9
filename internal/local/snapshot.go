package local

import (
	"slices"
	"time"

	"adit/internal/protocol/connito"
)

// A Snapshot is the state of a network as its supervisor knows it. It is what
// `adit status --json` prints, so that names and meanings are kept.
type Snapshot struct {
	Dir     string    `json:"dir"`
	Started time.Time `json:"started"`
	// Protocol says what a cycle is: in templar's networks, a window.
	Protocol string `json:"protocol"`
	Rules    string `json:"rules"`
	// Stage is what is being done: "text", "genesis", "chain", "running",
	// "ending", "ended".
	Stage    string   `json:"stage"`
	Progress Progress `json:"progress"` // of the stages before "running"
	// Error is what ended the network, and Hint what may help, if it was not
	// asked to end.
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`

	ChainURL string `json:"chain_url"`
	HubURL   string `json:"hub_url,omitempty"`
	S3URL    string `json:"s3_url,omitempty"`
	PagesURL string `json:"pages_url,omitempty"`
	NetUID   uint16 `json:"netuid"`

	Block      uint64        `json:"block"`
	BlockTime  time.Duration `json:"block_time_ns"`
	Cycle      uint64        `json:"cycle"`
	Phase      string        `json:"phase"`
	PhaseStart uint64        `json:"phase_start"`
	PhaseEnd   uint64        `json:"phase_end"` // included
	// FirstCycle is the first cycle with miners, Cycles how many are over since,
	// and Goal after how many the network ends, or 0. All count from when the
	// network was made, not from when it was last started.
	FirstCycle uint64 `json:"first_cycle"`
	Cycles     int    `json:"cycles"`
	Goal       int    `json:"goal"`

	Genesis []GroupLoss `json:"genesis"` // one for each group
	Groups  []Group     `json:"groups"`
	Neurons []Neuron    `json:"neurons"`
	Procs   []Proc      `json:"processes"`
	Notices []Notice    `json:"notices"` // the latest things a person should know, newest last
}

// reached reports whether the network has run for as long as it was to. On a busy
// machine the validators may tell how good their last baselines are some blocks
// later, for which it waits until the next cycle's first phase is over.
func (s *Snapshot) reached() bool {
	if s.Goal == 0 || s.Cycles < s.Goal {
		return false
	}
	last := s.FirstCycle + uint64(s.Goal) - 1
	waits := s.Phase == connito.Distribute.String() || s.Phase == windowPhase && s.Cycles < s.Goal+patientWindows
	told := func(g Group) bool { return len(g.Losses) > 0 && g.Losses[len(g.Losses)-1].Cycle >= last }
	return !waits || !slices.ContainsFunc(s.Groups, func(g Group) bool { return !told(g) })
}

// patientWindows is for how many windows more the last loss is waited for, as models
// are not saved in each.
const patientWindows = 3

// The stages that are more than a word to show.
const (
	stageRunning = "running"
	stageEnding  = "ending"
	stageEnded   = "ended"
)

// Progress is how far a preparation has come.
type Progress struct {
	Text     string  `json:"text"`
	Fraction float64 `json:"fraction"` // 0 to 1
}

// GroupLoss is a loss on the held-out text of an expert group, in nats a token.
type GroupLoss struct {
	Group int     `json:"group"`
	Cycle uint64  `json:"cycle"`
	Loss  float64 `json:"loss"`
}

// A Group is an expert group.
type Group struct {
	ID     int    `json:"id"`
	Domain string `json:"domain"` // what its text is
	// Bigram is the loss of a bigram model of the same training text.
	Bigram float64 `json:"bigram"`
	// Losses holds the baseline's loss after each cycle, the genesis model's
	// first.
	Losses []GroupLoss `json:"losses"`
}

// A Neuron is a validator or a miner.
type Neuron struct {
	Name   string `json:"name"` // "validator-0", "miner-0-1"
	Role   string `json:"role"` // "validate" or "mine"
	UID    int    `json:"uid"`
	Hotkey string `json:"hotkey"`
	Group  int    `json:"group"` // of a miner
	Cheat  string `json:"cheat,omitempty"`
	Dir    string `json:"dir"`
	Log    string `json:"log"`

	// Of the training in progress.
	Step            int     `json:"step"`
	Loss            float64 `json:"loss"`
	TokensPerSecond float64 `json:"tokens_per_second"`
	Doing           string  `json:"doing"` // the latest thing it reported

	// Of the last round.
	Scored   bool    `json:"scored"`
	ValLoss  float64 `json:"val_loss"`
	Baseline float64 `json:"baseline"`
	Score    float64 `json:"score"`
	Reason   string  `json:"reason"`

	// On chain.
	Weight    float64 `json:"weight"` // that the first validator gives it
	Incentive float64 `json:"incentive"`
	Dividends float64 `json:"dividends"`
	Emission  float64 `json:"emission"` // of the last epoch, in the subnet's token
	Earned    float64 `json:"earned"`   // stake it has now beyond what it began with
	Stake     float64 `json:"stake"`
	Permit    bool    `json:"permit"`
}

// A Proc is a process of the network.
type Proc struct {
	Name     string    `json:"name"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Restarts int       `json:"restarts"`
	Running  bool      `json:"running"`
	Log      string    `json:"log"`
}

// A Notice is one line for the person watching.
type Notice struct {
	Time  time.Time `json:"time"`
	From  string    `json:"from"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
}
