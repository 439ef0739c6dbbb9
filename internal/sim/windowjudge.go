package sim

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"adit/internal/protocol/templar"
	"adit/internal/subnet"
)

// A WindowVerdict is what a judge says of a run of windows: someone who knows the
// rules, the faults, what is on chain, what was ever in a bucket and what neurons have
// saved, and nothing of what they thought.
type WindowVerdict struct {
	Windows  int // of honest miners
	Expected int // of them, those whose work had to be gathered in spite of all faults
	Gathered int // that somebody gathered
	Lost     int // that were expected, and that somebody who had to did not gather

	Held    int // models of honest neurons that had to be the network's
	Strayed int // of them, that were not
	Paired  int // models of neurons that had merged the same from the same
	Parted  int // of them, that were not the same

	Doubled int // what may be done once, and was done twice
	Weighed int // weights of cheats beyond what the rules give
	Exits   int // roles that ended by themselves
	Listed  int // objects that were told of a crowded bucket
	Crowded int // too many of these
	Said    []string
}

// The margins of the judge of windows, in blocks.
const (
	// marginGather is for an upload and its downloads: without a break, within the
	// time in which gradients may be uploaded.
	marginGather = 5
	// marginBack is for how many windows a neuron may be off after its last fault.
	marginBack = 2
	// marginStall is until a stall that has begun is over.
	marginStall = 6
	// mostListed is how many objects of a crowded bucket may be listed by one neuron
	// in a window: a page of each kind.
	mostListed = 4000
)

type windowJudge struct {
	*WindowSurvival
	v WindowVerdict
	// own are the blocks in which a neuron's chain, disk, process, clock or network
	// was not in order, and store those in which its bucket was not.
	own, unsure, store calendar
}

// Judge says what became of the windows before the one of number last, which has just
// begun.
func (s *WindowSurvival) Judge(first, last templar.Window) WindowVerdict {
	j := &windowJudge{WindowSurvival: s, store: newCalendar(len(s.Neurons))}
	j.own, j.unsure = s.weather.troubled(len(s.Neurons))
	for _, f := range s.weather.faults {
		switch f.Kind {
		case NetDown:
			j.own.mark(f.Who, f.From, f.To+1)
		case NeuronClock: // what it was told before its clock was set right counts for so long
			j.own.mark(f.Who, f.From, f.To+1+tenMinutes)
		case StoreClock: // what came with a wrong time keeps it
			j.store.mark(f.Who, f.From, f.To+1+j.span())
		case Overwrite: // of the window before, which is merged in this one
			j.store.mark(f.Who, s.rules.Start(s.rules.Window(f.From)), f.To)
		default:
			if slices.Contains(bucketKinds, f.Kind) {
				j.store.mark(f.Who, f.From, f.To+marginStall)
			}
		}
	}
	j.v.Said = s.endedAlone()
	j.v.Exits = len(j.v.Said)
	for w := first; w < last; w++ {
		switch {
		case w == last-1: // it is merged in the one after it
		case s.rules.Scheme == templar.SliceScheme:
			j.slices(w)
		default:
			j.gradients(w)
		}
		j.held(w)
	}
	j.weighed()
	j.doubled(first, last)
	j.v.Listed = s.listed
	if most := mostListed * int(last) * len(s.Neurons); s.listed > most {
		j.v.Crowded++
		j.say("crowded: %d objects were listed, want at most %d", s.listed, most)
	}
	return j.v
}

func (j *windowJudge) say(format string, args ...any) {
	j.v.Said = append(j.v.Said, fmt.Sprintf(format, args...))
}

// calm says whether a calendar has nothing of a neuron from one block to another.
func calm(c calendar, i int, from, to subnet.Block) bool {
	for b := from; b <= to; b++ {
		if c[i][b] {
			return false
		}
	}
	return true
}

// merging returns the first and the last block of the window in which a window is
// merged.
func (j *windowJudge) merging(w templar.Window) (from, to subnet.Block) {
	return j.rules.Start(w + 1), j.rules.Start(w+2) - 1
}

// span is how many blocks after a window gradients may be uploaded.
func (j *windowJudge) span() subnet.Block {
	return subnet.Block(float64(j.rules.WindowBlocks()) * j.rules.PutShare)
}

