package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/wallet"
)

// maxMessage is the longest message that is signed, in bytes.
const maxMessage = 1 << 20

// messageFlag is what is signed.
type messageFlag struct {
	Message *string `short:"m" placeholder:"TEXT" help:"The message. Without it, all of standard input is, to the last line's end."`
}

func (m messageFlag) bytes(t terminal) ([]byte, error) {
	if m.Message != nil {
		return []byte(*m.Message), nil
	}
	if isTerminal(t.in) {
		return nil, subnet.WithHint(errors.New("there is no message"), "say --message, or give it on standard input")
	}
	return readAtMost(t.in, maxMessage, "message")
}

// WalletSignCommand signs a message.
type WalletSignCommand struct {
	eitherFlags
	passwordFlags
	messageFlag
	JSON bool `name:"json" aliases:"json-output,json-out" help:"Print JSON."`
}

// Help shows examples.
func (WalletSignCommand) Help() string {
	return `Prints the signature over the message's bytes, in hexadecimal digits. The coldkey
signs, or with --use-hotkey the hotkey.

Examples:
  adit wallet sign --wallet-name miner --message "I own this"
  adit wallet sign --wallet-name miner --use-hotkey --hotkey hk1 --json < statement.txt`
}

// Run prints the signature.
func (c WalletSignCommand) Run(ctx context.Context, t terminal) error {
	f, err := c.files()
	if err != nil {
		return err
	}
	pw, err := c.passwords(t) // the first line of standard input, perhaps
	if err != nil {
		return err
	}
	defer pw.Given.Wipe()
	message, err := c.bytes(t)
	if err != nil {
		return err
	}
	signer, err := f.UnlockAny(ctx, pw)
	if err != nil {
		return lockedHint(err)
	}
	defer signer.Close()
	signature, err := signer.Sign(ctx, message)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(t.out).Encode(struct {
			Signature string `json:"signed_message"`
			Address   string `json:"signer_address"`
		}{hex.EncodeToString(signature), signer.String()})
	}
	_, err = fmt.Fprintln(t.out, hex.EncodeToString(signature))
	return err
}

// WalletVerifyCommand checks a signature.
type WalletVerifyCommand struct {
	messageFlag
	Signature string `short:"s" required:"" placeholder:"HEX" help:"The signature, 128 hexadecimal digits."`
	Address   string `short:"a" aliases:"ss58,public-key" required:"" placeholder:"ADDRESS" help:"Who is said to have signed: an address or a public key."`
	JSON      bool   `name:"json" aliases:"json-output,json-out" help:"Print JSON."`
}

// Help shows examples.
func (WalletVerifyCommand) Help() string {
	return `Ends with status 1 if the signature is not that key's over that message. Signatures
by browser wallets, which sign <Bytes> and </Bytes> around the message, are
accepted.

Examples:
  adit wallet verify --message "I own this" --signature 8a1f… --address 5Grw…
  adit wallet verify --signature 8a1f… --address 5Grw… < statement.txt`
}

// Run tells whether the signature is right.
func (c WalletVerifyCommand) Run(t terminal) error {
	k, err := wallet.FromPublic(c.Address)
	if err != nil {
		return err
	}
	signature, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(c.Signature), "0x"))
	if err != nil || len(signature) != 64 {
		return subnet.WithHint(errors.New("--signature has not 128 hexadecimal digits"), "it is what 'adit wallet sign' prints")
	}
	message, err := c.bytes(t)
	if err != nil {
		return err
	}
	// An address does not tell the kind of its key.
	good := false
	for _, s := range []keys.Scheme{keys.Sr25519, keys.Ed25519} {
		good = good || s.VerifyWrapped(k.Public(), message, signature)
	}
	if c.JSON {
		if err := json.NewEncoder(t.out).Encode(struct {
			Verified bool   `json:"verified"`
			Address  string `json:"signer"`
			Message  string `json:"message"`
		}{good, k.Address(), string(message)}); err != nil {
			return err
		}
	}
	if !good {
		return subnet.WithHint(fmt.Errorf("%s did not sign that message with that signature", k.Address()),
			"every byte counts: a line's end at the end of a file is part of the message")
	}
	if !c.JSON {
		_, err = fmt.Fprintf(t.out, "%s signed it\n", k.Address())
	}
	return err
}
