package subtensor

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"adit/internal/scale"
	"adit/internal/scale/scaletest"
	"adit/internal/subnet"
)

// validities answers TaggedTransactionQueue_validate_transaction.
func (f *fake) validities(answer func() []byte) {
	f.withAPIs()
	apis := f.apis
	f.apis = func(b *fakeBlock, name string, args []byte) []byte {
		if name == "TaggedTransactionQueue_validate_transaction" {
			return answer()
		}
		return apis(b, name, args)
	}
}

// submitting sends a remark of //Alice, and returns how it ends.
func submitting(t *testing.T, c *Client, text string) <-chan error {
	call := remark(t, c, text)
	result := make(chan error, 1)
	go func() {
		_, err := c.Submit(t.Context(), account(t, "//Alice"), call, SubmitOptions{})
		result <- err
	}()
	return result
}

// throw takes the first extrinsic out of the pool, and tells its sender that it is
// invalid. The pool does not take it again.
func (f *fake) throw() {
	f.t.Helper()
	var tx fakeTx
	f.until("it is in the pool", func() bool {
		if len(f.pool) > 0 {
			tx, f.pool = f.pool[0], f.pool[1:]
		}
		return tx.conn != nil
	})
	f.set(func() {
		f.script = func(_ *fakeConn, method string, params []json.RawMessage) (any, *RPCError, bool) {
			if method != "author_submitAndWatchExtrinsic" || string(param[hexBytes](params, 0)) != string(tx.bytes) {
				return nil, nil, false
			}
			return nil, &RPCError{Code: poolBanned, Message: "Transaction is temporarily banned"}, true
		}
	})
	tx.conn.notify(tx.sub, "invalid")
}

// Without a single further block, the sender of an extrinsic that the pool has
// thrown out, and bans, is told why.
func TestInvalidIsExplained(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer       []byte
		errName, has string
		temporary    bool
	}{
		"rate limit":  {[]byte{1, 0, 7, 6}, "RateLimitExceeded", "Custom error: 6", true},
		"no money":    {[]byte{1, 0, 1}, "", "pay some fees", false},
		"too old":     {[]byte{1, 0, 5}, "", "ancient birth block", false},
		"unknown one": {[]byte{1, 1, 0}, "", "Unknown error 1.0", false},
		"newer one":   {[]byte{1, 0, 99}, "", "Unknown error 0.99", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 0)
			f.validities(func() []byte { return tt.answer })
			c := dialFakes(t, Options{}, f)
			result := submitting(t, c, "x")
			f.throw()
			err := <-result
			e, ok := errors.AsType[*PoolError](err)
			if !ok || e.Name != tt.errName || !strings.Contains(e.Text, tt.has) || errors.Is(err, subnet.ErrTemporary) != tt.temporary {
				t.Errorf("error %v", err)
			}
			if len(f.blocks) != 1 {
				t.Error("it took a block to find out")
			}
		})
	}
}

// One that the chain finds nothing wrong with is waited for, and one whose nonce
// another program has used is not.
func TestInvalidIsNotBelieved(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	answer := []byte{0}
	f.validities(func() []byte { return answer })
	c := dialFakes(t, Options{}, f)

	result := submitting(t, c, "valid after all")
	f.throw()
	f.until("it is offered again", func() bool { return f.counts["author_submitAndWatchExtrinsic"] > 1 })
	f.set(func() { f.script = nil })
	f.produce() // without it
	f.until("it is in the pool again", func() bool { return len(f.pool) > 0 })
	f.produce()
	if err := <-result; err != nil {
		t.Error(err)
	}

	result = submitting(t, c, "overtaken")
	f.set(func() { answer = []byte{1, 0, 3} })
	f.until("it is in the pool", func() bool { return len(f.pool) > 0 })
	alice := account(t, "//Alice").Public()
	f.put(scaletest.AccountInfo{Nonce: 2}, "System", "Account", alice)
	f.set(func() { f.nonces[alice]++ })
	f.throw()
	f.produce()
	err := <-result
	if err == nil || !strings.Contains(err.Error(), "nonce 1 was used by another") || !strings.Contains(subnet.Hint(err), "only one") {
		t.Errorf("error %v", err)
	}
}

// After an upgrade, what was on its way is signed again with the same nonce, and
// is included once.
func TestUpgradeOnTheWay(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	f.validities(func() []byte { return []byte{1, 0, 4} })
	c := dialFakes(t, Options{}, f)
	result := submitting(t, c, "x")
	f.until("it is in the pool", func() bool { return len(f.pool) > 0 })
	first := f.pool[0]
	f.upgrade()
	f.throw()
	f.until("it is in the pool again", func() bool { return len(f.pool) > 0 })
	if again := f.pool[0]; again.nonce != first.nonce || string(again.bytes) == string(first.bytes) {
		t.Errorf("nonce %d after %d", again.nonce, first.nonce)
	}
	f.produce()
	if err := <-result; err != nil {
		t.Error(err)
	}
	if rt, err := c.Runtime(t.Context()); err != nil || rt.SpecVersion != 425 {
		t.Errorf("runtime %v", err)
	}
}

