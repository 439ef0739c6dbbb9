package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"adit/internal/subnet"
	"adit/internal/wallet"
)

// WalletCommand is about keys and the files they are in.
type WalletCommand struct {
	List            WalletListCommand            `cmd:"" help:"List wallets and their keys."`
	Create          WalletCreateCommand          `cmd:"" help:"Make a wallet: a coldkey and a hotkey."`
	NewColdkey      WalletNewColdkeyCommand      `cmd:"" help:"Make a coldkey."`
	NewHotkey       WalletNewHotkeyCommand       `cmd:"" help:"Make a hotkey."`
	RegenColdkey    WalletRegenColdkeyCommand    `cmd:"" help:"Restore a coldkey from its words, a seed or a JSON file."`
	RegenHotkey     WalletRegenHotkeyCommand     `cmd:"" help:"Restore a hotkey from its words, a seed or a JSON file."`
	RegenColdkeyp   WalletRegenColdkeypubCommand `cmd:"" name:"regen-coldkeypub" help:"Write a coldkey's public half, to watch it."`
	RegenHotkeyp    WalletRegenHotkeypubCommand  `cmd:"" name:"regen-hotkeypub" help:"Write a hotkey's public half, to watch it."`
	Balance         WalletBalanceCommand         `cmd:"" help:"Show what coldkeys have."`
	Inspect         InspectCommand               `cmd:"" help:"Tell of a wallet what it has and where it is registered."`
	Overview        OverviewCommand              `cmd:"" help:"Show a wallet's neurons."`
	Transfer        TransferCommand              `cmd:"" help:"Send TAO."`
	AssociateHotkey WalletAssociateHotkeyCommand `cmd:"" name:"associate-hotkey" help:"Make a coldkey the owner of a hotkey."`
	SwapHotkey      WalletSwapHotkeyCommand      `cmd:"" name:"swap-hotkey" help:"Put a hotkey into the place of another."`
	SwapColdkey     WalletSwapColdkeyCommand     `cmd:"" name:"swap-coldkey" help:"Put a coldkey into the place of another."`
	SwapCheck       WalletSwapStatusCommand      `cmd:"" name:"swap-check" hidden:"" help:"See wallet swap-coldkey status."`
	SetIdentity     WalletSetIdentityCommand     `cmd:"" name:"set-identity" help:"Say on the chain who the coldkey is."`
	GetIdentity     WalletGetIdentityCommand     `cmd:"" name:"get-identity" help:"Show who a coldkey says it is."`
	ExportJSON      WalletExportJSONCommand      `cmd:"" name:"export-json" help:"Print a key as a JSON file of polkadot.js."`
	Keyring         WalletKeyringCommand         `cmd:"" help:"Keep the password of a key file in the system's keyring."`
	Reencrypt       WalletReencryptCommand       `cmd:"" help:"Give a key file a new password, in today's form."`
	Update          WalletUpdateCommand          `cmd:"" hidden:"" help:"Give a key file a new password, in today's form."`
	Sign            WalletSignCommand            `cmd:"" help:"Sign a message."`
	Verify          WalletVerifyCommand          `cmd:"" help:"Check who signed a message."`
}

// A walletPathFlag says where the wallets are.
type walletPathFlag struct {
	WalletPath string `short:"p" aliases:"wallet.path,wallet_path" env:"BT_WALLET_PATH" placeholder:"DIR" help:"Where the wallets are (~/.bittensor/wallets)."`
}

// A coldkeyFlags says which wallet is meant.
type coldkeyFlags struct {
	walletPathFlag
	WalletName string `aliases:"wallet.name,wallet_name,name" env:"BT_WALLET_NAME" default:"default" placeholder:"NAME" help:"The wallet, which is the name of its coldkey (${default})."`
}

func (f coldkeyFlags) coldkey() (wallet.Files, error) {
	w, err := wallet.At(f.WalletPath, f.WalletName, "default")
	if err != nil {
		return wallet.Files{}, nameHint(err)
	}
	return w.ColdkeyFiles(), nil
}

// A hotkeyFlags says which hotkey of which wallet is meant.
type hotkeyFlags struct {
	coldkeyFlags
	Hotkey string `short:"H" aliases:"wallet.hotkey,wallet-hotkey,wallet_hotkey" env:"BT_WALLET_HOTKEY" default:"default" placeholder:"NAME" help:"The hotkey (${default})."`
}

func (f hotkeyFlags) hotkey() (wallet.Files, error) {
	w, err := wallet.At(f.WalletPath, f.WalletName, f.Hotkey)
	if err != nil {
		return wallet.Files{}, nameHint(err)
	}
	return w.HotkeyFiles(), nil
}

func nameHint(err error) error {
	return subnet.WithHint(err, "a name is that of a file, without a path: see --wallet-path, --wallet-name and --hotkey")
}

// An eitherFlags says which of a wallet's keys is meant.
type eitherFlags struct {
	hotkeyFlags
	UseHotkey bool `negatable:"" aliases:"use_hotkey" help:"Mean the hotkey, not the coldkey."`
}

func (f eitherFlags) files() (wallet.Files, error) {
	if f.UseHotkey {
		return f.hotkey()
	}
	return f.coldkey()
}

