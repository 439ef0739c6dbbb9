package chainnode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Bounds of one message: bytes from a client, bytes of an answer, and requests
// in a batch.
const (
	maxRequest  = 16 << 20
	maxResponse = 32 << 20
	maxBatch    = 1024
)

// The codes of JSON-RPC, and of upstream's server for it.
const (
	codeParse         = -32700
	codeInvalid       = -32600
	codeUnknown       = -32601
	codeParams        = -32602
	codeInternal      = -32603
	codeSubscriptions = -32006
	codeTooBig        = -32008
	codeBatch         = -32010
	codeBatchTooBig   = -32011
)

// An rpcError is an error as JSON-RPC has it.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func (e *rpcError) Error() string {
	if e.Data == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Data)
}

// invalidParams is the error for arguments that are not what a method wants.
func invalidParams(err error) error {
	return &rpcError{Code: codeParams, Message: "Invalid params", Data: err.Error()}
}

type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

var null = json.RawMessage("null")

// answerAll answers a request or a batch of them. It returns nil if there is
// nothing to say: to notices nobody expects an answer.
func (n *Node) answerAll(s *session, msg []byte) []byte {
	msg = bytes.TrimLeft(msg, " \t\r\n")
	if len(msg) == 0 || msg[0] != '[' {
		return n.answer(s, msg)
	}
	var batch []json.RawMessage
	switch err := json.Unmarshal(msg, &batch); {
	case err != nil:
		return failed(null, &rpcError{Code: codeParse, Message: "Parse error"})
	case len(batch) == 0:
		return failed(null, &rpcError{Code: codeInvalid, Message: "Invalid request"})
	case len(batch) > maxBatch:
		return failed(null, &rpcError{Code: codeBatch, Message: "The batch request was too large", Data: fmt.Sprintf("Exceeded max limit of %d", maxBatch)})
	}
	var answers [][]byte
	size := 0
	for _, one := range batch {
		a := n.answer(s, one)
		if a == nil {
			continue
		}
		if size += len(a) + 1; size > maxResponse {
			return failed(null, &rpcError{Code: codeBatchTooBig, Message: "The batch response was too large", Data: fmt.Sprintf("Exceeded max limit of %d", maxResponse)})
		}
		answers = append(answers, a)
	}
	if len(answers) == 0 {
		return nil
	}
	return append(append([]byte{'['}, bytes.Join(answers, []byte{','})...), ']')
}

// answer answers one request.
func (n *Node) answer(s *session, msg []byte) []byte {
	var r request
	if err := json.Unmarshal(msg, &r); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return failed(known(r.ID), &rpcError{Code: codeInvalid, Message: "Invalid request"})
		}
		return failed(null, &rpcError{Code: codeParse, Message: "Parse error"})
	}
	switch {
	case r.Method == "" || len(r.ID) > 0 && len(known(r.ID)) != len(r.ID):
		return failed(known(r.ID), &rpcError{Code: codeInvalid, Message: "Invalid request"})
	case len(r.ID) == 0:
		return nil
	}
	result, err := n.call(s, r)
	if err != nil {
		return failed(r.ID, err)
	}
	b, err := json.Marshal(result)
	if err != nil {
		return failed(r.ID, &rpcError{Code: codeInternal, Message: "Internal error", Data: err.Error()})
	}
	if len(b) > maxResponse {
		return failed(r.ID, errTooBig())
	}
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":%s}`, r.ID, b)
}

func errTooBig() error {
	return &rpcError{Code: codeTooBig, Message: "Response is too big", Data: fmt.Sprintf("Exceeded max limit of %d", maxResponse)}
}

func (n *Node) call(s *session, r request) (any, error) {
	m, ok := methods[r.Method]
	if !ok {
		return nil, &rpcError{Code: codeUnknown, Message: "Method not found"}
	}
	var p params
	if len(r.Params) > 0 {
		if err := json.Unmarshal(r.Params, &p); err != nil {
			return nil, invalidParams(errors.New("arguments are a list"))
		}
	}
	return m(n, s, p)
}

// known returns an id that may be repeated: a number, a string or null.
func known(id json.RawMessage) json.RawMessage {
	if len(id) == 0 || id[0] == '{' || id[0] == '[' || id[0] == 't' || id[0] == 'f' {
		return null
	}
	return id
}

// failed is the answer that a request came to nothing.
func failed(id json.RawMessage, err error) []byte {
	e, ok := errors.AsType[*rpcError](err)
	if !ok {
		e = &rpcError{Code: codeInternal, Message: "Internal error", Data: err.Error()}
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // unreachable: codes and texts encode
	}
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"error":%s}`, id, b)
}
