package subtensor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// Time implements [subnet.Chain]: it reads what the block's first extrinsic has set
// (Timestamp.Now), to the millisecond. Of a block whose state is gone it reads that
// extrinsic: nodes keep the blocks longer than what came of them.
func (c chain) Time(ctx context.Context, b subnet.Block) (time.Time, error) {
	ms, err := c.timestampAt(ctx, b)
	if _, pruned := errors.AsType[*PrunedError](err); pruned {
		if in, bodyErr := c.timestampIn(ctx, b); bodyErr == nil {
			ms, err = in, nil
		}
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of block %d: %w", b, err)
	}
	return time.UnixMilli(int64(ms)).UTC(), nil
}

func (c chain) timestampAt(ctx context.Context, b subnet.Block) (uint64, error) {
	v, err := c.At(ctx, b)
	if err != nil {
		return 0, err
	}
	ms, err := v.Get(ctx, "Timestamp", "Now")
	return uint64(number(ms)), err
}

// timestampIn reads the first extrinsic of a block.
func (c chain) timestampIn(ctx context.Context, b subnet.Block) (uint64, error) {
	h, err := c.hash(ctx, b)
	if err != nil {
		return 0, err
	}
	var got *struct {
		Block struct {
			Extrinsics []hexBytes `json:"extrinsics"`
		} `json:"block"`
	}
	if err := c.anywhere(ctx, func(read reader) error { return read(ctx, &got, "chain_getBlock", h) }); err != nil {
		return 0, err
	}
	if got == nil || len(got.Block.Extrinsics) == 0 {
		return 0, fmt.Errorf("block %d has no extrinsics: %w", b, subnet.ErrNotFound)
	}
	return parseTimestamp(got.Block.Extrinsics[0])
}

// bare is the first byte of an extrinsic that nobody has signed, by its format.
const (
	bare4 = 4
	bare5 = 5
)

var errNoTimestamp = errors.New("the first extrinsic does not set the time")

// parseTimestamp reads timestamp.set: the length, the format, pallet and call, and
// the milliseconds since 1970.
func parseTimestamp(raw []byte) (uint64, error) {
	d := scale.NewDecoder(raw)
	length, err := d.Compact()
	rest := d.Rest()
	if err != nil || length != uint64(len(rest)) || len(rest) < 4 || rest[0] != bare4 && rest[0] != bare5 || rest[2] != 0 {
		return 0, errNoTimestamp
	}
	d = scale.NewDecoder(rest[3:])
	ms, err := d.Compact()
	const earliest = 1_500_000_000_000 // in 2017, before there was such a chain
	if err != nil || d.Len() > 0 || ms < earliest || ms > 1<<53 {
		return 0, errNoTimestamp
	}
	return ms, nil
}
