package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// dotenvFile holds variables of the environment, in the working directory, as
// upstream's programs read it.
const dotenvFile = ".env"

// maxDotenv bounds it, in bytes.
const maxDotenv = 1 << 20

// loadDotenv puts the variables of a file into the environment, where they are not
// set already. Nothing in it is executed or replaced. A file that is not there is
// none.
func loadDotenv(path string) error {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if info.Size() > maxDotenv {
		return fmt.Errorf("%s is longer than %d bytes", path, maxDotenv)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	vars, err := parseDotenv(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, v := range vars {
		if _, set := os.LookupEnv(v[0]); !set {
			if err := os.Setenv(v[0], v[1]); err != nil {
				return fmt.Errorf("%s: %s: %w", path, v[0], err)
			}
		}
	}
	return nil
}

// parseDotenv reads lines of the form NAME=VALUE, "export" before them or not; the
// value may stand in quotes, of which the double ones know \n, \t, \" and \\. What
// follows a # after a blank is a comment. A name that comes twice has its last
// value.
func parseDotenv(text string) ([][2]string, error) {
	var vars [][2]string
	at := make(map[string]int)
	lines := bufio.NewScanner(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	lines.Buffer(nil, maxDotenv)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimSpace(strings.TrimPrefix(line, "export "))
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok || !isVariable(name) {
			return nil, fmt.Errorf("line %d: want NAME=VALUE", n) // not the line: it may be a secret
		}
		value, err := dotenvValue(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", n, name, err)
		}
		if i, again := at[name]; again {
			vars[i][1] = value
			continue
		}
		at[name] = len(vars)
		vars = append(vars, [2]string{name, value})
	}
	return vars, lines.Err()
}

func isVariable(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

func dotenvValue(s string) (string, error) {
	if s == "" || s[0] != '"' && s[0] != '\'' {
		if i := strings.Index(s, " #"); i >= 0 {
			s = strings.TrimSpace(s[:i])
		}
		if strings.HasPrefix(s, "#") {
			s = ""
		}
		return s, nil
	}
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == quote:
			if rest := strings.TrimSpace(s[i+1:]); rest != "" && rest[0] != '#' {
				return "", fmt.Errorf("something follows the closing quote")
			}
			return b.String(), nil
		case s[i] == '\\' && quote == '"' && i+1 < len(s):
			i++
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case '"', '\\', '$':
				b.WriteByte(s[i])
			default:
				b.WriteByte('\\')
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return "", fmt.Errorf("the quote is not closed")
}
