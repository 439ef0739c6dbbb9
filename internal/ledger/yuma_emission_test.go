package ledger

import (
	"math"
	"os"
	"testing"

	"adit/internal/scale"
)

// emissionCases are what the model of conformance/yuma/emission.py makes of
// emission: amounts in RAO, shares and prices of one.
type emissionCases struct {
	Format string
	Curve  []struct {
		Issuance uint64
		Emission float64
	}
	RootProp []struct {
		TaoWeight     uint64  `json:"tao_weight"`
		RootTao       uint64  `json:"root_tao"`
		AlphaIssuance uint64  `json:"alpha_issuance"`
		RootProp      float64 `json:"root_prop"`
	} `json:"root_prop"`
	Share []struct {
		Subnets []struct {
			Price       float64
			MinerBurned float64 `json:"miner_burned"`
			Enabled     bool
		}
		Share []float64
	}
	AlphaIn []struct {
		Tao, Price    float64
		RootProp      float64 `json:"root_prop"`
		AlphaEmission float64 `json:"alpha_emission"`
		AlphaIn       float64 `json:"alpha_in"`
		Excess        float64
	} `json:"alpha_in"`
	Payout   []payoutCase
	Recorded struct {
		Case     yumaCase
		AlphaOut float64 `json:"alpha_out"`
		Blocks   uint64
		OwnerCut uint16 `json:"owner_cut"`
		Alpha    []float64
	}
}

type payoutCase struct {
	About                string
	AlphaOut             float64 `json:"alpha_out"`
	Blocks               uint64
	OwnerCut             uint16 `json:"owner_cut"`
	Take                 uint16
	RootProp             float64 `json:"root_prop"`
	RecycleRoot          bool    `json:"recycle_root"`
	TaoWeight            uint64  `json:"tao_weight"`
	Alpha, Tao           []uint64
	Incentive, Dividends []float64
	Want                 struct {
		Owner, Miners, Validators, Root float64
		Miner, Local                    []float64
		FromRoot                        []float64 `json:"from_root"`
		Taken                           []float64
	}
}

func readEmission(t *testing.T) *emissionCases {
	b, err := os.ReadFile("testdata/yuma/emission.json")
	if err != nil {
		t.Fatal(err)
	}
	var c emissionCases
	readStrictly(t, b, &c)
	return &c
}

// close checks that got is want, up to a millionth and a RAO or two that were
// rounded away.
func close(t *testing.T, what string, got uint64, want float64) {
	t.Helper()
	if math.Abs(float64(got)-want) > 2+want/1e6 {
		t.Errorf("%s = %d, want %.0f", what, got, want)
	}
}

// ofOne returns x with 32 bits after the point.
func ofOne(x float64) fixed { return fixed(math.Round(x * float64(one))) }

func TestEmissionCurve(t *testing.T) {
	for _, c := range readEmission(t).Curve {
		if got := blockEmission(c.Issuance); got != uint64(c.Emission) {
			t.Errorf("blockEmission(%d) = %d, want %v", c.Issuance, got, c.Emission)
		}
	}
}

func TestEmissionRootProportion(t *testing.T) {
	for _, c := range readEmission(t).RootProp {
		l := New(DevGenesis())
		sub.TaoWeight.set(l.s, c.TaoWeight)
		sub.SubnetTAO.set(l.s, rootNetuid, c.RootTao)
		if got := l.rootProportion(c.AlphaIssuance); math.Abs(float64(got)/float64(one)-c.RootProp) > 1e-8 {
			t.Errorf("the proportion of %+v = %v", c, float64(got)/float64(one))
		}
	}
}

func TestEmissionShares(t *testing.T) {
	for _, c := range readEmission(t).Share {
		l := New(DevGenesis())
		var netuids []uint16
		for i, s := range c.Subnets {
			netuid := uint16(i + 1)
			netuids = append(netuids, netuid)
			sub.SubnetMovingPrice.set(l.s, netuid, FixedI128{scale.I128{Lo: uint64(ofOne(s.Price))}})
			sub.MinerBurned.set(l.s, netuid, FixedU128{scale.U128{Lo: uint64(ofOne(s.MinerBurned))}})
			sub.SubnetEmissionEnabled.set(l.s, netuid, s.Enabled)
		}
		for i, got := range l.emissionShares(netuids) {
			if math.Abs(float64(got)/float64(one)-c.Share[i]) > 1e-7 {
				t.Errorf("share of subnet %d in %+v = %v, want %v", i+1, c.Subnets, float64(got)/float64(one), c.Share[i])
			}
		}
	}
}

// issuing returns a ledger whose subnet 1 emits so much alpha in a block, at
// this price, and of which root has this proportion.
func issuing(t *testing.T, alpha, price, rootProp float64) *Ledger {
	l := New(DevGenesis())
	s := l.s
	issuance := uint64(1e15)
	for blockEmission(issuance) > uint64(alpha) {
		issuance += 1e15
	}
	if blockEmission(issuance) != uint64(alpha) {
		t.Fatalf("no block emits %v", alpha)
	}
	in := issuance / 2
	sub.SubnetAlphaIn.set(s, 1, in)
	sub.SubnetAlphaOut.set(s, 1, issuance-in)
	sub.SubnetTAO.set(s, 1, uint64(price*float64(in)))
	sub.TaoWeight.set(s, 1<<63)
	sub.SubnetTAO.set(s, rootNetuid, uint64(2*float64(issuance)*rootProp/(1-rootProp)))
	return l
}

