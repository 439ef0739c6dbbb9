// Package archtest holds the one rule of this code base that the compiler does
// not check: which way the packages depend on one another.
package archtest

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "adit/internal/"

// allowed lists, for each package under internal, those it may import. A
// package below another belongs to it.
//
//	cmd → L4 → {L3, L2} → L1 → L0
//
// Protocols see the vocabulary and the pure packages, never a package that does
// I/O; those do not see one another, but where this table says so.
var allowed = map[string]string{
	// L0: the vocabulary.
	"subnet": "",
	// L1: formats and rules. No clock, no network.
	"keys":        "subnet",
	"scale":       "subnet",
	"drand":       "subnet scale",
	"ledger":      "subnet keys scale drand",
	"tensor":      "subnet",
	"safetensors": "subnet tensor",
	"torchfile":   "subnet tensor",
	"checkpoint":  "subnet tensor safetensors torchfile",
	"compress":    "subnet tensor",
	"score":       "subnet",
	// L2: what touches the world.
	"wallet":    "subnet keys",
	"subtensor": "subnet keys scale drand",
	"exchange":  "subnet",
	"data":      "subnet",
	"engine":    "subnet tensor safetensors torchfile checkpoint",
	"journal":   "subnet",
	"telemetry": "subnet",
	// L3: the protocols.
	"protocol": "subnet keys tensor safetensors torchfile checkpoint compress score",
	// L4: what puts them together.
	"config": "subnet protocol",
	"node":   "subnet keys tensor safetensors checkpoint wallet subtensor exchange data engine journal telemetry protocol config",
	"doctor": "subnet keys scale safetensors wallet subtensor exchange data engine journal protocol node",
	"local":  "subnet keys scale drand ledger tensor checkpoint wallet subtensor exchange data engine journal telemetry protocol config node",
	"sim":    "subnet keys scale ledger tensor torchfile safetensors checkpoint exchange journal protocol",
	"solo":   "subnet tensor safetensors checkpoint data engine",
	"tui":    "subnet local",
	// L4, too: what measures protocols.
	"wirebench": "subnet compress protocol data engine",
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		from, _, _ := strings.Cut(strings.TrimPrefix(fields[0], module), "/")
		may, known := allowed[from]
		if !known && from != "archtest" {
			t.Errorf("%s has no place in the table of layers", fields[0])
		}
		for _, imp := range fields[1:] {
			rest, ours := strings.CutPrefix(imp, module)
			to, _, _ := strings.Cut(rest, "/")
			if ours && to != from && !strings.Contains(" "+may+" ", " "+to+" ") {
				t.Errorf("%s imports %s: %q may import only %q", fields[0], imp, from, may)
			}
		}
	}
}

// impure lists what the packages of rules may not import: they get time and
// randomness from their callers.
var impure = []string{"time", "os", "net", "net/http", "context"}

func TestPureRules(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`,
		"../keys", "../scale", "../drand", "../ledger", "../tensor", "../safetensors", "../torchfile", "../checkpoint", "../compress", "../score").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		for _, imp := range fields[1:] {
			for _, bad := range impure {
				if imp == bad {
					t.Errorf("%s imports %s", fields[0], imp)
				}
			}
		}
	}
}
