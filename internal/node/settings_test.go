package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"adit/internal/node"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// named are the settings of a protocol that knows where its runs are.
type named struct {
	Common `yaml:",inline"`
	Run    string `yaml:"run"`
}

// Common has the name that an embedded field needs to be seen.
type Common = settings

func (n *named) Directory() string { return "runs/" + n.Run }
func (n *named) RunName() string   { return n.Run }
func (n *named) Unsaid() []string  { return []string{"steps=3"} }

func namedProtocol(run func(context.Context, subnet.Env) error) subnet.Protocol {
	p := protocol(run)
	p.NewConfig = func() subnet.Config { return &named{settings{DType: "f32"}, "first"} }
	return p
}

// Two directories with one hotkey and one run's name are one run: the second process
// is refused, and told where the first works.
func TestOneRun(t *testing.T) {
	state := t.TempDir()
	t.Setenv("ADIT_STATE", state)
	endpoint := chain(t)
	first, _ := neuron(t, endpoint)
	text, err := os.ReadFile(filepath.Join(first, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	second := t.TempDir()
	if err := os.WriteFile(filepath.Join(second, "config.yaml"), text, 0o600); err != nil { // the wallet's path among it
		t.Fatal(err)
	}
	run := func(dir, role string, do func() error, set ...string) error {
		p := namedProtocol(func(context.Context, subnet.Env) error { return do() })
		bus := newBus(t)
		return node.Run(context.Background(), node.Options{Protocol: p, Role: role, Path: dir, Set: set, Events: bus})
	}
	nothing := func() error { return nil }
	err = run(first, "one", func() error {
		err := run(second, "both", nothing)
		if want := fmt.Sprintf("process %d works in %s: ", os.Getpid(), first); err == nil || !strings.HasPrefix(subnet.Hint(err), want) {
			t.Errorf("the same run in another directory: %v (hint %q), want %q", err, subnet.Hint(err), want)
		}
		return errors.Join(run(second, "two", nothing), run(second, "one", nothing, "run=second"))
	})
	if err != nil {
		t.Errorf("other parts and other runs: %v", err)
	}
	if err := run(second, "both", nothing); err != nil {
		t.Errorf("after the first had ended: %v", err)
	}
}

// Without a path the defaults count, and the run is where they say.
func TestReadSettings(t *testing.T) {
	root := t.TempDir()
	p := namedProtocol(nil)
	s, err := node.ReadSettings(node.Options{Protocol: p, Root: root, Set: []string{"run=other"}}, "one")
	want := filepath.Join(root, "runs", "other")
	if err != nil || s.Dir != want || s.File != "" || s.Config.(*named).Steps != 3 || len(s.Warnings) > 0 {
		t.Errorf("settings = %+v, %v", s, err)
	}
	if err := os.MkdirAll(want, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(want, "config.yaml"), []byte("steps: 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := node.ReadSettings(node.Options{Protocol: p, Root: root, Set: []string{"run=other"}}, "one"); err != nil || s.Config.(*named).Steps != 3 || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "is not read") {
		t.Errorf("settings beside a file = %+v, %v", s, err)
	}
	if s, err := node.ReadSettings(node.Options{Protocol: p, Root: root, Path: want}, "one"); err != nil || s.Config.(*named).Steps != 9 || s.Dir != want {
		t.Errorf("settings of the file = %+v, %v", s, err)
	}
	if s, err := node.ReadSettings(node.Options{Protocol: connito.Protocol, Root: root, Set: []string{"chain.coldkey_name=me", "run.run_name=r"}}, "validate"); err == nil ||
		s.Dir != filepath.Join(root, "checkpoints", "validator", "me", "template_hotkey_name", "r") || s.Config.(*connito.Config).Rules != connito.Live() {
		t.Errorf("a validator's defaults: %s, %v", s.Dir, err)
	}
}

func TestModelDir(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("HF_HUB_CACHE", "")
	t.Setenv("HF_HOME", cache)
	there := filepath.Join(cache, "hub", "models--org--name")
	if err := os.MkdirAll(filepath.Join(there, "refs"), 0o755); err != nil {
		t.Fatal(err)
	}
	ref := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(there, "refs", "main"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ref("abc\n")
	for in, want := range map[string]string{
		cache: cache, "no-such": "no-such", "./no/such": "./no/such", "org/name": filepath.Join(there, "snapshots", "abc"), "../name": "../name",
	} {
		if got, err := node.ModelDir(in); err != nil || got != want {
			t.Errorf("ModelDir(%s) = %s, %v, want %s", in, got, err, want)
		}
	}
	if _, err := node.ModelDir("org/other"); !errors.Is(err, subnet.ErrNotFound) || !strings.Contains(subnet.Hint(err), "hf download org/other") {
		t.Errorf("a model that is not there: %v (hint %q)", err, subnet.Hint(err))
	}
	ref("../../../../etc")
	if got, err := node.ModelDir("org/name"); err == nil || bytes.Contains([]byte(got), []byte("etc")) {
		t.Errorf("a revision that leads elsewhere: %s, %v", got, err)
	}
}
