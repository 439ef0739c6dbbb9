package wallet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"adit/internal/keys"
	"adit/internal/subnet"
)

func TestCreateAndOpen(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "new", "wallets")
	w, err := At(root, "miner", "default")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Hotkey(); !errors.Is(err, subnet.ErrNotFound) || subnet.Hint(err) == "" {
		t.Errorf("a missing hotkey gives %v", err)
	}
	if _, err := w.ColdkeyPublic(); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("a missing coldkey gives %v", err)
	}

	mnemonic, err := w.CreateColdkey("")
	if err != nil {
		t.Fatal(err)
	}
	cold, err := keys.FromMnemonic(mnemonic)
	if err != nil || strings.Count(mnemonic, " ") != 11 {
		t.Fatalf("new mnemonic %q: %v", mnemonic, err)
	}
	if _, err := w.CreateHotkey("//Alice"); err != nil {
		t.Fatal(err)
	}
	s, err := w.Hotkey()
	if err != nil {
		t.Fatal(err)
	}
	if s.Hotkey() != alice || keys.Address(s.Public()) != alice {
		t.Errorf("hotkey %v", s)
	}
	sig, err := s.Sign(t.Context(), []byte("message"))
	if err != nil || !keys.Verify(s.Public(), []byte("message"), sig) {
		t.Errorf("signature %x, %v", sig, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Sign(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("signing after the end gives %v", err)
	}
	c, err := w.Coldkey()
	if err != nil || c.Public() != cold.Public() {
		t.Errorf("coldkey %v, %v", c, err)
	}
	if got, err := w.ColdkeyPublic(); err != nil || got != cold.Public() {
		t.Errorf("coldkey's public key %x, %v", got, err)
	}

	var names []string
	if err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && runtime.GOOS != "windows" && info.Mode() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		rel, _ := filepath.Rel(root, path)
		names = append(names, filepath.ToSlash(rel))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{"miner/coldkey", "miner/coldkeypub.txt", "miner/hotkeys/default", "miner/hotkeys/defaultpub.txt"}
	if !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	for _, name := range want {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if public := strings.HasSuffix(name, ".txt"); public == (strings.Contains(string(b), "secret") || strings.Contains(string(b), "private")) {
			t.Errorf("%s holds %d bytes that it should not", name, len(b))
		}
	}
}

func TestNeverOverwritten(t *testing.T) {
	t.Parallel()
	w, err := At(t.TempDir(), "c", "h")
	if err != nil {
		t.Fatal(err)
	}
	for name, create := range map[string]func(string) (string, error){"coldkey": w.CreateColdkey, "hotkey": w.CreateHotkey} {
		if _, err := create("//Alice"); err != nil {
			t.Fatal(err)
		}
		if _, err := create("//Bob"); err == nil || subnet.Hint(err) == "" {
			t.Errorf("%s: written twice: %v", name, err)
		}
	}
	if s, err := w.Hotkey(); err != nil || s.Hotkey() != alice {
		t.Errorf("hotkey %v, %v", s, err)
	}
	// A public half alone, of a key that is elsewhere, also stays.
	if err := os.Remove(w.ColdkeyFile()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateColdkey(""); err == nil {
		t.Error("a watched coldkey is overwritten")
	}
	if _, err := os.Lstat(w.ColdkeyFile()); err == nil {
		t.Error("a refused coldkey is left behind")
	}
	for name, write := range map[string]func(string, []byte) error{"link": writeNew, "exclusive": writeExclusive} {
		file := filepath.Join(t.TempDir(), name)
		if err := write(file, []byte("first")); err != nil {
			t.Fatal(err)
		}
		if err := write(file, []byte("second")); err == nil {
			t.Errorf("%s: written twice", name)
		}
		if b, err := os.ReadFile(file); err != nil || string(b) != "first" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

func TestBadSecretLeavesNothing(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	w, err := At(root, "c", "h")
	if err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{"0x12", "three little words", " "} {
		if _, err := w.CreateHotkey(uri); err == nil {
			t.Errorf("%q makes a hotkey", uri)
		}
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestReadErrorsNameTheFile(t *testing.T) {
	t.Parallel()
	w, err := At(t.TempDir(), "c", "h")
	if err != nil {
		t.Fatal(err)
	}
	file := w.HotkeyFile()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"$NACL secret":                    "NaCl",
		pub:                               "public key only",
		strings.Repeat("x", maxFile+1):    "too large",
		`{"secretSeed":"0x12"}`:           "secretSeed",
		`{"ss58Address":"` + alice + `"}`: "public key only",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := w.Hotkey()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%.20q: %v, want … %s …", text, err, want)
		}
	}
}

func TestPublicFallsBackToSecret(t *testing.T) {
	t.Parallel()
	w, err := At(t.TempDir(), "c", "h")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateColdkey("//Alice"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(w.ColdkeyFiles().Public); err != nil {
		t.Fatal(err)
	}
	if got, err := w.ColdkeyPublic(); err != nil || keys.Address(got) != alice {
		t.Errorf("%x, %v", got, err)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "a\x00", "a\n", "c:", "../x", "xpub.txt"} {
		if _, err := At("p", "ok", name); err == nil {
			t.Errorf("hotkey %q is accepted", name)
		}
		if _, err := At("p", name, "ok"); err == nil && name != "xpub.txt" {
			t.Errorf("coldkey %q is accepted", name)
		}
	}
	if _, err := At("p", "my wallet", "größe-1.2"); err != nil {
		t.Error(err)
	}
}

func TestPath(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	for _, tt := range []struct{ env, path, want string }{
		{"", "", filepath.Join(home, ".bittensor", "wallets", "c", "coldkey")},
		{"/elsewhere", "", filepath.FromSlash("/elsewhere/c/coldkey")},
		{"~/w", "", filepath.Join(home, "w", "c", "coldkey")},
		{"/elsewhere", "given", filepath.FromSlash("given/c/coldkey")},
		{"", "~", filepath.Join(home, "c", "coldkey")},
		{"", "~other/w", filepath.FromSlash("~other/w/c/coldkey")},
	} {
		t.Setenv(PathEnv, tt.env)
		w, err := At(tt.path, "c", "h")
		if err != nil {
			t.Fatal(err)
		}
		if w.ColdkeyFile() != tt.want {
			t.Errorf("%+v: %s", tt, w.ColdkeyFile())
		}
	}
}

func TestPrintingTellsNoSecret(t *testing.T) {
	t.Parallel()
	w, err := At(t.TempDir(), "c", "h")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateHotkey(phrase); err != nil {
		t.Fatal(err)
	}
	s, err := w.Hotkey()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s)
	for _, part := range []string{"leopard", seed[10:20], private[10:20], "31 25"} { // the private key's first bytes
		if strings.Contains(text, part) {
			t.Errorf("%s shows a secret", text)
		}
	}
}
