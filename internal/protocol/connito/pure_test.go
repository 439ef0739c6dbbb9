package connito

import (
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// TestPureFiles checks that the files of rules get time and randomness from their
// callers, and touch nothing.
func TestPureFiles(t *testing.T) {
	for _, name := range []string{
		"aggregator", "assign", "assignmentfile", "blockzero", "bundle", "cohort", "commits", "digest", "doorman", "experts", "generations", "groups",
		"history", "json", "laxity", "merge", "mergewire", "messages", "phaseservice", "roles", "rounds", "rules", "schedule", "score", "seed", "status", "told", "waiting", "weights", "whitelist", "why", "wire", "yaml",
	} {
		f, err := parser.ParseFile(token.NewFileSet(), name+".go", nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, imp := range f.Imports {
			path, err := strconv.Unquote(imp.Path.Value)
			if err != nil || slices.Contains([]string{"time", "os", "net", "net/http", "context", "math/rand"}, path) {
				t.Errorf("%s.go imports %s", name, imp.Path.Value)
			}
		}
	}
}
