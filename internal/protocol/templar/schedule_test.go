package templar

import (
	"slices"
	"testing"
	"time"

	"adit/internal/subnet"
)

func TestWindows(t *testing.T) {
	r := sparse213Rules()
	for b, w := range map[subnet.Block]Window{0: 0, 124: 0, 125: 1, 6_475_375: 51803} {
		if got := r.Window(b); got != w {
			t.Errorf("block %d is in window %d, want %d", b, got, w)
		}
	}
	if b := r.Start(51803); b != 6_475_375 {
		t.Errorf("window 51803 starts at %d", b)
	}
}

func TestUploads(t *testing.T) {
	began := time.Date(2025, 9, 19, 12, 0, 0, 0, time.UTC)
	over := began.Add(25 * time.Minute)
	s := sparse213Rules().Uploads(began, over)
	for after, want := range map[time.Duration]Timing{-time.Second: TooEarly, 0: InTime, 70 * time.Second: InTime, 71 * time.Second: TooLate} {
		if got := s.Place(over.Add(after)); got != want {
			t.Errorf("%v after the window is %v, want %v", after, got, want)
		}
	}
	if got := s.LastTry().Sub(over); got != 73*time.Second {
		t.Errorf("the last try is %v after the window", got)
	}
	if got := sparseRules().Scaled(20).Uploads(began, over); got.Max.Sub(got.Min) != 25*time.Minute/2 {
		t.Errorf("a small network's span is %v", got.Max.Sub(got.Min))
	}
	late := 400 * time.Millisecond
	if got := sparseRules().Scaled(20).Uploads(began.Add(late), over.Add(late)).Place(over); got != InTime {
		t.Errorf("what came in the second in which the window ended is %v", got)
	}
}

func TestNullRounds(t *testing.T) {
	r := sparseRules()
	for w, want := range map[Window]bool{99: true, 100: true, 101: true, 102: false, 200: false} {
		if got := r.NullRound(w, 100); got != want {
			t.Errorf("window %d is a null round: %v", w, got)
		}
	}
}

func TestJudged(t *testing.T) {
	for _, tt := range []struct {
		rules   Rules
		current Window
		want    Window
		ok      bool
	}{{slicesRules(), 10, 8, true}, {sparseRules(), 10, 9, true}, {slicesRules(), 1, 0, false}} {
		if w, ok := tt.rules.Judged(tt.current); w != tt.want || ok != tt.ok {
			t.Errorf("%s: in window %d, %d is judged, %v", tt.rules.Name, tt.current, w, ok)
		}
	}
}

func TestWeightsDue(t *testing.T) {
	for _, tt := range []struct {
		rules Rules
		at    Moment
		want  bool
	}{
		{slicesRules(), Moment{LastLook: 199, Block: 203}, true},
		{slicesRules(), Moment{LastLook: 200, Block: 299}, false},
		{r2Rules(), Moment{Step: 200}, true},
		{r2Rules(), Moment{Step: 0}, false},
		{r2Rules(), Moment{Step: 201}, false},
		{sparseRules(), Moment{Window: 62835}, true},
		{sparseRules(), Moment{Window: 62836}, false},
		{sparse213Rules(), Moment{Window: 62836}, true},
	} {
		if got := tt.rules.WeightsDue(tt.at); got != tt.want {
			t.Errorf("%s: weights at %+v: %v", tt.rules.Name, tt.at, got)
		}
	}
}

func TestOtherDues(t *testing.T) {
	if r := sparseRules(); !r.CheckpointDue(20) || r.CheckpointDue(25) || r.CheckpointDue(0) || slicesRules().CheckpointDue(20) {
		t.Error("checkpoints at other steps")
	}
	if r := sparseRules(); r.Stale(90, 100) || !r.Stale(89, 100) {
		t.Error("objects kept for another time")
	}
	for _, tt := range []struct {
		rules  Rules
		w      Window
		never  bool
		posted Window
		want   bool
	}{
		{sparse213Rules(), 104, false, 100, false}, {sparse213Rules(), 105, false, 100, true}, {sparse213Rules(), 5, true, 0, true}, {sparseRules(), 102, false, 100, true},
	} {
		from, due := tt.rules.PeersDue(tt.w, tt.posted, tt.never)
		if due != tt.want || due && from != tt.w+1 {
			t.Errorf("%s: in window %d a list from %d, %v", tt.rules.Name, tt.w, from, due)
		}
	}
	if got := sparseRules().ActiveWindows(100); !slices.Equal(got, []Window{100, 99, 98}) {
		t.Error(got)
	}
	if got := sparseRules().ActiveWindows(1); !slices.Equal(got, []Window{1, 0}) {
		t.Error(got)
	}
}

func TestCatchUp(t *testing.T) {
	for _, tt := range []struct {
		checkpoint Window
		has        bool
		current    Window
		want       []Window
	}{
		{0, false, 103, []Window{101, 102}}, {101, true, 104, []Window{102, 103}}, {103, true, 104, nil}, {50, true, 102, []Window{101}}, {0, false, 100, nil},
	} {
		if got := CatchUp(100, tt.checkpoint, tt.has, tt.current); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
