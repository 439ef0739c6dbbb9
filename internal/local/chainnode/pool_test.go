package chainnode

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/keys"
	"adit/internal/ledger"
	"adit/internal/scale"
)

// TestSubmit walks through what the pool takes and refuses, with the answers'
// codes and texts as upstream has them.
func TestSubmit(t *testing.T) {
	t.Parallel()
	n := open(t, Options{})
	alice, bob := key(t, "//Alice"), key(t, "//Bob")
	poor := key(t, "//Nobody")
	first := remark{from: alice}.sign(t, n)
	broken := append([]byte{}, remark{from: bob}.sign(t, n)...)
	broken[60] ^= 1
	short := first[:len(first)-1]
	for _, tt := range []struct {
		name string
		xt   []byte
		code int
		want string // "" for success
	}{
		{"fresh", first, 0, ""},
		{"again", first, 1013, "Transaction Already Imported: " + hexOf(blake(first))},
		{"same nonce", remark{from: alice, size: 1}.sign(t, n), 1014, "Priority is too low: (0 vs 0): The transaction has too low priority to replace another transaction already in the pool."},
		{"gap", remark{from: alice, nonce: 2}.sign(t, n), 0, ""},
		{"broken", broken, 1010, "Invalid Transaction: Transaction has a bad signature"},
		{"broken again", broken, 1012, "Transaction is temporarily banned"},
		{"poor", remark{from: poor}.sign(t, n), 1010, "Invalid Transaction: Inability to pay some fees (e.g. account balance too low)"},
		{"short", short, 1001, "Extrinsic has invalid format: decode extrinsic: 106 bytes announced, 105 there"},
		{"nothing", []byte{}, 1001, "Extrinsic has invalid format: decode extrinsic: unexpected end of input"},
	} {
		result, err := ask(n, "author_submitExtrinsic", hexBytes(tt.xt))
		switch {
		case err == nil && (tt.want != "" || said(result) != hexOf(blake(tt.xt))):
			t.Errorf("%s: %s, want %d %q", tt.name, result, tt.code, tt.want)
		case err != nil && (tt.want == "" || err.Code != tt.code || err.Error() != tt.want):
			t.Errorf("%s: %d %q, want %d %q", tt.name, err.Code, err.Error(), tt.code, tt.want)
		}
	}
	if got := said(must(t, n, "system_accountNextIndex", keys.Address(alice.Public()))); got != "1" {
		t.Errorf("next nonce %s, want 1: the gap", got)
	}
	produce(t, n)
	if _, err := ask(n, "author_submitExtrinsic", hexBytes(first)); err == nil || err.Code != 1012 {
		t.Errorf("what is on chain: %v, want a ban", err)
	}
	stale := remark{from: alice, size: 2}.sign(t, n)
	if _, err := ask(n, "author_submitExtrinsic", hexBytes(stale)); err == nil || err.Error() != "Invalid Transaction: Transaction is outdated" {
		t.Errorf("an old nonce: %v", err)
	}
}

func blake(b []byte) hash { return scale.Blake2b256(b) }

// A watched extrinsic and what its watcher hears, without a connection.
func watched(n *Node) (*session, func() []any) {
	s := newSession(n, nil)
	s.out = newOutbox(func() {})
	return s, func() []any {
		s.release()
		var heard []any
		for _, msg := range s.out.queue {
			var notice struct {
				Params struct{ Result any }
			}
			if err := json.Unmarshal(msg, &notice); err != nil {
				panic(err)
			}
			heard = append(heard, notice.Params.Result)
		}
		s.out.queue = nil
		return heard
	}
}

