package subtensor

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"adit/internal/scale"
	"adit/internal/scale/scaletest"
	"adit/internal/subnet"
)

func remark(t *testing.T, c *Client, text string) []byte {
	t.Helper()
	call, err := c.Call(t.Context(), "System", "remark", text)
	if err != nil {
		t.Fatal(err)
	}
	return call
}

func TestSubmit(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	f.auto = true
	for range 10 {
		f.produce()
	}
	c := dialFakes(t, Options{}, f)
	for _, text := range []string{"short", strings.Repeat("more than 256 bytes are hashed", 10)} {
		head, err := c.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		in, err := c.Submit(t.Context(), account(t, "//Alice"), remark(t, c, text), SubmitOptions{Tip: 3})
		if err != nil {
			t.Fatal(err)
		}
		if in.Block != head+1 || in.Index != 1 || len(in.Events) != 1 || in.Events[0].String() != "System.ExtrinsicSuccess" {
			t.Errorf("inclusion = %+v, head was %d", in, head)
		}
	}
	if n := f.count("state_getMetadata"); n != 1 {
		t.Errorf("metadata is fetched %d times", n)
	}
}

func TestSubmitDispatchErrors(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	f.auto = true
	c := dialFakes(t, Options{}, f)
	var e scaletest.DispatchError
	f.exec = func([]byte) *scaletest.DispatchError { return &e }
	for _, tt := range []struct {
		err        scaletest.DispatchError
		text, hint string
	}{
		{scaletest.DispatchError{Module: &scaletest.ModuleError{Index: 7, Error: [4]byte{4}}},
			"SubtensorModule.HotKeyNotRegisteredInSubNet: The hotkey is not registered in subnet", hintRegister},
		{scaletest.DispatchError{Module: &scaletest.ModuleError{Index: 18, Error: [4]byte{2}}}, "Commitments.SpaceLimitExceeded", hints["SpaceLimitExceeded"]},
		{scaletest.DispatchError{Module: &scaletest.ModuleError{Index: 18, Error: [4]byte{9}}}, "no error 9 in pallet 18", ""},
		{scaletest.DispatchError{BadOrigin: &scale.Unit{}}, "BadOrigin", ""},
		{scaletest.DispatchError{Token: &scaletest.TokenError{FundsUnavailable: &scale.Unit{}}}, "Token.FundsUnavailable", hintBalance},
	} {
		f.set(func() { e = tt.err })
		in, err := c.Submit(t.Context(), account(t, "//Alice"), remark(t, c, "x"), SubmitOptions{})
		if err == nil || !strings.Contains(err.Error(), tt.text) || subnet.Hint(err) != tt.hint {
			t.Errorf("error %v, hint %q, want %q, %q", err, subnet.Hint(err), tt.text, tt.hint)
		}
		if in.Block == 0 {
			t.Errorf("%s: no inclusion", tt.text)
		}
	}
	// Sudo succeeds even if what it does fails.
	f.set(func() {
		f.exec = nil
		f.events = []scaletest.RuntimeEvent{{Sudo: &scaletest.SudoEvent{Sudid: &struct{ SudoResult scaletest.Result }{
			scaletest.Result{Err: &scaletest.DispatchError{Module: &scaletest.ModuleError{Index: 7, Error: [4]byte{29}}}}}}}}
	})
	_, err := c.Sudo(t.Context(), account(t, "//Alice"), remark(t, c, "x"))
	if m, ok := errors.AsType[*scale.ModuleError](err); !ok || m.Name != "SettingWeightsTooFast" || subnet.Hint(err) != hintRate {
		t.Errorf("sudo: %v", err)
	}
}

