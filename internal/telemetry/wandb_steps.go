package telemetry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A stepFile holds the step at which a run that is resumed goes on: its file has no
// service to ask.
type stepFile string

// wandbSteps returns the file of a run whose directory is under parent/wandb.
func wandbSteps(parent, id string) stepFile {
	return stepFile(filepath.Join(parent, "wandb", "steps-"+id))
}

// read returns the step, 0 for a run that begins.
func (f stepFile) read() (int, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, fmt.Errorf("resume W&B run: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 40)
	if err != nil {
		return 0, fmt.Errorf("resume W&B run: %s holds no step: %w", string(f), err)
	}
	return int(n), nil
}

// write replaces the step in one go.
func (f stepFile) write(step int) error {
	next := string(f) + ".tmp"
	if err := os.WriteFile(next, []byte(strconv.Itoa(step)+"\n"), 0o644); err != nil {
		return fmt.Errorf("note the step of a W&B run: %w", err)
	}
	return os.Rename(next, string(f))
}
