package connito

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"adit/internal/subnet"
)

// Directories of a neuron, under the names of the reference implementation.
const (
	baselineDir   = "validator_checkpoint"
	submissionDir = "miner_submission"
	scoresFile    = "score_aggregator.json"
	stateFile     = "global_state.json"
	optimizerFile = "inner_optimizer.safetensors"
	outerFile     = "outer_optimizer.safetensors"

	// keptDir has what is being submitted: see [neuron.keep].
	keptDir = "submitted"
)

// A place is a checkpoint directory: of a neuron's own, or of a baseline.
type place struct {
	name    string // within the neuron's directory
	version uint64 // of the baseline
	inner   int    // optimizer steps on top of it
}

func ownName(version uint64, inner int) string {
	return fmt.Sprintf("globalver_%d_inneropt_%d", version, inner)
}

func mergedName(version uint64) string { return fmt.Sprintf("globalver_%d", version) }

func baselineName(uid subnet.UID, who subnet.Hotkey, version uint64) string {
	return fmt.Sprintf("%s/uid_%d_hotkey_%s_globalver_%d", baselineDir, uid, who, version)
}

// submissionName is the name of a miner's model at a validator: the block is that
// at which it came.
func submissionName(who subnet.Hotkey, at subnet.Block, f subnet.Format) string {
	return fmt.Sprintf("%s/hotkey_%s_block_%d.%s", submissionDir, who, at, f)
}

// parseSubmission reads such a name, with or without its directory.
func parseSubmission(name string) (who subnet.Hotkey, at subnet.Block, ok bool) {
	base := name[strings.LastIndexByte(name, '/')+1:]
	rest, found := strings.CutPrefix(base, "hotkey_")
	hotkey, rest, cut := strings.Cut(rest, "_block_")
	number, _, _ := strings.Cut(rest, ".")
	block, err := strconv.ParseUint(number, 10, 63)
	if !found || !cut || err != nil || hotkey == "" {
		return "", 0, false
	}
	return subnet.Hotkey(hotkey), subnet.Block(block), true
}

// submittedIn returns the block of a miner's file among names that came in the
// span of a phase, or 0.
func submittedIn(names []string, who subnet.Hotkey, from, to subnet.Block) subnet.Block {
	for _, name := range names {
		if hotkey, at, ok := parseSubmission(name); ok && hotkey == who && at >= from && at <= to {
			return at
		}
	}
	return 0
}

// podiumName is where the live generation archives the best of a round, rank 1
// first, beside a manifest.json.
func podiumName(cycle uint64, rank int, uid subnet.UID) string {
	return fmt.Sprintf("cycle_%d/rank%d_uid%d.safetensors", cycle, rank, uid)
}

// parsePlace reads the numbers in a checkpoint directory's name: pairs of key
// and value, split on "_". What has no globalver is no checkpoint.
func parsePlace(name string) (place, bool) {
	base := name[strings.LastIndexByte(name, '/')+1:]
	if strings.HasPrefix(base, ".") {
		return place{}, false
	}
	p, ok := place{name: name}, false
	words := strings.Split(base, "_")
	for i := 0; i+1 < len(words); i += 2 {
		v, err := strconv.ParseUint(words[i+1], 10, 63)
		if err != nil {
			continue
		}
		switch words[i] {
		case "globalver":
			p.version, ok = v, true
		case "inneropt":
			p.inner = int(v)
		}
	}
	if !ok {
		return place{}, false
	}
	return p, true
}

// places lists the checkpoint directories under dir, the newest first.
func (n *neuron) places(dir string) ([]place, error) {
	names, err := n.Dir.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", cmp.Or(dir, "the run's directory"), err)
	}
	var list []place
	for _, name := range names {
		if dir != "" {
			name = dir + "/" + name
		}
		if p, ok := parsePlace(name); ok {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b place) int {
		return cmp.Or(-cmp.Compare(a.version, b.version), -cmp.Compare(a.inner, b.inner), cmp.Compare(a.name, b.name))
	})
	return list, nil
}

// shardIn returns the name of a group's shard in a checkpoint directory.
func (n *neuron) shardIn(p place, group int) (string, bool) {
	own := subnet.Format(n.cfg.Ckpt.Format)
	for _, f := range []subnet.Format{own, other(own)} {
		name := p.name + "/" + shardFile(group, f)
		if file, err := n.Dir.Open(name); err == nil {
			file.Close()
			return name, true
		}
	}
	return "", false
}
