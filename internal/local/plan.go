package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"adit/internal/subnet"
)

// Options is what a person may choose of a local network. A network that exists
// keeps what it was made with.
type Options struct {
	Dir        string
	Protocol   string   // "" is connito
	Data       []string // files or folders of text, one for each group; none for the Go source tree
	Rules      string   // the generation: see [connito.RulesByName] and [templar.RulesByName]; "" is the protocol's usual one
	Groups     int
	Miners     int // per group, cheats not counted
	Validators int
	Cheats     []string // kinds of miners that break a rule, in addition to the others
	BlockTime  time.Duration
	Cycles     int // end by itself after so many cycles or windows; 0 runs until it is told to end
	Seed       uint64
	Genesis    time.Duration // how long the first model is trained
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	r, err := recipeOf(o.Protocol, o.Rules)
	if r == nil {
		return err
	}
	var errs []error
	if err != nil {
		errs = append(errs, fmt.Errorf("--rules: %w", err))
	}
	return errors.Join(append(errs, r.validate(o)...)...)
}

// planVersion is the version of a network's directory.
const planVersion = 1

// A plan is what a network's directory says about it, in network.json.
type plan struct {
	Version    int           `json:"version"`
	Protocol   string        `json:"protocol,omitempty"` // none for connito
	Rules      string        `json:"rules,omitempty"`    // none for local
	Groups     int           `json:"groups"`
	Seed       uint64        `json:"seed"`
	Data       []string      `json:"data,omitempty"`
	Genesis    time.Duration `json:"genesis_ns"`
	BlockTime  time.Duration `json:"block_time_ns"`
	ChainPort  int           `json:"chain_port"`
	HubPort    int           `json:"hub_port"`
	S3Port     int           `json:"s3_port,omitempty"`
	PagesPort  int           `json:"pages_port,omitempty"`
	NetUID     uint16        `json:"netuid"`      // 0 until the subnet exists
	FirstCycle uint64        `json:"first_cycle"` // the first with miners; 0 until it is known
	Neurons    []member      `json:"neurons"`
	Buckets    []bucket      `json:"buckets,omitempty"` // that no neuron has for itself
}

// A member is one neuron of the plan.
type member struct {
	Name   string `json:"name"` // also of its coldkey, its directory and its namespace on the hub
	Role   string `json:"role"`
	Group  int    `json:"group"`
	Cheat  string `json:"cheat,omitempty"`
	Token  string `json:"token,omitempty"` // for the hub
	Bucket bucket `json:"bucket,omitzero"`
	Join   uint64 `json:"join,omitempty"` // so many rounds after the first it is started
	Port   int    `json:"port,omitempty"` // of the checkpoint server, if it has one
	Hotkey string `json:"hotkey,omitempty"`
	Stake  uint64 `json:"stake,omitempty"` // on chain before the first cycle
}

// A bucket is one of the object store, and the keys that open it.
type bucket struct {
	Name  string  `json:"name"`
	Read  keyPair `json:"read"`
	Write keyPair `json:"write"`
}

// A keyPair is what S3 calls access key id and secret access key.
type keyPair struct {
	Access string `json:"access"`
	Secret string `json:"secret"`
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
	r, err := recipeOf(p.Protocol, p.Rules)
	if err != nil {
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
	return r.check(p)
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

// places of a network's directory.
func (p *plan) chainDir(dir string) string   { return filepath.Join(dir, "chain") }
func (p *plan) hubDir(dir string) string     { return filepath.Join(dir, "hub") }
func (p *plan) walletDir(dir string) string  { return filepath.Join(dir, "wallets") }
func (p *plan) s3Dir(dir string) string      { return filepath.Join(dir, "s3") }
func (p *plan) dataDir(dir string) string    { return filepath.Join(dir, "data") }
func (p *plan) genesisDir(dir string) string { return filepath.Join(dir, "genesis") }
func (p *plan) neuronDir(dir string, m member) string {
	return filepath.Join(dir, "neurons", m.Name)
}
func (p *plan) logFile(dir, name string) string { return filepath.Join(dir, "logs", name+".log") }

func (p *plan) chainURL() string { return fmt.Sprintf("ws://127.0.0.1:%d", p.ChainPort) }
func (p *plan) hubURL() string   { return urlAt(p.HubPort) }
func (p *plan) s3URL() string    { return urlAt(p.S3Port) }
func (p *plan) pagesURL() string { return urlAt(p.PagesPort) }

// urlAt is "" for a service that there is none of.
func urlAt(port int) string {
	if port == 0 {
		return ""
	}
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}
