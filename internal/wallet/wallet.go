// Package wallet keeps keys in files where all tools of these networks look
// for them, and gives out signers only: the secrets never leave it.
//
//	~/.bittensor/wallets/<coldkey>/coldkey           secret
//	                              /coldkeypub.txt    public
//	                              /hotkeys/<hotkey>  secret
//	                              /hotkeys/<hotkey>pub.txt
//
// Key files are read as any tool of the last years wrote them, and written as
// today's wallet library does. Encrypted ones are recognised and refused.
package wallet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
)

// PathEnv names the environment variable that moves the wallets elsewhere.
const PathEnv = "BT_WALLET_PATH"

// words is the length of new mnemonics, which is the other tools' default.
const words = 12

// A Wallet is one coldkey with one of its hotkeys. Their files need not exist.
type Wallet struct {
	dir    string // of the coldkey
	hotkey string
}

// A Signer signs with one key of a wallet.
type Signer struct{ pair *keys.Pair }

var _ subnet.Signer = (*Signer)(nil)

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
	if strings.HasSuffix(hotkey, "pub.txt") {
		return nil, fmt.Errorf("hotkey name %q: it may not end in pub.txt", hotkey)
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

// HotkeyFile returns the path of the hotkey's secret file.
func (w *Wallet) HotkeyFile() string { return filepath.Join(w.dir, "hotkeys", w.hotkey) }

// ColdkeyFile returns the path of the coldkey's secret file.
func (w *Wallet) ColdkeyFile() string { return filepath.Join(w.dir, "coldkey") }

func (w *Wallet) coldkeyPub() string { return filepath.Join(w.dir, "coldkeypub.txt") }

// CreateColdkey writes the coldkey's files. The key is that of a secret URI,
// of which a mnemonic is one, or a new one if uri is empty; then its mnemonic
// is returned, for a person to write down. Files that exist are never
// overwritten.
func (w *Wallet) CreateColdkey(uri string) (mnemonic string, err error) {
	mnemonic, err = create(uri, w.ColdkeyFile(), w.coldkeyPub())
	if err != nil {
		return "", fmt.Errorf("create coldkey: %w", err)
	}
	return mnemonic, nil
}

// CreateHotkey writes the hotkey's files, as [Wallet.CreateColdkey] does.
func (w *Wallet) CreateHotkey(uri string) (mnemonic string, err error) {
	mnemonic, err = create(uri, w.HotkeyFile(), w.HotkeyFile()+"pub.txt")
	if err != nil {
		return "", fmt.Errorf("create hotkey: %w", err)
	}
	return mnemonic, nil
}

func create(uri, secretFile, publicFile string) (mnemonic string, err error) {
	for _, name := range []string{secretFile, publicFile} {
		if _, err := os.Lstat(name); err == nil {
			return "", exists(name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	var pair *keys.Pair
	if uri == "" {
		mnemonic, pair, err = keys.Generate(rand.Reader, words)
	} else {
		pair, err = keys.FromURI(uri)
	}
	if err != nil {
		return "", err
	}
	// The secret first: of the public half alone nothing could be restored.
	if err := writeNew(secretFile, secretBody(pair)); err != nil {
		return "", err
	}
	if err := writeNew(publicFile, publicBody(pair)); err != nil {
		return "", err
	}
	return mnemonic, nil
}

// Hotkey returns the hotkey's signer. The error wraps [subnet.ErrNotFound] if
// there is no such file.
func (w *Wallet) Hotkey() (*Signer, error) { return open("hotkey", w.HotkeyFile()) }

// Coldkey returns the coldkey's signer, which only transfers and registrations
// need. The error is as [Wallet.Hotkey]'s.
func (w *Wallet) Coldkey() (*Signer, error) { return open("coldkey", w.ColdkeyFile()) }

// ColdkeyPublic returns the coldkey's public key, which is not secret: the
// coldkey itself may be on another machine.
func (w *Wallet) ColdkeyPublic() ([32]byte, error) {
	k, err := readKey("coldkey", w.coldkeyPub())
	if errors.Is(err, subnet.ErrNotFound) {
		k, err = readKey("coldkey", w.ColdkeyFile())
	}
	return k.public, err
}

func open(kind, file string) (*Signer, error) {
	k, err := readKey(kind, file)
	if err != nil {
		return nil, err
	}
	if k.pair == nil {
		return nil, fmt.Errorf("read %s %s: it holds a public key only", kind, file)
	}
	return &Signer{k.pair}, nil
}

// Hotkey returns the key's SS58 address, be it a hotkey's or a coldkey's.
func (s *Signer) Hotkey() subnet.Hotkey { return subnet.Hotkey(s.pair.Address()) }

// Public returns the public key.
func (s *Signer) Public() [32]byte { return s.pair.Public() }

// Sign returns a 64-byte sr25519 signature over payload.
func (s *Signer) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.pair.Sign(payload)
}

// String returns the address.
func (s *Signer) String() string { return s.pair.Address() }
