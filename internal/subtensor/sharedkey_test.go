package subtensor_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// twoClients are two programs that use the chain at once and know nothing of each
// other.
func twoClients(t *testing.T, endpoint string) (two [2]*subtensor.Client) {
	t.Helper()
	for i := range two {
		c, err := subtensor.Dial(t.Context(), subtensor.Options{Endpoints: []string{endpoint}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		two[i] = c
	}
	return two
}

// Two programs transfer with one coldkey, and set weights with one hotkey, at once.
// Each transfer is made once, each program hears the truth of each of its own, and
// the weights are those of one of them.
func TestTwoProgramsOneKey(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	c.found()
	ctx := t.Context()
	two := twoClients(t, c.endpoint)
	before, err := c.view().Account(ctx, c.bob.Public())
	if err != nil {
		t.Fatal(err)
	}
	const each = 12
	var mu sync.Mutex
	places := map[string]bool{}
	var newest subnet.Block
	var wg sync.WaitGroup
	refused := 0
	for p, client := range two {
		for i := range each {
			wg.Go(func() {
				to := key(t, fmt.Sprintf("//To/%d/%d", p, i)).Public()
				in, err := client.Do(ctx, c.bob, subtensor.TransferKeepAlive(to, tao), subtensor.SubmitOptions{})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					refused++
					t.Logf("program %d, transfer %d: %v", p, i, err)
					return
				}
				place := fmt.Sprint(in.BlockHash, in.Index)
				if places[place] {
					t.Errorf("two transfers are extrinsic %d of block %d", in.Index, in.Block)
				}
				places[place] = true
				newest = max(newest, in.Block)
			})
		}
	}
	wg.Wait()
	c.see(newest)
	paid := 0
	for p := range two {
		for i := range each {
			got, err := c.view().Account(ctx, key(t, fmt.Sprintf("//To/%d/%d", p, i)).Public())
			if err != nil {
				t.Fatal(err)
			}
			switch got.Free {
			case tao:
				paid++
			case 0:
			default:
				t.Errorf("transfer %d of program %d paid %d RAO", i, p, got.Free)
			}
		}
	}
	after, err := c.view().Account(ctx, c.bob.Public())
	if err != nil {
		t.Fatal(err)
	}
	if refused > 0 || paid != 2*each || int(after.Nonce-before.Nonce) != paid {
		t.Errorf("%d of %d paid, %d told so, %d nonces used", paid, 2*each, 2*each-refused, after.Nonce-before.Nonce)
	}
	if spent := before.Free - after.Free; spent < uint64(paid)*tao || spent > uint64(paid)*(tao+tao/100) {
		t.Errorf("%d RAO are spent for %d transfers of one TAO", spent, paid)
	}

	c.do(c.bob, subtensor.BurnedRegister(c.netuid, c.hot.Public()))
	c.do(c.bob, subtensor.AddStake(c.hot.Public(), c.netuid, 1000*tao))
	c.wait(c.view().Block + 21) // an epoch gives the permit
	c.do(c.alice, c.admin("sudo_set_commit_reveal_weights_enabled", scale.Args{"netuid": c.netuid, "enabled": false}))
	var last subtensor.Inclusion
	var want uint16
	for p, client := range two {
		wg.Go(func() {
			w := subtensor.Weights{NetUID: c.netuid, UIDs: []uint16{0, 1}, Values: []uint16{65535, uint16(100 * (p + 1))}}
			in, err := client.Do(ctx, c.hot, subtensor.SetWeights(w), subtensor.SubmitOptions{})
			if err != nil {
				t.Errorf("program %d: %v", p, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if in.Block > last.Block || in.Block == last.Block && in.Index > last.Index {
				last, want = in, w.Values[1]
			}
		})
	}
	wg.Wait()
	c.see(last.Block)
	got, err := c.view().Get(ctx, "SubtensorModule", "Weights", c.netuid, 1)
	if err != nil || fmt.Sprint(got) != fmt.Sprintf("[[0 65535] [1 %d]]", want) {
		t.Errorf("weights %v, %v; want %d for uid 1, as set last", got, err, want)
	}
}

// Of two extrinsics with one nonce, that with the tip drives the other out of the
// pool. Both programs hear the truth, and nothing is done twice.
func TestOutbid(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	two := twoClients(t, "ws://"+serve(t, 20*time.Millisecond))
	bob := key(t, "//Bob")
	account := func(who subtensor.Account) subtensor.AccountState {
		t.Helper()
		v, err := two[0].At(ctx, subnet.Latest)
		if err != nil {
			t.Fatal(err)
		}
		a, err := v.Account(ctx, who)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	ends := map[string]error{}
	for p, client := range two {
		for i := range 6 {
			to := fmt.Sprintf("//Outbid/%d/%d", p, i)
			wg.Go(func() {
				_, err := client.Do(ctx, bob, subtensor.TransferKeepAlive(key(t, to).Public(), tao), subtensor.SubmitOptions{Tip: uint64(p * (i + 1) * 1000)})
				mu.Lock()
				defer mu.Unlock()
				ends[to] = err
			})
		}
	}
	wg.Wait()
	paid := 0
	for to, told := range ends {
		got := account(key(t, to).Public())
		if (got.Free == tao) != (told == nil) || got.Free != tao && got.Free != 0 {
			t.Errorf("%s was paid %d RAO, and its program told %v", to, got.Free, told)
		}
		if told != nil && subnet.Hint(told) == "" {
			t.Errorf("no hint with %v", told)
		}
		if got.Free == tao {
			paid++
		}
	}
	if used := int(account(bob.Public()).Nonce); used != paid {
		t.Errorf("%d nonces are used for %d transfers", used, paid)
	}
	t.Logf("%d of %d paid", paid, len(ends))
}
