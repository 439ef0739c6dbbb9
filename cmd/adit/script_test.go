package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"adit/internal/node"
	"adit/internal/subnet"
)

func TestMain(m *testing.M) {
	if os.Getenv(runAdit) != "" {
		mortal()
		main()
	}
	// The locks of the runs of tests are none of the user's own.
	if err := os.Setenv("ADIT_STATE", filepath.Join(os.TempDir(), "adit-test-state")); err != nil {
		panic(err)
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
		Setup: func(e *testscript.Env) error {
			e.Setenv("ADIT_STATE", filepath.Join(e.WorkDir, ".state"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": cmdStatus, "binary": cmdBinary, "port": cmdPort, "model": cmdModel, "truncate": cmdTruncate, "chain": cmdChain, "flow": cmdFlow, "neurons": cmdNeurons, "founded": cmdFounded, "hasty": cmdHasty,
		},
	})
}

// cmdStatus is '! status N COMMAND…': the command must end with that status, which
// is not 0.
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if !neg || len(args) < 2 {
		ts.Fatalf("usage: ! status N command...")
	}
	err := ts.Exec(args[1], args[2:]...)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		ts.Fatalf("%v ended with %v", args[1:], err)
	}
	if got := strconv.Itoa(exit.ExitCode()); got != args[0] {
		ts.Fatalf("%v ended with status %s, want %s", args[1:], got, args[0])
	}
}

// cmdBinary is 'binary FILE': a file that is no text.
func cmdBinary(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("\x7fELF\x02\x01\x01\x00\x00\xff"), 0o644))
}

// cmdPort is 'port': a port that is taken until the script ends, in $PORT.
func cmdPort(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv("PORT", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

// TestHelp wants examples in the help of every command.
func TestHelp(t *testing.T) {
	t.Parallel()
	var cli CLI
	parser, err := kong.New(&cli, kong.Vars{"networkdir": "x"})
	if err != nil {
		t.Fatal(err)
	}
	leaves := parser.Model.Leaves(false)
	if len(leaves) < 12 {
		t.Errorf("only %d commands", len(leaves))
	}
	aliases := regexp.MustCompile(` \([^)]*\)`)
	for _, c := range leaves {
		if c.Name == node.RankCommand {
			continue // which only this program types
		}
		var out, errs bytes.Buffer
		args := append(strings.Fields(aliases.ReplaceAllString(c.Path(), "")), "--help")
		if status := run(args, terminal{out: &out, err: &errs}); status != 0 || errs.Len() > 0 {
			t.Errorf("%v: status %d, said %q", args, status, errs.String())
		}
		example := regexp.MustCompile(`Examples:(\n.*)*\n +adit ` + strings.Join(args[:len(args)-1], " "))
		if !example.MatchString(out.String()) {
			t.Errorf("%v shows no example of itself:\n%s", args, out.String())
		}
	}
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
