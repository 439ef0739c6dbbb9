// Package journal keeps what a run must not lose: its directory, where files
// appear whole or not at all, and its journal, where an act is written down
// before it is carried out. Both outlive a kill at any instruction.
//
// [OpenDir] and [OpenJournal] are on disk, [NewMem] is both in memory for
// simulations, and [Lock] keeps a second process out. The contracts are checked
// by the packages dirtest and journaltest.
//
// In a run's directory:
//
//	adit.version          the layout of all this, so that another one is refused
//	journal.jsonl         the journal, a checksummed record a line; where several
//	                      processes share a directory, journal/NAME/journal.jsonl
//	events.jsonl          what happened, for people and tools; .1 and .2 are older
//	.adit_NAME.lock       held by a running process
//	a/.part_b             the draft of a/b
//	a/.adit_old_b         a/b while a directory takes its place
//	a/.adit_gone_b_…      what is being removed
package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// What the package itself puts beside the files of a run.
const (
	draftPrefix = ".part_"
	ownPrefix   = ".adit_"
	oldPrefix   = ownPrefix + "old_"
	gonePrefix  = ownPrefix + "gone_"

	versionName = "adit.version"
	journalName = "journal.jsonl"
	eventsName  = "events"
)

var errName = errors.New("not a usable file name")

// checkName accepts the names that mean the same file everywhere: relative,
// slash-separated, without "." and "..", and none that is the package's own.
func checkName(name string) error {
	// Of the bytes refused here, backslash and colon would be a separator and a
	// drive on Windows, and a control character has no place in a log line.
	odd := strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == ':' }) >= 0
	if odd || len(name) > 1024 || name == "." || !fs.ValidPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("%q: %w", name, errName)
	}
	for i, element := range strings.Split(name, "/") {
		if hidden(element) || i == 0 && ours(element) || len(element) > 200 {
			return fmt.Errorf("%q: %w", name, errName)
		}
	}
	return nil
}

// checkDir is checkName for a directory to list, which may be the root.
func checkDir(name string) error {
	if name == "" || name == "." {
		return nil
	}
	return checkName(name)
}

// hidden reports whether an entry is a draft or a leftover, in any directory.
func hidden(entry string) bool {
	return strings.HasPrefix(entry, draftPrefix) || strings.HasPrefix(entry, ownPrefix)
}

// ours reports whether an entry of the root is kept by this package and out of
// the reach of whoever uses the directory.
func ours(entry string) bool {
	return entry == versionName || entry == journalName || entry == "journal" ||
		strings.HasPrefix(entry, eventsName+".") && strings.HasSuffix(entry, ".jsonl")
}
