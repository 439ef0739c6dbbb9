package subtensor

import (
	"context"
	"fmt"

	"adit/internal/subnet"
)

// A Quote is what a trade with a subnet's pool would bring after the view's block,
// in RAO and in the smallest unit of alpha. Of a purchase TAO is what is paid for
// Alpha, besides TAOFee; of a sale Alpha is what is sold for TAO, besides
// AlphaFee. The slippages are how much less it brings than at the price before it.
type Quote struct {
	TAO, Alpha                 uint64
	TAOFee, AlphaFee           uint64
	TAOSlippage, AlphaSlippage uint64
}

type rawQuote struct {
	TaoAmount, AlphaAmount, TaoFee, AlphaFee, TaoSlippage, AlphaSlippage uint64
}

// QuoteBuy asks what rao would buy. Runtimes that do not tell wrap
// [errors.ErrUnsupported].
func (v *View) QuoteBuy(ctx context.Context, n subnet.NetUID, rao uint64) (Quote, error) {
	return v.quote(ctx, n, "sim_swap_tao_for_alpha", rao)
}

// QuoteSell asks what alpha would bring; see [View.QuoteBuy].
func (v *View) QuoteSell(ctx context.Context, n subnet.NetUID, alpha uint64) (Quote, error) {
	return v.quote(ctx, n, "sim_swap_alpha_for_tao", alpha)
}

func (v *View) quote(ctx context.Context, n subnet.NetUID, method string, amount uint64) (Quote, error) {
	if n == 0 { // on root alpha is TAO
		return Quote{TAO: amount, Alpha: amount}, nil
	}
	var q rawQuote
	if _, err := v.askInto(ctx, &q, "SwapRuntimeApi", method, n, amount); err != nil {
		return Quote{}, fmt.Errorf("quote a trade on subnet %d: %w", n, err)
	}
	return Quote{q.TaoAmount, q.AlphaAmount, q.TaoFee, q.AlphaFee, q.TaoSlippage, q.AlphaSlippage}, nil
}
