package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// The cases below testdata/yuma, and those that the environment variable
// YUMA_CASES names as a glob, come from other models of Yuma consensus. A file
// is
//
//	{"cases": [{"name": "…", "epochs": [epoch, …]}, …]}
//
// and an epoch of n neurons, lists by uid, is
//
//	{
//	 "block": 1000,               the block of the epoch
//	 "tempo": 360,                blocks between epochs
//	 "activity_cutoff": 5000,     blocks
//	 "kappa": 32767,              of 65535
//	 "max_validators": 64,
//	 "owner": -1,                 uid of the subnet's owner, -1: it has none
//	 "stake_threshold": 0,        rao
//	 "bonds_moving_average": 900000,  of 1000000
//	 "bonds_penalty": 65535,      of 65535
//	 "yuma3": true, "liquid_alpha": false,
//	 "alpha_low": 45875, "alpha_high": 58982,  of 65535
//	 "steepness": 1000,           hundredths
//	 "stake": [n],                rao: alpha and weighted TAO
//	 "registered": [n],           block
//	 "last_update": [n],          block
//	 "committed": [n],            block of the oldest weights committed and not
//	                              revealed, null: none; left out without commit-reveal
//	 "weights": [n lists of [uid, weight]],  weights of 65535 as stored
//	 "permit": [n],               of the epoch before; left out: as decided there
//	 "bonds": [n lists of [uid, bond]],      likewise, of 65535 as stored
//	 "expect": {                  each may be left out
//	   "active": [n], "permit": [n],         true or false
//	   "consensus": [n], "trust": [n],       in [0, 1], not cut off
//	   "incentive": [n], "dividends": [n],   trust is that of validators
//	   "bonds": [n lists of n]               what is stored, over 65535; of
//	                                         neurons without a new permit unread
//	 }
//	}
//
// Between epochs each side carries its own permits and stored bonds: bonds cut
// off to 65535ths, nothing for neurons without a new permit. A value agrees if
// it differs by no more than 1 of 65535 after being cut off.
type yumaEpoch struct {
	Block              uint64
	Tempo              uint64
	ActivityCutoff     uint64 `json:"activity_cutoff"`
	Kappa              uint16
	MaxValidators      int `json:"max_validators"`
	Owner              int
	StakeThreshold     uint64 `json:"stake_threshold"`
	BondsMovingAverage uint64 `json:"bonds_moving_average"`
	BondsPenalty       uint16 `json:"bonds_penalty"`
	Yuma3              bool
	LiquidAlpha        bool   `json:"liquid_alpha"`
	AlphaLow           uint16 `json:"alpha_low"`
	AlphaHigh          uint16 `json:"alpha_high"`
	Steepness          int16
	Stake              []uint64
	Registered         []uint64
	LastUpdate         []uint64 `json:"last_update"`
	Committed          []*uint64
	Weights            [][][2]uint16
	Permit             []bool
	Bonds              [][][2]uint16
	Expect             struct {
		Active, Permit                         []bool
		Consensus, Trust, Incentive, Dividends []float64
		Bonds                                  [][]float64
	}
}

func pairsOf(rows [][][2]uint16, n int) ([][]pair, error) {
	out := make([][]pair, n)
	for i, row := range rows {
		if i >= n {
			return nil, fmt.Errorf("%d rows of %d neurons", len(rows), n)
		}
		for _, p := range row {
			out[i] = append(out[i], pair{F0: p[0], F1: p[1]})
		}
	}
	return out, nil
}

// epoch returns what the rules look at. What was decided before is in last.
func (y *yumaEpoch) epoch(last *verdict) (*epoch, error) {
	n := len(y.Stake)
	if len(y.Registered) != n || len(y.LastUpdate) != n || y.Owner >= n {
		return nil, fmt.Errorf("lists of %d, %d and %d neurons", n, len(y.Registered), len(y.LastUpdate))
	}
	e := &epoch{
		block: y.Block, tempo: y.Tempo, cutoff: y.ActivityCutoff, kappa: y.Kappa, maxValidators: y.MaxValidators,
		owner: y.Owner, stake: y.Stake, threshold: y.StakeThreshold, permit: fit(y.Permit, n),
		registered: y.Registered, lastUpdate: y.LastUpdate,
		bondsMovingAverage: y.BondsMovingAverage, bondsPenalty: y.BondsPenalty, yuma3: y.Yuma3, liquidAlpha: y.LiquidAlpha,
		alphaLow: y.AlphaLow, alphaHigh: y.AlphaHigh, steepness: y.Steepness,
	}
	var err error
	if e.weights, err = pairsOf(y.Weights, n); err != nil {
		return nil, err
	}
	if e.bonds, err = pairsOf(y.Bonds, n); err != nil {
		return nil, err
	}
	if y.Committed != nil {
		e.committed = make([]uint64, n)
		for i := range n {
			e.committed[i] = math.MaxUint64
			if c := at(y.Committed, i); c != nil {
				e.committed[i] = *c
			}
		}
	}
	if last != nil {
		if y.Permit == nil {
			e.permit = fit(last.permit, n)
		}
		if y.Bonds == nil {
			e.bonds = fit(last.bonds, n)
		}
	}
	return e, nil
}

func TestYumaCases(t *testing.T) {
	files, err := filepath.Glob("testdata/yuma/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if glob := os.Getenv("YUMA_CASES"); glob != "" {
		more, err := filepath.Glob(glob)
		if err != nil || len(more) == 0 {
			t.Fatalf("no cases in %s: %v", glob, err)
		}
		files = append(files, more...)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Cases []struct {
				Name   string
				Epochs []yumaEpoch
			}
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range file.Cases {
			t.Run(filepath.Base(name)+"/"+c.Name, func(t *testing.T) {
				var last *verdict
				for i := range c.Epochs {
					e, err := c.Epochs[i].epoch(last)
					if err != nil {
						t.Fatalf("epoch %d: %v", i, err)
					}
					v := e.run()
					c.Epochs[i].check(t, i, &v)
					last = &v
				}
			})
		}
	}
}

// check compares a verdict with what is expected.
func (y *yumaEpoch) check(t *testing.T, round int, v *verdict) {
	t.Helper()
	flags := func(what string, got, want []bool) {
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("epoch %d: %s of uid %d = %v, want %v", round, what, i, got[i], want[i])
			}
		}
	}
	agree := func(what string, got uint16, want float64) {
		if d := int(got) - int(math.Min(want, 1)*65535); d < -1 || d > 1 {
			t.Errorf("epoch %d: %s = %d, want %v", round, what, got, want*65535)
		}
	}
	shares := func(what string, got []fixed, want []float64) {
		for i := range want {
			agree(fmt.Sprintf("%s of uid %d", what, i), got[i].u16(), want[i])
		}
	}
	x := &y.Expect
	flags("active", v.active, x.Active)
	flags("permit", v.permit, x.Permit)
	shares("consensus", v.consensus, x.Consensus)
	shares("trust", v.trust, x.Trust)
	shares("incentive", v.incentive, x.Incentive)
	shares("dividends", v.dividends, x.Dividends)
	for i, row := range x.Bonds {
		if !v.permit[i] {
			continue
		}
		got := make([]uint16, len(v.bonds))
		for _, p := range v.bonds[i] {
			got[p.F0] = p.F1
		}
		for j, want := range row {
			agree(fmt.Sprintf("bond of %d to %d", i, j), got[j], want)
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
