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

	"adit/internal/subnet"
)

func TestEnvVectors(t *testing.T) {
	var v struct {
		Vectors []struct {
			KeyfilePath string `json:"keyfile_path"`
			EnvVar      string `json:"env_var"`
			KeyPrefix   string `json:"key_prefix"`
			Password    string
			Value       string
		}
	}
	load(t, "testdata/env_passwords.json", &v)
	for _, v := range v.Vectors {
		name := v.EnvVar + v.KeyPrefix
		if v.KeyfilePath != "" && runtime.GOOS != "windows" {
			if got := EnvName(v.KeyfilePath); got != v.EnvVar {
				t.Errorf("%s is in %s, want %s", v.KeyfilePath, got, v.EnvVar)
			}
		}
		if strings.HasPrefix(name, "BT_COLD_PW_") {
			f := Files{Kind: coldkey, Wallet: "my-wallet", Secret: "x"}
			got := Passwords{Environ: []string{strings.ToLower(name) + "=" + v.Value}}.candidates(f)
			if len(got) != 1 {
				t.Fatalf("%s: %d candidates", name, len(got))
			}
			if pw, err := got[0].read(); err != nil || string(pw) != v.Password {
				t.Errorf("%s: %q, %v", name, string(pw), err)
			}
			continue
		}
		if got := EnvValue(name, Password(v.Password)); got != v.Value {
			t.Errorf("%s: %s, want %s", name, got, v.Value)
		}
		if got := fromEnvValue(name, v.Value)[0]; string(got) != v.Password {
			t.Errorf("%s: %q, want %s", name, string(got), v.Password)
		}
	}
	if len(v.Vectors) != 5 {
		t.Errorf("%d vectors", len(v.Vectors))
	}
}

// TestEnvOfLibrary2 has a value that version 2.1.3 set.
func TestEnvOfLibrary2(t *testing.T) {
	got := fromEnvValue("BT_PW__W_COLDWALLET_COLDKEY", "2°,# 0-3")
	if len(got) != 2 || string(got[1]) != "pässword" {
		t.Errorf("%q", got)
	}
}

// locked returns the files of an encrypted hotkey of Alice's.
func locked(t *testing.T, password string) Files {
	t.Helper()
	w, err := At(t.TempDir(), "my-wallet", "h")
	if err != nil {
		t.Fatal(err)
	}
	f := w.ColdkeyFiles()
	f.cost = cheap
	k, err := FromURI(0, "//Alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(k, WriteOptions{Password: Password(password)}); err != nil {
		t.Fatal(err)
	}
	return f
}

func answers(all ...string) (Prompt, *[]string) {
	asked := new([]string)
	return func(_ context.Context, question string) (Password, error) {
		*asked = append(*asked, question)
		if len(*asked) > len(all) {
			return nil, errors.New("interrupted")
		}
		return Password(all[len(*asked)-1]), nil
	}, asked
}

type fakeKeyring map[string]string

func (k fakeKeyring) Password(account string) (Password, error) {
	if k == nil {
		return nil, errors.New("no keyring here")
	}
	return Password(k[account]), nil
}
func (k fakeKeyring) SetPassword(account string, p Password) error {
	k[account] = string(p)
	return nil
}
func (k fakeKeyring) Forget(account string) error { delete(k, account); return nil }

// letterwise is what version 2 of the library set the variable to.
func letterwise(name, password string) string {
	letters := []rune(password)
	for i := range letters {
		letters[i] ^= rune(name[i%len(name)])
	}
	return string(letters)
}

