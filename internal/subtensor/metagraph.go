package subtensor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"golang.org/x/sync/errgroup"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
)

// module is the pallet that holds subnets.
const module = "SubtensorModule"

// Metagraph is all that the chain tells of a subnet in one answer. Amounts are in
// RAO, or the smallest unit of alpha; fractions are of 65535; lists are by uid. A
// field that the runtime does not tell is the zero value.
type Metagraph struct {
	NetUID       subnet.NetUID
	Block        subnet.Block
	Name, Symbol string
	Identity     *SubnetIdentity // nil if there is none

	OwnerHotkey, OwnerColdkey Account
	RegisteredAt              subnet.Block
	Tempo                     uint16
	LastStep                  subnet.Block // of the last epoch
	BlocksSinceLastStep       uint64

	AlphaIn, AlphaOut, TaoIn                           uint64 // of the pool, and held outside it
	Emission                                           uint64 // of the subnet in a block
	AlphaOutEmission, AlphaInEmission, TaoInEmission   uint64
	PendingAlpha, PendingRoot                          uint64
	MovingPrice                                        float64 // TAO for one alpha, smoothed
	Burn, MinBurn, MaxBurn                             uint64  // what a registration costs
	NumUIDs, MaxUIDs, MaxValidators                    uint16
	RegistrationAllowed, CommitReveal                  bool
	CommitRevealPeriod                                 uint64 // epochs
	ImmunityPeriod                                     uint16 // blocks
	ActivityCutoff, WeightsRateLimit, ServingRateLimit uint64 // blocks
	MinAllowedWeights, MaxWeightsLimit                 uint16
	WeightsVersion                                     uint64
	Hotkeys, Coldkeys                                  []Account
	Identities                                         []*Identity // of the coldkeys
	Axons                                              []netip.AddrPort
	Active, Permits                                    []bool
	LastUpdate, RegisteredAts                          []subnet.Block
	Emissions                                          []uint64
	Incentives, Dividends, Consensus, Trust, Rank      []uint16
	PruningScores                                      []uint16
	AlphaStake, TaoStake, TotalStake                   []uint64 // with what parents lend
}

// opt is a field that not every runtime tells.
type opt[T any] = scale.Option[T]

// rawMetagraph is a Metagraph, or a SelectiveMetagraph, as the runtime answers.
type rawMetagraph struct {
	Netuid                                                      uint16
	Name, Symbol                                                opt[[]byte]
	Identity                                                    opt[subnetIdentity]
	OwnerHotkey, OwnerColdkey                                   opt[Account]
	NetworkRegisteredAt, Block, LastStep, BlocksSinceLastStep   opt[uint64]
	Tempo, NumUids, MaxUids, MaxValidators, MinAllowedWeights   opt[uint16]
	MaxWeightsLimit, ImmunityPeriod                             opt[uint16]
	SubnetEmission, AlphaIn, AlphaOut, TaoIn                    opt[uint64]
	AlphaOutEmission, AlphaInEmission, TaoInEmission            opt[uint64]
	PendingAlphaEmission, PendingRootEmission                   opt[uint64]
	MovingPrice                                                 opt[struct{ Bits scale.I128 }]
	Burn, MinBurn, MaxBurn, WeightsVersion, WeightsRateLimit    opt[uint64]
	ActivityCutoff, ServingRateLimit, CommitRevealPeriod        opt[uint64]
	RegistrationAllowed, CommitRevealWeightsEnabled             opt[bool]
	Hotkeys, Coldkeys                                           opt[[]Account]
	Identities                                                  opt[[]opt[identity]]
	Axons                                                       opt[[]rawServer]
	Active, ValidatorPermit                                     opt[[]bool]
	LastUpdate, BlockAtRegistration                             opt[[]subnet.Block]
	Emission, AlphaStake, TaoStake, TotalStake                  opt[[]uint64]
	PruningScore, Dividends, Incentives, Consensus, Trust, Rank opt[[]uint16]
}

// rawServer is an AxonInfo or a PrometheusInfo.
type rawServer struct {
	Block   uint64
	Version uint32
	IP      scale.U128
	Port    uint16
	IPType  uint8
}

func (s rawServer) addr() netip.AddrPort { return ipAddr(s.IP, uint64(s.IPType), uint64(s.Port)) }

// Metagraph reads all about a subnet after the view's block in one round trip. A
// runtime without the API wraps [errors.ErrUnsupported]; [subnet.Chain] then still
// reads the part that protocols see.
func (v *View) Metagraph(ctx context.Context, n subnet.NetUID) (*Metagraph, error) {
	return v.metagraph(ctx, n, "get_metagraph", n)
}

// Mechagraph is [View.Metagraph] of one of a subnet's mechanisms.
func (v *View) Mechagraph(ctx context.Context, n subnet.NetUID, mechanism uint8) (*Metagraph, error) {
	return v.metagraph(ctx, n, "get_mechagraph", n, mechanism)
}