func TestEmissionAlphaIn(t *testing.T) {
	for _, c := range readEmission(t).AlphaIn {
		l := issuing(t, c.AlphaEmission, c.Price, c.RootProp)
		l.injectInto(1, uint64(c.Tao), true)
		close(t, "alpha that enters", sub.SubnetAlphaInEmission.get(l.s, 1), c.AlphaIn)
		close(t, "TAO that buys", sub.SubnetExcessTao.get(l.s, 1), c.Excess)
	}
}

// TestEmissionPayout follows the alpha of an epoch's blocks to whom it is paid.
func TestEmissionPayout(t *testing.T) {
	for _, c := range readEmission(t).Payout {
		t.Run(c.About, func(t *testing.T) {
			l := issuing(t, c.AlphaOut, 0.1, c.RootProp)
			s, owner := l.s, key(99)
			sub.SubnetOwnerHotkey.set(s, 1, owner)
			sub.SubnetOwnerCut.set(s, c.OwnerCut)
			sub.OwnerCutEnabled.set(s, 1, true)
			l.injectInto(1, 0, !c.RecycleRoot)

			// The model has nobody's half grow before the epoch.
			blocks := float64(c.Blocks)
			miners := (c.AlphaOut*blocks - c.Want.Owner) / 2
			for _, p := range []struct {
				name string
				of   *table[uint16, uint64]
				want float64
			}{
				{"owner's cut", &sub.PendingOwnerCut, c.Want.Owner},
				{"miners' half", &sub.PendingServerEmission, miners},
				{"validators' part", &sub.PendingValidatorEmission, miners - c.Want.Root},
				{"root's part", &sub.PendingRootAlphaDivs, c.Want.Root},
			} {
				if c.RecycleRoot && p.of == &sub.PendingRootAlphaDivs {
					p.want = 0
				}
				close(t, p.name+" of a block", p.of.get(s, 1), p.want/blocks)
				p.of.set(s, 1, uint64(p.want))
			}

			n := len(c.Alpha)
			hotkeys, v := make([]AccountID, n), &verdict{incentive: make([]fixed, n), earning: make([]fixed, n)}
			sub.TaoWeight.set(s, c.TaoWeight)
			for i := range hotkeys {
				hotkeys[i] = key(i)
				v.incentive[i], v.earning[i] = ofOne(c.Incentive[i]), ofOne(c.Dividends[i])
				sub.Owner.set(s, hotkeys[i], dev("Bob"))
				sub.Delegates.set(s, hotkeys[i], c.Take)
				sub.TotalHotkeyAlpha.set(s, hotkeys[i], 1, c.Alpha[i])
				sub.TotalHotkeyAlpha.set(s, hotkeys[i], rootNetuid, c.Tao[i])
				// All of it is Alice's, who is not the validator.
				all := FixedU128{scale.U128{Hi: c.Alpha[i]}}
				sub.TotalHotkeyShares.set(s, hotkeys[i], 1, all)
				sub.Alpha.set(s, hotkeys[i], dev("Alice"), 1, all)
			}
			l.distribute(1, hotkeys, v)

			close(t, "owner's stake", sub.TotalHotkeyAlpha.get(s, owner, 1), c.Want.Owner)
			part := float64(c.Take) / math.MaxUint16
			for i, hotkey := range hotkeys {
				w := &c.Want
				close(t, "local dividends", sub.AlphaDividendsPerSubnet.get(s, 1, hotkey), w.Local[i])
				close(t, "dividends from root", sub.RootAlphaDividendsPerSubnet.get(s, 1, hotkey), w.FromRoot[i]*(1-part))
				paid := sub.TotalHotkeyAlpha.get(s, hotkey, 1) - c.Alpha[i]
				close(t, "stake", paid, w.Miner[i]+w.Local[i]+w.FromRoot[i]*part)
				close(t, "validator's own", l.stakeOf(hotkey, dev("Bob"), 1), w.Miner[i]+w.Taken[i])
			}
		})
	}
}

// TestRecordedEmission is the distribution that was seen on a chain of runtime
// 293 with one validator, which weighed two miners 2:1: [4.51, 3.006, 1.503]
// alpha, to three digits [subtensor.md 2.11].
func TestRecordedEmission(t *testing.T) {
	r := readEmission(t).Recorded
	y := newYumaSubnet(t, r.Case.N)
	all := r.AlphaOut * float64(r.Blocks)
	rest := uint64(all) - fromU16(r.OwnerCut).of(uint64(all))
	y.pending = [2]uint64{rest / 2, rest - rest/2}
	for k := range r.Case.Epochs {
		y.epoch(&r.Case.Epochs[k])
	}
	for i, n := range sub.Emission.get(y.s, 1) {
		if got := math.Floor(float64(n)/1e6) / 1e3; got != r.Alpha[i] {
			t.Errorf("emission of uid %d = %v, want %v", i, got, r.Alpha[i])
		}
	}
}