// gradients holds the gradients of a window against the leader's list: a miner whose
// chain was in order since the window before it, and whose store was for a while in
// the time for uploads, is gathered by all whose own chain and network were.
func (j *windowJudge) gradients(w templar.Window) {
	from, to := j.merging(w)
	list, ok := j.listed(w)
	for _, i := range j.honest("mine") {
		j.v.Windows++
		if !ok || !slices.Contains(list.Peers, j.uid(i)) {
			continue
		}
		began := j.rules.Start(w - 1 - min(w-1, marginBack-1))
		due := calm(j.own, i, began, from+j.span()) && calm(j.store, 0, began, from) &&
			clean(from, from+j.span(), marginGather, j.store[i])
		any, missed := false, ""
		for _, r := range j.honest("") {
			d, ok := j.shown(r, w)
			has := ok && slices.Contains(d.Peers, j.uid(i))
			any = any || has
			if !due || has || r == i || !calm(j.own, r, began, to) || !calm(j.store, r, began, to) || !clean(from, from+j.span(), marginGather, j.store[i], j.own[r]) || !j.same(r, w) {
				continue
			}
			if j.rules.Message == templar.Compact && !j.aggregatorsCalm(began, to) {
				continue // what the aggregator left out, all have left out
			}
			missed += " " + j.Neurons[r].Name
			if !ok {
				missed += " (which shows nothing)"
			}
		}
		if any {
			j.v.Gathered++
		}
		if due {
			j.v.Expected++
		}
		if missed != "" {
			j.v.Lost++
			j.say("lost: %s, window %d: not gathered by%s", j.Neurons[i].Name, w, missed)
		}
	}
}

func (j *windowJudge) aggregatorsCalm(from, to subnet.Block) bool {
	for _, i := range j.honest("validate") {
		if !calm(j.own, i, from, to) || !calm(j.store, i, from, to) {
			return false
		}
	}
	return true
}

// same says whether a neuron knew of the leader's list in time: it had two windows
// for it.
func (j *windowJudge) same(r int, w templar.Window) bool {
	began := j.rules.Start(w - min(w, marginBack))
	return calm(j.own, r, began, j.rules.Start(w+1)) && calm(j.store, 0, began, j.rules.Start(w+1))
}

// listed returns the leader's list of peers of a window, by what was in its bucket.
func (j *windowJudge) listed(w templar.Window) (list templar.PeerList, ok bool) {
	for from := templar.Window(0); from <= w; from++ {
		for _, u := range j.versions(0, templar.Name{Kind: templar.PeersObject, Window: from, Version: j.rules.Version}.String()) {
			if l, err := templar.ParsePeers(u.data); err == nil {
				list, ok = l, true
			}
		}
	}
	return list, ok
}

// shown returns what a neuron said in its debug object that it had merged, at first:
// who comes back says so anew.
func (j *windowJudge) shown(i int, w templar.Window) (d templar.Debug, ok bool) {
	list := j.versions(i, j.object(i, templar.DebugObject, w))
	if len(list) == 0 {
		return d, false
	}
	data := list[0].data
	d, err := templar.DecodeDebug(bytes.NewReader(data), int64(len(data)))
	return d, err == nil
}

// slices holds the deltas of a window against what miners merge of it in the next.
func (j *windowJudge) slices(w templar.Window) {
	from, to := j.merging(w)
	began := j.rules.Start(w - 1)
	due := 0
	for _, i := range j.honest("mine") {
		j.v.Windows++
		there := false
		for _, u := range j.versions(i, j.object(i, templar.DeltaObject, w)) {
			there = there || u.at < from
		}
		if there {
			j.v.Gathered++
		}
		if !calm(j.own, i, began, from) || !calm(j.store, i, began, to) {
			continue
		}
		due++
		j.v.Expected++
		if !there {
			j.v.Lost++
			j.say("lost: %s, window %d: its delta was not uploaded in time", j.Neurons[i].Name, w)
		}
	}
	for _, r := range j.honest("mine") {
		if !calm(j.own, r, began, to) || !calm(j.store, r, began, to) {
			continue
		}
		files, told := -1, false
		for _, e := range j.Neurons[r].Log() {
			if e.Kind != "deltas" {
				continue
			}
			var window uint64
			var n int64
			for _, a := range e.Attrs {
				switch a.Key {
				case "window":
					window = a.Value.Uint64()
				case "files":
					n = a.Value.Int64()
				}
			}
			if templar.Window(window) == w+1 {
				files, told = int(n), true
			}
		}
		if !told || files < due {
			j.v.Lost++
			j.say("lost: %s merged %d deltas of window %d, of %d", j.Neurons[r].Name, files, w, due)
		}
	}
}

