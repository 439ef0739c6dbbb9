package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"adit/internal/node"
	"adit/internal/subnet"
	"adit/internal/telemetry"
)

// A process is a child that is kept running.
type process struct {
	name string
	args []string
	env  []string
	log  string
	pace pace
	// vital says that the network cannot do without it.
	vital bool
	// event is told of everything the child reports.
	event func(name string, at time.Time, e subnet.Event)

	mu    sync.Mutex
	state Proc
}

// A pace says how soon a child that died is started again, and how it is ended.
type pace struct {
	first, last time.Duration // waits between restarts, doubled from one to the next
	longLife    time.Duration // after which a death starts the count anew
	deaths      int           // in a row, by its own doing, after which it is given up
	grace       time.Duration // how long it may take to end by itself
}

// usual keeps a child that dies at once from eating the machine, and one that
// cannot live, with a full disk or a setting gone wrong, from dying for ever.
// The grace leaves a second of the five in which the whole network must be gone.
var usual = pace{
	first: 500 * time.Millisecond, last: 10 * time.Second,
	longLife: 30 * time.Second, deaths: 8, grace: 4 * time.Second,
}

// run keeps the child running until ctx is done, and then ends it. If it gives up
// on a vital child, that is an error.
func (p *process) run(ctx context.Context) error {
	wait, deaths := p.pace.first, 0
	for {
		began := time.Now()
		err := p.once(ctx)
		p.change(func(s *Proc) { s.Running = false })
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > p.pace.longLife {
			wait, deaths = p.pace.first, 0
		}
		if !killed(err) {
			deaths++
		}
		if deaths >= p.pace.deaths {
			err = subnet.WithHint(fmt.Errorf("%s ended %d times in a row, at last with: %w", p.name, deaths, err), p.advice(err))
			if p.vital {
				return err
			}
			p.report(subnet.Event{Level: slog.LevelError, Kind: "given-up", Text: "not started again: the network goes on without it",
				Attrs: []slog.Attr{slog.String("error", err.Error()), slog.String("hint", subnet.Hint(err))}})
			return nil
		}
		p.report(subnet.Event{Level: slog.LevelWarn, Kind: "died", Text: "process ended, starting it again",
			Attrs: []slog.Attr{slog.String("error", fmt.Sprint(err)), slog.Duration("wait", wait)}})
		p.change(func(s *Proc) { s.Restarts++ })
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, p.pace.last)
	}
}

// advice is what the child advised, or else where to read on.
func (p *process) advice(err error) string {
	if h := subnet.Hint(err); h != "" {
		return h
	}
	return "its log is " + p.log
}

// killed says whether a process was ended from outside.
func killed(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.ExitCode() == -1
}

// once runs the child until it ends or ctx is done. If it died, the error says
// its last words.
func (p *process) once(ctx context.Context) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.log), 0o755); err != nil {
		return err
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()

	// The child ends when its input does: even if this process is killed.
	cmd := exec.CommandContext(ctx, exe, append(p.args, "--supervised")...)
	cmd.Env = append(os.Environ(), p.env...)
	words := &node.LastWords{To: log}
	cmd.Stderr = words
	detach(cmd)
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	cmd.Cancel = func() error { return errors.Join(input.Close(), terminate(cmd.Process)) }
	cmd.WaitDelay = p.pace.grace
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.change(func(s *Proc) { s.PID, s.Started, s.Running = cmd.Process.Pid, time.Now(), true })
	p.read(output, log)
	if err := cmd.Wait(); err != nil {
		return lastWords(err, words)
	}
	return errors.New("exit status 0")
}

// maxLine is more than the longest report of a child.
const maxLine = 128 << 10

// read hands on what the child reports, and writes it to its log for people.
// What is no report goes to the log as it is.
func (p *process) read(output io.Reader, log io.Writer) {
	r := bufio.NewReaderSize(output, maxLine)
	human := telemetry.NewLogWriter(log)
	for {
		line, err := r.ReadSlice('\n')
		if at, e, parseErr := telemetry.ParseJSONLine(line); parseErr == nil {
			human.Write(at, e)
			p.event(p.name, at, e)
		} else if len(line) > 0 {
			_, _ = log.Write(line)
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				_, _ = io.WriteString(log, "\n") // cut off in the middle
			}
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// lastWords adds to err what a program said of itself at the end.
func lastWords(err error, w *node.LastWords) error {
	said, advice := w.Last()
	if said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	if advice != "" {
		err = subnet.WithHint(err, advice)
	}
	return err
}

func (p *process) report(e subnet.Event) { p.event(p.name, time.Now(), e) }

func (p *process) change(f func(*Proc)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.state)
}

// snapshot returns the process's state.
func (p *process) snapshot() Proc {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	s.Name, s.Log = p.name, p.log
	return s
}
