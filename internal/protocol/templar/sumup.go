package templar

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"adit/internal/compress"
)

// merged returns what a window comes to for a validator, which has all gradients: the
// aggregate of who is to make it before this one does, or its own. nil if neither
// came about: then all gather.
func (a *sums) merged(ctx context.Context, w Window, list PeerList, c *collection) (merge, error) {
	span, turns, err := a.schedule(ctx, w)
	if err != nil {
		return nil, err
	}
	for _, t := range turns {
		if t.who.Hotkey == a.Me {
			m, err := a.publish(ctx, w, list, c, t)
			if err == nil {
				return m, nil
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			a.Warn("aggregate", "the aggregate did not get into the bucket, or nobody will take it", err, slog.Uint64("window", uint64(w)))
			if errors.As(err, new(leftOut)) {
				if again, err := a.gather(ctx, w, list); err == nil {
					*c = *again
				}
			}
			continue
		}
		g, err := a.await(ctx, w, span, t, list)
		if err == nil {
			err = a.repeatSum(g, c)
		}
		if err == nil {
			return said{g.result}, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		a.refused(w, t.who, err)
	}
	a.skipped()
	return nil, nil
}

// repeatSum adds up what another validator has, so that this one knows what is unsaid
// and can go on when the other is gone. Where it cannot, since it lacks a gradient or
// does not know what was unsaid before, it does not know that after it either.
func (a *sums) repeatSum(g *aggregate, c *collection) error {
	before, after := a.state, g.claim.After
	if g.claim.Before == a.zero {
		before = compress.NewState(a.schema)
	}
	a.after, a.known, a.state = after, true, nil
	inputs := make([]*compress.Message, len(g.claim.Inputs))
	for i, root := range g.claim.Inputs {
		for _, u := range c.updates {
			if u.message.Tree.Root() == root {
				inputs[i] = u.message
			}
		}
		if inputs[i] == nil {
			before = nil
		}
	}
	if before == nil || before.Tree().Root() != g.claim.Before {
		return nil
	}
	_, state, err := compress.Aggregate(before, g.claim.Decay, inputs)
	if err != nil {
		return err
	}
	if state.Tree().Root() != after {
		a.known = false
		return fmt.Errorf("%w: its gradients leave something else unsaid", compress.ErrFraud)
	}
	a.state = state
	return nil
}

// The files of an aggregate on its way.
const (
	sumFile       = "out/sum"
	aggregateFile = "out/aggregate"
)

// publish adds a window's gradients up and shows the result, and what the next block
// asks to see of it.
func (a *sums) publish(ctx context.Context, w Window, list PeerList, c *collection, t turn) (merge, error) {
	updates := c.updates[:min(len(c.updates), compress.MaxInputs)]
	if len(updates) == 0 {
		return nil, errors.New("there is nothing to add up")
	}
	before := a.state
	if before == nil {
		before = compress.NewState(a.schema)
	}
	if a.testOnlyDrop != nil {
		updates = a.testOnlyDrop(updates)
	}
	text := aggregateText{
		Version: a.rules.Version, Window: w, UID: a.roster.me.UID, Hotkey: a.Me,
		GlobalStep: a.Step, FirstIn: list.FirstIn, Skipped: c.skipped(),
	}
	witness := &compress.Witness{Before: before, Decay: a.decay()}
	for _, u := range updates {
		witness.Inputs = append(witness.Inputs, u.message)
		text.UIDs, text.Seals = append(text.UIDs, u.from.UID), append(text.Seals, u.signed)
	}
	kept, after, err := compress.Aggregate(before, witness.Decay, witness.Inputs)
	if err != nil {
		return nil, err
	}
	if a.testOnlySpoil != nil {
		a.testOnlySpoil(kept)
	}
	witness.After = after
	if witness.Result, err = a.writeSum(kept); err != nil {
		return nil, err
	}
	claim := witness.Claim()
	text.Claim = claim.Append(nil)
	signed, err := signJSON(ctx, a.Signer, aggregateDomain, text)
	if err != nil {
		return nil, err
	}
	if err := a.joinFiles(aggregateFile, sumFile, func(to io.Writer) error { return writeSealed(to, signed, aggregateMagic) }); err != nil {
		return nil, err
	}
	name := Name{Kind: AggregatorObject, Window: w, Version: a.rules.Version}
	object, err := a.put(ctx, name.String(), aggregateFile, false)
	if err != nil {
		return nil, err
	}
	if object.Modified.After(t.by) {
		return nil, fmt.Errorf("it came %v too late", object.Modified.Sub(t.by))
	}
	rng, err := a.challenge(ctx, w, &claim, object.Modified)
	if err != nil {
		return nil, err
	}
	groups := chooseGroups(a.schema, rng)
	proofs := make([][]byte, len(groups))
	for i, g := range groups {
		proofs[i] = witness.Prove(g.tensor, g.group).Append(nil)
	}
	if object, err = a.putBytes(ctx, proofsKey(name), appendProofs(proofs), false); err != nil {
		return nil, err
	}
	if by := t.by.Add(t.wait); object.Modified.After(by) {
		return nil, fmt.Errorf("its proofs came %v too late", object.Modified.Sub(by))
	}
	// What others will refuse counts here neither.
	span, err := a.span(ctx, w)
	if err == nil && a.testOnlyDrop == nil {
		err = a.omitted(ctx, w, span, &aggregate{text: text}, list, rng)
	}
	if err != nil {
		return nil, err
	}
	a.state, a.after, a.known = after, claim.After, true
	a.Say("aggregate", fmt.Sprintf("Aggregated %d gradients of window %d.", len(updates), w),
		slog.Uint64("window", uint64(w)), slog.Int("uid", int(a.roster.me.UID)), slog.Int("gather_peers", len(updates)), slog.Int64("bytes", object.Size))
	if err := a.dropAggregates(ctx, w); err != nil && ctx.Err() == nil {
		a.Warn("clean", "an old aggregate is still in the own bucket", err)
	}
	return said{witness.Result}, nil
}

// writeSum writes the message of a result to its file, and reads it as others will.
func (a *sums) writeSum(kept []*compress.Kept) (*compress.Message, error) {
	err := a.Write(sumFile, func(to io.Writer) error {
		m, err := compress.NewWriter(to, a.schema)
		for _, k := range kept {
			if err == nil {
				err = m.Add(k)
			}
		}
		if err == nil {
			_, err = m.Close()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	f, err := a.Dir.Open(sumFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return compress.ReadMessage(io.NewSectionReader(f, 0, f.Size()), a.schema)
}

// joinFiles makes a file of another one and what more writes.
func (s *sparse) joinFiles(to, from string, more func(io.Writer) error) error {
	f, err := s.Dir.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.Write(to, func(w io.Writer) error {
		if _, err := io.Copy(w, io.NewSectionReader(f, 0, f.Size())); err != nil {
			return err
		}
		return more(w)
	})
}

// dropAggregates removes an aggregate that nobody catches up with any more: a
// checkpoint is nearer.
func (a *sums) dropAggregates(ctx context.Context, w Window) error {
	kept := Window(a.rules.KeptWindows) + 2*Window(a.rules.CheckpointEvery)
	if w < kept {
		return nil
	}
	name := Name{Kind: AggregatorObject, Window: w - kept, Version: a.rules.Version}
	return a.own.Remove(ctx, name.String(), proofsKey(name))
}

const sumsFile = "/unsaid.bin"

// save writes what is unsaid beside the model: what is known of it, the root, and for
// each parameter its exponent and numbers.
func (a *sums) save(dir string) error {
	return a.Write(dir+sumsFile, func(w io.Writer) error {
		flags := byte(0)
		if a.known {
			flags |= 1
		}
		if a.state != nil {
			flags |= 2
		}
		if _, err := w.Write(append([]byte{flags}, a.after[:]...)); err != nil || a.state == nil {
			return err
		}
		for t, rest := range a.state.Rest {
			if err := binary.Write(w, binary.LittleEndian, int64(a.state.Exponent[t])); err != nil {
				return err
			}
			if err := binary.Write(w, binary.LittleEndian, rest); err != nil {
				return err
			}
		}
		return nil
	})
}

// restore reads what save wrote.
func (a *sums) restore(dir string) error {
	f, err := a.Dir.Open(dir + sumsFile)
	if err != nil {
		return err
	}
	defer f.Close()
	r := io.NewSectionReader(f, 0, f.Size())
	head := make([]byte, 1+len(a.after))
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	a.known = head[0]&1 != 0
	a.after = compress.Hash(head[1:])
	a.state = nil
	if head[0]&2 == 0 {
		return nil
	}
	state := compress.NewState(a.schema)
	for t := range state.Rest {
		var e int64
		if err := binary.Read(r, binary.LittleEndian, &e); err != nil {
			return err
		}
		state.Exponent[t] = int(e)
		if err := binary.Read(r, binary.LittleEndian, state.Rest[t]); err != nil {
			return err
		}
	}
	root := state.Tree().Root()
	if !bytes.Equal(root[:], a.after[:]) {
		a.known = false
		return errors.New("what is unsaid is not what its root says")
	}
	a.state = state
	return nil
}
