package subtensor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"adit/internal/scale"
	"adit/internal/subnet"
)

const subnetAPI = "SubnetInfoRuntimeApi"

// SubnetInfo is what the chain tells of a subnet in short. Amounts are in RAO, or
// the smallest unit of alpha.
type SubnetInfo struct {
	NetUID                    subnet.NetUID
	Name, Symbol              string
	OwnerHotkey, OwnerColdkey Account
	Tempo                     uint16
	LastStep                  subnet.Block // of the last epoch
	BlocksSinceLastStep       uint64
	AlphaIn, AlphaOut, TaoIn  uint64  // of the pool, and held outside it
	AlphaOutEmission          uint64  // in a block
	TaoInEmission             uint64  // in a block
	MovingPrice               float64 // TAO for one alpha, smoothed
	RegisteredAt              subnet.Block
	Identity                  *SubnetIdentity // nil if there is none
}

// Price returns what one alpha costs at the pool, in TAO.
func (s *SubnetInfo) Price() float64 {
	if s.NetUID == 0 {
		return 1
	}
	if s.AlphaIn == 0 {
		return 0
	}
	return float64(s.TaoIn) / float64(s.AlphaIn)
}

type rawSubnet struct {
	Netuid                          subnet.NetUID
	SubnetName, TokenSymbol         []byte
	OwnerHotkey, OwnerColdkey       Account
	Tempo                           uint16
	LastStep, NetworkRegisteredAt   subnet.Block
	BlocksSinceLastStep             uint64
	AlphaIn, AlphaOut, TaoIn        uint64
	AlphaOutEmission, TaoInEmission uint64
	MovingPrice                     opt[struct{ Bits scale.I128 }]
	SubnetIdentity                  opt[subnetIdentity]
}

func (r *rawSubnet) plain() SubnetInfo {
	s := SubnetInfo{r.Netuid, string(r.SubnetName), string(r.TokenSymbol), r.OwnerHotkey, r.OwnerColdkey, r.Tempo, r.LastStep,
		r.BlocksSinceLastStep, r.AlphaIn, r.AlphaOut, r.TaoIn, r.AlphaOutEmission, r.TaoInEmission, fixed32(r.MovingPrice.V.Bits),
		r.NetworkRegisteredAt, nil}
	if r.SubnetIdentity.Some {
		id := r.SubnetIdentity.V.plain()
		s.Identity = &id
	}
	return s
}

// Subnets reads all subnets in one round trip.
func (v *View) Subnets(ctx context.Context) ([]SubnetInfo, error) {
	var raw []opt[rawSubnet]
	if _, err := v.askInto(ctx, &raw, subnetAPI, "get_all_dynamic_info"); err != nil {
		return nil, fmt.Errorf("read subnets: %w", err)
	}
	var out []SubnetInfo
	for _, r := range raw {
		if r.Some {
			out = append(out, r.V.plain())
		}
	}
	return out, nil
}

// SubnetInfo reads one subnet.
func (v *View) SubnetInfo(ctx context.Context, n subnet.NetUID) (SubnetInfo, error) {
	var raw rawSubnet
	is, err := v.askInto(ctx, &raw, subnetAPI, "get_dynamic_info", n)
	if err == nil && !is {
		err = fmt.Errorf("there is no such subnet: %w", subnet.ErrNotFound)
	}
	if err != nil {
		return SubnetInfo{}, fmt.Errorf("read subnet %d: %w", n, err)
	}
	return raw.plain(), nil
}

