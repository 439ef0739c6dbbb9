// Adit mines and validates on decentralized model-training networks of the
// Bittensor kind, and runs whole such networks on one machine.
//
// # What goes where
//
// A command's result goes to standard output, alone, so that it can be piped.
// What asks a person something goes to the terminal itself. Everything else,
// progress and errors alike, goes to standard error; what the program says of
// itself begins with "adit:", in lower case, without a full stop, and advice
// follows on a line that begins with "hint:".
//
// The exit status is 0 if the command did what it was asked, 1 if it failed,
// and 2 if it could not tell what it was asked. The first interrupt or
// termination signal asks the command to finish what must not be left half
// done; the second ends it at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"adit/internal/subnet"
)

func main() {
	t := terminal{os.Stdin, os.Stdout, os.Stderr}
	if err := loadDotenv(dotenvFile); err != nil {
		say(t, err, "mend the file, or start adit in another directory")
		os.Exit(exitUsage)
	}
	os.Exit(run(os.Args[1:], t))
}

// A terminal is what a command reads from and writes to.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

const (
	exitFailed = 1
	exitUsage  = 2
)

func run(args []string, t terminal) (status int) {
	// The only place where a panic stops. Roles have their own supervisor.
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(t.err, "adit: this is a bug: %v\n%s", p, debug.Stack())
			fmt.Fprintf(t.err, "hint: please report it with these lines; what was committed is safe, starting again resumes\n")
			status = exitFailed
		}
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// From the first signal on the next one has its usual effect: the end.
	context.AfterFunc(ctx, stop)

	var cli CLI
	helped := false // kong has printed the help, and goes on parsing
	parser, err := kong.New(&cli,
		kong.Name("adit"),
		kong.Description("Mine and validate on decentralized training networks, and run whole ones on this machine.\n\n"+
			"The commands of earlier programs are there by their names too: overview, metagraph, inspect, weights, set_weights, list, "+
			"transfer, register, stake, unstake, new_coldkey, new_hotkey, regen_coldkey, regen_hotkey."),
		kong.Writers(t.out, t.err),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.Vars{"networkdir": defaultDir()},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(t),
	)
	if err != nil {
		panic(err) // the struct below is wrong
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	args, err = withSettings(parser.Model.Node, dashed(parser.Model.Node, args))
	if err != nil {
		say(t, err, "run 'adit --help', or 'adit COMMAND --help'")
		return exitUsage
	}
	command, err := parser.Parse(args)
	if helped {
		return 0
	}
	if err != nil {
		say(t, err, "run 'adit --help', or 'adit COMMAND --help'")
		return exitUsage
	}
	if err := command.Run(); err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = errors.New("interrupted")
		}
		say(t, err, "")
		return exitFailed
	}
	return 0
}

// say prints an error and the advice that it carries, or else hint.
func say(t terminal, err error, hint string) {
	fmt.Fprintf(t.err, "adit: %v\n", err)
	if h := subnet.Hint(err); h != "" {
		hint = h
	}
	if hint != "" {
		fmt.Fprintf(t.err, "hint: %s\n", hint)
	}
}
