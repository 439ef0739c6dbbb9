package transfer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"

	"adit/internal/subnet"
)

// A Watchdog cuts a transfer that stands still.
type Watchdog struct {
	timer  *time.Timer
	stall  time.Duration
	asker  context.Context // the caller's, without the watchdog
	ctx    context.Context
	cancel context.CancelCauseFunc
}

var errStalled = errors.New("nothing has moved")

// Watch returns a context that ends when the watchdog has not been fed for
// stall. The caller must stop it.
func Watch(ctx context.Context, stall time.Duration) (context.Context, *Watchdog) {
	watched, cancel := context.WithCancelCause(ctx)
	w := &Watchdog{stall: stall, asker: ctx, ctx: watched, cancel: cancel}
	w.timer = time.AfterFunc(stall, func() { cancel(errStalled) })
	return watched, w
}

// Feed tells that something has moved.
func (w *Watchdog) Feed() { w.timer.Reset(w.stall) }

// settleTimes is how much longer than the usual stall a store may take for its
// answer once it has all bytes.
const settleTimes = 10

// Settle tells that all has been sent, and that the answer may take a while.
func (w *Watchdog) Settle() { w.timer.Reset(settleTimes * w.stall) }

// Stop ends the watch, and the context with it.
func (w *Watchdog) Stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// Broken says what an error of the watched connection means.
func (w *Watchdog) Broken(err error) error {
	if w.asker.Err() != nil {
		return w.asker.Err()
	}
	if context.Cause(w.ctx) == errStalled {
		return fmt.Errorf("%w: %w for %v", subnet.ErrTemporary, errStalled, w.stall)
	}
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return subnet.WithHint(cert, "is this computer's clock right, and is it the right endpoint?")
	}
	return fmt.Errorf("%w: %w", subnet.ErrTemporary, err)
}

// Body returns the body of a download, which feeds w with each read, tells what
// its errors mean, and stops w when it is closed.
func (w *Watchdog) Body(body io.ReadCloser) io.ReadCloser { return &watchedBody{body, w} }

type watchedBody struct {
	io.ReadCloser
	w *Watchdog
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.w.Feed()
	}
	if err != nil && err != io.EOF {
		err = b.w.Broken(err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	defer b.w.Stop()
	return b.ReadCloser.Close()
}
