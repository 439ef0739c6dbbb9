package templar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"slices"
)

// The kinds of miners that break a rule, each on every window: they are for the
// networks of one machine, to see that the others notice.
const (
	cheatCopy  = "copy"  // sends what another miner has sent
	cheatNaN   = "nan"   // sends numbers that are none
	cheatLate  = "late"  // sends when the window is long over
	cheatNoise = "noise" // sends noise
	cheatShape = "shape" // sends other shapes than the model has
)

// Cheats are those kinds.
var Cheats = []string{cheatCopy, cheatNaN, cheatLate, cheatNoise, cheatShape}

// checkCheat says why a miner may not cheat here.
func (c *Config) checkCheat() error {
	switch {
	case c.Cheat == "":
		return nil
	case !slices.Contains(Cheats, c.Cheat):
		return fmt.Errorf("must be one of %v, not %q", Cheats, c.Cheat)
	case !slices.ContainsFunc(c.networks(), public):
		return nil
	}
	return errors.New("must not be set on a network that is not on this machine")
}

// public says whether a network is, or may be, on another machine.
func public(network string) bool {
	if network == "local" {
		return false
	}
	u, err := url.Parse(network)
	if err != nil {
		return true
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "localhost" && (err != nil || !addr.IsLoopback())
}

// lateBy is how many windows late a late delta is: after the validator has looked.
const lateBy = 4

// cheatSlice sends a delta as the settings say.
func (m *sliceMiner) cheatSlice(ctx context.Context, t Window, delta SliceFile) error {
	random := m.random(t)
	switch m.cfg.Cheat {
	case cheatNaN:
		spoil(delta.Values, func(float32) float32 { return float32(math.NaN()) })
	case cheatNoise:
		// Of the size that the values have.
		size := float32(norm(delta.Values) / math.Sqrt(float64(max(1, valuesIn(delta.Values)))))
		spoil(delta.Values, func(float32) float32 { return size * float32(random.NormFloat64()) })
	case cheatShape:
		for i := range delta.Values {
			delta.Values[i].Values = append(delta.Values[i].Values, 0)
		}
	case cheatCopy:
		if values := m.stolen(ctx, t, random); values != nil {
			delta.Values = values
		}
	case cheatLate:
		if m.late == nil {
			m.late = make(map[Window]SliceFile)
		}
		m.late[t] = delta
		old, ok := m.late[t-lateBy]
		delete(m.late, t-lateBy)
		if !ok {
			return nil
		}
		t, delta = t-lateBy, old
	}
	m.Note("cheat", "cheating", slog.String("how", m.cfg.Cheat), slog.Uint64("window", uint64(t)))
	return m.upload(ctx, DeltaObject, t, delta)
}

func spoil(slice []SliceValues, f func(float32) float32) {
	for _, p := range slice {
		for i, v := range p.Values {
			p.Values[i] = f(v)
		}
	}
}

func valuesIn(slice []SliceValues) (n int) {
	for _, p := range slice {
		n += len(p.Values)
	}
	return n
}

// stolen waits until another miner has uploaded its delta of a window, and returns
// that; nil if nobody has before the window is over.
func (m *sliceMiner) stolen(ctx context.Context, t Window, random *rand.Rand) []SliceValues {
	within, cancel := m.within(ctx, t)
	defer cancel()
	for within.Err() == nil {
		g, err := m.gather(within, DeltaObject, t, random)
		if err != nil {
			return nil
		}
		if g.picker.bucket != nil {
			return g.picked.Values
		}
		if m.NextBlock(within) != nil {
			return nil
		}
	}
	return nil
}
