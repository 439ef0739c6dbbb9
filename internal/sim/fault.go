package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// A Kind is a kind of fault.
type Kind string

// The kinds of faults. Those of the chain and the clock concern one neuron or, where
// it says so, all; those of the Hub one repository or all.
const (
	ChainDown    Kind = "chain down"         // no endpoint answers a neuron
	ChainDownAll Kind = "chain down for all" // for ten minutes
	Late         Kind = "late inclusion"     // by one to four blocks
	Reorg        Kind = "reorganisation"     // of one to three blocks
	HeadStands   Kind = "head stands"        // the endpoint goes on telling the same head
	HeadAhead    Kind = "head ahead"         // the endpoint tells one that is not there yet
	ClockBehind  Kind = "a minute behind"    // all that a neuron sees comes a minute late
	ClockAhead   Kind = "a minute ahead"     // or it believes that it is later than it is

	Hub500   Kind = "hub 500"
	Hub429   Kind = "hub 429"
	HubCut   Kind = "hub truncates"
	HubWrong Kind = "hub sends wrong bytes"
	HubStall Kind = "hub stalls at 99%"

	HTTPDown  Kind = "http refused"
	HTTP500   Kind = "http 500"
	HTTP429   Kind = "http 429"
	HTTPCut   Kind = "http truncates"
	HTTPWrong Kind = "http sends wrong bytes"
	HTTPStall Kind = "http stalls at 99%"

	OwnerDown    Kind = "phase service down"
	OwnerSlow    Kind = "phase service slow"
	OwnerStrange Kind = "phase service talks nonsense"

	DiskFull Kind = "disk full"
	Kill     Kind = "kill"            // at some operation
	KillAct  Kind = "kill at journal" // at an operation of the journal, or a commit
	KillEval Kind = "kill in evaluation"
	Vanish   Kind = "vanish in merge" // a validator, of several
)

// A Fault is one thing that goes wrong.
type Fault struct {
	Kind Kind
	// Who is the neuron that it concerns, or whose repository; -1 is all.
	Who int
	// From and To are the blocks during which it lasts, both included. A killed
	// neuron dies at the operation of number Op from block From on, and is started
	// again as many blocks later as To is after From.
	From, To subnet.Block
	// Op is also by how many blocks something is late or ahead, and how deep a
	// reorganisation goes.
	Op int
}

func (f Fault) String() string {
	return fmt.Sprintf("%s of %d in blocks %d to %d (%d)", f.Kind, f.Who, f.From, f.To, f.Op)
}

// moves says whether a fault is one of those who move models.
func (k Kind) moves() bool {
	return slices.Contains([]Kind{Hub500, Hub429, HubCut, HubWrong, HubStall, HTTPDown, HTTP500, HTTP429, HTTPCut, HTTPWrong, HTTPStall}, k)
}

// ten minutes and one, in blocks.
const (
	tenMinutes = 50
	minute     = 5
)

// draw draws the faults of a run of some cycles, of which the first has none: one to
// three in each, most of them beginning in a phase in which they hurt.
func draw(lots *rand.Rand, o Options, cycles int) []Fault {
	rules := o.Rules
	s := rules.Schedule
	miners := o.Miners * o.Groups
	kinds := []Kind{ChainDown, ChainDown, ChainDownAll, Late, Late, Reorg, HeadStands, HeadAhead, ClockBehind, ClockAhead, DiskFull, Kill, Kill, Kill, KillAct, KillAct, KillAct, KillEval}
	if slices.Contains(rules.Transports, connito.HubTransport) || slices.Contains(rules.Transports, connito.DocsTransport) {
		kinds = append(kinds, Hub500, Hub500, Hub429, HubCut, HubWrong, HubStall)
	}
	if rules.Serves() {
		kinds = append(kinds, HTTPDown, HTTP500, HTTP429, HTTPCut, HTTPWrong, HTTPStall)
	}
	if o.Validators > 1 {
		kinds = append(kinds, Vanish)
	}
	if o.Owner {
		kinds = append(kinds, OwnerDown, OwnerSlow, OwnerStrange)
	}
	between := func(from, to int) int { return from + lots.IntN(to-from+1) }
	var list []Fault
	forked := subnet.Block(0) // where the last reorganisation ends
	for cycle := uint64(1); cycle < uint64(cycles); cycle++ {
		for range between(1, 3) {
			f := Fault{Kind: kinds[lots.IntN(len(kinds))], Who: between(0, o.Validators+miners-1)}
			var phase connito.Phase
			for {
				if phase = connito.Phase(lots.IntN(9)); s[phase] > 0 {
					break
				}
			}
			f.From = s.Start(cycle, phase) + subnet.Block(lots.IntN(int(s[phase])))
			if models := []connito.Phase{connito.Distribute, connito.MinerCommit1, connito.MinerCommit2, connito.Submission, connito.ValidatorCommit1, connito.ValidatorCommit2}; f.Kind.moves() {
				for {
					if phase = models[lots.IntN(len(models))]; s[phase] > 0 {
						break
					}
				}
				f.From = s.Start(cycle, phase) + subnet.Block(lots.IntN(min(5, int(s[phase]))))
			}
			long := 0
			switch f.Kind {
			case ChainDown:
				long = between(1, tenMinutes)
			case ChainDownAll:
				f.Who, long = -1, tenMinutes
			case Late:
				f.Op, long = between(1, 4), between(1, 20)
			case Reorg:
				if f.From < forked {
					continue
				}
				f.Who, f.Op = -1, between(1, 3)
				long = 2*f.Op + 1
				forked = f.From + 16
			case HeadStands:
				long = between(1, 30)
			case HeadAhead:
				f.Op, long = between(2, 2*int(s.Cycle())), between(1, 5)
			case ClockBehind, ClockAhead:
				f.Op, long = minute, between(5, 60)
			case Hub500, Hub429, HubCut, HubWrong, HubStall:
				long = between(1, 20)
				if lots.IntN(3) == 0 {
					f.Who = -1
				}
			case HTTPDown, HTTP500, HTTP429, HTTPCut, HTTPWrong, HTTPStall:
				long = between(1, 20)
			case OwnerDown, OwnerSlow, OwnerStrange:
				f.Who, long = -1, between(1, int(s.Cycle()))
			case DiskFull:
				long = between(1, 30)
			case Kill:
				f.Op, long = between(0, 60), between(0, 20)
			case KillAct:
				f.Op, long = between(0, 8), between(0, 3)
			case KillEval:
				f.Who, f.Op, long = between(0, o.Validators-1), between(0, 20), between(0, 3)
				f.From = s.Start(cycle, connito.Submission) + subnet.Block(lots.IntN(3))
			case Vanish:
				f.Who, long = between(1, o.Validators-1), between(1, int(s.Cycle())/2)
				f.From = s.Start(cycle, connito.Validate) + subnet.Block(lots.IntN(int(s[connito.Merge])+1))
			}
			f.To = f.From + subnet.Block(long)
			list = append(list, f)
		}
	}
	return list
}
