package chainnode

import (
	"testing"

	"adit/internal/ledger"
	"adit/internal/scale"
)

// FuzzExtrinsic sends foreign bytes as an extrinsic, and as a call that is well
// signed. Whatever they are, the node makes its block, one nonce is used or none,
// and what is in the block can be asked for.
func FuzzExtrinsic(f *testing.F) {
	n := open(f, Options{})
	produce(f, n)
	alice := key(f, "//Alice")
	bob := key(f, "//Bob").Public()
	f.Add(remark{from: alice, size: 3}.sign(f, n))
	for _, call := range []ledger.Call{
		&ledger.Remark{Remark: []byte("x")}, &ledger.RegisterNetwork{Hotkey: bob}, &ledger.SetTempo{Netuid: 1, Tempo: 3},
		&ledger.BatchAll{Calls: []ledger.RuntimeCall{ledger.Wrap(&ledger.Remark{})}},
	} {
		f.Add(ledger.Encode(call))
	}
	f.Add([]byte{0x84})
	f.Add(scale.AppendCompact(nil, 1<<30))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := n.ledger.Nonce(alice.Public())
		if _, err := ask(n, "author_submitExtrinsic", hexBytes(b)); err != nil && (err.Code < 1000 || err.Code > 1019) {
			t.Errorf("as an extrinsic: %v", err)
		}
		produce(t, n)
		middle := n.ledger.Nonce(alice.Public())
		xt := remark{from: alice, nonce: middle, call: append([]byte{}, b...)}.sign(t, n)
		_, refused := ask(n, "author_submitExtrinsic", hexBytes(xt))
		h := produce(t, n)
		after := n.ledger.Nonce(alice.Public())
		if middle > before+1 || refused == nil && after != middle+1 || refused != nil && after != middle {
			t.Errorf("nonces %d, %d, %d; refused: %v", before, middle, after, refused)
		}
		must(t, n, "chain_getBlock", asHex(h))
		must(t, n, "state_getStorage", hexBytes(scale.StorageKey("System", "Events")), asHex(h))
	})
}
