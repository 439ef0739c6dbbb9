package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"adit/internal/subnet"
	"adit/internal/wallet"
)

// WalletExportJSONCommand exports a key.
type WalletExportJSONCommand struct {
	eitherFlags
	passwordFlags
	JSONPassword     string `name:"json-password" aliases:"json_password" xor:"jsonpassword" placeholder:"TEXT" help:"The password of the export. Others may see a command line; without this flag you are asked."`
	JSONPasswordFile string `name:"json-password-file" aliases:"json_password_file" xor:"jsonpassword" placeholder:"FILE" help:"Read it from the first line of a file."`
}

// Help shows examples.
func (WalletExportJSONCommand) Help() string {
	return `Prints the account as polkadot.js exports it, encrypted with a password of its own:
what that wallet imports, and 'adit wallet regen-coldkey --json'.

Examples:
  adit wallet export-json --wallet-name miner > miner.json
  adit wallet export-json --wallet-name miner --use-hotkey --hotkey hk1 > hk1.json`
}

// Run prints the account.
func (c WalletExportJSONCommand) Run(ctx context.Context, t terminal) error {
	f, err := c.files()
	if err != nil {
		return err
	}
	pw, err := c.passwords(t)
	if err != nil {
		return err
	}
	if pw, err = opened(ctx, f, pw); err != nil {
		return err
	}
	defer pw.Given.Wipe()
	password := wallet.Password(c.JSONPassword)
	if c.JSONPasswordFile != "" {
		if password, err = givenPassword(t, c.JSONPasswordFile, nil); err != nil {
			return err
		}
	}
	password, err = choose(ctx, t, password, wallet.Files{Kind: "export", Wallet: "of " + f.Wallet}, "say --json-password-file or --json-password")
	if err != nil {
		return err
	}
	defer password.Wipe()
	b, err := f.ExportJSON(ctx, pw, password)
	if err != nil {
		return lockedHint(err)
	}
	_, err = fmt.Fprintf(t.out, "%s\n", b)
	return err
}

// choose returns a new password that is given or else asked for, but not taken
// from the environment, which has the old one.
func choose(ctx context.Context, t terminal, given wallet.Password, f wallet.Files, hint string) (wallet.Password, error) {
	ask := prompt(t)
	if len(given) == 0 && ask == nil {
		return nil, subnet.WithHint(fmt.Errorf("a new password is needed: %w", errNobody), hint)
	}
	p, err := wallet.Passwords{Given: given, Environ: []string{}, Prompt: ask}.Choose(ctx, f)
	if err != nil && subnet.Hint(err) == "" {
		err = subnet.WithHint(err, "choose a longer one; other tools refuse such passwords too")
	}
	return p, err
}

// opened makes sure that f opens before a person is asked for a new password, and
// returns what opens it without asking again.
func opened(ctx context.Context, f wallet.Files, pw wallet.Passwords) (wallet.Passwords, error) {
	ask := pw.Prompt
	if scheme, err := f.Encryption(); err != nil || scheme == wallet.Plain || ask == nil {
		return pw, err
	}
	var last wallet.Password
	pw.Prompt = func(ctx context.Context, question string) (wallet.Password, error) {
		p, err := ask(ctx, question)
		last.Wipe()
		last = bytes.Clone(p) // what is returned is wiped once tried
		return p, err
	}
	signer, err := f.UnlockAny(ctx, pw)
	if err != nil {
		return pw, lockedHint(err)
	}
	signer.Close()
	if pw.Prompt = ask; last != nil {
		pw.Given = last
	}
	return pw, nil
}

// lockedHint adds advice to the error of a key that does not open.
func lockedHint(err error) error {
	if errors.Is(err, wallet.ErrPassword) && subnet.Hint(err) == "" {
		return subnet.WithHint(err, "if the password is lost, restore the key from its words with 'adit wallet regen-coldkey' or 'regen-hotkey'")
	}
	return err
}

// WalletReencryptCommand changes a password.
type WalletReencryptCommand struct {
	eitherFlags
	passwordFlags
	NewPasswordFile string `xor:"new" aliases:"new_password_file" placeholder:"FILE" help:"Read the new password from the first line of a file."`
	NewPasswordFD   *int   `name:"new-password-fd" xor:"new" aliases:"new_password_fd" placeholder:"N" help:"Read the new password from a file descriptor; 0 is standard input, after the old one if that is there too."`
	UsePassword     *bool  `negatable:"" aliases:"use_password" help:"Encrypt the file; --no-use-password writes it in the clear."`
	JSON            bool   `name:"json" aliases:"json-output,json-out" help:"Print JSON."`
}

// Help shows examples.
func (WalletReencryptCommand) Help() string {
	return `Reads a key file of any generation and writes it as today's tools do, with a new
password, or without one. The old password is that of the flags or the environment,
or you are asked. 'adit wallet update' is the same.

Examples:
  adit wallet reencrypt --wallet-name miner
  adit wallet reencrypt --wallet-name miner --password-file old.txt --new-password-file new.txt
  adit wallet reencrypt --wallet-name miner --use-hotkey --hotkey hk1 --no-use-password`
}

// Validate refuses a password for a file that is to have none.
func (c WalletReencryptCommand) Validate() error {
	if c.UsePassword != nil && !*c.UsePassword && (c.NewPasswordFile != "" || c.NewPasswordFD != nil) {
		return errors.New("--no-use-password can't be used together with a new password")
	}
	return nil
}

// Run writes the file again.
func (c WalletReencryptCommand) Run(ctx context.Context, t terminal) error {
	f, err := c.files()
	if err != nil {
		return err
	}
	pw, err := c.passwords(t)
	if err != nil {
		return err
	}
	if pw, err = opened(ctx, f, pw); err != nil {
		return err
	}
	defer pw.Given.Wipe()
	var to wallet.Password
	if c.UsePassword == nil || *c.UsePassword {
		given, err := givenPassword(t, c.NewPasswordFile, c.NewPasswordFD)
		if err != nil {
			return err
		}
		if to, err = choose(ctx, t, given, f, "say --new-password-file, --new-password-fd or --no-use-password"); err != nil {
			return err
		}
		defer to.Wipe()
	}
	if err := f.Reencrypt(ctx, pw, to); err != nil {
		return lockedHint(err)
	}
	return show(t, c.JSON, nil, f, "")
}

// WalletUpdateCommand is [WalletReencryptCommand] by the name that btcli gives
// it.
type WalletUpdateCommand struct{ WalletReencryptCommand }

// Help shows examples.
func (WalletUpdateCommand) Help() string {
	return `The same as 'adit wallet reencrypt'.

Examples:
  adit wallet update --wallet-name miner`
}
