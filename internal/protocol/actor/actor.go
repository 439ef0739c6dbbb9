// Package actor is what the roles of all protocols do alike with the services that
// they are given: they tell what happens, wait for blocks, keep small files, and
// commit on chain once.
package actor

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"adit/internal/subnet"
)

// An Actor is a neuron that plays a role, with its services.
type Actor struct {
	subnet.Env
	Me subnet.Hotkey
}

// New returns the actor of an environment that has a signer.
func New(env subnet.Env) Actor { return Actor{Env: env, Me: env.Signer.Hotkey()} }

// Say emits an event for people and programs.
func (a *Actor) Say(kind, text string, attrs ...slog.Attr) {
	a.Emit(subnet.Event{Kind: kind, Text: text, Attrs: attrs})
}

// Note emits an event for programs, such as those that show metrics: people see
// it only if they ask for every detail.
func (a *Actor) Note(kind, text string, attrs ...slog.Attr) {
	a.Emit(subnet.Event{Level: slog.LevelDebug, Kind: kind, Text: text, Attrs: attrs})
}

// Warn emits an event about something that went wrong and is survived.
func (a *Actor) Warn(kind, text string, err error, attrs ...slog.Attr) {
	a.Emit(subnet.Event{Level: slog.LevelWarn, Kind: kind, Text: text, Attrs: append(attrs, slog.String("error", err.Error()))})
}

// NextBlock waits until there is a block after the head.
func (a *Actor) NextBlock(ctx context.Context) error {
	head, err := a.Chain.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	return a.Chain.Wait(ctx, head+1)
}

// Until returns a context that ends when block b is produced.
func Until(ctx context.Context, chain subnet.Chain, b subnet.Block) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		_ = chain.Wait(ctx, b) // either way the time is up
	}()
	return ctx, func() { cancel(); <-done }
}

// Pause waits for so long, or until ctx is done, which is its error then.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ended returns nil if the role was asked to end, and err otherwise.
func Ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// JSON returns a value as JSON. It is for values that always encode.
func JSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
