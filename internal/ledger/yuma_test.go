package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"
)

// model is Yuma in floating point over dense matrices, written from the
// formulas and not from the code under test: a slow oracle.
func model(e *epoch) (consensus, trust, incentive, dividends []float64, bonds [][]float64) {
	n := len(e.stake)
	matrix := func() [][]float64 {
		m := make([][]float64, n)
		for i := range m {
			m[i] = make([]float64, n)
		}
		return m
	}
	norm := func(v []float64) {
		t := 0.0
		for _, x := range v {
			t += x
		}
		for i := range v {
			if t > 0 {
				v[i] /= t
			}
		}
	}
	colnorm := func(m [][]float64) {
		for j := range n {
			t := 0.0
			for i := range n {
				t += m[i][j]
			}
			for i := range n {
				if t > 0 {
					m[i][j] /= t
				}
			}
		}
	}
	stake := make([]float64, n)
	for i, s := range e.stake {
		if s >= e.threshold || i == e.owner {
			stake[i] = float64(s)
		}
	}
	norm(stake)
	active := make([]float64, n)
	for i := range n {
		if e.permit[i] && e.lastUpdate[i]+e.cutoff >= e.block {
			active[i] = stake[i]
		}
	}
	norm(active)
	w := matrix()
	for i := range n {
		if !e.permit[i] {
			continue
		}
		for _, p := range e.weights[i] {
			if j := int(p.F0); (j != i || i == e.owner) && e.lastUpdate[i] > e.registered[j] {
				w[i][j] = float64(p.F1)
			}
		}
		norm(w[i])
	}
	consensus = make([]float64, n)
	for j := range n {
		var rows []int
		for i := range n {
			if active[i] > 0 {
				rows = append(rows, i)
			}
		}
		sort.Slice(rows, func(a, b int) bool { return w[rows[a]][j] < w[rows[b]][j] })
		t := 0.0
		for _, i := range rows {
			consensus[j] = w[i][j]
			if t += active[i]; t > 1-float64(e.kappa)/65535 {
				break
			}
		}
	}
	trust, incentive, dividends = make([]float64, n), make([]float64, n), make([]float64, n)
	wb := matrix()
	for i := range n {
		for j := range n {
			c := math.Min(w[i][j], consensus[j])
			trust[i] += c
			incentive[j] += active[i] * c
			wb[i][j] = w[i][j] + float64(e.bondsPenalty)/65535*(c-w[i][j])
		}
	}
	norm(incentive)
	old := matrix()
	for i, row := range e.bonds {
		for _, p := range row {
			if j := p.F0; e.registered[j] < e.since {
				old[i][j] = float64(p.F1) / 65535
			}
		}
	}
	rate := 1 - float64(e.bondsMovingAverage)/1e6
	any := false
	for _, c := range consensus {
		any = any || c > 0
	}
	bonds = matrix()
	share := matrix()
	if !e.yuma3 {
		colnorm(old)
		d := matrix()
		for i := range n {
			for j := range n {
				d[i][j] = wb[i][j] * active[i]
			}
		}
		colnorm(d)
		for i := range n {
			for j := range n {
				bonds[i][j] = rate*d[i][j] + (1-rate)*old[i][j]
			}
		}
		colnorm(bonds)
		for i := range n {
			for j := range n {
				dividends[i] += bonds[i][j] * incentive[j]
			}
		}
		norm(dividends)
		for j := range n {
			most := 0.0
			for i := range n {
				most = math.Max(most, bonds[i][j])
			}
			for i := range n {
				if most > 0 {
					bonds[i][j] /= most
				}
			}
		}
		return consensus, trust, incentive, dividends, bonds
	}
	lo, hi := float64(e.alphaLow)/65535, float64(e.alphaHigh)/65535
	for i := range n {
		for j := range n {
			a := rate
			if e.liquidAlpha && any {
				if wb[i][j] == 0 {
					continue
				}
				d := wb[i][j] - consensus[j]
				if wb[i][j] < old[i][j] {
					d = old[i][j] - wb[i][j]
				}
				d = math.Max(0, math.Min(1, d))
				a = lo + (hi-lo)/(1+math.Exp(-float64(e.steepness)/100*(d-0.5)))
				a = math.Max(lo, math.Min(hi, a))
			}
			bonds[i][j] = a*wb[i][j] + (1-a)*old[i][j]
			share[i][j] = bonds[i][j]
		}
	}
	colnorm(share)
	for i := range n {
		for j := range n {
			dividends[i] += active[i] * share[i][j] * incentive[j]
		}
	}
	norm(dividends)
	return consensus, trust, incentive, dividends, bonds
}

