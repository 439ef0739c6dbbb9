package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"adit/internal/data"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// A connitoRecipe makes networks of expert groups: with a hub, and with a model that
// was trained a little, since experts on a backbone that knows nothing would learn
// nothing.
type connitoRecipe struct{ rules connito.Rules }

// maxGroups is for how many a validator can commit to a baseline: one JSON each,
// in three fields of 512 bytes.
const maxGroups = 12

// localCycle is how many blocks a cycle has where the generation's own is for the
// hours of a real network.
const localCycle = 120

// ruleset returns the rules of a name as they are on one machine.
func ruleset(name string) (connito.Rules, error) {
	switch {
	case name == "":
		return connito.Local, nil
	case name != connito.Local.Name && !strings.Contains(name, "/"):
		name = fmt.Sprintf("%s/%d", name, localCycle)
	}
	return connito.RulesByName(name)
}

// usualConnito has two expert groups, or one where a validator may have no more.
func usualConnito(rules string) Options {
	o := Options{Groups: 2, Miners: 2, Validators: 1, BlockTime: 500 * time.Millisecond, Genesis: 25 * time.Second}
	if r, err := ruleset(rules); err == nil && r.OneGroup {
		o.Groups = 1
	}
	return o
}

func (r connitoRecipe) ruleName() string { return r.rules.Name }

// validate implements [recipe].
func (r connitoRecipe) validate(o Options) []error {
	var errs []error
	if rules := r.rules; rules.OneGroup && o.Validators > 0 && o.Validators < o.Groups {
		errs = append(errs, fmt.Errorf("--validators: by the rules %s a validator has one group, so that %d groups need as many", rules.Name, o.Groups))
	}
	if o.Groups < 1 || o.Groups > maxGroups {
		errs = append(errs, fmt.Errorf("--groups must be 1 to %d", maxGroups))
	}
	if o.Miners < 0 || o.Miners*o.Groups > 100 {
		errs = append(errs, errors.New("--miners must be 0 or more, and at most 100 in all groups"))
	}
	if o.Validators < 1 || o.Validators > 8 {
		errs = append(errs, errors.New("--validators must be 1 to 8"))
	}
	if o.BlockTime < 100*time.Millisecond {
		errs = append(errs, errors.New("--block-time must be at least 100ms"))
	}
	if o.Cycles < 0 {
		errs = append(errs, errors.New("--cycles must not be below 0"))
	}
	if o.Genesis < time.Second || o.Genesis > time.Hour {
		errs = append(errs, errors.New("--genesis must be 1s to 1h"))
	}
	for _, c := range o.Cheats {
		if !slices.Contains(connito.Cheats, c) {
			errs = append(errs, fmt.Errorf("--cheats: unknown %q, want some of %s", c, strings.Join(connito.Cheats, ", ")))
		}
	}
	if len(o.Data) > 0 && len(o.Data) != o.Groups {
		errs = append(errs, fmt.Errorf("--data was given %d times for %d groups: give it once for each group", len(o.Data), o.Groups))
	}
	if len(o.Data) == 0 && o.Groups > 2 {
		errs = append(errs, errors.New("the Go source tree has two kinds of text: with more than two groups give --data once for each"))
	}
	return errs
}

// extend implements [recipe].
func (r connitoRecipe) extend(p *plan, o Options, token func() string) {
	groups := 1 // of which a validator has one; otherwise it has all
	if r.rules.OneGroup {
		groups = p.Groups
	}
	add := func(name, role string, group int, cheat string) {
		if !slices.ContainsFunc(p.Neurons, func(m member) bool { return m.Name == name }) {
			p.Neurons = append(p.Neurons, member{Name: name, Role: role, Group: group, Cheat: cheat, Token: token()})
		}
	}
	for i := range o.Validators {
		add(fmt.Sprintf("validator-%d", i), "validate", i%groups, "")
	}
	for g := range p.Groups {
		for i := range o.Miners {
			add(fmt.Sprintf("miner-%d-%d", g, i), "mine", g, "")
		}
	}
	for i, c := range o.Cheats {
		add(fmt.Sprintf("cheat-%s-%d", c, i), "mine", i%p.Groups, c)
	}
}

// check implements [recipe].
func (connitoRecipe) check(*plan) error { return nil }

// ports implements [recipe].
func (connitoRecipe) ports(p *plan) []*int {
	ports := []*int{&p.HubPort}
	for i := range p.Neurons {
		if p.Neurons[i].Role == "validate" {
			ports = append(ports, &p.Neurons[i].Port)
		}
	}
	return ports
}

// services implements [recipe].
func (connitoRecipe) services(n *Network) ([]*process, error) {
	tokens := filepath.Join(n.plan.hubDir(n.dir), "tokens.txt")
	var lines []string
	for _, m := range n.plan.Neurons {
		lines = append(lines, m.Token+" "+m.Name)
	}
	if err := os.MkdirAll(filepath.Dir(tokens), 0o755); err != nil {
		return nil, err
	}
	if err := writeFile(tokens, []byte(strings.Join(lines, "\n")+"\n")); err != nil {
		return nil, err
	}
	return []*process{{name: "hub", vital: true, args: []string{"hub", "serve", "--dir", n.plan.hubDir(n.dir),
		"--port", fmt.Sprint(n.plan.HubPort), "--tokens", tokens}}}, nil
}

// textServices implements [recipe].
func (connitoRecipe) textServices(*Network) []*process { return nil }

// secrets implements [recipe].
func (connitoRecipe) secrets(_ *plan, m member) []string { return []string{"HF_TOKEN=" + m.Token} }

// measure implements [recipe]: the validators tell how good their baselines are.
func (connitoRecipe) measure(context.Context, *Network, *data.Corpus) error { return nil }

// tempo is a ninth of a cycle: that long before a cycle is over its weights are
// set, and an epoch turns them into incentive, wherever epochs fall.
func (r connitoRecipe) tempo() subnet.Block { return r.rules.Schedule.Cycle() / 9 }

// moment implements [recipe].
func (r connitoRecipe) moment(b subnet.Block) subnet.Moment {
	pos := r.rules.Schedule.At(b)
	return subnet.Moment{Round: pos.Cycle, Phase: pos.Phase.String(), Start: pos.Start, End: pos.End}
}

// whole implements [recipe].
func (r connitoRecipe) whole(b subnet.Block) uint64 {
	pos := r.rules.Schedule.At(b)
	if pos.Phase != connito.Distribute {
		return pos.Cycle + 1
	}
	return pos.Cycle
}
