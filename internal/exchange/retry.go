package exchange

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"adit/internal/subnet"
)

const maxBackoff = 30 * time.Second

// retry calls attempt until it succeeds, fails for good, or has failed
// o.Attempts times in a row without progress.
func (o Options) retry(ctx context.Context, attempt func(context.Context) (progressed bool, err error)) error {
	for failed := 0; ; {
		progressed, err := attempt(ctx)
		if err == nil || ctx.Err() != nil || !errors.Is(err, subnet.ErrTemporary) {
			return err
		}
		if progressed {
			failed = 0
		}
		if failed++; failed >= o.Attempts {
			return err
		}
		wait := o.pause(failed)
		if s, ok := errors.AsType[*statusError](err); ok && s.wait > wait {
			wait = s.wait
		}
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}

// pause is how long to wait after so many failures: longer each time, and not
// the same for all who failed together.
func (o Options) pause(failed int) time.Duration {
	d := maxBackoff
	if failed < 16 {
		d = min(o.Backoff<<(failed-1), maxBackoff)
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
