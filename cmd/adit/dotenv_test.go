package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDotenv(t *testing.T) {
	t.Parallel()
	got, err := parseDotenv("\ufeff# tokens\n\nHF_TOKEN=hf_x # mine\nexport AUTH_TOKEN = 'a #b' # c\r\nEMPTY=\nHASH=#none\nURL=http://x/#y\n" +
		`Q="a\n\"b\" \$HOME \q"` + "\nS='$(rm) \\n'\nHF_TOKEN=hf_y\n_1=2")
	if err != nil {
		t.Fatal(err)
	}
	want := [][2]string{{"HF_TOKEN", "hf_y"}, {"AUTH_TOKEN", "a #b"}, {"EMPTY", ""}, {"HASH", ""}, {"URL", "http://x/#y"},
		{"Q", "a\n\"b\" $HOME \\q"}, {"S", `$(rm) \n`}, {"_1", "2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, tt := range []struct{ in, want string }{
		{"A=1\nsecret", "line 2: want NAME=VALUE"}, {"1A=x", "line 1: want NAME=VALUE"}, {"=x", "line 1: want NAME=VALUE"}, {"a-b=x", "line 1"},
		{`A="x`, "line 1: A: the quote is not closed"}, {`A='x' y`, "line 1: A: something follows the closing quote"},
	} {
		if _, err := parseDotenv(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %s", tt.in, err, tt.want)
		}
	}
}

// What is set already goes before the file.
func TestLoadDotenv(t *testing.T) {
	file := filepath.Join(t.TempDir(), dotenvFile)
	if err := loadDotenv(file); err != nil {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(file, []byte("ADIT_TEST_SET=file\nADIT_TEST_EMPTY=file\nADIT_TEST_NEW=file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ADIT_TEST_SET", "environment")
	t.Setenv("ADIT_TEST_EMPTY", "")
	t.Setenv("ADIT_TEST_NEW", "") // to have it removed again
	os.Unsetenv("ADIT_TEST_NEW")
	if err := loadDotenv(file); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"ADIT_TEST_SET": "environment", "ADIT_TEST_EMPTY": "", "ADIT_TEST_NEW": "file"} {
		if got := os.Getenv(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("#", maxDotenv+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := loadDotenv(file); err == nil {
		t.Error("a file without an end was read")
	}
}

func FuzzParseDotenv(f *testing.F) {
	f.Add("A=1\nexport B='x'\n#c\nC=\"\\n\"")
	f.Add("\ufeffA=\"")
	f.Fuzz(func(t *testing.T, text string) {
		vars, err := parseDotenv(text)
		for _, v := range vars {
			if err != nil || !isVariable(v[0]) {
				t.Errorf("%q, %v", v, err)
			}
		}
	})
}
