package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"adit/internal/journal"
	"adit/internal/node"
	"adit/internal/subnet"
)

func (p *patient) ofSettings() []Check {
	const topic = "settings"
	return []Check{
		{topic, subnet.NeedSettings, nil, p.settingsFile},
		{topic, "values of settings", []string{subnet.NeedSettings}, p.settingsValues},
		{topic, "settings without effect", []string{subnet.NeedSettings}, p.settingsUnused},
		{topic, subnet.NeedDirectory, []string{subnet.NeedSettings}, p.runDirectory},
		{topic, "no other process", []string{subnet.NeedDirectory}, p.noOther},
		{topic, "leftovers", []string{subnet.NeedDirectory}, p.leftovers},
	}
}

// settingsFile reads the settings. Values that cannot be are another check's
// affair: all else can be looked at with them.
func (p *patient) settingsFile(context.Context) subnet.Finding {
	s, err := node.ReadSettings(node.Options{Protocol: p.o.Protocol, Path: p.o.Path, Root: p.o.Root, Set: p.o.Set}, p.role.Name)
	p.settings = s
	if err != nil {
		if s.Config == nil {
			return fault(err, "name the run's directory with --path")
		}
		if p.invalid = s.Config.Validate(); p.invalid == nil || !says(err, p.invalid) {
			return fault(err, "correct the line, or take it out for the default")
		}
	}
	p.services = s.Config.Services()
	p.groups, _ = s.Config.(grouped)
	if s.File == "" {
		return subnet.Fine("none: the defaults count, in %s", s.Dir)
	}
	return subnet.Fine("%s is read", s.File)
}

// says reports whether an error tells every line of another.
func says(err, part error) bool {
	for line := range strings.Lines(part.Error()) {
		if !strings.Contains(err.Error(), strings.TrimSpace(line)) {
			return false
		}
	}
	return true
}

func (p *patient) settingsValues(context.Context) subnet.Finding {
	if p.invalid != nil {
		return fault(p.invalid, "correct these settings in the file")
	}
	return subnet.Fine("all can be what they are")
}

func (p *patient) settingsUnused(context.Context) subnet.Finding {
	if w := p.settings.Warnings; len(w) > 0 {
		return subnet.Doubt("take them out of the file, if they are not meant for another program", "%s", strings.Join(w, "; "))
	}
	return subnet.Fine("none")
}

func (p *patient) runDirectory(context.Context) subnet.Finding {
	dir, err := journal.Look(p.settings.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return subnet.Doubt("make it with 'mkdir -p', or leave it to the first run", "%s is not there yet", p.settings.Dir)
	} else if err != nil {
		return fault(err, "check who owns the directory")
	}
	if err := dir.CheckLayout(); err != nil {
		return fault(err, "choose another directory")
	}
	if err := writable(p.settings.Dir); err != nil {
		return subnet.Fault("give it to the user who runs adit: chown, or chmod u+w", "%s cannot be written: %v", p.settings.Dir, err)
	}
	p.dir = dir
	return subnet.Fine("%s can be written", p.settings.Dir)
}

// noOther looks for processes that work in the directory. That the neuron itself is
// running is no fault.
func (p *patient) noOther(context.Context) subnet.Finding {
	if p.dir == nil {
		return subnet.Skip("there is no directory yet")
	}
	var held []string
	for _, part := range p.role.Parts {
		pid, is, err := journal.Holder(p.dir.Path(), part)
		if err != nil && !errors.Is(err, os.ErrPermission) {
			return fault(err, "check who owns the lock")
		}
		if is {
			held = append(held, fmt.Sprintf("%s by process %d", part, pid))
		}
	}
	if len(held) > 0 {
		return subnet.Doubt("if that is this neuron, all is well; a second one would be refused", "played at present: %s", strings.Join(held, ", "))
	}
	return subnet.Fine("nobody works in the directory")
}

func (p *patient) leftovers(context.Context) subnet.Finding {
	if p.dir == nil {
		return subnet.Skip("there is no directory yet")
	}
	list, err := p.dir.Leftovers()
	if err != nil {
		return doubt(err, "check who owns the directory")
	}
	var sum int64
	for _, l := range list {
		sum += l.Size
	}
	if len(list) > 0 {
		return subnet.Doubt("they are gone on with when the same file is wanted again, or may be removed while the neuron does not run",
			"%d files of %s were begun and not finished, such as %s", len(list), bytes(sum), list[0].Name)
	}
	return subnet.Fine("none: every file is whole")
}

// bytes is a size for people.
func bytes[T int | int64 | uint64](n T) string {
	f := float64(n)
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if f < 1024 {
			return strings.Replace(fmt.Sprintf("%.1f %s", f, unit), ".0 ", " ", 1)
		}
		f /= 1024
	}
	return fmt.Sprintf("%.1f TiB", f)
}
