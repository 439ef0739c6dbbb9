package templar

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// pureFiles are those of rules: they get time and randomness from their callers,
// and touch nothing.
var pureFiles = []string{
	"aggregator", "ahead", "dataserver", "debug", "env", "generations", "gradient", "gradientread", "hparams", "hparamsfile", "names", "npy", "numpy", "pages", "params", "parts", "peers",
	"penalties", "rates", "rules", "samples", "schedule", "score", "slicecheckpoint", "slicefile", "slices", "weights", "wire",
}

func TestPureFiles(t *testing.T) {
	for _, name := range pureFiles {
		f, err := parser.ParseFile(token.NewFileSet(), name+".go", nil, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, imp := range f.Imports {
			path, err := strconv.Unquote(imp.Path.Value)
			if err != nil || slices.Contains([]string{"os", "net", "net/http", "context", "math/rand", "crypto/rand"}, path) {
				t.Errorf("%s.go imports %s", name, imp.Path.Value)
			}
		}
		// Times may come in; that it is now, nobody here knows. Nor is there a
		// generator of random numbers that a caller has not given.
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := s.X.(*ast.Ident); ok && (pkg.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}, s.Sel.Name) ||
					pkg.Name == "rand" && s.Sel.Name != "Rand") {
					t.Errorf("%s.go uses %s.%s", name, pkg.Name, s.Sel.Name)
				}
			}
			return true
		})
	}
}
