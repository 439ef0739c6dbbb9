package wallet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"adit/internal/subnet"
)

// A Password is the UTF-8 text that a key file is encrypted with. It prints as
// dots.
type Password []byte

// maxPassword is the longest password that is read, in bytes.
const maxPassword = 4 << 10

// Format keeps the password out of what is printed.
func (Password) Format(f fmt.State, _ rune) { io.WriteString(f, "•••") }

// MarshalText keeps the password out of what is logged or saved.
func (Password) MarshalText() ([]byte, error) { return []byte("•••"), nil }

// Wipe overwrites the password.
func (p Password) Wipe() { clear(p) }

// ReadPassword reads a password up to the end of the line or of r, and nothing
// after that: the next line may be another password.
func ReadPassword(r io.Reader) (Password, error) {
	// At its full size from the beginning, so that growing leaves no copies.
	p := make(Password, 0, maxPassword+1)
	for letter := make([]byte, 1); len(p) <= maxPassword; {
		n, err := r.Read(letter)
		if n == 1 && letter[0] != '\n' {
			p = append(p, letter[0])
		}
		if n == 1 && letter[0] == '\n' || err == io.EOF {
			break
		}
		if err != nil {
			p.Wipe()
			return nil, fmt.Errorf("read password: %w", err)
		}
	}
	p = bytes.TrimSuffix(p, []byte("\r"))
	if len(p) == 0 {
		return nil, errors.New("read password: it is empty")
	}
	if len(p) > maxPassword {
		p.Wipe()
		return nil, fmt.Errorf("read password: it is longer than %d bytes", maxPassword)
	}
	return p, nil
}

// PasswordFromFD reads a password from an open file descriptor and closes it,
// but for standard input.
func PasswordFromFD(fd int) (Password, error) {
	if fd == 0 {
		return ReadPassword(os.Stdin)
	}
	f := os.NewFile(uintptr(fd), fmt.Sprintf("file descriptor %d", fd))
	if f == nil {
		return nil, fmt.Errorf("read password: %d is no file descriptor", fd)
	}
	defer f.Close()
	return ReadPassword(f)
}

// PasswordFromFile reads a password from the first line of a file, which may be
// a pipe.
func PasswordFromFile(name string) (Password, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read password: %w", err) // os names the file
	}
	defer f.Close()
	return ReadPassword(f)
}

// CheckPassword returns why a password is too weak to encrypt a new file with:
// the other tools want six letters, and ten bits even if somebody knows which
// letters they are.
func CheckPassword(p Password) error {
	n, letters := 0, make(map[rune]bool)
	for _, r := range string(p) {
		n++
		letters[r] = true
	}
	switch {
	case !utf8.Valid(p):
		return errors.New("the password is not UTF-8 text")
	case n < 6:
		return errors.New("the password is shorter than six letters")
	case float64(n)*math.Log2(float64(len(letters))) < 10:
		return errors.New("the password repeats the same letters")
	}
	return nil
}

// A Prompt asks a person for a password.
type Prompt func(ctx context.Context, question string) (Password, error)

// promptTries is how often a person may mistype.
const promptTries = 3

// Passwords says where the passwords of encrypted files come from. They are
// tried in the order of the fields. The zero value knows the environment only.
type Passwords struct {
	// Given, if not empty, is what a flag or a file descriptor gave: the one
	// password to try.
	Given Password
	// Environ is the environment in the form of os.Environ, which stands in
	// for nil; see [EnvName] for the variables.
	Environ []string
	// Keyring is the operating system's, or nil.
	Keyring Keyring
	// Prompt asks, up to three times, or is nil.
	Prompt Prompt
}

// errNoPassword says that there was nobody to ask.
var errNoPassword = errors.New("no password was given")

// try calls use with one password after another until one opens the file, or
// until use fails for another reason than [ErrPassword].
func (p Passwords) try(ctx context.Context, f Files, use func(Password) error) error {
	if len(p.Given) > 0 {
		return use(p.Given)
	}
	var notes []string // where passwords came from that opened nothing, or why there was none
	failure := errNoPassword
	for _, c := range p.candidates(f) {
		if err := ctx.Err(); err != nil {
			return err
		}
		pw, err := c.read()
		if err != nil {
			notes = append(notes, fmt.Sprintf("%s: %v", c.from, err))
			continue
		}
		if len(pw) == 0 {
			continue
		}
		err = use(pw)
		pw.Wipe()
		if !errors.Is(err, ErrPassword) {
			return err
		}
		failure = ErrPassword
		if note := "from " + c.from; !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	if p.Prompt == nil {
		err := failure
		if len(notes) > 0 {
			err = fmt.Errorf("%w (%s)", failure, strings.Join(notes, "; "))
		}
		return subnet.WithHint(err, "set "+EnvName(f.Secret)+", or run it at a terminal")
	}
	question := fmt.Sprintf("Password of %s %s: ", f.Kind, f.Name())
	for n := 1; ; n++ {
		pw, err := p.Prompt(ctx, question)
		if err != nil {
			return fmt.Errorf("ask for the password: %w", err)
		}
		err = use(pw)
		pw.Wipe()
		if n == promptTries || !errors.Is(err, ErrPassword) {
			return err
		}
		question = fmt.Sprintf("Wrong password of %s %s, try again: ", f.Kind, f.Name())
	}
}

// Choose returns the password that a new file is to be encrypted with: given,
// of the file's own environment variables, or asked for twice. A weak one is
// refused.
func (p Passwords) Choose(ctx context.Context, f Files) (Password, error) {
	if len(p.Given) > 0 {
		return bytes.Clone(p.Given), CheckPassword(p.Given)
	}
	for _, c := range p.environment(f) {
		pw, err := c.read()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.from, err)
		}
		if len(pw) > 0 {
			if err := CheckPassword(pw); err != nil {
				return nil, fmt.Errorf("%s: %w", c.from, err)
			}
			return pw, nil
		}
	}
	if p.Prompt == nil {
		return nil, subnet.WithHint(errNoPassword, "set "+EnvName(f.Secret)+", run it at a terminal, or leave the file unencrypted")
	}
	question := fmt.Sprintf("New password of %s %s: ", f.Kind, f.Name())
	for n := 1; ; n++ {
		pw, err := p.Prompt(ctx, question)
		if err != nil {
			return nil, fmt.Errorf("ask for the password: %w", err)
		}
		err = CheckPassword(pw)
		if err == nil {
			again, aerr := p.Prompt(ctx, "The same again: ")
			if aerr != nil {
				return nil, fmt.Errorf("ask for the password: %w", aerr)
			}
			same := bytes.Equal(pw, again)
			again.Wipe()
			if same {
				return pw, nil
			}
			err = errors.New("the two passwords differ")
		}
		pw.Wipe()
		if n == promptTries {
			return nil, err
		}
		question = strings.ToUpper(err.Error()[:1]) + err.Error()[1:] + ". New password: "
	}
}
