package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/wallet"
)

func (p *patient) ofWallet() []Check {
	const topic = "wallet"
	return []Check{
		{topic, "wallet", []string{subnet.NeedSettings}, p.walletDir},
		{topic, "coldkey", []string{"wallet"}, p.coldkeyPublic},
		{topic, subnet.NeedHotkey, []string{"wallet"}, p.hotkeyPublic},
		{topic, "hotkey's file", []string{"wallet"}, p.hotkeyFile},
		{topic, "hotkey opens without a password prompt", []string{"hotkey's file"}, p.hotkeyOpens},
		{topic, "permissions of key files", []string{"wallet"}, p.keyPermissions},
	}
}

func (p *patient) walletDir(context.Context) subnet.Finding {
	w, err := wallet.At(p.services.Wallet, p.services.Coldkey, p.services.Hotkey)
	if err != nil {
		return fault(err, "give the wallet's names in the settings")
	}
	dir := filepath.Dir(w.ColdkeyFile())
	if _, err := os.ReadDir(dir); errors.Is(err, fs.ErrNotExist) {
		return subnet.Fault("'adit wallet list' shows the wallets there are; make one with 'adit wallet new-coldkey' and 'adit wallet new-hotkey', or restore it with 'adit wallet regen-coldkey'",
			"there is no wallet %s", dir)
	} else if err != nil {
		return fault(err, "check who owns the wallet")
	}
	p.wallet = w
	return subnet.Fine("%s", dir)
}

func (p *patient) coldkeyPublic(context.Context) subnet.Finding {
	k, err := p.wallet.ColdkeyFiles().PublicKey()
	if errors.Is(err, subnet.ErrNotFound) {
		return subnet.Fault("restore it with 'adit wallet regen-coldkeypub'; the secret may stay on another machine", "%s has no coldkeypub.txt", filepath.Dir(p.wallet.ColdkeyFile()))
	} else if err != nil {
		return fault(err, "restore it with 'adit wallet regen-coldkeypub'")
	}
	p.coldkey = k.Public()
	return subnet.Fine("%s", k.Address())
}

func (p *patient) hotkeyPublic(context.Context) subnet.Finding {
	k, err := p.wallet.HotkeyFiles().PublicKey()
	if errors.Is(err, subnet.ErrNotFound) {
		return subnet.Fault("make it with 'adit wallet new-hotkey', or restore it with 'adit wallet regen-hotkey'", "there is no hotkey %s", p.wallet.HotkeyFile())
	} else if err != nil {
		return fault(err, "restore it with 'adit wallet regen-hotkeypub'")
	}
	p.hotkey, p.me = k.Public(), subnet.Hotkey(k.Address())
	return subnet.Fine("%s", k.Address())
}

func (p *patient) hotkeyFile(context.Context) subnet.Finding {
	files := p.wallet.HotkeyFiles()
	how, err := files.Encryption()
	if errors.Is(err, subnet.ErrNotFound) {
		return subnet.Fault("a neuron signs with it: make it with 'adit wallet new-hotkey', or restore it with 'adit wallet regen-hotkey'", "there is no %s", files.Secret)
	} else if err != nil {
		return fault(err, "check who owns the file")
	}
	if how == wallet.Plain {
		return subnet.Fine("%s is there, in the clear, as is customary", files.Secret)
	}
	return subnet.Fine("%s is there, encrypted", files.Secret)
}

// hotkeyOpens opens the hotkey as a neuron does, and tries it.
func (p *patient) hotkeyOpens(ctx context.Context) subnet.Finding {
	files := p.wallet.HotkeyFiles()
	s, err := files.Unlock(ctx, wallet.Passwords{})
	if err != nil {
		return subnet.Fault(fmt.Sprintf("put its password into the environment, as %s or %s, or write the file in the clear", wallet.PasswordEnv, wallet.EnvName(files.Secret)), "%v", err)
	}
	defer s.Close()
	msg := []byte("adit doctor")
	sig, err := s.Sign(ctx, msg)
	if err != nil || !keys.Verify(s.Public(), msg, sig) {
		return subnet.Fault("restore the hotkey from its phrase", "what it signs does not verify: %v", err)
	}
	return subnet.Fine("it opens, and what it signs verifies")
}

func (p *patient) keyPermissions(context.Context) subnet.Finding {
	if runtime.GOOS == "windows" {
		return subnet.Skip("this system has no such permissions")
	}
	var open []string
	for _, name := range []string{p.wallet.HotkeyFile(), p.wallet.ColdkeyFile()} {
		info, err := os.Stat(name)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			open = append(open, fmt.Sprintf("%s (%04o)", name, info.Mode().Perm()))
		}
	}
	if len(open) > 0 {
		return subnet.Fault("chmod 600 them", "others may read %s", strings.Join(open, ", "))
	}
	return subnet.Fine("only their owner may read them")
}
