package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// options are valid ones.
func options(dir string) Options {
	return Options{Dir: dir, Groups: 2, Miners: 2, Validators: 1, BlockTime: 500 * time.Millisecond, Genesis: 2 * time.Second}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	if err := options("").Validate(); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Groups = 0 }, "--groups"},
		{func(o *Options) { o.Groups = 13 }, "--groups"},
		{func(o *Options) { o.Miners = -1 }, "--miners"},
		{func(o *Options) { o.Miners = 51 }, "--miners"},
		{func(o *Options) { o.Validators = 0 }, "--validators"},
		{func(o *Options) { o.BlockTime = time.Millisecond }, "--block-time"},
		{func(o *Options) { o.Cycles = -1 }, "--cycles"},
		{func(o *Options) { o.Genesis = 0 }, "--genesis"},
		{func(o *Options) { o.Cheats = []string{"nan", "steal"} }, `--cheats: unknown "steal", want some of `},
		{func(o *Options) { o.Data = []string{"a"} }, "--data was given 1 times for 2 groups"},
		{func(o *Options) { o.Groups = 3 }, "--data once for each"},
	} {
		o := options("")
		tt.change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Validate error = %v, want one about %q", err, tt.want)
		}
	}
	if err := (Options{}).Validate(); strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("Validate reports not all at once: %v", err)
	}
}

func TestPlanExtend(t *testing.T) {
	t.Parallel()
	tokens := 0
	token := func() string { tokens++; return fmt.Sprint("token ", tokens) }
	p := &plan{Version: planVersion, Groups: 2}
	connitoRecipe{}.extend(p, Options{Validators: 1, Miners: 1}, token)
	first := []member{
		{Name: "validator-0", Role: "validate", Token: "token 1"},
		{Name: "miner-0-0", Role: "mine", Token: "token 2"},
		{Name: "miner-1-0", Role: "mine", Group: 1, Token: "token 3"},
	}
	if diff := cmp.Diff(first, p.Neurons); diff != "" {
		t.Errorf("the first time (-want +got):\n%s", diff)
	}
	// It grows, and never shrinks; who is there keeps what he has.
	p.Neurons[1].Hotkey = "5F"
	first[1].Hotkey = "5F"
	connitoRecipe{}.extend(p, Options{Validators: 1, Miners: 2, Cheats: []string{"nan", "copy", "nan"}}, token)
	connitoRecipe{}.extend(p, Options{Validators: 1, Miners: 1}, token)
	grown := append(first,
		member{Name: "miner-0-1", Role: "mine", Token: "token 4"},
		member{Name: "miner-1-1", Role: "mine", Group: 1, Token: "token 5"},
		member{Name: "cheat-nan-0", Role: "mine", Cheat: "nan", Token: "token 6"},
		member{Name: "cheat-copy-1", Role: "mine", Group: 1, Cheat: "copy", Token: "token 7"},
		member{Name: "cheat-nan-2", Role: "mine", Cheat: "nan", Token: "token 8"},
	)
	if diff := cmp.Diff(grown, p.Neurons); diff != "" {
		t.Errorf("grown (-want +got):\n%s", diff)
	}
}

func TestPlanFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if p, err := readPlan(dir); p != nil || err != nil {
		t.Errorf("readPlan of an empty directory = %v, %v", p, err)
	}
	p := &plan{Version: planVersion, Groups: 2, Seed: 7, Data: []string{"/x"}, Genesis: time.Second, BlockTime: time.Second,
		ChainPort: 1, HubPort: 2, NetUID: 3, FirstCycle: 4}
	connitoRecipe{}.extend(p, options(dir), func() string { return "secret" })
	for range 2 { // it replaces what is there
		if err := p.save(dir); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readPlan(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 {
		t.Errorf("the directory holds %v, %v", list, err)
	}
	// Tokens are in it.
	if info, err := os.Stat(filepath.Join(dir, planFile)); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("%v may be read by others, %v", info.Mode(), err)
	}
	if err := p.save(filepath.Join(dir, "missing")); err == nil {
		t.Error("saved to a directory that is not there")
	}
}

func TestPlanRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{``, "unexpected end"},
		{`{"version": 1`, "unexpected end"},
		{`[]`, "cannot unmarshal"},
		{`{"version": 99, "groups": 2}`, "made by another version: it has 99, this program writes 1"},
		{`{"version": 1}`, "groups: 0"},
		{`{"version": 1, "groups": 1000000000}`, "groups: 1000000000"},
		{`{"version": 1, "groups": 2, "neurons": [{"name": "../x", "role": "mine"}]}`, `the name "../x"`},
		{`{"version": 1, "groups": 2, "neurons": [{"name": "", "role": "mine"}]}`, `the name ""`},
		{`{"version": 1, "groups": 2, "neurons": [{"name": ".", "role": "mine"}]}`, `the name "."`},
		{`{"version": 1, "groups": 2, "neurons": [{"name": "x", "role": "rob"}]}`, `the role "rob"`},
		{`{"version": 1, "groups": 2, "neurons": [{"name": "x", "role": "mine", "group": 2}]}`, "group 2 of 2"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, planFile)
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(options(dir), nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) || subnet.Hint(err) == "" {
			t.Errorf("%s: Open error = %v, hint %q", tt.text, err, subnet.Hint(err))
		}
		if strings.Contains(tt.text, "99") != errors.Is(err, errOtherVersion) {
			t.Errorf("%s: Open error = %v", tt.text, err)
		}
		list, err := os.ReadDir(dir)
		if text, readErr := os.ReadFile(path); string(text) != tt.text || readErr != nil || len(list) != 1 {
			t.Errorf("%s: the directory was changed: %q, %v, %v", tt.text, text, list, err)
		}
	}
}

func FuzzPlan(f *testing.F) {
	f.Add([]byte(`{"version": 1, "groups": 2, "neurons": [{"name": "x", "role": "mine", "group": 1}]}`))
	f.Add([]byte(`{"version": 1, "groups": 2, "data": ["x"], "chain_port": -1}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, planFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := readPlan(dir)
		if err != nil {
			return
		}
		for _, m := range p.Neurons {
			if rel, err := filepath.Rel(filepath.Join(dir, "neurons"), p.neuronDir(dir, m)); err != nil || rel != m.Name {
				t.Errorf("%q has the directory %q", m.Name, p.neuronDir(dir, m))
			}
		}
		connitoRecipe{}.extend(p, Options{Validators: 1, Miners: 1}, token)
	})
}
