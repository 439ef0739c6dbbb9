package connito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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
		return ended(ctx, err)
	}
	for {
		under := f.at(head)
		moved, err := f.play(ctx, env, under, rounds)
		if !moved {
			return err
		}
		if head, err = n.Chain.Head(ctx); err != nil {
			return ended(ctx, fmt.Errorf("read head: %w", err))
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
	data, err := f.read(toldFile)
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
		f.warn("owner", "what the owner told last is not to be read, and is asked anew", err)
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

// play plays rounds until something else counts, or they end.
func (f *follower) play(ctx context.Context, env subnet.Env, under standing, rounds func(context.Context, subnet.Env) error) (moved bool, err error) {
	own := *f.cfg
	own.told = &toldSchedule{fixed: &under.schedule}
	own.Cycle.ValidatorWhitelist = strings.Fields(under.lists)
	if g, err := f.group(under.task); err != nil {
		f.warn("task", "the owner's task is not to be read, and the settings' group is taken", err)
	} else if g != nil {
		own.Task.Groups = []Group{*g}
	}
	if f.cfg.told != nil {
		f.cfg.told.live.Store(&under.schedule)
	}
	env.Config = &own
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
		f.say("owner", "going on under what the owner told", slog.String("phases", f.rules.WithSchedule(f.at(subnet.Latest).schedule).Schedule.describe(f.rules)))
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
			pause(ctx, time.Second)
		}
		if ctx.Err() != nil {
			return false
		}
	}
}

// pause waits, and returns whether it came to the end.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// askAll asks the service for all that it tells. patient asks again where it fails,
// and lets what it tells count from the next cycle on; otherwise it is asked once,
// within the time of one answer, and that counts at once. It returns whether all was
// told.
func (f *follower) askAll(ctx context.Context, patient bool) bool {
	if !patient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout())
		defer cancel()
	}
	err := errors.Join(f.askTable(ctx, patient), f.askWhitelist(ctx, patient))
	if f.rules.OwnerTask {
		err = errors.Join(err, f.askTask(ctx, patient))
	}
	if err != nil && (ctx.Err() == nil || !patient) {
		f.mu.Lock()
		seen := f.told.Seen
		f.mu.Unlock()
		f.warn("owner", "the owner's service does not tell all; going on with what is known", err,
			slog.String("url", f.cfg.Cycle.OwnerURL), slog.Uint64("told_at", uint64(seen)))
	}
	return err == nil
}

// learn takes over an answer at the head, and keeps it. It does nothing if the
// chain does not say what block it is.
func (f *follower) learn(ctx context.Context, patient bool, take func(t *told, head, from subnet.Block)) error {
	head, err := f.Chain.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	from := head
	if patient {
		from = f.told.newCycle(f.rules, head)
	}
	take(&f.told, head, from)
	if !f.keeper {
		return nil
	}
	if err := f.writeJSON(toldFile, f.told); err != nil {
		return fmt.Errorf("keep what the owner told: %w", err)
	}
	return nil
}

// askTable asks for the lengths of the phases, and whether the service counts
// cycles as the neuron does.
func (f *follower) askTable(ctx context.Context, patient bool) error {
	data, err := f.get(ctx, "/", maxService, patient)
	if err != nil {
		return err
	}
	r, err := f.rules.parseRoot(data)
	if err != nil {
		return err
	}
	if data, err = f.get(ctx, "/get_phase", maxService, false); err == nil {
		info, err := parsePhaseInfo(data)
		if err != nil {
			return err
		}
		if why := r.disagreement(info); why != "" {
			own := r.phaseInfo(info.Block)
			err := fmt.Errorf("the owner's service contradicts its own table: %s", strings.ReplaceAll(why, "the rules", "its table"))
			f.warn("clock", "the owner's service counts otherwise", err, slog.Uint64("block", uint64(info.Block)),
				slog.Uint64("service_cycle", info.CycleIndex), slog.Uint64("own_cycle", own.CycleIndex),
				slog.String("service_phase", info.PhaseName), slog.String("own_phase", own.PhaseName))
			return err
		}
		if head, err := f.Chain.Head(ctx); err == nil && max(head, info.Block)-min(head, info.Block) > maxApart {
			f.warn("clock", "the owner's service is at another block", fmt.Errorf("block %d for the service, %d here", info.Block, head),
				slog.Uint64("service_cycle", info.CycleIndex), slog.Uint64("own_cycle", r.Schedule.At(head).Cycle),
				slog.Uint64("service_block", uint64(info.Block)), slog.Uint64("own_block", uint64(head)))
		}
	}
	return f.learn(ctx, patient, func(t *told, head, from subnet.Block) {
		change := t.learnTable(f.rules, r.Schedule, head, from)
		t.Seen = head
		if change == "" {
			f.note("owner", "the owner's service told the phases", slog.Uint64("cycle_length", uint64(r.Schedule.Cycle())))
			return
		}
		f.Emit(subnet.Event{Level: slog.LevelWarn, Kind: "phases", Text: "the owner's phase table is another than ours", Attrs: []slog.Attr{
			slog.String("change", change), slog.Uint64("from", uint64(from)), slog.Uint64("cycle_length", uint64(r.Schedule.Cycle()))}})
	})
}

// maxApart is for how many blocks two nodes may be apart before somebody hears of
// it.
const maxApart = 5

