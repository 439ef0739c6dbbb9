package connito

import (
	"fmt"
	"slices"
	"strconv"

	"adit/internal/subnet"
)

// A Gate is one thing that a submission has to pass on its way to a weight, and
// what came of it. Gates are made by the functions that score, so that an
// explanation cannot differ from the scoring.
type Gate struct {
	Name   string `json:"gate"`
	Passed bool   `json:"passed"`
	Reason string `json:"reason,omitempty"`
	Facts  []Fact `json:"facts,omitempty"`
}

// A Fact is a number, or a hash, that a gate looked at.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// fact makes a fact of a number, which need not be finite.
func fact(name string, v float64) Fact {
	return Fact{name, strconv.FormatFloat(v, 'g', -1, 64)}
}

// A Why is the gates of a submission in order. After one that it did not pass
// there is none, but for those of the weights, which count old rounds too.
type Why []Gate

// The names of the gates, in order. In one round and network a submission comes
// to some of them only.
const (
	gateSecond    = "second commitment" // there is one, in its window
	gateComplete  = "complete"          // and it says what it must
	gateVersion   = "version"           // started from a baseline that counts
	gateFirst     = "first commitment"  // there is one, in its window
	gateSignature = "signature"         // over the hash of the second
	gateDownload  = "download"          // the file can be had
	gateParse     = "parse"             // and read
	gateHash      = "hash"              // has the hash that was committed to
	gateKeys      = "keys"              // holds the group's experts and nothing else
	gateFinite    = "finite"            // no NaN and no Inf
	gateMeasured  = "measured"          // its loss is a number
	gateLoss      = "loss"              // lower than the baseline's
	gateRank      = "rank"              // among those that are paid
	gateWeight    = "weights"           // in the end
)

// And of what may stop a validator, whoever is at fault.
const (
	gateMemory   = "memory"
	gateTimeout  = "timeout"
	gateDeadline = "deadline"
	gateChain    = "chain"
)

// failed returns the first gate that was not passed.
func (w Why) failed() (Gate, bool) {
	for _, g := range w {
		if !g.Passed {
			return g, true
		}
	}
	return Gate{}, false
}

// gate returns the name of the first gate that was not passed, or "".
func (w Why) gate() string {
	g, _ := w.failed()
	return g.Name
}

// err returns nil if all gates were passed, or an error that holds them.
func (w Why) err() error {
	if _, bad := w.failed(); bad {
		return &refused{why: w}
	}
	return nil
}

// A refused is a submission that did not pass a gate.
type refused struct {
	why   Why
	cause error
}

func (r *refused) Error() string {
	g, _ := r.why.failed()
	return g.Reason
}

func (r *refused) Unwrap() error { return r.cause }

// stopped returns the error of a submission that was stopped by err at a gate.
func stopped(gate string, err error) error {
	return &refused{why: Why{{Name: gate, Reason: err.Error()}}, cause: err}
}

// A claim is what the chain says of one neuron's submission in a round: what its
// slot held after each of the two commit phases, and in which block that came.
type claim struct {
	First, Second     []Commit
	FirstAt, SecondAt subnet.Block
	// Signed says whether one of the first commitments is the neuron's signature
	// over a hash.
	Signed func(hash string, first []Commit) bool
	// Copied says whether another neuron signed the hash before this one did, and
	// never told it.
	Copied func(hash string) bool
}

