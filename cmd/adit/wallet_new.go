package main

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/wallet"
)

// A writeFlags says how a key is written.
type writeFlags struct {
	UsePassword *bool `negatable:"" aliases:"use_password" help:"Encrypt the file: a coldkey's is, a hotkey's is not, unless you say so."`
	NoPassword  bool  `hidden:"" aliases:"no_password,no_use_password"`
	passwordFlags
	Overwrite bool `negatable:"" help:"Write over a key that is there. It is lost."`
}

// password returns what the secret of f is to be encrypted with, or nothing if
// it is to be in the clear.
func (w writeFlags) password(ctx context.Context, t terminal, f wallet.Files, byDefault bool) (wallet.Password, error) {
	given, err := w.given(t)
	if err != nil {
		return nil, err
	}
	use := byDefault || given != nil
	if w.UsePassword != nil {
		use = *w.UsePassword
	}
	if w.NoPassword {
		use = false
	}
	switch {
	case use:
		p, err := wallet.Passwords{Given: given, Prompt: prompt(t)}.Choose(ctx, f)
		if err != nil && subnet.Hint(err) == "" {
			err = subnet.WithHint(err, "choose a longer one; other tools refuse such passwords too")
		}
		return p, err
	case given != nil:
		given.Wipe()
		return nil, subnet.WithHint(errors.New("a password was given for a file that is not to be encrypted"),
			"leave out either the password or --no-use-password")
	}
	return nil, nil
}

// schemeFlag says which kind of key is meant.
type schemeFlag struct {
	Scheme string `enum:"sr25519,ed25519" default:"sr25519" help:"The kind of key: ${enum}. Only sr25519 keys take part in networks."`
}

func (f schemeFlag) scheme() keys.Scheme {
	if f.Scheme == keys.Ed25519.String() {
		return keys.Ed25519
	}
	return keys.Sr25519
}

// A newFlags says which new key is wanted.
type newFlags struct {
	NWords       int    `name:"n-words" aliases:"n_words" enum:"12,15,18,21,24" default:"12" help:"How many words its mnemonic has: ${enum} (${default})."`
	URI          string `name:"uri" placeholder:"URI" help:"No new key, but that of a secret URI such as //Alice, which everybody knows. The file is not encrypted, unless you say so."`
	ShowMnemonic *bool  `negatable:"" aliases:"show_mnemonic" help:"Show the new words, or do not: at a terminal they are shown, unless --json is there too."`
	JSON         bool   `name:"json" aliases:"json-output,json-out" help:"Print JSON, an object a key."`
	schemeFlag
	writeFlags
}

// key returns the key, and its mnemonic if it is new.
func (n newFlags) key() (mnemonic string, k *wallet.Key, err error) {
	if n.URI == "" {
		return wallet.New(n.scheme(), n.NWords)
	}
	if k, err = wallet.FromURI(n.scheme(), expandURI(n.URI)); err != nil {
		return "", nil, subnet.WithHint(err, "a secret URI is such as //Alice, or a mnemonic with //paths after it")
	}
	return "", k, nil
}

// expandURI makes //Alice of alice, as the chain's own tool does.
func expandURI(uri string) string {
	if strings.HasPrefix(uri, "0x") || uri == "" || strings.ContainsFunc(uri, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		return uri
	}
	letters := []rune(strings.ToLower(uri))
	letters[0] = unicode.ToUpper(letters[0])
	return "//" + string(letters)
}

// write makes a key, writes it into f and shows it.
func (n newFlags) write(ctx context.Context, t terminal, f wallet.Files, encrypt bool) error {
	if !n.Overwrite {
		if err := vacant(f.Secret, f.Public); err != nil {
			return err
		}
	}
	mnemonic, k, err := n.key()
	if err != nil {
		return err
	}
	defer k.Wipe()
	password, err := n.password(ctx, t, f, encrypt && n.URI == "")
	if err != nil {
		return err
	}
	defer password.Wipe()
	if err := f.Write(k, wallet.WriteOptions{Password: password, Overwrite: n.Overwrite}); err != nil {
		return err
	}
	return show(t, n.JSON, n.ShowMnemonic, f, mnemonic)
}

// WalletNewColdkeyCommand makes a coldkey.
type WalletNewColdkeyCommand struct {
	coldkeyFlags
	newFlags
}

// Help shows examples.
func (WalletNewColdkeyCommand) Help() string {
	return `A coldkey owns what there is: balance, stake, hotkeys. Its file is encrypted. The
password is that of --password-file, of --password-fd or of the environment
(BT_WALLET_PASSWORD, BT_WALLET_PASSWORD_FILE, or the wallet library's BT_PW_ and
the file's path), or you are asked twice.

Examples:
  adit wallet new-coldkey --wallet-name miner
  adit wallet new-coldkey --wallet-name miner --n-words 24 --password-file pw.txt
  adit new_coldkey --wallet.name miner --n_words 24 --use_password`
}

// Run makes the coldkey.
func (c WalletNewColdkeyCommand) Run(ctx context.Context, t terminal) error {
	f, err := c.coldkey()
	if err != nil {
		return err
	}
	return c.write(ctx, t, f, true)
}

// WalletNewHotkeyCommand makes a hotkey.
type WalletNewHotkeyCommand struct {
	hotkeyFlags
	newFlags
}

// Help shows examples.
func (WalletNewHotkeyCommand) Help() string {
	return `A hotkey is what a neuron signs with. Its file is not encrypted, so that the
neuron can start by itself, unless --use-password says so.

Examples:
  adit wallet new-hotkey --wallet-name miner --hotkey hk1
  adit wallet new-hotkey --wallet-name miner --hotkey hk1 --json
  adit new_hotkey --wallet.name miner --wallet.hotkey hk1`
}

// Run makes the hotkey.
func (c WalletNewHotkeyCommand) Run(ctx context.Context, t terminal) error {
	f, err := c.hotkey()
	if err != nil {
		return err
	}
	return c.write(ctx, t, f, false)
}

// WalletCreateCommand makes both keys of a wallet.
type WalletCreateCommand struct {
	hotkeyFlags
	newFlags
}

// Help shows examples.
func (WalletCreateCommand) Help() string {
	return `Makes a coldkey, whose file is encrypted, and a hotkey, whose file is not. With
--uri both are the same key, and neither file is encrypted.

Examples:
  adit wallet create --wallet-name miner --hotkey hk1
  adit wallet create --wallet-path wallets --wallet-name alice --uri //Alice`
}

// Run makes the keys, or neither if one is there.
func (c WalletCreateCommand) Run(ctx context.Context, t terminal) error {
	cold, err := c.coldkey()
	if err != nil {
		return err
	}
	hot, err := c.hotkey()
	if err != nil {
		return err
	}
	if !c.Overwrite {
		if err := vacant(cold.Secret, cold.Public, hot.Secret, hot.Public); err != nil {
			return subnet.WithHint(err, "choose another --wallet-name; 'adit wallet new-hotkey' adds a hotkey to a wallet that is there")
		}
	}
	if err := c.write(ctx, t, cold, true); err != nil {
		return err
	}
	// The flags about passwords are about the coldkey.
	c.writeFlags = writeFlags{Overwrite: c.Overwrite}
	return c.write(ctx, t, hot, false)
}
