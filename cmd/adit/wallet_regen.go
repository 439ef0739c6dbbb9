package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"adit/internal/subnet"
	"adit/internal/wallet"
)

// Limits of what is read, in bytes: many times what a mnemonic and an account
// take.
const (
	maxWords = 4 << 10
	maxJSON  = 1 << 20
)

// A regenFlags says which key is restored.
type regenFlags struct {
	Mnemonic         string   `xor:"source" placeholder:"WORDS" help:"Its words, which may be numbered. Others may see a command line; without this flag you are asked, or standard input is read."`
	Words            []string `arg:"" optional:"" name:"words" help:"More words of --mnemonic."`
	Seed             string   `xor:"source" placeholder:"HEX" help:"Its seed, 64 hexadecimal digits, or private key, 128. They too are read if you are asked for words."`
	JSONFile         string   `name:"json" short:"j" xor:"source" placeholder:"FILE" help:"An account that polkadot.js exported."`
	JSONPassword     string   `name:"json-password" aliases:"json_password" xor:"jsonpassword" placeholder:"TEXT" help:"The password of that file. Without it you are asked."`
	JSONPasswordFile string   `name:"json-password-file" aliases:"json_password_file" xor:"jsonpassword" placeholder:"FILE" help:"Read it from the first line of a file."`
	JSON             bool     `name:"json-output" aliases:"json-out" help:"Print JSON."`
	schemeFlag
	writeFlags
}

// Validate refuses words that belong to nothing.
func (r regenFlags) Validate() error {
	if len(r.Words) > 0 && r.Mnemonic == "" {
		return errors.New("there are words after the flags: put --mnemonic before them")
	}
	if r.JSONFile == "" && (r.JSONPassword != "" || r.JSONPasswordFile != "") {
		return errors.New("there is a password for --json, but no --json")
	}
	return nil
}

// key returns the key that is restored.
func (r regenFlags) key(ctx context.Context, t terminal) (*wallet.Key, error) {
	switch {
	case r.JSONFile != "":
		return r.keyOfJSON(ctx, t)
	case r.Seed != "":
		return r.keyOfText(r.Seed)
	case r.Mnemonic != "":
		return r.keyOfText(strings.Join(append([]string{r.Mnemonic}, r.Words...), " "))
	}
	var text []byte
	var err error
	if isTerminal(t.in) {
		text, err = askHidden(ctx, t, "Words or seed, which are not shown: ")
	} else {
		text, err = readAtMost(t.in, maxWords, "words")
	}
	if err != nil {
		return nil, err
	}
	defer clear(text)
	return r.keyOfText(string(text))
}

// keyOfText returns the key of words, of a seed or of a private key. Its errors
// show nothing of the text.
func (r regenFlags) keyOfText(text string) (k *wallet.Key, err error) {
	text = strings.TrimSpace(text)
	_, noHex := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	switch {
	case text == "":
		err = errors.New("there are no words and no seed")
	case r.Seed != "" || noHex == nil:
		k, err = wallet.FromHex(r.scheme(), text)
	default:
		k, err = wallet.FromMnemonic(r.scheme(), text)
	}
	if err != nil {
		return nil, subnet.WithHint(fmt.Errorf("restore the key: %w", err),
			"give 12 to 24 English words with spaces between them, or a seed of 64 hexadecimal digits; or see --json")
	}
	return k, nil
}

func (r regenFlags) keyOfJSON(ctx context.Context, t terminal) (*wallet.Key, error) {
	f, err := os.Open(r.JSONFile)
	if err != nil {
		return nil, subnet.WithHint(err, "--json is a file to read; --json-output prints JSON")
	}
	defer f.Close()
	b, err := readAtMost(f, maxJSON, r.JSONFile)
	if err != nil {
		return nil, err
	}
	password := wallet.Password(r.JSONPassword)
	if r.JSONPasswordFile != "" {
		if password, err = givenPassword(t, r.JSONPasswordFile, nil); err != nil {
			return nil, err
		}
	}
	if len(password) == 0 && wallet.JSONEncrypted(b) {
		ask := prompt(t)
		if ask == nil {
			return nil, subnet.WithHint(fmt.Errorf("%s needs a password: %w", r.JSONFile, errNobody), "say --json-password-file or --json-password")
		}
		if password, err = ask(ctx, "Password of "+r.JSONFile+": "); err != nil {
			return nil, err
		}
	}
	defer password.Wipe()
	k, err := wallet.FromJSON(b, password)
	if err != nil && subnet.Hint(err) == "" {
		hint := "it must be an account of polkadot.js or of 'adit wallet export-json'"
		if errors.Is(err, wallet.ErrPassword) {
			hint = "the password is that with which the file was exported"
		}
		err = subnet.WithHint(err, hint)
	}
	return k, err
}

