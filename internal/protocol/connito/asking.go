package connito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

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
		f.Warn("owner", "the owner's service does not tell all; going on with what is known", err,
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
	if err := f.WriteJSON(toldFile, f.told); err != nil {
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
			f.Warn("clock", "the owner's service counts otherwise", err, slog.Uint64("block", uint64(info.Block)),
				slog.Uint64("service_cycle", info.CycleIndex), slog.Uint64("own_cycle", own.CycleIndex),
				slog.String("service_phase", info.PhaseName), slog.String("own_phase", own.PhaseName))
			return err
		}
		if head, err := f.Chain.Head(ctx); err == nil && max(head, info.Block)-min(head, info.Block) > maxApart {
			f.Warn("clock", "the owner's service is at another block", fmt.Errorf("block %d for the service, %d here", info.Block, head),
				slog.Uint64("service_cycle", info.CycleIndex), slog.Uint64("own_cycle", r.Schedule.At(head).Cycle),
				slog.Uint64("service_block", uint64(info.Block)), slog.Uint64("own_block", uint64(head)))
		}
	}
	return f.learn(ctx, patient, func(t *told, head, from subnet.Block) {
		change := t.learnTable(f.rules, r.Schedule, head, from)
		t.Seen = head
		if change == "" {
			f.Note("owner", "the owner's service told the phases", slog.Uint64("cycle_length", uint64(r.Schedule.Cycle())))
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
			f.Say("whitelist", "the owner's validators changed", slog.Int("validators", len(list)), slog.Any("came", came), slog.Any("went", went), slog.Uint64("from", uint64(from)))
		}
	})
}

func (f *follower) timeout() time.Duration { return seconds(f.cfg.Cycle.APITimeoutSec) }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

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
		if actor.Pause(ctx, seconds(apiBackoff(f.cfg.Cycle.APIBackoffSec, try))) != nil {
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
