package templar

import (
	"math"
	"testing"
	"time"
)

func TestPunish(t *testing.T) {
	s := Standing{Final: 2, Moving: -0.5}
	s.punish(0.75)
	if s.Final != 1.5 || s.Moving != -0.5 {
		t.Errorf("%+v: what is below nought was brought nearer to it", s)
	}
	s = Standing{Final: 1.2e-4, Moving: 1}
	s.punish(0.75)
	if s.Final != 0 || s.Moving != 0.75 {
		t.Errorf("%+v", s)
	}
}

func TestInactivity(t *testing.T) {
	r := sparseRules()
	s := Standing{Final: 1, Moving: 1, Evaluations: 5, Waiting: 3}
	want := []float64{0.75, 0.5625, 0.421875, 0.31640625}
	for i, f := range want {
		if reset := r.Activity(&s, Window(100+i), false); reset || !near(s.Final, f) {
			t.Fatalf("window %d: %+v, want %v", 100+i, s, f)
		}
	}
	if reset := r.Activity(&s, 104, false); !reset || s.Final != 0 || s.Moving != 0 || s.Evaluations != 0 || s.Waiting != 3 {
		t.Errorf("%+v was not reset", s)
	}
	s = Standing{Final: 1}
	r.Activity(&s, 100, false)
	r.Activity(&s, 101, true)
	if r.Activity(&s, 110, false); s.InactiveSince != 110 {
		t.Errorf("%+v: it was active in between", s)
	}
}

func TestMissing(t *testing.T) {
	early, late := sparse213Rules(), sparseRules()
	s := Standing{Final: 1, Moving: 1}
	early.Gathered(&s, 1, true, 0.8)
	early.Gathered(&s, 2, true, 0.8)
	if !near(s.Final, 0.5625) {
		t.Errorf("2.1.3: %+v", s)
	}
	if early.Gathered(&s, 3, true, 0.39); s.Final != 0 {
		t.Errorf("2.1.3, where most are missing: %+v", s)
	}
	s = Standing{Final: 1, Moving: 1}
	for w, want := range []float64{0.75, 0.375, 0} {
		if reset := late.Gathered(&s, Window(w), true, 0.1); reset || !near(s.Final, want) {
			t.Errorf("2.1.28: %d missing in a row: %+v", w+1, s)
		}
	}
	s = Standing{Final: 1, Moving: 1}
	for w := range Window(6) {
		if reset := late.Gathered(&s, w, w%2 == 0, 1); reset {
			t.Fatalf("reset after window %d", w)
		}
	}
	if !near(s.Final, 0.421875) {
		t.Errorf("three missing, none in a row: %+v", s)
	}
	if reset := late.Gathered(&s, 6, true, 1); !reset || !s.Naughty(25) || s.Naughty(26) {
		t.Errorf("four of eight missing: %+v", s)
	}
	s.Reregistered()
	if s.Naughty(7) {
		t.Errorf("another hotkey is banned: %+v", s)
	}
}

func TestLooked(t *testing.T) {
	early, late := sparse213Rules(), sparseRules()
	for _, tt := range []struct {
		rules Rules
		what  Evaluation
		rated float64
		rate  bool
		final float64
	}{
		{early, Evaluated, 0.01, true, 1}, {late, Evaluated, 0.01, true, 1},
		{early, NotThere, 0, false, 0.75}, {late, NotThere, -99, true, 0.75},
		{early, Fault, 0, false, 0.75}, {late, Fault, 0, false, 1},
		{early, Invalid, 0, false, 0}, {late, Invalid, -99, true, 0},
	} {
		s := Standing{Final: 1, Moving: 1}
		if rated, rate := tt.rules.Looked(&s, tt.what, 0.01); rate != tt.rate || rate && rated != tt.rated || s.Final != tt.final {
			t.Errorf("%s: outcome %d is rated %v, %v and leaves %v, want %+v", tt.rules.Name, tt.what, rated, rate, s.Final, tt)
		}
	}
}

