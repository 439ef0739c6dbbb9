package chainnode

import (
	"crypto/mlkem"
	"encoding/binary"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"adit/internal/ledger"
)

// seal encrypts an extrinsic to the node's key, as clients do, and returns the
// call that carries it.
func seal(t *testing.T, n *Node, inner []byte) *ledger.SubmitEncrypted {
	t.Helper()
	public := n.ledger.NextShieldKey()
	key, err := mlkem.NewEncapsulationKey768(public)
	if err != nil {
		t.Fatal(err)
	}
	secret, kem := key.Encapsulate()
	aead, err := chacha20poly1305.NewX(secret)
	if err != nil {
		t.Fatal(err)
	}
	hash := ledger.ShieldKeyHash(public)
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	b := binary.LittleEndian.AppendUint16(hash[:], uint16(len(kem)))
	b = append(append(b, kem...), nonce...)
	return &ledger.SubmitEncrypted{Ciphertext: aead.Seal(b, nonce, inner, nil)}
}

// in returns how many extrinsics the head has behind those of its author.
func in(t *testing.T, n *Node, author int) int {
	t.Helper()
	body, err := n.disk.body(n.head().place)
	if err != nil {
		t.Fatal(err)
	}
	return len(body) - author
}

func TestShield(t *testing.T) {
	t.Parallel()
	n := open(t, Options{})
	alice, bob := key(t, "//Alice"), key(t, "//Bob")
	produce(t, n)
	if n.ledger.NextShieldKey() == nil || in(t, n, 2) != 0 {
		t.Fatal("the first block announces no key")
	}
	produce(t, n)
	if in(t, n, 1) != 0 {
		t.Error("the second announces it again")
	}
	send := func(from signer, c *ledger.SubmitEncrypted) {
		t.Helper()
		nonce := n.ledger.Nonce(from.Public())
		must(t, n, "author_submitExtrinsic", hexBytes(remark{from: from, nonce: nonce, call: ledger.Encode(c)}.sign(t, n)))
		produce(t, n)
	}

	send(alice, seal(t, n, remark{from: alice, nonce: 1}.sign(t, n)))
	if in(t, n, 1) != 2 || n.ledger.Nonce(alice.Public()) != 2 {
		t.Error("what was encrypted does not follow")
	}
	send(alice, seal(t, n, remark{from: bob}.sign(t, n))) // signed by another
	if in(t, n, 1) != 2 || n.ledger.Nonce(bob.Public()) != 1 {
		t.Error("what another has signed does not follow")
	}

	// What cannot be opened or carried out is lost, and the block is made.
	next := n.ledger.NextShieldKey()
	broken := seal(t, n, remark{from: alice, nonce: 5}.sign(t, n))
	broken.Ciphertext[len(broken.Ciphertext)-1] ^= 1
	for name, c := range map[string]*ledger.SubmitEncrypted{
		"broken":             broken,
		"garbage":            seal(t, n, []byte("garbage")),
		"an old nonce":       seal(t, n, remark{from: alice}.sign(t, n)),
		"what nobody signed": seal(t, n, ledger.ShieldKeyExtrinsic(next)),
		"a secret cut short": {Ciphertext: append(hashOf(next), make([]byte, 2+24+16)...)},
	} {
		nonce := n.ledger.Nonce(alice.Public())
		send(alice, c)
		if in(t, n, 1) != 1 || n.ledger.Nonce(alice.Public()) != nonce+1 {
			t.Errorf("%s: something follows", name)
		}
	}
}

func hashOf(key []byte) []byte {
	h := ledger.ShieldKeyHash(key)
	return h[:]
}

// TestShieldSpans opens what is encrypted to keys of the spans before, also
// after the node was opened again.
func TestShieldSpans(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	n := open(t, o)
	produce(t, n)
	alice := key(t, "//Alice")
	old := seal(t, n, remark{from: alice, nonce: 1}.sign(t, n))
	for n.number() < 2*shieldBlocks {
		produce(t, n)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = open(t, o)
	carried := remark{from: alice, call: ledger.Encode(old)}.sign(t, n)
	must(t, n, "author_submitExtrinsic", hexBytes(carried))
	produce(t, n)
	if in(t, n, 1) != 2 {
		t.Error("what was encrypted two keys ago does not follow")
	}
	for n.number() < 3*shieldBlocks {
		produce(t, n)
	}
	late := remark{from: alice, nonce: 2, call: ledger.Encode(old)}.sign(t, n)
	if _, err := ask(n, "author_submitExtrinsic", hexBytes(late)); err == nil || err.Error() != "Invalid Transaction: Custom error: 24" {
		t.Errorf("encrypted to a key long gone: %v", err)
	}
}
