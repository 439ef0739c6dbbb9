package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"adit/internal/ledger"
	"adit/internal/local/chainnode"
	"adit/internal/wallet"
)

// runs a command that must end with a status, and returns what it printed.
func runs(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(args, terminal{strings.NewReader(""), &out, &errs}); got != status {
		t.Fatalf("%v: status %d, want %d\n%s%s", args, got, status, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// startChain runs a node in dir until stop, at the URL that it returns. Its clock
// takes 12 s from block to block, and it makes one as soon as an extrinsic waits
// for it: nothing happens but what the test does, however slow the machine is.
func startChain(dir string) (url string, stop func(), err error) {
	genesis := ledger.DevGenesis()
	genesis.Spec.Tempo = 20
	genesis.Beacon = chainnode.DevBeaconChain()
	n, err := chainnode.Open(chainnode.Options{Dir: dir, BlockTime: 12 * time.Second, Genesis: genesis})
	if err != nil {
		return "", nil, err
	}
	l, err := chainnode.Listen(0)
	if err != nil {
		return "", nil, errors.Join(err, n.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { _ = n.Serve(ctx, l) })
	group.Go(func() { produce(ctx, n, "http://"+l.Addr().String()) })
	return "ws://" + l.Addr().String(), func() {
		cancel()
		group.Wait()
		n.Close()
	}, nil
}

// produce makes the blocks of a node at url until ctx is done.
func produce(ctx context.Context, n *chainnode.Node, url string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var pending []string
		if err := chainnode.Ask(ctx, url, &pending, "author_pendingExtrinsics"); err == nil && len(pending) > 0 {
			_, _ = n.Produce() // the test that waits for it tells
		}
	}
}

// cmdChain is 'chain': a chain with a tempo of 20 blocks that runs until the script
// ends, and is what commands mean unless they say otherwise. Each development
// account has a wallet of its name.
func cmdChain(ts *testscript.TestScript, _ bool, _ []string) {
	url, stop, err := startChain(ts.MkAbs("chain"))
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv("BT_SUBTENSOR_CHAIN_ENDPOINT", url)
	ts.Setenv("BT_WALLET_PATH", ts.MkAbs("wallets"))
	for _, name := range []string{"alice", "bob", "charlie"} {
		w, err := wallet.At(ts.MkAbs("wallets"), name, "default")
		ts.Check(err)
		uri := "//" + strings.ToUpper(name[:1]) + name[1:]
		_, err = w.CreateColdkey(uri)
		ts.Check(err)
		_, err = w.CreateHotkey(uri + "/hot")
		ts.Check(err)
	}
}

// cmdFlow is 'flow': from now on the chain makes ten blocks a second, whether or not
// anything waits for them.
func cmdFlow(ts *testscript.TestScript, _ bool, _ []string) {
	url := strings.Replace(ts.Getenv("BT_SUBTENSOR_CHAIN_ENDPOINT"), "ws://", "http://", 1)
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = chainnode.Ask(ctx, url, nil, "engine_createBlocks", 1)
			}
		}
	})
	ts.Defer(func() { cancel(); group.Wait() })
}

func TestChainCommands(t *testing.T) {
	dir := t.TempDir()
	url, stop, err := startChain(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	at := "--endpoint=" + url

	const ferdie = "5CiPPseXPECbkjWCa6MnjNokrgYjMqmKndv2rSnekmSK2DjL"
	if out, _ := runs(t, 0, "chain", "faucet", at, ferdie, "1.5"); out != ferdie+" has 1000001.5 TAO\n" {
		t.Errorf("faucet: %s", out)
	}
	if out, _ := runs(t, 0, "chain", "advance", at, "40"); !strings.HasPrefix(out, "0x") {
		t.Errorf("advance: %s", out)
	}
	out, _ := runs(t, 0, "chain", "blocks", at, "--count", "40", "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 40 {
		t.Fatalf("%d blocks are shown", len(lines))
	}
	last := uint64(0)
	for i, line := range lines {
		var b shownBlock
		if err := json.Unmarshal([]byte(line), &b); err != nil {
			t.Fatal(err)
		}
		if i > 0 && b.Number != last+1 || len(b.Hash) != 66 || b.Extrinsics < 1 || b.Time.IsZero() {
			t.Errorf("block %s", line)
		}
		last = b.Number
	}
	if last < 40 {
		t.Errorf("time did not jump: block %d", last)
	}
	if out, _ := runs(t, 0, "chain", "blocks", at, "--count", "100000"); !strings.Contains(out, "Balances.Transfer") {
		t.Errorf("the faucet's transfer is in no block:\n%s", out)
	}
	state := filepath.Join(t.TempDir(), "state")
	if out, _ := runs(t, 0, "chain", "snapshot", "--dir", dir, "--block", "7", state); out != "block 7\n" {
		t.Errorf("snapshot: %s", out)
	}
	again, err := chainnode.Open(chainnode.Options{Dir: t.TempDir(), From: state})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, errs := runs(t, 1, "chain", "advance", at, "0"); !strings.Contains(errs, "can be made at once") {
		t.Errorf("advance 0: %s", errs)
	}
}

func TestChainCommandsNeedANode(t *testing.T) {
	const nowhere = "--endpoint=ws://127.0.0.1:1"
	for _, args := range [][]string{
		{"chain", "advance", nowhere, "1"},
		{"chain", "snapshot", "--dir", t.TempDir(), filepath.Join(t.TempDir(), "x")},
	} {
		if _, errs := runs(t, 1, args...); !strings.Contains(errs, "hint: ") {
			t.Errorf("%v: %s", args, errs)
		}
	}
}

func TestTAO(t *testing.T) {
	for _, tt := range []struct {
		text string
		rao  uint64
		back string
	}{{"1", 1e9, "1"}, {"0.5", 5e8, "0.5"}, {".000000001", 1, "0.000000001"}, {"21000000.", 21e15, "21000000"}, {"0", 0, "0"}} {
		rao, err := parseTAO(tt.text)
		if err != nil || rao != tt.rao || formatTAO(rao) != tt.back {
			t.Errorf("%q is %d RAO, %q, %v", tt.text, rao, formatTAO(rao), err)
		}
	}
	for _, bad := range []string{"", ".", "-1", "1e9", "1.0000000001", "+1", "1,5", "99999999999999999999"} {
		if rao, err := parseTAO(bad); err == nil {
			t.Errorf("%q is %d RAO", bad, rao)
		}
	}
}
