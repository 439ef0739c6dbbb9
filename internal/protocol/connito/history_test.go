package connito

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

const aggregatorV2 = `{"schema_version":2,"miners":{` +
	`"7":{"hotkey":"5seven","points":[["2026-05-06T12:00:00.123456+00:00",2.25,8081340],["2026-05-06T13:40:00+00:00",0.0,8081840]]},` +
	`"12":{"hotkey":"5twelve","points":[["2026-05-06T12:00:00+00:00",1.5,null]]}}}`

func TestScoresFile(t *testing.T) {
	s, err := parseScores([]byte(aggregatorV2), 4)
	if err != nil {
		t.Fatal(err)
	}
	want := Scores{
		7:  {Hotkey: "5seven", Group: 4, Points: []Point{{"2026-05-06T12:00:00.123456+00:00", 2.25, 8081340}, {"2026-05-06T13:40:00+00:00", 0, 8081840}}},
		12: {Hotkey: "5twelve", Group: 4, Points: []Point{{"2026-05-06T12:00:00+00:00", 1.5, 0}}},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	// A validator of one group writes what upstream writes.
	if diff := cmp.Diff(aggregatorV2, string(s.encode(4))); diff != "" {
		t.Error(diff)
	}
	// One of several groups says which.
	s[12].Group = 5
	back, err := parseScores(s.encode(4), 4)
	if err != nil || !cmp.Equal(back, s) {
		t.Errorf("%v, %s", err, cmp.Diff(s, back))
	}

	v1 := `{"7":{"hotkey":"5seven","points":[["2026-05-06T12:00:00+00:00",2.25]]}}`
	if s, err = parseScores([]byte(v1), 0); err != nil || len(s) != 1 || s[7].Points[0].Score != 2.25 || s[7].Points[0].Round != 0 {
		t.Errorf("version 1: %+v, %v", s, err)
	}
	if s, err = parseScores([]byte(`{}`), 0); err != nil || len(s) != 0 {
		t.Errorf("nothing: %+v, %v", s, err)
	}
	var long []string
	for i := range 100 {
		long = append(long, fmt.Sprintf(`["t",%d,%d]`, i, i+1))
	}
	if s, err = parseScores([]byte(`{"schema_version":2,"miners":{"1":{"hotkey":"h","points":[`+strings.Join(long, ",")+`]}}}`), 0); err != nil || len(s[1].Points) != keepPoints || s[1].Points[0].Round != 21 {
		t.Errorf("a hundred points: %v, %v", s, err)
	}
}

func TestScoresFileRefuses(t *testing.T) {
	for name, bad := range map[string]string{
		"no JSON":   `{`,
		"list":      `[]`,
		"schema":    `{"schema_version":3,"miners":{}}`,
		"uid":       `{"schema_version":2,"miners":{"70000":{"hotkey":"h","points":[]}}}`,
		"zero":      `{"schema_version":2,"miners":{"01":{"hotkey":"h","points":[]}}}`,
		"word":      `{"schema_version":2,"miners":{"x":{"hotkey":"h","points":[]}}}`,
		"tuple":     `{"schema_version":2,"miners":{"1":{"hotkey":"h","points":[["t"]]}}}`,
		"score":     `{"schema_version":2,"miners":{"1":{"hotkey":"h","points":[["t","x",1]]}}}`,
		"not a num": `{"schema_version":2,"miners":{"1":{"hotkey":"h","points":[["t",NaN,1]]}}}`,
		"round":     `{"schema_version":2,"miners":{"1":{"hotkey":"h","points":[["t",1,-1]]}}}`,
		"huge":      strings.Repeat(" ", maxScores+1),
	} {
		if s, err := parseScores([]byte(bad), 0); err == nil {
			t.Errorf("%s was taken: %v", name, s)
		}
	}
}

func FuzzParseScores(f *testing.F) {
	f.Add([]byte(aggregatorV2))
	f.Add([]byte(`{"7":{"hotkey":"5seven","points":[["t",2.25]]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseScores(data, 0)
		if err != nil {
			return
		}
		back, err := parseScores(s.encode(0), 0)
		if err != nil || string(back.encode(0)) != string(s.encode(0)) {
			t.Errorf("%s does not come back: %v", s.encode(0), err)
		}
		G3.weigh(s, []int{0}, 8081840)
	})
}

func TestPrune(t *testing.T) {
	s := scored(G3, 0, map[subnet.UID][]float64{1: {1, 1, 1}})
	s.add(G3.roundID(11), "", Entry{UID: 1, Hotkey: "h", Points: 2})
	s.add(0, "", Entry{UID: 2, Hotkey: "h"}) // nobody knows when
	s.add(G3.roundID(0), "", Entry{UID: 3, Hotkey: "h"})
	G3.prune(s, G3.roundID(5))
	if len(s[1].Points) != 4 {
		t.Errorf("%d points, want all 4", len(s[1].Points))
	}
	G3.prune(s, G3.roundID(10))
	if got := s[1].Points; len(got) != 2 || got[0].Round != G3.roundID(2) {
		t.Errorf("points %v, want those of rounds 2 and 11", got)
	}
	if len(s) != 2 || s[2] == nil {
		t.Errorf("%d miners, want 1 and 2", len(s))
	}
}
