package wallet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"adit/internal/keys"
	"adit/internal/subnet"
)

// Files are the two files of one key: the secret, and its public half, which
// any tool may read.
type Files struct {
	Kind   string // "coldkey" or "hotkey"
	Wallet string // the wallet's name
	Secret string // path
	Public string // path

	cost cost // of encrypting; the zero value is that of all tools
}

// The kinds of keys.
const (
	coldkey = "coldkey"
	hotkey  = "hotkey"
)

// Name is what a person calls the key, such as "miner" or "miner/hk1".
func (f Files) Name() string {
	if f.Kind == hotkey {
		return f.Wallet + "/" + filepath.Base(f.Secret)
	}
	return f.Wallet
}

// WriteOptions says how a key is written. The zero value writes a new file in
// the clear, as hotkeys are.
type WriteOptions struct {
	// Password encrypts the secret, if it is not empty.
	Password Password
	// Overwrite replaces files that exist. The key in them is lost.
	Overwrite bool
}

// Write writes both files of a key. Neither is touched if one exists that may
// not be overwritten; a public half of the same key may.
func (f Files) Write(k *Key, o WriteOptions) error {
	if err := f.write(k, o); err != nil {
		return fmt.Errorf("write %s: %w", f.Kind, err)
	}
	return nil
}

func (f Files) write(k *Key, o WriteOptions) error {
	if k.pair == nil {
		return errors.New("there is no secret in it")
	}
	samePublic, err := f.vacant(k, o.Overwrite)
	if err != nil {
		return err
	}
	body := secretBody(k.pair)
	defer clear(body)
	// What cannot be read back must not be all that there is of a key.
	check, err := parse(body)
	if err != nil || check.public != k.public {
		return fmt.Errorf("what would be written is not the key: %v", err)
	}
	check.Wipe()
	if len(o.Password) > 0 {
		if body, err = seal(body, o.Password, f.cost); err != nil {
			return err
		}
	}
	put := writeNew
	if o.Overwrite {
		put = replace
	}
	// The secret first: of the public half alone nothing could be restored.
	if err := put(f.Secret, body); err != nil {
		return err
	}
	if samePublic {
		return nil
	}
	return put(f.Public, publicBody(k))
}

// vacant returns an error if a file would be overwritten that may not be, and
// otherwise whether the public half that is to be written is there already.
func (f Files) vacant(k *Key, overwrite bool) (samePublic bool, err error) {
	old, err := readKey(f.Kind, f.Public, parse)
	samePublic = err == nil && old.public == k.public
	if overwrite {
		return samePublic, nil
	}
	for _, name := range []string{f.Secret, f.Public} {
		if name == f.Public && samePublic {
			continue
		}
		if _, err := os.Lstat(name); err == nil {
			return false, exists(name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return samePublic, nil
}

// WritePublic writes the public half alone, so that the key can be watched
// without its secret, or so that a half that was lost or damaged is restored.
// If the secret is there in the clear, it must be the same key's.
func (f Files) WritePublic(k *Key, overwrite bool) error {
	secret, err := readKey(f.Kind, f.Secret, parse)
	if err == nil {
		secret.Wipe()
		if secret.public != k.public {
			return fmt.Errorf("write public %s: %s holds another key, %s", f.Kind, f.Secret, secret)
		}
	}
	put := writeNew
	if overwrite {
		put = replace
	}
	if err := put(f.Public, publicBody(k)); err != nil {
		return fmt.Errorf("write public %s: %w", f.Kind, err)
	}
	return nil
}

// Unlock reads and, if need be, decrypts the secret, which takes seconds, and
// returns its signer. The caller closes it. The key must be sr25519, which is
// what chains and neurons expect of a [subnet.Signer]. The error wraps
// [subnet.ErrNotFound] if there is no such file, and [ErrPassword] if no
// password opens it.
func (f Files) Unlock(ctx context.Context, pw Passwords) (*Signer, error) {
	s, err := f.UnlockAny(ctx, pw)
	if err != nil {
		return nil, err
	}
	if s.Scheme() != keys.Sr25519 {
		s.Close()
		return nil, fmt.Errorf("read %s %s: this is an %v key; only sr25519 keys take part", f.Kind, f.Secret, s.Scheme())
	}
	return s, nil
}

// UnlockAny is [Files.Unlock] for keys of every scheme.
func (f Files) UnlockAny(ctx context.Context, pw Passwords) (*Signer, error) {
	k, err := f.read(ctx, pw)
	if err != nil {
		return nil, err
	}
	s, err := k.signer()
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", f.Kind, f.Secret, err)
	}
	return s, nil
}

// read returns the key of the secret file, and makes sure that the public half,
// if it can be read, is the same key's.
func (f Files) read(ctx context.Context, pw Passwords) (*Key, error) {
	k, err := readKey(f.Kind, f.Secret, func(b []byte) (*Key, error) {
		if encryption(b) == Plain {
			return parse(b)
		}
		return f.decrypt(ctx, b, pw)
	})
	if err != nil {
		return nil, err
	}
	public, err := readKey(f.Kind, f.Public, parse)
	if err == nil && public.public != k.public {
		k.Wipe()
		return nil, subnet.WithHint(fmt.Errorf("read %s: %s is the key %s, but %s says %s", f.Kind, f.Secret, k, f.Public, public),
			fmt.Sprintf("if the secret is right, write the public half again with 'adit wallet regen-%spub'", f.Kind))
	}
	return k, nil
}

func (f Files) decrypt(ctx context.Context, b []byte, pw Passwords) (k *Key, err error) {
	scheme := encryption(b)
	err = pw.try(ctx, f, func(p Password) error {
		// Some of the readers decrypt in place.
		plain, err := open(append([]byte(nil), b...), p, f.cost)
		if err != nil {
			return err
		}
		defer clear(plain)
		k, err = parse(plain)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("decrypt (%s): %w", scheme, err)
	}
	return k, nil
}

// Encryption returns how the secret file is encrypted. The error wraps
// [subnet.ErrNotFound] if there is none.
func (f Files) Encryption() (Encryption, error) {
	var scheme Encryption
	_, err := readKey(f.Kind, f.Secret, func(b []byte) (*Key, error) {
		scheme = encryption(b)
		return nil, nil
	})
	return scheme, err
}

// Reencrypt writes the secret file again in today's form, with a new password,
// or in the clear if that is empty. It is how files of older encryptions are
// brought up to date.
func (f Files) Reencrypt(ctx context.Context, pw Passwords, to Password) error {
	k, err := f.read(ctx, pw)
	if err != nil {
		return err
	}
	defer k.Wipe()
	return f.Write(k, WriteOptions{Password: to, Overwrite: true})
}

// ExportJSON returns the key as polkadot.js exports accounts, encrypted with
// its own password.
func (f Files) ExportJSON(ctx context.Context, pw Passwords, password Password) ([]byte, error) {
	k, err := f.read(ctx, pw)
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	if k.pair == nil {
		return nil, fmt.Errorf("export %s: there is no secret in %s", f.Kind, f.Secret)
	}
	b, err := exportJSON(k.pair, f.Name(), password)
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", f.Kind, err)
	}
	return b, nil
}

// PublicKey returns the key's public half, from whichever file tells it without
// a password. The error wraps [subnet.ErrNotFound] if there is neither file.
func (f Files) PublicKey() (*Key, error) {
	k, err := readKey(f.Kind, f.Public, parse)
	if errors.Is(err, subnet.ErrNotFound) {
		k, err = readKey(f.Kind, f.Secret, parse)
	}
	if err != nil {
		return nil, err
	}
	k.Wipe()
	return k, nil
}
