package subtensor

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// prune makes a node that keeps nothing before a block, as the script of a fake: the
// states are gone, and with blocks the blocks too. Each says so in its own way.
func (f *fake) prune(first int, blocks bool) {
	number := func(h hash32) int {
		for i := range f.blocks {
			if f.blocks[i].hash == h {
				return i
			}
		}
		return first
	}
	states := map[string]int{"state_queryStorageAt": 1, "state_getKeysPaged": 3, "state_call": 2, "state_getRuntimeVersion": 0, "state_getMetadata": 0}
	f.set(func() {
		f.script = func(_ *fakeConn, method string, params []json.RawMessage) (any, *RPCError, bool) {
			f.mu.Lock()
			defer f.mu.Unlock()
			i, state := states[method]
			switch {
			case state && i < len(params) && number(param[hash32](params, i)) < first:
				return nil, &RPCError{Code: 4003, Message: "Client error: UnknownBlock: State already discarded for " + string(params[i])}, true
			case !blocks:
			case method == "chain_getBlockHash" && len(params) > 0 && param[int](params, 0) < first && param[int](params, 0) > 0,
				method == "chain_getHeader" && len(params) > 0 && number(param[hash32](params, 0)) < first:
				return nil, nil, true
			}
			return nil, nil, false
		}
	})
}

// twins are two nodes with the same chain of some blocks, whose tempo of subnet 7 is
// the number of the block.
func twins(t *testing.T, blocks int) (a, b *fake) {
	a, b = newFake(t, 0), newFake(t, 0)
	for i := range blocks {
		for _, f := range []*fake{a, b} {
			f.put(uint16(i+1), "SubtensorModule", "Tempo", 7)
			f.produce()
		}
	}
	return a, b
}

// What the first node no longer has, the archive of the list answers; and the head
// is asked of the first as before.
func TestArchive(t *testing.T) {
	t.Parallel()
	for _, blocks := range []bool{false, true} {
		lite, archive := twins(t, maxFork+40)
		lite.prune(30, blocks)
		c := dialFakes(t, Options{Backoff: 1e6}, lite, newFake(t, 1), archive)
		for _, b := range []subnet.Block{1, 20, maxFork + 35} {
			v, err := c.Query(t.Context(), b, "SubtensorModule", "Tempo", 7)
			if err != nil || v != uint64(b) {
				t.Errorf("tempo after block %d: %v, %v", b, v, err)
			}
			view, err := c.At(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			if pairs, err := view.Pairs(t.Context(), "SubtensorModule", "Tempo"); err != nil || len(pairs) != 1 || pairs[0].Value != uint64(b) {
				t.Errorf("tempos after block %d: %v, %v", b, pairs, err)
			}
			if h, err := c.Hash(t.Context(), b); err != nil || h != archive.blocks[b].hash.String() {
				t.Errorf("hash of block %d: %s, %v", b, h, err)
			}
		}
		if lite.count("chain_subscribeNewHeads") != 1 || archive.count("chain_subscribeNewHeads") != 0 {
			t.Error("the connection in use was given up")
		}
		n := archive.count("chain_getBlockHash")
		archive.cut() // as servers do with connections that are silent
		if v, err := c.Query(t.Context(), 3, "SubtensorModule", "Tempo", 7); err != nil || v != uint64(3) {
			t.Errorf("after the archive's connection broke: %v, %v", v, err)
		}
		if archive.count("chain_getBlockHash") == n {
			t.Error("the archive was not connected to again")
		}
		// The history can be followed from its beginning.
		next := subnet.Block(1)
		for h, err := range c.Blocks(t.Context(), 1) {
			if err != nil || h.Number != next {
				t.Fatalf("block %d: %v, %v", next, h, err)
			}
			if next++; next == maxFork+40 {
				break
			}
		}
	}
}

// Where no node of the list has a state, or none can be reached that might, that is
// an error which says so, and soon.
func TestNoArchive(t *testing.T) {
	t.Parallel()
	lite, other := twins(t, maxFork+40)
	lite.prune(30, true)
	other.prune(25, true)
	dead := newFake(t, 0)
	dead.srv.Close()
	c := dialFakes(t, Options{}, lite, dead, other)
	for range 2 {
		_, err := c.Query(t.Context(), 20, "SubtensorModule", "Tempo", 7)
		if _, is := errors.AsType[*PrunedError](err); !is || !errors.Is(err, subnet.ErrNotFound) || errors.Is(err, subnet.ErrTemporary) && !strings.Contains(err.Error(), dead.url) ||
			!strings.Contains(subnet.Hint(err), "archive") {
			t.Errorf("error %v, hint %q", err, subnet.Hint(err))
		}
		for h, err := range c.Blocks(t.Context(), 20) {
			if _, is := errors.AsType[*PrunedError](err); !is {
				t.Errorf("follow: %v, %v", h, err)
			}
			break
		}
	}
	// A state that one of them has.
	if v, err := c.Query(t.Context(), 27, "SubtensorModule", "Tempo", 7); err != nil || v != uint64(27) {
		t.Errorf("%v, %v", v, err)
	}
}

// A node that answers every question about the past with the head's state is found
// out, whatever is asked for, and an honest one is asked.
func TestHeadForHistory(t *testing.T) {
	t.Parallel()
	liar, honest := twins(t, maxFork+40)
	number := func(_ *fake, _ uint16) (uint64, error) { return uint64(len(liar.blocks) - 1), nil }
	def := scale.APIDef{Name: "SwapRuntimeApi", Version: 1, Methods: []scale.MethodDef{{Name: "current_alpha_price", Args: []string{"netuid"}, Func: number}}}
	liar.withAPIs(def)
	def.Methods[0].Func = func(_ *fake, _ uint16) (uint64, error) { return 5, nil }
	honest.withAPIs(def)
	states := map[string]int{"state_queryStorageAt": 1, "state_getKeysPaged": 3, "state_call": 2, "state_getRuntimeVersion": 0, "state_getMetadata": 0}
	liar.set(func() {
		liar.script = func(c *fakeConn, method string, params []json.RawMessage) (any, *RPCError, bool) {
			i, state := states[method]
			if !state || i >= len(params) {
				return nil, nil, false
			}
			result, rerr, _ := liar.handle(c, method, params[:i])
			if sets, ok := result.([]any); ok { // and claims that it is the block's
				sets[0].(map[string]any)["block"] = param[hash32](params, i)
			}
			return result, rerr, true
		}
	})
	for name, nodes := range map[string][]*fake{"alone": {liar}, "with an honest one": {liar, honest}} {
		c := dialFakes(t, Options{}, nodes...)
		v, err := c.At(t.Context(), 5)
		if len(nodes) == 1 {
			if err == nil || !strings.Contains(err.Error(), "the node answers for block 296, not 5") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if price, err := v.AlphaPrice(t.Context(), 7); err != nil || price != 5 {
			t.Errorf("%s: price %d, %v", name, price, err)
		}
		if pairs, err := v.Pairs(t.Context(), "SubtensorModule", "Tempo"); err != nil || len(pairs) != 1 {
			t.Errorf("%s: %v, %v", name, pairs, err)
		}
	}
}
