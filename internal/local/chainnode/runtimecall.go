package chainnode

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"adit/internal/ledger"
	"adit/internal/scale"
)

// Questions to the runtime: state_call, and what is asked through it under other
// names.

// An execution error has the code of all that goes wrong on the client's side of
// upstream's node.
func executionError(text string) error {
	return &rpcError{Code: 4003, Message: "Client error: Execution failed: " + text}
}

// stateCall asks a runtime API, named in argument 0 with its method, after the
// block in argument 2. Argument 1 is the SCALE of the method's arguments.
func stateCall(n *Node, _ *session, p params) (any, error) {
	var name string
	var args looseBytes
	if err := errors.Join(p.need(0, &name), p.need(1, &args)); err != nil {
		return nil, err
	}
	at, err := n.at(p, 2)
	if err != nil {
		return nil, err
	}
	b, err := n.ask(at, name, args)
	return hexBytes(b), err
}

// ask asks a runtime API after a block.
func (n *Node) ask(at uint32, name string, args []byte) ([]byte, error) {
	l := n.ledgerAt(at)
	b, err := n.apis.Call(l, name, args)
	switch {
	case errors.Is(err, scale.ErrNoMethod):
		// Clients tell by this text that the runtime is older than they are.
		return nil, executionError("Other: Exported method " + name + " is not found")
	case err != nil:
		return nil, executionError("Execution aborted due to trap: " + err.Error())
	}
	return b, nil
}

// maxLedgers is how many states of older blocks are held ready. A client asks
// several questions about one block, and by the second there is a newer one.
const maxLedgers = 3

// A pastLedger is the state after an older block.
type pastLedger struct {
	block uint32
	*ledger.Ledger
}

// ledgerAt returns the state after a block that is held. It is not to be
// changed.
func (n *Node) ledgerAt(block uint32) *ledger.Ledger {
	if block == n.number() {
		return n.ledger
	}
	i := slices.IndexFunc(n.past, func(l pastLedger) bool { return l.block == block })
	var l pastLedger
	if i >= 0 {
		l = n.past[i]
		n.past = slices.Delete(n.past, i, i+1)
	} else {
		l = pastLedger{block, ledger.Restore(n.opts.Genesis, n.history.values(block))}
		b, _ := n.block(block) // a block whose state is kept is kept
		l.Seal(b.hash)
	}
	if len(n.past) >= maxLedgers {
		n.past = slices.Delete(n.past, 0, 1)
	}
	n.past = append(n.past, l)
	return l.Ledger
}

// queryInfo tells what the extrinsic in argument 0 costs after the block in
// argument 1, in JSON: the older way to ask TransactionPaymentApi.
func queryInfo(n *Node, _ *session, p params) (any, error) {
	var xt hexBytes
	if err := p.need(0, &xt); err != nil {
		return nil, err
	}
	at, err := n.at(p, 1)
	if err != nil {
		return nil, err
	}
	info, err := queryInfoOf(n.ledgerAt(at), xt)
	if err != nil {
		return nil, &rpcError{Code: 1, Message: "Unable to query dispatch info.", Data: err.Error()}
	}
	return map[string]any{
		"weight": map[string]any{"ref_time": info.Weight.RefTime.V, "proof_size": info.Weight.ProofSize.V},
		"class":  "normal", "partialFee": fmt.Sprint(info.PartialFee),
	}, nil
}

// A looseBytes is hexBytes that may lack the "0x", as the SDK writes the
// arguments of a runtime call.
type looseBytes []byte

// UnmarshalJSON implements [json.Unmarshaler].
func (l *looseBytes) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	decoded, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	*l = decoded
	return err
}
