package local

import (
	"context"
	"fmt"
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// begin brings a new chain to where a cycle needs no miners: the validators
// publish the genesis model at the end of that one, and the next is the
// network's first. Blocks on the way are made at once; among them is an epoch,
// which gives the validators their permits.
func (r connitoRecipe) begin(ctx context.Context, n *Network, c *subtensor.Client, head subnet.Block) error {
	permits := head + r.tempo() + 2
	cycle := r.rules.Schedule.At(permits).Cycle
	if permits > r.startBlock(n, cycle) {
		cycle++
	}
	n.progress("chain", fmt.Sprintf("on to block %d", r.startBlock(n, cycle)), "", 1)
	if err := n.makeBlocks(ctx, head, r.startBlock(n, cycle)); err != nil {
		return err
	}
	return n.beginWith(ctx, c, cycle+1)
}

// genesisEvaluation is the time in which a validator on a busy machine starts and
// evaluates the genesis model.
const genesisEvaluation = 5 * time.Second

// startBlock is where the neurons of a new network are started: early enough to
// evaluate the genesis model before it is published, though not before Submission,
// when validators begin.
func (r connitoRecipe) startBlock(n *Network, cycle uint64) subnet.Block {
	s := r.rules.Schedule
	lead := subnet.Block(genesisEvaluation / n.plan.BlockTime)
	return max(s.Start(cycle, connito.Submission), s.Start(cycle, connito.ValidatorCommit1)-lead)
}
