package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// VersionCommand tells builds of the program apart.
type VersionCommand struct {
	JSON bool `help:"Print JSON."`
}

// Help shows examples.
func (VersionCommand) Help() string {
	return `Examples:
  adit version
  adit version --json`
}

// A build is what the binary says of itself.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`   // "" if it was not built from a checkout
	Modified bool   `json:"modified"` // the checkout held changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// Run prints the build.
func (c VersionCommand) Run(t terminal) error {
	b := thisBuild()
	if c.JSON {
		return json.NewEncoder(t.out).Encode(b)
	}
	commit := ""
	if b.Commit != "" {
		commit = " commit " + b.Commit
		if b.Modified {
			commit += " with changes"
		}
	}
	_, err := fmt.Fprintf(t.out, "adit %s%s, %s, %s\n", b.Version, commit, b.Go, b.Platform)
	return err
}
