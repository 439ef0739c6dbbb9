package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"adit/internal/subnet"
)

// A state is what the supervisor knows: a projection of what the processes
// report and of what stands on chain. It is safe for concurrent use.
type state struct {
	mu   sync.Mutex
	snap Snapshot
	// file keeps the losses of the baselines, which nobody reports twice.
	file  string
	speed map[string]*meter // tokens a second, by neuron
}

// keepNotices is how many notices a snapshot holds.
const keepNotices = 50

// update changes the snapshot.
func (s *state) update(f func(*Snapshot)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.snap)
}

// snapshot returns a copy that nobody else changes.
func (s *state) snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.snap
	c.Genesis = nil
	c.Groups = slices.Clone(c.Groups)
	for i := range c.Groups {
		losses := slices.Clone(c.Groups[i].Losses)
		c.Groups[i].Losses = losses
		if len(losses) > 0 && losses[0].Cycle < c.FirstCycle {
			c.Genesis = append(c.Genesis, losses[0])
		}
	}
	c.Neurons = slices.Clone(c.Neurons)
	c.Notices = slices.Clone(c.Notices)
	return c
}

// event takes in what a process reports.
func (s *state) event(name string, at time.Time, e subnet.Event) {
	a := attrs(e.Attrs)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Level >= slog.LevelWarn {
		text := e.Text
		if cause := a.text("error"); cause != "" {
			text += ": " + cause
		}
		s.snap.Notices = append(s.snap.Notices, Notice{at, name, e.Level.String(), text})
		s.snap.Notices = s.snap.Notices[max(0, len(s.snap.Notices)-keepNotices):]
	}
	i := slices.IndexFunc(s.snap.Neurons, func(n Neuron) bool { return n.Name == name })
	if i < 0 {
		return
	}
	n := &s.snap.Neurons[i]
	switch { // the figures of a window
	case e.Kind == "weight": // one of many that were set at once
		s.weight(name, int(a.number("uid")), a.number("weight"))
	case e.Kind == "metrics" && a.tells("window"):
		n.Step, n.Loss, n.TokensPerSecond = int(a.number("global_step")), a.number("loss"), a.number("tokens_per_second")
	}
	if e.Level < slog.LevelInfo { // it is for metrics, and says nothing to people
		return
	}
	switch e.Kind {
	case "step":
		n.Step, n.Loss, n.Doing = int(a.number("inner_opt_step")), a.number("loss"), "training"
		n.TokensPerSecond = s.meter(name).add(at, a.number("tokens"))
	case "score":
		s.scored(a)
	case "refused":
		s.refused(name, a)
	case "weights-set": // the weight of each comes after it
		if name == firstValidator {
			for i := range s.snap.Neurons {
				s.snap.Neurons[i].Weight = 0
			}
		}
	case "weights":
		s.weighed(name, a)
	case "baseline":
		s.baseline(GroupLoss{int(a.number("group")), uint64(a.number("cycle")), a.number("loss")})
	default:
		n.Doing = e.Text
	}
}

func (s *state) meter(name string) *meter {
	if s.speed == nil {
		s.speed = make(map[string]*meter)
	}
	if s.speed[name] == nil {
		s.speed[name] = new(meter)
	}
	return s.speed[name]
}

// scored takes in a validator's judgement of a miner. Of the cycle before the
// first there is none: it had no miners.
func (s *state) scored(a attributes) {
	if uint64(a.number("cycle", "window")) < s.snap.FirstCycle {
		return
	}
	for i := range s.snap.Neurons {
		n := &s.snap.Neurons[i]
		if n.Hotkey == a.text("hotkey") {
			n.Scored, n.ValLoss, n.Baseline = true, a.number("loss", "after", "random_after"), a.number("baseline", "before", "random_before")
			n.Score, n.Reason = a.number("final_score", "average", "score"), a.text("reason")
		}
	}
}

// refused takes in why a validator did not take what a miner had uploaded.
func (s *state) refused(name string, a attributes) {
	if name != firstValidator {
		return
	}
	for i := range s.snap.Neurons {
		if n := &s.snap.Neurons[i]; n.Hotkey == a.text("hotkey") && n.Role == "mine" {
			n.Scored, n.Reason = true, a.text("reason")
		}
	}
}

