package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type flagged struct {
	Remote bool `yaml:"remote" help:"others too"`
	Net    struct {
		UID   uint16        `yaml:"uid" help:"its number"`
		Wait  time.Duration `yaml:"wait"`
		Key   Secret        `yaml:"key"`
		Nodes []string      `yaml:"nodes"`
	} `yaml:"net"`
	Rate   *float64          `yaml:"rate"`
	Name   string            `yaml:"name"`
	Labels map[string]string `yaml:"labels"`
}

func (flagged) Validate() error { return nil }

func TestFlags(t *testing.T) {
	t.Parallel()
	cfg := &flagged{Name: "me"}
	cfg.Net.UID = 3
	got, err := Flags(cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := []Flag{
		{"remote", "others too", "", "false"},
		{"net.uid", "its number", "N", "3"},
		{"net.wait", "", "90s", "0s"},
		{"net.key", "", "TEXT", ""},
		{"net.nodes", "", "[…]", "[]"},
		{"rate", "", "X", "0.0"},
		{"name", "", "TEXT", "me"},
		{"labels", "", "{…}", "{}"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
}
