package ledger

// oldBonds returns the stored bonds by row, as unit reads a stored number,
// without those to neurons that registered since the last epoch: they belong to
// whoever had the uid before.
func (e *epoch) oldBonds(unit func(uint16) fixed) [][]fixed {
	n := len(e.stake)
	rows := make([][]fixed, n)
	for i, row := range e.bonds {
		if len(row) == 0 {
			continue
		}
		rows[i] = make([]fixed, n)
		for _, p := range row {
			if j := int(p.F0); j < n && e.registered[j] < e.since {
				rows[i][j] = unit(p.F1)
			}
		}
	}
	return rows
}

// count reads a stored number where only ratios matter, and loses nothing.
func count(v uint16) fixed { return fixed(v) }

// rate is the weight of the new bonds in the moving average.
func (e *epoch) rate() fixed {
	return one - min(one, ratio(e.bondsMovingAverage, 1_000_000))
}

// bonds2 is Yuma 2: bonds are shares of a column. They are stored relative to
// the largest of their column, whether or not its owner keeps the permit. Liquid
// alpha is a matter of Yuma 3 alone.
func (e *epoch) bonds2(w [][]fixed, stake, incentive []fixed) (bonds [][]fixed, dividends []fixed) {
	n := len(stake)
	old := e.oldBonds(count)
	columns(n, old, column.normalise)

	delta := make([][]fixed, n)
	for i, row := range w {
		if row == nil {
			continue
		}
		delta[i] = make([]fixed, n)
		for j, x := range row {
			delta[i][j] = x.mul(stake[i])
		}
	}
	columns(n, delta, column.normalise)

	a := e.rate()
	bonds = make([][]fixed, n)
	for i := range n {
		if delta[i] == nil && old[i] == nil {
			continue
		}
		bonds[i] = make([]fixed, n)
		for j := range n {
			bonds[i][j] = a.mul(at(delta[i], j)).add((one - a).mul(at(old[i], j)))
		}
	}
	columns(n, bonds, column.normalise)

	dividends = make([]fixed, n)
	for i, row := range bonds {
		for j, b := range row {
			dividends[i] = dividends[i].add(b.mul(incentive[j]))
		}
	}
	normalise(dividends)
	columns(n, bonds, column.scaleToMax)
	return bonds, dividends
}

// bonds3 is Yuma 3: each bond follows its weight at its own rate, and stake
// counts when the dividends are dealt out.
func (e *epoch) bonds3(w [][]fixed, stake, consensus, incentive []fixed) (bonds [][]fixed, dividends []fixed) {
	n := len(stake)
	old := e.oldBonds(fromU16)
	liquid := false
	for _, c := range consensus {
		liquid = liquid || e.liquidAlpha && c > 0
	}
	a := e.rate()
	bonds = make([][]fixed, n)
	for i := range n {
		if w[i] == nil && old[i] == nil {
			continue
		}
		bonds[i] = make([]fixed, n)
		for j := range n {
			x, b := at(w[i], j), at(old[i], j)
			if liquid {
				if x == 0 {
					// A bond to a neuron the new weights leave out is dropped, and so
					// is one whose weight is clipped away in whole. Unlike upstream,
					// which tells a weight that was set to zero from one that was not
					// set where the penalty is all or nothing, both are none here:
					// clients leave zeros out.
					continue
				}
				a = e.liquidRate(x, b, consensus[j])
			}
			bonds[i][j] = a.mul(x).add((one - a).mul(b))
		}
	}

	shares := make([][]fixed, n)
	for i, row := range bonds {
		if row != nil {
			shares[i] = append([]fixed(nil), row...)
		}
	}
	columns(n, shares, column.normalise)
	dividends = make([]fixed, n)
	for i, row := range shares {
		var sum fixed
		for j, b := range row {
			sum = sum.add(b.mul(incentive[j]))
		}
		dividends[i] = sum.mul(stake[i])
	}
	normalise(dividends)
	return bonds, dividends
}

// liquidRate returns how fast a bond b follows weight w where the consensus is
// c: a sigmoid between the subnet's two alpha values, faster for those ahead of
// the consensus. w is the weight that bonds are drawn to, after the penalty.
func (e *epoch) liquidRate(w, b, c fixed) fixed {
	d := w.sub(c)
	if w < b {
		d = b.sub(w)
	}
	d = min(d, one)
	lo, hi := fromU16(e.alphaLow), fromU16(e.alphaHigh)
	steep := ratio(uint64(max(e.steepness, 0)), 100)
	// 1/(1+exp(-x)), or for negative x its mirror 1 - 1/(1+exp(x))
	var s fixed
	if d >= one/2 {
		s = one.div(one + expNeg(steep.mul(d-one/2)))
	} else {
		s = one - one.div(one+expNeg(steep.mul(one/2-d)))
	}
	return min(max(lo.add(hi.sub(lo).mul(s)), lo), hi)
}

// at returns row[j], or zero where there is none.
func at[T any](row []T, j int) (x T) {
	if j < len(row) {
		x = row[j]
	}
	return x
}

// A column gathers what a pass over one column needs to know.
type column struct{ sum, max fixed }

func (c column) normalise(x fixed) fixed  { return x.div(c.sum) }
func (c column) scaleToMax(x fixed) fixed { return x.div(c.max) }

// columns replaces each entry of each column by f of it.
func columns(n int, rows [][]fixed, f func(column, fixed) fixed) {
	stats := make([]column, n)
	for _, row := range rows {
		for j, x := range row {
			stats[j].sum = stats[j].sum.add(x)
			stats[j].max = max(stats[j].max, x)
		}
	}
	for _, row := range rows {
		for j, x := range row {
			if x > 0 {
				row[j] = f(stats[j], x)
			}
		}
	}
}
