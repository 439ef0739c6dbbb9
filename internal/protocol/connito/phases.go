package connito

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A toldSchedule is the phase table of settings whose owner tells one.
type toldSchedule struct {
	fixed *Schedule                // which the rules take; nil for their own
	live  atomic.Pointer[Schedule] // which is in force, for who only watches
}

// lay puts the table into the rules.
func (t *toldSchedule) lay(r *Rules) {
	if t != nil && t.fixed != nil {
		r.Schedule = *t.fixed
	}
}

// watched returns the rules with the table in force.
func (t *toldSchedule) watched(r Rules) Rules {
	if t != nil {
		if s := t.live.Load(); s != nil {
			return r.WithSchedule(*s)
		}
	}
	return r
}

// A follower knows what the owner's phase service tells, and asks it again at each
// Distribute. Phases come from the neuron's own clock of blocks; the service is
// asked for their lengths only, in the background, and what it told last is kept,
// so that a neuron does not care whether it answers.
//
// Unlike upstream, which asks it every few blocks what phase it is, and does
// nothing as long as it does not answer.
type follower struct {
	*neuron
	follow

	mu   sync.Mutex
	told told

	asking sync.WaitGroup
	cancel context.CancelFunc // of the last asking
	asked  uint64             // cycle in which it was asked, plus one
}

// A follow says how a role follows the owner.
type follow struct {
	keeper    bool // asks and keeps; one that shares its directory with a keeper only reads
	validator bool // takes a new task when Distribute is over
}

// following returns the Run of a role that plays rounds under what the owner's
// service tells.
func following(how follow, rounds func(context.Context, subnet.Env) error) func(context.Context, subnet.Env) error {
	return func(ctx context.Context, env subnet.Env) error { return followed(ctx, env, how, rounds) }
}

// A standing is what a role plays under: all of it that may change.
type standing struct {
	schedule Schedule
	lists    string // the whitelist, in one
	task     activeTask
}

// followed plays rounds under what the owner's service tells. A change ends them
// where it begins to count, as a restart would, and begins them anew under the new
// table, whitelist or task.
func followed(ctx context.Context, env subnet.Env, how follow, rounds func(context.Context, subnet.Env) error) error {
	cfg, ok := env.Config.(*Config)
	if !ok || cfg.Cycle.OwnerURL == "" {
		return rounds(ctx, env)
	}
	n, err := newNeuron(env)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{neuron: n, follow: how, cancel: func() {}}
	defer func() { cancel(); f.asking.Wait() }()
	head, err := f.begin(ctx)
	if err != nil {
		return actor.Ended(ctx, err)
	}
	for {
		under := f.at(head)
		moved, err := f.play(ctx, env, under, rounds)
		if !moved {
			return err
		}
		if head, err = n.Chain.Head(ctx); err != nil {
			return actor.Ended(ctx, fmt.Errorf("read head: %w", err))
		}
		// Miners make what they can of the cycle that the new table is in. A
		// validator would find that nobody committed where it says, and score all 0.
		if s := f.at(head).schedule; how.validator && s != under.schedule && s.At(head).Phase > Train {
			if head = s.Start(s.At(head).Cycle+1, Distribute); n.Chain.Wait(ctx, head) != nil {
				return nil
			}
		}
	}
}

// begin reads what was kept. If that is nothing, or older than a cycle, the service
// is asked once before the first round: what it tells then counts at once, since
// nothing was begun under another table.
func (f *follower) begin(ctx context.Context) (subnet.Block, error) {
	head, err := f.Chain.Head(ctx)
	if err != nil {
		return 0, fmt.Errorf("read head: %w", err)
	}
	f.recall()
	stale := f.told.Seen == 0 || head > f.told.Seen+f.told.rulesAt(f.rules, head).Schedule.Cycle()
	if stale && (f.keeper || f.told.Seen == 0) {
		if told := f.askAll(ctx, false); told {
			f.asked = f.at(head).schedule.At(head).Cycle + 1
		}
		if head, err = f.Chain.Head(ctx); err != nil {
			return 0, fmt.Errorf("read head: %w", err)
		}
	}
	return head, nil
}

