// Command wallet is the Go half of a check against the wallet library: it
// writes key files and opens those of others. See run.sh.
//
//	wallet write KEY FROM VALUE   writes a key and prints its address
//	wallet watch KEY PUBLIC       writes a public half and prints its address
//	wallet sign KEY TEXT          opens a key, prints its address and a signature
//	wallet verify PUBLIC TEXT HEX prints whether it is the signature
//	wallet export KEY             prints the key as polkadot.js exports it
//	wallet list ROOT              lists the wallets, a key a line
//	wallet env FILE PASSWORD      prints NAME=VALUE for the password of a file
//
// KEY is ROOT/WALLET for a coldkey, ROOT/WALLET/HOTKEY for a hotkey. FROM is
// new with a number of words, and prints the mnemonic too; or mnemonic, uri, hex
// or json with the name of a file. NEW_PASSWORD in the environment encrypts what
// is written or exported, JSON_PASSWORD opens what is imported, and passwords
// of wallets come from the variables that everybody knows. SCHEME=ed25519 makes
// and verifies such keys.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/wallet"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "wallet:", err)
		if hint := subnet.Hint(err); hint != "" {
			fmt.Fprintln(os.Stderr, "hint:", hint)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "write":
		return write(args[1], args[2], args[3])
	case len(args) == 3 && args[0] == "watch":
		return watch(args[1], args[2])
	case len(args) == 3 && args[0] == "sign":
		return sign(args[1], args[2])
	case len(args) == 4 && args[0] == "verify":
		return verify(args[1], args[2], args[3])
	case len(args) == 2 && args[0] == "export":
		return export(args[1])
	case len(args) == 2 && args[0] == "list":
		return list(args[1])
	case len(args) == 3 && args[0] == "env":
		name := wallet.EnvName(args[1])
		fmt.Printf("%s=%s\n", name, wallet.EnvValue(name, wallet.Password(args[2])))
		return nil
	}
	return errors.New("usage: wallet write KEY FROM VALUE | watch KEY PUBLIC | sign KEY TEXT | verify PUBLIC TEXT HEX | export KEY | list ROOT | env FILE PASSWORD")
}

func scheme() keys.Scheme {
	if os.Getenv("SCHEME") == "ed25519" {
		return keys.Ed25519
	}
	return keys.Sr25519
}

// files returns the files of ROOT/WALLET or ROOT/WALLET/HOTKEY, whose ROOT is
// the directory named "wallets".
func files(path string) (wallet.Files, error) {
	dir, name := filepath.Split(filepath.Clean(path))
	if filepath.Base(dir) == "wallets" {
		w, err := wallet.At(dir, name, "default")
		if err != nil {
			return wallet.Files{}, err
		}
		return w.ColdkeyFiles(), nil
	}
	w, err := wallet.At(filepath.Dir(filepath.Clean(dir)), filepath.Base(dir), name)
	if err != nil {
		return wallet.Files{}, err
	}
	return w.HotkeyFiles(), nil
}

func write(path, from, value string) error {
	f, err := files(path)
	if err != nil {
		return err
	}
	var k *wallet.Key
	var mnemonic string
	switch from {
	case "new":
		words, werr := strconv.Atoi(value)
		if werr != nil {
			return werr
		}
		mnemonic, k, err = wallet.New(scheme(), words)
	case "mnemonic":
		k, err = wallet.FromMnemonic(scheme(), value)
	case "uri":
		k, err = wallet.FromURI(scheme(), value)
	case "hex":
		k, err = wallet.FromHex(scheme(), value)
	case "json":
		b, rerr := os.ReadFile(value)
		if rerr != nil {
			return rerr
		}
		k, err = wallet.FromJSON(b, wallet.Password(os.Getenv("JSON_PASSWORD")))
	default:
		return fmt.Errorf("keys are not made from %q", from)
	}
	if err != nil {
		return err
	}
	defer k.Wipe()
	if err := f.Write(k, wallet.WriteOptions{Password: wallet.Password(os.Getenv("NEW_PASSWORD"))}); err != nil {
		return err
	}
	fmt.Println(k.Address())
	if mnemonic != "" {
		fmt.Println(mnemonic)
	}
	return nil
}

func watch(path, public string) error {
	f, err := files(path)
	if err != nil {
		return err
	}
	k, err := wallet.FromPublic(public)
	if err != nil {
		return err
	}
	fmt.Println(k.Address())
	return f.WritePublic(k, false)
}

func sign(path, text string) error {
	f, err := files(path)
	if err != nil {
		return err
	}
	ctx := context.Background()
	s, err := f.UnlockAny(ctx, wallet.Passwords{})
	if err != nil {
		return err
	}
	defer s.Close()
	sig, err := s.Sign(ctx, keys.Message(text))
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%x\n", s.Hotkey(), sig)
	return nil
}

func verify(public, text, digits string) error {
	k, err := wallet.FromPublic(public)
	if err != nil {
		return err
	}
	sig, err := hex.DecodeString(digits)
	if err != nil {
		return err
	}
	fmt.Println(scheme().VerifyWrapped(k.Public(), keys.Message(text), sig))
	return nil
}

func export(path string) error {
	f, err := files(path)
	if err != nil {
		return err
	}
	b, err := f.ExportJSON(context.Background(), wallet.Passwords{}, wallet.Password(os.Getenv("NEW_PASSWORD")))
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", b)
	return nil
}

func list(root string) error {
	all, err := wallet.List(root)
	if err != nil {
		return err
	}
	line := func(name string, s wallet.Status) {
		text := fmt.Sprintf("%s %s %v %s", name, s.Address, s.Scheme, s.Encryption)
		if s.Err != nil {
			text += " broken"
		}
		fmt.Println(text)
	}
	for _, w := range all {
		line(w.Name, w.Coldkey)
		for _, h := range w.Hotkeys {
			line(w.Name+"/"+h.Name, h)
		}
	}
	return nil
}
