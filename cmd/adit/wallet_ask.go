package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"
)

// console returns the terminal itself, whatever standard input and output are,
// or standard input and error if there is none.
func console(t terminal) (in *os.File, out io.Writer) {
	if runtime.GOOS != "windows" {
		if tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
			return tty, tty
		}
	} else if conin, err := os.OpenFile("CONIN$", os.O_RDWR, 0); err == nil {
		if conout, err := os.OpenFile("CONOUT$", os.O_RDWR, 0); err == nil {
			return conin, conout
		}
		conin.Close()
	}
	if f, ok := t.in.(*os.File); ok {
		return f, t.err
	}
	return os.Stdin, t.err
}

// askHidden asks a person something that is not shown while it is typed.
func askHidden(ctx context.Context, t terminal, question string) ([]byte, error) {
	return ask(ctx, t, question, func(in *os.File, out io.Writer) ([]byte, error) {
		text, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(out) // the person's was not shown
		return text, err
	})
}

// maxAnswer is the longest line that is read from a person, in bytes.
const maxAnswer = 4096

// askLine asks a person something, and returns the line without its end.
func askLine(ctx context.Context, t terminal, question string) (string, error) {
	text, err := ask(ctx, t, question, func(in *os.File, _ io.Writer) ([]byte, error) {
		var line []byte
		for b := make([]byte, 1); len(line) < maxAnswer; {
			n, err := in.Read(b) // no more than this line: the rest may be for others
			if n == 0 && err != nil {
				return line, err
			}
			if b[0] == '\n' {
				break
			}
			line = append(line, b[0])
		}
		return line, nil
	})
	return strings.TrimSpace(string(text)), err
}

// ask asks at the terminal and reads the answer with read, until it is
// interrupted.
func ask(ctx context.Context, t terminal, question string, read func(in *os.File, out io.Writer) ([]byte, error)) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in, out := console(t)
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("ask at the terminal: %w", err)
	}
	fmt.Fprint(out, question)
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 1)
	// Reading from a terminal cannot be interrupted. When the command is, the
	// reader ends with the process.
	go func() {
		text, err := read(in, out)
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		if in != t.in {
			in.Close()
		}
		return a.text, a.err
	case <-ctx.Done():
		_ = term.Restore(fd, before) // it would go on hiding what is typed
		fmt.Fprintln(out)
		return nil, ctx.Err()
	}
}
