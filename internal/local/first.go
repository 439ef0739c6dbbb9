package local

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
	"adit/internal/subtensor"
)

// begin brings a new chain to where the neurons are started. One that has been there
// stays as it is.
func (n *Network) begin(ctx context.Context) error {
	if n.plan.FirstCycle > 0 {
		return nil
	}
	c, err := n.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	head, err := c.Head(ctx)
	if err != nil {
		return err
	}
	return n.recipe.begin(ctx, n, c, head)
}

// beginWith notes the first cycle, once the validators have their permits.
func (n *Network) beginWith(ctx context.Context, c *subtensor.Client, first uint64) error {
	meta, err := c.Subnet(subnet.NetUID(n.plan.NetUID), nil).Metagraph(ctx, subnet.Latest)
	if err != nil {
		return err
	}
	for _, m := range n.plan.role("validate") {
		if v, ok := meta.ByHotkey(subnet.Hotkey(m.Hotkey)); !ok || !v.Permit {
			return fmt.Errorf("%s has no validator permit after an epoch", m.Name)
		}
	}
	var all []*member
	for i := range n.plan.Neurons {
		all = append(all, &n.plan.Neurons[i])
	}
	n.plan.FirstCycle = first
	if err := n.noteStakes(ctx, c, all); err != nil {
		n.plan.FirstCycle = 0
		return err
	}
	n.state.update(func(s *Snapshot) { s.FirstCycle = n.plan.FirstCycle })
	return nil
}

// makeBlocks makes the blocks from the head to another at once.
func (n *Network) makeBlocks(ctx context.Context, head, to subnet.Block) error {
	for ; head < to; head++ {
		if err := n.createBlock(ctx); err != nil {
			return err
		}
	}
	return nil
}

// createBlock makes the node produce a block now.
func (n *Network) createBlock(ctx context.Context) error {
	url := strings.Replace(n.plan.chainURL(), "ws://", "http://", 1)
	body := []byte(`{"jsonrpc":"2.0","id":1,"method":"engine_createBlock","params":[true,true,null]}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("make a block: %w", errors.Join(err, subnet.ErrTemporary))
	}
	defer resp.Body.Close()
	var answer struct {
		Error *struct{ Message string }
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return fmt.Errorf("make a block: %w", errors.Join(err, subnet.ErrTemporary))
	}
	if answer.Error != nil {
		return fmt.Errorf("make a block: %s", answer.Error.Message)
	}
	return nil
}
