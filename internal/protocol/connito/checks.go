package connito

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"adit/internal/subnet"
)

// The names of checks that other checks need.
const (
	checkRules    = "rules"
	checkService  = "phase service"
	checkPlace    = "repository"
	checkBaseline = "baseline"
)

// checks are what a neuron of this network needs besides what every neuron does.
var checks = []subnet.Check{
	{Name: checkRules, Needs: []string{subnet.NeedSettings}, Run: rulesKnown},
	{Name: "expert group", Needs: []string{subnet.NeedSettings}, Run: groupsGiven},
	{Name: "time", Needs: []string{checkRules, subnet.NeedChain}, Run: whereInCycle},
	{Name: checkService, Needs: []string{checkRules}, Run: serviceLengths},
	{Name: "phase service's cycle", Needs: []string{checkService, subnet.NeedChain}, Run: serviceCycle},
	{Name: "validator whitelist", Needs: []string{checkRules, subnet.NeedSubnet}, Run: whitelisted},
	{Name: checkPlace, Needs: []string{checkRules, subnet.NeedToken}, Run: repository},
	{Name: "commitments fit", Needs: []string{checkRules, subnet.NeedChain, subnet.NeedToken}, Run: commitmentsFit},
	{Name: checkBaseline, Role: "mine", Needs: []string{checkRules, subnet.NeedSubnet, subnet.NeedHotkey}, Run: baselineCommitted},
	{Name: "baseline can be downloaded", Role: "mine", Needs: []string{checkBaseline, subnet.NeedHub}, Run: baselineServed},
	{Name: "validators' axons", Role: "mine", Needs: []string{checkRules, subnet.NeedSubnet}, Run: destinationsServed},
}

// ExpertGroups returns the experts of each group, by its number.
func (c *Config) ExpertGroups() map[int]subnet.Experts {
	all := make(map[int]subnet.Experts)
	for _, g := range c.Task.Groups {
		all[g.ID] = g.Assignment.Experts()
	}
	return all
}

// Owns says whether a parameter is trained by a group.
func (c *Config) Owns(group int, param string) bool {
	return slices.ContainsFunc(c.Task.Groups, func(g Group) bool { return g.ID == group && g.Assignment.Owns(param) })
}

// Kept is how many checkpoints, and how many baselines, are kept.
func (c *Config) Kept() int { return c.Ckpt.CheckpointTopK }

// RoleName returns the role that the settings are for, as [Protocol] calls it.
func (c *Config) RoleName() string {
	if c.Role == RoleValidator {
		return "validate"
	}
	return "mine"
}

// settingsOf returns the settings and the rules of a check. What is wrong with them
// is the affair of the check of the rules.
func settingsOf(env subnet.Env) (*Config, Rules) {
	cfg := env.Config.(*Config) // what NewConfig returned
	rules, _ := cfg.ruleset()
	return cfg, rules
}

func rulesKnown(_ context.Context, env subnet.Env) subnet.Finding {
	rules, err := env.Config.(*Config).ruleset()
	if err != nil {
		return subnet.Fault(fmt.Sprintf("set rules to one of %s", strings.Join(rulesNames(), ", ")), "%v", err)
	}
	return subnet.Fine("%s, a cycle of %d blocks", rules.Name, rules.Schedule.Cycle())
}

func groupsGiven(_ context.Context, env subnet.Env) subnet.Finding {
	cfg, rules := settingsOf(env)
	const cure = "name the group with task.expert_group_name, or put it under task.groups"
	if len(cfg.Task.Groups) == 0 {
		return subnet.Fault(cure, "no expert group is given")
	}
	if rules.OneGroup && len(cfg.Task.Groups) > 1 {
		return subnet.Fault("name one group", "rules %s: a neuron has one expert group, not %d", rules.Name, len(cfg.Task.Groups))
	}
	var told []string
	for _, g := range cfg.Task.Groups {
		if g.ID < 0 || g.Assignment.keys() == 0 {
			return subnet.Fault(cure, "group %d has no experts", g.ID)
		}
		told = append(told, fmt.Sprintf("group %d, whose shard has %d tensors", g.ID, g.Assignment.keys()))
	}
	return subnet.Fine("%s", strings.Join(told, ", "))
}

// whereInCycle tells how much time there is.
func whereInCycle(ctx context.Context, env subnet.Env) subnet.Finding {
	_, rules := settingsOf(env)
	head, err := env.Chain.Head(ctx)
	if err != nil {
		return subnet.Fault("try another endpoint", "%v", err)
	}
	pos := rules.Schedule.At(head)
	commit := rules.nextStart(head, MinerCommit1)
	return subnet.Fine("block %d is in %s of cycle %d; the next phase begins in %d blocks, the next MinerCommit1 in %d",
		head, rules.PhaseName(pos.Phase), pos.Cycle, pos.End+1-head, commit-head)
}

// ask gets a small answer of a service.
func ask(ctx context.Context, env subnet.Env, url string) ([]byte, *http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := env.HTTP.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxService+1))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return body, resp, err
}