func TestSubmitPoolErrors(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	c := dialFakes(t, Options{}, f)
	for _, tt := range []struct {
		code       int
		data, name string
		hint       string
		temporary  bool
	}{
		{1010, "Custom error: 10", "HotKeyNotRegisteredInNetwork", hintRegister, false},
		{1010, "invalid.custom: 6", "RateLimitExceeded", hintRate, true},
		{1010, "Custom error: 12", "ServingRateLimitExceeded", hints["ServingRateLimitExceeded"], false},
		{1010, "Custom error: 99999999999999999999", "", "", false},
		{1010, "Inability to pay some fees (e.g. account balance too low)", "", hintBalance, false},
		{1012, "", "", "", true},
		{1016, "", "", "", true},
	} {
		data, err := json.Marshal(tt.data)
		if err != nil {
			t.Fatal(err)
		}
		f.set(func() {
			f.counts["author_submitAndWatchExtrinsic"] = 0
			f.script = func(_ *fakeConn, method string, _ []json.RawMessage) (any, *RPCError, bool) {
				return nil, &RPCError{Code: tt.code, Message: "Invalid Transaction", Data: data}, method == "author_submitAndWatchExtrinsic"
			}
		})
		_, err = c.Submit(t.Context(), account(t, "//Alice"), remark(t, c, "x"), SubmitOptions{})
		e, ok := errors.AsType[*PoolError](err)
		if !ok || e.Code != tt.code || e.Name != tt.name || subnet.Hint(err) != tt.hint || errors.Is(err, subnet.ErrTemporary) != tt.temporary {
			t.Errorf("%d %q: %v (%+v), hint %q", tt.code, tt.data, err, e, subnet.Hint(err))
		}
		if n := f.count("author_submitAndWatchExtrinsic"); n != 1 {
			t.Errorf("%d %q: it is sent %d times", tt.code, tt.data, n)
		}
	}
}

func TestSubmitManyAtOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	c := dialFakes(t, Options{}, f)
	const n = 8
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			in, err := c.Submit(t.Context(), account(t, "//Alice"), remark(t, c, strings.Repeat("x", i)), SubmitOptions{})
			if err != nil || in.Block != 1 {
				t.Errorf("%d: %+v, %v", i, in, err)
			}
		})
	}
	f.until("all are in the pool", func() bool { return len(f.pool) == n })
	f.produce()
	wg.Wait()
}

// A runtime upgrade between two extrinsics is noticed by the refusal.
func TestSubmitAfterUpgrade(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	f.auto, f.mute = true, true
	c := dialFakes(t, Options{}, f)
	f.set(func() { f.spec++ })
	if _, err := c.Submit(t.Context(), account(t, "//Alice"), remark(t, c, "x"), SubmitOptions{}); err != nil {
		t.Fatal(err)
	}
	if rt, err := c.Runtime(t.Context()); err != nil || rt.SpecVersion != 425 {
		t.Errorf("runtime %+v, %v", rt, err)
	}
	if n := f.count("state_getMetadata"); n != 2 {
		t.Errorf("metadata is fetched %d times, want 2", n)
	}
}

// Whatever happens to the connection, an extrinsic is included once and found.
func TestSubmitLosesConnection(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(f *fake, c *fakeConn, method string, params []json.RawMessage) bool{
		"before the node has read it": func(f *fake, c *fakeConn, method string, _ []json.RawMessage) bool {
			c.ws.Close(websocket.StatusInternalError, "bye")
			return true
		},
		"before the node has answered": func(f *fake, c *fakeConn, method string, params []json.RawMessage) bool {
			f.take(c, method, params)
			c.ws.CloseNow()
			return true
		},
		"and it is included meanwhile": func(f *fake, c *fakeConn, method string, params []json.RawMessage) bool {
			f.take(c, method, params)
			c.ws.CloseNow()
			f.produce()
			return true
		},
		"after it is in the pool": func(f *fake, c *fakeConn, method string, params []json.RawMessage) bool {
			go func() {
				f.until("it is in the pool", func() bool { return len(f.pool) > 0 })
				c.ws.CloseNow()
			}()
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 0)
			c := dialFakes(t, Options{}, f)
			lost := false
			f.set(func() {
				f.script = func(conn *fakeConn, method string, params []json.RawMessage) (any, *RPCError, bool) {
					if method != "author_submitAndWatchExtrinsic" || lost {
						return nil, nil, false
					}
					lost = true
					return silence{}, nil, lose(f, conn, method, params)
				}
			})
			done := make(chan struct{})
			go func() {
				defer close(done)
				in, err := c.Submit(t.Context(), account(t, "//Alice"), remark(t, c, "x"), SubmitOptions{})
				if err != nil || in.Index != 1 {
					t.Errorf("%+v, %v", in, err)
				}
			}()
			f.until("it is in the pool or in a block", func() bool { return len(f.pool) > 0 || len(f.blocks) > 1 })
			f.until("there is a connection again", func() bool { return f.counts["chain_subscribeNewHeads"] > 1 })
			f.produce()
			<-done
			included := 0
			for _, b := range f.blocks {
				included += max(len(b.extrinsics)-1, 0)
			}
			if included != 1 {
				t.Errorf("it is included %d times", included)
			}
		})
	}
}

