package sim

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// TestOwner runs a network whose phases and validators are told by its owner's
// service, with another table and other validators than the settings have. In the
// middle of a cycle the owner changes the table, and later the service goes away
// for good. No submission is lost, and none is committed twice.
func TestOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := func(blocks ...uint64) connito.Rules {
			r, err := connito.Local.WithLengths(blocks)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		first, second := table(6, 52, 5, 5, 8, 5, 5, 5, 9), table(6, 60, 5, 5, 10, 5, 5, 5, 5)
		const blockTime = 12 * time.Second
		n, err := New(Options{Rules: connito.Local, Seed: 7, Groups: 1, Miners: 2, Validators: 2, BlockTime: blockTime})
		if err != nil {
			t.Fatal(err)
		}
		at := netip.MustParseAddrPort("10.9.9.9:8080")
		var listed []subnet.Hotkey
		for _, v := range n.Neurons {
			v.config.Cycle.OwnerURL = "http://" + at.String()
			v.config.Cycle.ValidatorWhitelist = nil
			if v.Role == "validate" {
				listed = append(listed, v.Hotkey)
			}
		}
		role, ok := connito.Protocol.Role("owner")
		if !ok {
			t.Fatal("no owner")
		}
		var all sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		serve := func(ctx context.Context, r connito.Rules) {
			cfg := &connito.OwnerConfig{NetUID: 1, Endpoints: []string{"simulated"}, Rules: r, At: at, Whitelist: func() ([]subnet.Hotkey, error) { return listed, nil }}
			if err := role.Run(ctx, subnet.Env{NetUID: 1, Config: cfg, Chain: n.Chain.as([32]byte{}), Serve: n.web.serve, Emit: func(subnet.Event) {}}); err != nil {
				t.Error(err)
			}
		}
		old, endOld := context.WithCancel(ctx)
		all.Go(func() { serve(old, first) })
		all.Go(func() {
			if err := n.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		until := func(b int) { time.Sleep(time.Until(n.Chain.genesis.Add(time.Duration(b) * blockTime))) }

		// Two cycles of 100 blocks, and a half. At the next Distribute, in block
		// 300, the neurons are told of the new table of 106 blocks, which counts
		// from block 400 on: that is in the Submission phase of its cycle 3.
		until(250)
		endOld()
		synctest.Wait()
		brief, endNew := context.WithCancel(ctx)
		all.Go(func() { serve(brief, second) })
		until(310)
		endNew()
		until(106*7 + 20)
		cancel()
		all.Wait()

		for _, v := range n.Neurons {
			// In cycle 4 there is no baseline of cycle 3 where the table says. Miners
			// have it from before.
			for _, what := range said(v, "lost") {
				if v.Role != "mine" || !strings.Contains(what, "download did not go through [cycle=4 ") {
					t.Errorf("%s lost: %s", v.Name, what)
				}
			}
			// Cycles 1 to 3 of the first table, 4 to 6 of the second.
			if v.Role == "mine" && v.Count("commit2") != 6 {
				t.Errorf("%s committed %d times: %v", v.Name, v.Count("commit2"), said(v, "commit2"))
			}
			if v.Count("phases") != 2 {
				t.Errorf("%s was told of %d tables: %v", v.Name, v.Count("phases"), said(v, "phases"))
			}
		}
		falls(t, n, 0)
		meta, err := n.Neurons[0].chain.Metagraph(t.Context(), subnet.Latest)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range n.Neurons {
			if on, ok := meta.ByHotkey(v.Hotkey); !ok || v.Role == "mine" && on.Incentive == 0 || v.Role == "validate" && on.Dividends == 0 {
				t.Errorf("%s: %+v", v.Name, on)
			}
		}
	})
}
