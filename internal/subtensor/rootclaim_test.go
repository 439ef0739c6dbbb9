package subtensor_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// What stake on root earns is claimed, and becomes what its coldkey says.
func TestRootClaims(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	c.found()
	ctx := t.Context()
	for _, want := range []subtensor.RootClaim{{Keep: true}, {Keep: true, Subnets: []subnet.NetUID{1, 2, 7}}, {}} {
		said := want
		if len(want.Subnets) > 0 {
			said.Subnets = []subnet.NetUID{7, 1, 2, 7}
		}
		c.do(c.bob, subtensor.SetRootClaim(said))
		got, err := c.view().RootClaim(ctx, c.bob.Public())
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s, %v", d, err)
		}
	}
	in := c.do(c.bob, subtensor.ClaimRoot(c.netuid))
	claimed := false
	for _, e := range in.Events {
		claimed = claimed || e.String() == "SubtensorModule.RootClaimed"
	}
	if !claimed {
		t.Errorf("events %v", in.Events)
	}
	_, err := c.Do(ctx, c.bob, subtensor.ClaimRoot(1, 2, 3, 4, 5, 6), subtensor.SubmitOptions{})
	if e, ok := errors.AsType[*scale.ModuleError](err); !ok || e.Name != "InvalidSubnetNumber" {
		t.Errorf("six subnets at once: %v", err)
	}
}

// A hotkey commits on two subnets at once, of which it knows one.
func TestBatchCommit(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	c.found()
	ctx := t.Context()
	c.do(c.alice, subtensor.AddStake(c.owner.Public(), c.netuid, 1000*tao))
	c.do(c.alice, c.admin("sudo_set_commit_reveal_version", scale.Args{"version": 4}))
	w := subtensor.Weights{NetUID: c.netuid, UIDs: []uint16{0}, Values: []uint16{65535}}
	hash, err := w.Hash(c.owner.Public(), []uint16{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	k, err := subtensor.BatchCommitWeights([]subtensor.Weights{w, {NetUID: 99}}, [][32]byte{hash, {1}})
	if err != nil {
		t.Fatal(err)
	}
	in := c.do(c.owner, k)
	commits, err := c.view().WeightsCommits(ctx, c.netuid, 0)
	if err != nil || len(commits) != 1 || commits[0].Hash != hash || commits[0].Hotkey != c.owner.Public() || commits[0].Block != in.Block {
		t.Errorf("commits %+v, %v", commits, err)
	}
	failed := 0
	for _, e := range in.Events {
		if e.String() == "SubtensorModule.BatchWeightItemFailed" {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("events %v", in.Events)
	}
	if _, err := subtensor.BatchCommitWeights([]subtensor.Weights{w}, nil); err == nil {
		t.Error("weights are committed without a hash")
	}
}
