package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"adit/internal/config"
	"adit/internal/engine/model"
	"adit/internal/node"
	"adit/internal/protocol/connito"
)

// axonPorts is the first of the ports that the neurons put on chain. Like
// upstream's since it exchanges models through the hub, they do not listen there;
// by the rules of earlier generations a validator does, at a port that is free.
const axonPorts = 8000

// customaryHub is where `adit hub serve` is without a port of its own; the chain's
// customary place is a neuron's default.
const customaryHub = "http://127.0.0.1:8600"

// writeConfig writes a neuron's config.yaml, unless there is one: what a person
// changed there stays.
func (r connitoRecipe) writeConfig(n *Network, m member) error {
	dir := n.plan.neuronDir(n.dir, m)
	path := filepath.Join(dir, "config.yaml")
	if _, err := os.Stat(path); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := os.ReadFile(filepath.Join(n.plan.genesisDir(n.dir), node.ConfigFile))
	if err != nil {
		return err
	}
	shape, err := model.ParseConfig(text)
	if err != nil {
		return err
	}
	role := connito.RoleMiner
	if m.Role == "validate" {
		role = connito.RoleValidator
	}
	c := connito.Defaults(r.rules.Name, role)
	c.Chain.Network, c.Chain.LiteNetwork, c.Cycle.OwnerURL = "local", "", ""
	c.Chain.NetUID = n.plan.NetUID
	c.Chain.WalletPath = n.plan.walletDir(n.dir)
	c.Chain.ColdkeyName, c.Chain.HotkeyName = m.Name, hotkeyName
	c.Chain.IP = "127.0.0.1"
	c.Chain.Port = axonPorts + uint16(slices.IndexFunc(n.plan.Neurons, func(o member) bool { return o.Name == m.Name }))
	c.Model.ModelPath = n.plan.genesisDir(n.dir)
	if m.Role == "mine" {
		// Miners train all at once: more threads than cores would wait for
		// one another.
		c.Model.Threads = max(1, runtime.NumCPU()/len(n.plan.role("mine")))
	}
	c.Task.Data = n.plan.dataDir(n.dir)
	c.Task.SequenceLength = sequenceLength
	for g := range n.plan.Groups {
		if m.Role == "validate" && !r.rules.OneGroup || g == m.Group {
			c.Task.Groups = append(c.Task.Groups, connito.Group{ID: g, Assignment: assignment(shape, n.plan.Groups, g)})
		}
	}
	// Under `adit up` the command line says where chain and hub are, and who
	// validates; these are for parts that are started by hand.
	c.HF.Endpoint = customaryHub
	for _, v := range n.plan.role("validate") {
		c.Cycle.ValidatorWhitelist = append(c.Cycle.ValidatorWhitelist, v.Hotkey)
	}
	c.HF.CheckpointRepo = m.Name + "/co"
	c.Cheat = m.Cheat
	// Small batches and the mean of two miners, a little beyond it, bring the
	// most in the few seconds of a Train phase; upstream's momentum of 0.9 would
	// overshoot in a network's first cycles.
	c.Opt.LR, c.Opt.BatchSize, c.LocalPar.GradientAccumulationSteps = 2e-3, 4, 1
	c.Sched.WarmupSteps, c.Sched.TotalSteps, c.Sched.MaxSteps = 20, 0, 0
	c.Model.Precision, c.MoE.PartialTopK = "fp32", 0
	c.Ckpt.CheckpointInterval = 60
	c.Opt.OuterLR, c.Opt.OuterMomentum = 1, 0.3
	c.Evaluation.TopKMinersMerged = 2
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return config.Write(path, c, fmt.Sprintf("%s of a local network. Restart it to make changes count.", m.Name))
}

// settings are what may change from one start to the next: the ports, and who
// validates. They are given on the command line.
func (connitoRecipe) settings(p *plan, m member) []string {
	var validators []string
	for _, v := range p.role("validate") {
		validators = append(validators, v.Hotkey)
	}
	settings := []string{
		fmt.Sprintf("chain.endpoints=[%q]", p.chainURL()),
		"cycle.validator_whitelist=[" + strings.Join(validators, ", ") + "]",
		"hf.endpoint=" + p.hubURL(),
	}
	if m.Port > 0 {
		settings = append(settings, fmt.Sprintf("chain.port=%d", m.Port))
	}
	return settings
}
