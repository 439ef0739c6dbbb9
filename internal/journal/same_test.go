package journal

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"adit/internal/subnet"
)

// What a simulation shows must hold on disk: whatever is done to both, the two
// directories answer alike.
func TestMemIsLikeDisk(t *testing.T) {
	t.Parallel()
	for range 10 {
		seed := rand.Uint64()
		disk, mem := subnet.Dir(openDir(t, t.TempDir())), subnet.Dir(NewMem())
		a := player{dir: disk, rng: rand.New(rand.NewPCG(seed, 0)), drafts: map[string]subnet.Draft{}}
		b := player{dir: mem, rng: rand.New(rand.NewPCG(seed, 0)), drafts: map[string]subnet.Draft{}}
		for step := range 150 {
			x, y := a.step(), b.step()
			if x != y {
				t.Fatalf("seed %d, step %d:\ndisk   %s\nmemory %s", seed, step, x, y)
			}
		}
		for _, w := range a.drafts {
			w.Close()
		}
	}
}

// A player does random things to a directory.
type player struct {
	dir    subnet.Dir
	rng    *rand.Rand
	drafts map[string]subnet.Draft
}

// step does one thing and returns what it was and what came of it.
func (p *player) step() string {
	name := func() string { return []string{"a", "b", "a/a", "a/b", "b/a", "a/a/a", "b/b/b"}[p.rng.IntN(7)] }
	what, on, to := p.rng.IntN(10), name(), name()
	text := fmt.Sprint(p.rng.IntN(1000))
	w := p.drafts[on]
	switch what {
	case 0, 1:
		start, verb := p.dir.Create, "create"
		if what == 1 {
			start, verb = p.dir.Resume, "resume"
		}
		w, err := start(on)
		if err == nil {
			p.drafts[on] = w
			return fmt.Sprint(verb, " ", on, " ", w.Size())
		}
		return fmt.Sprint(verb, " ", on, " ", kind(err))
	case 2, 3:
		if w == nil {
			return ""
		}
		n, err := io.WriteString(w, text)
		return fmt.Sprint("write ", on, n, w.Size(), kind(err))
	case 4:
		if w == nil {
			return ""
		}
		err := w.Commit()
		delete(p.drafts, on)
		return fmt.Sprint("commit ", on, kind(err), kind(w.Close()))
	case 5:
		if w == nil {
			return ""
		}
		delete(p.drafts, on)
		return fmt.Sprint("close ", on, kind(w.Close()))
	case 6:
		// Open drafts follow a directory on one system and hold it on another.
		if len(p.drafts) > 0 {
			return ""
		}
		return fmt.Sprint("rename ", on, " ", to, kind(p.dir.Rename(on, to)))
	case 7:
		return fmt.Sprint("remove ", on, kind(p.dir.Remove(on)))
	case 8:
		names, err := p.dir.List(on)
		root, err2 := p.dir.List("")
		return fmt.Sprint("list ", on, names, kind(err), root, kind(err2))
	default:
		f, err := p.dir.Open(on)
		if err != nil {
			return fmt.Sprint("open ", on, kind(err))
		}
		defer f.Close()
		data, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
		return fmt.Sprint("open ", on, string(data), kind(err))
	}
}

// kind is what callers may tell of an error.
func kind(err error) string {
	switch {
	case err == nil:
		return " ok"
	case errors.Is(err, subnet.ErrNotFound):
		return " not found"
	}
	return " error"
}
