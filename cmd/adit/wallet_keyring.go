package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"adit/internal/subnet"
	"adit/internal/wallet"
)

// WalletKeyringCommand is about passwords in the system's keyring.
type WalletKeyringCommand struct {
	Set    WalletKeyringSetCommand    `cmd:"" help:"Keep the password of a key file there."`
	Forget WalletKeyringForgetCommand `cmd:"" help:"Remove it."`
}

// WalletKeyringSetCommand keeps a password.
type WalletKeyringSetCommand struct {
	eitherFlags
	PasswordFile string `xor:"password" aliases:"password_file" placeholder:"FILE" help:"Read the password from the first line of a file."`
	PasswordFD   *int   `name:"password-fd" xor:"password" aliases:"password_fd" placeholder:"N" help:"Read the password from a file descriptor; 0 is standard input."`
	JSON         bool   `name:"json" aliases:"json-output,json-out" help:"Print JSON."`
}

// Help shows examples.
func (WalletKeyringSetCommand) Help() string {
	return `Keeps the password of a key file in the system's keyring: the Secret Service of Linux
desktops, the keychain of macOS, the credential manager of Windows. Commands that sign
look there with --keyring, or always if ADIT_KEYRING is 1. The password must open the
file; it belongs to the file's path.

Examples:
  adit wallet keyring set --wallet-name miner
  adit wallet keyring set --wallet-name miner --use-hotkey --hotkey hk1 --password-file pw.txt`
}

// A keyringResult is what became of a password in the keyring.
type keyringResult struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Path    string `json:"path"`
	Keyring bool   `json:"keyring"` // the password is there
}

func (r keyringResult) print(t terminal, asJSON bool, text string) error {
	if asJSON {
		return printJSON(t, r)
	}
	_, err := fmt.Fprintf(t.out, "%s of %s %s, %s\n", text, r.Kind, r.Name, r.Path)
	return err
}

// Run keeps it.
func (c WalletKeyringSetCommand) Run(ctx context.Context, t terminal) error {
	f, err := c.files()
	if err != nil {
		return err
	}
	switch form, err := f.Encryption(); {
	case err != nil:
		return err
	case form == wallet.Plain:
		return subnet.WithHint(fmt.Errorf("%s is not encrypted: there is no password to keep", f.Secret), "'adit wallet reencrypt' gives it one")
	}
	// A keyring that is not there is told before anybody is asked for a password.
	if _, err := (wallet.OSKeyring{}).Password(f.Secret); err != nil {
		return keyringHint(err)
	}
	given, err := givenPassword(t, c.PasswordFile, c.PasswordFD)
	if err != nil {
		return err
	}
	password, err := proven(ctx, t, f, given)
	if err != nil {
		return err
	}
	defer password.Wipe()
	if err := wallet.Remember(wallet.OSKeyring{}, f, password); err != nil {
		return keyringHint(err)
	}
	return keyringResult{f.Kind, f.Name(), f.Secret, true}.print(t, c.JSON, "the keyring has the password")
}

// proven returns the password that opens a file: the one given, or one that a
// person is asked for. The environment's are not meant to be kept elsewhere.
func proven(ctx context.Context, t terminal, f wallet.Files, given wallet.Password) (wallet.Password, error) {
	var last wallet.Password
	pw := wallet.Passwords{Given: given, Environ: []string{}}
	if ask := prompt(t); ask != nil {
		pw.Prompt = func(ctx context.Context, question string) (wallet.Password, error) {
			p, err := ask(ctx, question)
			last.Wipe()
			last = bytes.Clone(p) // what is returned is wiped once tried
			return p, err
		}
	} else if len(given) == 0 {
		return nil, subnet.WithHint(fmt.Errorf("the password is needed: %w", errNobody), "say --password-file or --password-fd")
	}
	signer, err := f.UnlockAny(ctx, pw)
	if err != nil {
		return nil, lockedHint(err)
	}
	signer.Close()
	if len(given) > 0 {
		return given, nil
	}
	return last, nil
}

// WalletKeyringForgetCommand removes a password.
type WalletKeyringForgetCommand struct {
	eitherFlags
	JSON bool `name:"json" aliases:"json-output,json-out" help:"Print JSON."`
}

// Help shows examples.
func (WalletKeyringForgetCommand) Help() string {
	return `Removes the password of a key file from the system's keyring. It is no error if there
is none.

Examples:
  adit wallet keyring forget --wallet-name miner`
}

// Run removes it.
func (c WalletKeyringForgetCommand) Run(t terminal) error {
	f, err := c.files()
	if err != nil {
		return err
	}
	if err := wallet.Forget(wallet.OSKeyring{}, f); err != nil {
		return keyringHint(err)
	}
	return keyringResult{f.Kind, f.Name(), f.Secret, false}.print(t, c.JSON, "the keyring has no password")
}

func keyringHint(err error) error {
	return subnet.WithHint(fmt.Errorf("there is no keyring that answers: %w", err),
		"servers seldom have one: --password-file, or the environment (BT_WALLET_PASSWORD_FILE), serve there")
}

// An askedKeyring is the system's keyring, which somebody has asked to be used. A
// person who will be asked for the password is told why.
type askedKeyring struct {
	wallet.OSKeyring
	t terminal
}

// Password implements [wallet.Keyring].
func (k askedKeyring) Password(account string) (wallet.Password, error) {
	p, err := k.OSKeyring.Password(account)
	if err != nil && prompt(k.t) != nil {
		say(k.t, keyringHint(err), "")
	}
	if err != nil {
		err = errors.Unwrap(keyringHint(err)) // the list of what was tried has no room for hints
	}
	return p, err
}
