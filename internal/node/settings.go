package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"adit/internal/config"
	"adit/internal/exchange"
	"adit/internal/subnet"
)

// configFile is the settings file in a run's directory.
const configFile = "config.yaml"

// Settings are what a run goes by.
type Settings struct {
	Config subnet.Config
	Dir    string // of the run; it need not exist
	File   string // that was read; "" for none
	config.Report
}

// ReadSettings reads the settings that the options name, and finds the run's
// directory. role is "" if none is to be played. With an error, what was read until
// then is returned.
func ReadSettings(o Options, role string) (s Settings, err error) {
	if o.Root == "" {
		if o.Root, err = config.FindRoot(); err != nil {
			return s, err
		}
	}
	s.Config = o.Protocol.NewConfig()
	placed, ok := s.Config.(subnet.Placed)
	set := o.Set
	if o.Path != "" || !ok {
		if s.Dir, s.File, err = config.ResolvePath(o.Path); err != nil {
			return s, err
		}
	} else {
		set = slices.Concat(placed.Unsaid(), set)
	}
	s.Report, err = config.Read(config.Source{Path: s.File, Set: set, Role: role, Root: o.Root}, s.Config)
	if o.Path != "" || !ok {
		return s, err
	}
	if s.Dir = filepath.FromSlash(placed.Directory()); !filepath.IsAbs(s.Dir) {
		s.Dir = filepath.Join(o.Root, s.Dir)
	}
	// Upstream's default settings are those of the program, whatever stands there.
	if _, statErr := os.Stat(filepath.Join(s.Dir, configFile)); statErr == nil {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s is not read: without --path, the defaults count; give --path %s", filepath.Join(s.Dir, configFile), s.Dir))
	}
	return s, err
}

// settle asks the hub for the owner of the token, if the settings need to know.
func settle(ctx context.Context, cfg subnet.Config, role string) error {
	tenant, ok := cfg.(subnet.Tenant)
	if !ok || !tenant.NeedsAccount(role) {
		return nil
	}
	services := cfg.Services()
	name, err := exchange.Whoami(ctx, exchange.Options{HubEndpoint: services.Hub, Token: os.Getenv(services.HubToken)})
	if err != nil {
		return subnet.WithHint(fmt.Errorf("ask the hub whose token it is: %w", err),
			fmt.Sprintf("set hf.checkpoint_repo to the repository to publish in, or put a token with write access into %s", services.HubToken))
	}
	return tenant.Settle(name)
}

// tell emits the warnings.
func (s Settings) tell(emit func(subnet.Event)) {
	for _, w := range s.Warnings {
		emit(subnet.Event{Level: slog.LevelWarn, Kind: "config", Text: w})
	}
}

// ModelDir returns the directory of a base model: the path itself, or, where there
// is no such directory, the newest snapshot of the model of that name in Hugging
// Face's cache.
func ModelDir(path string) (string, error) {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	owner, name, ok := strings.Cut(path, "/")
	if !ok || owner == "" || owner == "." || owner == ".." || name == "" || strings.ContainsAny(name, `/\`) || filepath.IsAbs(path) {
		return path, nil // what is missing is said by whoever opens it
	}
	cache, err := hubCache()
	if err != nil {
		return path, nil
	}
	repo := filepath.Join(cache, "models--"+owner+"--"+name)
	revision, err := os.ReadFile(filepath.Join(repo, "refs", "main"))
	if err != nil {
		return "", subnet.WithHint(fmt.Errorf("base model %s: neither a directory nor in Hugging Face's cache, %s: %w", path, cache, subnet.ErrNotFound),
			"download it: hf download "+path+"; or name the directory that it is in with model.model_path")
	}
	snapshot := strings.TrimSpace(string(revision))
	if !filepath.IsLocal(snapshot) {
		return "", fmt.Errorf("base model %s: %s names no revision", path, filepath.Join(repo, "refs", "main"))
	}
	return filepath.Join(repo, "snapshots", snapshot), nil
}

// hubCache returns where Hugging Face's programs keep what they downloaded.
func hubCache() (string, error) {
	if dir := os.Getenv("HF_HUB_CACHE"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return filepath.Join(dir, "hub"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".cache", "huggingface", "hub"), err
}
