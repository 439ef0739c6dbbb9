//go:build !unix && !windows

package data

import (
	"errors"
	"os"
)

// mapFile fails: token files are read instead.
func mapFile(*os.File, int64) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapFile([]byte) error { return nil }
