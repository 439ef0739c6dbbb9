package subtensor

import (
	"context"
	"fmt"

	"adit/internal/scale"
)

// An Account is a public key: a coldkey's or a hotkey's.
type Account = [32]byte

// A Call is something to be done on the chain, by its names in the runtime's
// metadata. Arguments have names too, so that a runtime that has them in another
// order, or others, cannot mistake one for another: the call is then refused
// before it is signed. An argument may itself be a Call or a []Call.
type Call struct {
	Pallet, Name string
	Args         scale.Args
}

// String returns such as "Balances.transfer_keep_alive".
func (k Call) String() string { return k.Pallet + "." + k.Name }

// encode returns the call in SCALE for a runtime.
func (k Call) encode(rt *Runtime) ([]byte, error) {
	args := make(scale.Args, len(k.Args))
	for name, v := range k.Args {
		switch x := v.(type) {
		case Call:
			b, err := x.encode(rt)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
			v = scale.Raw(b)
		case []Call:
			list := make([]scale.Raw, len(x))
			for i := range x {
				b, err := x[i].encode(rt)
				if err != nil {
					return nil, fmt.Errorf("%s: call %d: %w", k, i, err)
				}
				list[i] = b
			}
			v = list
		}
		args[name] = v
	}
	return rt.EncodeCall(k.Pallet, k.Name, args)
}

// Call encodes a call by name; see [scale.Metadata.EncodeCall].
func (c *Client) Call(ctx context.Context, pallet, name string, args ...any) ([]byte, error) {
	rt, err := c.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	return rt.EncodeCall(pallet, name, args...)
}

// Encode returns a call in SCALE, for the runtime of the newest block.
func (c *Client) Encode(ctx context.Context, k Call) ([]byte, error) {
	rt, err := c.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	return k.encode(rt)
}

// Do signs a call and sends it; see [Client.Submit].
func (c *Client) Do(ctx context.Context, s Signer, k Call, o SubmitOptions) (Inclusion, error) {
	b, err := c.Encode(ctx, k)
	if err != nil {
		return Inclusion{}, err
	}
	in, err := c.Submit(ctx, s, b, o)
	if err != nil {
		err = fmt.Errorf("%s: %w", k.Name, err)
	}
	return in, err
}

// Batch does calls in one extrinsic until one fails; what was done before it
// stays done. The extrinsic then counts as failed here.
func Batch(calls ...Call) Call { return Call{"Utility", "batch", scale.Args{"calls": calls}} }

// BatchAll does calls in one extrinsic, all or none.
func BatchAll(calls ...Call) Call { return Call{"Utility", "batch_all", scale.Args{"calls": calls}} }

// ForceBatch does calls in one extrinsic, whichever of them fail. If any does, the
// extrinsic counts as failed here, with the first one's error.
func ForceBatch(calls ...Call) Call {
	return Call{"Utility", "force_batch", scale.Args{"calls": calls}}
}

// Root does a call as root. The chain's sudo key signs.
func Root(k Call) Call { return Call{"Sudo", "sudo", scale.Args{"call": k}} }
