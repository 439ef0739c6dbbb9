package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"adit/internal/subnet"
)

// whose is the attribute that names the process of an event.
func whose(name string) slog.Attr { return slog.String("from", name) }

// LogsCommand shows the logs of a network's processes.
type LogsCommand struct {
	dirFlag
	Names  []string `arg:"" optional:"" help:"Processes, such as chain, hub, validator-0, miner-1-0. All, if none is named."`
	Follow bool     `short:"f" help:"Go on as they write."`
	Lines  int      `short:"n" default:"20" help:"How many of the last lines of each."`
}

// Help shows examples.
func (LogsCommand) Help() string {
	return `Examples:
  adit logs
  adit logs -f validator-0
  adit logs -n 100 miner-0-0 miner-0-1`
}

// A logFile is one process's log.
type logFile struct {
	name string
	path string
	read int64 // how far it has been shown
}

// Run prints logs.
func (c LogsCommand) Run(ctx context.Context, t terminal) error {
	files, err := c.files()
	if err != nil {
		return err
	}
	for i := range files {
		if err := files[i].tail(t.out, c.Lines, len(files) > 1); err != nil {
			return err
		}
	}
	for c.Follow {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
		for i := range files {
			if err := files[i].more(t.out, len(files) > 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// files finds the logs that were asked for.
func (c LogsCommand) files() ([]logFile, error) {
	paths, err := filepath.Glob(filepath.Join(c.Dir, "logs", "*.log"))
	if err != nil {
		return nil, err
	}
	var files []logFile
	var names []string
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".log")
		names = append(names, name)
		if len(c.Names) == 0 || slices.Contains(c.Names, name) {
			files = append(files, logFile{name: name, path: path})
		}
	}
	if len(names) == 0 {
		return nil, subnet.WithHint(fmt.Errorf("no logs in %s", c.Dir), "start a network with 'adit up', or name its directory with --dir")
	}
	for _, name := range c.Names {
		if !slices.Contains(names, name) {
			return nil, subnet.WithHint(fmt.Errorf("no process %q", name), "there are "+strings.Join(names, ", "))
		}
	}
	slices.SortFunc(files, func(a, b logFile) int { return cmp.Compare(a.name, b.name) })
	return files, nil
}

// tailBytes is more than the lines that a person looks at.
const tailBytes = 1 << 20

// tail prints the last lines.
func (l *logFile) tail(w io.Writer, lines int, label bool) error {
	info, err := os.Stat(l.path)
	if err != nil {
		return err
	}
	l.read = max(0, info.Size()-tailBytes)
	var last []string
	err = l.each(func(line string) {
		last = append(last, line)
		last = last[max(0, len(last)-max(lines, 0)):]
	})
	for _, line := range last {
		l.print(w, line, label)
	}
	return err
}

// more prints what was written since.
func (l *logFile) more(w io.Writer, label bool) error {
	return l.each(func(line string) { l.print(w, line, label) })
}

func (l *logFile) print(w io.Writer, line string, label bool) {
	if label {
		fmt.Fprintf(w, "%-14s %s\n", l.name, line)
	} else {
		fmt.Fprintln(w, line)
	}
}

// each calls f with every whole line that has not been read.
func (l *logFile) each(f func(line string)) error {
	file, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(l.read, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReader(file)
	for {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil // the rest of the line is yet to come
		} else if err != nil {
			return err
		}
		l.read += int64(len(line))
		f(strings.TrimSuffix(line, "\n"))
	}
}