// An extrinsic that no block takes is given up when it is too old for any.
func TestSubmitExpires(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	c := dialFakes(t, Options{}, f)
	result := make(chan error)
	go func() {
		_, err := c.Submit(t.Context(), account(t, "//Alice"), remark(t, c, "x"), SubmitOptions{Period: 4})
		result <- err
	}()
	f.until("it is in the pool", func() bool { return len(f.pool) > 0 })
	f.set(func() { f.pool = nil })
	f.set(func() { // the node takes nothing any more
		f.script = func(_ *fakeConn, method string, _ []json.RawMessage) (any, *RPCError, bool) {
			return nil, &RPCError{Code: poolKnown, Message: "known"}, method == "author_submitAndWatchExtrinsic"
		}
	})
	for {
		f.produce()
		select {
		case err := <-result:
			if !errors.Is(err, subnet.ErrTemporary) || !strings.Contains(err.Error(), "too old") {
				t.Errorf("error %v", err)
			}
			return
		default:
		}
	}
}

func TestSubmitFinalized(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	c := dialFakes(t, Options{}, f)
	done := make(chan error, 1)
	go func() {
		in, err := c.Submit(t.Context(), account(t, "//Alice"), remark(t, c, "x"), SubmitOptions{Finalized: true})
		if err == nil && in.Block != 1 {
			t.Errorf("inclusion %+v", in)
		}
		done <- err
	}()
	f.until("it is in the pool", func() bool { return len(f.pool) > 0 })
	f.produce()
	f.cut() // so that nobody tells
	f.until("it is looked for", func() bool { return f.counts["chain_getFinalizedHead"] > 0 })
	select {
	case err := <-done:
		t.Fatalf("done before the block is final: %v", err)
	default:
	}
	f.set(func() { f.final = 1 })
	f.produce()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSubmitCancelled(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	c := dialFakes(t, Options{}, f)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		f.until("it is in the pool", func() bool { return len(f.pool) > 0 })
		cancel()
	}()
	_, err := c.Submit(ctx, account(t, "//Alice"), remark(t, c, "x"), SubmitOptions{})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "may be on its way") {
		t.Errorf("error %v", err)
	}
}

// A pool that throws an extrinsic out says why when it gets it again, and one that
// has no room may have passed it on.
func TestSubmitThrownOut(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	c := dialFakes(t, Options{}, f)
	for state, want := range map[string]string{"invalid": "RateLimitExceeded", "dropped": ""} {
		result := make(chan error)
		go func() {
			_, err := c.Submit(t.Context(), account(t, "//Alice"), remark(t, c, state), SubmitOptions{})
			result <- err
		}()
		var tx fakeTx
		f.until("it is in the pool", func() bool {
			if len(f.pool) > 0 {
				tx, f.pool = f.pool[0], nil
			}
			return tx.conn != nil
		})
		again := 0
		f.set(func() {
			f.script = func(_ *fakeConn, method string, _ []json.RawMessage) (any, *RPCError, bool) {
				if method != "author_submitAndWatchExtrinsic" {
					return nil, nil, false
				}
				if again++; state == "dropped" {
					return nil, &RPCError{Code: poolFull, Message: "Immediately dropped"}, again < 3
				}
				return nil, &RPCError{Code: poolInvalid, Message: "Custom error: 6"}, true
			}
		})
		tx.conn.notify(tx.sub, state)
		var err error
		for done := false; !done; {
			f.produce()
			select {
			case err = <-result:
				done = true
			case <-time.After(time.Millisecond):
			}
		}
		if e, ok := errors.AsType[*PoolError](err); want == "" && err != nil || want != "" && (!ok || e.Name != want) {
			t.Errorf("%s: %v, want %q", state, err, want)
		}
		f.set(func() { f.script = nil })
	}
}