func TestNegative(t *testing.T) {
	r := sparseRules()
	s := Standing{Final: 1, Moving: 1}
	for i, score := range []float64{-1, -1, 1, -1, -1, 1, 1, 1} {
		r.Looked(&s, Evaluated, score)
		if r.Negative(&s, false); s.Final != 1 {
			t.Fatalf("punished after %d", i+1)
		}
	}
	if r.Excluded(&s, false) {
		t.Error("excluded after good ones")
	}
	for range 3 {
		r.Looked(&s, Evaluated, -0.1)
	}
	if !r.Excluded(&s, false) || r.Excluded(&s, true) {
		t.Error("three bad ones in a row do not exclude, or a waiver has no effect")
	}
	r.Negative(&s, true)
	if s.Final != 1 {
		t.Error("a waiver has no effect")
	}
	if r.Negative(&s, false); s.Final != 0.25 { // the last eight have five below nought
		t.Errorf("%+v", s)
	}
	r.Looked(&s, Evaluated, 0.1)
	if r.Excluded(&s, false) {
		t.Error("a good one does not bring back")
	}
	for _, tt := range []struct {
		scores []float64
		want   bool
	}{{[]float64{1, 1, 1, 1, -1, -2}, true}, {[]float64{1, 1, 1, 1, 0, -2}, false}, {[]float64{-1}, false}} {
		if got := r.NegativeWaived(tt.scores); got != tt.want {
			t.Errorf("waived by %v: %v", tt.scores, got)
		}
	}
	if early := sparse213Rules(); early.Excluded(&Standing{Below: []bool{true, true, true}}, false) {
		t.Error("2.1.3 excludes")
	}
}

func TestSynced(t *testing.T) {
	for _, tt := range []struct {
		rules        Rules
		behind, want float64
	}{{sparse213Rules(), 3, 1}, {sparse213Rules(), 3.1, 0.75}, {sparseRules(), 2.5, 0.75}, {sparseRules(), math.Inf(1), 0.75}, {sparseRules(), math.NaN(), 0.75}} {
		s := Standing{Final: 1}
		if tt.rules.Synced(&s, tt.behind); s.Final != tt.want {
			t.Errorf("%s: %v behind leaves %v, want %v", tt.rules.Name, tt.behind, s.Final, tt.want)
		}
	}
}

func TestOverlap(t *testing.T) {
	r := sparseRules()
	for _, tt := range []struct {
		overlap float64
		step    int64
		want    Severity
	}{{0.399, 20, NoOverlap}, {0.4, 20, HighOverlap}, {0.5, 20, MaxOverlap}, {0.6, 20, MegaOverlap}, {1, 19, NoOverlap}, {math.NaN(), 20, NoOverlap}} {
		if got := r.Severity(tt.overlap, tt.step); got != tt.want {
			t.Errorf("overlap %v at step %d is %v, want %v", tt.overlap, tt.step, got, tt.want)
		}
	}
	early := time.Unix(100, 0)
	if Copier(early, early.Add(time.Second)) != 1 || Copier(early.Add(time.Second), early) != 0 || Copier(early, early) != 1 {
		t.Error("the earlier one is the copier")
	}
	for _, tt := range []struct {
		rules Rules
		how   Severity
		final float64
		until Window
	}{{r, NoOverlap, 1, 0}, {r, HighOverlap, 0.5, 0}, {r, MaxOverlap, 0, 0}, {r, MegaOverlap, 0, 120}, {sparse213Rules(), MegaOverlap, 0, 300}} {
		s := Standing{Final: 1, Moving: 1}
		reset := tt.rules.Overlapped(&s, 100, tt.how)
		if s.Final != tt.final || s.BannedUntil != tt.until || reset != (tt.how >= MaxOverlap) {
			t.Errorf("%s: %v leaves %+v", tt.rules.Name, tt.how, s)
		}
	}
}
