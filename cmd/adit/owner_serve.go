package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"adit/internal/keys"
	"adit/internal/node"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// OwnerCommand is about what the owner of a subnet of expert groups decides.
type OwnerCommand struct {
	Serve  OwnerServeCommand  `cmd:"" help:"Tell neurons the phases, the validators and the task."`
	Assign OwnerAssignCommand `cmd:"" help:"Choose an expert group's experts by what the router does on its text."`
}

// OwnerServeCommand runs the phase service.
type OwnerServeCommand struct {
	networkFlags
	Netuid    subnet.NetUID `short:"n" default:"102" env:"BT_NETUID" placeholder:"N" help:"The subnet (${default})."`
	Rules     string        `default:"g4" placeholder:"NAME" help:"The generation of the network, which says which phases there are (${default})."`
	Phases    []uint64      `placeholder:"N,N,…" help:"Lengths of the phases in blocks, if not the generation's own."`
	Whitelist string        `placeholder:"HOTKEY,…|FILE" help:"The validators: hotkeys, or a file of them, JSON or one a line, which is read at each request."`
	PeerIDs   string        `name:"peer-ids" placeholder:"FILE" help:"A JSON list of the multiaddresses of the first peers, which is read at each request."`
	Task      string        `placeholder:"DIR" help:"The active task, such as expert_groups/exp_math, which is read at each request."`
	IP        netip.Addr    `default:"127.0.0.1" placeholder:"ADDRESS" help:"Where to listen (${default})."`
	Port      uint16        `default:"8080" placeholder:"PORT" help:"And at which port (${default})."`
	JSON      bool          `help:"Report in JSON, one object a line."`
}

// Help shows examples.
func (OwnerServeCommand) Help() string {
	return `Answers GET requests at /, /get_phase, /blocks_until_next_phase,
/previous_phase_blocks, /get_init_peer_id, /get_validator_whitelist, /active_task and
/active_task_bundle. Neurons find it by their setting cycle.owner_url.

Examples:
  adit owner serve --netuid 102 --whitelist validators.json
  adit owner serve --network local --netuid 2 --rules g3 --phases 5,60,4,4,10,5,5,4,4
  adit owner serve --task expert_groups/exp_math --ip 0.0.0.0 --port 7000`
}

// Run serves until it is interrupted.
func (c OwnerServeCommand) Run(ctx context.Context, t terminal) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	client, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	bus, end := reports(t, c.JSON)
	defer end()
	return node.Service{Protocol: connito.Protocol, Role: "owner", Config: cfg, Client: client, Emit: bus.Emit}.Run(ctx)
}

// config returns what the flags say.
func (c OwnerServeCommand) config() (*connito.OwnerConfig, error) {
	network, err := c.network()
	if err != nil {
		return nil, err
	}
	cfg := &connito.OwnerConfig{NetUID: c.Netuid, Endpoints: network.Endpoints, At: netip.AddrPortFrom(c.IP, c.Port)}
	if cfg.Rules, err = connito.GenerationByName(c.Rules); err != nil {
		return nil, fmt.Errorf("--rules: %w", err)
	}
	if len(c.Phases) > 0 {
		if cfg.Rules, err = cfg.Rules.WithLengths(c.Phases); err != nil {
			return nil, fmt.Errorf("--phases: %w", err)
		}
	}
	if cfg.Whitelist, err = whitelist(c.Whitelist); err != nil {
		return nil, err
	}
	if c.PeerIDs != "" {
		cfg.PeerIDs = func() (list []string, err error) {
			data, err := readSmall(c.PeerIDs)
			if err == nil {
				err = json.Unmarshal(data, &list)
			}
			return list, err
		}
	}
	if c.Task != "" {
		cfg.Task = func() ([]byte, error) { return node.ReadTask(c.Task) }
		if _, err := cfg.Task(); err != nil {
			return nil, subnet.WithHint(fmt.Errorf("--task: %w", err), "it is the directory of an expert group, with config.yaml and expert_assignment.json; 'adit owner assign' makes one")
		}
	}
	return cfg, nil
}

// whitelist returns what tells the validators that a flag names: hotkeys, or a file
// of them. A file that is removed later is an empty list.
func whitelist(flag string) (func() ([]subnet.Hotkey, error), error) {
	if flag == "" {
		return nil, nil
	}
	first, _, _ := strings.Cut(flag, ",")
	if _, err := keys.ParseAddress(strings.TrimSpace(first)); err == nil {
		list, err := connito.ParseWhitelist([]byte(flag))
		return func() ([]subnet.Hotkey, error) { return list, nil }, err
	}
	read := func() ([]subnet.Hotkey, error) {
		data, err := readSmall(flag)
		if err != nil {
			return nil, err
		}
		return connito.ParseWhitelist(data)
	}
	if _, err := read(); err != nil {
		return nil, subnet.WithHint(fmt.Errorf("--whitelist: %w", err), "give hotkeys with commas between them, or a file that lists them")
	}
	return read, nil
}

// readSmall returns a file of at most a megabyte. The error wraps
// [subnet.ErrNotFound] if there is none.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, subnet.ErrNotFound)
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	const limit = 1 << 20
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("%s: more than %s bytes", path, strconv.Itoa(limit))
	}
	return data, err
}
