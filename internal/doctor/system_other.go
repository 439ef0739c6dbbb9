//go:build !linux && !darwin

package doctor

import (
	"errors"
	"fmt"
)

func writable(string) error { return nil } // found out when it is written

func untold() error { return fmt.Errorf("not told by this system: %w", errors.ErrUnsupported) }

func diskSpace(string) (uint64, error)        { return 0, untold() }
func freeInodes(string) (uint64, bool, error) { return 0, false, untold() }
func fileLimit() (uint64, error)              { return 0, untold() }
func memory() (uint64, error)                 { return 0, untold() }
