package score

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Rating is what is believed of a player's skill: a normal distribution.
type Rating struct {
	Mu    float64 // its mean
	Sigma float64 // its standard deviation
}

// Ordinal is one number to compare players by, μ − 3σ: the skill is above it
// with a probability of 99.7%. A player nobody has seen play stands at 0.
func (r Rating) Ordinal() float64 { return r.Mu - 3*r.Sigma }

func (r Rating) finite() bool {
	return !math.IsNaN(r.Mu) && !math.IsInf(r.Mu, 0) && !math.IsNaN(r.Sigma) && !math.IsInf(r.Sigma, 0)
}

// PlackettLuce rates players by the order in which they finish a match: the
// model of that name in Weng and Lin, "A Bayesian approximation method for
// online ranking" (JMLR 12, 2011), algorithm 4. Every player is a team of one,
// without weights or margins, and σ may rise as well as fall.
//
// Its numbers are those of openskill 6.1.3 in Python, which Templar uses with a
// Beta of 7 and a Tau of 0.1.
type PlackettLuce struct {
	Mu, Sigma float64 // of a player who has not played
	Beta      float64 // how much a player's performance varies from match to match
	Tau       float64 // is added to each σ before a match (in squares), so that none falls asleep
	Kappa     float64 // bounds from below by how much one match narrows a σ²
	// PlainZero ranks a score of exactly 0 as any other.
	//
	// openskill takes a score of 0 to be absent and puts the player's place in
	// the list in its stead: he who is third is ranked as if he had scored −2.
	// Who wants its numbers wants that too.
	PlainZero bool
}

// NewPlackettLuce returns the model with openskill's defaults for what Templar
// does not set.
func NewPlackettLuce(beta, tau float64) PlackettLuce {
	return PlackettLuce{Mu: 25, Sigma: 25.0 / 3, Beta: beta, Tau: tau, Kappa: 1e-4}
}

// New returns the rating of a player who has not played.
func (m PlackettLuce) New() Rating { return Rating{Mu: m.Mu, Sigma: m.Sigma} }

// Rate returns the ratings after a match in which player i scored scores[i];
// the higher score wins, and equal scores tie. A match takes two players; with
// fewer, or with a rating that is not a finite number, it is an error.
//
// Unlike upstream, a score that is not a number loses to every other: sorting
// such scores would leave the places of all to chance.
func (m PlackettLuce) Rate(before []Rating, scores []float64) ([]Rating, error) {
	if len(before) != len(scores) {
		return nil, fmt.Errorf("rate %d players by %d scores", len(before), len(scores))
	}
	if len(before) < 2 {
		return nil, errors.New("rate a match of fewer than two players")
	}
	for i, r := range before {
		if !r.finite() {
			return nil, fmt.Errorf("rate player %d: μ %v, σ %v", i, r.Mu, r.Sigma)
		}
	}

	places := m.places(scores)
	// Everything below is summed from the winner on, as openskill does: the
	// order of a sum shows in its last digits.
	order := make([]int, len(before))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(places[a], places[b]) })

	after := make([]Rating, len(before))
	total := 0.0
	for _, i := range order {
		r := before[i]
		after[i] = Rating{r.Mu, math.Sqrt(float64(r.Sigma*r.Sigma) + float64(m.Tau*m.Tau))}
		total += float64(after[i].Sigma*after[i].Sigma) + float64(m.Beta*m.Beta)
	}
	c := math.Sqrt(total)

	// strength[i] is e^(μ/c). among[i] sums it over all who did not finish
	// before i, tied[i] counts those who finished with i.
	n := len(before)
	strength, among, tied := make([]float64, n), make([]float64, n), make([]float64, n)
	for _, i := range order {
		strength[i] = math.Exp(after[i].Mu / c)
		for _, q := range order {
			if places[i] >= places[q] {
				among[q] += strength[i]
			}
			if places[i] == places[q] {
				tied[q]++
			}
		}
	}

	for _, i := range order {
		omega, delta := 0.0, 0.0
		for _, q := range order {
			if places[q] > places[i] {
				continue
			}
			// p is the probability, before the match, that i is the next to
			// finish when q is.
			p := strength[i] / among[q]
			delta += p * (1 - p) / tied[q]
			if places[q] == places[i] {
				omega += (1 - p) / tied[q]
			} else {
				omega -= p / tied[q]
			}
		}
		variance := after[i].Sigma * after[i].Sigma
		gamma := after[i].Sigma / c
		after[i].Mu += float64(omega * variance / c)
		after[i].Sigma *= math.Sqrt(max(1-float64(delta*variance/(c*c)*gamma), m.Kappa))
		if !after[i].finite() {
			return nil, fmt.Errorf("rate player %d of %d: the numbers are beyond float64", i, n)
		}
	}
	return after, nil
}

// places returns the place of each player, 0 for the winner; who ties shares
// the better place.
func (m PlackettLuce) places(scores []float64) []int {
	losses := make([]float64, len(scores))
	for i, s := range scores {
		losses[i] = -s
		switch {
		case math.IsNaN(s):
			losses[i] = math.Inf(1)
		case s == 0 && !m.PlainZero:
			losses[i] = float64(i)
		}
	}
	sorted := slices.Sorted(slices.Values(losses))
	places := make([]int, len(scores))
	for i, l := range losses {
		places[i], _ = slices.BinarySearch(sorted, l)
	}
	return places
}
