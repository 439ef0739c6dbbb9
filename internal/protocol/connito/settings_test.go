package connito

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"reflect"
	"strings"
	"testing"
)

// TestSettingsAreRead wants every setting to be looked at by something besides the
// functions that set and check them: what has no effect belongs into the table of
// foreign settings, which says so.
func TestSettingsAreRead(t *testing.T) {
	t.Parallel()
	idle := map[string]bool{"Validate": true, "defaults": true, "take": true, "unlock": true}
	read := map[string]bool{"GlobalOptInterval": true} // by Choose, as it was written
	pkgs, err := parser.ParseDir(token.NewFileSet(), ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range pkgs["connito"].Files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil || idle[fn.Name.Name] {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					read[s.Sel.Name] = true
				}
				return true
			})
		}
	}
	var walk func(typ reflect.Type, path string)
	walk = func(typ reflect.Type, path string) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			switch {
			case !f.IsExported():
			case f.Type.Kind() == reflect.Struct:
				walk(f.Type, path+f.Name+".")
			case !read[f.Name]:
				t.Errorf("%s%s is read nowhere", path, f.Name)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
}
