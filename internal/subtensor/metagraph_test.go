package subtensor

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/scale/scaletest"
	"adit/internal/subnet"
)

type (
	c8   = scale.Compact[uint8]
	c16  = scale.Compact[uint16]
	c64  = scale.Compact[uint64]
	acc  = scaletest.AccountID
	pays = scale.Tuple2[acc, c64]
)

// wireIdentity and wireMetagraph have the shape of runtime 424's.
type wireIdentity struct {
	SubnetName, GithubRepo, SubnetContact, SubnetURL, Discord, Description, LogoURL, Additional []byte
}

type wireChainIdentity struct{ Name, URL, GithubRepo, Image, Discord, Description, Additional []byte }

type wireMetagraph struct {
	Netuid                                                                  c16
	Name, Symbol                                                            []c8
	Identity                                                                scale.Option[wireIdentity]
	NetworkRegisteredAt                                                     c64
	OwnerHotkey, OwnerColdkey                                               acc
	Block                                                                   c64
	Tempo                                                                   c16
	LastStep, BlocksSinceLastStep, SubnetEmission, AlphaIn, AlphaOut, TaoIn c64
	AlphaOutEmission, AlphaInEmission, TaoInEmission                        c64
	PendingAlphaEmission, PendingRootEmission                               c64
	MovingPrice                                                             struct{ Bits scale.I128 }
	Rho, Kappa, MinAllowedWeights, MaxWeightsLimit                          c16
	WeightsVersion, WeightsRateLimit, ActivityCutoff                        c64
	MaxValidators, NumUids, MaxUids                                         c16
	Burn, Difficulty                                                        c64
	RegistrationAllowed, PowRegistrationAllowed                             bool
	ImmunityPeriod                                                          c16
	MinDifficulty, MaxDifficulty, MinBurn, MaxBurn, AdjustmentAlpha         c64
	AdjustmentInterval, TargetRegsPerInterval, MaxRegsPerBlock              c16
	ServingRateLimit                                                        c64
	CommitRevealWeightsEnabled                                              bool
	CommitRevealPeriod                                                      c64
	LiquidAlphaEnabled                                                      bool
	AlphaHigh, AlphaLow                                                     c16
	BondsMovingAvg                                                          c64
	Hotkeys, Coldkeys                                                       []acc
	Identities                                                              []scale.Option[wireChainIdentity]
	Axons                                                                   []scaletest.AxonInfo
	Active, ValidatorPermit                                                 []bool
	PruningScore                                                            []c16
	LastUpdate, Emission                                                    []c64
	Dividends, Incentives, Consensus, Trust, Rank                           []c16
	BlockAtRegistration, AlphaStake, TaoStake, TotalStake                   []c64
	TaoDividendsPerHotkey, AlphaDividendsPerHotkey                          []pays
}

// testMetagraph has n neurons, no two of whose numbers are equal.
func testMetagraph(n int) *wireMetagraph {
	m := &wireMetagraph{Netuid: c16{V: 7}, Name: []c8{{V: 'a'}, {V: 'b'}}, Tempo: c16{V: 360}, NumUids: c16{V: uint16(n)}, Burn: c64{V: 12345},
		Block: c64{V: 99}, Identity: scale.SomeOf(wireIdentity{SubnetName: []byte("mine"), LogoURL: []byte("l"), SubnetURL: []byte("u")})}
	m.MovingPrice.Bits = scale.I128{Lo: 1 << 31, Hi: 0}
	for i := range n {
		u16 := func(k int) c16 { return c16{V: uint16(100*k + i)} }
		u64 := func(k int) c64 { return c64{V: uint64(k)*1e9 + uint64(i)} }
		m.Hotkeys, m.Coldkeys = append(m.Hotkeys, acc{1, byte(i), byte(i >> 8)}), append(m.Coldkeys, acc{2, byte(i), byte(i >> 8)})
		m.Identities = append(m.Identities, scale.Option[wireChainIdentity]{Some: i == 1, V: wireChainIdentity{Name: []byte("me")}})
		m.Axons = append(m.Axons, scaletest.AxonInfo{IP: scale.U128From(uint64(0x01020300 + i)), Port: uint16(i), IPType: 4})
		m.Active, m.ValidatorPermit = append(m.Active, i%2 == 0), append(m.ValidatorPermit, i%3 == 0)
		m.PruningScore, m.Dividends, m.Incentives = append(m.PruningScore, u16(1)), append(m.Dividends, u16(2)), append(m.Incentives, u16(3))
		m.Consensus, m.Trust, m.Rank = append(m.Consensus, u16(4)), append(m.Trust, u16(5)), append(m.Rank, u16(6))
		m.LastUpdate, m.Emission = append(m.LastUpdate, u64(1)), append(m.Emission, u64(2))
		m.BlockAtRegistration, m.AlphaStake = append(m.BlockAtRegistration, u64(3)), append(m.AlphaStake, u64(4))
		m.TaoStake, m.TotalStake = append(m.TaoStake, u64(5)), append(m.TotalStake, u64(6))
	}
	return m
}

func metagraphAPI(m *wireMetagraph) scale.APIDef {
	return scale.APIDef{Name: "SubnetInfoRuntimeApi", Version: 1, Methods: []scale.MethodDef{
		{Name: "get_metagraph", Args: []string{"netuid"}, Func: func(_ *fake, netuid uint16) scale.Option[wireMetagraph] {
			if netuid != 7 {
				return scale.Option[wireMetagraph]{}
			}
			return scale.SomeOf(*m)
		}},
	}}
}