// held compares the models at the end of a window: those of neurons that had nothing
// against them for two windows are the network's, if all stores had not; and who had
// the same, and has merged the same since, has the same.
func (j *windowJudge) held(w templar.Window) {
	j.ordeal.mu.Lock()
	now, before := j.states[w], j.states[w-1]
	j.ordeal.mu.Unlock()
	if now == nil || w < marginBack {
		return
	}
	from, to := j.rules.Start(w+1-marginBack), j.rules.Start(w+1)-1
	quiet := true
	for i := range j.Neurons {
		quiet = quiet && calm(j.store, i, from, to)
	}
	roles := []string{""}
	if j.rules.Scheme == templar.SliceScheme {
		roles = []string{"mine", "validate"}
	}
	for _, role := range roles {
		leader := -1
		for _, i := range j.honest(role) {
			if !calm(j.own, i, from, to) || !quiet {
				continue
			}
			if !j.peaceful(from, to) {
				continue
			}
			j.v.Held++
			if leader < 0 {
				leader = i
				if want := j.reached(i, w); !now[i].known || now[i].window != want {
					j.v.Strayed++
					j.say("strayed: at the end of window %d %s is at window %d, step %d, want window %d", w, j.Neurons[i].Name, now[i].window, now[i].step, want)
				}
				continue
			}
			if text := j.differ(now[leader], now[i], w, j.reached(i, w)); text != "" {
				j.v.Strayed++
				j.say("strayed: at the end of window %d %s is not where %s is: %s", w, j.Neurons[i].Name, j.Neurons[leader].Name, text)
			}
		}
	}
	if j.rules.Scheme != templar.GradientScheme || before == nil {
		return
	}
	list := j.honest("")
	for x, a := range list {
		for _, b := range list[x+1:] {
			if !before[a].known || !before[b].known || before[a].sum != before[b].sum || before[a].window != before[b].window ||
				now[a].window != now[b].window || now[a].window != before[a].window+1 {
				continue
			}
			da, oka := j.shown(a, now[a].window)
			db, okb := j.shown(b, now[b].window)
			if !oka || !okb || !slices.Equal(da.Peers, db.Peers) {
				continue
			}
			if j.cameBack(a, w) || j.cameBack(b, w) { // and began with something else
				continue
			}
			// Ours has two ways to the same peers: their sum by an aggregator, and their
			// mean, for who cannot get at it.
			if j.rules.Message == templar.Compact && !(quiet && j.peaceful(from, to) && calm(j.own, a, from, to) && calm(j.own, b, from, to)) {
				continue
			}
			j.v.Paired++
			if now[a].sum != now[b].sum {
				j.v.Parted++
				j.say("parted: %s and %s have merged the same of window %d, and are not the same", j.Neurons[a].Name, j.Neurons[b].Name, now[a].window)
			}
		}
	}
}

// cameBack says whether a neuron has made its model anew in a window.
func (j *windowJudge) cameBack(i int, w templar.Window) bool {
	return slices.ContainsFunc(j.Neurons[i].Log(), func(e subnet.Event) bool {
		return (e.Kind == "checkpoint" || e.Kind == "astray") && j.rules.Window(e.Block) == w
	})
}

// peaceful says whether no validator had anything against it: who aggregates, and
// who leads, is part of what all others merge. With slices it is all miners: a delta
// that comes while others look for it is there for some, and not for others.
func (j *windowJudge) peaceful(from, to subnet.Block) bool {
	role := "validate"
	if j.rules.Scheme == templar.SliceScheme {
		role = ""
	}
	for _, i := range j.honest(role) {
		if !calm(j.own, i, from, to) {
			return false
		}
	}
	return true
}

// reached is the last window that a neuron has merged at the end of another.
func (j *windowJudge) reached(i int, w templar.Window) templar.Window {
	switch {
	case j.rules.Scheme == templar.GradientScheme:
		return w - 1
	case j.Neurons[i].Role == "validate":
		return w - templar.Window(j.rules.JudgeLag)
	}
	return w
}

// nearly is how far merged values of two neurons may be apart: they are added up in
// the order in which they came.
const nearly = 1e-5

// differ says in what two models differ that should be one, or "".
func (j *windowJudge) differ(a, b saved, w, want templar.Window) string {
	if !a.known || !b.known {
		return "nothing is saved"
	}
	if b.window != want || a.window != want {
		return fmt.Sprintf("windows %d and %d", a.window, b.window)
	}
	if j.rules.Scheme == templar.GradientScheme {
		if a.sum != b.sum || a.step != b.step {
			return fmt.Sprintf("other parameters, steps %d and %d", a.step, b.step)
		}
		return ""
	}
	merged := want // of validators, who are about one window alone
	if want == w {
		merged-- // what it has learned itself
	}
	x, y := a.at(merged, int(j.rules.Slice.Compression)), b.at(merged, int(j.rules.Slice.Compression))
	for k := range x {
		if d := math.Abs(float64(x[k] - y[k])); !(d <= nearly) {
			return fmt.Sprintf("what was merged of window %d is %g off", merged, d)
		}
	}
	return ""
}
