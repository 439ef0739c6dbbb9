package doctor

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"adit/internal/config"
	"adit/internal/protocol"
)

// TestNames holds the names of settings in the cures to the settings that there are.
func TestNames(t *testing.T) {
	for _, p := range protocol.All {
		cfg := p.NewConfig()
		settings, err := config.Flags(cfg)
		if err != nil {
			t.Fatal(err)
		}
		names := reflect.ValueOf(cfg.Services().Names)
		for i := range names.NumField() {
			name, field := names.Field(i).String(), names.Type().Field(i).Name
			if name == "" && strings.HasPrefix(field, "Axon") || strings.HasSuffix(name, "hparams.json") {
				continue // not every network has one, and that is a file of its own
			}
			if !slices.ContainsFunc(settings, func(f config.Flag) bool { return f.Path == name }) {
				t.Errorf("%s: %s is called %q, and there is no such setting", p.Name, field, name)
			}
		}
	}
}