// firstValidator is the one whose weights are shown, where there are more.
const firstValidator = "validator-0"

// weight takes in the weight that a validator gave a uid.
func (s *state) weight(name string, uid int, value float64) {
	if name != firstValidator {
		return
	}
	for i := range s.snap.Neurons {
		if s.snap.Neurons[i].UID == uid {
			s.snap.Neurons[i].Weight = value
		}
	}
}

// weighed takes in a validator's weights.
func (s *state) weighed(name string, a attributes) {
	if name != firstValidator {
		return
	}
	var list []subnet.Weight
	if json.Unmarshal([]byte(a.text("weights")), &list) != nil {
		return
	}
	for i := range s.snap.Neurons {
		n := &s.snap.Neurons[i]
		n.Weight = 0
		for _, w := range list {
			if int(w.UID) == n.UID {
				n.Weight = w.Value
			}
		}
	}
}

// baseline takes in the loss of a group's new baseline: the first one it hears
// of is the genesis model's.
func (s *state) baseline(l GroupLoss) {
	i := slices.IndexFunc(s.snap.Groups, func(g Group) bool { return g.ID == l.Group })
	if i < 0 {
		return
	}
	g := &s.snap.Groups[i]
	j := slices.IndexFunc(g.Losses, func(old GroupLoss) bool { return old.Cycle >= l.Cycle })
	switch {
	case j < 0:
		g.Losses = append(g.Losses, l)
	case g.Losses[j].Cycle == l.Cycle:
		g.Losses[j] = l // of another validator, or after a restart
	}
	s.keep()
}

// keep writes what must outlive the supervisor. What cannot be written now will
// be with the next baseline.
func (s *state) keep() {
	if data, err := json.MarshalIndent(s.snap.Groups, "", "  "); err == nil {
		_ = writeFile(s.file, data)
	}
}

// recall reads what keep wrote.
func (s *state) recall() error {
	data, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := json.Unmarshal(data, &s.snap.Groups); err != nil {
		return subnet.WithHint(fmt.Errorf("read %s: %w", s.file, err), "remove the file: only the losses of earlier cycles are lost")
	}
	return nil
}

// attributes are an event's attributes by name.
type attributes map[string]slog.Value

func attrs(list []slog.Attr) attributes {
	a := make(attributes, len(list))
	for _, attr := range list {
		a[attr.Key] = attr.Value
	}
	return a
}

// tells reports whether there is an attribute of that name.
func (a attributes) tells(key string) bool { _, ok := a[key]; return ok }

// number returns the first of the attributes that is there: protocols call things by
// names of their own. It is 0 if there is none, or no number.
func (a attributes) number(keys ...string) float64 {
	for _, key := range keys {
		if !a.tells(key) {
			continue
		}
		switch v := a[key]; v.Kind() {
		case slog.KindFloat64:
			return v.Float64()
		case slog.KindInt64:
			return float64(v.Int64())
		case slog.KindUint64:
			return float64(v.Uint64())
		}
		return 0
	}
	return 0
}

func (a attributes) text(key string) string {
	v, ok := a[key]
	if !ok {
		return ""
	}
	if v.Kind() == slog.KindAny {
		data, err := json.Marshal(v.Any())
		if err != nil {
			return ""
		}
		return string(data)
	}
	return v.String()
}

// A meter measures tokens a second over the last steps.
type meter struct {
	at     []time.Time
	tokens []float64
}

// meterWindow is how far back a meter looks.
const meterWindow = 5 * time.Second

func (m *meter) add(at time.Time, tokens float64) float64 {
	m.at, m.tokens = append(m.at, at), append(m.tokens, tokens)
	for len(m.at) > 2 && at.Sub(m.at[0]) > meterWindow {
		m.at, m.tokens = m.at[1:], m.tokens[1:]
	}
	span := at.Sub(m.at[0]).Seconds()
	if span <= 0 {
		return 0
	}
	var sum float64
	for _, t := range m.tokens[1:] {
		sum += t
	}
	return sum / span
}
