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
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// firstCycle brings a new chain to where a cycle needs no miners: the validators
// publish the genesis model at the end of that one, and the next is the
// network's first. Blocks on the way are made at once; among them is an epoch,
// which gives the validators their permits.
func (n *Network) firstCycle(ctx context.Context) error {
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
	permits := head + tempo(n.rules) + 2
	cycle := n.rules.Schedule.At(permits).Cycle
	if permits > n.startBlock(cycle) {
		cycle++
	}
	n.progress("chain", fmt.Sprintf("on to block %d", n.startBlock(cycle)), "", 1)
	for ; head < n.startBlock(cycle); head++ {
		if err := n.createBlock(ctx); err != nil {
			return err
		}
	}
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
	n.plan.FirstCycle = cycle + 1
	if err := n.noteStakes(ctx, c, all); err != nil {
		n.plan.FirstCycle = 0
		return err
	}
	n.state.update(func(s *Snapshot) { s.FirstCycle = n.plan.FirstCycle })
	return nil
}

// genesisEvaluation is the time in which a validator on a busy machine starts and
// evaluates the genesis model.
const genesisEvaluation = 5 * time.Second

// startBlock is where the neurons of a new network are started: early enough to
// evaluate the genesis model before it is published, though not before Submission,
// when validators begin.
func (n *Network) startBlock(cycle uint64) subnet.Block {
	s := n.rules.Schedule
	lead := subnet.Block(genesisEvaluation / n.plan.BlockTime)
	return max(s.Start(cycle, connito.Submission), s.Start(cycle, connito.ValidatorCommit1)-lead)
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
