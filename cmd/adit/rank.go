package main

import (
	"context"

	"adit/internal/node"
)

// RankCommand trains along with a miner whose local_par.world_size is above 1. Its
// name is [node.RankCommand].
type RankCommand struct{}

// Help says who calls it.
func (RankCommand) Help() string {
	return `A miner whose local_par.world_size is above 1 starts this program so, as often as it
needs, and tells it on standard input what to do. It is of no use otherwise.`
}

// Run trains until the miner is done. An interrupt, which reaches all processes of a
// terminal, is for the miner: it may have something to save.
func (RankCommand) Run(ctx context.Context, t terminal) error {
	return node.Rank(context.WithoutCancel(ctx), t.in)
}
