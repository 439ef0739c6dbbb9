package main

import (
	"context"
	"fmt"
	"time"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// SubnetStartCommand starts a subnet.
type SubnetStartCommand struct {
	ownerFlags
	netuidFlag
}

// Help shows examples.
func (SubnetStartCommand) Help() string {
	return `Lets a subnet's emission begin, and its alpha be bought. Its owner may do it once,
some time after its creation: 'adit subnet check-start' tells when.

Examples:
  adit subnet start --netuid 1
  adit subnet start --netuid 1 --wallet-name owner --yes`
}

// Run starts it.
func (c SubnetStartCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	s, err := readStart(ctx, o.client, o.View, n)
	switch {
	case err != nil:
		return err
	case s.Started:
		return subnet.WithHint(fmt.Errorf("subnet %d has been started already", n), "nothing is left to do")
	case s.Owner != keys.Address(o.who):
		return subnet.WithHint(fmt.Errorf("subnet %d belongs to %s", n, s.Owner), "only its owner may start it; --wallet-name tells which wallet is meant")
	case !s.Now:
		return subnet.WithHint(fmt.Errorf("subnet %d may be started from block %d on, in %s", n, s.Allowed, s.wait()), "wait until then; 'adit subnet check-start' tells how long")
	}
	r, err := c.deal(ctx, t, o.client, deal{signer: o.files, title: "start a subnet", call: subtensor.StartCall(n), told: [][2]string{{"subnet", o.subnetName(ctx, n)}}})
	if err != nil {
		return err
	}
	if !r.DryRun {
		v, err := o.client.At(ctx, subnet.Block(r.Block))
		if err != nil {
			return err
		}
		if s, err = readStart(ctx, o.client, v, n); err != nil {
			return err
		}
		r.Message = fmt.Sprintf("Started subnet %d", n)
	}
	return c.print(t, r, s, [2]string{"emission", fmt.Sprintf("from block %d on", s.Emission)})
}

// SubnetCheckStartCommand tells when a subnet may be started.
type SubnetCheckStartCommand struct {
	readFlags
	netuidFlag
}

// Help shows examples.
func (SubnetCheckStartCommand) Help() string {
	return `Tells when a subnet may be started, and by whom, or since when it has been.

Examples:
  adit subnet check-start --netuid 1
  adit subnet check-start --netuid 1 --json`
}

// A startState is when a subnet may be started.
type startState struct {
	NetUID     subnet.NetUID `json:"netuid"`
	Owner      string        `json:"owner_coldkey"`
	Block      subnet.Block  `json:"block"` // as of which this is so
	Registered subnet.Block  `json:"registered_at"`
	Allowed    subnet.Block  `json:"start_from"`
	Now        bool          `json:"may_start"` // in the next block
	Started    bool          `json:"started"`
	Emission   subnet.Block  `json:"emission_from,omitempty"`
	Seconds    float64       `json:"wait_seconds"` // about

	blockTime time.Duration
}

func readStart(ctx context.Context, client *subtensor.Client, v *subtensor.View, n subnet.NetUID) (startState, error) {
	s, err := v.SubnetStart(ctx, n)
	if err != nil {
		return startState{}, subnetHint(err)
	}
	out := startState{NetUID: n, Owner: keys.Address(s.Owner), Block: v.Block, Registered: s.Registered, Allowed: s.Allowed,
		Started: s.Emission > 0, Emission: s.Emission}
	out.Now = !out.Started && v.Block+1 >= s.Allowed
	if out.Started || out.Now {
		return out, nil
	}
	out.blockTime, err = client.BlockTime(ctx)
	out.Seconds = (out.blockTime * time.Duration(s.Allowed-v.Block)).Seconds()
	return out, err
}

// wait is how long it takes until it may be started, in words.
func (s startState) wait() string { return blocksText(s.Allowed-s.Block, s.blockTime) }

// blocksText is a number of blocks in words.
func blocksText(blocks subnet.Block, each time.Duration) string {
	took := each * time.Duration(blocks)
	switch {
	case took >= time.Hour:
		took = took.Round(time.Minute)
	case took >= time.Second:
		took = took.Round(time.Second)
	}
	return fmt.Sprintf("%d blocks, about %s", blocks, took)
}

// Run tells.
func (c SubnetCheckStartCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := readStart(ctx, client, v, n)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, s)
	}
	state := fmt.Sprintf("may be started from block %d on, in %s", s.Allowed, s.wait())
	switch {
	case s.Started:
		state = fmt.Sprintf("has been started: emission from block %d on", s.Emission)
	case s.Now:
		state = "may be started now"
	}
	return printPairs(t, fmt.Sprintf("subnet %d %s", n, state), [][2]string{{"owner", s.Owner}, {"created", fmt.Sprintf("in block %d", s.Registered)}})
}
