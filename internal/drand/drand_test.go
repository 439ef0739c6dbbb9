package drand

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func load(t testing.TB, name string, v any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

type vectors struct {
	Round     uint64
	Signature string
	Cases     []struct{ Plaintext, Ciphertext string }
}

// chacha is randomness that a test can repeat.
func chacha(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// TestVectors opens what the reference implementation locked.
func TestVectors(t *testing.T) {
	var v vectors
	load(t, "ciphertexts.json", &v)
	p := Pulse{Round: v.Round, Signature: [48]byte(unhex(t, v.Signature))}
	p.Randomness = [32]byte(unhex(t, "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd"))
	if err := Quicknet().Verify(p); err != nil {
		t.Error(err)
	}
	p.Round++
	if err := Quicknet().Verify(p); !errors.Is(err, ErrPulse) {
		t.Errorf("a pulse of another round: %v", err)
	}
	for i, c := range v.Cases {
		got, err := Decrypt(unhex(t, c.Ciphertext), p.Signature[:])
		if err != nil || hex.EncodeToString(got) != c.Plaintext {
			t.Errorf("case %d: %x, %v", i, got, err)
		}
		if len(c.Ciphertext)/2 != len(c.Plaintext)/2+Overhead {
			t.Errorf("case %d: overhead %d", i, len(c.Ciphertext)/2-len(c.Plaintext)/2)
		}
	}
}

func TestTimelock(t *testing.T) {
	beacon := NewBeacon([32]byte{1})
	chain := beacon.Chain(1000, 3)
	pulse := beacon.Pulse(77)
	if err := chain.Verify(pulse); err != nil {
		t.Fatal(err)
	}
	if err := Quicknet().Verify(pulse); !errors.Is(err, ErrPulse) {
		t.Errorf("our pulse in another chain: %v", err)
	}
	lied := pulse
	lied.Randomness[0] ^= 1
	if err := chain.Verify(lied); !errors.Is(err, ErrPulse) {
		t.Errorf("randomness of its own: %v", err)
	}
	plaintext := []byte("three words more")
	ct, err := chain.Encrypt(plaintext, 77, chacha(1))
	if err != nil {
		t.Fatal(err)
	}
	if len(ct) != len(plaintext)+Overhead {
		t.Errorf("ciphertext of %d bytes, want %d", len(ct), len(plaintext)+Overhead)
	}
	if got, err := Decrypt(ct, pulse.Signature[:]); err != nil || !bytes.Equal(got, plaintext) {
		t.Errorf("decrypted %q, %v", got, err)
	}
	if got, err := Decrypt(append(bytes.Clone(ct), 1, 2), pulse.Signature[:]); err != nil || !bytes.Equal(got, plaintext) {
		t.Errorf("with bytes behind it: %q, %v", got, err)
	}
	early := beacon.Pulse(76)
	if _, err := Decrypt(ct, early.Signature[:]); !errors.Is(err, ErrSignature) {
		t.Errorf("with the round before: %v", err)
	}
	if _, err := Decrypt(ct, make([]byte, 48)); !errors.Is(err, ErrSignature) {
		t.Errorf("with no point: %v", err)
	}
	for _, at := range []int{10, 96 + 8, 96 + 48, 96 + 80 + 16, len(ct) - 1, len(ct) - 17} {
		bad := bytes.Clone(ct)
		bad[at] ^= 1
		if _, err := Decrypt(bad, pulse.Signature[:]); !errors.Is(err, ErrCiphertext) && !errors.Is(err, ErrSignature) {
			t.Errorf("byte %d changed: %v", at, err)
		}
	}
	for n := range len(ct) {
		if n%29 == 0 {
			if _, err := Decrypt(ct[:n], pulse.Signature[:]); !errors.Is(err, ErrCiphertext) {
				t.Errorf("cut to %d: %v", n, err)
			}
		}
	}
	if _, err := chain.Encrypt(plaintext, 77, bytes.NewReader(make([]byte, 70))); err == nil {
		t.Error("encrypted with too little randomness")
	}
}

func TestWeights(t *testing.T) {
	w := Weights{Hotkey: bytes.Repeat([]byte{7}, 32), UIDs: []uint16{1, 2}, Values: []uint16{10, 20}, VersionKey: 7}
	b, err := w.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeWeights(b)
	if diff := cmp.Diff(w, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	// uids [1 2], values [10 20], version key 7, and no hotkey
	old, err := DecodeWeights(unhex(t, "0801000200080a0014000700000000000000"))
	if w.Hotkey = nil; err != nil || !cmp.Equal(w, old) {
		t.Errorf("the older layout: %+v, %v", old, err)
	}
	if _, err := DecodeWeights([]byte{1, 2, 3}); err == nil {
		t.Error("read weights from rubbish")
	}
}

// TestSchedule compares with what bittensor-drand 2.0.0 picked.
func TestSchedule(t *testing.T) {
	var cases []struct {
		LastEpoch   uint64 `json:"last_epoch"`
		Pending     uint64
		Tempo       uint16
		Since       uint64
		Block       uint64
		Period      uint64
		BlocksUntil uint64 `json:"blocks_until"`
	}
	load(t, "schedule.json", &cases)
	for _, c := range cases {
		s := Schedule{c.Block, c.LastEpoch, c.Pending, c.Since, c.Tempo}
		got, ok := s.RevealBlock(c.Period)
		if !ok || got-c.Block != c.BlocksUntil {
			t.Errorf("%+v: in %d blocks, %v", c, got-c.Block, ok)
		}
	}
	if _, ok := (Schedule{}).RevealBlock(1); ok {
		t.Error("a subnet without tempo has epochs")
	}
}

func TestModuloRevealBlock(t *testing.T) {
	// Tempo 360, netuid 1: epoch 3 begins at 3*361-2.
	if got := ModuloRevealBlock(800, 1, 360, 1); got != 3*361-2+3 {
		t.Errorf("reveal block = %d", got)
	}
}

func TestRounds(t *testing.T) {
	q := Quicknet()
	for _, tt := range []struct {
		at           float64
		want, latest uint64
	}{
		{0, 1, 0}, {1692803367, 1, 1}, {1692803370, 1, 2}, {1692803373.5, 2, 3}, {1692803367 + 3000, 1000, 1001},
	} {
		if got := q.RoundAt(tt.at); got != tt.want {
			t.Errorf("round at %v = %d, want %d", tt.at, got, tt.want)
		}
		if got := q.Latest(tt.at); got != tt.latest {
			t.Errorf("latest round at %v = %d, want %d", tt.at, got, tt.latest)
		}
	}
	if got := q.RevealRound(1692803367, 10, 12); got != 40 {
		t.Errorf("reveal round = %d, want 40", got)
	}
}

func FuzzDecrypt(f *testing.F) {
	var v vectors
	load(f, "ciphertexts.json", &v)
	sig := unhex(f, v.Signature)
	for _, c := range v.Cases {
		f.Add(unhex(f, c.Ciphertext), sig)
	}
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, ct, sig []byte) {
		if got, err := Decrypt(ct, sig); err == nil && len(got)+Overhead > len(ct) {
			t.Errorf("%d bytes from %d", len(got), len(ct))
		}
	})
}

func FuzzDecodeWeights(f *testing.F) {
	w := Weights{Hotkey: make([]byte, 32), UIDs: []uint16{1}, Values: []uint16{2}}
	b, err := w.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[33:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if w, err := DecodeWeights(b); err == nil && len(w.UIDs)+len(w.Values) > len(b) {
			t.Error("more weights than bytes")
		}
	})
}

func BenchmarkDecrypt(b *testing.B) {
	var v vectors
	load(b, "ciphertexts.json", &v)
	sig, ct := unhex(b, v.Signature), unhex(b, v.Cases[2].Ciphertext)
	for b.Loop() {
		if _, err := Decrypt(ct, sig); err != nil {
			b.Fatal(err)
		}
	}
}
