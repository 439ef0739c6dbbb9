package telemetry

import (
	"errors"
	"fmt"
	"os"
)

// An appendFile holds whole records: of one that a full disk cut short, nothing
// is left for readers to stumble over.
type appendFile struct {
	f    *os.File
	size int64 // of the whole records
	torn bool  // there is a part of one behind them
}

// write appends a record.
func (a *appendFile) write(record []byte) error {
	if a.torn {
		if err := a.f.Truncate(a.size); err != nil {
			return fmt.Errorf("cut %s to its last whole record: %w", a.f.Name(), err)
		}
		a.torn = false
	}
	if _, err := a.f.WriteAt(record, a.size); err != nil {
		a.torn = true
		return err
	}
	a.size += int64(len(record))
	return nil
}

// Close makes sure that all is on disk.
func (a *appendFile) Close() error {
	var err error
	if a.torn {
		err = a.f.Truncate(a.size)
	}
	return errors.Join(err, a.f.Sync(), a.f.Close())
}
