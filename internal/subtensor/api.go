package subtensor

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/scale"
	"adit/internal/subnet"
)

const latest = subnet.Latest

// Ask asks the runtime after a block, by the names of an API and its method, such
// as "SubnetInfoRuntimeApi" and "get_metagraph"; see [scale.Metadata.DecodeValue]
// for what it returns. It takes one round trip. A runtime that has no such method,
// or a node that does not pass questions on, wraps [errors.ErrUnsupported].
func (v *View) Ask(ctx context.Context, api, method string, args ...any) (any, error) {
	name, b, err := v.EncodeRuntimeCall(api, method, args...)
	if err != nil {
		return nil, unsupported(v.Runtime, api, method, err)
	}
	answer, err := v.state(ctx, name, b)
	if err != nil {
		return nil, err
	}
	out, err := v.DecodeRuntimeResult(api, method, answer)
	if err != nil {
		return nil, fmt.Errorf("read what %s answers: %w", name, err)
	}
	return out, nil
}

// askInto is Ask for answers whose shape is known; see [scale.Assign]. It reports
// false if the answer is nothing.
func (v *View) askInto(ctx context.Context, dst any, api, method string, args ...any) (bool, error) {
	out, err := v.Ask(ctx, api, method, args...)
	if err != nil || out == nil {
		return false, err
	}
	if err := scale.Assign(dst, out); err != nil {
		return false, fmt.Errorf("read what %s_%s answers: %w", api, method, err)
	}
	return true, nil
}

// unsupported marks the error of a question that the runtime does not know.
func unsupported(rt *Runtime, api, method string, err error) error {
	if a, none := rt.API(api); none == nil {
		for _, m := range a.Methods {
			if m.Name == method {
				return err // the arguments are at fault
			}
		}
	}
	return fmt.Errorf("runtime %d has no %s_%s: %w", rt.SpecVersion, api, method, errors.ErrUnsupported)
}

// state makes a state_call after the view's block.
func (v *View) state(ctx context.Context, name string, args []byte) ([]byte, error) {
	var b hexBytes
	err := v.sure(ctx, func(read reader) error { return read(ctx, &b, "state_call", name, hexBytes(args), v.hash) })
	if e, refused := errors.AsType[*RPCError](err); refused && e.Code == methodNotFound {
		return nil, fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// methodNotFound is JSON-RPC's code for it.
const methodNotFound = -32601
