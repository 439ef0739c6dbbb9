package templar

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"adit/internal/compress"
)

// began returns where a parameter began the window.
func (m *sparseMiner) began(i int) ([]float32, error) {
	p := m.layout[i]
	share := m.rules.AheadOf(p.Name)
	if share == 0 {
		return m.theta[i], nil
	}
	n := p.Len()
	wire, x := m.floats(1, n), m.floats(2, n)
	if err := m.feedback[i].Unsaid(wire); err != nil {
		return nil, err
	}
	p.fromWire(x, wire)
	GoAhead(x, m.theta[i], share)
	return x, nil
}

// goAhead lets all parameters begin the window.
func (m *sparseMiner) goAhead() error {
	for i, p := range m.layout {
		if m.rules.AheadOf(p.Name) == 0 {
			continue // it is there
		}
		x, err := m.began(i)
		if err == nil {
			err = m.model.Write(p.engine, x)
		}
		if err != nil {
			return fmt.Errorf("go ahead with %s: %w", p.Name, err)
		}
	}
	return nil
}

// kept returns what of a parameter's way is said now, and puts the parameter back to
// where the network's is. The way is from where it is to where it began.
func (m *sparseMiner) kept(i int) (*compress.Kept, error) {
	p := m.layout[i]
	n := p.Len()
	began, err := m.began(i)
	if err != nil {
		return nil, err
	}
	now, wire := m.floats(0, n), m.floats(1, n)
	if err := m.model.Read(p.engine, now); err != nil {
		return nil, err
	}
	for j, v := range now {
		now[j] = began[j] - v
	}
	if err := m.model.Write(p.engine, m.theta[i]); err != nil {
		return nil, err
	}
	p.toWire(wire, now)
	k, err := m.feedback[i].Encode(wire)
	if err != nil {
		return nil, fmt.Errorf("compress %s: %w", p.Name, err)
	}
	return k, nil
}

func (m *sparseMiner) writePacked(file string, g Gradient) error {
	for i, p := range m.params {
		k, err := m.kept(i)
		if err != nil {
			return err
		}
		g.Params = append(g.Params, Pack(p, k))
	}
	return m.Write(file, func(w io.Writer) error { return EncodeGradient(w, g, m.rules.Sparse.WireName) })
}

const messageFile = "out/message"

func (m *sparseMiner) writeCompact(ctx context.Context, file string, g Gradient) error {
	var root compress.Hash
	err := m.Write(messageFile, func(to io.Writer) error {
		w, err := compress.NewWriter(to, m.schema)
		if err != nil {
			return err
		}
		for i := range m.params {
			k, err := m.kept(i)
			if err != nil {
				return err
			}
			if err := w.Add(k); err != nil {
				return err
			}
		}
		tree, err := w.Close()
		if err != nil {
			return err
		}
		root = tree.Root()
		return nil
	})
	if err != nil {
		return err
	}
	signed, err := Seal{
		Version: m.rules.Version, Window: g.Window, UID: m.roster.me.UID, Hotkey: m.Me, GlobalStep: g.GlobalStep,
		Digest: g.Digest, Count: g.Count, Root: fmt.Sprintf("%x", root[:]),
	}.sign(ctx, m.Signer)
	if err != nil {
		return err
	}
	return m.joinFiles(file, messageFile, func(w io.Writer) error { return writeSealed(w, signed, sealMagic) })
}

// upload puts the gradient of a window into the own bucket, while it may still be in
// time.
func (m *sparseMiner) upload(ctx context.Context, t Window, file string) error {
	span, err := m.span(ctx, t)
	if err != nil {
		return err
	}
	// The time is the store's; until it says otherwise there is no hurry.
	end := m.local(span.LastTry().Add(lastTry))
	if m.cfg.Cheat == cheatLate {
		end = end.Add(time.Hour)
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	object, err := m.put(ctx, m.gradientName(t), file, false)
	if err != nil {
		return err
	}
	if timing := span.Place(object.Modified); timing != InTime {
		m.Warn("upload", "the gradient is in the bucket, but nobody will take it", fmt.Errorf("%v", timing), slog.Uint64("window", uint64(t)))
	} else {
		m.Say("uploaded", fmt.Sprintf("Uploaded the gradient of window %d.", t), slog.String("object", "gradient"), slog.Uint64("window", uint64(t)), slog.Int64("bytes", object.Size))
	}
	return m.Dir.Remove(file)
}

// resend uploads the gradient that a process before this one has made and not
// uploaded, if it is not too late. That of the current window is uploaded when it is
// over; what it has left unsaid is lost.
func (m *sparseMiner) resend(ctx context.Context) error {
	files, err := m.Dir.List("out")
	if err != nil {
		return err
	}
	current, _, err := m.sparse.window(ctx)
	if err != nil {
		return err
	}
	for _, name := range files {
		number, is := strings.CutPrefix(name, gradientPrefix)
		w, ok := parseWindow(number)
		switch {
		case !is || !ok || w == current:
		case w+1 == current:
			if err := m.upload(ctx, w, gradientFile(w)); err != nil && ctx.Err() == nil {
				m.Warn("upload", "the gradient of before the restart did not get into the bucket", err, slog.Uint64("window", uint64(w)))
			}
		default:
			if err := m.Dir.Remove(gradientFile(w)); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// seen uploads a dummy where the miner has no gradient yet, as the leader chooses
// among those who are seen to be there.
func (m *sparseMiner) seen(ctx context.Context, t Window) error {
	if !m.rules.NullRound(t, m.Start) {
		for _, w := range m.rules.ActiveWindows(t) {
			_, err := m.own.Stat(ctx, m.gradientName(w))
			if err == nil {
				return nil
			}
		}
	}
	f := &paper{}
	if m.rules.Message == Compact {
		signed, err := Seal{Version: m.rules.Version, Window: t, UID: m.roster.me.UID, Hotkey: m.Me, GlobalStep: m.Step, Dummy: true}.sign(ctx, m.Signer)
		if err != nil {
			return err
		}
		if err := writeSealed(f, signed, sealMagic); err != nil {
			return err
		}
	} else if err := EncodeGradient(f, Gradient{Window: t, GlobalStep: m.Step, Dummy: true}, m.rules.Sparse.WireName); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, seconds(m.cfg.Fetch.TimeoutSec)) // the next window tries again
	defer cancel()
	_, err := m.putBytes(ctx, m.gradientName(t), f.data, false)
	return err
}
