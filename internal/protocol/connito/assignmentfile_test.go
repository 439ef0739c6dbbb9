package connito

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAssignmentFile(t *testing.T) {
	// The first layer of exp_math.
	text := `{"1": [[0, 22], [1, 17], [2, 44], [3, 15], [4, 25], [5, 39], [6, 4], [7, 46]], "10": [[1, 3], [0, 5]]}`
	a, err := ParseAssignment([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(a[1]) != 8 || a[1][0] != [2]int{0, 22} || a[10][0] != [2]int{1, 3} {
		t.Errorf("assignment %v", a)
	}
	if diff := cmp.Diff([]int{4, 15, 17, 22, 25, 39, 44, 46}, a.Experts()[1]); diff != "" {
		t.Errorf("experts: %s", diff)
	}
	back, err := ParseAssignment(a.Encode())
	if err != nil || !cmp.Equal(a, back) {
		t.Errorf("%v: %s", err, cmp.Diff(a, back))
	}
	if got, want := string(Assignment{2: {{0, 1}}, 10: {{0, 2}, {1, 3}}}.Encode()), "{\n  \"2\": [[0, 1]],\n  \"10\": [[0, 2], [1, 3]]\n}\n"; got != want {
		t.Errorf("encoded %q, want %q", got, want)
	}
	for name, bad := range map[string]string{
		"nothing":            `{}`,
		"no JSON":            `[`,
		"word":               `{"one":[[0,1]]}`,
		"leading zero":       `{"01":[[0,1]]}`,
		"negative layer":     `{"-1":[[0,1]]}`,
		"layer too high":     `{"10000":[[0,1]]}`,
		"no pair":            `{"1":[[0]]}`,
		"three":              `{"1":[[0,1,2]]}`,
		"empty layer":        `{"1":[]}`,
		"null layer":         `{"1":null}`,
		"own number twice":   `{"1":[[0,1],[0,2]]}`,
		"expert twice":       `{"1":[[0,1],[1,1]]}`,
		"negative":           `{"1":[[0,-1]]}`,
		"expert too high":    `{"1":[[0,100000]]}`,
		"fraction":           `{"1":[[0,1.5]]}`,
		"more than is read ": strings.Repeat(" ", maxAssignment) + text,
	} {
		if a, err := ParseAssignment([]byte(bad)); err == nil {
			t.Errorf("%s was taken: %v", name, a)
		}
	}
}

func FuzzParseAssignment(f *testing.F) {
	f.Add([]byte(`{"1":[[0,22],[1,17]],"2":[[0,1]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := ParseAssignment(data)
		if err != nil {
			return
		}
		if back, err := ParseAssignment(a.Encode()); err != nil || !cmp.Equal(a, back) {
			t.Errorf("%v does not come back: %v", a, err)
		}
	})
}

func TestBuildAssignment(t *testing.T) {
	a, err := BuildAssignment(map[int][]float64{1: {0.5, 3, 0, 3, 7}, 2: {1, 1, 1, 1, 1}}, 3)
	if diff := cmp.Diff(Assignment{1: {{0, 4}, {1, 1}, {2, 3}}, 2: {{0, 0}, {1, 1}, {2, 2}}}, a); err != nil || diff != "" {
		t.Errorf("%v, %s", err, diff)
	}
	for name, bad := range map[string]map[int][]float64{
		"nothing": {}, "too few": {1: {1, 2}}, "NaN": {1: {1, 2, math.NaN()}}, "infinite": {1: {1, 2, math.Inf(1)}}, "negative": {1: {1, 2, -1}}, "nothing routed": {1: {0, 0, 0}},
	} {
		if a, err := BuildAssignment(bad, 3); err == nil {
			t.Errorf("%s was taken: %v", name, a)
		}
	}
	if _, err := BuildAssignment(map[int][]float64{1: {1}}, 0); err == nil {
		t.Error("a group of no experts was built")
	}
	if GroupExperts != 8 {
		t.Error("a group has eight experts a layer")
	}
}
