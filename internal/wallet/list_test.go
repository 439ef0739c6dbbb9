package wallet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

func TestList(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes are another matter there")
	}
	root := t.TempDir()
	files := func(wallet, hotkey string) Files {
		w, err := At(root, wallet, hotkey+"x")
		if err != nil {
			t.Fatal(err)
		}
		if hotkey == "" {
			f := w.ColdkeyFiles()
			f.cost = cheap
			return f
		}
		w.hotkey = hotkey
		return w.HotkeyFiles()
	}
	write := func(f Files, uri string, o WriteOptions) {
		t.Helper()
		if err := f.Write(mustKey(t, uri), o); err != nil {
			t.Fatal(err)
		}
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(files("a", ""), "//Alice", WriteOptions{Password: Password("secret")})
	write(files("a", "one"), "//Alice", WriteOptions{})
	write(files("a", "two"), "//Bob", WriteOptions{})
	if err := os.Chmod(files("a", "two").Secret, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := files("a", "watched").WritePublic(mustKey(t, "//Charlie"), false); err != nil {
		t.Fatal(err)
	}
	put(files("b", "").Secret, sealedFiles(t).Vault[0].FileText) // nothing tells its address
	put(files("b", "broken").Secret, `{"secretSeed":"0x12"}`)
	write(files("b", "mixed"), "//Alice", WriteOptions{})
	put(files("b", "mixed").Public, string(publicBody(mustKey(t, "//Bob"))))
	put(files("b", "public").Secret, pub)
	put(filepath.Join(root, "b", "hotkeys", ".DS_Store"), "x")
	if err := os.Mkdir(files("b", "directory").Secret, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(filepath.Join(root, "a file"), "x")
	put(filepath.Join(root, ".hidden", "coldkey"), "x")

	all, err := List(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	line := func(indent string, s Status) {
		text := fmt.Sprintf("%s%s %.6s", indent, s.Name, s.Address)
		for _, mark := range []struct {
			set  bool
			text string
		}{{s.HasSecret, "secret"}, {s.HasPublic, "public"}, {s.Exposed, "exposed"}, {s.Encryption != "", string(s.Encryption)}, {s.Err != nil, "broken"}} {
			if mark.set {
				text += " " + mark.text
			}
		}
		got = append(got, text)
		if s.Err != nil && strings.Contains(s.Err.Error(), "0x12") {
			t.Errorf("%s: %v", s.Name, s.Err)
		}
	}
	for _, w := range all {
		line("", w.Coldkey)
		for _, h := range w.Hotkeys {
			line("  ", h)
		}
	}
	want := []string{
		"a 5Grwva secret public NaCl",
		"  one 5Grwva secret public",
		"  two 5FHneW secret public exposed",
		"  watched 5FLSig public",
		"b  secret Ansible Vault",
		"  broken  secret broken",
		"  directory  secret exposed broken",
		"  mixed 5Grwva secret public broken",
		"  public 5HDvhV secret broken",
		"empty  broken",
	}
	want[6] = strings.Replace(want[6], " exposed", "", 1) // mode 0700
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if _, err := List(filepath.Join(root, "nowhere")); !errors.Is(err, subnet.ErrNotFound) || subnet.Hint(err) == "" {
		t.Errorf("no directory gives %v", err)
	}
	if _, err := List(filepath.Join(root, "a file")); err == nil {
		t.Error("a file is listed")
	}
}
