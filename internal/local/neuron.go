package local

import (
	"path/filepath"

	"adit/internal/config"
)

// A Given is what `adit up` gives a neuron besides the config.yaml in its directory.
type Given struct {
	Network, Name string   // the network's directory, and the neuron in it
	Set           []string // KEY=VALUE, which go before those of the file
	Env           []string // NAME=VALUE, with its secrets
}

// GivenTo returns what is given to the neuron in a directory, or nil if that is none
// of a local network's. path may be that of the config.yaml in it.
func GivenTo(path string) (*Given, error) {
	at, _, err := config.ResolvePath(path)
	if err != nil {
		return nil, nil // it has no settings at all
	}
	if at, err = filepath.Abs(at); err != nil {
		return nil, err
	}
	dir := filepath.Dir(filepath.Dir(at))
	p, err := readPlan(dir)
	if p == nil {
		return nil, err
	}
	for _, m := range p.Neurons {
		if p.neuronDir(dir, m) != at {
			continue
		}
		r, err := recipeOf(p.Protocol, p.Rules)
		if err != nil {
			return nil, err
		}
		return &Given{dir, m.Name, r.settings(p, m), r.secrets(p, m)}, nil
	}
	return nil, nil
}
