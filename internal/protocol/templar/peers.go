package templar

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"

	"adit/internal/subnet"
)

// A Candidate is a miner among whom a leader chooses whose gradients are gathered.
type Candidate struct {
	UID       subnet.UID
	Active    bool    // it has a gradient of one of the last windows
	Incentive float64 // by the chain
	Weight    float64 // by the leader
	Naughty   bool    // banned, or left out for gradients that did harm
}

// ErrTooFewPeers is wrapped where fewer miners are active than a list must have.
var ErrTooFewPeers = errors.New("too few active miners")

// ChoosePeers makes the list of a window, which takes effect at another: the first
// one of the incentives that the chain tells, with others at random where these are
// too few, and all later ones of the leader's own weights. The best are gathered,
// and those that come next stand in for who of them is missing.
//
// Unlike upstream, which draws anew each time, the random ones are those of rng,
// so that a leader that was restarted posts the same list.
func (r Rules) ChoosePeers(list []Candidate, initial bool, w, effective Window, rng *rand.Rand) (PeerList, error) {
	h := r.Sparse
	var ranked, others []subnet.UID
	by := make(map[subnet.UID]float64)
	for _, c := range list {
		value := c.Weight
		if initial {
			value = c.Incentive
		}
		switch {
		case !c.Active || c.Naughty && !initial:
		case value > 0:
			by[c.UID] = value
			ranked = append(ranked, c.UID)
		default:
			others = append(others, c.UID)
		}
	}
	slices.SortFunc(ranked, func(a, b subnet.UID) int { return cmp.Or(-cmp.Compare(by[a], by[b]), cmp.Compare(a, b)) })
	slices.Sort(others)
	if initial {
		rng.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	}
	ranked = append(ranked, others...)
	if len(ranked) < int(h.MinimumPeers) {
		return PeerList{}, ErrTooFewPeers
	}
	gather := min(len(ranked), int(h.GatherPeerCount))
	reserve := min(len(ranked)-gather, int(h.ReservePeerCount))
	return PeerList{
		Peers: ranked[:gather:gather], Reserve: ranked[gather : gather+reserve : gather+reserve],
		Initial: initial, Sync: w, FirstIn: effective,
	}, nil
}

// A PeerPlan is which lists of peers a neuron knows: the one that counts, and the
// next one.
type PeerPlan struct {
	Now, Next PeerList
	HasNext   bool
}

// Learn takes a list that was fetched: an older one than is known changes nothing.
func (p *PeerPlan) Learn(list PeerList) {
	if list.FirstIn > p.Now.FirstIn && (!p.HasNext || list.FirstIn >= p.Next.FirstIn) {
		p.Next, p.HasNext = list, true
	}
}

// At returns the list that counts in a window, and moves on to the next one if it
// is due.
func (p *PeerPlan) At(w Window) PeerList {
	if p.HasNext && w >= p.Next.FirstIn {
		p.Now, p.Next, p.HasNext = p.Next, PeerList{}, false
	}
	return p.Now
}

// StandIns returns who of the reserve is gathered in place of so many that were
// missing, and in what order the rest would follow.
func (p PeerList) StandIns(missing int) (now, later []subnet.UID) {
	n := min(missing, len(p.Reserve))
	return slices.Clone(p.Reserve[:n]), slices.Clone(p.Reserve[n:])
}

// GatherOrder returns uids in the order in which their gradients are aggregated.
func GatherOrder(uids []subnet.UID) []subnet.UID { return slices.Sorted(slices.Values(uids)) }

// An EvalCandidate is a miner among whom a validator chooses whom to evaluate.
type EvalCandidate struct {
	UID     subnet.UID
	Skill   float64 // μ − 3σ
	Waiting int64   // windows since it was last looked at, and one
}

// ChooseEvaluated draws whom a validator evaluates in a window: a part of the
// miners, those of alike skill, and of these as many as there is time for, the
// rather the longer they have waited. So those are compared who are hard to tell
// apart.
func (r Rules) ChooseEvaluated(list []EvalCandidate, rng *rand.Rand) []subnet.UID {
	h := r.Sparse
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b EvalCandidate) int {
		return cmp.Or(-cmp.Compare(a.Skill, b.Skill), cmp.Compare(a.UID, b.UID))
	})
	if bins := int(h.NumEvaluationBins); len(list) >= bins*int(h.UIDsPerWindow) {
		// The first bins take what is left over of equal ones.
		i := rng.IntN(bins)
		size, rest := len(list)/bins, len(list)%bins
		from := i*size + min(i, rest)
		to := from + size
		if i < rest {
			to++
		}
		list = list[from:to]
	}
	var chosen []subnet.UID
	for len(list) > 0 && len(chosen) < int(h.UIDsPerWindow) {
		total := 0.0
		for _, c := range list {
			total += float64(max(c.Waiting, 1))
		}
		at, left := 0, rng.Float64()*total
		for ; at < len(list)-1; at++ {
			if left -= float64(max(list[at].Waiting, 1)); left < 0 {
				break
			}
		}
		chosen = append(chosen, list[at].UID)
		list = slices.Delete(list, at, at+1)
	}
	slices.Sort(chosen)
	return chosen
}

// maxEvalStake is the stake from which on a neuron is taken for a validator, and
// not evaluated.
const maxEvalStake = 20_000

// MayBeEvaluated says whether a neuron is one that is evaluated in a window.
func MayBeEvaluated(s *Standing, w Window, active bool, stake float64) bool {
	return active && stake <= maxEvalStake && !s.Naughty(w)
}

// Leader returns the validator whose word counts for all: that of the most stake,
// the lowest uid among equals. false if there is none.
func Leader(stake map[subnet.UID]float64) (leader subnet.UID, ok bool) {
	best := 0.0
	for uid, s := range stake {
		if s > best || ok && s == best && uid < leader {
			leader, best, ok = uid, s, true
		}
	}
	return leader, ok
}
