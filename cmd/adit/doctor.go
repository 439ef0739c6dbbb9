package main

import (
	"context"
	"fmt"
	"strings"

	"adit/internal/doctor"
	"adit/internal/subnet"
)

// DoctorCommand looks at what a neuron needs.
type DoctorCommand struct {
	Path     string   `placeholder:"DIR" help:"The run's directory, or the config.yaml in it; none means the defaults."`
	Role     string   `enum:"miner,validator," default:"" placeholder:"miner|validator" help:"What it is to be: miner or validator. None means what the settings are for."`
	Protocol string   `placeholder:"NAME" help:"The network's protocol. That of the rules in the settings, if none is given."`
	Set      []string `sep:"none" placeholder:"KEY=VALUE" help:"Replace a setting of the file. May be given again."`
	JSON     bool     `help:"Print JSON."`
	settingFlags
}

// Help shows examples.
func (DoctorCommand) Help() string {
	return `Looks at everything that a neuron needs before its first round: settings, wallet,
machine, chain, registration, clock, hub, model, text, ports, and what the protocol
wants besides. For what is not in order it tells the cause and the cure. It changes
nothing, sends nothing and asks for no password, and the neuron may be running.

The exit status is 1 if anything would keep a round from going well.

Examples:
  adit doctor --path checkpoints/miner/me/hk1/foundation
  adit doctor --path checkpoints/validator/me/hk1/foundation --role validator --json`
}

// Run looks.
func (c DoctorCommand) Run(ctx context.Context, t terminal) error {
	p, err := protocolOf(c.Protocol, c.Path, c.Set)
	if err != nil {
		return err
	}
	set, err := c.about(c.Path, c.Set, t)
	if err != nil {
		return err
	}
	role := map[string]string{"miner": "mine", "validator": "validate"}[c.Role]
	report, err := doctor.Run(ctx, doctor.Options{Protocol: p, Path: c.Path, Root: c.Root, Set: set, Role: role, Version: thisBuild().Version})
	if err != nil {
		return fmt.Errorf("doctor: %w", err)
	}
	if c.JSON {
		err = printJSON(t, report)
	} else {
		_, err = fmt.Fprint(t.out, reportLines(report, marksFor(t)))
	}
	if err == nil && report.Failures > 0 {
		err = fmt.Errorf("doctor: %d of %d checks failed", report.Failures, len(report.Results))
	}
	return err
}

// reportLines is a line for each check, by topic, with the cure below.
func reportLines(r doctor.Report, m marks) string {
	by := map[subnet.State]string{subnet.Good: m.ok, subnet.Dubious: m.warn, subnet.Bad: m.fail, subnet.Skipped: m.skip}
	var b strings.Builder
	topic := ""
	for _, x := range r.Results {
		if x.Topic != topic {
			topic = x.Topic
			fmt.Fprintf(&b, "%s\n", topic)
		}
		fmt.Fprintf(&b, "  %s %s: %s\n", by[x.State], x.Name, plainText(strings.ReplaceAll(x.Text, "\n", "; ")))
		if x.Cure != "" {
			fmt.Fprintf(&b, "    %*s cure: %s\n", len([]rune(m.ok))-1, "", plainText(x.Cure))
		}
	}
	fmt.Fprintf(&b, "\n%d checks: %d in order, %d to think about, %d failed, %d not looked at\n", len(r.Results), r.Good, r.Warnings, r.Failures, r.Skipped)
	return b.String()
}