func (f *follower) askWhitelist(ctx context.Context, patient bool) error {
	data, err := f.get(ctx, "/get_validator_whitelist", maxService, patient)
	if err != nil {
		return err
	}
	list, err := ParseWhitelist(data)
	if err == nil && len(list) == 0 {
		err = errors.New("whitelist: empty, which cannot be meant")
	}
	if err != nil {
		return err
	}
	return f.learn(ctx, patient, func(t *told, head, from subnet.Block) {
		if came, went := t.learnWhitelist(f.cfg.Cycle.ValidatorWhitelist, list, head, from); len(came)+len(went) > 0 {
			f.say("whitelist", "the owner's validators changed", slog.Int("validators", len(list)), slog.Any("came", came), slog.Any("went", went), slog.Uint64("from", uint64(from)))
		}
	})
}

// askTask asks which task is worked on, and brings its bundle if it is another.
func (f *follower) askTask(ctx context.Context, patient bool) error {
	data, err := f.get(ctx, "/active_task", maxService, patient)
	if err != nil {
		return err
	}
	task, err := parseTask(data)
	if err != nil {
		return err
	}
	f.mu.Lock()
	last, known := f.told.taskAt(subnet.Latest)
	f.mu.Unlock()
	if known && last == task {
		return nil
	}
	if data, err = f.get(ctx, "/active_task_bundle", maxBundle, patient); err != nil {
		return err
	}
	b, a, err := parseBundle(data)
	if err != nil {
		return err
	}
	if b.activeTask != task { // it changed between the two
		task = b.activeTask
	}
	if f.keeper {
		if err := f.materialise(b, a); err != nil {
			return fmt.Errorf("write the task's bundle: %w", err)
		}
	}
	return f.learn(ctx, patient, func(t *told, head, _ subnet.Block) {
		from := head
		if patient {
			from = t.taskFrom(f.rules, f.follow.validator, head)
		}
		if t.learnTask(task, head, from) {
			f.say("task", "the owner's task changed", slog.String("task", task.Name), slog.Int("group", task.GroupID), slog.String("bundle", task.Sum),
				slog.String("task_before", last.Name), slog.Int("group_before", last.GroupID), slog.String("bundle_before", last.Sum),
				slog.Int("layers", len(a)), slog.Int("experts", a.keys()/2), slog.Uint64("from", uint64(from)))
		}
	})
}

// groupsDir is where expert groups are, in the neuron's directory.
const groupsDir = "expert_groups"

// materialise writes a bundle's files. The hash comes last: as long as it is not
// there, or another, the bundle is not.
func (f *follower) materialise(b taskBundle, a Assignment) error {
	dir := groupsDir + "/" + b.Name + "/"
	config, err := decodeAny(b.Config)
	if err != nil {
		return err
	}
	text := func(name string, data []byte) error {
		return f.write(dir+name, func(w io.Writer) error { _, err := w.Write(data); return err })
	}
	err = errors.Join(f.Dir.Remove(dir+bundleSumFile), text("config.yaml", appendYAML(nil, config, 0)), text(assignmentFile, a.Encode()))
	if string(b.ShardPolicy) != "" && string(b.ShardPolicy) != "null" {
		err = errors.Join(err, text("shard_policy.json", b.ShardPolicy))
	}
	if err != nil {
		return err
	}
	return text(bundleSumFile, []byte(b.Sum+"\n"))
}

// group returns the expert group of a task, nil if there is no task.
func (f *follower) group(task activeTask) (*Group, error) {
	if task.Name == "" {
		return nil, nil
	}
	dir := groupsDir + "/" + task.Name + "/"
	sum, err := f.read(dir + bundleSumFile)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(string(sum)) != task.Sum {
		return nil, fmt.Errorf("%s is of bundle %.64s, want %s", dir, strings.TrimSpace(string(sum)), task.Sum)
	}
	text, err := f.read(dir + assignmentFile)
	if err != nil {
		return nil, err
	}
	a, err := ParseAssignment(text)
	return &Group{ID: task.GroupID, Assignment: a}, err
}

func (f *follower) timeout() time.Duration { return seconds(f.cfg.Cycle.APITimeoutSec) }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// maxBackoff bounds how long the service is left alone.
const maxBackoff = 300

// get returns what the service answers at a path. If patient, it is asked again, as
// upstream does, unless it said that this is of no use.
func (f *follower) get(ctx context.Context, path string, limit int64, patient bool) ([]byte, error) {
	for try := 1; ; try++ {
		data, err := f.getOnce(ctx, path, limit)
		var status *statusError
		switch {
		case err == nil:
			return data, nil
		case errors.As(err, &status) && !retryStatus(status.status):
			return nil, fmt.Errorf("HTTP error calling %s: %w", path, err)
		case !patient:
			return nil, fmt.Errorf("call %s: %w", path, err)
		case try > f.cfg.Cycle.APIRetries:
			return nil, fmt.Errorf("request failed after retries: %s: %w", path, err)
		}
		if !pause(ctx, seconds(math.Min(math.Pow(f.cfg.Cycle.APIBackoffSec, float64(try)), maxBackoff))) {
			return nil, err
		}
	}
}

func (f *follower) getOnce(ctx context.Context, path string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(f.cfg.Cycle.OwnerURL, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		detail, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return nil, &statusError{resp.StatusCode, strings.ToValidUTF8(strings.Join(strings.Fields(string(detail)), " "), "?")}
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return data, err
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
