package connito

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// assignmentFile is the name of an expert group's assignment, beside its
// config.yaml.
const assignmentFile = "expert_assignment.json"

// Limits of an assignment that is believed.
const (
	maxAssignment = 4 << 20 // bytes
	maxLayers     = 10_000
	maxExperts    = 100_000 // in a layer
)

// ParseAssignment reads expert_assignment.json: {"<layer>": [[own number, original
// number], …], …}. Own numbers need not be in order, and are not places in the
// model, which stacks a layer's experts by their original numbers.
func ParseAssignment(data []byte) (Assignment, error) {
	if len(data) > maxAssignment {
		return nil, fmt.Errorf("expert assignment of %d bytes, want at most %d", len(data), maxAssignment)
	}
	var file map[string][][]int
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("expert assignment: %w", err)
	}
	a := make(Assignment, len(file))
	for name, pairs := range file {
		layer, err := strconv.Atoi(name)
		if err != nil || strconv.Itoa(layer) != name {
			return nil, fmt.Errorf("expert assignment: layer %.20q is no number", name)
		}
		for _, p := range pairs {
			if len(p) != 2 {
				return nil, fmt.Errorf("expert assignment: layer %d: %d numbers in a pair", layer, len(p))
			}
			a[layer] = append(a[layer], [2]int{p[0], p[1]})
		}
		if len(pairs) == 0 {
			a[layer] = nil
		}
	}
	return a, a.Check()
}

// Check says what is wrong with an assignment: no experts, a number out of range,
// or one that a layer has twice.
func (a Assignment) Check() error {
	if len(a) == 0 {
		return fmt.Errorf("expert assignment: no layers")
	}
	for _, layer := range slices.Sorted(maps.Keys(a)) {
		if layer < 0 || layer >= maxLayers {
			return fmt.Errorf("expert assignment: layer %d, want 0 to %d", layer, maxLayers-1)
		}
		if len(a[layer]) == 0 {
			return fmt.Errorf("expert assignment: layer %d has no experts", layer)
		}
		own, original := make(map[int]bool), make(map[int]bool)
		for _, p := range a[layer] {
			switch {
			case min(p[0], p[1]) < 0 || max(p[0], p[1]) >= maxExperts:
				return fmt.Errorf("expert assignment: layer %d: pair %v, want numbers from 0 to %d", layer, p, maxExperts-1)
			case own[p[0]]:
				return fmt.Errorf("expert assignment: layer %d has two experts %d of its own", layer, p[0])
			case original[p[1]]:
				return fmt.Errorf("expert assignment: layer %d has expert %d twice", layer, p[1])
			}
			own[p[0]], original[p[1]] = true, true
		}
	}
	return nil
}

// Encode returns the text of expert_assignment.json, a line for each layer.
func (a Assignment) Encode() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, layer := range slices.Sorted(maps.Keys(a)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n  \"%d\": [", layer)
		for j, p := range a[layer] {
			if j > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "[%d, %d]", p[0], p[1])
		}
		b.WriteByte(']')
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

// GroupExperts is how many experts of each layer a group of the real network has.
const GroupExperts = 8

// BuildAssignment returns a group's assignment from what the router of the whole
// model did on the group's text: for each layer, the summed weight of each expert.
// The n heaviest of each layer are the group's, numbered by weight; of equal ones
// the lower number comes first.
func BuildAssignment(weights map[int][]float64, n int) (Assignment, error) {
	a := make(Assignment, len(weights))
	for _, layer := range slices.Sorted(maps.Keys(weights)) {
		sums := weights[layer]
		if n <= 0 || len(sums) < n {
			return nil, fmt.Errorf("layer %d has %d experts, want at least %d", layer, len(sums), max(n, 1))
		}
		var total float64
		order := make([]int, len(sums))
		for i, w := range sums {
			if !(w >= 0) || math.IsInf(w, 0) {
				return nil, fmt.Errorf("layer %d: expert %d has weight %v", layer, i, w)
			}
			order[i] = i
			total += w
		}
		if total == 0 {
			return nil, fmt.Errorf("layer %d: no token was routed", layer)
		}
		slices.SortStableFunc(order, func(x, y int) int { return -cmp.Compare(sums[x], sums[y]) })
		for i, expert := range order[:n] {
			a[layer] = append(a[layer], [2]int{i, expert})
		}
	}
	return a, a.Check()
}