func (c *Config) service(path string) string { return strings.TrimRight(c.Cycle.OwnerURL, "/") + path }

// serviceLengths compares the owner's phase table with the neuron's.
func serviceLengths(ctx context.Context, env subnet.Env) subnet.Finding {
	cfg, rules := settingsOf(env)
	if cfg.Cycle.OwnerURL == "" {
		return subnet.Skip("none is asked: cycle.owner_url is not set, and the lengths are those of rules %s", rules.Name)
	}
	began := time.Now()
	body, _, err := ask(ctx, env, cfg.service("/"))
	if err != nil {
		return subnet.Doubt("the lengths that are known count until it answers; if they changed, rounds are lost: see that nothing blocks this machine's address, or set the lengths under cycle",
			"the owner's phase service does not answer: %v", err)
	}
	took := time.Since(began).Round(time.Millisecond)
	if rules.OldService { // it tells of the present phase alone
		return subnet.Fine("%s answers in %v", cfg.Cycle.OwnerURL, took)
	}
	told, err := rules.parseRoot(body)
	if err != nil {
		return subnet.Fault("set rules to the generation of the network: see 'adit protocols'", "%v", err)
	}
	for p, n := range told.Schedule {
		if n != rules.Schedule[p] {
			return subnet.Doubt("what the service tells counts; a newer adit may know it already",
				"it has %d blocks of %s, and rules %s have %d", n, rules.PhaseName(Phase(p)), rules.Name, rules.Schedule[p])
		}
	}
	return subnet.Fine("%s answers in %v, and its lengths are those of rules %s", cfg.Cycle.OwnerURL, took, rules.Name)
}

// serviceCycle compares how the owner counts cycles, and his head, with the
// neuron's.
func serviceCycle(ctx context.Context, env subnet.Env) subnet.Finding {
	cfg, rules := settingsOf(env)
	if body, _, err := ask(ctx, env, cfg.service("/")); err == nil && !rules.OldService {
		if told, err := rules.parseRoot(body); err == nil {
			rules = told
		}
	}
	body, _, err := ask(ctx, env, cfg.service("/get_phase"))
	if err != nil {
		return subnet.Doubt("the neuron counts by itself until it answers", "%v", err)
	}
	phase, err := parsePhaseInfo(body)
	if err != nil {
		return subnet.Doubt("the neuron counts by itself", "%v", err)
	}
	if d := rules.disagreement(phase); d != "" {
		return subnet.Fault("set rules, and the lengths under cycle, to what the network has", "%s", d)
	}
	head, err := env.Chain.Head(ctx)
	if err != nil {
		return subnet.Fault("try another endpoint", "%v", err)
	}
	const slack = 10 // blocks
	if apart := max(head, phase.Block) - min(head, phase.Block); apart > slack {
		return subnet.Doubt("try another endpoint of the chain; or the service is behind", "the service is at block %d, the chain at %d", phase.Block, head)
	}
	return subnet.Fine("%s of cycle %d there too", phase.PhaseName, phase.CycleIndex)
}

// whitelisted looks for validators whose baselines count.
func whitelisted(ctx context.Context, env subnet.Env) subnet.Finding {
	cfg, rules := settingsOf(env)
	meta, err := env.Chain.Metagraph(ctx, subnet.Latest)
	if err != nil {
		return subnet.Fault("try another endpoint", "%v", err)
	}
	listed := make([]subnet.Hotkey, 0, len(cfg.Cycle.ValidatorWhitelist))
	for _, h := range cfg.Cycle.ValidatorWhitelist {
		listed = append(listed, subnet.Hotkey(h))
	}
	from := "the settings"
	if len(listed) == 0 && cfg.Cycle.OwnerURL != "" && rules.Roles == RolesByList {
		body, _, err := ask(ctx, env, cfg.service("/get_validator_whitelist"))
		if err == nil {
			listed, err = ParseWhitelist(body)
		}
		if err != nil {
			return subnet.Doubt("list the validators under cycle.validator_whitelist", "the owner's service does not tell who validates: %v", err)
		}
		from = "the owner's service"
		if len(listed) == 0 {
			return subnet.Fault("list the validators under cycle.validator_whitelist, or ask the owner", "the owner's service lists no validator: nobody's baseline would count")
		}
	}
	if len(listed) == 0 {
		permitted := 0
		for _, n := range meta.Neurons {
			if n.Permit {
				permitted++
			}
		}
		if permitted == 0 {
			return subnet.Doubt("wait for the next epoch, or list them under cycle.validator_whitelist", "nobody has a validator permit yet")
		}
		return subnet.Fine("none is given: the %d neurons with a validator permit count", permitted)
	}
	there := 0
	for _, h := range listed {
		if _, ok := meta.ByHotkey(h); ok {
			there++
		}
	}
	if there == 0 {
		return subnet.Fault("compare the list with the metagraph: 'adit subnet metagraph'", "of %d validators that %s list, none is registered on subnet %d", len(listed), from, meta.NetUID)
	}
	return subnet.Fine("%d listed by %s, %d of them registered", len(listed), from, there)
}
