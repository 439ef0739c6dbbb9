package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"adit/internal/config"
	"adit/internal/protocol"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// withSettings replaces flags by the --set that they stand for: whoever runs or
// examines a neuron may give each setting of its protocol by its path, as in
// "adit mine templar --netuid 3 --wallet.name me". Dashes stand for underscores too.
// Where the command has a flag of that name, the flag goes before; one that is on or
// off, such as --debug, is both.
//
// The command's help shows the settings from then on, and what it says of unknown
// flags knows them.
func withSettings(root *kong.Node, args []string) ([]string, error) {
	node, rest := root, args
	for len(rest) > 0 && child(node, rest[0]) != nil {
		node, rest = child(node, rest[0]), rest[1:]
	}
	cfg := configOf(node, rest)
	if cfg == nil {
		return args, nil
	}
	settings, err := config.Flags(cfg)
	if err != nil {
		return nil, err
	}
	shown := len(settings)
	if t, ok := cfg.(subnet.Translator); ok {
		for _, path := range t.Foreign() {
			settings = append(settings, config.Flag{Path: path, Value: "TEXT"})
		}
	}
	out := slices.Clone(args[:len(args)-len(rest)])
	for i := 0; i < len(rest); i++ {
		arg := rest[i]
		if arg == "--" {
			out = append(out, rest[i:]...)
			break
		}
		name, value, given := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		s, off, ok := findFlag(settings, name)
		own := ownFlag(node, name) != nil
		if !strings.HasPrefix(arg, "--") || !ok || own && (s.Value != "" || off) {
			out = append(out, arg)
			continue
		}
		switch {
		case s.Value == "" && !given:
			value = fmt.Sprint(!off)
		case !given:
			if i++; i == len(rest) {
				return nil, fmt.Errorf("--%s: expected a value, as in --%s=%s", name, name, s.Value)
			}
			value = rest[i]
		}
		if own {
			out = append(out, arg)
		}
		out = append(out, "--set="+s.Path+"="+value)
	}
	showSettings(node, settings[:shown])
	return out, nil
}

// configOf returns the settings that the flags of a command may name, or nil.
func configOf(node *kong.Node, args []string) subnet.Config {
	name := ""
	switch path := node.Path(); path {
	case "mine", "validate":
		i := slices.IndexFunc(args, func(a string) bool { _, ok := protocol.ByName(a); return ok })
		if i >= 0 {
			name = args[i]
		}
	case "doctor":
		if p, err := protocolOf(typed(args, "--protocol"), typed(args, "--path"), nil); err == nil {
			name = p.Name
		}
	case "model-io":
		name = "connito"
	}
	p, ok := protocol.ByName(name)
	if !ok {
		return nil
	}
	return p.NewConfig()
}

// typed returns the value of the last flag of a name, which begins with dashes.
func typed(args []string, name string) (value string) {
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			value = v
		} else if a == name && i+1 < len(args) {
			value = args[i+1]
		}
	}
	return value
}

// protocolOf returns the protocol of a name. Without one, it is that whose rules the
// settings name, or Connito: what else is wrong with them is said by who reads them.
func protocolOf(name, path string, set []string) (subnet.Protocol, error) {
	if name != "" {
		p, ok := protocol.ByName(name)
		if !ok {
			return p, subnet.WithHint(fmt.Errorf("unknown protocol %q", name), "run 'adit protocols' to list them")
		}
		return p, nil
	}
	from := config.Source{Set: set}
	if path != "" {
		// A file that is not there names no rules.
		_, from.Path, _ = config.ResolvePath(path)
	}
	rules, _ := from.Given("rules")
	rules, _, _ = strings.Cut(rules, "/")
	for _, p := range protocol.All {
		if slices.Contains(p.Rules, rules) {
			return p, nil
		}
	}
	return connito.Protocol, nil
}

// findFlag returns the setting that a flag names, and whether it says no to it.
func findFlag(settings []config.Flag, name string) (s config.Flag, off, ok bool) {
	for _, off := range []bool{false, true} {
		path := strings.ReplaceAll(name, "-", "_")
		if off {
			path = strings.TrimPrefix(path, "no_")
		}
		i := slices.IndexFunc(settings, func(s config.Flag) bool { return s.Path == path && (!off || s.Value == "") })
		if i >= 0 {
			return settings[i], off, true
		}
	}
	return config.Flag{}, false, false
}

// ownFlag returns the flag that a command itself has by a name, or nil. One that it
// does not show is there for protocols that have no such setting.
func ownFlag(node *kong.Node, name string) *kong.Flag {
	for _, flags := range node.AllFlags(true) {
		for _, f := range flags {
			if f.Name == name || slices.Contains(f.Aliases, name) || f.Tag.Negatable != "" && name == "no-"+f.Name {
				return f
			}
		}
	}
	return nil
}

// showSettings adds settings to the flags of a command, for people to read: what is
// parsed was replaced before.
func showSettings(node *kong.Node, settings []config.Flag) {
	group := &kong.Group{Key: "settings", Title: "Settings, which may be in config.yaml too"}
	for _, s := range settings {
		if ownFlag(node, s.Path) != nil {
			continue
		}
		help := s.Help
		if s.Default != "" && s.Default != "false" && s.Default != "[]" && s.Default != "{}" {
			help = strings.TrimSpace(help + " (" + s.Default + ")")
		}
		value := &kong.Value{Name: s.Path, Help: help, OrigHelp: help, Tag: &kong.Tag{}, Target: reflect.ValueOf(new(string)).Elem()}
		if s.Value == "" {
			value.Target = reflect.ValueOf(new(bool)).Elem()
		}
		value.Mapper = kong.MapperFunc(func(*kong.DecodeContext, reflect.Value) error {
			return fmt.Errorf("--%s: give it as --set %s=VALUE here", s.Path, s.Path)
		})
		value.Flag = &kong.Flag{Value: value, Group: group, PlaceHolder: s.Value, Hidden: help == ""}
		node.Flags = append(node.Flags, value.Flag)
	}
}
