package templar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"

	"adit/internal/compress"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
	"adit/internal/torchfile"
)

// cheatGradient makes another file of a window's gradient, as the settings say, or ""
// if nothing is to be uploaded.
func (m *sparseMiner) cheatGradient(ctx context.Context, t Window, file string) (string, error) {
	m.Note("cheat", "cheating", slog.String("how", m.cfg.Cheat), slog.Uint64("window", uint64(t)))
	span, err := m.span(ctx, t)
	if err != nil {
		return file, err
	}
	switch m.cfg.Cheat {
	case cheatLate:
		return file, m.waitUntil(ctx, span)
	case cheatCopy:
		return m.copied(ctx, t, span, file)
	case cheatNoise:
		return file, m.rewrite(ctx, t, file, func(_ int, delta []float32) {
			for i := range delta {
				delta[i] = float32(rand.NormFloat64())
			}
		})
	}
	if m.rules.Message == Compact {
		return file, m.garble(file)
	}
	f, err := m.Dir.Open(file)
	if err != nil {
		return file, err
	}
	g, err := DecodeGradient(f, f.Size(), f.Size())
	if err = errors.Join(err, f.Close()); err != nil {
		return file, err
	}
	c := &g.Params[0]
	if m.cfg.Cheat == cheatNaN {
		c.Quant.Shift = float32(math.NaN())
	} else {
		c.Vals, c.Idxs, c.Shape = c.Vals[:2], c.Idxs[:3], []int{1, 2}
	}
	return file, m.Write(file, func(w io.Writer) error { return writeUnchecked(w, g, m.rules.Sparse.WireName) })
}

// waitUntil waits until it is too late.
func (m *sparseMiner) waitUntil(ctx context.Context, span Span) error {
	for {
		now, err := m.own.Clock(ctx)
		if err != nil {
			return err
		}
		left := span.Max.Sub(now)
		if left < 0 {
			return nil
		}
		if err := actor.Pause(ctx, left+lastTry); err != nil {
			return err
		}
	}
}

// copied returns what another miner has uploaded, under the own seal where there is
// one.
func (m *sparseMiner) copied(ctx context.Context, t Window, span Span, file string) (string, error) {
	for {
		for _, uid := range m.peersAt(t).Peers {
			p, ok := m.roster.peer(uid)
			if !ok || p.Hotkey == m.Me {
				continue
			}
			name := Name{Kind: GradientObject, Window: t, UID: uid, Version: m.rules.Version}
			object, err := p.bucket.Stat(ctx, name.String())
			if err != nil || span.Place(object.Modified) != InTime {
				continue
			}
			f, err := m.fetchVersion(ctx, p, object, m.limit)
			if err != nil {
				continue
			}
			err = m.steal(ctx, t, f, file)
			return file, errors.Join(err, f.drop())
		}
		now, err := m.own.Clock(ctx)
		if err != nil || now.After(span.Max) {
			return "", err
		}
		if err := actor.Pause(ctx, pollEvery); err != nil {
			return "", err
		}
	}
}

func (m *sparseMiner) steal(ctx context.Context, t Window, f subnet.File, file string) error {
	if m.rules.Message == Packed12 {
		return m.Write(file, func(w io.Writer) error {
			_, err := io.Copy(w, io.NewSectionReader(f, 0, f.Size()))
			return err
		})
	}
	_, length, err := readSealed(f, f.Size(), sealMagic, maxSealText)
	if err != nil {
		return err
	}
	message, err := compress.ReadMessage(io.NewSectionReader(f, 0, length), m.schema)
	if err != nil {
		return err
	}
	signed, err := Seal{
		Version: m.rules.Version, Window: t, UID: m.roster.me.UID, Hotkey: m.Me, GlobalStep: m.Step, Root: fmt.Sprintf("%x", rootOf(message)),
	}.sign(ctx, m.Signer)
	if err != nil {
		return err
	}
	return m.Write(file, func(w io.Writer) error {
		if _, err := io.Copy(w, io.NewSectionReader(f, 0, length)); err != nil {
			return err
		}
		return writeSealed(w, signed, sealMagic)
	})
}

// rewrite makes the gradient of other differences.
func (m *sparseMiner) rewrite(ctx context.Context, t Window, file string, delta func(param int, dst []float32)) error {
	var list []*compress.Feedback
	for i, p := range m.params {
		dst := make([]float32, p.Len())
		delta(i, dst)
		f, err := compress.NewFeedback(p.Shape, m.rules.Encoding())
		if err != nil {
			return err
		}
		if _, err := f.Encode(dst); err != nil {
			return err
		}
		list = append(list, f)
	}
	honest, theta := m.feedback, m.theta
	defer func() { m.feedback, m.theta = honest, theta }()
	m.feedback = list
	g := Gradient{Window: t, GlobalStep: m.Step}
	if m.rules.Message == Compact {
		return m.writeCompact(ctx, file, g)
	}
	return m.writePacked(file, g)
}

// garble changes a message where its numbers are.
func (m *sparseMiner) garble(file string) error {
	data, err := m.Read(file)
	if err != nil {
		return err
	}
	at := 42 // behind the magic, the schema's hash and what a parameter begins with
	if m.cfg.Cheat == cheatShape {
		at = 8 // the schema
	}
	copy(data[at:], bytes.Repeat([]byte{0xff}, 4))
	return m.writeAll(file, data)
}

// writeUnchecked writes a gradient as [EncodeGradient] does, whatever is in it.
func writeUnchecked(w io.Writer, g Gradient, wire func(string) string) error {
	d := &torchfile.Dict{}
	for _, c := range g.Params {
		for at, v := range c.values() {
			d.Items = append(d.Items, torchfile.Item{Key: wire(c.Name) + []string{idxsSuffix, valsSuffix, quantSuffix}[at], Value: v})
		}
	}
	d.Items = append(d.Items, torchfile.Item{Key: metadataKey, Value: &torchfile.Dict{Items: []torchfile.Item{{Key: "window", Value: int64(g.Window)}}}})
	return encodeState(w, d, g.GlobalStep)
}