// randomEpoch makes an epoch of n neurons of which v are validators.
func randomEpoch(r *rand.Rand, n, v int) *epoch {
	e := &epoch{
		block: 10_000, since: 9_900, cutoff: 1400, kappa: 32767, maxValidators: v, owner: -1, threshold: 1000,
		bondsMovingAverage: 900_000, bondsPenalty: uint16(r.UintN(65536)), alphaLow: 45875, alphaHigh: 58982, steepness: 1000,
		stake: make([]uint64, n), permit: make([]bool, n), registered: make([]uint64, n), lastUpdate: make([]uint64, n),
		weights: make([][]pair, n), bonds: make([][]pair, n),
	}
	for i := range n {
		e.registered[i] = uint64(r.IntN(9950))
		e.lastUpdate[i] = 9000 + uint64(r.IntN(1000))
		if r.IntN(10) == 0 {
			e.lastUpdate[i] = 5000 // inactive
		}
		if i >= v {
			continue
		}
		e.stake[i] = uint64(r.Int64N(1e15))
		e.permit[i] = r.IntN(8) > 0
		for j := range n {
			if r.IntN(3) > 0 {
				e.weights[i] = append(e.weights[i], pair{F0: uint16(j), F1: uint16(1 + r.UintN(65535))})
			}
			if r.IntN(3) > 0 {
				e.bonds[i] = append(e.bonds[i], pair{F0: uint16(j), F1: uint16(1 + r.UintN(65535))})
			}
		}
	}
	if r.IntN(2) == 0 {
		e.owner = r.IntN(n)
	}
	return e
}

// TestYuma holds the integers against the model: they may differ by one in
// 65535, and by what cutting off costs.
func TestYuma(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	near := func(got fixed, want float64) bool {
		return math.Abs(float64(got)/float64(one)-want) <= 1./65535
	}
	for round := range 60 {
		e := randomEpoch(r, 3+r.IntN(30), 1+r.IntN(3))
		e.yuma3, e.liquidAlpha = round%3 > 0, round%3 == 2
		v := e.run()
		c, trust, in, div, bonds := model(e)
		for i := range e.stake {
			for name, pair := range map[string]struct {
				got  fixed
				want float64
			}{
				"consensus": {v.consensus[i], c[i]}, "trust": {v.trust[i], trust[i]},
				"incentive": {v.incentive[i], in[i]}, "dividends": {v.dividends[i], div[i]},
			} {
				if !near(pair.got, pair.want) {
					t.Errorf("round %d uid %d: %s = %v, want %v", round, i, name, float64(pair.got)/float64(one), pair.want)
				}
			}
			if !v.permit[i] {
				if v.bonds[i] != nil {
					t.Errorf("round %d uid %d: bonds without a permit", round, i)
				}
				continue
			}
			got := map[uint16]uint16{}
			for _, p := range v.bonds[i] {
				got[p.F0] = p.F1
			}
			for j, want := range bonds[i] {
				if d := float64(got[uint16(j)]) - math.Min(1, want)*65535; math.Abs(d) > 1.5 {
					t.Errorf("round %d bond %d→%d = %d, want %v", round, i, j, got[uint16(j)], want*65535)
				}
			}
		}
	}
}

// TestYumaBits holds the results to what they were, to the bit: who makes the
// sums faster may not change them.
func TestYumaBits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	h := sha256.New()
	for round := range 40 {
		e := randomEpoch(r, 2+r.IntN(60), 1+r.IntN(30))
		e.yuma3, e.liquidAlpha = round%3 > 0, round%3 == 2
		v := e.run()
		fmt.Fprintln(h, v.active, v.permit, v.stake, v.consensus, v.trust, v.incentive, v.dividends, v.bonds)
	}
	const want = "969da2f2fa134ec0"
	if got := hex.EncodeToString(h.Sum(nil)[:8]); got != want {
		t.Errorf("the results have changed: %s, want %s", got, want)
	}
}

func TestPermits(t *testing.T) {
	e := &epoch{stake: []uint64{5, 9, 9, 0, 1}, maxValidators: 2, owner: -1}
	check := func(want ...bool) {
		t.Helper()
		got := e.permits(e.stakeShares())
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("permits = %v, want %v", got, want)
				return
			}
		}
	}
	check(false, true, true, false, false)
	e.owner = 3
	check(false, true, true, true, false)
	e.maxValidators = 1
	check(false, false, true, true, false)
	e.maxValidators = 10
	check(true, true, true, true, true)
}

func TestExpNeg(t *testing.T) {
	for _, x := range []float64{0, 0.001, 0.5, 1, 2.5, 5, 10, 20, 39} {
		got := float64(expNeg(fixed(x*float64(one)))) / float64(one)
		if math.Abs(got-math.Exp(-x)) > 1e-9 {
			t.Errorf("exp(-%v) = %v, want %v", x, got, math.Exp(-x))
		}
	}
	if got := expNeg(math.MaxUint64); got != 0 {
		t.Errorf("exp(-∞) = %v", got)
	}
}

func TestBlockEmission(t *testing.T) {
	for _, tt := range []struct{ issuance, want uint64 }{
		{0, 1e9}, {maxSupply/2 - 1, 1e9}, {maxSupply / 2, 5e8}, {maxSupply * 3 / 4, 25e7}, {maxSupply - 1, 1e9 >> 54}, {maxSupply, 0}, {math.MaxUint64, 0},
	} {
		if got := blockEmission(tt.issuance); got != tt.want {
			t.Errorf("blockEmission(%d) = %d, want %d", tt.issuance, got, tt.want)
		}
	}
}

func BenchmarkYuma(b *testing.B) {
	e := randomEpoch(rand.New(rand.NewPCG(1, 2)), 256, 64)
	e.yuma3 = true
	for b.Loop() {
		e.run()
	}
}
