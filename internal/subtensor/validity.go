package subtensor

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/scale"
)

// invalid are the texts that Substrate's nodes give the variants of
// InvalidTransaction, by their indices, which are the same in every runtime. The
// one without a text has a number of the runtime's own.
var invalid = [...]string{
	0:  "Transaction call is not expected",
	1:  "Inability to pay some fees (e.g. account balance too low)",
	2:  "Transaction will be valid in the future",
	3:  "Transaction is outdated",
	4:  "Transaction has a bad signature",
	5:  "Transaction has an ancient birth block",
	6:  "Transaction would exhaust the block limits",
	7:  "",
	8:  "A call was labelled as mandatory, but resulted in an Error",
	9:  "Transaction dispatch is mandatory; transactions must not be validated",
	10: "Transaction has an invalid signing address",
	11: "The implicit data was unable to be calculated",
	12: "The transaction extension did not authorize any origin",
}

// validity asks the chain what is wrong with an extrinsic, and returns it as a
// pool would. Nil means nothing, or that the node cannot tell.
func (c *Client) validity(ctx context.Context, x *signed) error {
	v, err := c.At(ctx, latest)
	if err != nil {
		return err
	}
	// The source is 2, External; then the extrinsic with its length.
	arg := append([]byte{2}, x.bytes...)
	answer, err := v.state(ctx, "TaggedTransactionQueue_validate_transaction", append(arg, v.hash[:]...))
	if _, cannot := errors.AsType[*RPCError](err); cannot {
		return nil
	}
	if err != nil {
		return err
	}
	return invalidity(answer)
}

// invalidity returns what a Result of a TransactionValidityError says.
func invalidity(b []byte) error {
	d := scale.NewDecoder(b)
	switch failed, err := d.Byte(); {
	case err != nil, failed == 0:
		return err
	case failed != 1:
		return fmt.Errorf("the node's answer is neither a success nor a failure, but %d", failed)
	}
	kind, err := d.Byte()
	if err != nil {
		return fmt.Errorf("the node says that an extrinsic is not valid, but not why: %w", err)
	}
	which, err := d.Byte()
	if err != nil {
		return fmt.Errorf("the node says that an extrinsic is not valid, but not why: %w", err)
	}
	e := &PoolError{Code: poolInvalid, Text: fmt.Sprintf("Unknown error %d.%d", kind, which)}
	if kind == 0 && int(which) < len(invalid) {
		e.Text = invalid[which]
	}
	if e.Text == "" {
		n, err := d.Byte()
		if err != nil {
			return fmt.Errorf("the node says that an extrinsic is not valid, but not why: %w", err)
		}
		e.Name, e.Text = customErrors[int(n)], fmt.Sprintf("Custom error: %d", n)
	}
	return e.advised()
}