func (v *View) metagraph(ctx context.Context, n subnet.NetUID, method string, args ...any) (*Metagraph, error) {
	var raw rawMetagraph
	is, err := v.askInto(ctx, &raw, "SubnetInfoRuntimeApi", method, args...)
	if err != nil {
		return nil, fmt.Errorf("read metagraph of subnet %d: %w", n, err)
	}
	if !is {
		return nil, fmt.Errorf("read metagraph of subnet %d: there is no such subnet: %w", n, subnet.ErrNotFound)
	}
	m := raw.plain()
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("read metagraph of subnet %d: %w", n, err)
	}
	return m, nil
}

func (r *rawMetagraph) plain() *Metagraph {
	m := &Metagraph{
		NetUID: subnet.NetUID(r.Netuid), Block: subnet.Block(r.Block.V), Name: string(r.Name.V), Symbol: string(r.Symbol.V),
		OwnerHotkey: r.OwnerHotkey.V, OwnerColdkey: r.OwnerColdkey.V, RegisteredAt: subnet.Block(r.NetworkRegisteredAt.V),
		Tempo: r.Tempo.V, LastStep: subnet.Block(r.LastStep.V), BlocksSinceLastStep: r.BlocksSinceLastStep.V,
		AlphaIn: r.AlphaIn.V, AlphaOut: r.AlphaOut.V, TaoIn: r.TaoIn.V, Emission: r.SubnetEmission.V,
		AlphaOutEmission: r.AlphaOutEmission.V, AlphaInEmission: r.AlphaInEmission.V, TaoInEmission: r.TaoInEmission.V,
		PendingAlpha: r.PendingAlphaEmission.V, PendingRoot: r.PendingRootEmission.V, MovingPrice: fixed32(r.MovingPrice.V.Bits),
		Burn: r.Burn.V, MinBurn: r.MinBurn.V, MaxBurn: r.MaxBurn.V, NumUIDs: r.NumUids.V, MaxUIDs: r.MaxUids.V,
		MaxValidators: r.MaxValidators.V, RegistrationAllowed: r.RegistrationAllowed.V, CommitReveal: r.CommitRevealWeightsEnabled.V,
		CommitRevealPeriod: r.CommitRevealPeriod.V, ImmunityPeriod: r.ImmunityPeriod.V, ActivityCutoff: r.ActivityCutoff.V,
		WeightsRateLimit: r.WeightsRateLimit.V, ServingRateLimit: r.ServingRateLimit.V, MinAllowedWeights: r.MinAllowedWeights.V,
		MaxWeightsLimit: r.MaxWeightsLimit.V, WeightsVersion: r.WeightsVersion.V,
		Hotkeys: r.Hotkeys.V, Coldkeys: r.Coldkeys.V, Active: r.Active.V, Permits: r.ValidatorPermit.V,
		LastUpdate: r.LastUpdate.V, RegisteredAts: r.BlockAtRegistration.V, Emissions: r.Emission.V, Incentives: r.Incentives.V,
		Dividends: r.Dividends.V, Consensus: r.Consensus.V, Trust: r.Trust.V, Rank: r.Rank.V, PruningScores: r.PruningScore.V,
		AlphaStake: r.AlphaStake.V, TaoStake: r.TaoStake.V, TotalStake: r.TotalStake.V,
	}
	if r.Identity.Some {
		id := r.Identity.V.plain()
		m.Identity = &id
	}
	m.Identities = make([]*Identity, len(r.Identities.V))
	for i, x := range r.Identities.V {
		if x.Some {
			id := x.V.plain()
			m.Identities[i] = &id
		}
	}
	m.Axons = make([]netip.AddrPort, len(r.Axons.V))
	for i, x := range r.Axons.V {
		m.Axons[i] = x.addr()
	}
	return m
}

// fixed32 returns a fixed-point number with 32 bits behind the point.
func fixed32(x scale.I128) float64 {
	return float64(x.Hi)*(1<<32) + float64(x.Lo)/(1<<32)
}

// check makes sure that every list that a neuron needs is there.
func (m *Metagraph) check() error {
	n := len(m.Hotkeys)
	for name, length := range map[string]int{"coldkeys": len(m.Coldkeys), "axons": len(m.Axons), "alpha_stake": len(m.AlphaStake)} {
		if length != n {
			return fmt.Errorf("%d hotkeys, and %d %s", n, length, name)
		}
	}
	return nil
}

// at returns the i-th of a list; those of an epoch may be shorter than the subnet
// until the next.
func at[T any](list []T, i int) (x T) {
	if i < len(list) {
		x = list[i]
	}
	return x
}

// neurons returns the part that protocols see.
func (m *Metagraph) neurons() []subnet.Neuron {
	out := make([]subnet.Neuron, len(m.Hotkeys))
	for i := range out {
		out[i] = subnet.Neuron{
			UID: subnet.UID(i), Hotkey: subnet.Hotkey(keys.Address(m.Hotkeys[i])), Coldkey: keys.Address(m.Coldkeys[i]),
			Axon: m.Axons[i], Permit: at(m.Permits, i), Stake: m.AlphaStake[i],
			LastUpdate: at(m.LastUpdate, i), RegisteredAt: at(m.RegisteredAts, i), Incentive: fraction(at(m.Incentives, i)),
			Dividends: fraction(at(m.Dividends, i)), Consensus: fraction(at(m.Consensus, i)), Emission: at(m.Emissions, i),
		}
	}
	return out
}