func TestPasswordSources(t *testing.T) {
	t.Parallel()
	const right = "pässword 1"
	f := locked(t, right)
	name := EnvName(f.Secret)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(right+"\r\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ring := fakeKeyring{}
	if err := Remember(ring, f, Password(right)); err != nil {
		t.Fatal(err)
	}
	for what, tt := range map[string]struct {
		pw    Passwords
		given []string // to the prompt
		asked int
		want  string // in the error
	}{
		"given":              {pw: Passwords{Given: Password(right)}},
		"given wrong":        {pw: Passwords{Given: Password("x"), Environ: []string{PasswordEnv + "=" + right}}, want: "password is wrong"},
		"for all":            {pw: Passwords{Environ: []string{PasswordEnv + "=" + right}}},
		"mixed":              {pw: Passwords{Environ: []string{name + "=" + EnvValue(name, Password(right))}}},
		"as it is":           {pw: Passwords{Environ: []string{name + "=" + right}}},
		"of library 2":       {pw: Passwords{Environ: []string{name + "=" + letterwise(name, right)}}},
		"last counts":        {pw: Passwords{Environ: []string{name + "=nothing", name + "=" + right}}},
		"of the SDK":         {pw: Passwords{Environ: []string{"bt_cold_pw_MY_wallet=" + right}}},
		"file":               {pw: Passwords{Environ: []string{PasswordFileEnv + "=" + file}}},
		"keyring":            {pw: Passwords{Environ: []string{}, Keyring: ring}},
		"wrong, then right":  {pw: Passwords{Environ: []string{PasswordEnv + "=x", name + "=" + right}}},
		"wrong everywhere":   {pw: Passwords{Environ: []string{PasswordEnv + "=x", name + "=y"}}, want: "from BT_WALLET_PASSWORD; from BT_PW_"},
		"nobody to ask":      {pw: Passwords{Environ: []string{}}, want: "no password was given"},
		"no keyring":         {pw: Passwords{Environ: []string{}, Keyring: fakeKeyring(nil)}, want: "no password was given (the keyring: no keyring here)"},
		"no file":            {pw: Passwords{Environ: []string{PasswordFileEnv + "=" + file + "x"}}, want: "no password was given (" + PasswordFileEnv},
		"prompt":             {pw: Passwords{Environ: []string{}}, given: []string{right}, asked: 1},
		"mistyped":           {pw: Passwords{Environ: []string{}}, given: []string{"x", "", right}, asked: 3},
		"mistyped too often": {pw: Passwords{Environ: []string{}}, given: []string{"x", "y", "z", right}, asked: 3, want: "password is wrong"},
		"interrupted":        {pw: Passwords{Environ: []string{}}, given: []string{}, asked: 1, want: "interrupted"},
		"prompt after wrong": {pw: Passwords{Environ: []string{name + "=x"}}, given: []string{right}, asked: 1},
	} {
		var asked *[]string
		if tt.given != nil {
			tt.pw.Prompt, asked = answers(tt.given...)
		}
		s, err := f.Unlock(t.Context(), tt.pw)
		switch {
		case tt.want == "" && (err != nil || s.Hotkey() != alice):
			t.Errorf("%s: %v, %v", what, s, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want … %s …", what, err, tt.want)
		case err != nil && strings.Contains(err.Error()+subnet.Hint(err), right):
			t.Errorf("%s: the error tells the password: %v", what, err)
		}
		if asked != nil && len(*asked) != tt.asked {
			t.Errorf("%s: asked %q", what, *asked)
		}
	}
	// The variables of coldkeys are not for hotkeys.
	f.Kind = hotkey
	if got := (Passwords{Environ: []string{"BT_COLD_PW_MY_WALLET=" + right}}).PasswordSources(f); len(got) != 0 {
		t.Errorf("sources of a hotkey: %q", got)
	}
	if err := Forget(ring, f); err != nil || len(ring) != 0 {
		t.Errorf("the keyring has %d, %v", len(ring), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Unlock(ctx, Passwords{Environ: []string{PasswordEnv + "=x"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	f := Files{Kind: coldkey, Wallet: "w", Secret: "w"}
	for what, tt := range map[string]struct {
		pw    Passwords
		given []string
		want  string // the password, or, after "!", in the error
	}{
		"given":       {pw: Passwords{Given: Password("long enough")}, want: "long enough"},
		"given weak":  {pw: Passwords{Given: Password("short")}, want: "!shorter than six"},
		"environment": {pw: Passwords{Environ: []string{EnvName("w") + "=" + EnvValue(EnvName("w"), Password("mixed up"))}}, want: "mixed up"},
		"weak there":  {pw: Passwords{Environ: []string{PasswordEnv + "=aaaaaaaa"}}, want: "!repeats"},
		"nobody":      {pw: Passwords{Environ: []string{}}, want: "!no password was given"},
		"twice":       {pw: Passwords{Environ: []string{}}, given: []string{"secret words", "secret words"}, want: "secret words"},
		"differ":      {pw: Passwords{Environ: []string{}}, given: []string{"secret words", "secret word", "other words", "other words"}, want: "other words"},
		"weak":        {pw: Passwords{Environ: []string{}}, given: []string{"x", "y", "\xff\xff\xff\xff\xff\xff"}, want: "!not UTF-8"},
		"interrupted": {pw: Passwords{Environ: []string{}}, given: []string{"secret words"}, want: "!interrupted"},
	} {
		if tt.given != nil {
			tt.pw.Prompt, _ = answers(tt.given...)
		}
		pw, err := tt.pw.Choose(t.Context(), f)
		if want, fails := strings.CutPrefix(tt.want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want … %s …", what, err, want)
			}
		} else if err != nil || string(pw) != want {
			t.Errorf("%s: %q, %v", what, string(pw), err)
		}
	}
}

func TestReadPassword(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"word\n": "word", "word": "word", "two words \r\nrest": "two words ", "": "!", "\n": "!", strings.Repeat("x", maxPassword+1): "!",
	} {
		pw, err := ReadPassword(strings.NewReader(text))
		if (err != nil) != (want == "!") || err == nil && string(pw) != want {
			t.Errorf("%.20q: %q, %v", text, string(pw), err)
		}
	}
	lines := strings.NewReader("one\ntwo")
	for _, want := range []string{"one", "two"} {
		if pw, err := ReadPassword(lines); err != nil || string(pw) != want {
			t.Errorf("%q, %v; want %s", string(pw), err, want)
		}
	}
	if _, err := PasswordFromFD(-1); err == nil {
		t.Error("a descriptor of -1 has a password")
	}
}

func TestPasswordPrintsAsDots(t *testing.T) {
	p := Password("geheim")
	text := fmt.Sprintf("%v %s %q %x %d %#v %+v", p, p, p, p, p, p, struct{ P Password }{p})
	for _, part := range []string{"geheim", "676568", "103 101"} {
		if strings.Contains(text, part) {
			t.Errorf("it prints as %s", text)
		}
	}
	if b, err := p.MarshalText(); err != nil || strings.Contains(string(b), "geheim") {
		t.Errorf("it is saved as %s, %v", b, err)
	}
	p.Wipe()
	if string(p) != "\x00\x00\x00\x00\x00\x00" {
		t.Error("wiped it is still there")
	}
}

func FuzzEnvValue(f *testing.F) {
	f.Add("BT_PW__HOME", "c2ZsZGJp")
	f.Add("X", "plain")
	f.Fuzz(func(t *testing.T, name, value string) {
		if name == "" {
			return // every name has a prefix
		}
		as := func(pw Password) bool { return string(pw) == value }
		if !slices.ContainsFunc(fromEnvValue(name, value), as) {
			t.Errorf("%q is not taken as it is", value)
		}
		if got := fromEnvValue(name, EnvValue(name, Password("pässword")))[0]; string(got) != "pässword" {
			t.Errorf("with %q: %q", name, string(got))
		}
	})
}
