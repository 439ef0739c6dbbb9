package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"adit/internal/journal"
	"adit/internal/subnet"
)

// An ordeal is what a run in bad weather is made of, whatever protocol is played: the
// weather, and neurons that live through it, life after life.
type ordeal struct {
	weather *weather
	lots    *rand.Rand // of what a crash leaves of drafts
	mu      sync.Mutex
	// exits are the roles that ended though nobody killed them, and not for want of
	// an endpoint when they began, which they leave to people.
	exits []string
}

// newOrdeal lets faults come over a chain whose time has not begun.
func newOrdeal(chain *Chain, seed uint64, faults []Fault) *ordeal {
	s := &ordeal{weather: &weather{chain: chain, faults: faults, hits: make(map[Kind]int)}, lots: rand.New(rand.NewPCG(seed, 1))}
	for i := range faults {
		if f := &faults[i]; f.Kind == Reorg {
			chain.forks = append(chain.forks, &fork{base: f.From, depth: subnet.Block(f.Op), lots: rand.New(rand.NewPCG(seed, uint64(f.From)))})
			s.weather.hits[Reorg]++
		}
	}
	slices.SortFunc(chain.forks, func(a, b *fork) int { return int(a.base) - int(b.base) })
	return s
}

// expose lets the weather have what a neuron sends to the chain, and its disk.
func (s *ordeal) expose(i int, v *Neuron) {
	v.chain.late = func() subnet.Block {
		if f := s.weather.on(i, Late); f != nil {
			return subnet.Block(f.Op)
		}
		return 0
	}
	v.Memory.Fault = func(string, string) error {
		if s.weather.on(i, DiskFull) != nil {
			return errFull
		}
		return nil
	}
}

// lives runs one neuron, life after life, until ctx is done. Who is killed, or ends
// by itself, is started again.
func (s *ordeal) lives(ctx context.Context, i int, v *Neuron, run func(context.Context, *life) error) {
	chain := s.weather.chain
	spent := make(map[*Fault]bool)
	for ctx.Err() == nil {
		one, cancel := context.WithCancelCause(ctx)
		began := chain.now()
		l := newLife(i, s.weather, spent, cancel)
		err := run(one, l)
		cancel(nil)
		from, off := chain.now(), subnet.Block(1)
		switch {
		case l.alive() && ctx.Err() != nil:
			if err != nil {
				s.exited(fmt.Sprintf("%s: %v", v.Name, err))
			}
			return
		case l.alive() && from > began+4:
			s.exited(fmt.Sprintf("block %d: %s: %v", from, v.Name, err))
		case !l.alive():
			s.crash(v.Memory)
			off = l.dead.To - l.dead.From
		}
		_ = v.chain.Wait(ctx, from+off)
		s.weather.was(i, from, from+off)
	}
}

// crash loses what of a directory is not safe.
func (s *ordeal) crash(m *journal.Mem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Crash(s.lots)
}

// endedAlone returns what was told of roles that ended by themselves.
func (s *ordeal) endedAlone() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.exits)
}

func (s *ordeal) exited(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exits = append(s.exits, text)
}

// endured are the services that all protocols have, of one life of a neuron.
func (s *ordeal) endured(env subnet.Env, v *Neuron, l *life) subnet.Env {
	env.Signer = mortalSigner{env.Signer, l}
	env.Chain = roughChain{v.chain, l}
	env.Dir = mortalDir{v.Memory, l}
	env.Journal = mortalJournal{v.Memory, l}
	env.Emit = func(e subnet.Event) {
		if l.alive() {
			e.Block = s.weather.chain.now()
			v.emit(e)
		}
	}
	return env
}

// A calendar holds blocks of several neurons.
type calendar []map[subnet.Block]bool

func newCalendar(n int) calendar {
	c := make(calendar, n)
	for i := range c {
		c[i] = make(map[subnet.Block]bool)
	}
	return c
}

// mark notes the blocks from one to another of a neuron, or of all with -1.
func (c calendar) mark(who int, from, to subnet.Block) {
	for i := range c {
		if who == i || who < 0 {
			for b := from; b <= to; b++ {
				c[i][b] = true
			}
		}
	}
}

// troubled returns the blocks in which the chain, the disk or the process of a neuron
// was not in order, and those in which it may not know what it has sent.
func (w *weather) troubled(neurons int) (self, unsure calendar) {
	self, unsure = newCalendar(neurons), newCalendar(neurons)
	for _, f := range w.faults {
		switch f.Kind {
		case ChainDown, ChainDownAll, HeadStands, HeadAhead, ClockBehind, ClockAhead, DiskFull:
			self.mark(f.Who, f.From, f.To)
		case Late:
			self.mark(f.Who, f.From, f.To+subnet.Block(f.Op))
		case Reorg:
			self.mark(-1, f.From, f.To)
		}
	}
	w.mu.Lock() // it may still be played
	defer w.mu.Unlock()
	for _, d := range w.down {
		self.mark(d.who, d.from, d.to)
		unsure.mark(d.who, d.to, d.to+marginSent)
	}
	return self, unsure
}
