// Package transfer holds what every exchange of files over a network needs,
// whatever the protocol: retries, a watchdog for connections that stand still,
// and downloads that go on where an earlier one ended and are checked.
package transfer

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"adit/internal/subnet"
)

// DefaultStall is longer than a hub needs to find a large file, and shorter
// than the shortest phase of the networks, a minute, so that one dead
// connection does not cost a round.
const DefaultStall = 30 * time.Second

// DefaultAttempts with the default backoff bridges an outage of half a minute.
const DefaultAttempts = 6

const maxBackoff = 30 * time.Second

// A Policy says how patient a transfer is. Its zero value means the defaults.
type Policy struct {
	// Stall is how long a transfer may stand still before it is cut and
	// resumed; 0 for [DefaultStall].
	Stall time.Duration
	// Attempts is how often something is tried in a row without any progress;
	// 0 for [DefaultAttempts].
	Attempts int
	// Backoff is the pause before the second attempt; it doubles with each
	// further one up to 30 s. 0 for a second.
	Backoff time.Duration
	// Progress is told how far a transfer has come, in bytes. It must not
	// block.
	Progress func(path string, done, total int64)
}

// WithDefaults returns p with all that is zero set.
func (p Policy) WithDefaults() Policy {
	if p.Stall <= 0 {
		p.Stall = DefaultStall
	}
	if p.Attempts <= 0 {
		p.Attempts = DefaultAttempts
	}
	if p.Backoff <= 0 {
		p.Backoff = time.Second
	}
	if p.Progress == nil {
		p.Progress = func(string, int64, int64) {}
	}
	return p
}

// An Asked error says how long the other side asked us to wait.
type Asked interface {
	error
	RetryAfter() time.Duration
}

// Retry calls attempt until it succeeds, fails for good, or has failed
// p.Attempts times in a row without progress.
func (p Policy) Retry(ctx context.Context, attempt func(context.Context) (progressed bool, err error)) error {
	for failed := 0; ; {
		progressed, err := attempt(ctx)
		if err == nil || ctx.Err() != nil || !errors.Is(err, subnet.ErrTemporary) {
			return err
		}
		if progressed {
			failed = 0
		}
		if failed++; failed >= p.Attempts {
			return err
		}
		wait := p.pause(failed)
		if a, ok := errors.AsType[Asked](err); ok {
			wait = max(wait, a.RetryAfter())
		}
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}

// pause is how long to wait after so many failures: longer each time, and not
// the same for all who failed together.
func (p Policy) pause(failed int) time.Duration {
	d := maxBackoff
	if failed < 16 {
		d = min(p.Backoff<<(failed-1), maxBackoff)
	}
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
