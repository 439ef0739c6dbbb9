package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"adit/internal/protocol"
)

// ProtocolsCommand lists the kinds of network.
type ProtocolsCommand struct {
	JSON bool `help:"Print JSON, one object a line."`
}

// Help shows examples.
func (ProtocolsCommand) Help() string {
	return `A protocol is one kind of network; its rules are the generations of it.

Examples:
  adit protocols
  adit protocols --json`
}

// Run prints the table of protocols.
func (c ProtocolsCommand) Run(t terminal) error {
	if c.JSON {
		out := json.NewEncoder(t.out)
		for _, p := range protocol.All {
			roles := []string{}
			for _, r := range p.Roles {
				roles = append(roles, r.Name)
			}
			err := out.Encode(struct {
				Name    string   `json:"name"`
				Summary string   `json:"summary"`
				Rules   []string `json:"rules"`
				Roles   []string `json:"roles"`
			}{p.Name, p.Summary, append([]string{}, p.Rules...), roles})
			if err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROTOCOL\tSUMMARY\tRULES")
	for _, p := range protocol.All {
		fmt.Fprintf(w, "%s\t%s\t%s\n", p.Name, p.Summary, strings.Join(p.Rules, " "))
	}
	return w.Flush()
}