// recall takes over what is kept, if it is of this service and these rules.
func (f *follower) recall() {
	data, err := f.Read(toldFile)
	var t told
	if err == nil {
		t, err = parseTold(data)
	}
	if errors.Is(err, subnet.ErrNotFound) {
		err = nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && t.URL == f.cfg.Cycle.OwnerURL && t.Rules == f.rules.Name {
		f.told = t
	} else if f.told.URL == "" {
		f.told = told{URL: f.cfg.Cycle.OwnerURL, Rules: f.rules.Name}
	}
	if err != nil {
		f.Warn("owner", "what the owner told last is not to be read, and is asked anew", err)
	}
}

// at returns what a role plays under at a block.
func (f *follower) at(b subnet.Block) standing {
	f.mu.Lock()
	defer f.mu.Unlock()
	task, _ := f.told.taskAt(b)
	return standing{
		schedule: f.told.rulesAt(f.rules, b).Schedule,
		lists:    strings.Join(f.told.whitelistAt(f.cfg.Cycle.ValidatorWhitelist, b), " "),
		task:     task,
	}
}

// settings returns the neuron's settings with what the owner told.
func (f *follower) settings(under standing) *Config {
	own := *f.cfg
	own.told = &toldSchedule{fixed: &under.schedule}
	own.Cycle.ValidatorWhitelist = strings.Fields(under.lists)
	if g, err := f.group(under.task); err != nil {
		f.Warn("task", "the owner's task is not to be read, and the settings' group is taken", err)
	} else if g != nil {
		own.Task.Groups = []Group{*g}
	}
	return &own
}

// play plays rounds until something else counts, or they end.
func (f *follower) play(ctx context.Context, env subnet.Env, under standing, rounds func(context.Context, subnet.Env) error) (moved bool, err error) {
	if f.cfg.told != nil {
		f.cfg.told.live.Store(&under.schedule)
	}
	env.Config = f.settings(under)
	if under.schedule.Cycle() != f.rules.Schedule.Cycle() {
		env.Journal = cycleJournal{env.Journal, fmt.Sprintf("of-%d/", under.schedule.Cycle())}
	}

	inner, cancel := context.WithCancel(ctx)
	over := make(chan error, 1)
	go func() { defer cancel(); over <- rounds(inner, env) }()
	moved = f.watch(inner, ctx, under)
	cancel()
	err = <-over
	if moved && ctx.Err() == nil {
		f.Say("owner", "going on under what the owner told", slog.String("phases", f.rules.WithSchedule(f.at(subnet.Latest).schedule).Schedule.describe(f.rules)))
		return true, nil
	}
	return false, err
}

// watch looks at each block whether something else counts, and asks the service at
// each Distribute, until ctx is done. It returns whether something else does: one
// block after it began, because a validator's last commitment may be in the first
// block of the next cycle.
func (f *follower) watch(ctx, all context.Context, under standing) bool {
	for {
		head, err := f.Chain.Head(ctx)
		if err == nil {
			if !f.keeper {
				f.recall()
			}
			if f.at(head) != under && (head == 0 || f.at(head-1) != under) {
				return true
			}
			if cycle := under.schedule.At(head).Cycle + 1; f.keeper && f.asked != cycle {
				f.asked = cycle
				f.cancel()
				var asking context.Context
				asking, f.cancel = context.WithCancel(all)
				f.asking.Go(func() { _ = f.askAll(asking, true) })
			}
			err = f.Chain.Wait(ctx, head+1)
		}
		if err != nil && ctx.Err() == nil { // the client is finding another endpoint
			_ = actor.Pause(ctx, time.Second) // what ended it is looked at below
		}
		if ctx.Err() != nil {
			return false
		}
	}
}

// A cycleJournal keeps what is done in cycles of another length apart: a cycle's
// number is not the same one then.
type cycleJournal struct {
	subnet.Journal
	prefix string
}

func (j cycleJournal) Intend(key, payload string) (string, error) {
	return j.Journal.Intend(j.prefix+key, payload)
}
func (j cycleJournal) Done(key, result string) error    { return j.Journal.Done(j.prefix+key, result) }
func (j cycleJournal) Result(key string) (string, bool) { return j.Journal.Result(j.prefix + key) }
