//go:build !unix

package pretrained

import (
	"errors"
	"os"
)

// lockDir says that directories cannot be locked, as on Windows. What a killed
// process was writing then stays until somebody removes it.
func lockDir(string) (*os.File, error) { return nil, errors.ErrUnsupported }

// syncDir does nothing: NTFS journals its directories.
func syncDir(string) error { return nil }
