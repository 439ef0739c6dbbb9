package main

import (
	"context"
	"fmt"
	"strings"

	"adit/internal/node"
	"adit/internal/subnet"
)

// WhyCommand tells what came of a submission.
type WhyCommand struct {
	Round    string   `arg:"" optional:"" help:"The round's number, as the log has it: the cycle, or the window. None for the newest that is over, 'next' for the next submission."`
	Path     string   `placeholder:"DIR" help:"The directory of a miner or a validator, or the config.yaml in it; none means the defaults."`
	UID      string   `name:"uid" xor:"who" placeholder:"N" help:"Of the neuron whose submission it is; none for the directory's own."`
	Hotkey   string   `xor:"who" placeholder:"ADDRESS" help:"Or its hotkey."`
	Protocol string   `placeholder:"NAME" help:"The network's protocol. That of the rules in the settings, if none is given."`
	Set      []string `sep:"none" placeholder:"KEY=VALUE" help:"Replace a setting of the file. May be given again."`
	JSON     bool     `help:"Print JSON."`
	settingFlags
}

// Help shows examples.
func (WhyCommand) Help() string {
	return `Takes a submission through what decides about its reward, gate by gate, by the
functions with which validators score. Of connito these are its two commitments and
the windows they have to be in, signature, download, hash, tensors, loss against the
baseline's, rank and weights; of templar its bucket, what was uploaded in a window and
whether that was in time and whole, the score with all its parts, and weights. What
only validators know is said to be unknown; in a validator's directory, for a miner's
--uid, its record of the round tells.

'adit why next' does the same before the fact, with what there is so far.
Nothing is changed or sent, and the neuron may be running.

Examples:
  adit why --path checkpoints/miner/me/hk1/foundation
  adit why next --path checkpoints/miner/me/hk1/foundation
  adit why 16162 --path checkpoints/validator/me/hk1/foundation --uid 17
  adit why --path templar/me/V1 --uid 17`
}

// Run explains.
func (c WhyCommand) Run(ctx context.Context, t terminal) error {
	p, err := protocolOf(c.Protocol, c.Path, c.Set)
	if err != nil {
		return err
	}
	set, err := c.about(c.Path, c.Set, t)
	if err != nil {
		return err
	}
	x, err := node.Explain(ctx, node.Options{Protocol: p, Path: c.Path, Root: c.Root, Set: set}, subnet.ExplainOptions{Round: c.Round, Who: c.UID + c.Hotkey})
	if err != nil {
		return fmt.Errorf("why: %w", err)
	}
	if c.JSON {
		return printJSON(t, x)
	}
	_, err = fmt.Fprint(t.out, explanationLines(x, marksFor(t)))
	return err
}

// Marks stand before lines that tell of success and of failure.
type marks struct{ ok, warn, fail, skip string }

// marksFor returns marks that the other end can show.
func marksFor(t terminal) marks {
	if isTerminal(t.out) {
		return marks{"✓", "!", "✗", "?"}
	}
	return marks{"ok  ", "warn", "FAIL", "?   "}
}

// explanationLines is a line for each gate, with the numbers it looked at below.
func explanationLines(x subnet.Explanation, m marks) string {
	var b strings.Builder
	who := string(x.Hotkey)
	if x.UID != nil {
		who = fmt.Sprintf("uid %d, %s", *x.UID, x.Hotkey)
	}
	fmt.Fprintf(&b, "%s\n%s\n\n", plainText(x.Text), plainText(who))
	names := 0
	for _, g := range x.Gates {
		names = max(names, len(g.Name))
	}
	by := map[subnet.Outcome]string{subnet.Passed: m.ok, subnet.Stopped: m.fail, subnet.Unknown: m.skip}
	for _, g := range x.Gates {
		var facts []string
		for _, f := range g.Facts {
			facts = append(facts, plainText(f.Name)+" "+plainText(f.Value))
		}
		told := strings.Join(facts, ", ")
		if g.Text != "" {
			told = strings.TrimSuffix(plainText(g.Text)+": "+told, ": ")
		}
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%s %-*s  %s", by[g.Outcome], names, g.Name, told), " "))
	}
	fmt.Fprintf(&b, "\n%s\n", verdict(x))
	return b.String()
}

// verdict sums an explanation up.
func verdict(x subnet.Explanation) string {
	unknown := 0
	for _, g := range x.Gates {
		switch g.Outcome {
		case subnet.Stopped:
			return "stopped at: " + g.Name
		case subnet.Unknown:
			unknown++
		}
	}
	if unknown > 0 {
		return "passed all that can be known here"
	}
	return "passed all"
}
