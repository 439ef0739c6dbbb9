package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// Options is what a person may choose of a local network. A network that exists
// keeps what it was made with.
type Options struct {
	Dir        string
	Data       []string // files or folders of text, one for each group; none for the Go source tree
	Rules      string   // the generation: see [connito.RulesByName]; "" is [connito.Local]
	Groups     int
	Miners     int // per group
	Validators int
	Cheats     []string // kinds of miners that break a rule, in addition to the others
	BlockTime  time.Duration
	Cycles     int // end by itself after so many; 0 runs until it is told to end
	Seed       uint64
	Genesis    time.Duration // how long the first model is trained
}

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

// DefaultGroups returns how many expert groups a network of the rules has if nobody
// says so: two, or one where a validator may have no more.
func DefaultGroups(rules string) int {
	if r, err := ruleset(rules); err == nil && r.OneGroup {
		return 1
	}
	return 2
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	var errs []error
	rules, err := ruleset(o.Rules)
	if err != nil {
		errs = append(errs, fmt.Errorf("--rules: %w", err))
	} else if rules.OneGroup && o.Validators > 0 && o.Validators < o.Groups {
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
	return errors.Join(errs...)
}

// planVersion is the version of a network's directory.
const planVersion = 1

// A plan is what a network's directory says about it, in network.json.
type plan struct {
	Version    int           `json:"version"`
	Rules      string        `json:"rules,omitempty"` // none for local
	Groups     int           `json:"groups"`
	Seed       uint64        `json:"seed"`
	Data       []string      `json:"data,omitempty"`
	Genesis    time.Duration `json:"genesis_ns"`
	BlockTime  time.Duration `json:"block_time_ns"`
	ChainPort  int           `json:"chain_port"`
	HubPort    int           `json:"hub_port"`
	NetUID     uint16        `json:"netuid"`      // 0 until the subnet exists
	FirstCycle uint64        `json:"first_cycle"` // the first with miners; 0 until it is known
	Neurons    []member      `json:"neurons"`
}

// A member is one neuron of the plan.
type member struct {
	Name   string `json:"name"` // also of its coldkey, its directory and its namespace on the hub
	Role   string `json:"role"`
	Group  int    `json:"group"`
	Cheat  string `json:"cheat,omitempty"`
	Token  string `json:"token"`          // for the hub
	Port   int    `json:"port,omitempty"` // of the checkpoint server, if it has one
	Hotkey string `json:"hotkey,omitempty"`
	Stake  uint64 `json:"stake,omitempty"` // on chain before the first cycle
}

const planFile = "network.json"

// errOtherVersion is why a directory is not touched.
var errOtherVersion = errors.New("the directory was made by another version")

// readPlan returns the plan in dir, or nil if there is none.
func readPlan(dir string) (*plan, error) {
	path := filepath.Join(dir, planFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var p plan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, subnet.WithHint(fmt.Errorf("read %s: %w", path, err), "choose another --dir, or remove the directory if nothing in it matters")
	}
	if p.Version != planVersion {
		return nil, subnet.WithHint(fmt.Errorf("%s: %w: it has %d, this program writes %d", path, errOtherVersion, p.Version, planVersion),
			"choose another --dir, or run the version that made it")
	}
	if err := p.check(); err != nil {
		return nil, subnet.WithHint(fmt.Errorf("%s: %w", path, err), "choose another --dir, or mend the file")
	}
	return &p, nil
}

// check says what no plan can be, whoever wrote it.
func (p *plan) check() error {
	if _, err := ruleset(p.Rules); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	if p.Groups < 1 || p.Groups > maxGroups {
		return fmt.Errorf("groups: %d is not 1 to %d", p.Groups, maxGroups)
	}
	for i, m := range p.Neurons {
		switch {
		case m.Name == "" || strings.ContainsAny(m.Name, `/\:`) || !filepath.IsLocal(m.Name) || m.Name == ".":
			return fmt.Errorf("neurons: number %d has the name %q", i, m.Name)
		case m.Role != "mine" && m.Role != "validate":
			return fmt.Errorf("neurons: %s has the role %q", m.Name, m.Role)
		case m.Group < 0 || m.Group >= p.Groups:
			return fmt.Errorf("neurons: %s is in group %d of %d", m.Name, m.Group, p.Groups)
		}
	}
	return nil
}

// save writes the plan so that it is there whole, or as it was.
func (p *plan) save(dir string) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, planFile), append(data, '\n'))
}

// writeFile replaces a file in one go: it holds secrets, so only its owner may
// read it.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp_*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// extend adds the neurons that the options ask for and the plan lacks. Neurons
// that are there stay, so that a network can grow from one start to the next.
func (p *plan) extend(o Options, token func() string) {
	groups := 1 // of which a validator has one; otherwise it has all
	if r, err := ruleset(p.Rules); err == nil && r.OneGroup {
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

// places of a network's directory.
func (p *plan) chainDir(dir string) string   { return filepath.Join(dir, "chain") }
func (p *plan) hubDir(dir string) string     { return filepath.Join(dir, "hub") }
func (p *plan) walletDir(dir string) string  { return filepath.Join(dir, "wallets") }
func (p *plan) dataDir(dir string) string    { return filepath.Join(dir, "data") }
func (p *plan) genesisDir(dir string) string { return filepath.Join(dir, "genesis") }
func (p *plan) neuronDir(dir string, m member) string {
	return filepath.Join(dir, "neurons", m.Name)
}
func (p *plan) logFile(dir, name string) string { return filepath.Join(dir, "logs", name+".log") }

func (p *plan) chainURL() string { return fmt.Sprintf("ws://127.0.0.1:%d", p.ChainPort) }
func (p *plan) hubURL() string   { return fmt.Sprintf("http://127.0.0.1:%d", p.HubPort) }
