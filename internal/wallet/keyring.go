package wallet

import (
	"errors"
	"fmt"
	"path/filepath"

	keyring "github.com/zalando/go-keyring"
)

// A Keyring keeps the passwords of key files for their owner.
type Keyring interface {
	// Password returns the password of an account, or nothing if there is
	// none.
	Password(account string) (Password, error)
	SetPassword(account string, p Password) error
	// Forget removes an account's password. It is no error if there is none.
	Forget(account string) error
}

// account is the name under which a key file's password is kept: its path.
func account(f Files) string {
	if abs, err := filepath.Abs(f.Secret); err == nil {
		return abs
	}
	return f.Secret
}

// Remember keeps the password of a key file in the keyring.
func Remember(k Keyring, f Files, p Password) error { return k.SetPassword(account(f), p) }

// Forget removes the password of a key file from the keyring.
func Forget(k Keyring, f Files) error { return k.Forget(account(f)) }

// OSKeyring is the keyring of the operating system: the Secret Service of Linux
// desktops, the keychain of macOS, the credential manager of Windows. Where
// there is none, as on most servers, its methods return errors.
type OSKeyring struct{}

var _ Keyring = OSKeyring{}

// service is what our passwords are filed under.
const service = "adit"

// Password implements [Keyring].
func (OSKeyring) Password(account string) (Password, error) {
	s, err := keyring.Get(service, account)
	if errors.Is(err, keyring.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read keyring: %w", err)
	}
	return Password(s), nil
}

// SetPassword implements [Keyring].
func (OSKeyring) SetPassword(account string, p Password) error {
	if err := keyring.Set(service, account, string(p)); err != nil {
		return fmt.Errorf("write keyring: %w", err)
	}
	return nil
}

// Forget implements [Keyring].
func (OSKeyring) Forget(account string) error {
	err := keyring.Delete(service, account)
	if err != nil && !errors.Is(err, keyring.ErrNotFound) {
		return fmt.Errorf("write keyring: %w", err)
	}
	return nil
}