func watch(t testing.TB, n *Node, s *session, xt []byte) *rpcError {
	t.Helper()
	req := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"author_submitAndWatchExtrinsic","params":["0x%x"]}`, xt)
	var answer struct{ Error *rpcError }
	if err := json.Unmarshal(n.answerAll(s, []byte(req)), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Error
}

// TestWatch follows extrinsics through every end they can come to.
func TestWatch(t *testing.T) {
	t.Parallel()
	type all = []any
	in := func(h hash) all {
		return all{map[string]any{"inBlock": hexOf(h)}, map[string]any{"finalized": hexOf(h)}}
	}
	for _, tt := range []struct {
		name string
		play func(t *testing.T, n *Node, s *session, alice signer) (want all)
	}{
		{"included", func(t *testing.T, n *Node, s *session, alice signer) all {
			watch(t, n, s, remark{from: alice}.sign(t, n))
			return append(all{"ready"}, in(produce(t, n))...)
		}},
		{"out of order", func(t *testing.T, n *Node, s *session, alice signer) all {
			watch(t, n, s, remark{from: alice, nonce: 1}.sign(t, n))
			produce(t, n)
			must(t, n, "author_submitExtrinsic", hexBytes(remark{from: alice}.sign(t, n)))
			return append(all{"future", "ready"}, in(produce(t, n))...)
		}},
		{"usurped", func(t *testing.T, n *Node, s *session, alice signer) all {
			watch(t, n, s, remark{from: alice}.sign(t, n))
			better := remark{from: alice, tip: 1}.sign(t, n)
			must(t, n, "author_submitExtrinsic", hexBytes(better))
			produce(t, n)
			return all{"ready", map[string]any{"usurped": hexOf(blake(better))}}
		}},
		{"died", func(t *testing.T, n *Node, s *session, alice signer) all {
			produce(t, n)
			watch(t, n, s, remark{from: alice, nonce: 7, birth: 1, life: 4}.sign(t, n))
			for range 4 {
				produce(t, n)
			}
			if len(n.pool.byHash)+len(n.pool.accounts)+n.pool.bytes > 0 {
				t.Error("the pool still holds it")
			}
			return all{"future", "invalid"}
		}},
		{"became invalid", func(t *testing.T, n *Node, s *session, alice signer) all {
			rich := remark{from: alice, tip: 999_990 * tao}.sign(t, n)
			must(t, n, "author_submitExtrinsic", hexBytes(rich))
			watch(t, n, s, remark{from: alice, nonce: 1, tip: 100 * tao}.sign(t, n))
			produce(t, n)
			return all{"ready", "invalid"}
		}},
		{"dropped from a full pool", func(t *testing.T, n *Node, s *session, alice signer) all {
			f, err := s.subscribe("author_extrinsicUpdate")
			if err == nil {
				err = submit(n, remark{from: alice, nonce: 9, size: 7 << 20}.sign(t, n), f)
			}
			for i := range 2 {
				err = errors.Join(err, submit(n, remark{from: alice, nonce: uint32(i), size: 7 << 20}.sign(t, n), nil))
			}
			if err != nil {
				t.Fatal(err)
			}
			err = submit(n, remark{from: alice, nonce: 2, size: 7 << 20}.sign(t, n), nil)
			if err == nil || err.Error() != "Immediately Dropped: The transaction couldn't enter the pool because of the limit" {
				t.Errorf("a full pool: %v", err)
			}
			return all{"future", "dropped"}
		}},
		{"refused", func(t *testing.T, n *Node, s *session, alice signer) all {
			if err := watch(t, n, s, []byte{1}); err == nil || err.Code != 1001 {
				t.Errorf("%v", err)
			}
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := open(t, Options{})
			s, heard := watched(n)
			want := tt.play(t, n, s, key(t, "//Alice"))
			if diff := cmp.Diff(want, heard()); diff != "" {
				t.Errorf("heard (-want +got):\n%s", diff)
			}
			if len(s.feeds)+len(n.feeds) > 0 {
				t.Error("feeds are left")
			}
		})
	}
}

// submit is author_submitExtrinsic without the wire, for extrinsics so large
// that their hexadecimal digits take long.
func submit(n *Node, xt []byte, f *feed) error {
	v, err := n.ledger.Validate(xt)
	if err != nil {
		return err
	}
	return n.pool.add(blake(xt), xt, v, n.number(), n.ledger.Nonce, f)
}

// TestBody keeps a block's extrinsics within bounds: the rest waits.
func TestBody(t *testing.T) {
	t.Parallel()
	n := open(t, Options{})
	for _, uri := range []string{"//Alice", "//Bob"} {
		if err := submit(n, remark{from: key(t, uri), size: 5 << 20}.sign(t, n), nil); err != nil {
			t.Fatal(err)
		}
	}
	for want := 1; want >= 0; want-- {
		produce(t, n)
		if got := len(n.pool.byHash); got != want {
			t.Errorf("%d wait after block %d, want %d", got, n.number(), want)
		}
	}
}

// TestBans forgets in the end.
func TestBans(t *testing.T) {
	t.Parallel()
	var b bans
	for i := range uint32(3 * maxBans) {
		b.add(hash{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	last := uint32(3*maxBans - 1)
	if len(b.young)+len(b.old) > 2*maxBans || b.has(hash{}) || !b.has(hash{byte(last), byte(last >> 8), byte(last >> 16)}) {
		t.Errorf("%d young, %d old", len(b.young), len(b.old))
	}
}

// TestReady keeps accounts' extrinsics in order of nonces, and otherwise in that
// of arrival.
func TestReady(t *testing.T) {
	t.Parallel()
	p := newPool()
	nonces := map[[32]byte]uint32{{1}: 5, {2}: 0}
	nonce := func(who [32]byte) uint32 { return nonces[who] }
	for i, x := range []ledger.NonceTag{
		{Account: ledger.AccountID{1}, Nonce: 6}, {Account: ledger.AccountID{2}, Nonce: 0}, {Account: ledger.AccountID{1}, Nonce: 5},
		{Account: ledger.AccountID{2}, Nonce: 2}, {Account: ledger.AccountID{1}, Nonce: 7},
	} {
		if err := p.add(hash{byte(i)}, []byte{1}, ledger.Validity{Provides: x, Longevity: 1}, 0, nonce, nil); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, x := range p.ready(nonce) {
		got = append(got, fmt.Sprint(x.who[0], "/", x.nonce))
	}
	if diff := cmp.Diff([]string{"1/5", "2/0", "1/6", "1/7"}, got); diff != "" {
		t.Error(diff)
	}
	if a, b := p.nextNonce([32]byte{1}, 5), p.nextNonce([32]byte{2}, 0); a != 8 || b != 1 {
		t.Errorf("next nonces %d and %d, want 8 and 1", a, b)
	}
}

// What waited for an extrinsic that has become invalid waits again.
func TestReadyNoMore(t *testing.T) {
	n := open(t, Options{})
	alice := key(t, "//Alice")
	produce(t, n)
	first := remark{from: alice, birth: 1, life: 4}.sign(t, n)
	must(t, n, "author_submitExtrinsic", hexBytes(first))
	s, heard := watched(n)
	watch(t, n, s, remark{from: alice, nonce: 1}.sign(t, n))
	n.mu.Lock()
	n.pool.drop(n.pool.byHash[blake(first)])
	n.mu.Unlock()
	produce(t, n)
	must(t, n, "author_submitExtrinsic", hexBytes(remark{from: alice, size: 5}.sign(t, n)))
	in := hexOf(produce(t, n))
	want := []any{"ready", "ready", map[string]any{"inBlock": in}, map[string]any{"finalized": in}}
	if diff := cmp.Diff(want, heard()); diff != "" {
		t.Error(diff)
	}
}
