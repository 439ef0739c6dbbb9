package wallet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"adit/internal/keys"
	"adit/internal/subnet"
)

func mustKey(t *testing.T, uri string) *Key {
	t.Helper()
	k, err := FromURI(keys.Sr25519, uri)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustAt(t *testing.T, hotkey string) *Wallet {
	t.Helper()
	w, err := At(t.TempDir(), "w", hotkey)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWriteEncrypted(t *testing.T) {
	t.Parallel()
	f := mustAt(t, "h").HotkeyFiles()
	f.cost = cheap
	if err := f.Write(mustKey(t, phrase), WriteOptions{Password: Password("open, please")}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Secret)
	if err != nil || !bytes.HasPrefix(b, []byte("$NACL")) || bytes.Contains(b, []byte("leopard")) {
		t.Errorf("%q, %v", b, err)
	}
	if scheme, err := f.Encryption(); err != nil || scheme != NaCl {
		t.Errorf("encryption %q, %v", scheme, err)
	}
	if k, err := f.PublicKey(); err != nil || k.Address() != address || !k.WatchOnly() {
		t.Errorf("public key %v, %v", k, err)
	}
	if _, err := f.Unlock(t.Context(), Passwords{Given: Password("open")}); !errors.Is(err, ErrPassword) || !strings.Contains(err.Error(), f.Secret) {
		t.Errorf("a wrong password gives %v", err)
	}
	s, err := f.Unlock(t.Context(), Passwords{Given: Password("open, please")})
	if err != nil || s.Hotkey() != address {
		t.Fatalf("%v, %v", s, err)
	}
	s.Close()

	// Another password, then none.
	if err := f.Reencrypt(t.Context(), Passwords{Given: Password("open, please")}, Password("another one")); err != nil {
		t.Fatal(err)
	}
	if err := f.Reencrypt(t.Context(), Passwords{Given: Password("open, please")}, nil); !errors.Is(err, ErrPassword) {
		t.Errorf("the old password gives %v", err)
	}
	if err := f.Reencrypt(t.Context(), Passwords{Given: Password("another one")}, nil); err != nil {
		t.Fatal(err)
	}
	if s, err := f.Unlock(t.Context(), Passwords{}); err != nil || s.Hotkey() != address {
		t.Errorf("in the clear: %v, %v", s, err)
	}
}

// TestRescue opens the files of old generations where they lie, and writes them
// as today's.
func TestRescue(t *testing.T) {
	t.Parallel()
	for i, v := range sealedFiles(t).Vault {
		f := mustAt(t, "h").ColdkeyFiles()
		f.cost = cheap
		if err := os.MkdirAll(filepath.Dir(f.Secret), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Secret, []byte(v.FileText), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Reencrypt(t.Context(), Passwords{Given: Password(v.Password)}, Password("the new one")); err != nil {
			t.Fatal(err)
		}
		if scheme, err := f.Encryption(); err != nil || scheme != NaCl {
			t.Errorf("%d: encryption %q, %v", i, scheme, err)
		}
		s, err := f.Unlock(t.Context(), Passwords{Given: Password("the new one")})
		if err != nil || s.Hotkey() != address {
			t.Errorf("%d: %v, %v", i, s, err)
		}
		if k, err := f.PublicKey(); err != nil || k.Address() != address {
			t.Errorf("%d: public key %v, %v", i, k, err)
		}
	}
}

func TestOverwrite(t *testing.T) {
	t.Parallel()
	f := mustAt(t, "h").ColdkeyFiles()
	if err := f.Write(mustKey(t, "//Alice"), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	bob := mustKey(t, "//Bob")
	if err := f.Write(bob, WriteOptions{}); err == nil || subnet.Hint(err) == "" {
		t.Errorf("overwritten without a word: %v", err)
	}
	if err := f.WritePublic(bob, true); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("a public half that does not fit is written: %v", err)
	}
	if err := f.Write(bob, WriteOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	if s, err := f.Unlock(t.Context(), Passwords{}); err != nil || s.Public() != bob.Public() {
		t.Errorf("overwritten it is %v, %v", s, err)
	}
	// The public half was lost, and is there again.
	if err := os.Remove(f.Public); err != nil {
		t.Fatal(err)
	}
	if err := f.WritePublic(bob, false); err != nil {
		t.Error(err)
	}
	if err := f.WritePublic(bob, false); err == nil {
		t.Error("a public half is overwritten without a word")
	}
	// The secret comes back to where its public half was watched.
	if err := os.Remove(f.Secret); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(mustKey(t, "//Alice"), WriteOptions{}); err == nil {
		t.Error("another key's public half is overwritten")
	}
	if err := f.Write(bob, WriteOptions{}); err != nil {
		t.Error(err)
	}
	if err := f.Write(&Key{public: bob.public}, WriteOptions{Overwrite: true}); err == nil {
		t.Error("a key without its secret is written")
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(f.Secret), ".new-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	if info, err := os.Stat(f.Secret); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestOneWins lets many write a key in the same place at once.
func TestOneWins(t *testing.T) {
	t.Parallel()
	f := mustAt(t, "h").HotkeyFiles()
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		k := mustKey(t, fmt.Sprintf("//%d", i))
		wg.Go(func() {
			if err := f.Write(k, WriteOptions{}); err == nil {
				won.Add(1)
			} else if !strings.Contains(err.Error(), "exists") {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d wrote the key", won.Load())
	}
	// Which fails if the halves are of two keys.
	if _, err := f.Unlock(t.Context(), Passwords{}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Dir(f.Secret)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info.Mode(), err)
	}
}

func TestPublicHalfMustFit(t *testing.T) {
	t.Parallel()
	f := mustAt(t, "h").HotkeyFiles()
	if err := f.Write(mustKey(t, "//Alice"), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Public, publicBody(mustKey(t, "//Bob")), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := f.Unlock(t.Context(), Passwords{})
	if err == nil || !strings.Contains(err.Error(), f.Public) || !strings.Contains(subnet.Hint(err), "regen-hotkeypub") {
		t.Errorf("%v (%s)", err, subnet.Hint(err))
	}
	// One that cannot be read says nothing about the secret.
	if err := os.WriteFile(f.Public, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Unlock(t.Context(), Passwords{}); err != nil {
		t.Error(err)
	}
}

func TestEd25519Files(t *testing.T) {
	t.Parallel()
	f := mustAt(t, "h").HotkeyFiles()
	k, err := FromURI(keys.Ed25519, "//Alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(k, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if s, err := f.Unlock(t.Context(), Passwords{}); err == nil || !strings.Contains(err.Error(), "ed25519") {
		t.Errorf("an ed25519 key takes part: %v, %v", s, err)
	}
	s, err := f.UnlockAny(t.Context(), Passwords{})
	if err != nil || s.Hotkey() != aliceEd25519 || s.Scheme() != keys.Ed25519 {
		t.Fatalf("%v, %v", s, err)
	}
	sig, err := s.Sign(t.Context(), []byte("x"))
	if err != nil || !keys.Ed25519.Verify(s.Public(), []byte("x"), sig) {
		t.Errorf("signature %x, %v", sig, err)
	}
	b, err := f.ExportJSON(t.Context(), Passwords{}, Password("export"))
	if err != nil {
		t.Fatal(err)
	}
	if k, err := FromJSON(b, Password("export")); err != nil || k.Address() != aliceEd25519 {
		t.Errorf("exported: %v, %v", k, err)
	}
}

func TestSignerCloses(t *testing.T) {
	t.Parallel()
	s := newSigner(mustKey(t, "//Alice").pair)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				sig, err := s.Sign(t.Context(), []byte("x"))
				if err != nil {
					if !errors.Is(err, errClosed) {
						t.Error(err)
					}
					return
				}
				if !keys.Verify(s.Public(), []byte("x"), sig) {
					t.Error("a signature is wrong")
				}
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if s.Close() != nil || s.Hotkey() != alice || fmt.Sprintf("%#v", s) != alice {
		t.Errorf("closed it is %#v", s)
	}
}

func TestKeychain(t *testing.T) {
	t.Parallel()
	w := mustAt(t, "h")
	f := w.ColdkeyFiles()
	f.cost = cheap
	if err := f.Write(mustKey(t, "//Alice"), WriteOptions{Password: Password("password")}); err != nil {
		t.Fatal(err)
	}
	prompt, asked := answers("password")
	chain := NewKeychain(Passwords{Environ: []string{}, Prompt: prompt})
	first, err := chain.Unlock(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := chain.Unlock(t.Context(), f); err != nil || again != first || len(*asked) != 1 {
		t.Errorf("again: %v, %v, asked %q", again, err, *asked)
	}
	if _, err := chain.Unlock(t.Context(), w.HotkeyFiles()); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("a missing key gives %v", err)
	}
	chain.Close()
	if _, err := first.Sign(t.Context(), nil); err == nil {
		t.Error("a closed keychain's key signs")
	}
	if _, err := chain.Unlock(t.Context(), f); err == nil {
		t.Error("a closed keychain unlocks")
	}
	chain.Close()
}

func TestFromTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		seed: address, seed[2:] + "\n": address, private: address, private[2:]: address,
	} {
		if k, err := FromHex(keys.Sr25519, text); err != nil || k.Address() != want || k.WatchOnly() {
			t.Errorf("%s: %v, %v", text, k, err)
		}
	}
	if k, err := FromHex(keys.Ed25519, aliceEd25519Seed); err != nil || k.Address() != aliceEd25519 {
		t.Errorf("%v, %v", k, err)
	}
	for _, text := range []string{pub, pub[2:], address, " " + address + "\n", "16ADqpMa4yzfmWs3nuTSMhfZ2ckeGtvqhPWCNqECEGDcGgU2"} {
		if k, err := FromPublic(text); err != nil || k.Address() != address || !k.WatchOnly() {
			t.Errorf("%s: %v, %v", text, k, err)
		}
	}
	for _, text := range []string{"", "0x", seed[:20], "geheim", private + "00"} {
		if k, err := FromHex(keys.Sr25519, text); err == nil || len(text) > 3 && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v, %v", text, k, err)
		}
		if k, err := FromPublic(text); err == nil || subnet.Hint(err) == "" {
			t.Errorf("%q: %v, %v", text, k, err)
		}
	}
	mnemonic, k, err := New(keys.Sr25519, 24)
	if err != nil || strings.Count(mnemonic, " ") != 23 {
		t.Errorf("%v, %v", k, err)
	}
	if _, _, err := New(keys.Sr25519, 13); err == nil {
		t.Error("13 words are made")
	}
	k.Wipe()
	if !k.WatchOnly() {
		t.Error("a wiped key has its secret")
	}
}
