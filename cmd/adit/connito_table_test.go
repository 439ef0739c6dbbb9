package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"adit/internal/protocol"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"

	"github.com/alecthomas/kong"
)

// A known says whether the program has a name of a section of docs/connito.md.
type known func(name string) bool

// sources returns the text of a package's program files.
func sources(t *testing.T, dirs ...string) string {
	t.Helper()
	var text bytes.Buffer
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if name := e.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
				data, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				text.Write(data)
			}
		}
	}
	return text.String()
}

// commandsAndFlags returns all that a person can type.
func commandsAndFlags(t *testing.T) known {
	var cli CLI
	parser, err := kong.New(&cli, kong.Vars{"networkdir": "x"})
	if err != nil {
		t.Fatal(err)
	}
	typed := make(map[string]bool)
	aliases := regexp.MustCompile(` \([^)]*\)`)
	for _, c := range parser.Model.Leaves(false) {
		path := aliases.ReplaceAllString(c.Path(), "")
		typed[path] = true
		for _, a := range c.Aliases {
			typed[path[:strings.LastIndexByte(path, ' ')+1]+a] = true
		}
		for _, group := range c.AllFlags(false) {
			for _, f := range group {
				typed["--"+f.Name] = true
				for _, a := range f.Aliases {
					typed["--"+a] = true
				}
			}
		}
	}
	return func(name string) bool { return typed[name] }
}

// settings returns the names that a file of settings may hold.
func settingNames(t *testing.T) known {
	sheet, err := os.ReadFile("../../internal/config/testdata/connito/sheet.txt")
	if err != nil {
		t.Fatal(err)
	}
	own := sources(t, "../../internal/protocol/connito")
	c := connito.NewConfig().(*connito.Config)
	return func(name string) bool {
		_, foreign := c.Translate(name, "1")
		return foreign || strings.Contains(own, `yaml:"`+name+`"`) || regexp.MustCompile(`(?m)^\S+ +`+regexp.QuoteMeta(name)+` `).Match(sheet)
	}
}

// TestConnitoTable holds docs/connito.md to the truth: what it names, the program
// has, unless the row says absent; and the tests that it names there are.
func TestConnitoTable(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/connito.md")
	if err != nil {
		t.Fatal(err)
	}
	p, _ := protocol.ByName("connito")
	program := sources(t, "../../internal/protocol/connito", "../../internal/node", "../../internal/telemetry", ".")
	said := func(name string) bool { return strings.Contains(program, name) }
	of := map[string]known{
		"Programs and flags": func(name string) bool {
			// --get_template is understood before flags are.
			return commandsAndFlags(t)(name) || name == "--get_template" && said(name)
		},
		"Settings":    settingNames(t),
		"Environment": func(name string) bool { return said(name) },
		"Phases and generations": func(name string) bool {
			return said(`"`+name+`"`) || said("GET "+name) || said(name+`"`) || slices.Contains(p.Rules, name)
		},
		"Files":                 said,
		"Commitments":           func(name string) bool { return strings.Contains(name, " ") || name == "assignment" || name == "signature" || said(`json:"`+name) },
		"The checkpoint server": said,
		"Log lines":             said,
		"Metrics and columns": func(name string) bool {
			return slices.ContainsFunc(p.Metrics, func(m subnet.Metric) bool { return m.Name == name }) ||
				slices.ContainsFunc(p.Columns, func(c subnet.Column) bool { return c.Name == name })
		},
		"Statuses": func(name string) bool { return said(`"` + name + `"`) },
		"Ports":    said,
	}
	ticks := regexp.MustCompile("`([^`]+)`")
	var section string
	rows, names := 0, 0
	for line := range strings.Lines(string(page)) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			if section = strings.TrimSpace(title); of[section] == nil {
				t.Errorf("section %q is not checked", section)
			}
		}
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) < 2 || of[section] == nil {
			continue
		}
		rows++
		here := cells[1]
		absent := strings.HasPrefix(here, "absent")
		for _, m := range ticks.FindAllStringSubmatch(cells[0], -1) {
			names++
			silent := strings.HasPrefix(here, "no effect") || strings.HasPrefix(here, "none")
			if has := of[section](m[1]); has == absent && !silent {
				t.Errorf("%s: %q: the program has it: %t", section, m[1], has)
			}
		}
		tests := ticks.FindAllStringSubmatch(strings.Join(cells[2:], ""), -1)
		if len(tests) == 0 && !absent && !strings.HasPrefix(here, "no effect") && !strings.HasPrefix(here, "none") {
			t.Errorf("%s: nothing tests %s", section, cells[0])
		}
		for _, m := range tests {
			if !isTest(t, m[1]) {
				t.Errorf("%s: there is no test %s", section, m[1])
			}
		}
	}
	if rows < 60 || names < 330 {
		t.Errorf("read %d rows with %d names", rows, names)
	}
}

// isTest reports whether there is a test of that name: PACKAGE.TestName, cmd.script/NAME
// or conformance/NAME.
func isTest(t *testing.T, name string) bool {
	t.Helper()
	if script, ok := strings.CutPrefix(name, "cmd.script/"); ok {
		_, err := os.Stat("testdata/script/" + script + ".txtar")
		return err == nil
	}
	if strings.HasPrefix(name, "conformance/") {
		_, err := os.Stat("../../" + name + "/run.sh")
		return err == nil
	}
	pkg, test, _ := strings.Cut(name, ".")
	root := "../../internal"
	if pkg == "cmd" {
		root, pkg = ".", "."
	}
	found := false
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || found || !strings.HasSuffix(path, "_test.go") || filepath.Base(filepath.Dir(path)) != pkg {
			return err
		}
		data, err := os.ReadFile(path)
		found = bytes.Contains(data, []byte("\nfunc "+test+"("))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
