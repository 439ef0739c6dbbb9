package subnet

import (
	"context"
	"fmt"
)

// A Check is one thing that should be in order before a neuron's first round.
// It changes nothing, anywhere.
type Check struct {
	// Name says in a few words what should be in order.
	Name string
	Role string // whom it concerns; "" for everybody
	// Needs names the checks that have to go well for this one to make sense.
	// Those of every protocol are the constants below.
	Needs []string
	Run   func(context.Context, Env) Finding
}

// What the checks of a protocol may need: with NeedSettings there is Env.Config,
// with NeedHotkey Env.Signer, which tells the hotkey and does not sign, with NeedChain
// Env.Chain, and with NeedDirectory Env.Dir, to read, or nil if there is none yet.
// Env.HTTP and Env.Secret are always there. With NeedSubnet the subnet is there, with NeedHub a model hub
// answers, and with NeedToken it knows the token. There is no engine.
const (
	NeedSettings  = "settings file"
	NeedDirectory = "run's directory"
	NeedHotkey    = "hotkey"
	NeedChain     = "chain"
	NeedSubnet    = "subnet"
	NeedHub       = "hub"
	NeedToken     = "hub token"
)

// A Finding is what a [Check] found.
type Finding struct {
	State State  `json:"state"`
	Text  string `json:"text"`           // what was found
	Cure  string `json:"cure,omitempty"` // what to do about it
}

// A State is how serious a [Finding] is.
type State string

// The states.
const (
	Good    State = "ok"
	Dubious State = "warn" // it may go well
	Bad     State = "fail" // it cannot go well
	Skipped State = "skip" // not looked at, or nothing to look at
)

// Fine, Doubt, Fault and Skip make findings.
func Fine(format string, args ...any) Finding {
	return Finding{State: Good, Text: fmt.Sprintf(format, args...)}
}

// Doubt is a finding that may cost something.
func Doubt(cure, format string, args ...any) Finding {
	return Finding{Dubious, fmt.Sprintf(format, args...), cure}
}

// Fault is a finding with which no round can go well.
func Fault(cure, format string, args ...any) Finding {
	return Finding{Bad, fmt.Sprintf(format, args...), cure}
}

// Skip says why there is nothing to look at.
func Skip(format string, args ...any) Finding {
	return Finding{State: Skipped, Text: fmt.Sprintf(format, args...)}
}
