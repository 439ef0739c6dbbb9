package wirebench

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
)

// A Summary is what the seeds of one method came to. Bytes are of one miner.
type Summary struct {
	Method      string
	Seeds       int
	Rounds      int
	Loss        float64 // the mean of the seeds
	Least, Most float64
	Up, Down    int64
	Payload     int64
	Bits        float64
	// Behind is how much greater the loss is than that of dense averaging, of each
	// seed with the same, and then the mean of them; Fewer is how many times the
	// bytes of that are these. Both are 0 where there was none.
	Behind, Fewer float64
}

// Summarise returns a summary for each method among the points, in the order of
// [Methods].
func Summarise(points []Point) []Summary {
	var all []Summary
	dense := make(map[int]Point)
	for _, p := range points {
		if p.Last && p.Method == "dense" {
			dense[p.Seed] = p
		}
	}
	for _, name := range Methods() {
		s := Summary{Method: name, Least: math.Inf(1), Most: math.Inf(-1)}
		beside := 0
		for _, p := range points {
			if !p.Last || p.Method != name {
				continue
			}
			s.Seeds++
			s.Rounds = p.Round
			s.Loss += p.Loss
			s.Least, s.Most = min(s.Least, p.Loss), max(s.Most, p.Loss)
			s.Up, s.Down, s.Payload = s.Up+p.Up, s.Down+p.Down, s.Payload+p.Payload
			s.Bits += p.Bits
			if d, ok := dense[p.Seed]; ok {
				beside++
				s.Behind += p.Loss/d.Loss - 1
				s.Fewer += float64(d.Sent()) / float64(max(p.Sent(), 1))
			}
		}
		if s.Seeds == 0 {
			continue
		}
		n := int64(s.Seeds)
		s.Loss, s.Bits = s.Loss/float64(n), s.Bits/float64(n)
		s.Up, s.Down, s.Payload = s.Up/n, s.Down/n, s.Payload/n
		if beside > 0 {
			s.Behind, s.Fewer = s.Behind/float64(beside), s.Fewer/float64(beside)
		}
		all = append(all, s)
	}
	return all
}

// A Curve is a method's loss by what a miner had sent and received: the mean of the
// seeds, and the range of them.
type Curve struct {
	Method            string
	Sent              []float64 // bytes
	Loss, Least, Most []float64 // nats a token
}

// Curves returns a curve for each method among the points, in the order of
// [Methods]. The beginning, before anything is sent, is left out.
func Curves(points []Point) []Curve {
	var all []Curve
	for _, name := range Methods() {
		by := make(map[int][]Point)
		for _, p := range points {
			if p.Method == name && p.Round > 0 {
				by[p.Round] = append(by[p.Round], p)
			}
		}
		if len(by) == 0 {
			continue
		}
		c := Curve{Method: name}
		rounds := make([]int, 0, len(by))
		for r := range by {
			rounds = append(rounds, r)
		}
		slices.Sort(rounds)
		for _, r := range rounds {
			var sent, loss float64
			least, most := math.Inf(1), math.Inf(-1)
			for _, p := range by[r] {
				sent, loss = sent+float64(p.Sent()), loss+p.Loss
				least, most = min(least, p.Loss), max(most, p.Loss)
			}
			n := float64(len(by[r]))
			c.Sent, c.Loss = append(c.Sent, sent/n), append(c.Loss, loss/n)
			c.Least, c.Most = append(c.Least, least), append(c.Most, most)
		}
		all = append(all, c)
	}
	return all
}

// ReadPoints reads points that were written one a line, as JSON.
func ReadPoints(r io.Reader) ([]Point, error) {
	var points []Point
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var p Point
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if !slices.Contains(Methods(), p.Method) || !(p.Loss > 0) || p.Up < 0 || p.Down < 0 || p.Round < 0 {
			return nil, fmt.Errorf("line %d is of no run", n)
		}
		points = append(points, p)
	}
	slices.SortStableFunc(points, func(a, b Point) int {
		return cmp.Or(cmp.Compare(a.Seed, b.Seed), cmp.Compare(a.Round, b.Round))
	})
	return points, lines.Err()
}
