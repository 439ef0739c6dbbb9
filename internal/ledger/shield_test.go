package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/scale"
)

// shielded returns what SubmitEncrypted carries, for a key.
func shielded(key []byte, kem, aead []byte) Shielded {
	hash := ShieldKeyHash(key)
	b := append([]byte{}, hash[:]...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(kem)))
	b = append(b, kem...)
	b = append(b, bytes.Repeat([]byte{9}, 24)...)
	return append(b, aead...)
}

func TestShieldKeys(t *testing.T) {
	l := New(DevGenesis())
	keys := make([][]byte, 4)
	for i := range keys {
		keys[i] = bytes.Repeat([]byte{byte(i + 1)}, shieldKeySize)
	}
	if l.NextShieldKey() != nil {
		t.Error("there is a key before one is announced")
	}
	for i, key := range keys {
		l.Begin(uint32(i+1), [32]byte{}, uint64(i))
		if _, err := l.Validate(ShieldKeyExtrinsic(key)); err == nil {
			t.Error("the pool takes an announcement")
		}
		if ok, err := l.Apply(ShieldKeyExtrinsic(key)); !ok || err != nil {
			t.Fatal(ok, err)
		}
		l.End()
	}
	if !bytes.Equal(l.NextShieldKey(), keys[3]) {
		t.Error("the next key is not the one announced last")
	}
	if !l.usesCurrentKey(ShieldKeyHash(keys[1])) || l.usesCurrentKey(ShieldKeyHash(keys[2])) {
		t.Error("the current key is not the one announced two before")
	}
	refused := func(c Shielded) uint8 {
		err := l.precheck(&SubmitEncrypted{c}, AccountID{})
		if err == nil {
			return 0
		}
		invalid, ok := errors.AsType[*InvalidError](err)
		if !ok || invalid.Kind != InvalidCustom {
			t.Fatal(err)
		}
		return invalid.Custom
	}
	for i, want := range []uint8{invalidShieldedTxPubKeyHash, 0, 0, 0} {
		if got := refused(shielded(keys[i], []byte("kem"), []byte("x"))); got != want {
			t.Errorf("encrypted to key %d: refused with %d, want %d", i, got, want)
		}
	}
	if got := refused(shielded(keys[3], []byte("kem"), nil)[:40]); got != failedShieldedTxParsing {
		t.Errorf("cut short: refused with %d", got)
	}
}

func TestShieldKeyLength(t *testing.T) {
	l := New(DevGenesis())
	l.Begin(1, [32]byte{}, 1)
	if ok, err := l.Apply(ShieldKeyExtrinsic([]byte("short"))); ok || err == nil {
		t.Error("a key of five bytes is taken")
	}
	if err := l.Dispatch([32]byte{}, &AnnounceNextKey{}); err != ErrBadOrigin {
		t.Errorf("anybody announces: %v", err)
	}
}

func TestSubmitEncrypted(t *testing.T) {
	l := New(DevGenesis())
	l.Begin(1, [32]byte{}, 1)
	alice := DevAccounts()[0].Public
	c := &SubmitEncrypted{shielded([]byte("key"), []byte("kem"), []byte("sealed"))}
	if err := l.Dispatch(alice, c); err != nil {
		t.Fatal(err)
	}
	id := scale.Blake2b256(must(scale.Append(alice[:], c.Ciphertext)))
	want := must(scale.Append([]byte{inShield}, ShieldEvent{EncryptedSubmitted: &EncryptedSubmitted{id, alice}}))
	if !bytes.Contains(l.events.records, want) {
		t.Errorf("no event %x in %x", want, l.events.records)
	}
}

func FuzzShielded(f *testing.F) {
	f.Add([]byte(shielded([]byte("key"), []byte("kem"), []byte("sealed"))))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 60))
	f.Fuzz(func(t *testing.T, b []byte) {
		tx, ok := parseShielded(b)
		if !ok {
			return
		}
		again := append([]byte{}, tx.KeyHash[:]...)
		again = binary.LittleEndian.AppendUint16(again, uint16(len(tx.KemCt)))
		again = append(append(append(again, tx.KemCt...), tx.Nonce[:]...), tx.AeadCt...)
		if diff := cmp.Diff(b, again); diff != "" {
			t.Error(diff)
		}
	})
}
