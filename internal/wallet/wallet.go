// Package wallet keeps keys in files where all tools of these networks look
// for them, and gives out signers only: the secrets never leave it.
//
//	~/.bittensor/wallets/<coldkey>/coldkey           secret
//	                              /coldkeypub.txt    public
//	                              /hotkeys/<hotkey>  secret
//	                              /hotkeys/<hotkey>pub.txt
//
// Key files are read as any tool of the last years wrote them, in the clear or
// encrypted, and written as today's wallet library does:
//
//	w, err := wallet.At("", "miner", "default")
//	mnemonic, key, err := wallet.New(keys.Sr25519, 12)
//	err = w.HotkeyFiles().Write(key, wallet.WriteOptions{})
//	…
//	signer, err := w.HotkeyFiles().Unlock(ctx, wallet.Passwords{Prompt: ask})
//	defer signer.Close()
package wallet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"adit/internal/keys"
)

// PathEnv names the environment variable that moves the wallets elsewhere.
const PathEnv = "BT_WALLET_PATH"

// defaultWords is the length of new mnemonics, which is the other tools' default.
const defaultWords = 12

// A Wallet is one coldkey with one of its hotkeys. Their files need not exist.
type Wallet struct {
	dir    string // of the coldkey
	hotkey string
}

// At returns the wallet of those names under path. An empty path is that of
// BT_WALLET_PATH, or else ~/.bittensor/wallets; a tilde at its beginning is the
// home directory.
func At(path, coldkey, hotkey string) (*Wallet, error) {
	for _, n := range []struct{ kind, name string }{{"coldkey", coldkey}, {"hotkey", hotkey}} {
		if err := checkName(n.name); err != nil {
			return nil, fmt.Errorf("%s name %q: %w", n.kind, n.name, err)
		}
	}
	// Other tools take every such file for a hotkey's public half.
	if strings.HasSuffix(hotkey, publicSuffix) {
		return nil, fmt.Errorf("hotkey name %q: it may not end in %s", hotkey, publicSuffix)
	}
	root, err := expand(path)
	if err != nil {
		return nil, err
	}
	return &Wallet{filepath.Join(root, coldkey), hotkey}, nil
}

// checkName refuses names that are no plain name of a file on some system.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." {
		return errors.New("not a name")
	}
	if i := strings.IndexFunc(name, func(r rune) bool { return r < ' ' || strings.ContainsRune(`/\:`, r) }); i >= 0 {
		return fmt.Errorf("it may not contain %q", name[i])
	}
	return nil
}

func expand(path string) (string, error) {
	if path == "" {
		path = os.Getenv(PathEnv)
	}
	if path == "" {
		path = filepath.Join("~", ".bittensor", "wallets")
	}
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find wallets: %w", err)
		}
		path = filepath.Join(home, rest)
	}
	return path, nil
}

// publicSuffix ends the name of a hotkey's public file.
const publicSuffix = "pub.txt"

// ColdkeyFiles returns the files of the coldkey.
func (w *Wallet) ColdkeyFiles() Files {
	return Files{Kind: coldkey, Wallet: filepath.Base(w.dir),
		Secret: filepath.Join(w.dir, "coldkey"), Public: filepath.Join(w.dir, "coldkeypub.txt")}
}

// HotkeyFiles returns the files of the hotkey.
func (w *Wallet) HotkeyFiles() Files {
	file := filepath.Join(w.dir, "hotkeys", w.hotkey)
	return Files{Kind: hotkey, Wallet: filepath.Base(w.dir), Secret: file, Public: file + publicSuffix}
}

// HotkeyFile returns the path of the hotkey's secret file.
func (w *Wallet) HotkeyFile() string { return w.HotkeyFiles().Secret }

// ColdkeyFile returns the path of the coldkey's secret file.
func (w *Wallet) ColdkeyFile() string { return w.ColdkeyFiles().Secret }

// CreateColdkey writes the coldkey's files in the clear. The key is that of a
// secret URI, of which a mnemonic is one, or a new one if uri is empty; then its
// mnemonic is returned, for a person to write down. Files that exist are not
// overwritten.
func (w *Wallet) CreateColdkey(uri string) (mnemonic string, err error) {
	return create(uri, w.ColdkeyFiles())
}

// CreateHotkey writes the hotkey's files, as [Wallet.CreateColdkey] does.
func (w *Wallet) CreateHotkey(uri string) (mnemonic string, err error) {
	return create(uri, w.HotkeyFiles())
}

func create(uri string, f Files) (mnemonic string, err error) {
	var k *Key
	if uri == "" {
		mnemonic, k, err = New(keys.Sr25519, defaultWords)
	} else {
		k, err = FromURI(keys.Sr25519, uri)
	}
	if err != nil {
		return "", fmt.Errorf("create %s: %w", f.Kind, err)
	}
	defer k.Wipe()
	return mnemonic, f.Write(k, WriteOptions{})
}

// Hotkey returns the hotkey's signer. If the file is encrypted, its password
// must be in the environment. The error wraps [subnet.ErrNotFound] if there is
// no such file.
func (w *Wallet) Hotkey() (*Signer, error) {
	return w.HotkeyFiles().Unlock(context.Background(), Passwords{})
}

// Coldkey returns the coldkey's signer, which only transfers and registrations
// need, as [Wallet.Hotkey] does.
func (w *Wallet) Coldkey() (*Signer, error) {
	return w.ColdkeyFiles().Unlock(context.Background(), Passwords{})
}

// ColdkeyPublic returns the coldkey's public key, which is not secret: the
// coldkey itself may be on another machine.
func (w *Wallet) ColdkeyPublic() ([32]byte, error) {
	k, err := w.ColdkeyFiles().PublicKey()
	if err != nil {
		return [32]byte{}, err
	}
	return k.public, nil
}
