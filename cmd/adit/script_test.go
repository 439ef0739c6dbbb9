package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"adit/internal/subnet"
)

func TestMain(m *testing.M) {
	if os.Getenv(runAdit) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"adit": main})
}

// runAdit in the environment makes the test binary the program itself, and so
// of its children.
const runAdit = "ADIT_TEST_RUN"

// TestScripts plays the scripts in testdata/script: command lines, what they
// print, and how they end. UPDATE=1 writes the compared outputs anew.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       os.Getenv("UPDATE") != "",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

func TestSay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err        error
		hint, want string
	}{
		{errors.New("x"), "", "adit: x\n"},
		{errors.New("x"), "do this", "adit: x\nhint: do this\n"},
		{subnet.WithHint(errors.New("x"), "do that"), "do this", "adit: x\nhint: do that\n"},
	} {
		var b bytes.Buffer
		say(terminal{err: &b}, tt.err, tt.hint)
		if b.String() != tt.want {
			t.Errorf("said %q, want %q", b.String(), tt.want)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args string
		want int
	}{
		{"", 0}, {"--help", 0}, {"version --help", 0}, {"version", 0}, {"protocols --json", 0},
		{"versoin", exitUsage}, {"version --jsno", exitUsage}, {"version x", exitUsage},
	} {
		var out, err bytes.Buffer
		if got := run(strings.Fields(tt.args), terminal{out: &out, err: &err}); got != tt.want {
			t.Errorf("adit %s: status %d, want %d; said %q", tt.args, got, tt.want, err.String())
		}
		if (out.Len() == 0) != (tt.want != 0) || (err.Len() == 0) != (tt.want == 0) {
			t.Errorf("adit %s: printed %q, said %q", tt.args, out.String(), err.String())
		}
	}
}

// failing is a writer that is a bug.
type failing struct{}

func (failing) Write([]byte) (int, error) { panic("out of order") }

func TestPanicIsABug(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	status := run([]string{"version"}, terminal{out: failing{}, err: &b})
	if s := b.String(); status != exitFailed || !strings.HasPrefix(s, "adit: this is a bug: out of order\n") || !strings.Contains(s, "\nhint: ") {
		t.Errorf("status %d, said\n%s", status, s)
	}
}
