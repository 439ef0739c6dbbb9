package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"adit/internal/config"
	"adit/internal/node"
	"adit/internal/protocol"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// ConfigCommand is about the settings of neurons.
type ConfigCommand struct {
	Create          ConfigCreateCommand    `cmd:"" default:"withargs" aliases:"create_config,create-config" help:"Write a config.yaml with all settings and their defaults."`
	Show            ConfigShowCommand      `cmd:"" help:"Show the settings that are in effect, and where each comes from."`
	Check           ConfigCheckCommand     `cmd:"" help:"Say what is wrong with a config.yaml."`
	CreateDockerEnv ConfigDockerEnvCommand `cmd:"" name:"create_docker_env" aliases:"create-docker-env" help:"Write the .env of a validator's containers."`
}

// ConfigCreateCommand writes a config.yaml.
type ConfigCreateCommand struct {
	Role        string `enum:"miner,validator," default:"" placeholder:"ROLE" help:"miner or validator."`
	GetTemplate string `name:"get_template" aliases:"get-template" enum:"miner,validator," default:"" placeholder:"ROLE" help:"The same, as earlier programs call it."`
	Rules       string `placeholder:"NAME" help:"The generation of the network; the newest of the public one, unless given. 'adit protocols' lists them."`
	ColdkeyName string `name:"coldkey_name" aliases:"coldkey-name" placeholder:"NAME" help:"The wallet."`
	HotkeyName  string `name:"hotkey_name" aliases:"hotkey-name" placeholder:"NAME" help:"Its hotkey."`
	RunName     string `name:"run_name" aliases:"run-name" placeholder:"NAME" help:"What the run is called (foundation)."`
	Out         string `placeholder:"PATH" help:"The directory, or the .yaml file, instead of that by coldkey, hotkey and run."`
	Root        string `env:"ADIT_HOME" placeholder:"DIR" help:"Where checkpoints go; the repository around, or /data in a container, unless given."`
}

// Help shows examples.
func (ConfigCreateCommand) Help() string {
	return `Writes all settings with their defaults and what they are for, into
checkpoints/ROLE/COLDKEY/HOTKEY/RUN/config.yaml. A file that is there stays as it is.

Examples:
  adit config create --role miner --coldkey_name me --hotkey_name hk1
  adit config create --role validator --coldkey_name me --hotkey_name hk1 --run_name first
  adit config create --role miner --rules local --out run`
}