// NetUIDs reads which subnets there are, in order.
func (v *View) NetUIDs(ctx context.Context) ([]subnet.NetUID, error) {
	pairs, err := v.Pairs(ctx, module, "NetworksAdded")
	if err != nil {
		return nil, err
	}
	var out []subnet.NetUID
	for _, p := range pairs {
		var n subnet.NetUID
		if err := scale.Assign(&n, p.Keys[0]); err != nil {
			return nil, err
		}
		if p.Value == true {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

// NextEpoch returns the block in which a subnet's next epoch begins. Runtimes that
// do not answer for it, those before 424, have epochs where a multiple of tempo+1
// ends, shifted by the netuid.
func (v *View) NextEpoch(ctx context.Context, n subnet.NetUID) (subnet.Block, error) {
	var b subnet.Block
	is, err := v.askInto(ctx, &b, subnetAPI, "get_next_epoch_start_block", n)
	if errors.Is(err, errors.ErrUnsupported) && !v.has(module, "LastEpochBlock") {
		vs, err := v.GetAll(ctx, []Entry{{module, "NetworksAdded", []any{n}}, {module, "Tempo", []any{n}}})
		if err != nil {
			return 0, err
		}
		tempo := number(vs[1])
		if vs[0] != true || tempo == 0 {
			return 0, fmt.Errorf("subnet %d has no epochs: %w", n, subnet.ErrNotFound)
		}
		first := uint64(v.Block) + 1
		return subnet.Block(first + tempo - (first+uint64(n)+1)%(tempo+1)), nil
	}
	if err == nil && !is {
		err = fmt.Errorf("subnet %d has no epochs: %w", n, subnet.ErrNotFound)
	}
	return b, err
}

// AlphaPrice returns what 10^9 of the smallest unit of a subnet's alpha cost, in
// RAO.
func (v *View) AlphaPrice(ctx context.Context, n subnet.NetUID) (uint64, error) {
	var rao uint64
	_, err := v.askInto(ctx, &rao, "SwapRuntimeApi", "current_alpha_price", n)
	return rao, err
}

// AlphaPrices is [View.AlphaPrice] of every subnet.
func (v *View) AlphaPrices(ctx context.Context) (map[subnet.NetUID]uint64, error) {
	var all []struct {
		Netuid subnet.NetUID
		Price  uint64
	}
	_, err := v.askInto(ctx, &all, "SwapRuntimeApi", "current_alpha_price_all")
	if errors.Is(err, errors.ErrUnsupported) {
		return v.eachPrice(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("read prices: %w", err)
	}
	out := make(map[subnet.NetUID]uint64, len(all))
	for _, p := range all {
		out[p.Netuid] = p.Price
	}
	return out, nil
}

// eachPrice asks for one price after the other, of runtimes that do not tell them
// all at once.
func (v *View) eachPrice(ctx context.Context) (map[subnet.NetUID]uint64, error) {
	netuids, err := v.NetUIDs(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[subnet.NetUID]uint64, len(netuids))
	for _, n := range netuids {
		if out[n], err = v.AlphaPrice(ctx, n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// A Hyperparameter is one setting of a subnet by the chain's name of it. The value
// is a bool, a uint64, a [scale.U128], or a float64.
type Hyperparameter struct {
	Name  string
	Value any
}

// Hyperparameters reads a subnet's settings, in the runtime's order, or by name
// where it has none.
func (v *View) Hyperparameters(ctx context.Context, n subnet.NetUID) ([]Hyperparameter, error) {
	var last error
	for _, method := range []string{"get_subnet_hyperparams_v3", "get_subnet_hyperparams_v2", "get_subnet_hyperparams"} {
		got, err := v.Ask(ctx, subnetAPI, method, n)
		if errors.Is(err, errors.ErrUnsupported) {
			last = err
			continue
		}
		if err == nil && got == nil {
			err = fmt.Errorf("there is no such subnet: %w", subnet.ErrNotFound)
		}
		if err == nil {
			return hyperparameters(got)
		}
		return nil, fmt.Errorf("read hyperparameters of subnet %d: %w", n, err)
	}
	return nil, fmt.Errorf("read hyperparameters of subnet %d: %w", n, last)
}

// hyperparameters takes a struct, or a list of names and values.
func hyperparameters(v any) ([]Hyperparameter, error) {
	var out []Hyperparameter
	if fields, ok := v.(map[string]any); ok {
		for name, x := range fields {
			out = append(out, Hyperparameter{name, hyperparameter(x)})
		}
		slices.SortFunc(out, func(a, b Hyperparameter) int { return cmp.Compare(a.Name, b.Name) })
		return out, nil
	}
	var list []struct {
		Name  []byte
		Value scale.Variant
	}
	if err := scale.Assign(&list, v); err != nil {
		return nil, fmt.Errorf("read hyperparameters: %w", err)
	}
	for _, e := range list {
		out = append(out, Hyperparameter{string(e.Name), hyperparameter(e.Value.At(0))})
	}
	return out, nil
}

// hyperparameter makes floats of fixed-point numbers, which have a field of bits:
// I32F32 and U64F64, half of whose bits stand behind the point.
func hyperparameter(v any) any {
	fields, ok := v.(map[string]any)
	if !ok || len(fields) != 1 {
		return v
	}
	switch bits := fields["bits"].(type) {
	case int64:
		return float64(bits) / (1 << 32)
	case scale.U128:
		return float64(bits.Hi) + float64(bits.Lo)/(1<<63)/2
	case scale.I128:
		return fixed32(bits)
	}
	return v
}