// Metagraph implements [subnet.Chain]. A neuron's stake is its hotkey's alpha on
// the subnet; where the runtime answers for the whole subnet at once, with what
// parents lend it.
func (c chain) Metagraph(ctx context.Context, at subnet.Block) (*subnet.Metagraph, error) {
	v, err := c.At(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("read metagraph: %w", err)
	}
	m, err := c.ask(ctx, v)
	if errors.Is(err, errors.ErrUnsupported) {
		r := metagraphReader{v, c.netuid}
		if m, err = r.read(ctx); err != nil {
			err = fmt.Errorf("read metagraph of subnet %d: %w", c.netuid, err)
		}
	}
	return m, err
}

// customary is how many neurons a subnet has at most, unless its owner pays for
// more.
const customary = 256

// ask reads the metagraph by the runtime's API, and the weights, which that does
// not tell, at the same time.
func (c chain) ask(ctx context.Context, v *View) (*subnet.Metagraph, error) {
	if _, _, err := v.EncodeRuntimeCall("SubnetInfoRuntimeApi", "get_metagraph", c.netuid); err != nil {
		return nil, unsupported(v.Runtime, "SubnetInfoRuntimeApi", "get_metagraph", err)
	}
	var m *Metagraph
	var rows [][]subnet.Weight
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		m, err = v.Metagraph(gctx, c.netuid)
		return err
	})
	g.Go(func() (err error) {
		rows, err = v.weightRows(gctx, uint16(c.netuid), 0, customary)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if n := len(m.Hotkeys); n > customary {
		more, err := v.weightRows(ctx, uint16(c.netuid), customary, n)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	out := &subnet.Metagraph{NetUID: c.netuid, Block: v.Block, Tempo: subnet.Block(m.Tempo), Neurons: m.neurons()}
	for i := range out.Neurons {
		out.Neurons[i].Weights = rows[i]
	}
	return out, nil
}

// Weights reads what the neurons of a subnet, which has so many, have set for one
// of its mechanisms: a row for each uid, divided by its sum. Weights that are
// committed and not revealed are not among them: see [View.WeightsCommits].
func (v *View) Weights(ctx context.Context, n subnet.NetUID, mechanism uint8, neurons int) ([][]subnet.Weight, error) {
	return v.weightRows(ctx, Weights{NetUID: n, Mechanism: mechanism}.index(), 0, neurons)
}

// weightRows reads the weights of the uids from first to before last, of a subnet's
// mechanism by its [Weights.index].
func (v *View) weightRows(ctx context.Context, index uint16, first, last int) ([][]subnet.Weight, error) {
	es := make([]Entry, 0, last-first)
	for uid := first; uid < last; uid++ {
		es = append(es, Entry{module, "Weights", []any{index, uint16(uid)}})
	}
	keys := make([]hexBytes, len(es))
	for i, e := range es {
		k, err := v.StorageKey(e.Pallet, e.Item, e.Keys...)
		if err != nil {
			return nil, err
		}
		keys[i] = k
	}
	raws, err := v.raw(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read weights after block %d: %w", v.Block, err)
	}
	rows := make([][]subnet.Weight, len(raws))
	plain := true // rows are what weightRow reads, as the first one shows
	for i, first := 0, true; i < len(raws); i++ {
		if len(raws[i]) < 2 {
			continue // no weights
		}
		row, ok := weightRow(raws[i])
		if first || !plain || !ok {
			slow, err := v.DecodeStorage(module, "Weights", raws[i])
			if err != nil {
				return nil, err
			}
			plain = plain && ok && slices.Equal(row, normalized(slow))
			row, first = normalized(slow), false
		}
		rows[i] = row
	}
	return rows, nil
}

// weightRow reads a row of weights as every runtime so far has them, a list of
// pairs of a uid and a value in 16 bits. Metadata would say the same at ten times
// the cost; false if the bytes are none.
func weightRow(b []byte) ([]subnet.Weight, bool) {
	d := scale.NewDecoder(b)
	n, err := d.Compact()
	if err != nil || n > math.MaxUint16 || uint64(d.Len()) != 4*n {
		return nil, false
	}
	row := make([]subnet.Weight, n)
	sum := 0.0
	for i, rest := 0, d.Rest(); i < len(row); i++ {
		uid, value := binary.LittleEndian.Uint16(rest[4*i:]), binary.LittleEndian.Uint16(rest[4*i+2:])
		row[i] = subnet.Weight{UID: subnet.UID(uid), Value: float64(value)}
		sum += row[i].Value
	}
	for i := range row {
		if sum > 0 {
			row[i].Value /= sum
		}
	}
	return row, true
}
