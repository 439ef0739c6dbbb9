package score

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
}

// What openskill 6.1.3 makes of three fresh players and two matches.
func TestPlackettLuceRecorded(t *testing.T) {
	m := NewPlackettLuce(7, 0.1)
	players := []Rating{m.New(), m.New(), m.New()}
	for _, match := range []struct {
		scores []float64
		want   []Rating
	}{
		{[]float64{.02, -.01, .005}, []Rating{{27.456249477, 8.253534696}, {21.929688153, 8.162139691}, {25.614062369, 8.162139691}}},
		{[]float64{.01, .03, -99}, []Rating{{27.813782566, 8.079419541}, {24.497498676, 8.093538780}, {22.696592002, 7.999169529}}},
	} {
		var err error
		players, err = m.Rate(players, match.scores)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range match.want {
			if !near(players[i].Mu, want.Mu) || !near(players[i].Sigma, want.Sigma) {
				t.Errorf("after %v player %d has %.9f, want %.9f", match.scores, i, players[i], want)
			}
		}
	}
}

func TestPlaces(t *testing.T) {
	for _, test := range []struct {
		scores []float64
		plain  bool
		want   []int
	}{
		{[]float64{3, 1, 2}, false, []int{0, 2, 1}},
		{[]float64{1, 2, 2, 1}, false, []int{2, 0, 0, 2}},
		{[]float64{0, -0.5, 0}, true, []int{0, 2, 0}},
		{[]float64{0, -0.5, 0}, false, []int{0, 1, 2}}, // the last 0 is read as −2
		{[]float64{-3, math.Copysign(0, -1)}, false, []int{1, 0}},
		{[]float64{nan, -99, inf, nan, -inf}, false, []int{2, 1, 0, 2, 2}},
	} {
		m := PlackettLuce{PlainZero: test.plain}
		if got := m.places(test.scores); fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("places(%v), plain %v: %v, want %v", test.scores, test.plain, got, test.want)
		}
	}
}

func TestRateRefuses(t *testing.T) {
	m := NewPlackettLuce(7, 0.1)
	fresh := m.New()
	for name, match := range map[string]struct {
		before []Rating
		scores []float64
	}{
		"alone":           {[]Rating{fresh}, []float64{1}},
		"lengths":         {[]Rating{fresh, fresh}, []float64{1}},
		"a mean of NaN":   {[]Rating{fresh, {math.NaN(), 1}}, []float64{1, 2}},
		"a wide rating":   {[]Rating{fresh, {25, math.Inf(1)}}, []float64{1, 2}},
		"beyond a float":  {[]Rating{fresh, {1e300, 8}}, []float64{1, 2}},
		"all far too low": {[]Rating{{-1e300, 8}, {-1e300, 8}}, []float64{1, 2}},
	} {
		if got, err := m.Rate(match.before, match.scores); err == nil {
			t.Errorf("%s: rated %v", name, got)
		}
	}
}

// What openskill 6.1.3 makes of ties, of a σ that would become nothing, and of
// scores of 0.
func TestPlackettLuceRecordedEdges(t *testing.T) {
	m := NewPlackettLuce(7, 0.1)
	fresh, wide := Rating{25, 25.0 / 3}, Rating{200, 100}
	for name, match := range map[string]struct {
		before []Rating
		scores []float64
		want   []Rating // of the first players
	}{
		"ties": {[]Rating{fresh, {30, 5}, {20, 6}, {25, 2}}, []float64{1, 2, 1, 1},
			[]Rating{{26.498758914, 8.165134025}, {30.931381915, 4.989603804}, {21.066516506, 5.962823151}, {25.086531874, 2.001941383}}},
		"ties but one": {[]Rating{wide, {25, 8}, {25, 8}, {25, 8}, {25, 8}, {25, 8}, {25, 8}, {25, 8}, {25, 8}, {25, 8}},
			[]float64{-1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, []Rating{{164.859249203, 89.4335344}, {25.565869229, 8.000510353}}},
		"an upset": {[]Rating{wide, {25, 8}, {25, 8}, {25, 8}, {25, 8}, {25, 8}, {25, 8}, {25, 8}, {25, 8}, {25, 8}},
			[]float64{-1, 1, 2, 3, 4, 5, 6, 7, 8, 9}, []Rating{{-270.645103074, 1.0000005}, {25.037714511, 7.999158854}, {25.134636287, 7.999394559}}},
		"zeros": {[]Rating{fresh, fresh, fresh}, []float64{0, -1.5, 0},
			[]Rating{{27.456249477, 8.253534696}, {25.614062369, 8.162139691}, {21.929688153, 8.162139691}}},
	} {
		got, err := m.Rate(match.before, match.scores)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range match.want {
			if !near(got[i].Mu, want.Mu) || !near(got[i].Sigma, want.Sigma) {
				t.Errorf("%s: player %d has %.9f, want %.9f", name, i, got[i], want)
			}
		}
	}
}

// Whatever the order of the list, a player comes out the same, and the winner
// never loses by it.
func TestRateKeepsToTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewPlackettLuce(rapid.Float64Range(1, 10).Draw(t, "beta"), 0.1)
		m.PlainZero = true
		n := rapid.IntRange(2, 20).Draw(t, "players")
		before, scores := make([]Rating, n), make([]float64, n)
		for i := range before {
			before[i] = Rating{rapid.Float64Range(0, 50).Draw(t, "mu"), rapid.Float64Range(1, 9).Draw(t, "sigma")}
			scores[i] = float64(rapid.IntRange(-3, 3).Draw(t, "score"))
		}
		after, err := m.Rate(before, scores)
		if err != nil {
			t.Fatal(err)
		}
		turned, back := make([]Rating, n), make([]float64, n)
		for i := range turned {
			turned[i], back[i] = before[n-1-i], scores[n-1-i]
		}
		again, err := m.Rate(turned, back)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range after {
			if !near(r.Mu, again[n-1-i].Mu) || !near(r.Sigma, again[n-1-i].Sigma) {
				t.Fatalf("player %d: %v, and %v from the other end", i, r, again[n-1-i])
			}
		}
		for i, p := range m.places(scores) {
			if p == 0 && unique(scores, i) && after[i].Mu < before[i].Mu-1e-9 {
				t.Fatalf("the winner fell from %v to %v", before[i], after[i])
			}
		}
	})
}

func unique(scores []float64, i int) bool {
	for j, s := range scores {
		if j != i && s == scores[i] {
			return false
		}
	}
	return true
}
