package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"adit/internal/config"
	"adit/internal/protocol/connito"
	"adit/internal/protocol/templar"
	"adit/internal/subnet"

	"github.com/alecthomas/kong"
)

// A known says whether the program has a name of a section of a page.
type known func(name string) bool

// A wordPage is a page that tells of a protocol, word by word, what became of each of
// upstream's names.
type wordPage struct {
	file        string
	of          map[string]known // by sections
	rows, names int              // at least
}

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

// commandsAndFlags returns all that a person can type, or the flags of some commands
// and the names of all.
func commandsAndFlags(t *testing.T, of ...string) known {
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
		if len(of) > 0 && !slices.Contains(of, path) {
			continue
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

// named says whether a protocol has a metric or a column of a name.
func named(p subnet.Protocol) known {
	return func(name string) bool {
		return slices.ContainsFunc(p.Metrics, func(m subnet.Metric) bool { return m.Name == name }) ||
			slices.ContainsFunc(p.Columns, func(c subnet.Column) bool { return c.Name == name })
	}
}

// connitoWords is what docs/connito.md names.
func connitoWords(t *testing.T) wordPage {
	program := sources(t, "../../internal/protocol/connito", "../../internal/node", "../../internal/telemetry", ".")
	said := func(name string) bool { return strings.Contains(program, name) }
	flags := commandsAndFlags(t)
	return wordPage{file: "connito.md", rows: 60, names: 330, of: map[string]known{
		// --get_template is understood before flags are.
		"Programs and flags": func(name string) bool { return flags(name) || name == "--get_template" && said(name) },
		"Settings":           settingNames(t),
		"Environment":        said,
		"Phases and generations": func(name string) bool {
			return said(`"`+name+`"`) || said("GET "+name) || said(name+`"`) || slices.Contains(connito.Protocol.Rules, name)
		},
		"Files": said,
		"Commitments": func(name string) bool {
			return strings.Contains(name, " ") || name == "assignment" || name == "signature" || said(`json:"`+name)
		},
		"The checkpoint server": said,
		"Log lines":             said,
		"Metrics and columns":   named(connito.Protocol),
		"Statuses":              func(name string) bool { return said(`"` + name + `"`) },
		"Ports":                 said,
	}}
}

// templarWords is what docs/templar.md names.
func templarWords(t *testing.T) wordPage {
	dirs := []string{"../../internal/protocol/templar", "../../internal/node", "../../internal/telemetry", "../../internal/exchange/s3", "."}
	program := sources(t, dirs...)
	said := func(name string) bool { return strings.Contains(program, name) }
	typed := commandsAndFlags(t, "mine", "validate")
	settings, err := config.Flags(templar.NewConfig())
	if err != nil {
		t.Fatal(err)
	}
	isObject := func(name string) bool {
		_, err := templar.ParseName(name)
		return err == nil || said(`"`+name) || said(name+`"`)
	}
	return wordPage{file: "templar.md", rows: 60, names: 330, of: map[string]known{
		"Programs and flags": func(name string) bool {
			_, _, is := findFlag(settings, strings.TrimPrefix(name, "--"))
			return typed(name) || is && strings.HasPrefix(name, "--")
		},
		"Environment": func(name string) bool {
			return said(`"`+name+`"`) || said(`"`+name+`,`) || slices.ContainsFunc([]templar.Store{templar.GradientStore, templar.AggregatorStore, templar.DataSetStore},
				func(s templar.Store) bool { return slices.Contains(s.EnvNames(), name) })
		},
		"Generations":            func(name string) bool { return slices.Contains(templar.Protocol.Rules, name) },
		"hparams.json, slices":   jsonPaths(t, templar.SliceHParams{}),
		"hparams.json, sparse":   jsonPaths(t, templar.SparseHParams{}),
		"Objects and files":      isObject,
		"Inside objects":         func(name string) bool { return said(`"`+name+`"`) || said(`"`+name+`,`) },
		"Commitments":            said,
		"Data":                   said,
		"Log lines":              said,
		"Metrics and columns":    named(templar.Protocol),
		"Scores and penalties":   func(name string) bool { return said(`"`+name+`"`) || jsonPaths(t, templar.SparseHParams{})(name) },
		"Ports, hosts and times": said,
	}}
}

// jsonPaths knows the keys of an object, with points between those of nested ones.
func jsonPaths(t *testing.T, v any) known {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	return func(path string) bool {
		var at any = object
		for key := range strings.SplitSeq(path, ".") {
			m, _ := at.(map[string]any)
			next, ok := m[key]
			if !ok {
				return false
			}
			at = next
		}
		return true
	}
}

// TestWordTables holds the pages to the truth: what they name, the program has, unless
// the row says absent; and the tests that they name there are.
func TestWordTables(t *testing.T) {
	t.Parallel()
	tests := allTests(t)
	for _, p := range []wordPage{connitoWords(t), templarWords(t)} {
		t.Run(p.file, func(t *testing.T) { p.check(t, tests) })
	}
}

var ticked = regexp.MustCompile("`([^`]+)`")

func (p wordPage) check(t *testing.T, tests map[string]bool) {
	page, err := os.ReadFile("../../docs/" + p.file)
	if err != nil {
		t.Fatal(err)
	}
	var section string
	rows, names := 0, 0
	for line := range strings.Lines(string(page)) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			if section = strings.TrimSpace(title); p.of[section] == nil {
				t.Errorf("section %q is not checked", section)
			}
		}
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) < 2 || p.of[section] == nil {
			continue
		}
		rows++
		here := cells[1]
		absent := strings.HasPrefix(here, "absent")
		silent := strings.HasPrefix(here, "no effect") || strings.HasPrefix(here, "none")
		if (absent || silent) && !strings.ContainsAny(here, ":,;") {
			t.Errorf("%s: no reason is given for %s", section, cells[0])
		}
		for _, m := range ticked.FindAllStringSubmatch(cells[0], -1) {
			names++
			if has := p.of[section](m[1]); has == absent && !silent {
				t.Errorf("%s: %q: the program has it: %t", section, m[1], has)
			}
		}
		held := ticked.FindAllStringSubmatch(strings.Join(cells[2:], ""), -1)
		if len(held) == 0 && !absent && !silent {
			t.Errorf("%s: nothing tests %s", section, cells[0])
		}
		for _, m := range held {
			if !tests[m[1]] {
				t.Errorf("%s: there is no test %s", section, m[1])
			}
		}
	}
	if rows < p.rows || names < p.names {
		t.Errorf("read %d rows with %d names", rows, names)
	}
}

// allTests returns the names of the project's tests, as the pages have them:
// PACKAGE.TestName, cmd.TestName, cmd.script/NAME or conformance/NAME.
func allTests(t *testing.T) map[string]bool {
	t.Helper()
	tests := make(map[string]bool)
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w*)\(`)
	for _, root := range []string{"../../internal", "."} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			pkg := filepath.Base(filepath.Dir(path))
			if root == "." {
				pkg = "cmd"
			}
			for _, m := range function.FindAllSubmatch(data, -1) {
				tests[pkg+"."+string(m[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for pattern, name := range map[string]string{"testdata/script/*.txtar": "cmd.script/", "../../conformance/*/run.sh": "conformance/"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if strings.HasSuffix(path, "run.sh") {
				path = filepath.Dir(path)
			}
			tests[name+strings.TrimSuffix(filepath.Base(path), ".txtar")] = true
		}
	}
	return tests
}