// write restores a key into f and shows it.
func (r regenFlags) write(ctx context.Context, t terminal, f wallet.Files, encrypt bool) error {
	if !r.Overwrite {
		if err := vacant(f.Secret); err != nil {
			return err
		}
	}
	// The password comes first where both are lines of standard input.
	password, err := r.password(ctx, t, f, encrypt)
	if err != nil {
		return err
	}
	defer password.Wipe()
	k, err := r.key(ctx, t)
	if err != nil {
		return err
	}
	defer k.Wipe()
	if err := f.Write(k, wallet.WriteOptions{Password: password, Overwrite: r.Overwrite}); err != nil {
		return err
	}
	return show(t, r.JSON, nil, f, "")
}

// WalletRegenColdkeyCommand restores a coldkey.
type WalletRegenColdkeyCommand struct {
	coldkeyFlags
	regenFlags
}

// Help shows examples.
func (WalletRegenColdkeyCommand) Help() string {
	return `Asks for the words, or reads them from standard input, unless a flag says
otherwise. With --password-fd 0 the password is the first line of standard input and
the words follow.

Examples:
  adit wallet regen-coldkey --wallet-name miner
  adit wallet regen-coldkey --wallet-name miner --password-file pw.txt < words.txt
  adit wallet regen-coldkey --wallet-name miner --json account.json
  adit regen_coldkey --wallet.name miner --mnemonic word1 word2 … word12`
}

// Run restores the coldkey.
func (c WalletRegenColdkeyCommand) Run(ctx context.Context, t terminal) error {
	f, err := c.coldkey()
	if err != nil {
		return err
	}
	return c.write(ctx, t, f, true)
}

// WalletRegenHotkeyCommand restores a hotkey.
type WalletRegenHotkeyCommand struct {
	hotkeyFlags
	regenFlags
}

// Help shows examples.
func (WalletRegenHotkeyCommand) Help() string {
	return `Asks for the words, or reads them from standard input, unless a flag says
otherwise.

Examples:
  adit wallet regen-hotkey --wallet-name miner --hotkey hk1
  adit wallet regen-hotkey --wallet-name miner --hotkey hk1 < words.txt
  adit wallet regen-hotkey --wallet-name miner --hotkey hk1 --json account.json
  adit regen_hotkey --wallet.name miner --wallet.hotkey hk1 --mnemonic word1 … word12`
}

// Run restores the hotkey.
func (c WalletRegenHotkeyCommand) Run(ctx context.Context, t terminal) error {
	f, err := c.hotkey()
	if err != nil {
		return err
	}
	return c.write(ctx, t, f, false)
}

// A publicFlags says which public key is written.
type publicFlags struct {
	SS58         string `name:"ss58" xor:"public" required:"" placeholder:"ADDRESS" help:"Its address."`
	PublicHexKey string `xor:"public" required:"" aliases:"public_hex_key" placeholder:"HEX" help:"Its public key, 64 hexadecimal digits."`
	Overwrite    bool   `negatable:"" help:"Write over a public half that is there."`
	JSON         bool   `name:"json" aliases:"json-output,json-out" help:"Print JSON."`
}

func (p publicFlags) write(t terminal, f wallet.Files) error {
	k, err := wallet.FromPublic(p.SS58 + p.PublicHexKey) // one of them is empty
	if err != nil {
		return err
	}
	if err := f.WritePublic(k, p.Overwrite); err != nil {
		if subnet.Hint(err) == "" {
			err = subnet.WithHint(err, "check the address, or choose another name")
		}
		return err
	}
	return show(t, p.JSON, nil, f, "")
}

// WalletRegenColdkeypubCommand writes a coldkey's public half.
type WalletRegenColdkeypubCommand struct {
	coldkeyFlags
	publicFlags
}

// Help shows examples.
func (WalletRegenColdkeypubCommand) Help() string {
	return `With the public half alone, a wallet is watched from a machine that cannot spend
from it.

Examples:
  adit wallet regen-coldkeypub --wallet-name cold --ss58 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY`
}

// Run writes the public half.
func (c WalletRegenColdkeypubCommand) Run(t terminal) error {
	f, err := c.coldkey()
	if err != nil {
		return err
	}
	return c.write(t, f)
}

// WalletRegenHotkeypubCommand writes a hotkey's public half.
type WalletRegenHotkeypubCommand struct {
	hotkeyFlags
	publicFlags
}

// Help shows examples.
func (WalletRegenHotkeypubCommand) Help() string {
	return `With the public half alone, a hotkey is watched and owned from a machine that
cannot run its neuron.

Examples:
  adit wallet regen-hotkeypub --wallet-name cold --hotkey hk1 --ss58 5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty`
}

// Run writes the public half.
func (c WalletRegenHotkeypubCommand) Run(t terminal) error {
	f, err := c.hotkey()
	if err != nil {
		return err
	}
	return c.write(t, f)
}
