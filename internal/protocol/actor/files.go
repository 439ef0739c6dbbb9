package actor

import (
	"encoding/json"
	"fmt"
	"io"
)

// Write makes a file of the neuron's directory.
func (a *Actor) Write(name string, write func(io.Writer) error) error {
	draft, err := a.Dir.Create(name)
	if err != nil {
		return err
	}
	defer draft.Close()
	if err := write(draft); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return draft.Commit()
}

// ReadJSON fills v from a file of at most a few megabytes.
func (a *Actor) ReadJSON(name string, v any) error {
	data, err := a.Read(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// Read returns a file of at most a few megabytes.
func (a *Actor) Read(name string) ([]byte, error) {
	f, err := a.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const limit = 16 << 20
	data, err := io.ReadAll(io.NewSectionReader(f, 0, min(f.Size(), limit)))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

func (a *Actor) WriteJSON(name string, v any) error {
	return a.Write(name, func(w io.Writer) error {
		_, err := io.WriteString(w, JSON(v))
		return err
	})
}
