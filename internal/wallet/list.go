package wallet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
)

// A Status is what can be told of a key without a password.
type Status struct {
	Files
	Name       string      // of the hotkey, or of the wallet
	Address    string      // "" if only the encrypted file knows it
	Scheme     keys.Scheme // if the address is known
	HasSecret  bool
	HasPublic  bool
	Encryption Encryption // of the secret
	Exposed    bool       // others on this machine may read the secret
	Err        error      // why the key cannot be used, or nil
}

// A Listed is one wallet of a directory.
type Listed struct {
	Name    string
	Coldkey Status
	Hotkeys []Status // by name
}

// List returns the wallets under a path, which [At] explains, by name. A wallet
// or key that is broken is among them and says why. The error wraps
// [subnet.ErrNotFound] if there is no such directory.
func List(path string) ([]Listed, error) {
	root, err := expand(path)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, subnet.WithHint(fmt.Errorf("list wallets: %s: %w", root, subnet.ErrNotFound),
			"create a wallet first, or check the path")
	}
	if err != nil {
		return nil, fmt.Errorf("list wallets: %w", err)
	}
	var all []Listed
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(root, e.Name())) // it may be a link to a directory
		if err != nil || !info.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		w := &Wallet{dir: filepath.Join(root, e.Name())}
		l := Listed{Name: e.Name(), Coldkey: w.ColdkeyFiles().Status()}
		l.Coldkey.Name = l.Name
		var problem error
		if l.Hotkeys, problem = w.hotkeys(); problem != nil && l.Coldkey.Err == nil {
			l.Coldkey.Err = problem
		}
		all = append(all, l)
	}
	return all, nil
}

// hotkeys returns the status of each hotkey of the wallet.
func (w *Wallet) hotkeys() ([]Status, error) {
	entries, err := os.ReadDir(filepath.Join(w.dir, "hotkeys"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list hotkeys: %w", err)
	}
	there := make(map[string]bool, len(entries))
	for _, e := range entries {
		there[e.Name()] = true
	}
	var all []Status
	for _, e := range entries {
		name, public := strings.CutSuffix(e.Name(), publicSuffix)
		// A public half is its secret's; alone, it is a hotkey to watch.
		if strings.HasPrefix(name, ".") || name == "" || public && there[name] {
			continue
		}
		s := (&Wallet{w.dir, name}).HotkeyFiles().Status()
		s.Name = name
		all = append(all, s)
	}
	return all, nil
}

// Status looks at both files without a password.
func (f Files) Status() Status {
	s := Status{Files: f}
	var fromSecret, fromPublic *Key
	info, err := os.Stat(f.Secret)
	s.HasSecret = !errors.Is(err, fs.ErrNotExist)
	if s.HasSecret {
		// Windows keeps permissions elsewhere.
		s.Exposed = err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
		fromSecret, s.Err = readKey(f.Kind, f.Secret, func(b []byte) (*Key, error) {
			if s.Encryption = encryption(b); s.Encryption != Plain {
				return nil, nil
			}
			return parse(b)
		})
		if fromSecret != nil {
			if fromSecret.WatchOnly() {
				s.Err = fmt.Errorf("read %s %s: it holds a public key only", f.Kind, f.Secret)
			}
			fromSecret.Wipe()
		}
	}
	fromPublic, err = readKey(f.Kind, f.Public, parse)
	if s.HasPublic = !errors.Is(err, subnet.ErrNotFound); s.HasPublic {
		s.Err = errors.Join(s.Err, err)
	}
	switch {
	case fromSecret != nil && fromPublic != nil && fromSecret.public != fromPublic.public:
		s.Err = errors.Join(s.Err, fmt.Errorf("%s is the key %s, but %s says %s", f.Secret, fromSecret, f.Public, fromPublic))
		s.Address, s.Scheme = fromSecret.Address(), fromSecret.scheme
	case fromSecret != nil:
		s.Address, s.Scheme = fromSecret.Address(), fromSecret.scheme
	case fromPublic != nil:
		s.Address, s.Scheme = fromPublic.Address(), fromPublic.scheme
	case !s.HasSecret && !s.HasPublic:
		s.Err = fmt.Errorf("there is no %s", f.Kind)
	}
	return s
}
