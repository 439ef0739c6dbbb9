//go:build !unix && !windows

package pretrained

import (
	"errors"
	"os"
)

// mapView says that files cannot be mapped here; they are read instead.
func mapView(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapView([]byte) error { return nil }
