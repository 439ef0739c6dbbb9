package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"adit/internal/subnet"
)

// errKilled is what a killed neuron's services say: nothing that it does from then
// on has any effect.
var errKilled = errors.New("killed")

// errFull is what a full disk says.
var errFull = errors.New("no space left on device")

// A life is one run of a neuron's role, which may be killed at any operation: what
// it is about to do then is not done, or it is done and the neuron never learns it.
type life struct {
	who    int
	faults *weather
	spent  map[*Fault]bool // kills of earlier lives
	cancel context.CancelCauseFunc

	mu   sync.Mutex
	left map[*Fault]int // operations until a kill
	dead *Fault
}

func newLife(who int, w *weather, spent map[*Fault]bool, cancel context.CancelCauseFunc) *life {
	return &life{who: who, faults: w, spent: spent, cancel: cancel, left: make(map[*Fault]int)}
}

// op counts an operation. It returns an error if the neuron is dead, or dies before
// it.
func (l *life) op(act bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead != nil {
		return errKilled
	}
	now := l.faults.chain.now()
	for i := range l.faults.faults {
		f := &l.faults.faults[i]
		if f.Who != l.who || f.From > now || l.spent[f] {
			continue
		}
		switch f.Kind {
		case Kill, KillEval, Vanish, ManyGone, LeaderGone:
		case KillAct:
			if !act {
				continue
			}
		default:
			continue
		}
		if _, armed := l.left[f]; !armed {
			l.left[f] = f.Op
		}
		if l.left[f]--; l.left[f] >= 0 {
			continue
		}
		l.dead, l.spent[f] = f, true
		l.faults.hit(f.Kind)
		l.cancel(errKilled)
		return errKilled
	}
	return nil
}

func (l *life) alive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead == nil
}

func (w *weather) hit(k Kind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hits[k]++
}

// A mortalDir is the directory of a neuron that can be killed.
type mortalDir struct {
	subnet.Dir
	life *life
}

func (d mortalDir) Open(name string) (subnet.File, error) {
	if err := d.life.op(false); err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return d.Dir.Open(name)
}

func (d mortalDir) Create(name string) (subnet.Draft, error) {
	return d.draft(d.Dir.Create, name)
}

func (d mortalDir) Resume(name string) (subnet.Draft, error) {
	return d.draft(d.Dir.Resume, name)
}

func (d mortalDir) draft(open func(string) (subnet.Draft, error), name string) (subnet.Draft, error) {
	if err := d.life.op(false); err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	draft, err := open(name)
	if err != nil {
		return nil, err
	}
	return mortalDraft{draft, d.life}, nil
}

func (d mortalDir) List(name string) ([]string, error) {
	if err := d.life.op(false); err != nil {
		return nil, err
	}
	return d.Dir.List(name)
}

func (d mortalDir) Rename(from, to string) error {
	return d.life.do(false, func() error { return d.Dir.Rename(from, to) })
}

func (d mortalDir) Link(from, to string) error {
	return d.life.do(false, func() error { return d.Dir.Link(from, to) })
}

func (d mortalDir) Remove(name string) error {
	return d.life.do(false, func() error { return d.Dir.Remove(name) })
}

// do is an operation at which a neuron may die, before or after.
func (l *life) do(act bool, act1 func() error) error {
	if err := l.op(act); err != nil {
		return err
	}
	if err := act1(); err != nil {
		return err
	}
	return l.op(act)
}

type mortalDraft struct {
	subnet.Draft
	life *life
}

func (d mortalDraft) Write(p []byte) (int, error) {
	if err := d.life.op(false); err != nil {
		return 0, err
	}
	return d.Draft.Write(p)
}

func (d mortalDraft) Commit() error { return d.life.do(false, d.Draft.Commit) }

func (d mortalDraft) Truncate(size int64) error {
	if !d.life.alive() {
		return errKilled
	}
	return d.Draft.Truncate(size)
}

// A mortalJournal is the journal of a neuron that can be killed.
type mortalJournal struct {
	subnet.Journal
	life *life
}

func (j mortalJournal) Intend(key, payload string) (standing string, err error) {
	err = j.life.do(true, func() error {
		standing, err = j.Journal.Intend(key, payload)
		return err
	})
	return standing, err
}

func (j mortalJournal) Done(key, result string) error {
	return j.life.do(true, func() error { return j.Journal.Done(key, result) })
}

// A mortalSigner is the hotkey of one.
type mortalSigner struct {
	subnet.Signer
	life *life
}

func (s mortalSigner) Sign(ctx context.Context, payload []byte) ([]byte, error) {
	if err := s.life.op(false); err != nil {
		return nil, err
	}
	return s.Signer.Sign(ctx, payload)
}
