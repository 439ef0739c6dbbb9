package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"adit/internal/local"
)

// about returns the settings of a command that asks about the neuron in a directory:
// what 'adit up' gives it, before the flags and what is set besides.
func (f settingFlags) about(path string, set []string, t terminal) ([]string, error) {
	f.remark(t)
	given, err := localGiven(path, t)
	return slices.Concat(given, f.settings(), set), err
}

// localGiven returns the settings that 'adit up' gives the neuron in a directory on its
// command line, and puts its secrets into the environment, whatever is there: what is
// meant for the real world is not for a local network. For any other directory, or
// none, it does nothing.
func localGiven(path string, t terminal) (set []string, err error) {
	if path == "" {
		return nil, nil
	}
	given, err := local.GivenTo(path)
	if given == nil {
		return nil, err
	}
	for _, e := range given.Env {
		name, value, _ := strings.Cut(e, "=")
		if err := os.Setenv(name, value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	fmt.Fprintf(t.err, "adit: %s of the local network in %s, with the settings and keys that 'adit up' gives it\n", given.Name, given.Network)
	return given.Set, nil
}
