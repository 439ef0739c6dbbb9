package connito

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"adit/internal/subnet"
)

const archiveDir = "miner_submission_archive"

// bestDir is where the model of a group's best average is kept.
func bestDir(group int) string { return fmt.Sprintf("best_average/%d", group) }

// formatOf returns the format that a file's name says.
func formatOf(name string) subnet.Format {
	return subnet.Format(name[strings.LastIndexByte(name, '.')+1:])
}

func (v *validator) exists(name string) bool {
	f, err := v.Dir.Open(name)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// averages returns what each miner of a group was paid on average.
func (v *validator) averages(g *groupRound) map[subnet.UID]float64 {
	of := make(map[subnet.UID]float64)
	for _, m := range g.Miners {
		if h := v.scores[m.UID]; h != nil && h.Hotkey == m.Hotkey && h.Group == g.Group {
			of[m.UID] = h.average(v.rules.ScoreWindow)
		}
	}
	return of
}

// clean removes the submissions that were evaluated and are not needed any more: a
// merge and the archive take the best only.
func (v *validator) clean(g *groupRound) error {
	keep := g.keepers(v.averages(g))
	var errs []error
	for _, m := range g.Miners {
		if m.State != statePending && m.File != "" && !keep[m.UID] {
			errs = append(errs, v.remove(m))
		}
	}
	return errors.Join(errs...)
}

// remove removes a submission: its file, or the directory that it was fetched to.
func (v *validator) remove(m *minerRound) error {
	name := m.File
	if strings.Count(name, "/") > 1 {
		name = name[:strings.LastIndexByte(name, '/')]
	}
	if err := v.Dir.Remove(name); err != nil {
		return err
	}
	m.File = ""
	return nil
}

// forget removes what is left of a round's submissions and of those before it, and
// keeps the newest rounds.
func (v *validator) forget(r *round) error {
	names, err := v.Dir.List(submissionDir)
	errs := []error{err}
	end := v.rules.Schedule.End(r.Cycle, Submission)
	for _, name := range names {
		if _, at, ok := parseSubmission(name); !ok || at <= end {
			errs = append(errs, v.Dir.Remove(submissionDir+"/"+name))
		}
	}
	rounds, err := v.Dir.List(roundDir)
	errs = append(errs, err)
	for _, name := range rounds {
		var id uint64
		if _, err := fmt.Sscanf(name, "%d.json", &id); err != nil || id+keepRounds*uint64(v.rules.Schedule.Cycle()) < r.ID {
			errs = append(errs, v.Dir.Remove(roundDir+"/"+name))
		}
	}
	return errors.Join(errs...)
}

// keepRounds is of how many cycles the rounds are kept: as many as the points of a
// history.
const keepRounds = keepPoints

// archive keeps, if the settings want it, the best submission of a round and the
// one at the first quarter, and, in the live generation, the best three with a
// manifest.
func (v *validator) archive(r *round) error {
	if !v.cfg.Ckpt.ArchiveSubmissions {
		return nil
	}
	var errs []error
	for _, g := range r.Groups {
		scored := slices.DeleteFunc(slices.Clone(g.Miners), func(m *minerRound) bool { return m.State != stateScored })
		slices.SortStableFunc(scored, func(a, b *minerRound) int { return cmp.Compare(a.Loss, b.Loss) })
		if v.rules.Baseline == PretrainedBaseline {
			errs = append(errs, v.podium(r, g, scored))
			continue
		}
		for rank, i := range map[string]int{"best": 0, "p25": len(scored) / 4} {
			if i >= len(scored) || scored[i].File == "" {
				continue
			}
			m := scored[i]
			errs = append(errs, v.copyFile(m.File, fmt.Sprintf("%s/hotkey_%s_block_%d_rank_%s_loss_%.4f.%s", archiveDir, m.Hotkey, m.Committed, rank, m.Loss, formatOf(m.File))))
		}
	}
	return errors.Join(append(errs, v.trimArchive())...)
}

// A manifest says what is in a podium.
type manifest struct {
	Round uint64          `json:"round_id"`
	Ranks []manifestEntry `json:"ranks"`
}

type manifestEntry struct {
	Rank   int           `json:"rank"`
	UID    subnet.UID    `json:"uid"`
	Hotkey subnet.Hotkey `json:"hotkey"`
	Hash   string        `json:"model_hash"`
	Loss   float64       `json:"val_loss"`
	Points float64       `json:"points"`
}

// podium archives the paid miners of a round.
func (v *validator) podium(r *round, g *groupRound, scored []*minerRound) error {
	list := manifest{Round: r.ID}
	var errs []error
	for i, m := range scored[:min(len(scored), len(v.rules.RankPoints))] {
		if m.File == "" || !(m.Points > 0) {
			continue
		}
		errs = append(errs, v.copyFile(m.File, archiveDir+"/"+podiumName(r.Cycle, i+1, m.UID)))
		list.Ranks = append(list.Ranks, manifestEntry{i + 1, m.UID, m.Hotkey, m.Commit.Hash, m.Loss, m.Points})
	}
	if len(list.Ranks) == 0 {
		return nil
	}
	return errors.Join(append(errs, v.WriteJSON(fmt.Sprintf("%s/cycle_%d/manifest.json", archiveDir, r.Cycle), list))...)
}

// trimArchive keeps the newest of the archive, as many as the settings say.
func (v *validator) trimArchive() error {
	names, err := v.Dir.List(archiveDir)
	if err != nil {
		return err
	}
	age := func(name string) uint64 {
		var n uint64
		if _, at, ok := parseSubmission(strings.Replace(name, "_rank_", ".", 1)); ok {
			return uint64(at)
		}
		fmt.Sscanf(name, "cycle_%d", &n) // 0 for what is not ours, which goes first
		return uint64(v.rules.Schedule.Start(n, MinerCommit1))
	}
	slices.SortFunc(names, func(a, b string) int { return int(int64(age(b)) - int64(age(a))) })
	var errs []error
	for _, name := range names[min(len(names), v.cfg.Ckpt.MinerSubmissionArchiveMaxFiles):] {
		errs = append(errs, v.Dir.Remove(archiveDir+"/"+name))
	}
	return errors.Join(errs...)
}

// copyFile copies a file of the neuron's directory.
func (v *validator) copyFile(from, to string) error {
	f, err := v.Dir.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return v.Write(to, func(w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(f, 0, f.Size()))
		return err
	})
}

