package connito

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"adit/internal/subnet"
)

// The log lines of BlockZero's documents, whose words are not those of any code:
// under the rules of their generation they stand beside ours.

// documentsPhases are the phases in the documents' words.
var documentsPhases = map[Phase]string{Distribute: "DISTRIBUTE", Train: "TRAIN", MinerCommit1: "COMMIT", Submission: "SUBMIT"}

// A documenter repeats a neuron's events in the documents' words.
type documenter struct {
	*neuron
	emit func(subnet.Event)

	mu    sync.Mutex
	hash  string // that is being committed to
	saved string // the last checkpoint
	inner int    // the steps of the one that is submitted
	eta   subnet.Block
}

// Emit tells an event, and what the documents say of it.
func (d *documenter) Emit(e subnet.Event) {
	d.emit(e)
	if line := d.line(e); line != "" {
		d.emit(subnet.Event{Block: e.Block, Kind: "documents", Text: line})
	}
}

// logEvery is of how many steps the documents show one.
const logEvery = 100

// line returns the documents' words for an event, or "".
func (d *documenter) line(e subnet.Event) string {
	a := make(map[string]slog.Value, len(e.Attrs))
	for _, attr := range e.Attrs {
		a[attr.Key] = attr.Value
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	group := d.cfg.Task.Groups[0].ID
	switch e.Kind {
	case "sync":
		return fmt.Sprintf("Chain sync ready, current block: %v", a["block"])
	case "download":
		return fmt.Sprintf("Downloading expert group %d from validator...", group)
	case "downloaded":
		if path, ok := a["path"]; ok {
			return d.complete(path.String(), group)
		}
	case "committing":
		if hash, ok := a["hash"]; ok {
			d.hash = hash.String()
		}
	case "commit1":
		if block, ok := d.Journal.Result(fmt.Sprintf("cycle/%v/%s/commit1", a["cycle"], MinerCommit1)); ok {
			return fmt.Sprintf("Hash committed: %s at block %s", d.hash, block)
		}
	case "submitted":
		if block, ok := a["block"]; ok {
			d.eta = d.rules.Schedule.At(subnet.Block(block.Uint64())).End + 1 - subnet.Block(block.Uint64())
			return fmt.Sprintf("Weights submitted: %s", docsCheckpointFile(d.inner, subnet.Block(block.Uint64()), group, d.rules.Formats[0]))
		}
		return fmt.Sprintf("Submission accepted, evaluation_eta_blocks: %d", d.eta)
	case "chosen":
		if p, ok := parsePlace(a["path"].String()); ok {
			d.inner = p.inner
		}
	case "reload":
		return "Loading expert group from checkpoint..."
	case "epoch":
		if n := a["inner_opt_step"]; n.Int64() == 0 {
			return "Starting training: step " + d.of(0)
		}
	case "metrics":
		if n := a["inner_opt_step"].Int64(); n%logEvery == 0 {
			line := fmt.Sprintf("step %s | loss: %.3f | lr: %.1e", d.of(n), a["loss"].Float64(), a["lr"].Float64())
			if speed, ok := a["tokens_per_second"]; ok {
				line += fmt.Sprintf(" | throughput: %.1f tok/s", speed.Float64())
			}
			return line
		}
	case "saved":
		d.saved = a["path"].String()
	case "cleanup":
		if d.saved != "" {
			return "Training cycle complete. Checkpoint saved: " + d.saved
		}
	}
	return ""
}

// of writes a number of steps out of those that a cycle has, if it is said.
func (d *documenter) of(steps int64) string {
	if d.cfg.Sched.MaxSteps == 0 {
		return fmt.Sprint(steps)
	}
	return fmt.Sprintf("%d/%d", steps, d.cfg.Sched.MaxSteps)
}

// complete tells of a download.
func (d *documenter) complete(path string, group int) string {
	f, err := d.Dir.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	name := path
	if p, ok := parsePlace(path[:max(0, len(path)-len(shardFile(group, formatOf(path)))-1)]); ok {
		name = docsShardFile(group, p.version, formatOf(path))
	}
	return fmt.Sprintf("Download complete: %s (%.1fGB)", name, float64(f.Size())/1e9)
}

// tellPhases tells of each phase that begins, until ctx is done.
func (n *neuron) tellPhases(ctx context.Context) {
	for {
		pos, head, err := n.now(ctx)
		if err == nil {
			n.Say("phase", fmt.Sprintf("Entering %s phase at block %d", documentsPhases[pos.Phase], head))
			err = n.Chain.Wait(ctx, pos.End+1)
		} else if ctx.Err() == nil {
			err = n.NextBlock(ctx)
		}
		if err != nil && ctx.Err() != nil {
			return
		}
	}
}
