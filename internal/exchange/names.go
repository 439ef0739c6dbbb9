package exchange

import (
	"fmt"
	"regexp"
	"strings"

	"adit/internal/subnet"
)

// Revisions are hex digests or names of branches, and come from the chain.
var revisionName = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,253}[A-Za-z0-9])?$`)

func checkRevision(revision string) error {
	if !revisionName.MatchString(revision) || strings.Contains(revision, "..") || strings.Contains(revision, "//") {
		return fmt.Errorf("%q is not a revision: %w", revision, subnet.ErrNotFound)
	}
	return nil
}

// minPrefix is how much of a revision is needed to name it: the commitments on
// chain have room for seven characters.
const minPrefix = 7

// expand returns the one of ids that begins with prefix.
func expand(prefix string, ids []string) (string, error) {
	if len(prefix) < minPrefix {
		return "", fmt.Errorf("revision %q: %w", prefix, subnet.ErrNotFound)
	}
	var found string
	for _, id := range ids {
		if !strings.HasPrefix(id, prefix) || id == found {
			continue
		}
		if found != "" {
			return "", fmt.Errorf("revision %q is ambiguous: %w", prefix, subnet.ErrNotFound)
		}
		found = id
	}
	if found == "" {
		return "", fmt.Errorf("revision %q: %w", prefix, subnet.ErrNotFound)
	}
	return found, nil
}
