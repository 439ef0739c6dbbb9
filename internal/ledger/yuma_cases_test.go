package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A yumaCase is a subnet over epochs, and what a model of Yuma in Python makes
// of it. The format is described in conformance/yuma/model.py.
type yumaCase struct {
	Format, Name, About string
	LeansOn             []string `json:"leans_on"`
	Netuid              uint16
	N                   int
	Epochs              []yumaEpoch
}

type yumaEpoch struct {
	Block, Previous uint64
	Params          *yumaParams
	Alpha, Tao      []uint64
	LastUpdate      []uint64 `json:"last_update"`
	RegisteredAt    []uint64 `json:"registered_at"`
	Commit          []*uint64
	Reset           []uint16
	Weights         map[uint16][][2]uint16
	Want            yumaWant
}

type yumaParams struct {
	Tempo, Kappa   uint16
	MaxValidators  uint16 `json:"max_validators"`
	ActivityCutoff uint64 `json:"activity_cutoff"`
	StakeThreshold uint64 `json:"stake_threshold"`
	TaoWeight      uint64 `json:"tao_weight"`
	Owner          *int
	BondsMovingAvg uint64 `json:"bonds_moving_avg"`
	BondsPenalty   uint16 `json:"bonds_penalty"`
	Yuma3          bool
	LiquidAlpha    bool   `json:"liquid_alpha"`
	AlphaLow       uint16 `json:"alpha_low"`
	AlphaHigh      uint16 `json:"alpha_high"`
	AlphaSteepness int16  `json:"alpha_steepness"`
	CommitReveal   bool   `json:"commit_reveal"`
	BondsReset     bool   `json:"bonds_reset"`
}

type yumaWant struct {
	Permit, Active                          []int
	Stake                                   []float64
	Consensus, Incentive, Dividends, Vtrust []float64
	Server, Validator, Emission             []float64
	Bonds                                   map[uint16][][2]float64
	Margin                                  float64
	Noise, Drift                            map[string]float64
}

// readStrictly reads JSON and refuses what v has no place for.
func readStrictly(t testing.TB, b []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatal(err)
	}
}

// A yumaSubnet is a ledger with one subnet, number 1, whose storage is set from
// outside before each epoch.
type yumaSubnet struct {
	*Ledger
	t       testing.TB
	n       uint16
	pending [2]uint64 // RAO of alpha before each epoch: for miners, for validators
}

func newYumaSubnet(t testing.TB, n int) *yumaSubnet {
	y := &yumaSubnet{New(DevGenesis()), t, uint16(n), [2]uint64{1e12, 1e12}}
	s := y.s
	sub.NetworksAdded.set(s, 1, true)
	sub.TotalNetworks.set(s, 2)
	sub.SubnetworkN.set(s, 1, y.n)
	sub.SubnetOwner.set(s, 1, dev("Alice"))
	for i := range y.n {
		sub.Keys.set(s, 1, i, key(int(i)))
		sub.Uids.set(s, 1, key(int(i)), i)
		sub.Owner.set(s, key(int(i)), dev("Bob"))
	}
	return y
}

// configure sets what a subnet's owner and the chain can set.
func (y *yumaSubnet) configure(p *yumaParams) {
	s := y.s
	sub.Tempo.set(s, 1, p.Tempo)
	sub.Kappa.set(s, 1, p.Kappa)
	sub.MaxAllowedValidators.set(s, 1, p.MaxValidators)
	factor := (p.ActivityCutoff*1000 + uint64(p.Tempo) - 1) / uint64(p.Tempo)
	sub.ActivityCutoffFactorMilli.set(s, 1, uint32(factor))
	if got := y.cutoff(1); got != p.ActivityCutoff {
		y.t.Fatalf("no factor makes a cutoff of %d, %d makes %d", p.ActivityCutoff, factor, got)
	}
	sub.StakeThreshold.set(s, p.StakeThreshold)
	sub.TaoWeight.set(s, p.TaoWeight)
	sub.BondsMovingAverage.set(s, 1, p.BondsMovingAvg)
	sub.BondsPenalty.set(s, 1, p.BondsPenalty)
	sub.Yuma3On.set(s, 1, p.Yuma3)
	sub.LiquidAlphaOn.set(s, 1, p.LiquidAlpha)
	alpha := sub.AlphaValues.get(s, 1)
	alpha.F0, alpha.F1 = p.AlphaLow, p.AlphaHigh
	sub.AlphaValues.set(s, 1, alpha)
	sub.AlphaSigmoidSteepness.set(s, 1, p.AlphaSteepness)
	sub.CommitRevealWeightsEnabled.set(s, 1, p.CommitReveal)
	sub.BondsResetOn.set(s, 1, p.BondsReset)
	if sub.SubnetOwnerHotkey.delete(s, 1); p.Owner != nil {
		sub.SubnetOwnerHotkey.set(s, 1, key(*p.Owner))
	}
}

