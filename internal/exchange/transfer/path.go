package transfer

import (
	"fmt"
	"io/fs"
	"strings"
)

// CheckPath refuses what is not a plain slash-separated relative path of at most
// 1024 bytes: paths and keys come from other neurons, and end up in URLs and
// directories.
func CheckPath(path string) error {
	if !fs.ValidPath(path) || path == "." || len(path) > 1024 ||
		strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == ':' }) {
		return fmt.Errorf("%q is not a path inside a store", Clip(path))
	}
	return nil
}
