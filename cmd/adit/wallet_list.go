package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"adit/internal/subnet"
	"adit/internal/wallet"
)

// WalletListCommand lists wallets.
type WalletListCommand struct {
	walletPathFlag
	WalletName string `aliases:"wallet.name,wallet_name,name" placeholder:"NAME" help:"This wallet only."`
	JSON       bool   `name:"json" aliases:"json-output,json-out" help:"Print JSON."`
}

// Help shows examples.
func (WalletListCommand) Help() string {
	return `Lists each wallet with its coldkey's address and, below it, its hotkeys with
theirs. Nothing is decrypted; an address that only an encrypted file knows is "?".

Examples:
  adit wallet list
  adit wallet list --wallet-path /mnt/wallets --json
  adit list`
}

// The shapes of the JSON: the names that are there in btcli's list are the same.
type (
	listedWallets struct {
		Wallets []listedWallet `json:"wallets"`
	}
	listedWallet struct {
		listedKey
		Hotkeys []listedKey `json:"hotkeys"`
	}
	listedKey struct {
		Name    string `json:"name"`
		Address string `json:"ss58_address"` // "?" if nothing tells it
		Path    string `json:"path"`         // of the secret
		Form    string `json:"form"`         // see form
		Exposed bool   `json:"exposed"`      // others on this machine may read the secret
		Error   string `json:"error,omitempty"`
	}
)

func listed(s wallet.Status) listedKey {
	k := listedKey{Name: s.Name, Address: s.Address, Path: s.Secret, Form: form(s), Exposed: s.Exposed}
	if k.Address == "" {
		k.Address = "?"
	}
	if s.Err != nil && (s.HasSecret || s.HasPublic) { // a hotkey's machine has no coldkey, and that is good
		k.Error = s.Err.Error()
	}
	return k
}

// Run prints the wallets.
func (c WalletListCommand) Run(t terminal) error {
	all, err := wallet.List(c.WalletPath)
	if err != nil {
		return err
	}
	list := listedWallets{Wallets: []listedWallet{}}
	for _, w := range all {
		if c.WalletName != "" && w.Name != c.WalletName {
			continue
		}
		l := listedWallet{listed(w.Coldkey), []listedKey{}}
		for _, h := range w.Hotkeys {
			l.Hotkeys = append(l.Hotkeys, listed(h))
		}
		list.Wallets = append(list.Wallets, l)
	}
	if c.WalletName != "" && len(list.Wallets) == 0 {
		return subnet.WithHint(fmt.Errorf("there is no wallet %q", c.WalletName), "'adit wallet list' shows those that there are")
	}
	if c.JSON {
		return json.NewEncoder(t.out).Encode(list)
	}
	if len(list.Wallets) == 0 {
		fmt.Fprintf(t.err, "adit: there are no wallets there\nhint: 'adit wallet create' makes one\n")
		return nil
	}
	_, err = io.WriteString(t.out, list.text(outWidth(t)))
	return err
}

// text is the list as a tree, in lines of at most width cells if that is not 0.
// Addresses are never cut: where they do not fit they get lines of their own.
func (l listedWallets) text(width int) string {
	type row struct{ name, address, note, problem string }
	var rows []row
	names, notes := 0, 0
	add := func(indent string, k listedKey) {
		r := row{indent + plainText(k.Name), k.Address, k.Form, plainText(k.Error)}
		if k.Exposed {
			r.note += ", open to others"
		}
		names, notes = max(names, utf8.RuneCountInString(r.name)), max(notes, len(r.note))
		rows = append(rows, r)
	}
	for _, w := range l.Wallets {
		add("", w.listedKey)
		for _, h := range w.Hotkeys {
			add("  ", h)
		}
	}
	const address = 48 // letters at most
	var b strings.Builder
	for _, r := range rows {
		if width > 0 && names+2+address+2+notes > width {
			fmt.Fprintf(&b, "%s  %s\n    %s\n", r.name, r.note, r.address)
		} else {
			fmt.Fprintf(&b, "%-*s  %-*s  %s\n", names, r.name, address, r.address, r.note)
		}
		if r.problem != "" {
			fmt.Fprintf(&b, "    ! %s\n", r.problem)
		}
	}
	return b.String()
}

// plainText quotes a text that would do something to the terminal: anybody may
// have named the file.
func plainText(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	return strconv.Quote(s)
}
