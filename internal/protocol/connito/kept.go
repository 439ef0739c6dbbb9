package connito

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"

	"adit/internal/subnet"
)

// keptName is the directory in which a checkpoint is kept that is submitted in a
// cycle. Another checkpoint has another one: what a journal decided on before a
// restart is still there when something better has been trained since.
func keptName(cycle uint64, p place) string {
	return fmt.Sprintf("%s%s", keptPrefix(cycle), p.name)
}

func keptPrefix(cycle uint64) string { return fmt.Sprintf("%s/cycle_%d_", keptDir, cycle) }

// keepSubmission keeps the best checkpoint that counts in a cycle and returns it, without
// a signature; none if there is none.
func (n *neuron) keepSubmission(ctx context.Context, cycle uint64) (submission, error) {
	g := n.cfg.Task.Groups[0]
	const tries = 5 // the process that trains prunes only when it has saved
	for try := 1; ; try++ {
		own, err := n.places("")
		if err != nil {
			return submission{}, err
		}
		best, state := n.best(own)
		if best.name == "" && len(own) > 0 && try < tries {
			continue // all that were listed have been pruned since, for a newer one
		}
		if best.name == "" || !n.rules.versionFits(best.version, cycle) {
			return submission{}, nil
		}
		shard, ok := n.shardIn(best, g.ID)
		if !ok && try < tries {
			continue // pruned just now
		} else if !ok {
			return submission{}, fmt.Errorf("%s has no %s", best.name, shardFile(g.ID, subnet.Format(n.cfg.Ckpt.Format)))
		}
		kept, err := n.keep(shard, keptName(cycle, best))
		if errors.Is(err, subnet.ErrNotFound) && try < tries {
			continue
		} else if err != nil {
			return submission{}, err
		}
		sum, err := n.sumOf(ctx, kept)
		if err != nil {
			return submission{}, err
		}
		n.Say("chosen", "best checkpoint", slog.String("path", best.name), slog.Float64("val_loss", state.Loss))
		return submission{Path: kept, Hash: sum.Hash, Version: best.version}, nil
	}
}

// forgetKept removes what was kept for cycles before. If it cannot, that costs
// room and nothing else.
func (n *neuron) forgetKept(cycle uint64) {
	names, err := n.Dir.List(keptDir)
	for _, name := range names {
		if !strings.HasPrefix(keptDir+"/"+name, keptPrefix(cycle)) {
			err = errors.Join(err, n.Dir.Remove(path.Join(keptDir, name)))
		}
	}
	if err != nil {
		n.Warn("disk", "earlier submissions are still there", err)
	}
}
