package subtensor

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
)

// nobody signs nothing: fees are the same whoever signs, and a node that is only
// asked for them should not get what it could send.
type nobody struct{ public Account }

func (n nobody) Public() [32]byte { return n.public }

func (n nobody) Sign(context.Context, []byte) ([]byte, error) { return make([]byte, 64), nil }

// Fee returns what a call of an account would cost besides what it moves, in RAO,
// without the tip. Nothing is signed.
func (c *Client) Fee(ctx context.Context, who Account, k Call) (uint64, error) {
	x, v, err := c.draft(ctx, nobody{who}, k)
	if err != nil {
		return 0, fmt.Errorf("fee of %s: %w", k, err)
	}
	size, err := scale.Marshal(uint32(len(x.bytes)))
	if err != nil {
		return 0, err
	}
	const api, method = "TransactionPaymentApi", "query_info"
	answer, err := v.state(ctx, api+"_"+method, append(append([]byte(nil), x.bytes...), size...))
	if err != nil {
		return 0, fmt.Errorf("fee of %s: %w", k, err)
	}
	out, err := v.DecodeRuntimeResult(api, method, answer)
	if err != nil {
		return 0, fmt.Errorf("fee of %s: %w", k, unsupported(v.Runtime, api, method, err))
	}
	var info struct{ PartialFee uint64 }
	if err := scale.Assign(&info, out); err != nil {
		return 0, fmt.Errorf("fee of %s: %w", k, err)
	}
	return info.PartialFee, nil
}

// draft signs a call for the next few blocks, without sending it.
func (c *Client) draft(ctx context.Context, s Signer, k Call) (*signed, *View, error) {
	v, err := c.At(ctx, subnet.Latest)
	if err != nil {
		return nil, nil, err
	}
	b, err := k.encode(v.Runtime)
	if err != nil {
		return nil, nil, err
	}
	x := &signed{signer: s, call: b, made: v.Runtime, options: SubmitOptions{Period: 8}}
	if err := c.rpc.read(ctx, &x.nonce, "system_accountNextIndex", keys.Address(s.Public())); err != nil {
		return nil, nil, err
	}
	return x, v, c.sign(ctx, x)
}

// DryRun tries a call on the newest state without sending it, and returns the
// error with which [Client.Do] would end if it were included now, or nil. The
// node gets the signed extrinsic, valid for the next few blocks, and could send
// it: ask only one that is trusted. A node that does not try wraps
// [errors.ErrUnsupported]; public nodes may not.
func (c *Client) DryRun(ctx context.Context, s Signer, k Call) error {
	x, v, err := c.draft(ctx, s, k)
	if err != nil {
		return fmt.Errorf("try %s: %w", k, err)
	}
	var b hexBytes
	err = c.rpc.read(ctx, &b, "system_dryRun", x.bytes, v.hash)
	if _, refused := errors.AsType[*RPCError](err); refused {
		// What the method does too, on nodes that keep it for themselves.
		var answer []byte
		answer, err = v.state(ctx, "BlockBuilder_apply_extrinsic", x.bytes)
		b = answer
		if _, refused := errors.AsType[*RPCError](err); refused && !errors.Is(err, errors.ErrUnsupported) {
			err = fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
		}
	}
	if err == nil {
		err = applied(v.Runtime, b)
	}
	if err != nil {
		return fmt.Errorf("try %s: %w", k, err)
	}
	return nil
}

// applied reads an ApplyExtrinsicResult: a Result whose error is a
// TransactionValidityError, and whose value is a Result with a DispatchError.
func applied(rt *Runtime, b []byte) error {
	d := scale.NewDecoder(b)
	outer, err := d.Byte()
	if err != nil {
		return err
	}
	if outer != 0 {
		return invalidity(b)
	}
	switch inner, err := d.Byte(); {
	case err != nil, inner == 0:
		return err
	case inner != 1:
		return fmt.Errorf("the node's answer is neither a success nor a failure, but %d", inner)
	}
	id, err := rt.TypeNamed("DispatchError")
	if err != nil {
		return fmt.Errorf("it fails, with an error that the runtime does not describe: %w", err)
	}
	v, err := rt.DecodeValue(id, d)
	if err != nil {
		return err
	}
	return dispatchError(rt.Metadata, v)
}
