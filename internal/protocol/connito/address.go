package connito

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A submission of BlockZero's documents is an address, from which the model is fetched
// after the answer. Who was told "accepted" does not come again, so that the address is
// on disk before: a validator that is killed while it fetches goes on when it is back.

// addressDir holds the addresses whose models are not here yet.
const addressDir = "miner_address"

func addressName(who subnet.Hotkey, at subnet.Block) string {
	return fmt.Sprintf("%s/hotkey_%s_block_%d.json", addressDir, who, at)
}

// keepAddress keeps an address that came at a block.
func (s *server) keepAddress(sub docsSubmit, at subnet.Block) error {
	return s.WriteJSON(addressName(sub.Hotkey, at), sub)
}

// forgetAddress removes one whose model is here, or will never be.
func (s *server) forgetAddress(who subnet.Hotkey, at subnet.Block) {
	if err := s.Dir.Remove(addressName(who, at)); err != nil {
		s.Warn("disk", "an address is kept of which nothing more is to be had", err, slog.String("hotkey", string(who)))
	}
}

// goOn begins to fetch again what was not here yet when the validator was stopped.
func (s *server) goOn(ctx context.Context, fetch func(docsSubmit, doorway)) {
	names, err := s.Dir.List(addressDir)
	if err != nil {
		s.Warn("disk", "addresses of submissions cannot be listed", err)
	}
	for _, name := range names {
		who, at, ok := parseSubmission(name)
		if !ok {
			continue
		}
		err := s.goOnWith(ctx, who, at, fetch)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.Warn("lost", "a submission could not be fetched", err, slog.String("hotkey", string(who)))
			s.forgetAddress(who, at)
		}
	}
}

// goOnWith does so for one address, as soon as the chain can be read.
func (s *server) goOnWith(ctx context.Context, who subnet.Hotkey, at subnet.Block, fetch func(docsSubmit, doorway)) error {
	data, err := s.Read(addressName(who, at))
	if err != nil {
		return err
	}
	sub, err := parseDocsSubmit(data)
	if err != nil {
		return err
	}
	for {
		d, bad := s.submitDoorway(ctx, submitRequest{Target: s.Me, Origin: who})
		switch {
		case bad != nil || d.Phase == nil: // the chain cannot be read
			if actor.Pause(ctx, blockSeconds*time.Second) != nil {
				return ctx.Err()
			}
			continue
		case at < d.Phase.PhaseStart || at > d.Phase.PhaseEnd:
			return errors.New("its Submission phase is over")
		case d.SubmittedAt > 0: // all was here but the end of its address
			s.forgetAddress(who, at)
			return nil
		}
		d.Head = at
		fetch(sub, d)
		return nil
	}
}
