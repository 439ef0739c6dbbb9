package wallet

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"adit/internal/keys"
	"adit/internal/subnet"
)

// A Signer signs with one unlocked key. It may be used concurrently, and gives
// out signatures and nothing else.
//
// [Signer.Close] overwrites the secret. That is as far as Go goes: pieces of it
// may remain in memory that the runtime moved or freed, in the strings that a
// JSON file is decoded to, and in what the operating system swapped out.
type Signer struct {
	scheme keys.Scheme
	public [32]byte
	mu     sync.RWMutex // held for writing while the pair is wiped
	pair   *keys.Pair   // nil once closed
}

var _ subnet.Signer = (*Signer)(nil)

func newSigner(p *keys.Pair) *Signer {
	return &Signer{scheme: p.Scheme(), public: p.Public(), pair: p}
}

var errClosed = errors.New("sign: the wallet has been locked")

// Hotkey returns the key's SS58 address, be it a hotkey's or a coldkey's.
func (s *Signer) Hotkey() subnet.Hotkey { return subnet.Hotkey(s.String()) }

// Public returns the public key.
func (s *Signer) Public() [32]byte { return s.public }

// Scheme returns what kind of signatures it gives.
func (s *Signer) Scheme() keys.Scheme { return s.scheme }

// Sign returns a 64-byte signature over payload.
func (s *Signer) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.pair == nil {
		return nil, errClosed
	}
	return s.pair.Sign(payload)
}

// Close overwrites the secret, once signatures being made are done. It never
// fails, and may be called again.
func (s *Signer) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pair != nil {
		s.pair.Wipe()
		s.pair = nil
	}
	return nil
}

// String returns the address.
func (s *Signer) String() string { return keys.Address(s.public) }

// GoString returns the address, as [Signer.String] does.
func (s *Signer) GoString() string { return s.String() }

// A Keychain keeps unlocked keys, so that a person is asked for each password
// once and no two files are decrypted at a time: each may take half a gigabyte.
// It may be used concurrently.
type Keychain struct {
	passwords Passwords
	mu        sync.Mutex
	open      map[string]*Signer // by file
}

// NewKeychain returns an empty keychain that unlocks keys with passwords.
func NewKeychain(passwords Passwords) *Keychain {
	return &Keychain{passwords: passwords, open: make(map[string]*Signer)}
}

// Unlock returns the key's signer, which [Keychain.Close] will close. Errors
// are those of [Files.Unlock].
func (k *Keychain) Unlock(ctx context.Context, f Files) (*Signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open == nil {
		return nil, fmt.Errorf("unlock %s: the keychain is closed", f.Kind)
	}
	if s := k.open[f.Secret]; s != nil {
		return s, nil
	}
	s, err := f.Unlock(ctx, k.passwords)
	if err != nil {
		return nil, err
	}
	k.open[f.Secret] = s
	return s, nil
}

// Close closes every signer that the keychain gave out.
func (k *Keychain) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.open {
		s.Close()
	}
	k.open = nil
	return nil
}