// Of several extrinsics on their way, the first is refused for good. The next one
// to be sent takes its nonce, so that those behind it are included too.
func TestNonceIsNotLeftOut(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	f.validities(func() []byte { return []byte{1, 0, 1} })
	c := dialFakes(t, Options{}, f)
	first := submitting(t, c, "first")
	f.until("the first is in the pool", func() bool { return len(f.pool) == 1 })
	second := submitting(t, c, "second")
	f.until("the second is in the pool", func() bool { return len(f.pool) == 2 })
	f.throw()
	if err := <-first; err == nil {
		t.Error("the first is included")
	}
	f.produce()
	third := submitting(t, c, "third")
	f.until("the third is in the pool", func() bool { return len(f.pool) == 2 })
	f.produce()
	for _, result := range []<-chan error{second, third} {
		if err := <-result; err != nil {
			t.Error(err)
		}
	}
}

func TestFree(t *testing.T) {
	t.Parallel()
	w := &sender{inFlight: map[uint32]bool{5: true, 6: true, 8: true}, next: 5, block: 10}
	for _, tt := range []struct {
		nonce uint32
		head  subnet.Block
		want  uint32
	}{
		{5, 10, 7}, // the node has not heard of 5 and 6
		{7, 10, 7},
		{8, 10, 9},
		{3, 10, 3}, // 3 and 4 were taken back by a fork
		{3, 9, 7},  // the node lags
	} {
		if got := w.free(tt.nonce, tt.head); got != tt.want {
			t.Errorf("free(%d, %d) = %d, want %d", tt.nonce, tt.head, got, tt.want)
		}
	}
}

func TestFeeAndDryRun(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	type info struct {
		Weight struct {
			RefTime, ProofSize scale.Compact[uint64]
		}
		Class      uint8
		PartialFee uint64
	}
	applied := []byte{0, 0}
	f.withAPIs(scale.APIDef{Name: "TransactionPaymentApi", Version: 1, Methods: []scale.MethodDef{
		{Name: "query_info", Args: []string{"uxt", "len"}, Func: func(_ *fake, uxt []byte, size uint32) (info, error) {
			raw, err := scale.Marshal(uxt)
			if err != nil || int(size) != len(raw) {
				return info{}, errors.New("the length is wrong")
			}
			return info{PartialFee: 1234}, nil
		}}}})
	apis := f.apis
	f.apis = func(b *fakeBlock, name string, args []byte) []byte {
		if name == "BlockBuilder_apply_extrinsic" {
			return applied
		}
		return apis(b, name, args)
	}
	c := dialFakes(t, Options{}, f)
	alice := account(t, "//Alice")
	k := TransferKeepAlive(account(t, "//Bob").Public(), 1)
	if fee, err := c.Fee(t.Context(), alice.Public(), k); err != nil || fee != 1234 {
		t.Errorf("fee %d, %v", fee, err)
	}
	if err := c.DryRun(t.Context(), alice, k); err != nil {
		t.Error(err)
	}
	f.set(func() { applied = []byte{0, 1, 3, 7, 29, 0, 0, 0} })
	err := c.DryRun(t.Context(), alice, k)
	if m, ok := errors.AsType[*scale.ModuleError](err); !ok || m.Name != "SettingWeightsTooFast" || subnet.Hint(err) == "" {
		t.Errorf("dry run: %v", err)
	}
	f.set(func() { applied = []byte{1, 0, 7, 2} })
	err = c.DryRun(t.Context(), alice, k)
	if e, ok := errors.AsType[*PoolError](err); !ok || e.Name != "BalanceTooLow" {
		t.Errorf("dry run: %v", err)
	}
	f.set(func() { applied = nil })
	if err := c.DryRun(t.Context(), alice, k); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("dry run: %v", err)
	}
	if n := f.count("author_submitAndWatchExtrinsic"); n != 0 {
		t.Error("something was sent")
	}
}

func FuzzAnswers(f *testing.F) {
	md, err := scale.BuildMetadata(scaletest.Runtime())
	if err != nil {
		f.Fatal(err)
	}
	rt := &Runtime{424, 1, md}
	f.Add([]byte{1, 0, 7, 6})
	f.Add([]byte{0, 1, 3, 7, 29, 0, 0, 0})
	f.Add([]byte(`{"number":"0x1f","parentHash":"0x00","digest":{"logs":["0x0601"]}}`))
	f.Add([]byte("0"))
	f.Add([]byte{8, 1, 0, 2, 0, 3, 0, 4, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := applied(rt, b); err == nil && (len(b) < 2 || b[0] != 0 || b[1] != 0) {
			t.Errorf("%x is a success", b)
		}
		if err := invalidity(b); err == nil && (len(b) == 0 || b[0] != 0) {
			t.Errorf("%x is valid", b)
		}
		var h header
		if json.Unmarshal(b, &h) == nil {
			h.hash()
		}
		weightRow(b)
		update(b)
	})
}