// bestNow returns what the miner with the best average submitted in a round that is
// still open, of those that were evaluated and beat what they are compared with. It
// is newer than what [validator.keepBest] kept.
func (v *validator) bestNow(g *groupRound) (string, bool) {
	average := v.averages(g)
	var best *minerRound
	for _, m := range g.Miners {
		good := m.State == stateScored && g.Baseline != nil && m.Loss < *g.Baseline && m.File != "" && v.exists(m.File)
		if good && average[m.UID] > 0 && (best == nil || average[m.UID] > average[best.UID]) {
			best = m
		}
	}
	if best == nil {
		return "", false
	}
	return best.File, true
}

// keepBest keeps, of each group, the model of the miner with the best average of
// those that a closed round evaluated: where nothing is merged, it is the next
// baseline.
func (v *validator) keepBest(r *round) error {
	if v.rules.Baseline != PretrainedBaseline {
		return nil
	}
	for _, g := range r.Groups {
		average := v.averages(g)
		var best *minerRound
		for _, m := range g.Miners {
			if m.File != "" && v.exists(m.File) && average[m.UID] > 0 && (best == nil || average[m.UID] > average[best.UID]) {
				best = m
			}
		}
		if best == nil {
			continue
		}
		if err := v.Dir.Remove(bestDir(g.Group)); err != nil {
			return err
		}
		to := bestDir(g.Group) + "/" + shardFile(g.Group, formatOf(best.File))
		if err := v.Dir.Rename(best.File, to); err != nil {
			return fmt.Errorf("keep the best average: %w", err)
		}
		v.Say("best", "best average", slog.Uint64("cycle", r.Cycle), slog.Uint64("uid", uint64(best.UID)), slog.Float64("average", average[best.UID]))
	}
	return nil
}