// epoch sets the inputs of an epoch and runs it.
func (y *yumaSubnet) epoch(e *yumaEpoch) {
	s := y.s
	if e.Params != nil {
		y.configure(e.Params)
	}
	y.number = e.Block
	sub.LastUpdate.set(s, 1, e.LastUpdate)
	for i := range y.n {
		hotkey := key(int(i))
		sub.TotalHotkeyShares.delete(s, hotkey, 1)
		sub.TotalHotkeyAlpha.set(s, hotkey, 1, e.Alpha[i])
		sub.TotalHotkeyAlpha.set(s, hotkey, rootNetuid, e.Tao[i])
		sub.BlockAtRegistration.set(s, 1, i, e.RegisteredAt[i])
		sub.WeightCommits.delete(s, 1, hotkey)
		if c := at(e.Commit, int(i)); c != nil {
			sub.WeightCommits.set(s, 1, hotkey, []weightCommit{{F2: *c}})
		}
		if row, ok := e.Weights[i]; ok {
			sub.Weights.set(s, 1, i, pairsOf(row))
		}
	}
	for _, uid := range e.Reset {
		y.resetBonds(1, key(int(uid)))
	}
	sub.PendingServerEmission.set(s, 1, y.pending[0])
	sub.PendingValidatorEmission.set(s, 1, y.pending[1])
	y.runEpoch(1)
	sub.LastMechansimStepBlock.set(s, 1, e.Block)
	s.flush()
}

// restore sets the permits and bonds that the model had after an epoch.
func (y *yumaSubnet) restore(w *yumaWant) {
	sub.ValidatorPermit.set(y.s, 1, flags(w.Permit, y.n))
	for i := range y.n {
		sub.Bonds.delete(y.s, 1, i)
		if row := w.Bonds[i]; row != nil {
			sub.Bonds.set(y.s, 1, i, pairsOf(row))
		}
	}
}

// pairsOf returns a row as the chain stores it: without fractions.
func pairsOf[T uint16 | float64](row [][2]T) []pair {
	out := make([]pair, len(row))
	for k, p := range row {
		out[k] = pair{F0: uint16(p[0]), F1: uint16(p[1])}
	}
	return out
}

func flags(uids []int, n uint16) []bool {
	v := make([]bool, n)
	for _, i := range uids {
		v[i] = true
	}
	return v
}

// compare checks what an epoch has stored. A number may be one of 65535 off, and
// twice what the model says of its own 32 bits; the greatest distance is
// returned.
func (y *yumaSubnet) compare(what string, w *yumaWant, slack map[string]float64) (worst int) {
	y.t.Helper()
	s := y.s
	near := func(name string, i, j int, got uint64, want float64, slack float64) {
		d := int(math.Abs(float64(got) - math.Floor(want)))
		worst = max(worst, d)
		if float64(d) > 1+2*slack {
			y.t.Errorf("%s: %s of %d to %d = %d, want %v", what, name, i, j, got, want)
		}
	}
	vector := func(name string, got []uint16, want []float64) {
		for i := range want {
			near(name, i, i, uint64(got[i]), want[i], slack[name])
		}
	}
	if got := sub.Active.get(s, 1); !slices.Equal(got, flags(w.Active, y.n)) {
		y.t.Errorf("%s: active are %v, want %v", what, got, w.Active)
	}
	permit := flags(w.Permit, y.n)
	if got := sub.ValidatorPermit.get(s, 1); !slices.Equal(got, permit) {
		y.t.Errorf("%s: permits are %v, want %v", what, got, w.Permit)
	}
	vector("stake", sub.StakeWeight.get(s, 1), w.Stake)
	vector("consensus", sub.Consensus.get(s, 1), w.Consensus)
	vector("incentive", sub.Incentive.get(s, 1), w.Incentive)
	vector("dividends", sub.Dividends.get(s, 1), w.Dividends)
	vector("vtrust", sub.ValidatorTrust.get(s, 1), w.Vtrust)
	for i, n := range sub.Emission.get(s, 1) {
		near("emission", i, i, mulDiv(n, 65535, sum(y.pending[:])), w.Emission[i], max(slack["incentive"], slack["dividends"]))
	}
	for i := range y.n {
		want, got := make([]float64, y.n), make([]uint16, y.n)
		for _, p := range w.Bonds[i] {
			want[int(p[0])] = p[1]
		}
		row, ok := sub.Bonds.lookup(s, 1, i)
		if ok && !permit[i] {
			y.t.Errorf("%s: uid %d has bonds but no permit", what, i)
		}
		for _, p := range row {
			got[p.F0] = p.F1
		}
		for j := range want {
			near("bond", int(i), j, uint64(got[j]), want[j], slack["bonds"])
		}
	}
	return worst
}

// TestYumaCases holds the ledger to a model that was written without knowledge
// of it: over epochs that each begin with the model's permits and bonds, and
// over epochs that hand on the ledger's own. The cases are those in testdata,
// or those that the environment variable YUMA_CASES names as a glob.
func TestYumaCases(t *testing.T) {
	glob := os.Getenv("YUMA_CASES")
	if glob == "" {
		glob = "testdata/yuma/small-*.json"
	}
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", glob, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if name == "emission" {
			continue // of another format: TestEmissionPayout and its like read it
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c yumaCase
			readStrictly(t, b, &c)
			if c.Format != "adit-yuma-1" || c.N == 0 || len(c.Epochs) == 0 {
				t.Fatalf("%d epochs of %d neurons in format %q", len(c.Epochs), c.N, c.Format)
			}
			anew, own := newYumaSubnet(t, c.N), newYumaSubnet(t, c.N)
			var apart, drifted int
			for k := range c.Epochs {
				e := &c.Epochs[k]
				if k > 0 {
					anew.restore(&c.Epochs[k-1].Want)
				}
				anew.epoch(e)
				own.epoch(e)
				apart = max(apart, anew.compare(fmt.Sprintf("epoch %d", k), &e.Want, e.Want.Noise))
				drifted = max(drifted, own.compare(fmt.Sprintf("epoch %d, handed on", k), &e.Want, e.Want.Drift))
			}
			t.Logf("%s: off by at most %d, handed on by %d", c.Name, apart, drifted)
		})
	}
}
