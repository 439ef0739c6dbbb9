package subtensor

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// A WeightsCommit is a hotkey's commitment to weights that are not revealed yet.
// The hotkey's last update is that of the reveal.
type WeightsCommit struct {
	Hotkey Account
	Block  subnet.Block // that holds the commitment
	Epoch  uint64       // of the subnet, in which that was
	Hash   [32]byte     // of one that is revealed by hand
	Round  uint64       // of the beacon, of one that the chain reveals; else 0
}

// WeightsCommits reads what is committed and not revealed for one of a subnet's
// mechanisms, the oldest first.
func (v *View) WeightsCommits(ctx context.Context, n subnet.NetUID, mechanism uint8) ([]WeightsCommit, error) {
	index := Weights{NetUID: n, Mechanism: mechanism}.index()
	var out []WeightsCommit
	hashed, err := v.Pairs(ctx, module, "WeightCommits", index)
	if err != nil {
		return nil, err
	}
	for _, p := range hashed {
		var who Account
		var list []scale.Tuple4[[32]byte, uint64, subnet.Block, uint64]
		if err := assignPair(p, &who, &list); err != nil {
			return nil, err
		}
		for _, c := range list {
			out = append(out, WeightsCommit{Hotkey: who, Hash: c.F0, Epoch: c.F1, Block: c.F2})
		}
	}
	if !v.has(module, "TimelockedWeightCommits") {
		return out, nil
	}
	locked, err := v.Pairs(ctx, module, "TimelockedWeightCommits", index)
	if err != nil {
		return nil, err
	}
	for _, p := range locked {
		var epoch uint64
		var list []scale.Tuple4[Account, subnet.Block, []byte, uint64]
		if err := assignPair(p, &epoch, &list); err != nil {
			return nil, err
		}
		for _, c := range list {
			out = append(out, WeightsCommit{Hotkey: c.F0, Epoch: epoch, Block: c.F1, Round: c.F3})
		}
	}
	slices.SortStableFunc(out, func(a, b WeightsCommit) int { return cmp.Compare(a.Block, b.Block) })
	return out, nil
}

// assignPair stores the last key and the value of an entry.
func assignPair(p Pair, key, value any) error {
	err := scale.Assign(key, p.Keys[len(p.Keys)-1])
	if err == nil {
		err = scale.Assign(value, p.Value)
	}
	if err != nil {
		return fmt.Errorf("read committed weights: %w", err)
	}
	return nil
}