// Run writes the file.
func (c ConfigCreateCommand) Run(t terminal) error {
	role := c.Role
	if role == "" {
		role = c.GetTemplate
	}
	if role == "" {
		return errors.New("--role: say whether it is for a miner or a validator")
	}
	rules := c.Rules
	if rules == "" {
		rules = connito.Live()
	}
	if !slices.ContainsFunc(connito.Generations, func(r connito.Rules) bool { return r.Name == rules }) {
		return subnet.WithHint(fmt.Errorf("--rules: there is no generation %q", rules), "run 'adit protocols' to list them")
	}
	cfg := connito.Defaults(rules, role)
	for _, s := range []struct {
		to    *string
		value string
	}{{&cfg.Chain.ColdkeyName, c.ColdkeyName}, {&cfg.Chain.HotkeyName, c.HotkeyName}, {&cfg.Run.RunName, c.RunName}} {
		if s.value != "" {
			if s.value == "." || s.value == ".." || strings.ContainsAny(s.value, `/\`) {
				return fmt.Errorf("%q is no name: it is one of a directory too", s.value)
			}
			*s.to = s.value
		}
	}
	path, err := c.path(cfg)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := config.WriteAll(path, cfg, fmt.Sprintf("Settings of a %s. 'adit config check --path' says what they lack.", role)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.out, path)
	return err
}

func (c ConfigCreateCommand) path(cfg *connito.Config) (string, error) {
	if ext := strings.ToLower(filepath.Ext(c.Out)); ext == ".yaml" || ext == ".yml" {
		return c.Out, nil
	}
	if c.Out != "" {
		return filepath.Join(c.Out, "config.yaml"), nil
	}
	root := c.Root
	if root == "" {
		var err error
		if root, err = config.FindRoot(); err != nil {
			return "", err
		}
	}
	return filepath.Join(root, filepath.FromSlash(cfg.Directory()), "config.yaml"), nil
}

// A configFlags is what the commands take that read settings.
type configFlags struct {
	Path string   `placeholder:"DIR" help:"The run's directory, or the config.yaml in it; without, the defaults."`
	Set  []string `sep:"none" placeholder:"KEY=VALUE" help:"Replace a setting of the file, for example opt.lr=1e-3. May be given again."`
	settingFlags
}

// read reads the settings for a role, "" for that of the file, and tells of what
// has no effect.
func (f configFlags) read(t terminal) (node.Settings, error) {
	f.remark(t)
	p, _ := protocol.ByName(connito.Protocol.Name)
	s, err := node.ReadSettings(node.Options{Protocol: p, Path: f.Path, Root: f.Root, Set: append(f.settings(), f.Set...)}, "")
	for _, w := range s.Warnings {
		fmt.Fprintf(t.err, "adit: %s\n", w)
	}
	return s, err
}

// ConfigShowCommand shows settings.
type ConfigShowCommand struct {
	configFlags
	JSON bool `help:"Print JSON, one object a line."`
}

// Help shows examples.
func (ConfigShowCommand) Help() string {
	return `Shows each setting as it is in effect, and whether it is a default or where it
was given.

Examples:
  adit config show --path checkpoints/miner/me/hk1/foundation
  adit config show --path run --set opt.lr=1e-3 --json`
}

// Run shows the settings, also those of a file that lacks some.
func (c ConfigShowCommand) Run(t terminal) error {
	s, wrong := c.read(t)
	if s.Config == nil {
		return wrong
	}
	values, err := config.Values(s.Config, s.Report)
	if err != nil {
		return err
	}
	if c.JSON {
		out := json.NewEncoder(t.out)
		for _, v := range values {
			if err := out.Encode(struct {
				Setting string `json:"setting"`
				Value   string `json:"value"`
				From    string `json:"from"`
			}{v.Path, v.Text, v.From}); err != nil {
				return err
			}
		}
		return wrong
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, v := range values {
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Path, short(v.Text), v.From)
	}
	return errors.Join(w.Flush(), wrong)
}

// short is a value that fits a line.
func short(text string) string {
	const longest = 60
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > longest {
		text = string(r[:longest-1]) + "…"
	}
	return text
}

// ConfigCheckCommand checks settings.
type ConfigCheckCommand struct {
	configFlags
}

// Help shows examples.
func (ConfigCheckCommand) Help() string {
	return `Says everything that is wrong with the settings at once, with the line of the file,
and what has no effect. It changes nothing and asks nobody.

Examples:
  adit config check --path checkpoints/miner/me/hk1/foundation
  adit config check --path run/config.yaml`
}

// Run checks.
func (c ConfigCheckCommand) Run(t terminal) error {
	s, err := c.read(t)
	if err != nil {
		return err
	}
	if _, err := subtensor.ParseNetwork(strings.Join(s.Config.Services().Endpoints, ",")); err != nil {
		return fmt.Errorf("chain.network: %w", err)
	}
	name := s.File
	if name == "" {
		name = "the defaults"
	}
	_, err = fmt.Fprintf(t.out, "%s: nothing is wrong\n", name)
	return err
}

// ConfigDockerEnvCommand writes the variables of a validator's containers.
type ConfigDockerEnvCommand struct {
	Path string `required:"" placeholder:"DIR" help:"The validator's directory, or the config.yaml in it."`
	Out  string `placeholder:"FILE" help:"Where they go; standard output, unless given."`
	Root string `env:"ADIT_HOME" placeholder:"DIR" help:"Where checkpoints and expert groups are; the repository around, or /data in a container, unless given."`
}

// Help shows examples.
func (ConfigDockerEnvCommand) Help() string {
	return `Writes the variables that the subnet's docker compose file reads. A file that is
there stays as it is. Tokens are taken from the environment.

Examples:
  adit config create_docker_env --path checkpoints/validator/me/hk1/foundation
  adit config create_docker_env --path checkpoints/validator/me/hk1/foundation --out docker/.env`
}
