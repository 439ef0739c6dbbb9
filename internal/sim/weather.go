package sim

import (
	"slices"
	"sync"

	"adit/internal/subnet"
)

// A weather is the faults of a run, as they are now.
type weather struct {
	chain  *Chain
	faults []Fault

	mu   sync.Mutex
	hits map[Kind]int // how often a fault was met
	down []span       // in which a neuron was not running
}

// A span is some blocks of one neuron's life.
type span struct {
	who      int
	from, to subnet.Block
}

// on returns the fault of one of these kinds that a neuron meets now, or nil.
func (w *weather) on(who int, kinds ...Kind) *Fault {
	if w == nil {
		return nil
	}
	now := w.chain.now()
	for i := range w.faults {
		f := &w.faults[i]
		if f.From <= now && now <= f.To && (f.Who == who || f.Who < 0) && slices.Contains(kinds, f.Kind) {
			w.mu.Lock()
			w.hits[f.Kind]++
			w.mu.Unlock()
			return f
		}
	}
	return nil
}

// change returns the next block after now at which the weather of a neuron's chain
// may be another, or the latest of all.
func (w *weather) change(who int) subnet.Block {
	next := subnet.Latest
	now := w.chain.now()
	for _, f := range w.faults {
		if f.Who != who && f.Who >= 0 {
			continue
		}
		for _, b := range []subnet.Block{f.From, f.To + 1} {
			if b > now {
				next = min(next, b)
			}
		}
	}
	return next
}

// was notes that a neuron was not running.
func (w *weather) was(who int, from, to subnet.Block) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = append(w.down, span{who, from, to})
}
