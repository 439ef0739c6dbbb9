package connito

import (
	"context"
	"errors"

	"adit/internal/subnet"
)

// mine is train and model-io in one process, over the same directory as the two
// would share.
func mine(ctx context.Context, env subnet.Env) error {
	if cfg, ok := env.Config.(*Config); ok && cfg.Cheat != "" {
		return cheat(ctx, env)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, 2)
	for _, run := range []func(context.Context, subnet.Env) error{train, modelIO} {
		go func() { defer cancel(); errs <- run(ctx, env) }() // one does not go on without the other
	}
	return errors.Join(<-errs, <-errs)
}
