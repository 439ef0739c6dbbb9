package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"adit/internal/subnet"
	"adit/internal/telemetry"
)

// A process is a child that is kept running.
type process struct {
	name string
	args []string
	env  []string
	log  string
	// event is told of everything the child reports.
	event func(name string, at time.Time, e subnet.Event)

	mu    sync.Mutex
	state Proc
}

// grace is how long a child may take to end by itself. It leaves a second of
// the five in which the whole network must be gone.
const grace = 4 * time.Second

// Waits between restarts: a child that dies at once is not to eat the machine.
const (
	firstRestart = 500 * time.Millisecond
	lastRestart  = 10 * time.Second
	longLife     = 30 * time.Second // after which a death starts the count anew
)

// run keeps the child running until ctx is done, and then ends it.
func (p *process) run(ctx context.Context) error {
	wait := firstRestart
	for {
		began := time.Now()
		err := p.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > longLife {
			wait = firstRestart
		}
		p.report(subnet.Event{Level: 4, Kind: "died", Text: fmt.Sprintf("process ended (%v), starting it again", err)})
		p.change(func(s *Proc) { s.Running = false; s.Restarts++ })
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, lastRestart)
	}
}

// once runs the child until it ends or ctx is done.
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
	cmd.Stderr = log
	detach(cmd)
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	cmd.Cancel = func() error { return errors.Join(input.Close(), terminate(cmd.Process)) }
	cmd.WaitDelay = grace
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.change(func(s *Proc) {
		s.Name, s.PID, s.Started, s.Running, s.Log = p.name, cmd.Process.Pid, time.Now(), true, p.log
	})
	p.read(output, log)
	return cmd.Wait()
}

// maxLine is the longest report of a child that is read as one.
const maxLine = 1 << 20

// read hands on what the child reports, and writes it to its log for people.
func (p *process) read(output io.Reader, log io.Writer) {
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, maxLine)
	human := telemetry.NewLogWriter(log)
	for lines.Scan() {
		at, e, err := telemetry.ParseJSONLine(lines.Bytes())
		if err != nil {
			fmt.Fprintf(log, "%s\n", lines.Bytes())
			continue
		}
		human.Write(at, e)
		p.event(p.name, at, e)
	}
	_, _ = io.Copy(log, output) // what the scanner would not take
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
	return p.state
}
