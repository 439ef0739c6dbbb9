package wallet

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Environment variables of the newest tools, which serve for every file.
const (
	PasswordEnv     = "BT_WALLET_PASSWORD"      // a password as it is
	PasswordFileEnv = "BT_WALLET_PASSWORD_FILE" // the path of a file with one
)

// EnvName returns the name of the environment variable in which the wallet
// library looks for a key file's password: BT_PW_ and the file's path in
// capitals, with underscores for separators and full stops. Different paths may
// have the same name.
func EnvName(file string) string {
	return "BT_PW_" + strings.ToUpper(strings.Map(func(r rune) rune {
		if r == filepath.Separator || r == '.' {
			return '_'
		}
		return r
	}, file))
}

// EnvValue returns what that variable must be set to: the password combined
// with the name, in base64. Anybody can undo that.
func EnvValue(name string, p Password) string {
	b := mix(p, name)
	defer clear(b)
	return base64.StdEncoding.EncodeToString(b)
}

// fromEnvValue returns what the value of that variable may mean, the likeliest
// first: what [EnvValue] makes; the password as it is, to which many people set
// the variable; and what library 2 made, which combined letters, not bytes, and
// wrote them as they came out. What would have to be an unprintable password is
// left out.
func fromEnvValue(name, value string) []Password {
	var all []Password
	if b, err := base64.StdEncoding.DecodeString(value); err == nil {
		if pw := mix(b, name); printable(pw) {
			all = append(all, pw)
		}
	}
	all = append(all, Password(value))
	letters := []rune(value)
	for i, r := range letters {
		if r > 0xff { // the library made one byte of each letter
			return all
		}
		letters[i] = r ^ rune(name[i%len(name)])
	}
	if pw := Password(string(letters)); printable(pw) {
		all = append(all, pw)
	}
	return all
}

func printable(p Password) bool {
	return utf8.Valid(p) && !strings.ContainsFunc(string(p), unicode.IsControl)
}

func mix(b []byte, name string) Password {
	out := make(Password, len(b))
	for i := range b {
		out[i] = b[i] ^ name[i%len(name)]
	}
	return out
}

// A candidate is a place where a password may be. Reading it returns nothing
// if there is none.
type candidate struct {
	from string
	read func() (Password, error)
}

// candidates lists the places that need no person, in the order in which the
// newest tools look, then those of older ones.
func (p Passwords) candidates(f Files) []candidate {
	all := p.environment(f)
	if p.Keyring != nil {
		all = append(all, candidate{"the keyring", func() (Password, error) { return p.Keyring.Password(account(f)) }})
	}
	return all
}

func (p Passwords) environment(f Files) []candidate {
	environ := p.Environ
	if environ == nil {
		environ = os.Environ()
	}
	var all []candidate
	add := func(from string, pw Password) {
		if len(pw) > 0 && len(pw) <= maxPassword {
			all = append(all, candidate{from, func() (Password, error) { return pw, nil }})
		}
	}
	if v, ok := lookup(environ, PasswordEnv); ok {
		add(PasswordEnv, Password(v))
	}
	// The library takes the path as it was given, so it may be a relative one.
	names := []string{EnvName(f.Secret)}
	if abs, err := filepath.Abs(f.Secret); err == nil && EnvName(abs) != names[0] {
		names = append(names, EnvName(abs))
	}
	for _, name := range names {
		if v, ok := lookup(environ, name); ok {
			for _, pw := range fromEnvValue(name, v) {
				add(name, pw)
			}
		}
	}
	if file, ok := lookup(environ, PasswordFileEnv); ok && file != "" {
		all = append(all, candidate{PasswordFileEnv, func() (Password, error) { return PasswordFromFile(file) }})
	}
	// The SDK from 3 to 7 had a variable for coldkeys, in any case of letters.
	if f.Kind == coldkey {
		name := "BT_COLD_PW_" + strings.ReplaceAll(f.Wallet, "-", "_")
		for _, e := range environ {
			if n, v, ok := strings.Cut(e, "="); ok && strings.EqualFold(n, name) {
				add(n, Password(v))
			}
		}
	}
	return all
}

// lookup returns the last value of a variable, which is the one that counts.
func lookup(environ []string, name string) (value string, ok bool) {
	for _, e := range environ {
		if n, v, cut := strings.Cut(e, "="); cut && n == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// PasswordSources returns the names of what in the environment or the keyring
// would be tried for f, for a person who wonders why it is refused.
func (p Passwords) PasswordSources(f Files) []string {
	var names []string
	for _, c := range p.candidates(f) {
		names = append(names, c.from)
	}
	return names
}
