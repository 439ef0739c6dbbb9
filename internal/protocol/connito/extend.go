package connito

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"

	"adit/internal/subnet"
)

var errNoCycle = errors.New("all phases of the cycle have length 0")

// Extend implements [subnet.Extender]: it sees that the file is for the role,
// brings what the network fixes back to what it is, and reads the expert groups.
func (c *Config) Extend(files subnet.Files, role string) (warnings []string, err error) {
	if role != "" && c.Role != roleOf(role) {
		return nil, subnet.WithHint(fmt.Errorf("role: these are the settings of a %s, and this is to be a %s", c.Role, roleOf(role)),
			"run 'adit mine' for a miner and 'adit validate' for a validator, or name another directory")
	}
	if c.AutoUpdateConfig && slices.ContainsFunc(c.networks(), public) {
		warnings = c.unlock()
	}
	if len(c.Task.Groups) > 0 || c.Task.ExpertGroupName == "" && !c.Task.LoadAllExpertGroups {
		return warnings, nil
	}
	return warnings, c.readGroups(files)
}

// unlock resets the settings in which all neurons of a public network must agree,
// as upstream does, and says which.
//
// Unlike upstream, it leaves the file alone, and a network that the person chose.
func (c *Config) unlock() (warnings []string) {
	fixed := c.fixed
	if fixed == nil || fixed.Rules != c.Rules {
		return nil
	}
	before := fixed.periods()
	for p, v := range c.periods() {
		reset(&warnings, periodNames[p], v, *before[p])
	}
	slices.Sort(warnings)
	reset(&warnings, "chain.netuid", &c.Chain.NetUID, fixed.Chain.NetUID)
	reset(&warnings, "cycle.cycle_length", &c.Cycle.CycleLength, fixed.Cycle.CycleLength)
	reset(&warnings, "moe.partial_topk", &c.MoE.PartialTopK, fixed.MoE.PartialTopK)
	reset(&warnings, "sched.total_steps", &c.Sched.TotalSteps, fixed.Sched.TotalSteps)
	reset(&warnings, "evaluation.top_k_miners_to_merge", &c.Evaluation.TopKMinersMerged, fixed.Evaluation.TopKMinersMerged)
	reset(&warnings, "evaluation.top_k_miners_to_reward", &c.Evaluation.TopKMinersToReward, fixed.Evaluation.TopKMinersToReward)
	reset(&warnings, "evaluation.score_window", &c.Evaluation.ScoreWindow, fixed.Evaluation.ScoreWindow)
	reset(&warnings, "evaluation.foreground_top_n", &c.Evaluation.ForegroundTopN, fixed.Evaluation.ForegroundTopN)
	if c.Rules == G4.Name {
		reset(&warnings, "task.exp.data.sequence_length", &c.Task.Exp.Data.SequenceLength, fixed.Task.Exp.Data.SequenceLength)
	}
	return warnings
}

var periodNames = map[Phase]string{
	Distribute: "cycle.distribute_period", Train: "cycle.train_period", MinerCommit1: "cycle.commit_period",
	Submission: "cycle.submission_period", Validate: "cycle.validate_period", Merge: "cycle.merge_period",
}

func reset[T comparable](warnings *[]string, name string, v *T, to T) {
	if *v != to {
		*warnings = append(*warnings, fmt.Sprintf("auto_update_config: resetting locked field to default: %s is %v on this network, not %v; --no-auto_update_config keeps what the file says", name, to, *v))
		*v = to
	}
}

// The files of an expert group.
const groupFile = "config.yaml"

// readGroups reads the group that the settings name, or all.
func (c *Config) readGroups(files subnet.Files) error {
	base := c.Task.BasePath
	if c.Run.RootPath != "" && !path.IsAbs(base) {
		base = path.Join(c.Run.RootPath, base)
	}
	names := []string{c.Task.ExpertGroupName}
	number, err := strconv.Atoi(c.Task.ExpertGroupName)
	numbered := err == nil
	if numbered || c.Task.LoadAllExpertGroups {
		if names, err = files.List(base); err != nil {
			return fmt.Errorf("task.base_path: %w", err)
		}
	}
	for _, name := range names {
		exp := c.Task.Exp
		err := files.Decode(path.Join(base, name, groupFile), "task.exp", &exp)
		several := numbered || c.Task.LoadAllExpertGroups
		if several && errors.Is(err, subnet.ErrNotFound) || numbered && !c.Task.LoadAllExpertGroups && err == nil && exp.GroupID != number {
			continue // no expert group, or another
		}
		var text []byte
		if err == nil {
			text, err = files.Read(path.Join(base, name, assignmentFile))
		}
		if err != nil {
			return subnet.WithHint(fmt.Errorf("task.expert_group_name: group %s: %w", name, err),
				fmt.Sprintf("copy the directory of the group from the subnet's repository into %s, name another with task.base_path, or put the group under task.groups", base))
		}
		a, err := ParseAssignment(text)
		if err != nil {
			return fmt.Errorf("expert group %s: %w", name, err)
		}
		c.Task.Groups = append(c.Task.Groups, Group{ID: exp.GroupID, Assignment: a})
		if len(c.Task.Groups) == 1 {
			c.Task.Exp = exp
		}
	}
	if len(c.Task.Groups) == 0 {
		return subnet.WithHint(fmt.Errorf("task.expert_group_name: there is no expert group %s in %s", c.Task.ExpertGroupName, base),
			"copy the directory of the group from the subnet's repository there, or name another with task.base_path")
	}
	return nil
}

// Directory implements [subnet.Placed]: upstream's directories by coldkey, hotkey
// and run.
func (c *Config) Directory() string {
	if c.Ckpt.CheckpointPath != "" {
		return c.Ckpt.CheckpointPath
	}
	return path.Join(c.Ckpt.BaseCheckpointPath, c.Chain.ColdkeyName, c.Chain.HotkeyName, c.Run.RunName)
}

// Unsaid implements [subnet.Placed]: without a file the run is one of the public
// network, as with upstream's defaults.
func (c *Config) Unsaid() []string { return []string{"rules=" + Live()} }

// RunName implements [subnet.Placed].
func (c *Config) RunName() string { return c.Run.RunName }

// NeedsAccount implements [subnet.Tenant].
func (c *Config) NeedsAccount(role string) bool { return role != "train" && c.HF.CheckpointRepo == "" }

// Settle implements [subnet.Tenant].
func (c *Config) Settle(account string) error {
	rules, err := c.ruleset()
	if err != nil {
		return err
	}
	repo := account + "/" + c.HF.DefaultRepoName
	if err := checkRepo(rules, repo); err != nil {
		return subnet.WithHint(fmt.Errorf("hf.checkpoint_repo: %s: %w", repo, err), "set hf.default_repo_name to a shorter name")
	}
	c.HF.CheckpointRepo = repo
	return nil
}