// admit decides whether a claim takes part in a cycle's round. The commit is what
// the neuron submits, as far as it said so.
//
// Upstream also wants the neuron's address, which the chain always tells, if only
// as 0.0.0.0.
func (r Rules) admit(c claim, cycle uint64) (Commit, Why) {
	var commit Commit
	if len(c.Second) > 0 {
		commit = c.Second[0]
	}
	var w Why
	pass := func(name string, passed bool, reason string, facts ...Fact) bool {
		if passed {
			reason = ""
		}
		w = append(w, Gate{name, passed, reason, facts})
		return passed
	}
	window := func(from, to, at subnet.Block) []Fact {
		return []Fact{{"window", fmt.Sprintf("%d to %d", from, to)}, {"included", fmt.Sprint(at)}}
	}
	s := r.Schedule
	from1, to1 := s.commit1Window(cycle, MinerCommit1)
	from2, to2 := s.commit2Window(cycle, MinerCommit1)
	if !r.TwoCommits() {
		from2, to2 = from1, to1
	}
	if !pass(gateSecond, commit.Hash != "", "no second commitment in its window", window(from2, to2, c.SecondAt)...) {
		return commit, w
	}
	lacks := r.lacks(commit)
	if !pass(gateComplete, lacks == "", "second commitment incomplete: "+lacks, Fact{"hash", commit.Hash}, Fact{"repository", commit.Repo}, Fact{"revision", commit.Revision}) {
		return commit, w
	}
	oldest, newest := r.versions(cycle)
	if !pass(gateVersion, r.versionFits(*commit.Version, cycle), fmt.Sprintf("started from baseline %d, which is too old or not yet made", *commit.Version),
		fact("version", float64(*commit.Version)), fact("oldest", float64(oldest)), fact("newest", float64(newest))) {
		return commit, w
	}
	if !r.TwoCommits() {
		return commit, w // nothing was signed
	}
	if !pass(gateFirst, len(c.First) > 0 && c.First[0].Signed != "", "no first commitment in its window", window(from1, to1, c.FirstAt)...) {
		return commit, w
	}
	signed, reason := c.Signed(commit.Hash, c.First), "first commitment is no signature over the hash of the second"
	// Unlike upstream, which looks at submissions alone: it pays a copy for the model
	// of a miner whose second commitment did not come to be.
	if signed && c.Copied(commit.Hash) {
		signed, reason = false, "another miner signed the same hash earlier"
	}
	pass(gateSignature, signed, reason)
	return commit, w
}

// lacks says what a commitment would have to say and does not, or "". A repository
// is needed where models travel through the Hub and in no other way.
func (r Rules) lacks(c Commit) string {
	lacks := c.complete()
	if lacks == noPlace && (len(r.Transports) > 1 || r.Transports[0] != HubTransport) {
		return ""
	}
	return lacks
}

// versions returns the oldest and the newest version of a baseline that counts in
// a cycle.
func (r Rules) versions(cycle uint64) (oldest, newest uint64) {
	newest = r.Schedule.Version(cycle)
	if span := uint64(r.VersionCycles) * uint64(r.Schedule.Cycle()); newest > span {
		oldest = newest - span
	}
	return oldest, newest
}

// versionFits says whether a baseline of that version is recent enough in a
// cycle: from the last VersionCycles cycles, and not from the future.
func (r Rules) versionFits(version, cycle uint64) bool {
	oldest, newest := r.versions(cycle)
	return r.VersionCycles == 0 || version >= oldest && version <= newest
}

// inspect decides whether a file's contents are what was committed to and what a
// stranger may submit.
func (r Rules) inspect(got Contents, c Commit, a Assignment) Why {
	w := Why{{Name: gateHash, Passed: got.Hash == c.Hash, Facts: []Fact{{"file", got.Hash}, {"committed", c.Hash}}}}
	if !w[0].Passed {
		w[0].Reason = fmt.Sprintf("hash mismatch: file has %s, committed %s", got.Hash, c.Hash)
		return w
	}
	w = append(w, gateOf(gateKeys, got.checkKeys(a, r.ExactKeys), fact("tensors", float64(len(got.Names))), fact("of", float64(a.keys()))))
	if !w[1].Passed {
		return w
	}
	return append(w, gateOf(gateFinite, got.checkFinite()))
}

// inspected is what inspect says of a file that it has nothing against.
func inspected(c Commit) Why {
	return Why{{Name: gateHash, Passed: true, Facts: []Fact{{"committed", c.Hash}}}, {Name: gateKeys, Passed: true}, {Name: gateFinite, Passed: true}}
}

func gateOf(name string, err error, facts ...Fact) Gate {
	g := Gate{Name: name, Passed: err == nil, Facts: facts}
	if err != nil {
		g.Reason = err.Error()
	}
	return g
}

// measured is the gate of an evaluation: a sequence whose loss is not finite
// spoils all.
func measured(l subnet.Loss) Gate {
	g := Gate{Name: gateMeasured, Passed: l.Bad == 0, Facts: []Fact{fact("loss", l.Mean), fact("not finite", float64(l.Bad))}}
	if !g.Passed {
		g.Reason = fmt.Sprintf("loss not finite on %d sequences", l.Bad)
	}
	return g
}

// explain returns all the gates of a submission: those of its round, and then what
// its miner's history came to in the weights.
func explain(e Entry, weights map[subnet.UID]Why) Why { return slices.Concat(e.Why, weights[e.UID]) }
