package ledger

import (
	"cmp"
	"slices"

	"adit/internal/scale"
)

// A pair is one entry of a sparse row of weights or bonds as the chain stores
// it: a uid and a share of 65535.
type pair = scale.Tuple2[uint16, uint16]

// An epoch is all that Yuma consensus looks at for one subnet with n neurons.
// Slices are indexed by uid.
type epoch struct {
	block         uint64
	since         uint64 // bonds to neurons that registered in this block or later are not theirs
	cutoff        uint64 // blocks after which a validator that set no weights is inactive
	kappa         uint16 // of 65535
	maxValidators int
	owner         int      // uid of the subnet's owner, -1 if it has none
	stake         []uint64 // rao: alpha plus weighted root TAO
	threshold     uint64   // stake below which a neuron has none, rao
	permit        []bool   // of the last epoch, and the owner's
	registered    []uint64 // block
	lastUpdate    []uint64 // block of the last weights
	weights       [][]pair // rows of validators
	// committed is the block of the oldest weights that each has committed and
	// not revealed, the greatest number if there are none; nil without
	// commit-reveal.
	committed []uint64
	bonds     [][]pair

	bondsMovingAverage uint64 // of a million
	bondsPenalty       uint16 // of 65535
	yuma3              bool
	liquidAlpha        bool
	alphaLow           uint16 // of 65535
	alphaHigh          uint16
	steepness          int16 // of the sigmoid, in hundredths
}

// A verdict is what an epoch decides. Shares are in [0, 1].
type verdict struct {
	active    []bool
	permit    []bool
	stake     []fixed // share of all stake
	consensus []fixed
	trust     []fixed // of validators
	incentive []fixed
	dividends []fixed
	earning   []fixed  // what validators are paid by: dividends, or stake if nobody weighs
	bonds     [][]pair // nil for those without a new permit
}

// run applies Yuma 2 or 3 [Subtensor, epoch with sparse matrices]. The rows of
// validators are dense slices of length n; others have none.
func (e *epoch) run() verdict {
	n := len(e.stake)
	v := verdict{active: make([]bool, n), permit: make([]bool, n)}
	v.stake = e.stakeShares()
	v.permit = e.permits(v.stake)

	// A neuron that has not updated its weights for long counts no more.
	activeStake := make([]fixed, n)
	for i := range n {
		v.active[i] = satAdd(e.lastUpdate[i], e.cutoff) >= e.block
		if v.active[i] && e.permit[i] {
			activeStake[i] = v.stake[i]
		}
	}
	normalise(activeStake)

	w := e.weightRows() // (n, n) by row, nil rows for neurons without permit
	v.consensus = consensus(activeStake, w, fromU16(e.kappa))

	v.trust = make([]fixed, n)
	v.incentive = make([]fixed, n)
	penalty := fromU16(e.bondsPenalty)
	forBonds := make([][]fixed, n)
	for i, row := range w {
		if row == nil {
			continue
		}
		forBonds[i] = make([]fixed, n)
		for j, x := range row {
			clipped := min(x, v.consensus[j])
			v.trust[i] = v.trust[i].add(clipped)
			v.incentive[j] = v.incentive[j].add(activeStake[i].mul(clipped))
			forBonds[i][j] = x - penalty.mul(x-clipped)
		}
	}
	normalise(v.incentive)

	var bonds [][]fixed
	if e.yuma3 {
		bonds, v.dividends = e.bonds3(forBonds, activeStake, v.consensus, v.incentive)
	} else {
		bonds, v.dividends = e.bonds2(forBonds, activeStake, v.incentive)
	}
	switch v.earning = v.dividends; {
	case nonzero(v.incentive) || nonzero(v.dividends):
	case nonzero(activeStake):
		v.earning = activeStake
	default:
		v.earning = v.stake
	}
	v.bonds = make([][]pair, n)
	for i, row := range bonds {
		if !v.permit[i] {
			continue
		}
		for j, b := range row {
			if q := b.u16(); q > 0 {
				v.bonds[i] = append(v.bonds[i], pair{F0: uint16(j), F1: q})
			}
		}
	}
	return v
}

// stakeShares returns each neuron's share of the stake that counts. The owner
// needs no threshold.
func (e *epoch) stakeShares() []fixed {
	var sum uint64
	counts := func(i int) bool { return e.stake[i] >= e.threshold || i == e.owner }
	for i, s := range e.stake {
		if counts(i) {
			sum = satAdd(sum, s)
		}
	}
	shares := make([]fixed, len(e.stake))
	for i, s := range e.stake {
		if counts(i) {
			shares[i] = ratio(s, sum)
		}
	}
	return shares
}

// permits gives a validator permit to the owner and to those with the most
// stake. Of equal shares, to 32 bits, the higher uid has it: the chain sorts
// upwards, keeps the order of equals, and drops from the front.
func (e *epoch) permits(stake []fixed) []bool {
	permit := make([]bool, len(stake))
	order := make([]int, 0, len(stake))
	for i, s := range stake {
		if s > 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(stake[b], stake[a]), cmp.Compare(b, a))
	})
	for _, i := range order[:min(len(order), e.maxValidators)] {
		permit[i] = true
	}
	if e.owner >= 0 {
		permit[e.owner] = true
	}
	return permit
}

// weightRows returns the weights that count, each row divided by its sum: none
// for oneself (the owner excepted), and none for a neuron that registered after
// the weights were set.
func (e *epoch) weightRows() [][]fixed {
	n := len(e.stake)
	rows := make([][]fixed, n)
	for i := range n {
		if !e.permit[i] {
			continue
		}
		row := make([]fixed, n)
		for _, p := range e.weights[i] {
			j := int(p.F0)
			if j >= n || (j == i && i != e.owner) || e.lastUpdate[i] <= e.registered[j] ||
				e.committed != nil && e.committed[i] < e.registered[j] {
				continue
			}
			row[j] = count(p.F1)
		}
		normalise(row)
		rows[i] = row
	}
	return rows
}

// consensus returns for each column the weight that the stake above majority
// agrees on: the stake-weighted quantile at 1-kappa, zeros included. Where no
// sum exceeds that, as with a kappa of zero, it is the largest weight.
func consensus(stake []fixed, w [][]fixed, kappa fixed) []fixed {
	n := len(stake)
	c := make([]fixed, n)
	voters := make([]int, 0, n)
	var whole fixed // one, but for what rounding took
	for i := range n {
		if stake[i] > 0 && w[i] != nil {
			voters = append(voters, i)
			whole = whole.add(stake[i])
		}
	}
	quantile := whole.sub(kappa)
	order := make([]int, len(voters))
	for j := range n {
		copy(order, voters)
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(w[a][j], w[b][j]) })
		var sum fixed
		for _, i := range order {
			c[j] = w[i][j]
			if sum = sum.add(stake[i]); sum > quantile {
				break
			}
		}
	}
	return c
}
