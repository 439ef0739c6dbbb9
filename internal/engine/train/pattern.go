package train

import (
	"fmt"
	"path"
	"strings"

	"adit/internal/subnet"
)

// Match returns which of names the patterns choose. A pattern is a shell's: *
// stands for any run of characters, dots included, ? for one, [0-3] for one of
// these. One that begins with ! takes names away. The last that matches a name
// decides; if the first takes away, all others are chosen to begin with.
//
//	model.layers.*.mlp.*  !*.bias
//
// A pattern that matches no name at all is an error: it is a slip of the pen,
// and what it was to freeze would be trained.
func Match(patterns, names []string) (func(name string) bool, error) {
	chosen := map[string]bool{}
	for i, pattern := range patterns {
		glob, away := strings.CutPrefix(pattern, "!")
		if i == 0 && away {
			for _, name := range names {
				chosen[name] = true
			}
		}
		hits := 0
		for _, name := range names {
			ok, err := path.Match(glob, name)
			if err != nil {
				return nil, fmt.Errorf("pattern %q: %w", pattern, err)
			}
			if ok {
				hits++
				chosen[name] = !away
			}
		}
		if hits == 0 {
			err := fmt.Errorf("pattern %q matches no parameter", pattern)
			if len(names) > 0 {
				err = subnet.WithHint(err, fmt.Sprintf("the model's parameters have names such as %s", names[len(names)/2]))
			}
			return nil, err
		}
	}
	return func(name string) bool { return chosen[name] }, nil
}
