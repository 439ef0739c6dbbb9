package chainnode

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"adit/internal/subnet"
)

// Ask makes one call of a node and reads its result into v, which may be nil. The
// endpoint is that of WebSocket or of HTTP. It is for what a local node does
// beyond a chain's clients: making blocks.
func Ask(ctx context.Context, endpoint string, v any, method string, args ...any) error {
	if rest, ok := strings.CutPrefix(endpoint, "ws"); ok {
		endpoint = "http" + rest
	}
	if args == nil {
		args = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": args})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return subnet.WithHint(fmt.Errorf("ask the node: %w", err), "check the endpoint, and that 'adit chain serve' runs")
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return fmt.Errorf("ask the node: %w", err)
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *rpcError       `json:"error"`
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(b, &answer) != nil {
		return fmt.Errorf("ask the node: it answers %s and no JSON-RPC", resp.Status)
	}
	switch {
	case answer.Error != nil && answer.Error.Code == codeUnknown:
		return subnet.WithHint(fmt.Errorf("%s: %w", method, answer.Error), "only a local node does this: see 'adit chain serve'")
	case answer.Error != nil:
		return fmt.Errorf("%s: %w", method, answer.Error)
	case answer.Result == nil:
		return errors.New("ask the node: its answer has no result")
	case v == nil:
		return nil
	}
	return json.Unmarshal(answer.Result, v)
}