// withAPIs makes the node's runtime answer questions.
func (f *fake) withAPIs(defs ...scale.APIDef) {
	f.t.Helper()
	apis, err := scale.NewAPIs[*fake](defs...)
	if err != nil {
		f.t.Fatal(err)
	}
	def := scaletest.Runtime()
	def.APIs = apis.Defs()
	if f.md, err = scale.BuildMetadata(def); err != nil {
		f.t.Fatal(err)
	}
	f.apis = func(_ *fakeBlock, name string, args []byte) []byte {
		b, err := apis.Call(f, name, args)
		if err != nil {
			return nil
		}
		return b
	}
}

func TestMetagraphByAPI(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	f.withAPIs(metagraphAPI(testMetagraph(3)))
	f.put([]pair{{F0: 1, F1: 1}, {F0: 2, F1: 3}}, module, "Weights", 7, 2)
	f.produce()
	c := dialFakes(t, Options{}, f)
	before := f.counted()
	got, err := c.Subnet(7, nil).Metagraph(t.Context(), subnet.Latest)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]int{"state_call": 1, "state_queryStorageAt": 1}, f.since(before)); d != "" {
		t.Error("requests: " + d)
	}
	if got.Block != 1 || got.Tempo != 360 || len(got.Neurons) != 3 {
		t.Fatalf("metagraph %+v", got)
	}
	want := subnet.Neuron{UID: 2, Hotkey: subnet.Hotkey(keys.Address(acc{1, 2})), Coldkey: keys.Address(acc{2, 2}),
		Axon: netip.MustParseAddrPort("1.2.3.2:2"), Stake: 4e9 + 2, LastUpdate: 1e9 + 2, RegisteredAt: 3e9 + 2,
		Incentive: 302. / 65535, Dividends: 202. / 65535, Consensus: 402. / 65535, Emission: 2e9 + 2,
		Weights: []subnet.Weight{{UID: 1, Value: 0.25}, {UID: 2, Value: 0.75}}}
	if d := cmp.Diff(want, got.Neurons[2], cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Error(d)
	}
	v, err := c.At(t.Context(), subnet.Latest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := v.Metagraph(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "ab" || m.Identity == nil || m.Identity.Name != "mine" || m.Identity.URL != "u" || m.Identity.Logo != "l" || m.Burn != 12345 || m.MovingPrice != 0.5 ||
		m.Identities[0] != nil || m.Identities[1].Name != "me" || m.Rank[1] != 601 || m.TotalStake[2] != 6e9+2 {
		t.Errorf("metagraph %+v", m)
	}
	if _, err := v.Metagraph(t.Context(), 8); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("no subnet: %v", err)
	}
	if _, err := v.Mechagraph(t.Context(), 7, 1); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("no API: %v", err)
	}
	if _, err := v.Stakes(t.Context(), acc{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("no API: %v", err)
	}
}

// Metadata that describes other answers than come, and answers that do not fit one
// another, are errors.
func TestLyingMetagraph(t *testing.T) {
	t.Parallel()
	m := testMetagraph(3)
	m.Coldkeys = m.Coldkeys[:2]
	f := newFake(t, 0)
	f.withAPIs(metagraphAPI(m))
	c := dialFakes(t, Options{}, f)
	if _, err := c.Subnet(7, nil).Metagraph(t.Context(), subnet.Latest); err == nil {
		t.Error("three hotkeys have two coldkeys")
	}
	for _, answer := range [][]byte{{}, {1}, {2}, {1, 28, 0xfe, 0xff, 0xff, 0xff}} {
		f.set(func() { f.apis = func(*fakeBlock, string, []byte) []byte { return append([]byte{}, answer...) } })
		if _, err := c.Subnet(7, nil).Metagraph(t.Context(), subnet.Latest); err == nil {
			t.Errorf("%x is taken for a metagraph", answer)
		}
	}
}

func (f *fake) counted() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]int{}
	for k, n := range f.counts {
		out[k] = n
	}
	return out
}

// since returns what was asked of the node after counted.
func (f *fake) since(before map[string]int) map[string]int {
	now := f.counted()
	for k, n := range before {
		if now[k] -= n; now[k] == 0 {
			delete(now, k)
		}
	}
	return now
}

// BenchmarkMetagraph reads 256 neurons over loopback: all that the runtime tells
// of them, and with the rows of 64 validators, as protocols read it.
func BenchmarkMetagraph(b *testing.B) {
	f := newFake(b, 0)
	f.withAPIs(metagraphAPI(testMetagraph(256)))
	row := make([]pair, 256)
	for i := range row {
		row[i] = pair{F0: uint16(i), F1: uint16(1 + i)}
	}
	for uid := range 64 {
		f.put(row, module, "Weights", 7, uid)
	}
	f.produce()
	c := dialFakes(b, Options{}, f)
	ctx := context.Background()
	b.Run("runtime", func(b *testing.B) {
		for b.Loop() {
			v, err := c.At(ctx, subnet.Latest)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := v.Metagraph(ctx, 7); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("protocol", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.Subnet(7, nil).Metagraph(ctx, subnet.Latest); err != nil {
				b.Fatal(err)
			}
		}
	})
}