// A passwordFlags says where the password of a key file is.
type passwordFlags struct {
	PasswordFile string `xor:"password" aliases:"password_file" placeholder:"FILE" help:"Read the password from the first line of a file."`
	PasswordFD   *int   `name:"password-fd" xor:"password" aliases:"password_fd" placeholder:"N" help:"Read the password from a file descriptor; 0 is standard input."`
	Keyring      bool   `env:"ADIT_KEYRING" help:"Look for the password in the system's keyring too: see 'adit wallet keyring set'."`
}

// given returns the password of the flags, or nothing if there is none.
func (f passwordFlags) given(t terminal) (wallet.Password, error) {
	return givenPassword(t, f.PasswordFile, f.PasswordFD)
}

func givenPassword(t terminal, file string, fd *int) (p wallet.Password, err error) {
	switch {
	case file != "":
		p, err = wallet.PasswordFromFile(file)
	case fd != nil && *fd == 0:
		p, err = wallet.ReadPassword(t.in)
	case fd != nil:
		p, err = wallet.PasswordFromFD(*fd)
	}
	if err != nil {
		return nil, subnet.WithHint(err, "the password is the first line, without the line's end")
	}
	return p, nil
}

// passwords returns what opens a key file: the flags, the environment, or a
// person.
func (f passwordFlags) passwords(t terminal) (wallet.Passwords, error) {
	given, err := f.given(t)
	pw := wallet.Passwords{Given: given, Prompt: prompt(t)}
	if f.Keyring {
		pw.Keyring = askedKeyring{t: t}
	}
	return pw, err
}

// A shownKey is what is told of a key that was written.
type shownKey struct {
	Kind     string `json:"kind"` // "coldkey" or "hotkey"
	Wallet   string `json:"wallet"`
	Hotkey   string `json:"hotkey,omitempty"` // its name
	Address  string `json:"ss58_address"`
	Path     string `json:"path"`
	Form     string `json:"form"` // see form
	Mnemonic string `json:"mnemonic,omitempty"`
}

// form says in words how a secret is kept.
func form(s wallet.Status) string {
	switch {
	case s.HasSecret && s.Encryption != wallet.Plain:
		return "encrypted"
	case s.HasSecret:
		return "not encrypted"
	case s.HasPublic:
		return "public only"
	}
	return "absent"
}

// show tells of a key that was written, and of its mnemonic, if it has a new
// one.
func show(t terminal, asJSON bool, showMnemonic *bool, f wallet.Files, mnemonic string) error {
	s := f.Status()
	k := shownKey{Kind: f.Kind, Wallet: f.Wallet, Address: s.Address, Path: f.Secret, Form: form(s)}
	if f.Kind == "hotkey" {
		k.Hotkey = strings.TrimPrefix(f.Name(), f.Wallet+"/")
	}
	if !s.HasSecret {
		k.Path = f.Public
	}
	shown := !asJSON && isTerminal(t.out)
	if showMnemonic != nil {
		shown = *showMnemonic
	}
	if shown = shown && mnemonic != ""; shown {
		k.Mnemonic = mnemonic
	}
	if asJSON {
		if err := json.NewEncoder(t.out).Encode(k); err != nil {
			return err
		}
	} else {
		text := fmt.Sprintf("%s %s\n  address  %s\n  file     %s (%s)\n", k.Kind, f.Name(), k.Address, k.Path, k.Form)
		if shown {
			text += fmt.Sprintf("  words    %s\n", mnemonic)
		}
		if _, err := io.WriteString(t.out, text); err != nil {
			return err
		}
	}
	switch {
	case shown:
		fmt.Fprintf(t.err, "adit: write the words down, on paper: they are shown this once, whoever has them has the %s, and without them a lost file is lost\n", k.Kind)
	case mnemonic != "":
		fmt.Fprintf(t.err, "adit: the words of the %s are not shown, so that its file alone has them\nhint: keep a copy of the file; when a key is made, --show-mnemonic shows its words\n", k.Kind)
	}
	return nil
}

// vacant refuses to write over files before a person is asked anything. The
// wallet package refuses too, when it writes.
func vacant(names ...string) error {
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil {
			return subnet.WithHint(fmt.Errorf("%s exists", name),
				"the key in it would be lost; choose another name, move the file away, or say --overwrite")
		}
	}
	return nil
}

// prompt returns what asks a person for a password, or nil if there is nobody:
// only who sees what the command says is asked.
func prompt(t terminal) wallet.Prompt {
	if !isTerminal(t.in) && !isTerminal(t.err) {
		return nil
	}
	return func(ctx context.Context, question string) (wallet.Password, error) {
		b, err := askHidden(ctx, t, question)
		return wallet.Password(b), err
	}
}

// readAtMost reads all of r, which is called what, up to a limit in bytes.
func readAtMost(r io.Reader, limit int64, what string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	if int64(len(b)) > limit {
		return nil, subnet.WithHint(fmt.Errorf("read %s: it is longer than %d bytes", what, limit), "is that the right file?")
	}
	return b, nil
}

// errNobody says that there is nobody to ask.
var errNobody = errors.New("nobody can be asked: this is no terminal")
