package connito

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"adit/internal/subnet"
)

// A round's miners fall into groups by what validators' weights on chain say of
// them: A, the few that some validator thinks much of; B, those that are next in
// the weights; C, a part of the rest, drawn anew for each validator. Whoever is in
// A or B is evaluated in the foreground by the validator it is assigned to, all
// others in the background as time allows.
type groups struct {
	A, B, C    []subnet.UID
	Foreground []subnet.UID // of A and B, mine
	Background []subnet.UID // all others, in the order of evaluation
}

// An opinion is what the validators together say of a miner.
type opinion struct {
	uid        subnet.UID
	sum, most  float64
	validators int
}

// count adds up the k largest weights of each validator, the best miner first.
// Weights of validators for one another, and such that are not positive, are
// left out; of equal weights the lower uid counts first.
func count(validators []subnet.Neuron, k int) []opinion {
	judges := make(map[subnet.UID]bool)
	for _, v := range validators {
		judges[v.UID] = true
	}
	of := make(map[subnet.UID]*opinion)
	for _, v := range validators {
		row := slices.DeleteFunc(slices.Clone(v.Weights), func(w subnet.Weight) bool { return judges[w.UID] || !(w.Value > 0) })
		slices.SortFunc(row, func(a, b subnet.Weight) int {
			return cmp.Or(-cmp.Compare(a.Value, b.Value), cmp.Compare(a.UID, b.UID))
		})
		for _, w := range row[:min(len(row), k)] {
			t := of[w.UID]
			if t == nil {
				t = &opinion{uid: w.UID}
				of[w.UID] = t
			}
			t.sum += w.Value
			t.most = max(t.most, w.Value)
			t.validators++
		}
	}
	list := make([]opinion, 0, len(of))
	for _, t := range of {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b opinion) int {
		return cmp.Or(-cmp.Compare(a.sum, b.sum), -cmp.Compare(a.validators, b.validators), cmp.Compare(a.uid, b.uid))
	})
	return list
}

// A roundView is what the groups of a round are made of.
type roundView struct {
	Me         subnet.Hotkey
	Judges     []Judge         // qualified validators, in storage order
	Validators []subnet.Neuron // the same, with their weights
	Candidates []Candidate     // miners with a complete commitment
	// LastEvaluated is when each miner was last evaluated, as a block; a miner
	// that never was comes first.
	LastEvaluated map[subnet.UID]subnet.Block
	// Average is what a miner was paid on average; it matters without groups.
	Average map[subnet.UID]float64
}

// group divides a round's miners. Without groups, as in the generations before,
// the foreground is the assignment, and the background begins with the five best
// averages. Miners that wait equally long come in a random order.
func (r Rules) group(v roundView, rng *rand.Rand) groups {
	var g groups
	if r.Everyone {
		for _, c := range v.Candidates {
			g.Foreground = append(g.Foreground, c.UID)
		}
		return g
	}
	if r.Groups == (GroupSizes{}) {
		g.Foreground = uidsOf(v.Candidates, r.assignment(v.Judges, v.Candidates)[v.Me])
		best := slices.DeleteFunc(slices.Clone(v.Candidates), func(c Candidate) bool { return !(v.Average[c.UID] > 0) })
		slices.SortFunc(best, func(a, b Candidate) int {
			return cmp.Or(-cmp.Compare(v.Average[a.UID], v.Average[b.UID]), cmp.Compare(a.UID, b.UID))
		})
		g.Background = v.background(g.Foreground, uidsOf(best, hotkeys(best[:min(len(best), legacyBest)])), rng)
		return g
	}

	in := make(map[subnet.UID]bool)
	for _, t := range count(v.Validators, r.Groups.TallyA) {
		if len(g.A) < r.Groups.AB && t.validators >= r.Groups.MinConsensus && t.most > r.Groups.MinWeight {
			g.A, in[t.uid] = append(g.A, t.uid), true
		}
	}
	for _, t := range count(v.Validators, r.Groups.TallyB) {
		if !in[t.uid] && len(g.A)+len(g.B) < r.Groups.AB {
			g.B, in[t.uid] = append(g.B, t.uid), true
		}
	}
	var high, low []Candidate
	for _, c := range v.Candidates {
		if in[c.UID] {
			high = append(high, c)
		} else {
			low = append(low, c)
		}
	}
	g.C = uidsOf(low, assign(v.Judges, hotkeys(low), 0)[v.Me])
	g.C = g.C[:min(len(g.C), r.Groups.C)]
	if !r.NoForeground {
		g.Foreground = uidsOf(high, assign(v.Judges, hotkeys(high), 0)[v.Me])
	}
	g.Background = v.background(g.Foreground, slices.Concat(g.A, g.B, g.C), rng)
	return g
}

// elsewhere is how many miners are in the foreground of other validators.
func (r Rules) elsewhere(v roundView, g groups) int {
	if r.Everyone || r.NoForeground || len(v.Judges) < 2 {
		return 0
	}
	n := 0
	for _, c := range v.Candidates {
		high := r.Groups == (GroupSizes{}) || slices.Contains(g.A, c.UID) || slices.Contains(g.B, c.UID)
		if high && !slices.Contains(g.Foreground, c.UID) {
			n++
		}
	}
	return n
}

// legacyBest is how many of the best averages go first where there are no groups.
const legacyBest = 5

// background returns the candidates that are not in the foreground: those of the
// list first, then the others, whoever waits longest.
func (v roundView) background(foreground, first []subnet.UID, rng *rand.Rand) []subnet.UID {
	type waiting struct {
		uid  subnet.UID
		last subnet.Block
		lot  uint64
	}
	var listed []subnet.UID
	var others []waiting
	for _, uid := range first {
		if !slices.Contains(foreground, uid) && slices.ContainsFunc(v.Candidates, func(c Candidate) bool { return c.UID == uid }) {
			listed = append(listed, uid)
		}
	}
	for _, c := range v.Candidates {
		if !slices.Contains(foreground, c.UID) && !slices.Contains(listed, c.UID) {
			others = append(others, waiting{c.UID, v.LastEvaluated[c.UID], rng.Uint64()})
		}
	}
	slices.SortFunc(others, func(a, b waiting) int {
		return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.lot, b.lot), cmp.Compare(a.uid, b.uid))
	})
	for _, w := range others {
		listed = append(listed, w.uid)
	}
	return listed
}

// uidsOf returns the uids of hotkeys, in their order.
func uidsOf(candidates []Candidate, named []subnet.Hotkey) []subnet.UID {
	var list []subnet.UID
	for _, h := range named {
		for _, c := range candidates {
			if c.Hotkey == h {
				list = append(list, c.UID)
			}
		}
	}
	return list
}
